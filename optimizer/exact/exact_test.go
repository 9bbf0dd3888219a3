package exact_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"quartier/optimizer/certify"
	"quartier/optimizer/exact"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// cost simulates one device alone at prices (EUR/kWh) by package certify and reports whether it keeps its own limits.
func cost(p *problem.Problem, d problem.Device, price, power []float64, on []bool) (float64, bool) {
	q := &problem.Problem{Version: 1, Start: p.Start, StepMinutes: p.StepMinutes, Steps: p.Steps, Sites: []problem.Site{{ID: "s", Devices: []problem.Device{d}}}}
	q.Grid.ImportPrice = make([]float64, p.Steps)
	q.Fill()
	s := problem.NewSolution(q, problem.Feasible)
	s.Sites = []problem.SiteSolution{{ID: "s", Devices: []problem.DeviceSolution{{ID: d.ID(), PowerKW: power, On: on}}}}
	r := certify.Evaluate(q, s)
	sum := r.Objective
	for t, kw := range power {
		sum += p.Hours() * price[t] * kw
	}
	return sum, r.Feasible()
}

// machine returns the machine of a device with one machine.
func machine(d problem.Device, dt float64, price []float64) *exact.Machine {
	switch d := d.(type) {
	case *problem.HeatPump:
		return exact.HeatPump(d, dt, price)
	case *problem.WaterHeater:
		return exact.WaterHeater(d, dt, price)
	case *problem.Battery:
		return exact.Battery(d, dt, price)
	case *problem.EV:
		if len(d.Sessions) > 0 && d.Sessions[0].DepartStep > d.Sessions[0].ArriveStep {
			d.Sessions = d.Sessions[:1]
			return exact.Car(d, &d.Sessions[0], dt, price)
		}
	}
	return nil
}

func whole(p *problem.Problem, d problem.Device, a exact.Answer) (power []float64, on []bool) {
	power = make([]float64, p.Steps)
	from := 0
	if car, ok := d.(*problem.EV); ok {
		from = car.Sessions[0].ArriveStep
	}
	copy(power[from:], a.Power)
	if _, ok := d.(*problem.HeatPump); ok {
		on = make([]bool, p.Steps)
		for t := range on {
			on[t] = a.Choice[t] == exact.On
		}
	}
	return power, on
}

var kinds = []problem.Kind{problem.KindHeatPump, problem.KindWaterHeater, problem.KindBattery, problem.KindEV}

// TestBoundIsReached holds the bound against the way of running that comes with it, as simulated by package certify: between the two there is the tolerance and no more.
func TestBoundIsReached(t *testing.T) {
	const tolerance = 1e-5 // EUR, of devices that cost up to some EUR
	tried := 0
	var s exact.Solver
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := problemtest.Random(seed, problemtest.Options{Kinds: kinds, MaxSteps: 40, TankByStep: true})
		price := make([]float64, p.Steps)
		for k := range price {
			price[k] = 0.3*r.Float64() - 0.05
		}
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				m := machine(d, p.Hours(), price)
				if m == nil {
					continue
				}
				a := s.Solve(m, tolerance)
				if math.IsInf(a.Bound, 1) {
					if d.Kind() != problem.KindBattery {
						t.Errorf("seed %d: %s %s has no way within its limits", seed, d.Kind(), d.ID())
					}
					continue
				}
				tried++
				power, on := whole(p, d, a)
				got, ok := cost(p, d, price, power, on)
				if !ok {
					t.Errorf("seed %d: %s %s breaks its own limits: %v", seed, d.Kind(), d.ID(), power)
				}
				if math.Abs(got-a.Cost) > 1e-6*(1+math.Abs(got)) {
					t.Errorf("seed %d: %s %s costs %v by simulation, %v as told", seed, d.Kind(), d.ID(), got, a.Cost)
				}
				if again, ok := m.Cost(a.Power, nil); on == nil && (!ok || math.Abs(again-got) > 1e-6*(1+math.Abs(got))) {
					t.Errorf("seed %d: %s %s costs %v by simulation, %v by its machine", seed, d.Kind(), d.ID(), got, again)
				}
				if got < a.Bound-1e-9*(1+math.Abs(got)) || got > a.Bound+tolerance+1e-6*(1+math.Abs(got)) {
					t.Errorf("seed %d: %s %s costs %v, its bound is %v, apart %.3g", seed, d.Kind(), d.ID(), got, a.Bound, got-a.Bound)
				}
			}
		}
	}
	if tried < 1000 {
		t.Errorf("only %d devices", tried)
	}
}

// TestNothingBeatsTheBound tries other ways of running the machine: single steps of the best way changed, and wild ones.
func TestNothingBeatsTheBound(t *testing.T) {
	tried := 0
	var s exact.Solver
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := problemtest.Random(seed, problemtest.Options{Kinds: kinds, MaxSteps: 12, TankByStep: true})
		price := make([]float64, p.Steps)
		for k := range price {
			price[k] = 0.3*r.Float64() - 0.05
		}
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				m := machine(d, p.Hours(), price)
				if m == nil {
					continue
				}
				loose, tight := s.Solve(m, 1e-2), s.Solve(m, 1e-7)
				if loose.Bound > tight.Bound+1e-6*(1+math.Abs(tight.Bound)) {
					t.Errorf("seed %d: %s: a loose tolerance gives the bound %v above the tight one's %v", seed, d.Kind(), loose.Bound, tight.Bound)
				}
				if math.IsInf(tight.Bound, 1) {
					continue
				}
				base, on := whole(p, d, tight)
				for try := range 200 {
					power := append([]float64(nil), base...)
					var states []bool
					if on != nil {
						states = append([]bool(nil), on...)
					}
					for range 1 + r.IntN(3) {
						k := r.IntN(p.Steps)
						if try%4 == 0 {
							power[k] = 0
						} else if q := &m.Steps[min(k, len(m.Steps)-1)]; q.Most >= q.Least {
							power[k] = q.Least + (q.Most-q.Least)*r.Float64()
						}
						if states != nil {
							states[k] = power[k] > 0
						}
					}
					if got, ok := cost(p, d, price, power, states); ok {
						tried++
						if got < tight.Bound-1e-4*(1+math.Abs(got)) { // limits may be overstepped by 1e-5
							t.Errorf("seed %d: %s %s: %v costs %v, below the bound %v", seed, d.Kind(), d.ID(), power, got, tight.Bound)
						}
					}
				}
			}
		}
	}
	if tried < 5000 {
		t.Errorf("only %d ways", tried)
	}
}

// go test ./optimizer/exact -run '^$' -bench Solve -count 10
func BenchmarkSolve(b *testing.B) {
	p := problemtest.District(40, 96, 15, 1, true)
	price := make([]float64, p.Steps)
	for t := range price {
		price[t] = p.ImportCost(t)
	}
	for _, kind := range kinds {
		for _, tolerance := range []float64{1e-2, 1e-3, 1e-4} {
			b.Run(string(kind)+"/tolerance="+map[float64]string{1e-2: "1e-2", 1e-3: "1e-3", 1e-4: "1e-4"}[tolerance], func(b *testing.B) {
				var machines []*exact.Machine
				for i := range p.Sites {
					for _, d := range p.Sites[i].Devices {
						if d.Kind() == kind {
							if m := machine(d, p.Hours(), price); m != nil {
								machines = append(machines, m)
							}
						}
					}
				}
				var s exact.Solver
				b.ReportAllocs()
				lost, k := 0.0, 0
				for b.Loop() {
					a := s.Solve(machines[k%len(machines)], tolerance)
					lost += a.Cost - a.Bound
					k++
				}
				b.ReportMetric(lost/float64(k), "EUR-lost/op")
			})
		}
	}
}

// TestBends: where power becomes dearer from some point on, the bound is reached too, and other ways cost no less.
func TestBends(t *testing.T) {
	tried := 0
	var s exact.Solver
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := problemtest.Random(seed, problemtest.Options{Kinds: kinds, MaxSteps: 20, TankByStep: true})
		price := make([]float64, p.Steps)
		for k := range price {
			price[k] = 0.3*r.Float64() - 0.05
		}
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				m := machine(d, p.Hours(), price)
				if m == nil {
					continue
				}
				for t := range m.Steps {
					q := &m.Steps[t]
					at := 0.0
					for range r.IntN(3) {
						at += 2 * r.Float64() * float64(r.IntN(2))
						q.Above = append(q.Above, exact.Bend{At: at, More: 0.1 * r.Float64()})
						q.Beyond = append(q.Beyond, exact.Bend{At: at, More: 0.1 * r.Float64()})
					}
				}
				dearer := func(power []float64, from int) float64 {
					sum := 0.0
					for t := range m.Steps {
						for _, b := range m.Steps[t].Above {
							sum += b.More * math.Max(0, power[from+t]-b.At)
						}
						for _, b := range m.Steps[t].Beyond {
							sum += b.More * math.Max(0, -power[from+t]-b.At)
						}
					}
					return sum
				}
				a := s.Solve(m, 1e-6)
				if math.IsInf(a.Bound, 1) {
					continue
				}
				tried++
				from := 0
				if car, ok := d.(*problem.EV); ok {
					from = car.Sessions[0].ArriveStep
				}
				power, on := whole(p, d, a)
				got, _ := cost(p, d, price, power, on)
				got += dearer(power, from)
				if size := 1e-6 * (1 + math.Abs(got)); math.Abs(got-a.Cost) > size || got < a.Bound-size || got > a.Bound+1e-6+size {
					t.Errorf("seed %d: %s %s costs %v by simulation, %v as told, its bound is %v", seed, d.Kind(), d.ID(), got, a.Cost, a.Bound)
				}
				for range 50 {
					other := append([]float64(nil), power...)
					k := r.IntN(len(m.Steps))
					if q := &m.Steps[k]; q.Most >= q.Least {
						other[from+k] = q.Least + (q.Most-q.Least)*r.Float64()
					}
					var states []bool
					if on != nil {
						states = append([]bool(nil), on...)
						states[k] = other[from+k] > 0
					}
					if got, ok := cost(p, d, price, other, states); ok && got+dearer(other, from) < a.Bound-1e-4*(1+math.Abs(got)) {
						t.Errorf("seed %d: %s %s: %v costs %v, below the bound %v", seed, d.Kind(), d.ID(), other, got+dearer(other, from), a.Bound)
					}
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("only %d devices", tried)
	}
}
