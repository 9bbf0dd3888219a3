// Package exact values one device alone, with its on/off decisions, at given prices: what it costs at the least, proven from below, and what it would do.
//
// # The machine
//
// A device is a state s over the steps t of its horizon (energy in kWh, temperature in °C) and a choice per step:
//
//	off    s' = keep*s + drive
//	on     s' = keep*s + drive + gain*u,       u in [least, most] kW, at cost*u
//	give   s' = keep*s + drive - drain*u,      u in [0, give] kW, at pay*u
//
// The state is kept within hard limits, and costs soft[t](s') at the end of every step: a slope and a price beyond two levels. A tank that would fall below its floor
// stays there, and what it lacks costs short per unit. A machine may have minimum times on and off and a cost per start; its mode counts the steps in the present state.
//
// # The method
//
// Dynamic programming backward in time over functions, not over a grid. The least cost of what is left, as a function of the state, is piecewise linear and neither
// convex nor continuous: every choice and every step keeps it so (a shift, a minimum over a sliding window, a minimum of two), and each of these is carried out
// exactly on lists of points. What grows is the number of points; after each step it is cut down to a function that lies below by at most a given tolerance and
// never above. So the value at the initial state is a lower bound on the device's cost, whatever the tolerance, and misses it by at most steps times the tolerance.
//
// With a Lagrangian's prices, the sum of these values over all devices, and the least cost of the rest, bounds the cost of every plan (package certify); the bound
// sees what a linear relaxation cannot, such as a start or half a quarter-hour of a boiler.
package exact
