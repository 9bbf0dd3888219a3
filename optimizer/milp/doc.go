// Package milp writes a plan problem out as one general mixed-integer program, exactly as the problem states it, for any solver that reads MPS.
//
// It is the model in plain form: one column per decision, one row per equation or limit, one file per kind of device. It shares
// nothing with the structured solver, so the two can be held against each other.
//
// The program is
//
//	minimise  Offset + sum_j Cost_j x_j   with  Low_j <= x_j <= High_j,  x_j whole where Integer,  Low_r <= sum_j a_rj x_j <= High_r
//
// with the following columns, in the order of the sites and their devices:
//
//   - pv: the power made (positive);
//   - battery: charge, discharge, energy after each step; a binary that parts charge from discharge where burning energy could pay;
//   - ev: charge, discharge, energy after each step of a session, a binary that parts 0 from [min_kw, max_kw] and charge from discharge, shortfall;
//   - heat_pump: power, temperature after each step, kelvins below and above the band; on (binary), start and stop where its state matters;
//   - water_heater: power, on (binary) with a minimum power, energy, unmet draw, shortfall;
//   - shiftable: one binary per possible start;
//   - flexible: power, shortfall;
//   - site: net power, and the part that is drawn where a fee falls on it;
//   - grid: import, export, a binary that parts them where importing is cheaper than exporting, the peak beyond the one so far.
//
// Without integers the program is already exact where every price is such that doing two opposite things at once cannot pay; the
// answer may then still do so for free, which [Model.Solution] undoes.
package milp
