// Package dispatch turns a plan's powers into what each device takes, keeps limits whatever the plan says and also without one, and falls back to a documented safe state.
//
// # Limits without a plan
//
// A limit of a site or of the district, configured or requested from outside, holds at every moment. While the connection is measured, [Hold] and [HoldTogether] change what devices
// would do, in the order cars, batteries, water heaters, heat pumps for draw and batteries, sun for feed. What is fed all the same, by an inverter that does not hear or is not ours, is taken at last by cars, water
// heaters and heat pumps, within their comfort bands and the limits of what is drawn; one that draws less than it was told, such as a full car, counts with what it draws, and one that took a feed goes on at its
// least for [ReleaseAfter], so that no relay is switched with every cloud. Without a plan a device would do what its own control does; [Guard] remembers
// which devices a limit holds back and what they would take without it, so that one is not let go as soon as its own measurement shows that the limit is kept. It gets its
// own control back when for [ReleaseAfter] nothing had to be held back, or the limit was not what kept it low.
//
// A car that is steered at a limit of import in steps is told what leaves half a step, what the meters do not tell and, up to a quarter of what cars draw, what else is about to be drawn until the command
// shows; what a full car does not draw is left already. Where the limit has room nothing is kept back, no car is stopped for it, neither heat nor batteries give way to it, no limit of export is passed by it, and
// the reason says how much it is.
//
// # The gate
//
// Whatever wants it, a command reaches a device only through [Sender]:
//
//	range            never outside what the device takes, nor what is no number; its driver holds that once more
//	side             what a limit lowers ends not above it, what it lifts not below
//	ramp             no faster than the profile says, from round to round, also after a rest and after a failure, in whole steps; what a limit tightens and own control do not wait
//	minimum hold     a machine is left on or off for its time, also where a command between failed; what a limit tightens, own control and safe states do not wait
//	run and rest     a heat pump runs and rests for the least times of its compressor, by what is measured, whatever is planned, or ordered by hand; what quiet hours and limits tighten does not wait, and the rest comes after them
//	rate of writes   a register that wears is written once in its interval; a limit may use the writes that the last hour has left, own control and safe states always get through; a command that failed
//	                 before anything was sent, and giving back where nothing has to be written, count for none
//	nothing twice    what stands is not written again, but before the device would revert, and once a minute to one that does not do it
//	failures         are tried again after 2 s, 4 s and so on, up to a minute
//	ownership        what somebody else commands is a conflict and stays, also when Quartier stops; an owner's limit is not exceeded (package command)
//	read-back        every write is read back; what the device keeps instead is in the ledger
//	what waits       what goes on in place of what is wanted is in the ledger once a wait, with what is wanted and until when; again, once a minute at most, where something else is wanted
//	interlocks       a device that is locked out is written to by nobody, one whose state says that it is full or empty is not told to go on, one without a car has its own control
//
// While a limit is passed, whoever lowers what is drawn does so at once ([Hold]): a hold, a ramp or an interval would keep it from what the plan wants anyway.
//
// # Safe states
//
// What a device is told where the plan cannot be followed. "Own control" is what its profile says by restore: what stood before our first command, its safe value, or nothing
// because it lets go by itself. Shares of a limit are in proportion to the largest powers of the devices of that kind behind it.
//
//	                            charging point           battery         solar inverter          heat pump, water heater
//	paused, or no car           own control              own control     own control             own control
//	no plan, no limit in need   own control              own control     own control             own control
//	no plan, too much draw      first down, then paused  down to full    own control             heater, then pump off
//	                                                     discharge
//	no plan, too much feed      own control              up to full      limited to what fits    own control
//	                                                     charge
//	connection or device not    safe current, at most a  no charging     own control             own control
//	  measured, import limited  share of half the limit
//	connection or device not    own control              no discharging  share of the limit      own control
//	  measured, export limited
//	connection or device not    own control              own control     own control             own control
//	  measured, nothing limited
//	locked out                  nothing is written to it, whatever the limits are and when Quartier stops too
//	power ordered by hand       that power, within the limits, with a plan and without one
//	quiet hours, ordered or     at most that power, also where nothing is measured; of all that hold the lowest
//	  configured
//	Quartier stops              own control              own control     own control             own control
//	Quartier dies, link lost    reversion of the device, where the profile has one
//
// Street lighting is told the brightness of the hour whatever the limits are: streets are not darkened to keep them. Its own twilight switch says whether it burns.
//
// A measurement that cannot be so (package observe) counts as none: the rows "not measured" hold for it. A device that does not do what it was told, or cannot be told, counts with what it does:
// the others make up for it, and it is told again once a minute. So does one that may not be told anything new yet.
//
// Half of an import limit that nobody can measure is left to what is not under control. Comfort is not given up for it: a building would freeze while a meter waits for repair. A battery
// whose profile says zero: release has no state in which it neither charges nor discharges; "no charging" is then its own control.
package dispatch
