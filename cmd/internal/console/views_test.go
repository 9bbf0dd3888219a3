package console_test

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/balances"
	"quartier/cmd/internal/console"
	"quartier/schemas/district"
	"quartier/schemas/store"
)

func TestOverview(t *testing.T) {
	f := start(t)
	o := get[console.Overview](f.signedIn("viewer"), "/api/districts/fontaine/overview")
	fl := o.Live.Flows
	if fl.SunKW == nil || fl.GridKW == nil || fl.StorageKW == nil || fl.BuildingsKW == nil || fl.HeatKW == nil || fl.CarsKW == nil {
		t.Fatalf("a flow is missing: %+v", fl)
	}
	if left, right := *fl.SunKW+*fl.GridKW, *fl.StorageKW+*fl.BuildingsKW+*fl.HeatKW+*fl.CarsKW; math.Abs(left-right) > 1e-9 {
		t.Errorf("sun and grid give %v kW, the rest takes %v kW", left, right)
	}
	if *fl.SunKW <= 0 {
		t.Errorf("sun at noon %v kW, want above 0", *fl.SunKW)
	}
	if fl.Missing != 1 {
		t.Errorf("%d devices without a fresh value, want 1", fl.Missing)
	}
	if len(o.Alarms) != 1 || o.Alarms[0].Key != "device-lost" || o.Alarms[0].Name != "Parking Nord · Borne 2" {
		t.Errorf("alarms %+v, want the lost charger once", o.Alarms)
	}
	if len(o.Decisions) != 8 || o.Decisions[0].Start.After(noon) || o.Decisions[0].Reason == "" {
		t.Errorf("decisions %+v", o.Decisions)
	}
	if o.Plan == nil || o.Plan.Status != "optimal" || o.Today.Slots != 48 || o.Today.Coverage != 1 {
		t.Errorf("plan %+v, today %+v", o.Plan, o.Today)
	}
	// the batteries of the world went from 0.22 of their charge at midnight to that of five minutes before noon, the last that was read
	const risen = 0.32 + 0.13*55/60 - 0.22
	capacity := 0.0
	for _, dev := range f.world.Districts[0].AllDevices {
		if dev.Battery != nil {
			capacity += dev.Battery.CapacityKWh
		}
	}
	if got := o.Today.StoredKWh; got == nil || math.Abs(*got-risen*capacity) > 1e-6 {
		t.Errorf("stored since midnight: %v, want %v of %v kWh", got, risen, capacity)
	}
}

func TestValuesGoStale(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	for _, d := range get[[]console.DeviceInfo](b, "/api/districts/fontaine/devices") {
		want := "online"
		if d.Site == "parking" && d.ID == "ev_charger-2" {
			want = "offline"
		}
		if d.State != want {
			t.Errorf("%s/%s is %s, want %s", d.Site, d.ID, d.State, want)
		}
	}
	f.world.AdvanceSilently(10 * time.Minute)
	o := get[console.Overview](b, "/api/districts/fontaine/overview")
	if o.Live.Flows.SunKW != nil || o.Live.Flows.Missing != o.Live.Flows.Devices {
		t.Errorf("ten minutes later sun is %v and %d of %d are missing, want nil and all", o.Live.Flows.SunKW, o.Live.Flows.Missing, o.Live.Flows.Devices)
	}
	for _, d := range get[[]console.DeviceInfo](b, "/api/districts/fontaine/devices") {
		for _, r := range d.Readings {
			if !r.Stale || r.AgeSeconds != 600 {
				t.Errorf("%s/%s %s is %v s old and stale %v, want 600 and true", d.Site, d.ID, r.Quantity, r.AgeSeconds, r.Stale)
			}
		}
	}
}

func TestDay(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	d := get[console.DayView](b, "/api/districts/fontaine/day?ahead_hours=18")
	if d.Slots != 96+6*4 || d.Day != "2026-01-14" {
		t.Fatalf("day %s has %d slots, want 120 to 06:00 of the next", d.Day, d.Slots)
	}
	now := 48 // noon
	if d.Measured.Sun[now-1] == nil || d.Measured.Sun[now] != nil {
		t.Error("what was measured must end with the slot before now")
	}
	if d.First == nil || d.Latest == nil || d.First.Plan.ID >= d.Latest.Plan.ID {
		t.Fatalf("first %+v latest %+v, want two plans", d.First, d.Latest)
	}
	if d.First.Power.Sun[0] == nil || d.Latest.Power.Sun[now] == nil || d.Latest.Power.Sun[0] != nil {
		t.Error("the first plan covers the day from its start, the latest from now")
	}
	for k := range d.Slots {
		if d.ImportPrice[k] == nil || d.CarbonGPerKWh[k] == nil {
			t.Fatalf("slot %d has no price or carbon", k)
		}
	}
	yesterday := get[console.DayView](b, "/api/districts/fontaine/day?day=2026-01-13&site=ecole")
	if yesterday.Latest != nil || yesterday.Measured.Heat[95] == nil || yesterday.Measured.Cars[0] == nil || *yesterday.Measured.Cars[0] != 0 {
		t.Error("a past day of a site has measured values to its end and no latest plan")
	}
	if status, _ := b.do("GET", "/api/districts/fontaine/day?day=2026-02-31", nil); status != 422 {
		t.Errorf("the 31st of February answered %d, want 422", status)
	}
}

func TestBalance(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	for period, parts := range map[string]int{"day": 24, "month": 31, "year": 12} {
		v := get[console.BalanceView](b, "/api/districts/fontaine/balance?period="+period)
		if len(v.Parts) != parts {
			t.Errorf("%s has %d parts, want %d", period, len(v.Parts), parts)
		}
		var imp, prod float64
		for _, p := range v.Parts {
			imp, prod = imp+p.ImportKWh, prod+p.ProductionKWh
		}
		if math.Abs(imp-v.Total.ImportKWh) > 1e-6 || math.Abs(prod-v.Total.ProductionKWh) > 1e-6 || v.Total.ImportKWh == 0 {
			t.Errorf("%s: parts sum to %v and %v kWh, total %v and %v kWh", period, imp, prod, v.Total.ImportKWh, v.Total.ProductionKWh)
		}
	}
	if v := get[console.BalanceView](b, "/api/districts/fontaine/balance?period=day&date=2026-03-29"); len(v.Parts) != 23 || v.Total.Slots != 0 {
		t.Errorf("the day of 23 hours has %d parts and %d rows, want 23 and none", len(v.Parts), v.Total.Slots)
	}
	resp := b.request("GET", "/api/districts/fontaine/balance.csv?period=day&date=2026-01-13", nil)
	defer resp.Body.Close()
	lines, err := csv.NewReader(resp.Body).ReadAll()
	if err != nil || len(lines) != 97 {
		t.Fatalf("CSV of a day: %d lines, %v; want 97", len(lines), err)
	}
	col := map[string]int{}
	for i, name := range lines[0] {
		col[name] = i
	}
	for _, l := range lines[1:] {
		wh := func(name string) int64 {
			v, err := strconv.ParseInt(l[col[name]], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		if in, out := wh("import_wh")+wh("production_wh")+wh("discharge_wh")+wh("residual_wh"), wh("export_wh")+wh("charge_wh")+wh("heat_wh")+wh("cars_wh")+wh("other_wh"); in != out {
			t.Fatalf("row %s does not close: %d Wh in, %d Wh out", l[0], in, out)
		}
	}
}

func TestSeries(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	v := get[console.SeriesView](b, "/api/districts/fontaine/series?site=ecole&device=battery-1&quantity=soc&start=2026-01-14T06:00:00Z&end=2026-01-14T12:00:00Z&step_seconds=900")
	if len(v.Values) != 24 || v.Values[0] == nil || v.Values[23] != nil || v.Unit != "1" || v.Form != "gauge" || v.Quality[0] != "good" || v.Quality[23] != "" {
		t.Errorf("soc: %d values, unit %s, form %s", len(v.Values), v.Unit, v.Form)
	}
	for _, path := range []string{
		"/api/districts/fontaine/series?site=ecole&device=battery-1&quantity=soc&start=2026-01-14T06:00:00Z&end=2026-01-14T05:00:00Z",
		"/api/districts/fontaine/series?site=ecole&device=battery-1&quantity=soc&start=2025-01-14T06:00:00Z&end=2026-01-14T05:00:00Z&step_seconds=1",
		"/api/districts/fontaine/series?site=ecole&device=battery-1&quantity=soc&start=yesterday&end=2026-01-14T05:00:00Z",
	} {
		if status, _ := b.do("GET", path, nil); status != 422 {
			t.Errorf("GET %s answered %d, want 422", path, status)
		}
	}
	status, body := b.do("GET", "/api/districts/fontaine/export.csv?series=ecole/battery-1/soc,ecole/battery-1/power_kw&start=2026-01-14T06:00:00Z&end=2026-01-14T07:00:00Z", nil)
	if lines := strings.Count(string(body), "\n"); status != 200 || lines != 25 {
		t.Errorf("export answered %d with %d lines, want 25", status, lines)
	}
	if status, _ := b.do("GET", "/api/districts/fontaine/export.csv?series=lac/x&start=2026-01-14T06:00:00Z&end=2026-01-14T07:00:00Z", nil); status != 422 {
		t.Errorf("an export of a name with two parts answered %d, want 422", status)
	}
}

// events reads n events of a stream.
func events(t *testing.T, b *browser, path, last string, n int) []map[string]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", b.f.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("stream has type %q", got)
	}
	var out []map[string]string
	e := map[string]string{}
	for sc := bufio.NewScanner(resp.Body); len(out) < n && sc.Scan(); {
		if sc.Text() == "" {
			if e["event"] != "" {
				out = append(out, e)
			}
			e = map[string]string{}
			continue
		}
		key, value, _ := strings.Cut(sc.Text(), ": ")
		e[key] = value
	}
	if len(out) < n {
		t.Fatalf("stream ended after %d events, want %d", len(out), n)
	}
	return out
}

func TestStream(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	first := events(t, b, "/api/stream?district=fontaine", "", 3)
	var live console.LiveView
	if err := json.Unmarshal([]byte(first[0]["data"]), &live); err != nil || first[0]["event"] != "live" || live.District != "fontaine" || live.Flows.SunKW == nil {
		t.Errorf("first event %v (%v), want the live flows", first[0], err)
	}
	if first[1]["event"] != "state" || first[1]["id"] == "" || first[2]["event"] != "live" {
		t.Errorf("then %v, %v; want the state with an id, and live again", first[1], first[2]["event"])
	}
	for _, e := range events(t, b, "/api/stream?district=fontaine", first[1]["id"], 3) {
		if e["event"] == "state" {
			t.Error("a reader that resumes gets the state again though nothing changed")
		}
	}
	if _, err := f.world.Store.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: noon, Start: noon, StepMinutes: 15, Steps: 1, Status: "optimal"}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2100 * time.Millisecond) // beyond the time for which a plan is kept
	seen := false
	for _, e := range events(t, b, "/api/stream?district=fontaine", first[1]["id"], 3) {
		seen = seen || e["event"] == "state"
	}
	if !seen {
		t.Error("a reader that resumes does not hear of the new plan")
	}
	both := events(t, b, "/api/stream", "", 2)
	if !strings.Contains(both[0]["data"], `"fontaine"`) || !strings.Contains(both[1]["data"], `"lac"`) {
		t.Error("the stream of all districts does not hold both")
	}
}

func TestWebPage(t *testing.T) {
	f := start(t)
	resp := f.browser().request("GET", "/overview", nil)
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode == http.StatusNotFound { // without the tag web, only the front page explains
		resp = f.browser().request("GET", "/", nil)
		body, _ = io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "make build") {
			t.Errorf("/ without the web application answered %d %s", resp.StatusCode, body)
		}
		return
	}
	if resp.StatusCode != 200 || !strings.Contains(string(body), "<script") {
		t.Errorf("/overview answered %d %s", resp.StatusCode, body)
	}
}

// TestPlanLate: a plan is late by the age that the configuration of planning gives.
func TestPlanLate(t *testing.T) {
	for age, want := range map[time.Duration]bool{2 * time.Hour: false, 190 * time.Minute: true} {
		f := start(t, func(d *console.Deps) { d.PlanLateAfter = 3 * time.Hour })
		f.world.AdvanceSilently(age)
		o := get[console.Overview](f.signedIn("viewer"), "/api/districts/fontaine/overview")
		if late := slices.ContainsFunc(o.Alarms, func(a console.Alarm) bool { return a.Key == "plan-late" }); late != want {
			t.Errorf("%v after a plan that is late after three hours, late is %v", age, late)
		}
	}
}

// TestStatement: the statement agrees with the balance of the same period, indicators come with their formula, each profile stands beside the others, and what is asked wrongly is told fault by fault.
func TestStatement(t *testing.T) {
	b := start(t).signedIn("viewer")
	v := get[console.BalanceView](b, "/api/districts/fontaine/balance?period=month")
	s := get[balances.Statement](b, "/api/districts/fontaine/balance/statement?from="+v.Start.Format(time.RFC3339)+"&to="+v.End.Format(time.RFC3339)+"&step=day")
	if len(s.Total) != 1 || math.Abs(float64(s.Total[0].DeliveredWh)/1000-v.Total.ImportKWh) > 1e-6 || math.Abs(float64(s.Total[0].GeneratedWh)/1000-v.Total.ProductionKWh) > 1e-6 {
		t.Errorf("the statement has %+v, the balance %+v", s.Total, v.Total)
	}
	for _, k := range s.KPIs {
		if k.ID == "self_consumption" && (k.Value == nil || math.Abs(*k.Value-*v.Total.SelfConsumption) > 1e-12 || k.Version != 1 || k.Formula == "") {
			t.Errorf("self-consumption %+v, of the balance %v", k, *v.Total.SelfConsumption)
		}
	}
	if len(s.PED) != 2 || s.PED[0].Profile.ID != "high" || s.PED[1].Profile.ID != "low" || s.PED[0].Balances[0].Verdict != "open" || s.PED[0].Balances[0].Reason == "" {
		t.Fatalf("positive-energy balances %+v", s.PED)
	}
	high, low := s.PED[0].Balances[0], s.PED[1].Balances[0]
	if math.Abs(high.BalanceKWh/2.3-low.BalanceKWh/1.9) > 1e-6 || math.Abs(high.FinalBalanceKWh-low.FinalBalanceKWh) > 1e-9 {
		t.Errorf("balances %v and %v kWh", high.BalanceKWh, low.BalanceKWh)
	}
	if one := get[balances.Statement](b, "/api/districts/fontaine/balance/statement?from=2026-01-13&to=2026-01-14&profile=low"); len(one.PED) != 1 || one.Step != "hour" || len(one.Rows) != 24 {
		t.Errorf("a day by one profile: %d balances, %d rows by %s", len(one.PED), len(one.Rows), one.Step)
	}
	if list := get[[]balances.Profile](b, "/api/districts/fontaine/balance/profiles"); len(list) != 2 || list[0].Factors[0].Delivered != 2.3 {
		t.Errorf("profiles %+v", list)
	}
	status, body := b.do("GET", "/api/districts/fontaine/balance/statement?from=soon&to=2026-01-14&step=week&profile=none", nil)
	for _, w := range []string{"query.from", "query.step", "query.profile", "15m, hour, day, month or year"} {
		if status != 422 || !strings.Contains(string(body), w) {
			t.Errorf("status %d, %s does not name %s", status, body, w)
		}
	}
	for _, query := range []string{"from=2026-01-14&to=2026-01-13", "from=2026-01-14T00:07:00Z&to=2026-01-15", "from=2024-01-14&to=2026-01-15&step=15m"} {
		if status, _ := b.do("GET", "/api/districts/fontaine/balance/statement?"+query, nil); status != 422 {
			t.Errorf("%s answered %d, want 422", query, status)
		}
	}
}

// TestEventsNameThings: events and the audit log name sites and devices; what has no name keeps its id, and what is none of ours has none.
func TestEventsNameThings(t *testing.T) {
	f := start(t)
	for object, want := range map[string]string{
		"fontaine/parking/ev_charger-2": "Fontaine Nord · Parking Nord · Borne 2",
		"fontaine/ecole":                "Fontaine Nord · École Jean Macé",
		"lac":                           "Bord du Lac",
		"fontaine/_/weather":            "Fontaine Nord · Station météo",
		"fontaine/ecole/gone":           "Fontaine Nord · École Jean Macé · gone",
		"olga":                          "",
	} {
		if err := f.world.Store.AppendEvent(t.Context(), store.Event{Time: noon, Kind: store.AlarmEvent, Action: "device-lost", Object: object, Severity: "error"}); err != nil {
			t.Fatal(err)
		}
		list := get[[]console.EventInfo](f.signedIn("viewer"), "/api/events")
		i := slices.IndexFunc(list, func(e console.EventInfo) bool { return e.Object == object })
		if i < 0 || list[i].ObjectName != want || list[i].Action != "device-lost" {
			t.Errorf("%s is named %+v, want %q", object, list, want)
		}
	}
}
