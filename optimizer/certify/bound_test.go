package certify_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"quartier/optimizer/certify"
	"quartier/optimizer/highstest"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// TestPlansOfHiGHS: the general program says what the problem says. HiGHS's answer to it, read back as a plan, oversteps nothing and costs what HiGHS says,
// and no bound, from whatever prices, is above it.
func TestPlansOfHiGHS(t *testing.T) {
	type family struct {
		name  string
		seeds int
		o     problemtest.Options
	}
	families := []family{{"all", 150, problemtest.Options{TankByStep: true}}, {"continuous", 60, problemtest.Options{Continuous: true}}}
	for _, k := range problemtest.Kinds {
		families = append(families, family{string(k), 30, problemtest.Options{Kinds: []problem.Kind{k, problem.KindPV}, MaxSites: 2, TankByStep: true}})
	}
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			solved, infeasible := 0, 0
			for seed := range uint64(f.seeds) {
				p := problemtest.Random(seed, f.o)
				m := milp.Build(p)
				a := highstest.Solve(t, m, highstest.Options{})
				switch {
				case a.Infeasible:
					infeasible++
					continue
				case !a.Optimal:
					t.Fatalf("seed %d: HiGHS: %s", seed, a.Status)
				}
				solved++
				held(t, seed, p, m, a)
			}
			t.Logf("%d solved, %d infeasible", solved, infeasible)
			if solved < f.seeds*2/3 {
				t.Errorf("only %d of %d problems have a plan", solved, f.seeds)
			}
		})
	}
}

func held(t *testing.T, seed uint64, p *problem.Problem, m *milp.Model, a highstest.Answer) {
	t.Helper()
	s, err := m.Solution(a.Columns)
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	r := certify.Complete(p, s)
	size := 1e-6 * max(1, math.Abs(a.Objective))
	if !r.Feasible() || math.Abs(r.Objective-a.Objective) > size {
		text, _ := p.Marshal()
		t.Errorf("seed %d: HiGHS says %.9g, the plan costs %.9g (%+v) and oversteps %v\n%s", seed, a.Objective, r.Objective, r.Cost, r.Violations, text)
	}
	rnd := rand.New(rand.NewPCG(seed, 5))
	for range 20 {
		if b := certify.Bound(p, randomDuals(rnd, p)); b > a.Objective+size {
			t.Errorf("seed %d: a bound of %.9g above the optimum %.9g", seed, b, a.Objective)
		}
		d := randomDuals(rnd, p)
		plain := certify.Bound(p, d)
		b, _, done := certify.ExactBound(t.Context(), p, d, certify.Exact{Tolerance: 1e-4, Burning: rnd.IntN(2) == 0, Workers: 2})
		if !done || b > a.Objective+size {
			t.Errorf("seed %d: an exact bound of %.9g above the optimum %.9g", seed, b, a.Objective)
		}
		if b < plain-1e-9*max(1, math.Abs(plain)) {
			t.Errorf("seed %d: an exact bound of %.9g below the plain one %.9g at the same prices", seed, b, plain)
		}
	}
}

// randomDuals returns prices without any sense, some of them extreme, missing or no number.
func randomDuals(r *rand.Rand, p *problem.Problem) certify.Duals {
	draw := func(scale float64) []float64 {
		out := make([]float64, p.Steps)
		for t := range out {
			out[t] = scale * r.NormFloat64()
		}
		if r.IntN(20) == 0 {
			out[r.IntN(len(out))] = []float64{math.NaN(), math.Inf(1), 1e12, -1e12}[r.IntN(4)]
		}
		return out
	}
	d := certify.Duals{District: draw(0.3)}
	if r.IntN(2) == 0 {
		d.Peak = draw(1)
	}
	for i := range p.Sites {
		v := append([]float64(nil), d.District...)
		if r.IntN(2) == 0 {
			v = draw(0.3)
		}
		d.Site = append(d.Site, v)
		for _, dev := range p.Sites[i].Devices {
			if r.IntN(2) == 0 {
				if d.Chain == nil {
					d.Chain = map[certify.DeviceKey][]float64{}
				}
				d.Chain[certify.DeviceKey{Site: p.Sites[i].ID, Device: dev.ID()}] = draw(0.5)
			}
		}
	}
	return d
}

// TestExactPrices: at the prices that HiGHS finds for a continuous problem the bound is the optimum, with HiGHS's own duals of stores and zones
// and with those that the bound finds for itself.
func TestExactPrices(t *testing.T) {
	problems := map[string]*problem.Problem{"district": problemtest.District(12, 96, 15, 3, false), "long": problemtest.District(2, 288, 10, 4, false)}
	for seed := range uint64(120) {
		problems[fmt.Sprint("seed ", seed)] = problemtest.Random(seed, problemtest.Options{Continuous: true, MaxSteps: 16, TankByStep: true})
	}
	for name, p := range problems {
		m := milp.Build(p)
		a := highstest.Solve(t, m, highstest.Options{})
		if a.Infeasible {
			continue
		}
		exact := highsDuals(p, m, a)
		if gap := (a.Objective - certify.Bound(p, exact)) / max(1, math.Abs(a.Objective)); math.Abs(gap) > 1e-6 {
			t.Errorf("%s: relative gap %.3g with all duals", name, gap)
		}
		exact.Chain, exact.Peak = nil, nil
		if gap := (a.Objective - certify.Bound(p, exact)) / max(1, math.Abs(a.Objective)); math.Abs(gap) > 1e-6 {
			t.Errorf("%s: relative gap %.3g with prices alone", name, gap)
		}
	}
}

// highsDuals reads the duals of the general program's rows by their names.
func highsDuals(p *problem.Problem, m *milp.Model, a highstest.Answer) certify.Duals {
	rows := map[string]float64{}
	for i := range m.Rows {
		rows[m.Rows[i].Name] = a.RowDuals[i]
	}
	read := func(name string, scale float64) []float64 {
		out := make([]float64, p.Steps)
		for t := range out {
			out[t] = rows[name+strconv.Itoa(t)] * scale
		}
		return out
	}
	d := certify.Duals{District: read("grid_balance_", 1/p.Hours()), Peak: read("grid_peak_", -1), Chain: map[certify.DeviceKey][]float64{}}
	for i := range p.Sites {
		d.Site = append(d.Site, read(fmt.Sprintf("s%d_balance_", i), 1/p.Hours()))
		for j, dev := range p.Sites[i].Devices {
			row := fmt.Sprintf("s%d_d%d_store_", i, j)
			if dev.Kind() == problem.KindHeatPump {
				row = fmt.Sprintf("s%d_d%d_heat_", i, j)
			}
			d.Chain[certify.DeviceKey{Site: p.Sites[i].ID, Device: dev.ID()}] = read(row, 1)
		}
	}
	return d
}

// TestOwnDuals: for any prices, the duals that the bound finds for stores and zones are at least as good as others.
func TestOwnDuals(t *testing.T) {
	for seed := range uint64(500) {
		p := problemtest.Random(seed, problemtest.Options{TankByStep: true})
		r := rand.New(rand.NewPCG(seed, 9))
		d := randomDuals(r, p)
		d.Chain, d.Peak = nil, nil
		for _, v := range append(d.Site, d.District) {
			for t := range v {
				v[t] = max(-1, min(1, v[t]))
			}
		}
		best := certify.Bound(p, d)
		for range 10 {
			other := randomDuals(r, p)
			other.District, other.Site = d.District, d.Site
			if b := certify.Bound(p, other); b > best+1e-7*max(1, math.Abs(best)) {
				t.Fatalf("seed %d: %.9g by other duals, %.9g by its own", seed, b, best)
			}
		}
	}
}
