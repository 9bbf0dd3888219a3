// Package building learns of the rooms that a heat pump warms what nobody knows beforehand: how well they keep heat, how much of it they hold, and what people, appliances and the sun give them.
//
// The model is that of the plan, one mass behind one resistance:
//
//	C dT/dt = (To - T)/R + Q + G + A S + D
//
// with the indoor temperature T, that outside To, the heat Q of the pump, constant gains G, gains A of the sun, of which S is what shines, as a share of a full one, and a slow course D of gains that every day repeats. Walls have more masses than that, so what is sought is not the
// law that moves the air of the next minutes but the one that foresees the rooms for a day, as a plan does: [Identify] minimises what the model is wrong by 1 to 24 hours ahead of each hour, knowing what heated and what the weather was.
// Grey-box models of houses by what they foresee are those of Bacher and Madsen, Energy and Buildings 43, 2011, who test how many masses the likelihood asks for and find more than one; Lin, Middelkoop and Barooah, 51st IEEE Conference on Decision and Control,
// 2012, find that one has enough predictive ability for control, and that fits to what control leaves of usual operation are poor: hence the prior, the deviations and the trial below.
// In nights in which the pump rests the fit is that of a cooling curve, which tells R C alone; what the measurements cannot tell stays at what is stated, with a wide deviation.
//
// A plan goes by what was identified only while that foresees better: [Learner] learns each day on the past, holds what the rooms then did against both, and changes sides by a margin that has a memory. Nothing looks ahead: all of it is a
// function of the slots that ended before.
package building
