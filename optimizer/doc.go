// Package optimizer plans a district: it decides, for every step of a horizon, what every battery, car, heat pump, tank and appliance does, at the least
// cost that the problem's prices and limits allow, and proves how good the plan is.
//
//	sol, err := optimizer.Plan(ctx, prob, optimizer.Settings{TimeLimit: 5 * time.Second})
//
// [Plan] is the one entry. It is pure: no input or output, no store; the clock is read only for the time limit. Power is kW, positive into a device; energy kWh; money EUR.
// Problem and solution are the documents of package problem.
//
// # How
//
//  1. Package model states the problem as a structured linear program (a relaxation where decisions are on/off); package ipm solves it. Its
//     prices prove a bound that no plan can beat, computed by package certify from the problem itself.
//  2. Without on/off decisions its answer is the plan. With them, package discrete searches in numbered rounds.
//  3. Tiny violations of an interior point are repaired: storages are rolled forward and trimmed.
//  4. The previous plan is kept where it is still as good ([Settings.PreferenceEpsilon]).
//  5. Package certify simulates the plan from the devices' powers alone. Status, objective and gap are its numbers. A plan that it finds fault with is
//     never returned as optimal or feasible.
//
// A problem without a plan is explained: the limits that would have to give way, where, when and by how much, and the nearest plan.
//
// # To add a kind of device
//
//  1. problem: its type, its fields with their defaults, its checks.
//  2. certify: its simulation in Evaluate, and its least value in Bound, from the problem's text, without looking at the model.
//  3. model: a file of its name with a builder method that adds inputs and at most one chain (a second state is a second chain that no input
//     of the first drives) and returns its [model.Place]; a case in Program builder; its formula in the package comment. Every input and state
//     needs a finite box; implied ones come from what the device can reach.
//  4. model.Discrete, if it decides anything but continuous powers, and discrete: a case in alone (its own best decisions at prices) and in diffuse.
//  5. model.Repair, if it stores energy within hard limits; binding, for limits worth telling.
//  6. milp: its rows for foreign solvers. The tests of this package then hold it against HiGHS on random instances.
package optimizer
