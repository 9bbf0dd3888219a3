package building

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

const (
	// doubtR, doubtC are the standard deviations of what a configuration states of R and C, as logarithms; who states them has seldom measured them.
	doubtR, doubtC = 0.5, 0.7
	// doubtGains and doubtSolar are those of the gains of people and sun, as a share of the pump's heat.
	doubtGains, doubtSolar = 0.1, 0.25
	// doubtDaily is that of the usual course of a day, and small: what the clock repeats is rather put down to how much heat rooms hold, since a plan may heat them at other hours than before.
	doubtDaily = 0.015
	// independent is to how many temperatures that know nothing of each other those of a day are worth, in weighing them against what is stated: what a model is wrong by lasts for hours.
	independent = 4
	// robust is from how many standard deviations on a difference counts by its size and no more by its square: windows are opened.
	robust = 1.5
	// sampled is of how many pairs the typical error is taken, about.
	sampled = 1000
	// finestK is the standard deviation of what a model of one mass is wrong by at least.
	finestK = 0.05
	// finest is that of the logarithms of R and C at least: the heat of the pump comes from a curve, and sensors sit where they sit.
	finest = 0.05
	// farthest is by which factor R and C may be other than what is stated where measurements leave no doubt, unsureFarthest where they leave as much as unsure, the standard deviation of the logarithm.
	farthest, unsureFarthest, unsure = 4, 1.5, 0.3
	// leastDays is of how many days something must be known before anything is told.
	leastDays = 3
)

// Identified is what measurements tell of rooms.
type Identified struct {
	Params
	Deviation Params // standard deviations
	// TimeConstantH is R C, hours, and TimeConstantDeviationH its standard deviation; together they may be known far better than each.
	TimeConstantH, TimeConstantDeviationH float64
	ErrorK                                float64 // typical size of what the model is wrong by, 1 to 24 hours ahead, where it was learned
	Days                                  int     // of which something is known; fewer than leastDays: it is as stated
	Known                                 float64 // share of slots in which all is known, in [0, 1]
}

// dims is how many parameters are sought: the logarithms of R and C, and the gains in units of their doubt.
const dims = 4 + daily

type vector [dims]float64

// fit is a search for the parameters.
type fit struct {
	m      *Measured
	pairs  []pair
	days   int
	stated Params
	// scale are the doubts, and low and high the bounds, as distances from what is stated in units of the former.
	scale, low, high vector
	weight           float64 // of a pair
	z                []state
}

// params are those at a distance from what is stated.
func (f *fit) params(x vector) Params {
	p := Params{ResistanceKPerKW: f.stated.ResistanceKPerKW * math.Exp(x[0]*f.scale[0]), CapacityKWhPerK: f.stated.CapacityKWhPerK * math.Exp(x[1]*f.scale[1]),
		GainsKW: f.stated.GainsKW + x[2]*f.scale[2], SolarKW: f.stated.SolarKW + x[3]*f.scale[3]}
	for k := range p.DailyKW {
		p.DailyKW[k] = f.stated.DailyKW[k] + x[4+k]*f.scale[4+k]
	}
	return p
}

// at is how far parameters are from what is stated.
func (f *fit) at(p Params) vector {
	x := vector{math.Log(p.ResistanceKPerKW/f.stated.ResistanceKPerKW) / f.scale[0], math.Log(p.CapacityKWhPerK/f.stated.CapacityKWhPerK) / f.scale[1], (p.GainsKW - f.stated.GainsKW) / f.scale[2], (p.SolarKW - f.stated.SolarKW) / f.scale[3]}
	for k := range p.DailyKW {
		x[4+k] = (p.DailyKW[k] - f.stated.DailyKW[k]) / f.scale[4+k]
	}
	return x
}

// Identify finds the parameters of rooms that are stated so, where the pump gives heatKW at most and temperatures above hotC are not believed to be under closed windows. begin is where the search begins beside what is stated, nil: nowhere else.
func Identify(stated Params, heatKW, hotC float64, m *Measured, begin *Params) (Identified, error) {
	if err := m.Check(); err != nil {
		return Identified{}, err
	}
	n := len(m.IndoorC)
	f := &fit{m: m, stated: stated, pairs: m.pairs(0, n, n, hotC), scale: vector{doubtR, doubtC, doubtGains * heatKW, doubtSolar * heatKW}}
	for k := range daily {
		f.scale[4+k] = doubtDaily * heatKW
	}
	out := Identified{Params: stated, Deviation: f.deviation(stated, func(i int) float64 { return f.scale[i] }),
		TimeConstantH: stated.TimeConstant(), TimeConstantDeviationH: math.Hypot(doubtR, doubtC) * stated.TimeConstant()}
	known, sunny := 0, false
	for i := range n {
		if m.forced(i) && !math.IsNaN(m.IndoorC[i]) {
			known++
			sunny = sunny || m.Sun[i] > 0
		}
	}
	out.Known = float64(known) / float64(max(1, n))
	day := int32(-1)
	for _, x := range f.pairs {
		if d := x.from / int32(m.perDay()); d != day {
			day = d
			f.days++
		}
	}
	if out.Days = f.days; f.days < leastDays {
		return out, nil
	}
	f.weight = independent * float64(f.days) / float64(len(f.pairs))
	most := math.Log(farthest)
	f.low, f.high = vector{-most / doubtR, -most / doubtC, -3, 0, -3, -3, -3, -3}, vector{most / doubtR, most / doubtC, 3, 4, 3, 3, 3, 3}
	if !sunny {
		f.high[3] = 0
	}
	x, sigma := f.best(begin)
	cov := f.covariance(x, sigma)
	if near(&f.low, &f.high, x, cov, f.scale) { // gains are those that fit the R and C that are believed
		x, sigma = f.descend(f.clamp(x))
		cov = f.covariance(x, sigma)
	}
	out.Params, out.ErrorK = f.params(x), sigma
	pushed := f.pushed(x, sigma)
	sd := func(i int) float64 { return f.scale[i] * math.Sqrt(cov.At(i, i)+pushed[i]*pushed[i]) }
	out.Deviation = f.deviation(out.Params, sd)
	out.TimeConstantH = out.TimeConstant()
	both := cov.At(0, 0)*f.scale[0]*f.scale[0] + cov.At(1, 1)*f.scale[1]*f.scale[1] + 2*cov.At(0, 1)*f.scale[0]*f.scale[1]
	out.TimeConstantDeviationH = out.TimeConstantH * math.Max(finest, math.Sqrt(math.Max(0, both)))
	return out, nil
}

// deviation is that of parameters, by that of their distances from what is stated times the doubts.
func (f *fit) deviation(p Params, sd func(i int) float64) Params {
	out := Params{ResistanceKPerKW: p.ResistanceKPerKW * math.Max(finest, sd(0)), CapacityKWhPerK: p.CapacityKWhPerK * math.Max(finest, sd(1)), GainsKW: sd(2), SolarKW: sd(3)}
	for k := range out.DailyKW {
		out.DailyKW[k] = sd(4 + k)
	}
	return out
}

// near draws the bounds of R and C in as far as they are unsure; true where x lies beyond them.
func near(low, high *vector, x vector, cov *mat.SymDense, scale vector) (beyond bool) {
	for i := range 2 {
		sd := scale[i] * math.Sqrt(cov.At(i, i))
		most := math.Log(unsureFarthest) + (math.Log(farthest)-math.Log(unsureFarthest))*math.Max(0, 1-sd/unsure)
		low[i], high[i] = -most/scale[i], most/scale[i]
		beyond = beyond || x[i] < low[i] || x[i] > high[i]
	}
	return beyond
}

func (f *fit) clamp(x vector) vector {
	for i := range x {
		x[i] = math.Max(f.low[i], math.Min(f.high[i], x[i]))
	}
	return x
}

// best searches from several begins, since a search from one may end beside the best.
func (f *fit) best(begin *Params) (x vector, sigma float64) {
	starts := []vector{{}}
	if begin != nil {
		starts = append(starts, f.clamp(f.at(*begin)))
	} else {
		starts = append(starts, vector{0, -math.Ln2 / doubtC}, vector{0, math.Ln2 / doubtC})
	}
	least := math.Inf(1)
	for _, s := range starts {
		at, sd := f.descend(s)
		v := independent * float64(f.days) * math.Log(sd)
		for _, d := range at {
			v += d * d / 2
		}
		if v < least {
			least, x, sigma = v, at, sd
		}
	}
	return x, sigma
}

// descend goes down from x by damped Gauss-Newton steps (Levenberg, Quarterly of Applied Mathematics 2, 1944) within the bounds, weighing pairs by a typical error that is measured anew as it falls.
func (f *fit) descend(x vector) (vector, float64) {
	sigma := f.typical(x)
	for range 12 {
		before, damp := x, 1e-3
		v, h, g := f.slope(x, sigma)
		for range 8 {
			next := f.clamp(f.step(x, h, g, damp))
			if at := f.value(next, sigma); at < v {
				x = next
				break
			}
			damp *= 10
		}
		was := sigma
		sigma = f.typical(x)
		moved := 0.0
		for i := range x {
			moved = math.Max(moved, math.Abs(x[i]-before[i]))
		}
		if moved < 3e-3 && math.Abs(sigma-was) < 1e-2*was {
			break
		}
	}
	return x, sigma
}

// step is where a step from x leads that is damped so much; what stands at a bound and would pass it stays.
func (f *fit) step(x vector, h *mat.SymDense, g vector, damp float64) vector {
	a, b := mat.NewSymDense(dims, nil), mat.NewVecDense(dims, nil)
	a.CopySym(h)
	for i := range dims {
		a.SetSym(i, i, a.At(i, i)*(1+damp))
		if x[i] <= f.low[i] && g[i] > 0 || x[i] >= f.high[i] && g[i] < 0 {
			a.SetSym(i, i, 1e12)
			g[i] = 0
		}
		b.SetVec(i, -g[i])
	}
	var chol mat.Cholesky
	var d mat.VecDense
	if !chol.Factorize(a) || chol.SolveVecTo(&d, b) != nil {
		return x
	}
	for i := range x {
		x[i] += d.AtVec(i)
	}
	return x
}

// pushed is by how far measurements would have what stands at a bound beyond it: so far at least it is unsure, since the model is.
func (f *fit) pushed(x vector, sigma float64) (out vector) {
	_, h, g := f.slope(x, sigma)
	for i := range x {
		if x[i] <= f.low[i] || x[i] >= f.high[i] {
			out[i] = g[i] / h.At(i, i)
		}
	}
	return out
}

// typical is the standard deviation of what the model is wrong by, by its median.
func (f *fit) typical(x vector) float64 {
	p := f.params(x)
	kept := p.kept()
	f.z = f.m.response(p.keep(f.m.Step.Hours()), f.z)
	every := max(1, len(f.pairs)/sampled) | 1 // odd, so that all leads are among them
	size := make([]float64, 0, len(f.pairs)/every+1)
	for k := 0; k < len(f.pairs); k += every {
		q := f.pairs[k]
		size = append(size, math.Abs(f.m.IndoorC[q.to]-p.foreseen(q, f.m.IndoorC[q.from], f.z, kept[q.lead])))
	}
	slices.Sort(size)
	return math.Max(finestK, size[len(size)/2]/0.6745)
}

// value is what is minimised: what the model is wrong by, and how far it is from what is stated.
func (f *fit) value(x vector, sigma float64) (v float64) {
	p := f.params(x)
	kept := p.kept()
	f.z = f.m.response(p.keep(f.m.Step.Hours()), f.z)
	for _, q := range f.pairs {
		e := math.Abs(f.m.IndoorC[q.to]-p.foreseen(q, f.m.IndoorC[q.from], f.z, kept[q.lead])) / sigma
		if e <= robust {
			v += e * e / 2
		} else {
			v += robust * (e - robust/2)
		}
	}
	v *= f.weight
	for _, d := range x {
		v += d * d / 2
	}
	return v
}

// slope is the value at x, its gradient and an approximation of its second derivatives.
func (f *fit) slope(x vector, sigma float64) (v float64, h *mat.SymDense, g vector) {
	var sum [dims][dims]float64
	v = f.value(x, sigma)
	f.each(x, sigma, func(_ pair, w, e float64, j *vector) {
		for a := range dims {
			g[a] += w * e * j[a]
			for b := range a + 1 {
				sum[a][b] += w * j[a] * j[b]
			}
		}
	})
	h = mat.NewSymDense(dims, nil)
	for a := range dims {
		g[a] += x[a]
		for b := range a + 1 {
			h.SetSym(a, b, sum[a][b])
		}
		h.SetSym(a, a, sum[a][a]+1)
	}
	return v, h, g
}

// each tells of every pair how much it weighs, what the model is wrong by in units of sigma, and how that changes with x. f.z is that of x.
func (f *fit) each(x vector, sigma float64, do func(q pair, weight, e float64, j *vector)) {
	p := f.params(x)
	kept := p.kept()
	hours := f.m.Step.Hours()
	keep := p.keep(hours)
	f.z = f.m.response(keep, f.z)
	perLogTau := keep * hours / p.TimeConstant()            // of the share kept from slot to slot
	of := [causes - heated]float64{1, p.GainsKW, p.SolarKW} // how much of each cause after the temperature outside there is
	copy(of[3:], p.DailyKW[:])
	for _, q := range f.pairs {
		k, from := kept[q.lead], f.m.IndoorC[q.from]
		a, b := &f.z[q.to], &f.z[q.from]
		e := (f.m.IndoorC[q.to] - p.foreseen(q, from, f.z, k)) / sigma
		dk := float64(q.to-q.from) * k / keep
		heat, slow := 0.0, dk*from+a.changes[outside]-dk*b.is[outside]-k*b.changes[outside]
		var j vector
		for c, share := range of {
			one := a.is[heated+c] - k*b.is[heated+c]
			heat += share * one
			slow += p.ResistanceKPerKW * share * (a.changes[heated+c] - dk*b.is[heated+c] - k*b.changes[heated+c])
			j[c+1] = -p.ResistanceKPerKW * one * f.scale[c+1] / sigma
		}
		slow *= perLogTau
		j[0], j[1] = -(slow+p.ResistanceKPerKW*heat)*f.scale[0]/sigma, -slow*f.scale[1]/sigma
		w := f.weight
		if s := math.Abs(e); s > robust {
			w *= robust / s
		}
		do(q, w, e, &j)
	}
}

// covariance is that of the distances from what is stated. What the pairs of one day and the next are wrong by goes together, so it comes from how the days pull at the parameters (the sandwich of Huber, 5th Berkeley Symposium, 1967, with the weights of Newey and West,
// Econometrica 55, 1987, over one day), and is nowhere smaller than what so many days can tell at best.
func (f *fit) covariance(x vector, sigma float64) *mat.SymDense {
	_, h, _ := f.slope(x, sigma)
	perDay := int32(f.m.perDay())
	pull := make([]vector, len(f.m.IndoorC)/int(perDay)+1)
	f.each(x, sigma, func(q pair, w, e float64, j *vector) {
		for i := range j {
			pull[q.from/perDay][i] += w * e * j[i]
		}
	})
	var chol mat.Cholesky
	inverse := mat.NewSymDense(dims, nil)
	if !chol.Factorize(h) || chol.InverseTo(inverse) != nil {
		for i := range dims {
			inverse.SetSym(i, i, 1)
		}
		return inverse
	}
	meat := mat.NewDense(dims, dims, nil)
	for d := range pull {
		for a := range dims {
			for b := range dims {
				v := pull[d][a] * pull[d][b]
				if d > 0 {
					v += (pull[d][a]*pull[d-1][b] + pull[d-1][a]*pull[d][b]) / 2
				}
				meat.Set(a, b, meat.At(a, b)+v)
			}
		}
	}
	for i := range dims {
		meat.Set(i, i, meat.At(i, i)+1)
	}
	var half, full mat.Dense
	half.Mul(inverse, meat)
	full.Mul(&half, inverse)
	// the larger of both for each parameter, with the correlations of the one that is larger in sum
	out, grow := mat.NewSymDense(dims, nil), vector{}
	for i := range dims {
		grow[i] = math.Sqrt(math.Max(1, inverse.At(i, i)/full.At(i, i)))
	}
	for a := range dims {
		for b := range a + 1 {
			out.SetSym(a, b, grow[a]*grow[b]*(full.At(a, b)+full.At(b, a))/2)
		}
	}
	return out
}
