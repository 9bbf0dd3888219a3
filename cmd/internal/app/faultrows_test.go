package app

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/profile"
	"quartier/drivers/sim"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// shows makes a device show something else than is so, until the fault ends.
func shows(device, point string, f func(truth float64) float64) (inject, end func(*stage)) {
	set := func(s *stage, f func(float64) float64) {
		if err := s.world.Distort(ref(device), point, f); err != nil {
			s.t.Fatal(err)
		}
	}
	return func(s *stage) { set(s, f) }, func(s *stage) { set(s, nil) }
}

// fails makes a device fail, until the fault ends.
func fails(device string, f sim.Fault) (inject, end func(*stage)) {
	set := func(s *stage, f sim.Fault) {
		if err := s.world.SetFault(ref(device), f); err != nil {
			s.t.Fatal(err)
		}
	}
	return func(s *stage) { set(s, f) }, func(s *stage) { set(s, sim.NoFault) }
}

// way changes what happens on the way to gateways, until the fault ends.
func way(w weather, gates ...string) (inject, end func(*stage)) {
	set := func(s *stage, w weather) {
		for _, g := range gates {
			s.net.at(g, w)
		}
	}
	return func(s *stage) { set(s, w) }, func(s *stage) { set(s, weather{}) }
}

// plans changes the planner, until the fault ends.
func plans(change func(next planner) planner) (inject, end func(*stage)) {
	return func(s *stage) { s.planWith(change); s.app.schedulers[faultDistrict].Wake() }, func(s *stage) { s.planWith(nil); s.app.schedulers[faultDistrict].Wake() }
}

// price changes the prices, until the fault ends.
func price(change func([]float64) ([]float64, error)) (inject, end func(*stage)) {
	return func(s *stage) { s.prices.with(change); s.app.schedulers[faultDistrict].Wake() }, func(s *stage) { s.prices.with(nil); s.app.schedulers[faultDistrict].Wake() }
}

// ask asks for limits of the site as a building system does.
func (s *stage) ask(kind scheduler.RequestKind, kw float64) {
	r := scheduler.Request{Kind: kind, Site: faultSite, Value: kw, Actor: "campaign", Since: time.Now(), Until: time.Now().Add(time.Hour)}
	if _, err := s.app.schedulers[faultDistrict].Request(r); err != nil {
		s.t.Error(err)
	}
}

func (s *stage) withdraw(kind scheduler.RequestKind) {
	s.app.schedulers[faultDistrict].Withdraw(kind, faultSite, "")
}

// foreign writes a point of a device as somebody else's master.
func (s *stage) foreign(device, point string, v float64) {
	d := s.cfg.Districts[0].Device(faultSite, device)
	p, err := profile.Load(d.Profile)
	if err != nil {
		s.t.Fatal(err)
	}
	pool := modbus.NewPool(modbus.Config{Dial: s.net.dial})
	defer pool.Close()
	drv, err := pool.Device(*d, p)
	if err != nil {
		s.t.Fatal(err)
	}
	defer drv.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if _, err := drv.Write(ctx, point, v); err != nil && !errors.Is(err, drivers.ErrReadBack) { // Quartier may have told it otherwise since
		s.t.Errorf("somebody else's write of %s: %v", point, err)
	}
}

// file opens the record beside Quartier.
func (s *stage) file() *sql.DB {
	db, err := openFile(filepath.Join(s.dir, recordFile))
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

func (s *stage) exec(db *sql.DB, statements ...string) {
	for _, text := range statements {
		if _, err := db.Exec(text); err != nil {
			s.t.Errorf("%s: %v", text, err)
		}
	}
}

// both runs several.
func both(f ...func(*stage)) func(*stage) {
	return func(s *stage) {
		for _, one := range f {
			one(s)
		}
	}
}

func row(f fault, inject, end func(*stage)) fault {
	f.inject, f.end = inject, end
	return f
}

func nan(float64) float64                      { return math.NaN() }
func scaled(by float64) func(float64) float64  { return func(v float64) float64 { return by * v } }
func shifted(by float64) func(float64) float64 { return func(v float64) float64 { return v + by } }
func always(v float64) func(float64) float64   { return func(float64) float64 { return v } }
func tighten(kw float64) func(*stage) {
	return func(s *stage) { s.ask(scheduler.RequestImportLimit, kw) }
}
func loosen(s *stage) { s.withdraw(scheduler.RequestImportLimit) }
func turned(device string) (inject, end func(s *stage)) {
	a, b := shows(device, district.PowerKW, scaled(-1))
	return a, b
}

// faultRows are the faults of the campaign.
func faultRows() []fault {
	var out []fault
	add := func(f fault, inject, end func(*stage)) { out = append(out, row(f, inject, end)) }
	out = append(out, deviceRows()...)
	out = append(out, wayRows()...)
	out = append(out, recordRows()...)

	i, e := price(func([]float64) ([]float64, error) { return nil, errors.New("the market's server does not answer") })
	add(fault{group: "feed", name: "prices silent", alarm: scheduler.PriceMissing, says: "does not answer"}, i, e)
	i, e = price(func(p []float64) ([]float64, error) {
		p = append([]float64(nil), p...)
		p[3], p[5] = 4000, math.NaN()
		return p, nil
	})
	add(fault{group: "feed", name: "absurd prices", alarm: scheduler.PriceAbsurd, says: "4000 EUR/kWh"}, i, e)
	i, e = price(func(p []float64) ([]float64, error) { return p[:len(p)/2], nil })
	add(fault{group: "feed", name: "missing hours", alarm: scheduler.PriceMissing, says: "values for"}, i, e)

	var old []float64
	i, e = price(func(p []float64) ([]float64, error) {
		if old == nil {
			old = append(old, p...)
			slices.Reverse(old)
		}
		return append([]float64(nil), old[:min(len(p), len(old))]...), nil
	})
	add(fault{group: "feed", name: "prices of another day", why: "what they are nobody can tell by them; what is paid is the accounts' affair"}, i, e)

	add(fault{group: "feed", name: "weather of yesterday again and again", set: setting{fed: config.OpenMeteo}, alarm: FeedStuck, says: "nothing new since 2026-02-09"}, func(*stage) {}, (*stage).publishAnew)
	add(fault{group: "feed", name: "prices of yesterday again and again", set: setting{fed: config.Entsoe}, alarm: FeedStuck, says: "nothing new since 2026-02-09"}, func(*stage) {}, (*stage).publishAnew)

	i, e = plans(func(planner) planner {
		return func(ctx context.Context, _ *problem.Problem, _ *problem.Solution) (*problem.Solution, error) {
			return nil, context.DeadlineExceeded
		}
	})
	add(fault{group: "planner", name: "out of time", alarm: scheduler.PlanFailed, says: "deadline exceeded"}, i, e)
	add(fault{group: "planner", name: "an old plan", set: setting{planAge: 7 * time.Minute}, alarm: scheduler.PlanFailed, says: "deadline exceeded", lasts: 14 * time.Minute}, both(i, tighten(6)), both(e, loosen))
	i, e = plans(func(planner) planner {
		return func(context.Context, *problem.Problem, *problem.Solution) (*problem.Solution, error) {
			panic("index out of range")
		}
	})
	add(fault{group: "planner", name: "panic", alarm: scheduler.PlanFailed, says: "panic: index out of range"}, i, e)
	i, e = plans(func(planner) planner {
		return func(_ context.Context, p *problem.Problem, _ *problem.Solution) (*problem.Solution, error) {
			return problem.NewSolution(p, problem.Infeasible), nil
		}
	})
	add(fault{group: "planner", name: "nothing feasible", alarm: scheduler.PlanFailed, says: "infeasible"}, i, e)
	garbage := func(spoil func(kw float64) float64) (inject, end func(*stage)) {
		return plans(func(next planner) planner {
			return func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
				sol, err := next(ctx, p, previous)
				if err != nil {
					return nil, err
				}
				for i := range sol.Sites {
					for k := range sol.Sites[i].Devices {
						for t, kw := range sol.Sites[i].Devices[k].PowerKW {
							sol.Sites[i].Devices[k].PowerKW[t] = spoil(kw)
						}
					}
				}
				return sol, nil
			}
		})
	}
	i, e = garbage(func(kw float64) float64 { return 50*kw + 3 })
	add(fault{group: "planner", name: "powers that cannot be", alarm: scheduler.PlanFailed, says: "not what it says"}, i, e)
	i, e = garbage(func(float64) float64 { return math.NaN() })
	add(fault{group: "planner", name: "no numbers", alarm: scheduler.PlanFailed, says: "not what it says"}, i, e)
	i, e = plans(func(planner) planner {
		return func(context.Context, *problem.Problem, *problem.Solution) (*problem.Solution, error) { return nil, nil }
	})
	add(fault{group: "planner", name: "nothing at all", alarm: scheduler.PlanFailed, says: "neither a plan nor an error"}, i, e)
	i, e = plans(func(next planner) planner {
		return func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
			time.Sleep(20 * time.Minute) // whatever the context says
			return next(ctx, p, previous)
		}
	})
	add(fault{group: "planner", name: "hangs", alarm: "plan-late", lasts: 16 * time.Minute, after: 12 * time.Minute}, i, e)

	add(fault{group: "clock", name: "two hours ahead", alarm: ClockJump, says: "+7200 s", stays: ClockJump, lasts: 8 * time.Minute, lies: true, why: "the accounts of two hours that were not"},
		func(s *stage) { s.setClock(2 * time.Hour) }, nil)
	add(fault{group: "clock", name: "ten minutes back", alarm: ClockJump, says: "-600 s", stays: ClockJump, lasts: 8 * time.Minute, lies: true, why: "ten minutes are there twice"},
		func(s *stage) { s.setClock(-10 * time.Minute) }, nil)
	add(fault{group: "clock", name: "a second ahead and back", after: 4 * time.Minute}, func(s *stage) { s.setClock(time.Second) }, func(s *stage) { s.setClock(0) })
	add(fault{group: "clock", name: "summer time begins", set: setting{at: time.Date(2026, 3, 29, 0, 50, 0, 0, time.UTC)}, lasts: 9 * time.Minute, after: 3 * time.Minute}, func(*stage) {}, nil)
	add(fault{group: "clock", name: "summer time ends", set: setting{at: time.Date(2026, 10, 25, 0, 50, 0, 0, time.UTC)}, lasts: 9 * time.Minute, after: 3 * time.Minute}, func(*stage) {}, nil)

	add(fault{group: "operator", name: "a lower limit"}, tighten(4), loosen)
	add(fault{group: "operator", name: "no draw at all"}, tighten(0), loosen)
	add(fault{group: "operator", name: "no feed at all", set: setting{at: noon}}, func(s *stage) { s.ask(scheduler.RequestExportLimit, 0) }, func(s *stage) { s.withdraw(scheduler.RequestExportLimit) })
	add(fault{group: "operator", name: "limits at odds", set: setting{at: noon}, excess: 4 * time.Minute, why: "nothing may flow either way: the battery follows what flows, a step of the sun behind it"}, func(s *stage) { s.ask(scheduler.RequestImportLimit, 0); s.ask(scheduler.RequestExportLimit, 0) },
		func(s *stage) { s.withdraw(scheduler.RequestImportLimit); s.withdraw(scheduler.RequestExportLimit) })
	add(fault{group: "operator", name: "a flood of requests"}, func(s *stage) {
		for k := range 5000 {
			s.ask(scheduler.RequestImportLimit, float64(3+k%6))
		}
		s.ask(scheduler.RequestImportLimit, 5)
	}, loosen)
	add(fault{group: "operator", name: "another master of the charger", alarm: scheduler.CommandConflict, object: "charger", lasts: 5 * time.Minute},
		func(s *stage) { s.foreign("charger", "limit_a", 13) }, func(s *stage) { s.foreign("charger", "limit_a", 6) })
	return out
}

func deviceRows() (out []fault) {
	add := func(f fault, inject, end func(*stage)) { f.group = "device"; out = append(out, row(f, inject, end)) }
	i, e := shows("grid", district.PowerKW, always(2.345))
	add(fault{name: "connection's power stands still", alarm: "meter-stuck|meter-differs", object: "grid", lasts: 10 * time.Minute, after: 10 * time.Minute}, i, e)
	i, e = fails("grid", sim.Frozen)
	add(fault{name: "connection's meter frozen", alarm: "device-lost", object: "grid", says: "no measurement has changed"}, i, e)
	i, e = turned("grid")
	add(fault{name: "connection's power of the wrong sign", alarm: "meter-differs|sign-wrong", object: "grid", lasts: 8 * time.Minute, after: 10 * time.Minute, excess: 4 * time.Minute,
		why: "until the counters have counted 50 Wh twice, nothing tells that it is wrong"}, i, e)
	i, e = fails("grid", sim.Reversed)
	add(fault{name: "connection's meter turned round", alarm: "sign-wrong", object: "grid", lasts: 12 * time.Minute, after: 30 * time.Minute, stays: "counter-jumped|limit-passed", lies: true, excess: 3 * time.Minute,
		why: "until two changes of devices were seen, nothing tells that it is wrong"}, i, e)
	i, e = shows("grid", district.PowerKW, nan)
	add(fault{name: "connection's power is no number", alarm: "value-missing", object: "grid"}, i, e)
	i, e = shows("grid", district.PowerKW, always(1e6))
	add(fault{name: "connection's power absurd", alarm: "value-absurd", object: "grid"}, i, e)
	i, e = shows("grid", district.PowerKW, scaled(1000))
	add(fault{name: "connection in W for kW", alarm: "value-absurd", object: "grid"}, i, e)
	i, e = shows("grid", district.PowerKW, scaled(0.001))
	add(fault{name: "connection in kW for W", alarm: "meter-differs|meter-stuck", object: "grid", lasts: 8 * time.Minute, after: 10 * time.Minute, excess: 4 * time.Minute,
		why: "until the counters have counted 50 Wh twice, nothing tells that it is wrong"}, i, e)
	i, e = shows("grid", district.ImportKWh, always(0.25))
	add(fault{name: "connection's counter reset", alarm: observe.CounterJumped, object: "grid", lies: true, stays: observe.CounterJumped, why: "what was counted before the reset is not known any more"}, i, e)
	i, e = shows("grid", district.ImportKWh, shifted(-1))
	add(fault{name: "connection's counter rolled back", alarm: observe.CounterJumped, object: "grid", lies: true, stays: observe.CounterJumped}, i, e)
	i, e = shows("pv", district.PowerKW, always(-4))
	add(fault{name: "sun at night", alarm: "sun-at-night", object: "pv"}, i, e)
	i, e = turned("pv")
	add(fault{name: "inverter of the wrong sign", set: setting{at: noon}, alarm: "sign-wrong", object: "pv"}, i, e)
	i, e = fails("pv", sim.Deaf)
	add(fault{name: "inverter ignores commands", set: setting{at: noon, full: true}, alarm: scheduler.CommandIgnored, object: "pv", excess: time.Minute + cycle,
		why: "an inverter is taken for deaf after 20 s, and the tank, which takes what it feeds, may be switched on once a minute"},
		both(i, func(s *stage) { s.world.Unplug(ref("charger")); s.ask(scheduler.RequestExportLimit, 1) }), both(e, func(s *stage) { s.withdraw(scheduler.RequestExportLimit) }))
	i, e = fails("pv", sim.Deaf)
	add(fault{name: "inverter ignores commands beside a car", lasts: 8 * time.Minute, set: setting{at: noon, full: true}, alarm: scheduler.CommandIgnored, object: "pv", excess: 20*time.Second + cycle, why: "an inverter is taken for deaf after 20 s"},
		both(i, func(s *stage) { s.ask(scheduler.RequestExportLimit, 1) }), both(e, func(s *stage) { s.withdraw(scheduler.RequestExportLimit) }))
	i, e = fails("pv", sim.Forgetful)
	add(fault{name: "inverter keeps no command", set: setting{at: noon, full: true}, alarm: scheduler.CommandFailed, object: "pv", says: "read back", excess: time.Minute + cycle, why: "the tank, which takes what it feeds, may be switched on once a minute"},
		both(i, func(s *stage) { s.world.Unplug(ref("charger")); s.ask(scheduler.RequestExportLimit, 1) }), both(e, func(s *stage) { s.withdraw(scheduler.RequestExportLimit) }))
	i, e = shows("battery", district.SOC, func(v float64) float64 { return math.Mod(v+0.3, 1) })
	add(fault{name: "state of charge jumps", alarm: "charge-jumped", object: "battery", stays: "charge-jumped"}, i, e)
	i, e = shows("battery", district.SOC, always(7))
	add(fault{name: "state of charge absurd", alarm: "value-absurd", object: "battery"}, i, e)
	i, e = fails("battery", sim.Broken)
	add(fault{name: "battery refuses to work", set: setting{planned: true}, alarm: scheduler.CommandIgnored, object: "battery"}, both(i, tighten(3)), both(e, loosen))
	i, e = fails("battery", sim.Exceptions)
	add(fault{name: "battery answers with exceptions", alarm: "device-lost", object: "battery"}, i, e)
	i, e = fails("battery", sim.Garbage)
	add(fault{name: "battery answers with garbage", alarm: "value-absurd|value-missing|device-lost|command-failed|command-refused", object: "battery", lies: true, stays: "charge-jumped|counter-jumped"}, i, e)
	i, e = fails("charger", sim.Deaf)
	add(fault{name: "charger ignores commands", alarm: scheduler.CommandIgnored, object: "charger", excess: time.Minute, why: "the battery makes up for what it can of the car"}, both(i, tighten(3)), both(e, loosen))
	add(fault{name: "charger drops the car"}, func(s *stage) { s.world.Unplug(ref("charger")) }, func(s *stage) { s.world.PlugIn(ref("charger"), 20, time.Now().Add(12*time.Hour)) })
	i, e = fails("charger", sim.Silent)
	add(fault{name: "charger silent", alarm: "device-lost", object: "charger"}, both(i, tighten(6)), both(e, loosen))
	i, e = turned("charger")
	add(fault{name: "charger of the wrong sign", alarm: "sign-wrong", object: "charger"}, i, e)
	i, e = fails("heatpump", sim.Silent)
	add(fault{name: "heat pump silent", alarm: "device-lost", object: "heatpump"}, i, e)
	i, e = shows("heatpump", district.IndoorC, nan)
	add(fault{name: "room sensor broken", alarm: "value-missing", object: "heatpump"}, i, e)
	i, e = shows("heatpump", district.IndoorC, always(-30))
	add(fault{name: "room sensor absurd", alarm: "value-absurd", object: "heatpump"}, i, e)
	i, e = shows("tank", district.TankC, always(300))
	add(fault{name: "tank sensor absurd", alarm: "value-absurd", object: "tank"}, i, e)
	i, e = fails("tank", sim.Slow)
	add(fault{name: "tank answers slowly", alarm: "device-lost", object: "tank"}, i, e)
	return out
}

func wayRows() (out []fault) {
	add := func(f fault, inject, end func(*stage)) { f.group = "network"; out = append(out, row(f, inject, end)) }
	i, e := way(weather{refused: true}, roofGate)
	add(fault{name: "gateway dead", alarm: "device-lost", object: "pv", says: "refused"}, i, e)
	i, e = way(weather{dark: true}, garageGate)
	add(fault{name: "link half open", alarm: "device-lost", object: "charger"}, both(i, tighten(6)), both(e, loosen))
	i, e = way(weather{delay: 700 * time.Millisecond}, gridGate)
	add(fault{name: "answers slow", excess: 40 * time.Second, why: "readings are late by the answers of a device"}, i, e)
	i, e = way(weather{delay: 5 * time.Second}, gridGate)
	add(fault{name: "answers too late", alarm: "device-lost", object: "grid"}, i, e)
	i, e = way(weather{loss: 3}, gridGate, garageGate)
	add(fault{name: "every third answer lost", alarm: "device-lost", object: "", excess: time.Minute, why: "readings are late by their repetition"}, i, e)
	i, e = way(weather{dark: true}, gridGate, roofGate, garageGate, cellarGate)
	add(fault{name: "all links lost", alarm: "device-lost", object: "grid"}, i, e)
	add(fault{name: "certificate ended", set: setting{secure: true}, alarm: "device-lost", object: "charger", says: "is valid from"}, both(tighten(6), func(s *stage) {
		s.ca.show(garageHost, time.Now().Add(-time.Minute))
		s.net.reset(garageGate)
	}), both(loosen, func(s *stage) { s.ca.show(garageHost, time.Now().AddDate(1, 0, 0)) }))
	add(fault{name: "servers started anew"}, func(s *stage) {
		for _, g := range []string{gridGate, roofGate, garageGate, cellarGate} {
			s.net.reset(g)
		}
	}, nil)
	add(fault{name: "address moved", alarm: "device-lost", object: "charger", says: "no such host"}, func(s *stage) { s.net.hide(garageGate) }, func(s *stage) { s.net.show(garageGate) })
	i1, e1 := fails("heatpump", sim.Exceptions)
	i2, e2 := fails("tank", sim.Exceptions)
	add(fault{name: "storm of exceptions", alarm: "device-lost", object: "tank"}, both(i1, i2), both(e1, e2))
	return out
}
