package optimizer_test

import (
	"bytes"
	"fmt"
	"math"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// reread writes the solution and reads it again, as the command does.
func reread(t *testing.T, s *problem.Solution) *problem.Solution {
	t.Helper()
	var b bytes.Buffer
	if err := problem.EncodeSolution(&b, s); err != nil {
		t.Fatal(err)
	}
	out, err := problem.ParseSolution(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// moves counts the set-points that change from step to step, PV and appliances apart, in steps [from, to).
func moves(p *problem.Problem, s *problem.Solution, from, to int) (n int) {
	for i := range p.Sites {
		for _, d := range p.Sites[i].Devices {
			if d.Kind() == problem.KindPV || d.Kind() == problem.KindShiftable {
				continue
			}
			v := s.Device(p.Sites[i].ID, d.ID()).PowerKW
			for t := max(1, from); t < to; t++ {
				if math.Abs(v[t]-v[t-1]) > 1e-3 {
					n++
				}
			}
		}
	}
	return n
}

// preference fails the test when the choice among near-equal plans cost more than it may, against the plan without it.
func preference(t *testing.T, name string, s *problem.Solution) {
	t.Helper()
	if s.Cost.Preference > optimizer.DefaultPreferenceEpsilon*math.Max(1, math.Abs(*s.Objective))*(1+1e-9) {
		t.Errorf("%s: preference of %v EUR at a plan of %v EUR", name, s.Cost.Preference, *s.Objective)
	}
}

func TestUnchangedProblemKeepsItsPlan(t *testing.T) {
	kept := 0
	for seed := range uint64(160) {
		p := problemtest.Random(seed, problemtest.Options{Continuous: seed%2 == 0, MaxSteps: 16, TankByStep: true})
		set := optimizer.Settings{Rounds: 20, TimeLimit: 20 * time.Second}
		first, err := optimizer.Plan(t.Context(), p, set)
		if err != nil {
			t.Fatal(err)
		}
		if first.Status != problem.Optimal && first.Status != problem.Feasible {
			continue
		}
		preference(t, fmt.Sprint("seed ", seed), first)
		set.Previous = reread(t, first)
		set.Rounds = 60 // more search would find other plans
		again := plan(t, p, set)
		if again.Cost == nil {
			t.Errorf("seed %d: status %s", seed, again.Status)
			continue
		}
		preference(t, fmt.Sprint("seed ", seed, " again"), again)
		kept++
	devices:
		for i := range first.Sites {
			for j := range first.Sites[i].Devices {
				a, b := first.Sites[i].Devices[j], again.Sites[i].Devices[j]
				for k := range a.PowerKW {
					if a.PowerKW[k] != b.PowerKW[k] || a.On != nil && a.On[k] != b.On[k] {
						t.Errorf("seed %d: %s/%s step %d: %v kW, then %v kW for the same problem (%v, then %v EUR)", seed, first.Sites[i].ID, a.ID, k, a.PowerKW[k], b.PowerKW[k], *first.Objective, *again.Objective)
						break devices
					}
				}
			}
		}
	}
	if kept < 50 {
		t.Errorf("only %d plans", kept)
	}
}

// later returns the district by steps later: its prices, loads and weather move on, the horizon gets as many steps at its end, and states are those of the plan.
func later(t *testing.T, sites, T, by int, mixed bool, plan func(long *problem.Problem) *problem.Solution) (now, next *problem.Problem, first *problem.Solution) {
	t.Helper()
	long := problemtest.District(sites, T+by, 15, 3, mixed)
	now, next = cut(t, long, 0, T, nil), nil
	first = plan(now)
	return now, cut(t, long, by, T, first), first
}

// cut returns n steps of the problem from a step on; with a plan of the steps before, states and histories are those that it leaves.
func cut(t *testing.T, long *problem.Problem, from, n int, s *problem.Solution) *problem.Problem {
	t.Helper()
	p := *long
	p.Start, p.Steps = long.At(from), n
	series := func(v []float64) []float64 { return append([]float64(nil), v[from:from+n]...) }
	g := &p.Grid
	g.ImportPrice, g.ExportPrice, g.CarbonIntensity, g.ImportLimitKW, g.ExportLimitKW = series(g.ImportPrice), series(g.ExportPrice), series(g.CarbonIntensity), series(g.ImportLimitKW), series(g.ExportLimitKW)
	if s != nil {
		for k := range from {
			g.PeakSoFarKW = math.Max(g.PeakSoFarKW, s.Grid.ImportKW[k])
		}
	}
	p.Sites = append([]problem.Site(nil), p.Sites...)
	for i := range p.Sites {
		q := &p.Sites[i]
		q.LoadKW, q.ImportLimitKW, q.ExportLimitKW, q.WithdrawalFee = series(q.LoadKW), series(q.ImportLimitKW), series(q.ExportLimitKW), series(q.WithdrawalFee)
		devices := []problem.Device{}
		for _, d := range q.Devices {
			var was *problem.DeviceSolution
			if s != nil {
				was = s.Device(q.ID, d.ID())
			}
			switch d := d.(type) {
			case *problem.PV:
				c := *d
				c.AvailableKW = series(d.AvailableKW)
				devices = append(devices, &c)
			case *problem.Battery:
				c := *d
				if was != nil {
					c.InitialKWh = math.Min(math.Max(was.EnergyKWh[from], c.MinKWh), c.CapacityKWh)
				}
				devices = append(devices, &c)
			case *problem.WaterHeater:
				c := *d
				c.COP, c.DrawKW = series(d.COP), series(d.DrawKW)
				if was != nil {
					c.InitialKWh = math.Min(math.Max(was.EnergyKWh[from], 0), c.CapacityKWh)
				}
				devices = append(devices, &c)
			case *problem.HeatPump:
				c := *d
				c.COP = series(d.COP)
				z := &c.Zone
				z.OutdoorC, z.GainsKW, z.MinC, z.MaxC = series(z.OutdoorC), series(z.GainsKW), series(z.MinC), series(z.MaxC)
				if was != nil {
					z.InitialC = was.TemperatureC[from]
					for k := range from {
						if was.On[k] == c.InitialOn {
							c.InitialSteps++
						} else {
							c.InitialOn, c.InitialSteps = was.On[k], 1
						}
					}
				}
				devices = append(devices, &c)
			case *problem.EV:
				c := *d
				c.Sessions = nil
				for _, x := range d.Sessions {
					x.ArriveStep, x.DepartStep = x.ArriveStep-from, x.DepartStep-from
					if x.ArriveStep < 0 || x.DepartStep > n {
						continue // not of this test's concern
					}
					c.Sessions = append(c.Sessions, x)
				}
				devices = append(devices, &c)
			}
		}
		q.Devices = devices
	}
	data, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := problem.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestShiftedPlanIsKeptWhereItIsAsGood: some steps later, with the same forecasts and new steps at the end, most set-points stay, and more than without the previous plan.
func TestShiftedPlanIsKeptWhereItIsAsGood(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		t.Run(fmt.Sprint("mixed=", mixed), func(t *testing.T) {
			const T, by = 64, 2
			set := optimizer.Settings{Rounds: 4, TimeLimit: time.Minute}
			_, next, first := later(t, 6, T, by, mixed, func(p *problem.Problem) *problem.Solution { return plan(t, p, set) })
			free := plan(t, next, set)
			set.Previous = reread(t, first)
			held := plan(t, next, set)
			preference(t, "later", held)
			differ := func(s *problem.Solution, steps int) (n, all int) {
				for i := range next.Sites {
					for _, d := range next.Sites[i].Devices {
						was, is := first.Device(next.Sites[i].ID, d.ID()).PowerKW, s.Device(next.Sites[i].ID, d.ID()).PowerKW
						for k := range steps {
							if all++; math.Abs(was[k+by]-is[k]) > 1e-3 {
								n++
							}
						}
					}
				}
				return n, all
			}
			// What is asked for at the horizon's end moves with it, and with it what is best before.
			n, all := differ(held, T/2)
			without, _ := differ(free, T/2)
			rest, _ := differ(held, T-by)
			restWithout, _ := differ(free, T-by)
			t.Logf("%d of %d set-points changed in the first half, %d without the previous plan; %d and %d in all; preference %.6f of %.4f EUR", n, all, without, rest, restWithout, held.Cost.Preference, *held.Objective)
			if n > all/8 || n > without/2 || rest > restWithout {
				t.Errorf("%d of %d set-points changed in the first half, %d without the previous plan; %d and %d in all", n, all, without, rest, restWithout)
			}
		})
	}
}

// TestForeignPreviousPlans: one of a smaller district, of another horizon, of a later start or with powers out of range does no harm.
func TestForeignPreviousPlans(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		set := optimizer.Settings{Rounds: 3, TimeLimit: time.Minute}
		small := plan(t, problemtest.District(2, 48, 30, 6, mixed), set)
		p := problemtest.District(4, 48, 30, 6, mixed)
		free := plan(t, p, set)
		later, wild := reread(t, free), reread(t, free)
		later.Start = later.Start.Add(24 * time.Hour)
		for i := range wild.Sites {
			for j := range wild.Sites[i].Devices {
				for k := range wild.Sites[i].Devices[j].PowerKW {
					wild.Sites[i].Devices[j].PowerKW[k] = 1e6 * float64(k%3-1)
				}
			}
		}
		short := plan(t, problemtest.District(4, 20, 30, 6, mixed), set)
		for name, old := range map[string]*problem.Solution{"smaller": small, "later": later, "wild": wild, "shorter": short, "empty": {}} {
			set.Previous = old
			s := plan(t, p, set)
			preference(t, name, s)
			if s.Status == problem.Infeasible || s.Status == problem.Unknown || *s.Objective > *free.Objective*(1+6e-3) {
				t.Errorf("mixed=%v, %s: %s, %v EUR, %v EUR without", mixed, name, s.Status, *s.Objective, *free.Objective)
			}
		}
	}
}

func TestFlatTariffMakesFewChanges(t *testing.T) {
	flat := func(sites int, mixed bool, seed uint64) *problem.Problem {
		p := problemtest.District(sites, 96, 15, seed, mixed)
		for k := range p.Grid.ImportPrice {
			p.Grid.ImportPrice[k], p.Grid.CarbonIntensity[k] = 0.2, 50
		}
		return p
	}
	for _, tt := range []struct {
		sites int
		mixed bool
		peak  bool
		plain bool    // cars, tanks and pools alone: nothing but the price decides
		share float64 // of the changes that may remain; the others follow the sun, or the weather
	}{{1, false, false, false, 0.9}, {5, false, false, false, 0.8}, {5, false, true, false, 1}, {5, true, false, false, 0.8}, {10, false, false, true, 0.15}, {10, true, false, true, 0.3}} {
		if raced && tt.mixed && !tt.plain {
			continue // much to compute, and nothing that the plain ones do not start
		}
		t.Run(fmt.Sprintf("sites=%d mixed=%v peak=%v plain=%v", tt.sites, tt.mixed, tt.peak, tt.plain), func(t *testing.T) {
			calm, left := 0, 0
			for seed := range uint64(4) {
				p := flat(tt.sites, tt.mixed, seed+1)
				if !tt.peak {
					p.Grid.PeakPrice = 0
				}
				for i := range p.Sites {
					var some []problem.Device
					for _, d := range p.Sites[i].Devices {
						if k := d.Kind(); k == problem.KindEV || k == problem.KindWaterHeater || k == problem.KindFlexible {
							some = append(some, d)
						}
					}
					if tt.plain {
						p.Sites[i].Devices = some
					}
				}
				set := optimizer.Settings{Rounds: 3, TimeLimit: time.Minute, PreferenceEpsilon: -1}
				as := plan(t, p, set)
				set.PreferenceEpsilon = 0
				s := plan(t, p, set)
				preference(t, fmt.Sprint("seed ", seed), s)
				if *s.Objective > *as.Objective+optimizer.DefaultPreferenceEpsilon*math.Max(1, math.Abs(*as.Objective)) {
					t.Errorf("seed %d: %v EUR, %v EUR as the solver leaves it", seed, *s.Objective, *as.Objective)
				}
				calm, left = calm+moves(p, s, 0, p.Steps), left+moves(p, as, 0, p.Steps)
			}
			t.Logf("%d changes of set-points, %d as the solver leaves them", calm, left)
			if float64(calm) > tt.share*float64(left) {
				t.Errorf("%d changes of set-points, %d as the solver leaves them", calm, left)
			}
		})
	}
}

// TestEqualPricesGiveOneBlock: what has only to be done some time is done at one go, at a constant power.
func TestEqualPricesGiveOneBlock(t *testing.T) {
	p := district(24, 0.2)
	f := problem.NewFlexible("pool")
	f.EnergyKWh, f.MaxKW, f.LatestStep = 6, 2, 24
	ev := problem.NewEV("car")
	ev.CapacityKWh, ev.MaxKW, ev.MinKW = 40, 7, 1.4
	ev.Sessions = []problem.Session{{ArriveStep: 4, DepartStep: 20, InitialKWh: 10, TargetKWh: 26}}
	b := problem.NewBattery("battery")
	b.CapacityKWh, b.ChargeKW, b.DischargeKW, b.ChargeEfficiency, b.InitialKWh, b.FinalMinKWh = 10, 3, 3, 0.95, 5, 5
	w := problem.NewWaterHeater("tank")
	w.MaxKW, w.MinKW, w.CapacityKWh, w.InitialKWh, w.FinalMinKWh, w.DrawKW = 2, 2, 12, 2, 8, one(24, 0)
	p.Sites = []problem.Site{{ID: "a", LoadKW: one(24, 1), Devices: []problem.Device{f, ev, b, w}}}
	s := plan(t, p, optimizer.Settings{})
	for id, most := range map[string]int{"pool": 2, "car": 2, "battery": 0, "tank": 2} {
		n := 0
		v := s.Device("a", id).PowerKW
		for k := 1; k < len(v); k++ {
			if math.Abs(v[k]-v[k-1]) > 1e-3 {
				n++
			}
		}
		if n > most {
			t.Errorf("%s changes %d times, want at most %d: %.3f", id, n, most, v)
		}
	}
}

// BenchmarkPreference times plans with and without the choice among near-equal ones, at a varied and at a flat tariff.
func BenchmarkPreference(b *testing.B) {
	for _, flat := range []bool{false, true} {
		for _, off := range []bool{true, false} {
			p := problemtest.District(100, 96, 15, 1, false)
			for k := range p.Grid.ImportPrice {
				if flat {
					p.Grid.ImportPrice[k], p.Grid.CarbonIntensity[k] = 0.2, 50
				}
			}
			set := optimizer.Settings{TimeLimit: time.Minute}
			if off {
				set.PreferenceEpsilon = -1
			}
			b.Run(fmt.Sprintf("flat=%v/preference=%v", flat, !off), func(b *testing.B) {
				for b.Loop() {
					if _, err := optimizer.Plan(b.Context(), p, set); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
