// Package explain tells why a plan does what it does, in numbers and in words. It reads the problem and the solution document and nothing else, so that a plan
// made elsewhere, or yesterday, is explained as well as one just made.
//
// # What an explanation says
//
// A solution carries prices: what one more kWh costs the district in a step, at its boundary and at each site, with the on/off decisions as they are. At these
// prices every device can be looked at alone, and [Explainer.Step] does so for one step:
//
//   - the price at the site and what it is made of: energy, carbon, the share of the peak charge, limits of the connections, the fee;
//   - what energy (or warmth) is worth to the device later: the least cost of the rest of its horizon, by the state it starts from. With V that cost, a little
//     more energy d in it saves (V(e) - V(e+d))/d, a little less costs (V(e-d) - V(e))/d. Where the two differ the device stands at a kink, such as a full tank
//     or an on/off decision that would change;
//   - what another choice in that step would cost more by the end of the horizon, the device free to do its best in all later steps, on/off decisions and
//     minimum times included. Package exact finds it. A plan that is optimal for the district is at no disadvantage in any of these numbers, up to the plan's
//     gap: where decisions are on/off, prices alone do not decide;
//   - the limits that the device stands at, with what a little more of each would save where the plan tells it.
//
// [Explainer.Overview] writes the whole plan: cost by part, prices, what each kind of device does and when, what binds, and what one more kWh of storage and one
// more kW of connection would save.
//
// An infeasible plan has no prices of its own: the tariff stands in for them, and the overview tells what would have to give way.
package explain
