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
// Mehrotra's predictor-corrector (SIAM J. Optim. 2, 1992) on the boxes as bounds. The Newton system is eliminated in the order site row (one scalar per
// site and step), chains (block tridiagonal in time, one block of the site's chains per step), grid rows (one dense T by T
// positive definite matrix, gonum's Cholesky); the peak price is a rank-one term. The inverse of a block tridiagonal matrix is
// semiseparable, so a site's share of the dense matrix costs O(d*d*T*T) and needs no T by T factorisation of its own.
// Each sum is formed without subtraction where a difference of near-equal numbers would appear otherwise.
//
// Every iteration also computes a lower bound on the optimum from its duals alone (weak duality over the boxes); the method stops
// when objective and bound agree, so a solved program carries its own proof.
//
// Sites are divided into shards that depend on the problem only and are summed in a fixed order: the result has the same bits
// whatever the number of workers.
package ipm
