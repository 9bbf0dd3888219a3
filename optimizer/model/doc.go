// Package model turns a plan problem into the structured program of package ipm and its answer back into the powers of the devices.
//
// With dt the step in hours, for each site i and step t (kW, kWh, °C, EUR):
//
//	minimise   sum_t dt*(import_cost*import - export_price*export) + peak_price*max(0, max_t import - peak_so_far)
//	           + sum_i sum_t dt*fee_i*max(0, n_i) + the devices' terms below
//	n_i = load_i + sum of the devices' powers,   -export_limit_i <= n_i <= import_limit_i
//	import - export = sum_i n_i,                 0 <= import <= import_limit, 0 <= export <= export_limit
//
//	pv           power -u, 0 <= u <= available (not curtailable: part of the load)
//	battery      power c - q;  e' = (1 - self_discharge*dt) e + dt*(eta_c c - q/eta_d);  wear*dt*(c + q) - final_value*e_T
//	ev           power c - q;  in a session e' = e + dt*(eta_c c - q/eta_d), from its initial energy; shortfall*max(0, target - e) at its end
//	heat_pump    power x;      T' = a T + (1-a)(outdoor + R(cop x + gains));  dt*discomfort*(max(0, min - T') + max(0, T' - max))
//	water_heater power x;      e' = (1 - loss*dt) e + dt*(cop x - draw) + m, 0 <= m <= dt*draw;  shortfall*(m + max(0, final_min - e_T))
//	shiftable    power p;      e' = e + dt p between the envelopes of its latest and its earliest start
//	flexible     power x;      e' = e + dt x in its window;  shortfall*max(0, energy - e) at its end
//
// This is a relaxation: it forgets that a machine with a minimum power is off or above it, starts and minimum times, that a battery or car
// does not charge and discharge at once, and that an appliance runs its profile. So its optimum bounds the plan's cost from below.
// [Decisions] put these choices into the boxes: with all of them made, the program is exact except for costs of starts, which are [Decisions.Constant].
//
// Where import costs less than export pays, import and export at once would pay: such a step's boundary flow is one variable on the chord of its
// cost (the convex envelope) until a decision names its direction.
package model
