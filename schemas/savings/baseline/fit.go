package baseline

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/mat"

	"quartier/schemas/timegrid"
)

// Version names the method; a change that can change a figure changes it.
const Version = "degree-day-regression/1"

// Kind is the shape of a model, by its number of parameters.
type Kind string

// The kinds. Occupancy adds a parameter to each.
const (
	Mean       Kind = "1P"  // E = a
	Linear     Kind = "2P"  // E = a + b*T
	Heating    Kind = "3PH" // E = a + b*max(0, base-T)
	Cooling    Kind = "3PC" // E = a + c*max(0, T-base)
	FourParam  Kind = "4P"  // E = a + b*max(0, change-T) + c*max(0, T-change), slopes of either sign
	HeatingAnd Kind = "5P"  // E = a + b*max(0, heating base-T) + c*max(0, T-cooling base)
)

// Kinds are all kinds, simplest first.
var Kinds = []Kind{Mean, Linear, Heating, Cooling, FourParam, HeatingAnd}

// Options steer a fit; the zero value is good for months.
type Options struct {
	Granularity Granularity // Monthly when empty
	Kinds       []Kind      // the kinds to try; all when empty
	Occupancy   bool        // with a term of occupied days
	Limits      *Limits     // those of the granularity when nil
	AnyLength   bool        // accept a baseline that does not cover twelve months: for tests and studies, never for a published figure
}

// Model is a fitted baseline.
type Model struct {
	Kind        Kind          `json:"kind"`
	Version     string        `json:"version"`
	Granularity Granularity   `json:"granularity"`
	Span        timegrid.Span `json:"span"` // from the first to the last observation

	BaseKWhPerDay     float64 `json:"base_kwh_per_day"`     // a
	OccupiedKWhPerDay float64 `json:"occupied_kwh_per_day"` // o
	SlopeKWhPerKd     float64 `json:"slope_kwh_per_k_d"`    // of kind 2P, per K·d of temperature itself
	HeatingKWhPerKd   float64 `json:"heating_kwh_per_k_d"`  // b
	CoolingKWhPerKd   float64 `json:"cooling_kwh_per_k_d"`  // c
	HeatingBaseC      float64 `json:"heating_base_c"`
	CoolingBaseC      float64 `json:"cooling_base_c"`
	HotWaterKWhPerDay float64 `json:"hot_water_kwh_per_day"` // metered apart

	Observations int     `json:"observations"` // n
	Parameters   int     `json:"parameters"`   // p, base temperatures included
	RMSEKWh      float64 `json:"rmse_kwh"`     // with n - p
	CVRMSE       float64 `json:"cv_rmse"`      // a share
	NMBE         float64 `json:"nmbe"`         // a share
	Rho          float64 `json:"rho"`          // lag-1 autocorrelation of the residuals
	EffectiveN   float64 `json:"effective_n"`  // n'
	Limits       Limits  `json:"limits"`

	Refusals []string `json:"refusals,omitempty"` // why the model may not be used; empty: accepted

	opt      Options
	inverse  *mat.SymDense // of J'J, J the derivatives of the prediction by the parameters
	hotWater *Model
	lowC     float64 // of the observations' mean temperatures
	highC    float64
}

// Accepted reports whether figures may rest on the model.
func (m *Model) Accepted() bool { return m != nil && len(m.Refusals) == 0 }

// ErrData is matched by errors about unfit observations.
var ErrData = errors.New("baseline: unfit observations")

// Fit fits every kind and returns the one that explains the observations best for its number of parameters: the least n*ln(SSE/n) with the stricter of the two
// penalties of Akaike (corrected for few observations) and Schwarz. A model that the limits refuse is returned with its reasons; an error means that
// there is nothing to fit.
func Fit(obs []Observation, opt Options) (*Model, error) {
	if opt.Granularity == "" {
		opt.Granularity = Monthly
	}
	var errs []error
	for i := range obs {
		if err := obs[i].check(opt.Occupancy); err != nil {
			errs = append(errs, err)
		}
	}
	if len(obs) == 0 {
		errs = append(errs, errors.New("none"))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrData, err)
	}
	obs = slices.Clone(obs)
	sort.SliceStable(obs, func(i, j int) bool { return obs[i].Span.Start.Before(obs[j].Span.Start) })
	kinds := opt.Kinds
	if len(kinds) == 0 {
		kinds = Kinds
	}
	f := newFitter(obs, opt)
	var best *trial
	for _, k := range kinds {
		if t := f.try(k); t != nil && (best == nil || t.score < best.score-1e-9) {
			best = t
		}
	}
	if best == nil {
		return nil, fmt.Errorf("%w: %d are too few for a model of kind %v", ErrData, len(obs), kinds)
	}
	return f.model(best)
}

// fitter holds what all trials share.
type fitter struct {
	obs  []Observation
	opt  Options
	y    []float64
	days []float64
	low  float64 // between these a base temperature is searched: the tenth and the ninetieth percentile of all days
	high float64
}

func newFitter(obs []Observation, opt Options) *fitter {
	f := &fitter{obs: obs, opt: opt}
	var all []float64
	for i := range obs {
		f.y = append(f.y, obs[i].EnergyKWh-obs[i].HotWaterKWh)
		f.days = append(f.days, obs[i].days())
		all = append(all, obs[i].DailyMeansC...)
	}
	sort.Float64s(all)
	f.low, f.high = all[len(all)/10], all[len(all)-1-len(all)/10]
	return f
}

// trial is one kind with its best base temperatures.
type trial struct {
	kind                Kind
	heatBase, coolBase  float64
	beta, predicted     []float64
	sse, score          float64
	parameters, columns int
}

// try returns the best fit of a kind, nil when the observations cannot carry it.
func (f *fitter) try(k Kind) *trial {
	best := f.search(k)
	if best == nil || len(f.y)-best.parameters < 1 {
		return nil
	}
	n, p := float64(len(f.y)), float64(best.parameters+1) // the variance is a parameter too
	penalty := math.Max(2*p, p*math.Log(n))
	if n-p-1 > 0 {
		penalty = math.Max(penalty, 2*p+2*p*(p+1)/(n-p-1))
	} else {
		penalty = math.Inf(1)
	}
	floor := 1e-12 * n * mean(f.y) * mean(f.y) // an exact fit has a finite score
	best.score = n*math.Log((best.sse+floor)/n) + penalty
	if math.IsInf(best.score, 1) && f.opt.Kinds == nil {
		return nil
	}
	return best
}

const (
	coarseK = 1.0
	fineK   = 0.05
)

// search finds the base temperatures: on a grid of one kelvin, then around its best point on a grid of a twentieth.
func (f *fitter) search(k Kind) *trial {
	switch k {
	case Mean, Linear:
		return f.at(k, 0, 0)
	}
	var best *trial
	keep := func(t *trial) {
		if t != nil && (best == nil || t.sse < best.sse) {
			best = t
		}
	}
	scan := func(hLow, hHigh, cLow, cHigh, step float64) {
		if k != HeatingAnd {
			for b := hLow; b <= hHigh+1e-9; b += step {
				keep(f.at(k, b, b))
			}
			return
		}
		for h := hLow; h <= hHigh+1e-9; h += step {
			for c := math.Max(h, cLow); c <= cHigh+1e-9; c += step {
				keep(f.at(k, h, c))
			}
		}
	}
	scan(f.low, f.high, f.low, f.high, coarseK)
	for step := coarseK; best != nil && step > fineK; {
		around := step
		step = math.Max(fineK, step/5)
		h, c := best.heatBase, best.coolBase
		scan(math.Max(f.low, h-around), math.Min(f.high, h+around), math.Max(f.low, c-around), math.Min(f.high, c+around), step)
	}
	return best
}

// row returns the regressors of an observation: days, occupied days, then those of the kind.
func (f *fitter) row(o *Observation, k Kind, heat, cool float64) []float64 {
	return regressors(o, k, heat, cool, f.opt.Occupancy)
}

func regressors(o *Observation, k Kind, heat, cool float64, occupancy bool) []float64 {
	out := []float64{o.days()}
	if occupancy {
		out = append(out, o.OccupiedDays)
	}
	w := o.perTemperature()
	switch k {
	case Linear:
		sum := 0.0
		for _, t := range o.DailyMeansC {
			sum += t
		}
		out = append(out, w*sum)
	case Heating:
		out = append(out, w*HeatingDegreeDays(heat, o.DailyMeansC))
	case Cooling:
		out = append(out, w*CoolingDegreeDays(cool, o.DailyMeansC))
	case FourParam, HeatingAnd:
		out = append(out, w*HeatingDegreeDays(heat, o.DailyMeansC), w*CoolingDegreeDays(cool, o.DailyMeansC))
	}
	return out
}

func bases(k Kind) int {
	switch k {
	case Heating, Cooling, FourParam:
		return 1
	case HeatingAnd:
		return 2
	}
	return 0
}

// at fits a kind at given base temperatures; nil where the regressors do not determine it or a slope has the wrong sign.
func (f *fitter) at(k Kind, heat, cool float64) *trial {
	n := len(f.y)
	columns := len(f.row(&f.obs[0], k, heat, cool))
	if n < columns {
		return nil
	}
	x := mat.NewDense(n, columns, nil)
	for i := range f.obs {
		x.SetRow(i, f.row(&f.obs[i], k, heat, cool))
	}
	var qr mat.QR
	qr.Factorize(x)
	if cond := qr.Cond(); !(cond < 1e10) {
		return nil
	}
	var b mat.Dense
	if err := qr.SolveTo(&b, false, mat.NewDense(n, 1, slices.Clone(f.y))); err != nil {
		return nil
	}
	t := &trial{kind: k, heatBase: heat, coolBase: cool, columns: columns, parameters: columns + bases(k)}
	for j := range columns {
		t.beta = append(t.beta, b.At(j, 0))
	}
	first := 1
	if f.opt.Occupancy {
		first++
	}
	if k == Heating || k == Cooling || k == HeatingAnd {
		for _, s := range t.beta[first:] {
			if s < 0 {
				return nil
			}
		}
	}
	for i := range n {
		p := 0.0
		for j := range columns {
			p += t.beta[j] * x.At(i, j)
		}
		t.predicted = append(t.predicted, p)
		t.sse += (f.y[i] - p) * (f.y[i] - p)
	}
	return t
}
