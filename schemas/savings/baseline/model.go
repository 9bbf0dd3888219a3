package baseline

import (
	"fmt"
	"time"

	"gonum.org/v1/gonum/mat"

	"quartier/schemas/timegrid"
)

// model makes the model of a trial and judges it.
func (f *fitter) model(t *trial) (*Model, error) {
	n := len(f.y)
	m := &Model{Kind: t.kind, Version: Version, Granularity: f.opt.Granularity, opt: f.opt, Observations: n, Parameters: t.parameters,
		Span: timegrid.Span{Start: f.obs[0].Span.Start, End: f.obs[n-1].Span.End}, Limits: LimitsOf(f.opt.Granularity)}
	if f.opt.Limits != nil {
		m.Limits = *f.opt.Limits
	}
	m.BaseKWhPerDay = t.beta[0]
	rest := t.beta[1:]
	if f.opt.Occupancy {
		m.OccupiedKWhPerDay, rest = rest[0], rest[1:]
	}
	switch t.kind {
	case Linear:
		m.SlopeKWhPerKd = rest[0]
	case Heating:
		m.HeatingKWhPerKd, m.HeatingBaseC = rest[0], t.heatBase
	case Cooling:
		m.CoolingKWhPerKd, m.CoolingBaseC = rest[0], t.coolBase
	case FourParam, HeatingAnd:
		m.HeatingKWhPerKd, m.CoolingKWhPerKd, m.HeatingBaseC, m.CoolingBaseC = rest[0], rest[1], t.heatBase, t.coolBase
	}
	m.RMSEKWh = rmse(f.y, t.predicted, t.parameters)
	// the share is of all that was used: hot water that was taken out is no reason to refuse, nor is it one to accept
	m.CVRMSE, m.NMBE = CVRMSE(f.y, t.predicted, t.parameters), NMBE(f.y, t.predicted, t.parameters)
	residuals := make([]float64, n)
	for i := range residuals {
		residuals[i] = f.y[i] - t.predicted[i]
	}
	m.EffectiveN = float64(n)
	if f.opt.Granularity != Monthly {
		m.Rho = Autocorrelation(residuals)
		m.EffectiveN = EffectiveObservations(n, m.Rho)
	}
	m.inverse = f.inverse(m)
	m.lowC, m.highC = means(f.obs)
	if err := f.hotWaterOf(m); err != nil {
		return nil, err
	}
	m.judge(f.obs)
	return m, nil
}

func means(obs []Observation) (low, high float64) {
	low, high = mean(obs[0].DailyMeansC), mean(obs[0].DailyMeansC)
	for i := range obs {
		t := mean(obs[i].DailyMeansC)
		low, high = min(low, t), max(high, t)
	}
	return low, high
}

// inverse returns the inverse of J'J over the observations; without the columns of base temperatures where these are not determined.
func (f *fitter) inverse(m *Model) *mat.SymDense {
	for _, withBases := range []bool{true, false} {
		var j *mat.Dense
		for i := range f.obs {
			g := m.gradient(&f.obs[i], withBases)
			if j == nil {
				j = mat.NewDense(len(f.obs), len(g), nil)
			}
			j.SetRow(i, g)
		}
		var jj mat.SymDense
		jj.SymOuterK(1, j.T())
		var chol mat.Cholesky
		if !chol.Factorize(&jj) || chol.Cond() > 1e14 {
			continue
		}
		var inv mat.SymDense
		if chol.InverseTo(&inv) == nil {
			return &inv
		}
	}
	return nil
}

// gradient returns the derivatives of an observation's prediction by the parameters.
func (m *Model) gradient(o *Observation, withBases bool) []float64 {
	g := regressors(o, m.Kind, m.HeatingBaseC, m.CoolingBaseC, m.opt.Occupancy)
	if !withBases {
		return g
	}
	below, above, w := 0.0, 0.0, o.perTemperature()
	for _, t := range o.DailyMeansC {
		if t < m.HeatingBaseC {
			below += w
		}
		if t > m.CoolingBaseC {
			above += w
		}
	}
	switch m.Kind {
	case Heating:
		g = append(g, m.HeatingKWhPerKd*below)
	case Cooling:
		g = append(g, -m.CoolingKWhPerKd*above)
	case FourParam:
		g = append(g, m.HeatingKWhPerKd*below-m.CoolingKWhPerKd*above)
	case HeatingAnd:
		g = append(g, m.HeatingKWhPerKd*below, -m.CoolingKWhPerKd*above)
	}
	return g
}

// hotWaterOf fits the mean of the hot water that was metered apart.
func (f *fitter) hotWaterOf(m *Model) error {
	any := false
	own := make([]Observation, len(f.obs))
	for i, o := range f.obs {
		any = any || o.HotWaterKWh > 0
		own[i] = o
		own[i].EnergyKWh, own[i].HotWaterKWh = o.HotWaterKWh, 0
	}
	if !any {
		return nil
	}
	var err error
	opt := Options{Granularity: f.opt.Granularity, Kinds: []Kind{Mean}, AnyLength: true}
	if m.hotWater, err = Fit(own, opt); err != nil {
		return err
	}
	m.HotWaterKWhPerDay = m.hotWater.BaseKWhPerDay
	return nil
}

// PredictKWh returns what the model expects of an observation's days, hot water included.
func (m *Model) PredictKWh(o *Observation) float64 {
	r := regressors(o, m.Kind, m.HeatingBaseC, m.CoolingBaseC, m.opt.Occupancy)
	out := m.BaseKWhPerDay * r[0]
	r = r[1:]
	if m.opt.Occupancy {
		out, r = out+m.OccupiedKWhPerDay*r[0], r[1:]
	}
	switch m.Kind {
	case Linear:
		out += m.SlopeKWhPerKd * r[0]
	case Heating:
		out += m.HeatingKWhPerKd * r[0]
	case Cooling:
		out += m.CoolingKWhPerKd * r[0]
	case FourParam, HeatingAnd:
		out += m.HeatingKWhPerKd*r[0] + m.CoolingKWhPerKd*r[1]
	}
	return out + m.HotWaterKWhPerDay*o.days()
}

// NormalisedKWh returns the energy of a normal year: the model at its degree days, the constant part and hot water as they are.
func (m *Model) NormalisedKWh(normal []Observation) (sum float64) {
	for i := range normal {
		sum += m.PredictKWh(&normal[i])
	}
	return sum
}

// variance returns the variance of the sum of predictions less measurements over the observations, kWh².
func (m *Model) variance(obs []Observation) (float64, bool) {
	if m.inverse == nil {
		return 0, false
	}
	size := m.inverse.SymmetricDim()
	sum := mat.NewVecDense(size, nil)
	base := len(regressors(&obs[0], m.Kind, m.HeatingBaseC, m.CoolingBaseC, m.opt.Occupancy))
	for i := range obs {
		for j, v := range m.gradient(&obs[i], size > base) {
			sum.SetVec(j, sum.AtVec(j)+v)
		}
	}
	// autocorrelated noise adds up faster, and the coefficients are known from fewer observations: both by n/n'
	inflate := float64(m.Observations) / m.EffectiveN
	v := m.RMSEKWh * m.RMSEKWh * inflate * (float64(len(obs)) + mat.Inner(sum, m.inverse, sum))
	if m.hotWater != nil {
		own, ok := m.hotWater.variance(obs)
		return v + own, ok
	}
	return v, true
}

// judge fills in why the model may not be used.
func (m *Model) judge(obs []Observation) {
	m.Refusals = m.Limits.Refuses(m.CVRMSE, m.NMBE)
	if m.EffectiveN-float64(m.Parameters) < 1 {
		m.Refusals = append(m.Refusals, fmt.Sprintf("%d observations are worth %.1f independent ones, too few for %d parameters", m.Observations, m.EffectiveN, m.Parameters))
	}
	if m.opt.AnyLength {
		return
	}
	if missing := missingMonths(obs); missing > 0 {
		m.Refusals = append(m.Refusals, fmt.Sprintf("the baseline lacks %d of the 12 months of a year", missing))
	}
}

// missingMonths counts the calendar months of which less than half was observed.
func missingMonths(obs []Observation) (missing int) {
	var days [12]float64
	for i := range obs {
		// the middle, so that local midnights in UTC do not matter
		at := obs[i].Span.Start.Add(obs[i].Span.Duration() / 2)
		days[at.Month()-time.January] += obs[i].days()
	}
	for _, d := range days {
		if d < 14 {
			missing++
		}
	}
	return missing
}
