// Package discrete makes the decisions of a plan that are no continuous choice: which steps a machine with a minimum power, a start cost or
// minimum times is on, when an appliance starts, whether a battery or car charges or discharges, and which way the district's power flows where
// importing is cheaper than exporting.
//
// The relaxation of package model is solved first; its prices (the dual of each site's balance, EUR per kW and step) tell what power is
// worth at every site in every step. Then numbered rounds follow. Each round proposes decisions, fixes them, solves the continuous program that remains, and keeps the plan
// when it is feasible and cheaper than the best so far:
//
//	round 1    every device alone at the relaxation's prices, exactly (package exact)
//	round 2    error diffusion: on when the energy owed to the relaxation's power has grown large enough
//	round 3..  a sweep over a share of the devices of the best plan, one after the other, each at the price of its own weight (sweep.go)
//
// Small problems go on with single changes of the best plan (probe.go) and with branch and bound (branch.go), a node a round, which also raises the
// bound and can prove that there is no plan. Larger ones branch on the boundary's directions alone, where importing is cheaper than exporting.
//
// A round's content depends on the problem and the round's number only, neither on the number of workers nor on the clock: a limit of
// time chooses which round was the last, and the same number of rounds gives the same plan.
//
// A decision that leaves the rest infeasible is not wasted: the excess over limits, from the elastic program, raises the price at
// its site and step for the rounds that follow; and sweeps mind the limits from then on, with less and less of what other devices could give way (slack.go), until rounds in a row
// kept them. Without that a limit at what is drawn whatever is decided, as a grid operator may ask for, would have almost every sweep fail.
package discrete
