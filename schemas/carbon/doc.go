// Package carbon accounts for greenhouse gases with factors whose kind is part of their type: average factors make an inventory, marginal ones tell the effect of a
// decision, and in France the one can be ten times the other. Figures of the two do not add, do not compare and do not compile together. Scope and basis (direct or life
// cycle; production or consumption) are checked when figures are added.
//
// Three quantities are kept apart, each a type of its own: [Emissions] of what was drawn (location-based: what was fed in is never netted inside), [Avoided] by what was fed
// in, with the factor declared, and the [Saving] against a baseline, which has a figure only where the baseline's outcome allows one.
//
// A time without a factor is a gap: its energy is counted as such and never taken as emission-free.
//
// Terms and formulas: GHG Protocol Scope 2 guidance (location-based method) and, for avoided emissions, its separate reporting.
package carbon
