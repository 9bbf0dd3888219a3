// Package optimizer plans a district: it decides, for every step of a horizon, what every battery, car, heat pump, tank and appliance does, at the least
// cost that the problem's prices and limits allow, and proves how good the plan is.
//
//	sol, err := optimizer.Plan(ctx, prob, optimizer.Settings{TimeLimit: 5 * time.Second})
//
// [Plan] is the one entry. It is pure: no input or output, no store; the clock is read only for the time limit. What steers it is [Settings], what the plan is its
// [problem.Status] and [problem.Solution], how the work went [Info]. Power is kW, positive into a device; energy kWh; money EUR. Problem and solution are
// the documents of package problem.
//
// # The model
//
// With dt the step in hours, c_t the import price with its carbon, s_t the export price, f_it the fee of site i, and n_it its net power (kW):
//
//	minimise   sum_t dt*(c_t*import_t - s_t*export_t) + peak_price*max(0, max_t import_t - peak_so_far)
//	           + sum_i sum_t dt*f_it*max(0, n_it) + the devices' costs
//	site       n_it = load_it + sum of its devices' powers,  -export_limit_it <= n_it <= import_limit_it       dual dt*v_it
//	district   import_t - export_t = sum_i n_it, within their limits, never both above 0                      dual dt*L_t
//	store      e' = keep*e + gain*charge - drain*give - draw, within its box                                  dual y_t
//	zone       T' = a*T + (1-a)*(outdoor + R*(cop*power + gains)), a = exp(-dt/(R*C)), priced outside its band
//	machine    power 0 or in [min, max]; minimum times on and off; a cost per start; an appliance runs its profile once, unbroken
//
// Package model has the formula of each kind of device. L_t and v_it, in EUR/kWh, are the prices of the solution: what one more kWh costs there and then. At an
// optimum
//
//	L_t  = c_t + peak share + value of the import limit     where the district imports
//	     = s_t - value of the export limit                  where it exports, between the two where it does neither
//	v_it = L_t + f_it + value of the import limit           where the site draws; L_t - value of the export limit where it gives
//
// # How
//
//  1. What limits exclude by themselves is found before anything is solved (presolve.go): intervals of the states that a store can reach.
//  2. Package model states the problem as a structured linear program (a relaxation where decisions are on/off); package ipm solves it. Its
//     prices prove a bound that no plan can beat, computed by package certify from the problem itself, with the on/off decisions of devices valued by package exact.
//  3. Without on/off decisions its answer is the plan. With them, package discrete searches in numbered rounds.
//  4. Tiny violations of an interior point are repaired: storages are rolled forward and trimmed.
//  5. Among plans that cost nearly the same one is chosen (prefer.go, [Settings.PreferenceEpsilon]): the previous plan, its decisions, its set-points; without one, the
//     plan with the fewest switches and changes (calm.go). A plan of an unchanged problem comes back as it was.
//  6. Package certify simulates the plan from the devices' powers alone. Status, objective and gap are its numbers. A plan that it finds fault with is
//     never returned as optimal or feasible.
//
// # Statuses
//
//	optimal     a plan whose gap is at most Settings.Gap
//	feasible    a plan; the time or the rounds ran out first, or keeping the previous plan was worth more than the gap: the gap says how good it is
//	infeasible  there is none, and that is proven: what would have to give way, where, when and by how much, and the plan nearest to the limits (infeasible.go)
//	unknown     the time ran out before any plan
//
// # What the numbers of a solution mean
//
// Binding lists the limits that the plan stands at with the value of one kW or kWh more in that step, Worth what one more in all steps would save: for capacity_kwh
// of a battery or tank the value of one more kWh of storage, for import_limit_kw of a site or grid.import_limit_kw that of one more kW of connection. They are multipliers of the
// continuous program with the on/off decisions as they are (binding.go). Package explain puts them into words.
//
// # To add a kind of device
//
//  1. problem: its type, its fields with their defaults, its checks.
//  2. certify: its simulation in Evaluate, and its least value in Bound, from the problem's text, without looking at the model.
//  3. model: a file of its name with a builder method that adds inputs and at most one chain (a second state is a second chain that no input
//     of the first drives) and returns its [model.Place]; a case in the builder's device method; its formula in the package comment. Every input and state
//     needs a finite box; implied ones come from what the device can reach.
//  4. If it decides anything but continuous powers: model.Discrete; exact.Decides and its machine in exact (or, for starts, a case beside discrete's shift); cases in
//     discrete's chosen and diffuse; in former.decision here, so that a previous plan's decisions are known again.
//  5. If it stores energy within hard limits: model.Repair. In any case its range of power in presolve.device: without a case it counts as none at all.
//  6. binding, for limits worth telling; calm, if its powers may be moved in time; highestPrice, if it has prices of its own.
//  7. explain: its machine in from, its limits, its line in the overview.
//  8. milp: its rows for foreign solvers; problemtest: random ones. The tests of this package then hold it against HiGHS on random instances.
package optimizer
