// Package hotwater learns of a hot-water tank what nobody knows beforehand: what is drawn from it and when, how much it loses, and how much heat it must hold ready so that the water stays warm.
//
// Draws are not metered. [Identify] finds them, slot by slot, by the balance of the tank's heat: what its heater gave, less what it holds more than before, less what it lost; and its loss by the hours of the night in which it cools
// without being used. [Draws] foresees what is drawn, and [Reserve] says what is to be held for draws larger than that. A [Learner] does all of it for one tank of a live district; the backtest over recorded
// neighbourhoods, where draws are in the data, uses the same [Draws] and [Reserve]. Nothing looks ahead: all of it is a function of the slots that ended before.
package hotwater
