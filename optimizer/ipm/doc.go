// Package ipm solves the linear program of a district plan by a primal-dual interior-point method that uses its structure:
// sites coupled by one balance per step, inside a site inputs (powers) that move chains (states of energy or temperature), and
// the site's net power.
//
// # The program
//
// For sites i, inputs j, chains k and steps t:
//
//	minimise   sum cost*v over all variables v + sum of the bands' penalties + peak price * max(0, max_t import_t - so far)
//	chain row  x[k,t] - keep[k,t] x[k,t-1] - sum_{j drives k} gain[j,t] u[j,t] = drive[k,t]        dual Y
//	site row   n[i,t] - sum_j sign[j] u[j,t] = base[i,t]                                         dual V
//	grid row   import[t] - export[t] - sum_i n[i,t] = 0                                          dual Lambda
//	boxes      every u, x, n, import, export lies in [Lo, Hi], both finite
//
// Before the first step a chain has no state: what it starts with is in drive[k,0]. A band puts a price on a variable below (Low)
// or above (High) a level; it is how comfort, shortfalls and fees on drawn power are stated. Units are the caller's: kW for inputs and nets, kWh or
// kelvin for states, EUR per unit and step for costs. Duals are EUR per unit of the row's right-hand side: Lambda is what one
// more kW of demand in step t costs, V the same at a site, Y what one more unit of the state saves, with the sign of a cost.
//
// # The method
//
// Mehrotra's predictor-corrector (SIAM J. Optim. 2, 1992) on the boxes as bounds. For a variable with distances wl = x-lo and wu = hi-x and multipliers zl, zu
//
//	D = zl/wl + zu/wu,   g = cost - A'dual - (mu-pl)/wl + (mu-pu)/wu,   dx = (A'ddual - g)/D,   (A D^-1 A') ddual = residual + A D^-1 g
//
// with pl = dx*dzl and pu = -dx*dzu of the predictor in the corrector, and 0 in the predictor. A band adds to D the curvature z*zs/(w*zs + s*z) of its pair.
// Each sum is formed without subtraction where a difference of near-equal numbers would appear otherwise.
//
// # Elimination
//
// Where something limits or prices a site's net power, the order is site row (a scalar nn + pu per step, the inverse curvatures of the net power and of the inputs
// together), then the site's chains (block tridiagonal in time, one block of the d chains per step), then the grid rows (one dense T by T positive definite matrix,
// gonum's Cholesky); the peak price is a rank-one term. Elsewhere the net power is what its inputs make, the site's price is the grid's, and each chain
// with its inputs, and each input without a chain, is a group by itself: d = 1, all recursions scalar. A limit that is not likely to bind is left
// out at first; [Solve] brings it in when an answer oversteps it.
//
// With C[t] the pivot blocks and F[t] = C[t]^-1 diag(keep[t+1]/D[t]), the inverse of a group's block tridiagonal matrix is semiseparable,
//
//	P[t] = C[t]^-1 + F[t] P[t+1] F[t]',   (K^-1)(s,t) h[t] = X(s,t) = F[s] X(s+1,t),   X(t,t) = P[t] h[t]
//
// so its share -h[s]'X(s,t) of the grid matrix costs O(d*d*T*T) and needs no T by T factorisation. Where keep is 0 the past ends, and with it the row.
//
// # Sweeps
//
// An iteration passes over the groups three times. Measure: take the step; gradients, curvatures, residuals, objective and bound; eliminate; the predictor's
// right-hand side. Predict: substitute the predictor's grid prices; second-order products; the corrector's right-hand side in two parts, without mu and per mu, since mu
// follows from the whole predictor. Correct: substitute the corrector's grid prices; how far the step may go.
// The sweeps work on four steps of a variable at a time, in one register where the processor and the build have such ([vec]); what one leaves for the next in four
// steps is a block of 256 bytes. What cannot move takes little work: fixed inputs are folded into the rows' right-hand sides, and so are a
// chain's states before its first free input and after its last restart. A state's box that follows from its inputs' boxes is no barrier term
// where bands on both sides hold it.
//
// # Held groups
//
// With many sites there is always one that allows a short step only. So the step is what all groups but some allow. These are held: they are aimed nearer to the centre, since a group
// lags behind mostly because its products differ, their step is scaled down to what they can take, and the grid rows' residual r that this leaves is spread over all groups by another
// solve with the same matrix,
//
//	S dlam' = r,   every group's step changed by its response to dlam'
//
// a sweep of its own. Import and export are held in single steps likewise; the ones that fall well short are taken out of S for the rest of the iteration, since they
// would take back what was cut, unless the prices that this asks for show that hardly anything is left to take it. So the direction still closes every row, and
// the number of iterations hardly grows with the number of sites.
//
// # Start
//
// Prices between what the district pays and what it is paid, a worth of every state that its inputs can be had for, powers and states rolled forward towards the bands: multipliers that
// are dual feasible for these prices are a better beginning than those for no prices by a fifth of the iterations.
//
// # Proof
//
// Every iteration also computes a lower bound on the optimum from its duals alone (weak duality over the boxes); the method stops
// when objective and bound agree, so a solved program carries its own proof.
//
// # Reproducibility
//
// Groups are divided into shards that depend on the problem only and are summed in a fixed order: the result has the same bits
// whatever the number of workers.
package ipm
