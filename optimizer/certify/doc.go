// Package certify checks a plan without trusting whoever made it. It shares no code with the solver, the structured model or the general
// program: it knows the problem's text alone. Package exact, by which [ExactBound] values on/off decisions, is a part of the check that the search
// asks too; what it says is held to simulation by [Evaluate], to enumeration and to HiGHS in tests.
//
// [Evaluate] takes the powers of the devices from a solution (and the on state of heat pumps without a minimum power, which may idle at zero
// power), simulates every device, lists every limit that is overstepped by more than [Tolerance], and recomputes every part of the
// cost. [Complete] writes what it found into the solution. [Claims] holds what a solution says of itself against it.
//
// [Bound] computes, from prices alone, a cost below which no plan of the problem can be; it sees a relaxation of on/off decisions, [ExactBound] the decisions themselves.
package certify
