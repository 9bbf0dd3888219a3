package optimizer_test

import (
	"fmt"
	"math"
	"testing"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// relieve returns the problem with one limit given r more in step t, or in every step when t is below 0. It makes a fresh problem of the seed.
func relieve(t *testing.T, fresh func() *problem.Problem, limit, site, device string, step int, r float64) *problem.Problem {
	t.Helper()
	p := fresh()
	series := func(v []float64) {
		for k := range v {
			if step < 0 || k == step {
				v[k] += r
			}
		}
	}
	scalar := func(v *float64) { *v += r }
	switch limit {
	case "grid.import_limit_kw":
		series(p.Grid.ImportLimitKW)
		return p
	case "grid.export_limit_kw":
		series(p.Grid.ExportLimitKW)
		return p
	case "grid.peak_so_far_kw":
		scalar(&p.Grid.PeakSoFarKW)
		return p
	}
	for i := range p.Sites {
		s := &p.Sites[i]
		if s.ID != site {
			continue
		}
		switch limit {
		case "import_limit_kw":
			series(s.ImportLimitKW)
			return p
		case "export_limit_kw":
			series(s.ExportLimitKW)
			return p
		}
		for _, d := range s.Devices {
			if d.ID() != device {
				continue
			}
			switch d := d.(type) {
			case *problem.Battery:
				scalar(map[string]*float64{"capacity_kwh": &d.CapacityKWh, "min_kwh": &d.MinKWh, "final_min_kwh": &d.FinalMinKWh, "charge_kw": &d.ChargeKW, "discharge_kw": &d.DischargeKW}[limit])
			case *problem.EV:
				scalar(map[string]*float64{"capacity_kwh": &d.CapacityKWh, "max_kw": &d.MaxKW, "discharge_kw": &d.DischargeKW}[limit])
			case *problem.WaterHeater:
				if limit == "capacity_kwh" {
					series(d.CapacityByStepKWh)
				}
				scalar(map[string]*float64{"capacity_kwh": &d.CapacityKWh, "max_kw": &d.MaxKW}[limit])
			case *problem.HeatPump:
				scalar(&d.MaxKW)
			case *problem.Flexible:
				scalar(&d.MaxKW)
			}
			return p
		}
	}
	t.Fatalf("no limit %s of %s/%s", limit, site, device)
	return nil
}

// TestValuesOfLimitsAreSlopesOfTheCost: with f(r) the cost when a limit gives r more, its value v has f(r) >= f(0) - v*r for every r, on both sides; and where the
// two one-sided slopes agree, v is that slope.
func TestValuesOfLimitsAreSlopesOfTheCost(t *testing.T) {
	tried, tight := 0, 0
	for seed := range uint64(120) {
		fresh := func() *problem.Problem {
			return problemtest.Random(seed, problemtest.Options{Continuous: true, MaxSteps: 12, TankByStep: true})
		}
		base := fresh()
		set := optimizer.Settings{Gap: 1e-9, PreferenceEpsilon: -1}
		s, err := optimizer.Plan(t.Context(), base, set)
		if err != nil {
			t.Fatal(err)
		}
		if s.Status != problem.Optimal && s.Status != problem.Feasible || *s.Gap > 1e-6 || s.Rounds > 0 {
			continue
		}
		type claim struct {
			limit, site, device string
			step                int
			value               float64
		}
		var claims []claim
		for k, w := range s.Worth {
			if k%3 == 0 {
				claims = append(claims, claim{w.Limit, w.Site, w.Device, -1, w.Value})
			}
		}
		for k, b := range s.Binding {
			switch b.Limit {
			case "import_limit_kw", "export_limit_kw", "grid.import_limit_kw", "grid.export_limit_kw":
				if k%2 == 0 {
					claims = append(claims, claim{b.Limit, b.Site, b.Device, b.Step, b.Value})
				}
			}
		}
		if len(claims) > 8 {
			claims = claims[:8]
		}
		for _, c := range claims {
			name := fmt.Sprintf("seed %d: %s of %s/%s in step %d", seed, c.limit, c.site, c.device, c.step)
			f0 := *s.Objective
			const h = 0.02
			tol := 3e-6 * math.Max(1, math.Abs(f0)) // what the gaps of both plans leave open
			cost := func(r float64) float64 {
				if c.limit == "min_kwh" || c.limit == "final_min_kwh" {
					r = -r // relief of a minimum lowers it
				}
				q := relieve(t, fresh, c.limit, c.site, c.device, c.step, r)
				if problem.Validate(q) != nil { // a limit below 0, say, or an initial energy outside its box
					return math.NaN()
				}
				a, err := optimizer.Plan(t.Context(), q, set)
				if err != nil {
					t.Fatal(err)
				}
				if a.Status == problem.Infeasible {
					return math.Inf(1)
				}
				if *a.Gap > 1e-6 {
					return math.NaN()
				}
				return *a.Objective
			}
			up, down := cost(h), cost(-h)
			tried++
			if up < f0-c.value*h-tol {
				t.Errorf("%s: %v EUR a unit, but %g more saves %.8f EUR a unit", name, c.value, h, (f0-up)/h)
			}
			if down < f0+c.value*h-tol {
				t.Errorf("%s: %v EUR a unit, but %g less costs only %.8f EUR a unit", name, c.value, h, (down-f0)/h)
			}
			if left, right := (down-f0)/h, (f0-up)/h; math.Abs(left-right) < 1e-3 {
				tight++
				if math.Abs(left-c.value) > 1e-3+2*tol/h {
					t.Errorf("%s: %v EUR a unit, measured %v", name, c.value, left)
				}
			}
		}
	}
	t.Logf("%d limits, %d of them with one slope", tried, tight)
	if tried < 80 || tight < 30 {
		t.Errorf("only %d limits tried, %d of them with one slope", tried, tight)
	}
}
