package discrete

import (
	"math"
	"math/rand/v2"
	"testing"

	"quartier/optimizer/certify"
	"quartier/optimizer/exact"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// cost simulates one device alone at prices (EUR per kW and step) by package certify and reports whether it keeps its own limits.
func cost(p *problem.Problem, d problem.Device, price, power []float64, on []bool) (float64, bool) {
	q := &problem.Problem{Version: 1, Start: p.Start, StepMinutes: p.StepMinutes, Steps: p.Steps, Sites: []problem.Site{{ID: "s", Devices: []problem.Device{d}}}}
	q.Grid.ImportPrice = make([]float64, p.Steps)
	q.Fill()
	s := problem.NewSolution(q, problem.Feasible)
	s.Sites = []problem.SiteSolution{{ID: "s", Devices: []problem.DeviceSolution{{ID: d.ID(), PowerKW: power, On: on}}}}
	r := certify.Evaluate(q, s)
	sum := r.Objective
	for t, kw := range power {
		sum += price[t] * kw
	}
	return sum, r.Feasible()
}

// TestDevicesDecideWellAlone holds the decisions of single devices whose power is all or nothing against every pattern there is.
func TestDevicesDecideWellAlone(t *testing.T) {
	tried := 0
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := problemtest.Random(seed, problemtest.Options{Kinds: []problem.Kind{problem.KindHeatPump, problem.KindWaterHeater}, MaxSteps: 8, TankByStep: true})
		price := make([]float64, p.Steps)
		for k := range price {
			price[k] = (0.3*r.Float64() - 0.05) * p.Hours()
		}
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				size := 0.0
				switch d := d.(type) {
				case *problem.HeatPump:
					d.MinKW, size = d.MaxKW, d.MaxKW
				case *problem.WaterHeater:
					d.MinKW, size = d.MaxKW, d.MaxKW
				}
				if size < 0.01 {
					continue
				}
				tried++
				c := alone(new(exact.Solver), p, d, scaled(price, 1/p.Hours()), 1e-6)
				got, ok := cost(p, d, price, c.power, c.on)
				if !ok {
					t.Errorf("seed %d: %s %s breaks its own limits: %v", seed, d.Kind(), d.ID(), c.power)
					continue
				}
				best := math.Inf(1)
				for bits := range 1 << p.Steps {
					power, on := make([]float64, p.Steps), make([]bool, p.Steps)
					for k := range power {
						if bits>>k&1 == 1 {
							power[k], on[k] = size, true
						}
					}
					if v, ok := cost(p, d, price, power, on); ok {
						best = min(best, v)
					}
				}
				// the value between grid points is interpolated: near-ties may fall either way
				if got > best+0.02*math.Max(1, math.Abs(best)) {
					t.Errorf("seed %d: %s %s decides for %.5f EUR, best %.5f EUR", seed, d.Kind(), d.ID(), got, best)
				}
			}
		}
	}
	if tried < 80 {
		t.Errorf("only %d devices tried", tried)
	}
}

// TestRoundedDevicesKeepTheirLimits: error diffusion of any power keeps minimum powers and times and tanks within their capacity.
func TestRoundedDevicesKeepTheirLimits(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := problemtest.Random(seed, problemtest.Options{MaxSteps: 20, Loose: true, TankByStep: true})
		price := make([]float64, p.Steps)
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				if !model.Discrete(d) {
					continue
				}
				relaxed := make([]float64, p.Steps)
				for k := range relaxed {
					relaxed[k] = 3 * r.Float64()
				}
				c, rounded := diffuse(p, d, relaxed)
				if !rounded {
					continue
				}
				if _, ok := cost(p, d, price, c.power, c.on); !ok {
					t.Errorf("seed %d: %s %s breaks its own limits: %v %v", seed, d.Kind(), d.ID(), c.power, c.on)
				}
			}
		}
	}
}

func TestMinimumTimes(t *testing.T) {
	const on, off, any = model.On, model.Off, model.Relaxed
	d := &problem.HeatPump{MinOnSteps: 2, MinOffSteps: 3, InitialSteps: 1}
	for _, tt := range []struct {
		name  string
		modes []model.Mode
		legal bool
	}{
		{"off throughout", []model.Mode{off, off, off, off}, true},
		{"starts before its time off is over", []model.Mode{off, on, on, off}, false},
		{"starts when it is over", []model.Mode{off, off, on, on}, true},
		{"a start at the end is cut by the horizon", []model.Mode{off, off, off, on}, true},
		{"stops too early", []model.Mode{off, off, on, off}, false},
	} {
		if got := legal(d, tt.modes); got != tt.legal {
			t.Errorf("%s: legal %v", tt.name, got)
		}
		if got := imply(d, append([]model.Mode(nil), tt.modes...)); got != tt.legal {
			t.Errorf("%s: implied %v", tt.name, got)
		}
	}
	modes := []model.Mode{any, any, on, any, off, any}
	if !imply(d, modes) || modes[0] != off || modes[1] != off || modes[3] != on || modes[5] != off {
		t.Errorf("implied %v", modes)
	}
}

func scaled(v []float64, f float64) []float64 {
	out := make([]float64, len(v))
	for t := range v {
		out[t] = f * v[t]
	}
	return out
}
