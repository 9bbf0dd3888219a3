package storetest

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

func row(site string, slot int, importWh int64) balance.Row {
	return balance.Row{District: "fontaine", Site: site, Start: t0.Add(time.Duration(slot) * 15 * time.Minute), Step: 15 * time.Minute,
		ImportWh: units.WattHours(importWh), ExportWh: 2, ProductionWh: 3, ChargeWh: 4, DischargeWh: 5, HeatWh: 6, CarsWh: 7, OtherWh: 8,
		ResidualWh: -9, SharedWh: 10, StationResidualWh: -11, CostEUR: 0.1, CarbonKg: 0.2, BaselineCostEUR: -0.3, BaselineCarbonKg: 0.4, Coverage: 0.5, Substituted: slot%2 == 0, Method: balance.Method(3 * (slot % 2))}
}

func balances(t *testing.T, s store.Store) {
	_, err := s.BalanceSpan(t.Context(), "fontaine")
	wantIs(t, err, store.ErrNotFound)
	must(t, s.SaveBalances(t.Context(), nil))
	in := []balance.Row{row("mairie", 1, 1<<40), row("ecole", 0, 2), row("_", 1, 3), row("_", 0, 4), row("mairie", 0, 5)}
	other := row("_", 0, 9)
	other.District = "verger"
	must(t, s.SaveBalances(t.Context(), append(in, other)))
	must(t, s.SaveBalances(t.Context(), in[:2])) // again
	get := func(site string, sp timegrid.Span, want ...balance.Row) {
		t.Helper()
		got, err := s.Balances(t.Context(), "fontaine", site, sp)
		must(t, err)
		if len(got) != len(want) {
			t.Fatalf("balances of %q: %d rows, want %d", site, len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("balance row %d of %q is\n%+v, want\n%+v", i, site, got[i], want[i])
			}
		}
	}
	get("", span(t0, time.Hour), in[3], in[1], in[4], in[2], in[0])
	get("_", span(t0, time.Hour), in[3], in[2])
	get("mairie", span(t0, 15*time.Minute), in[4])
	get("mairie", span(t0.Add(15*time.Minute), 15*time.Minute), in[0])
	get("nowhere", span(t0, time.Hour))
	in[0].ImportWh, in[0].Substituted, in[0].CostEUR = 0, true, -2
	must(t, s.SaveBalances(t.Context(), in[:1])) // corrected
	get("mairie", span(t0, time.Hour), in[4], in[0])
	twice := in[4]
	twice.ImportWh = 77
	must(t, s.SaveBalances(t.Context(), []balance.Row{in[4], twice})) // the later of one call stays
	get("mairie", span(t0, 15*time.Minute), twice)
	sp, err := s.BalanceSpan(t.Context(), "fontaine")
	must(t, err)
	if !sp.Start.Equal(t0) || !sp.End.Equal(t0.Add(30*time.Minute)) {
		t.Errorf("balances span %v to %v, want %v to %v", sp.Start, sp.End, t0, t0.Add(30*time.Minute))
	}
}

func balancesRefused(t *testing.T, s store.Store) {
	good, bad, bad2 := row("ecole", 0, 1), row("mairie", 0, 1), row("", 0, 1)
	bad.CostEUR, bad.Step = math.NaN(), 0
	err := s.SaveBalances(t.Context(), []balance.Row{good, bad, bad2})
	wantIs(t, err, store.ErrInvalid)
	for _, w := range []string{"fontaine/mairie", "cost_eur is NaN", "step 0s", `site ""`} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not name %s", err, w)
		}
	}
	got, err := s.Balances(t.Context(), "fontaine", "", span(t0, time.Hour))
	must(t, err)
	if len(got) != 0 {
		t.Errorf("refused balances were written: %v", got)
	}
}

func somePlan(at time.Time) *district.Plan {
	return &district.Plan{ID: 99, District: "fontaine", CreatedAt: at, Start: at.Truncate(15 * time.Minute), StepMinutes: 15, Steps: 2, Status: "optimal",
		ObjectiveEUR: 12.34, BoundEUR: 12.3, Gap: 0.003, SolveSeconds: 0.25, ProblemSHA256: "abc", ImportKW: []float64{1, 0.1}, ExportKW: []float64{0, 1e-300},
		Price: []float64{0.2516, -0.01}, Foreseen: []district.Foreseen{{Site: "ecole", Quantity: district.ForecastLoad, Mean: []float64{3, 4}, Low: []float64{2, 2.5}, High: []float64{4, 6}, SteppedBack: true},
			{Site: district.DistrictSite, Quantity: district.ForecastPrice, Mean: []float64{0.2516, -0.01}, Settled: true}}, Binding: []string{"départ limité à 50 kW", "日本 <&>\u2028"},
		Sites: []district.SitePlan{{ID: "ecole", LoadKW: []float64{3, 4}, NetKW: []float64{1, 2}, Devices: []district.DevicePlan{
			{ID: "bess", Kind: district.Battery, PowerKW: []float64{5, -5}, EnergyKWh: []float64{10, 11, 10}, Reason: []string{"sun", "cheap"}}}}}}
}

func plans(t *testing.T, s store.Store) {
	_, err := s.LatestPlan(t.Context(), "fontaine", t0)
	wantIs(t, err, store.ErrNotFound)
	_, err = s.Plan(t.Context(), 123456)
	wantIs(t, err, store.ErrNotFound)
	var ids []int64
	times := []time.Time{t0, t0.Add(15 * time.Minute), t0.Add(15 * time.Minute), t0.Add(5 * time.Minute)} // two at one instant, one late
	for _, at := range times {
		p := somePlan(at)
		id, err := s.SavePlan(t.Context(), p)
		must(t, err)
		if p.ID != 99 {
			t.Errorf("SavePlan changed the caller's plan: id %d", p.ID)
		}
		if n := len(ids); n > 0 && id <= ids[n-1] {
			t.Errorf("plan id %d after %d, want growing ones", id, ids[n-1])
		}
		if id <= 0 || id > 1<<53 {
			t.Errorf("plan id %d, want one in 1 to 2^53, which JavaScript can hold", id)
		}
		ids = append(ids, id)
	}
	other := somePlan(t0.Add(time.Hour))
	other.District = "verger"
	_, err = s.SavePlan(t.Context(), other)
	must(t, err)

	got, err := s.Plan(t.Context(), ids[0])
	must(t, err)
	want := somePlan(t0)
	want.ID = ids[0]
	if !reflect.DeepEqual(got, want) {
		t.Errorf("plan came back as\n%+v, want\n%+v", got, want)
	}
	for _, tt := range []struct {
		asOf time.Time
		want int
	}{{t0, 0}, {t0.Add(5 * time.Minute), 3}, {t0.Add(10 * time.Minute), 3}, {t0.Add(15 * time.Minute), 2}, {t0.Add(99 * time.Hour), 2}} {
		got, err := s.LatestPlan(t.Context(), "fontaine", tt.asOf)
		must(t, err)
		if got.ID != ids[tt.want] {
			t.Errorf("latest plan at %v is %d, want %d", tt.asOf, got.ID, ids[tt.want])
		}
	}
	_, err = s.LatestPlan(t.Context(), "fontaine", t0.Add(-time.Microsecond))
	wantIs(t, err, store.ErrNotFound)
	list, err := s.PlansBetween(t.Context(), "fontaine", span(t0, 15*time.Minute))
	must(t, err)
	if len(list) != 2 || list[0].ID != ids[0] || list[1].ID != ids[3] {
		t.Errorf("plans of the first quarter-hour: %d, want plans %d and %d", len(list), ids[0], ids[3])
	}
	if list, err = s.PlansBetween(t.Context(), "nowhere", span(t0, time.Hour)); err != nil || len(list) != 0 {
		t.Errorf("plans of an unknown district: %d, %v", len(list), err)
	}
}

func plansRefused(t *testing.T, s store.Store) {
	bad := somePlan(t0)
	bad.ImportKW[1] = math.NaN()
	_, err := s.SavePlan(t.Context(), bad)
	wantIs(t, err, store.ErrInvalid)
	_, err = s.SavePlan(t.Context(), nil)
	wantIs(t, err, store.ErrInvalid)
	_, err = s.SavePlan(t.Context(), &district.Plan{District: "fontaine"})
	wantIs(t, err, store.ErrInvalid)
	_, err = s.LatestPlan(t.Context(), "fontaine", t0.Add(time.Hour))
	wantIs(t, err, store.ErrNotFound)
}

func setpoints(t *testing.T, s store.Store) {
	sp := func(site, device string, minute int, reason string) district.Setpoint {
		return district.Setpoint{Time: t0.Add(time.Duration(minute) * time.Minute), District: "fontaine", Site: site, Device: device, WantedKW: -3.5,
			Command: "limit_a 16 A", SentKW: 11.04, Reason: reason, PlanID: 7, Outcome: district.Clipped, ReadBack: 16, Detail: "détail"}
	}
	must(t, s.AppendSetpoints(t.Context(), nil))
	in := []district.Setpoint{sp("ecole", "bess", 0, "a"), sp("ecole", "ev", 1, "b"), sp("mairie", "bess", 1, "c"), sp("ecole", "bess", 2, "d")}
	must(t, s.AppendSetpoints(t.Context(), in[:2]))
	must(t, s.AppendSetpoints(t.Context(), in[2:]))
	other := sp("ecole", "bess", 1, "z")
	other.District = "verger"
	must(t, s.AppendSetpoints(t.Context(), []district.Setpoint{other}))
	get := func(site, device string, sp timegrid.Span, limit int, want string) {
		t.Helper()
		got, err := s.Setpoints(t.Context(), "fontaine", site, device, sp, limit)
		must(t, err)
		var reasons string
		for _, g := range got {
			reasons += g.Reason
			for _, w := range in {
				if w.Reason == g.Reason && w != g {
					t.Errorf("set-point came back as\n%+v, want\n%+v", g, w)
				}
			}
		}
		if reasons != want {
			t.Errorf("set-points of %q %q, at most %d: %q, want %q", site, device, limit, reasons, want)
		}
	}
	hour := span(t0, time.Hour)
	get("", "", hour, 10, "dcba") // newest first; of one instant, the later written first
	get("", "", hour, 2, "dc")
	get("", "", hour, 0, "dcba")
	get("ecole", "", hour, 10, "dba")
	get("ecole", "bess", hour, 10, "da")
	get("", "bess", hour, 10, "dca")
	get("", "", span(t0, time.Minute), 10, "a")
	get("", "", span(t0.Add(time.Minute), time.Minute), 10, "cb")
	// what a device says is mended, not refused; numbers that are none are refused
	dirty := sp("ecole", "dirty", 3, "e")
	dirty.Detail = "bad \xff\x00 end"
	must(t, s.AppendSetpoints(t.Context(), []district.Setpoint{dirty}))
	got, err := s.Setpoints(t.Context(), "fontaine", "", "dirty", hour, 1)
	must(t, err)
	if len(got) != 1 || got[0].Detail != "bad \uFFFD\uFFFD end" {
		t.Errorf("a detail that is no text came back as %+v", got)
	}
	bad := sp("ecole", "bad", 4, "f")
	bad.ReadBack = math.Inf(1)
	err = s.AppendSetpoints(t.Context(), []district.Setpoint{sp("ecole", "bad", 4, "g"), bad})
	wantIs(t, err, store.ErrInvalid)
	if !strings.Contains(err.Error(), "fontaine/ecole/bad") || !strings.Contains(err.Error(), "read_back is +Inf") {
		t.Errorf("error %q does not name the set-point", err)
	}
	get("", "bad", hour, 10, "")
}

func events(t *testing.T, s store.Store) {
	ev := func(kind store.EventKind, minute int, action string) store.Event {
		return store.Event{Time: t0.Add(time.Duration(minute) * time.Minute), Kind: kind, Actor: "zoé", Action: action, Object: "fontaine/ecole/pv",
			Detail: "in words", Remote: "127.0.0.1", Severity: "info"}
	}
	in := []store.Event{ev(store.AuditEvent, 0, "a"), ev(store.AlarmEvent, 1, "b"), ev(store.SystemEvent, 1, "c"), ev(store.AuditEvent, 2, "d")}
	for _, e := range in {
		must(t, s.AppendEvent(t.Context(), e))
	}
	get := func(kinds []store.EventKind, sp timegrid.Span, limit int, want string) {
		t.Helper()
		got, err := s.Events(t.Context(), kinds, sp, limit)
		must(t, err)
		var actions string
		last := int64(0)
		for _, g := range got {
			actions += g.Action
			if g.ID <= 0 || g.ID == last || g.ID > 1<<53 {
				t.Errorf("event %q has id %d", g.Action, g.ID)
			}
			last = g.ID
			for _, w := range in {
				if w.ID = g.ID; w.Action == g.Action && w != g {
					t.Errorf("event came back as\n%+v, want\n%+v", g, w)
				}
			}
		}
		if actions != want {
			t.Errorf("events of %v, at most %d: %q, want %q", kinds, limit, actions, want)
		}
	}
	hour := span(t0, time.Hour)
	get(nil, hour, 10, "dcba")
	get(nil, hour, 3, "dcb")
	get(nil, hour, 0, "dcba")
	get([]store.EventKind{store.AuditEvent}, hour, 10, "da")
	get([]store.EventKind{store.AuditEvent, store.AlarmEvent}, hour, 2, "db")
	get([]store.EventKind{"unknown"}, hour, 10, "")
	get(nil, span(t0.Add(time.Minute), time.Minute), 10, "cb")
	dirty := ev(store.AlarmEvent, 3, "e")
	dirty.Detail = "\xff" + strings.Repeat("é", 100_000)
	must(t, s.AppendEvent(t.Context(), dirty))
	got, err := s.Events(t.Context(), nil, hour, 1)
	must(t, err)
	if len(got) != 1 || got[0].Detail != "\uFFFD"+strings.Repeat("é", 100_000) {
		t.Error("a long detail with a byte that is no text did not come back mended")
	}
	wantIs(t, s.AppendEvent(t.Context(), store.Event{Time: t0}), store.ErrInvalid)
	wantIs(t, s.AppendEvent(t.Context(), store.Event{Kind: store.AuditEvent}), store.ErrInvalid)
}
