package baseline

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Granularity is the length of the observations, by which limits differ.
type Granularity string

// The granularities.
const (
	Monthly Granularity = "monthly"
	Daily   Granularity = "daily"
	Hourly  Granularity = "hourly"
)

// Limits are the largest CV(RMSE) and |NMBE| of a model that is accepted, as shares.
type Limits struct {
	CVRMSE, NMBE float64
	Source       string
}

// LimitsOf returns the limits of a granularity. Guideline 14-2014 has calibration limits for months and hours; for days it has none, and the strictest limit of its
// prescriptive path for whole-building regression (20 %, reporting periods below 12 months) is taken with the bias of months.
func LimitsOf(g Granularity) Limits {
	switch g {
	case Hourly:
		return Limits{0.30, 0.10, "ASHRAE Guideline 14-2014, hourly calibration"}
	case Daily:
		return Limits{0.20, 0.05, "ASHRAE Guideline 14-2014, prescriptive path below 12 months"}
	}
	return Limits{0.15, 0.05, "ASHRAE Guideline 14-2014, monthly calibration"}
}

// Refuses returns why the limits refuse a model of that quality; empty when they accept it.
func (l Limits) Refuses(cvRMSE, nmbe float64) (reasons []string) {
	if !(cvRMSE <= l.CVRMSE) { // NaN is refused
		reasons = append(reasons, fmt.Sprintf("CV(RMSE) %.1f %% is above %.0f %%", 100*cvRMSE, 100*l.CVRMSE))
	}
	if !(math.Abs(nmbe) <= l.NMBE) {
		reasons = append(reasons, fmt.Sprintf("NMBE %.1f %% is beyond ±%.0f %%", 100*nmbe, 100*l.NMBE))
	}
	return reasons
}

// CVRMSE returns the root mean square of measured less predicted, with n - p in the denominator, as a share of the mean of measured.
func CVRMSE(measured, predicted []float64, p int) float64 {
	return rmse(measured, predicted, p) / mean(measured)
}

// NMBE returns the mean of measured less predicted, with n - p in the denominator, as a share of the mean of measured.
func NMBE(measured, predicted []float64, p int) float64 {
	sum := 0.0
	for i := range measured {
		sum += measured[i] - predicted[i]
	}
	return sum / (float64(len(measured)-p) * mean(measured))
}

func rmse(measured, predicted []float64, p int) float64 {
	sse := 0.0
	for i := range measured {
		d := measured[i] - predicted[i]
		sse += d * d
	}
	return math.Sqrt(sse / float64(len(measured)-p))
}

func mean(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}

// Autocorrelation returns the correlation of residuals with the residuals one observation before; 0 for fewer than three.
func Autocorrelation(residuals []float64) float64 {
	n := len(residuals)
	if n < 3 {
		return 0
	}
	m, num, den := mean(residuals), 0.0, 0.0
	for i, r := range residuals {
		den += (r - m) * (r - m)
		if i > 0 {
			num += (r - m) * (residuals[i-1] - m)
		}
	}
	if den == 0 {
		return 0
	}
	return num / den
}

// EffectiveObservations returns n' = n (1-rho)/(1+rho): how many independent observations n autocorrelated ones are worth. A rho below 0 makes no more of them.
func EffectiveObservations(n int, rho float64) float64 {
	rho = math.Min(0.999, math.Max(0, rho))
	return float64(n) * (1 - rho) / (1 + rho)
}

// StudentT returns the two-sided quantile: a variable of Student's t with dof degrees of freedom lies within ± it with probability confidence.
func StudentT(confidence, dof float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: dof}.Quantile(0.5 + confidence/2)
}

// PredictionInterval returns the half width of the interval of one new observation at x under a regression on one variable with observations at xs: t * RMSE *
// sqrt(1 + 1/n + (x-mean)^2 / sum (x-mean)^2).
func PredictionInterval(rmse float64, xs []float64, x float64, p int, confidence float64) float64 {
	m, ss, n := mean(xs), 0.0, float64(len(xs))
	for _, v := range xs {
		ss += (v - m) * (v - m)
	}
	return StudentT(confidence, n-float64(p)) * rmse * math.Sqrt(1+1/n+(x-m)*(x-m)/ss)
}

// FractionalUncertainty returns the uncertainty of a saving as a share of that saving, for m reporting periods after n baseline periods, by Guideline 14's
// approximation: 1.26 * t * CV * sqrt(n/n' * (1+2/n')/m) / F with n' = n for uncorrelated months. savingShare is F, the saving as a share of the baseline.
func FractionalUncertainty(cvRMSE, savingShare, n, effectiveN, m, confidence, dof float64) float64 {
	return 1.26 * StudentT(confidence, dof) * cvRMSE * math.Sqrt(n/effectiveN*(1+2/effectiveN)/m) / savingShare
}
