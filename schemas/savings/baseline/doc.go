// Package baseline infers what a building would have used: a regression of its energy on degree days over a baseline period (IPMVP option C), accepted or
// refused by the limits of ASHRAE Guideline 14, and the energy avoided since then with its interval.
//
// # The model
//
//	E = a*days + o*occupied days + b*HDD(heating base) + c*CDD(cooling base)
//
// with E the energy of an observation (a day, a month) in kWh, HDD the sum over its days of max(0, base - mean temperature) and CDD of max(0, mean
// temperature - base), in K·d. The base temperatures are fitted and count as parameters. What the weather does not move stays in a and o: hot water that is
// metered apart is taken out before the fit and put back as its own mean per day, and hot water that is not is part of a; neither is scaled with degree days.
//
// # What it may be used to say
//
// Savings are inferred, never measured: avoided = adjusted baseline - measured. An [Outcome] holds the estimate together with the right to speak of it. Only
// [Outcome.Less] gives a figure that may be called saved, and it gives none while zero lies in the interval or the model was refused.
//
// Sources: Kissock, Haberl, Claridge, Inverse Model Toolkit (ASHRAE RP-1050), for the change points and the prediction interval; ASHRAE Guideline 14-2014 for
// limits and the fractional savings uncertainty; Reddy and Claridge (2000) for the effective number of autocorrelated observations.
package baseline
