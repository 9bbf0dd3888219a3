package balances

import (
	"context"
	"math"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

var paris = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return loc
}()

// record keeps rows in memory, by start then site.
type record struct {
	rows     []balance.Row
	carriers []balance.CarrierRow
	days     []balance.Day // nil: none are kept
	rollups  []rollup.Row
	errors   []district.ForecastError
	figures  []ledger.Figure
}

func (r *record) Rollup(_ context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, _ *time.Location, yield func(rollup.Row) error) error {
	for _, id := range series {
		for _, x := range r.rollups {
			if x.Series != id || step != rollup.Quarter || !sp.Contains(x.Start) {
				continue
			}
			if err := yield(x); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *record) ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error) {
	return o.Sum(ctx, r, slices.Collect(sp.Days(zone)))
}

func (r *record) Figures(context.Context, string, timegrid.Span, ...string) ([]ledger.Figure, error) {
	return r.figures, nil
}

func (r *record) ForecastErrors(context.Context, string, timegrid.Span) ([]district.ForecastError, error) {
	return r.errors, nil
}

func (r *record) Balances(_ context.Context, d, site string, sp timegrid.Span) (out []balance.Row, err error) {
	from := sort.Search(len(r.rows), func(i int) bool { return !r.rows[i].Start.Before(sp.Start) })
	for _, x := range r.rows[from:] {
		if !x.Start.Before(sp.End) {
			break
		}
		if x.District == d && x.Site == site {
			out = append(out, x)
		}
	}
	return out, nil
}

func (r *record) Carriers(_ context.Context, d, site string, c balance.Carrier, sp timegrid.Span) (out []balance.CarrierRow, err error) {
	from := sort.Search(len(r.carriers), func(i int) bool { return !r.carriers[i].Start.Before(sp.Start) })
	for _, x := range r.carriers[from:] {
		if !x.Start.Before(sp.End) {
			break
		}
		if x.District == d && x.Site == site && (c == "" || c == x.Carrier) {
			out = append(out, x)
		}
	}
	return out, nil
}

// BalanceDays sums days from their slots, but where they are kept.
func (r *record) BalanceDays(ctx context.Context, d, site string, sp timegrid.Span, zone *time.Location) (out []balance.Day, err error) {
	if r.days != nil {
		for _, x := range r.days {
			if x.District == d && x.Site == site && sp.Contains(x.Start) {
				out = append(out, x)
			}
		}
		return out, nil
	}
	return daily.FromRows(ctx, r, d, site, sp, zone)
}

func (r *record) BalanceSpan(_ context.Context, d string) (timegrid.Span, error) {
	if len(r.rows) == 0 {
		return timegrid.Span{}, store.ErrNotFound
	}
	last := r.rows[len(r.rows)-1]
	return timegrid.NewSpan(r.rows[0].Start, last.Start.Add(last.Step)), nil
}

// years is a district of two sites over whole years: one feeds at noon, the other draws in the evening, both heat.
func years(from, to time.Time, step time.Duration) *record {
	r := &record{}
	for s := range timegrid.NewSpan(from, to).Slots(step) {
		hour := s.Start.In(paris).Hour()
		roof := balance.Row{District: "d", Site: "roof", Start: s.Start, Step: step, Coverage: 1}
		flat := balance.Row{District: "d", Site: "flat", Start: s.Start, Step: step, Coverage: 1, OtherWh: 2000, ImportWh: 2000}
		if hour >= 10 && hour < 16 {
			roof.ProductionWh, roof.ExportWh = 9000, 9000
		}
		both := min(roof.ExportWh, flat.ImportWh)
		whole := balance.Row{District: "d", Site: "_", Start: s.Start, Step: step, Coverage: 1, ProductionWh: roof.ProductionWh, OtherWh: 2000, ImportWh: flat.ImportWh - both, ExportWh: roof.ExportWh - both, SharedWh: both}
		r.rows = append(r.rows, whole, flat, roof)
		heat := balance.CarrierRow{District: "d", Site: "flat", Carrier: balance.Heat, Start: s.Start, Step: step, Coverage: 1, DeliveredWh: 500, ConsumedWh: 500}
		at := heat
		at.Site = "_"
		r.carriers = append(r.carriers, at, heat)
	}
	return r
}

func profile(id string, elec float64, sites ...string) *ped.Profile {
	return &ped.Profile{ID: id, Version: 1, NameEN: id, NameFR: id, Boundary: "geographical", Sites: sites, Kind: ped.Total, Netting: ped.NetStep, KExp: 1, MinCoverage: 0.95,
		Carriers: []ped.Carrier{{Carrier: balance.Electricity, Factors: []ped.Factor{{Delivered: elec, Exported: elec}}}, {Carrier: balance.Heat, Factors: []ped.Factor{{Delivered: 1, Exported: 1}}}}}
}

func date(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, paris) }

// TestStatement: rows sum to the total whatever the step, days follow the clock changes, periods end where the record does, profiles stand side by side and may bound some sites alone.
func TestStatement(t *testing.T) {
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour, ImportLimitKW: 10, Sites: []district.Site{{ID: "flat"}, {ID: "roof"}}}
	st := years(date(2025, 1, 1), date(2026, 11, 21), time.Hour)
	ask := func(from, to time.Time, step string, profiles ...*ped.Profile) *Statement {
		t.Helper()
		s, err := ParseStep(step, d.Step)
		if err != nil {
			t.Fatal(err)
		}
		out, err := Make(t.Context(), st, Query{District: d, Site: "_", Span: timegrid.NewSpan(from, to), Step: s, Profiles: profiles})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	spring := ask(date(2026, 3, 28), date(2026, 3, 31), "day")
	if len(spring.Rows) != 6 || spring.Rows[2].Slots != 23 || spring.Rows[2].Coverage != 1 || spring.Rows[2].Carrier != "electricity" || spring.Rows[3].Carrier != "heat" {
		t.Errorf("days around the clock change: %+v", spring.Rows)
	}
	for _, step := range []string{"60m", "hour", "day", "month", "year"} {
		s := ask(date(2026, 1, 10), date(2026, 3, 5), step)
		var elec, heat int64
		for _, l := range s.Rows {
			if l.Carrier == "heat" {
				heat += l.DeliveredWh
			} else {
				elec += l.ExportedWh
			}
		}
		if s.Total[0].ExportedWh != elec || s.Total[1].DeliveredWh != heat || elec != 54*6*7000 {
			t.Errorf("by %s: %d Wh exported and %d Wh of heat, the total is %+v", step, elec, heat, s.Total)
		}
	}
	a, b, only := profile("a", 2.3), profile("b", 0.5), profile("only-the-roof", 1, "roof")
	s := ask(date(2025, 1, 1), date(2026, 1, 1), "month", a, b, only)
	if len(s.PED) != 3 || len(s.Rows) != 24 || s.Last == nil || !s.Last.Equal(date(2026, 11, 21)) {
		t.Fatalf("%d balances, %d rows", len(s.PED), len(s.Rows))
	}
	want := map[string]float64{"a": 365 * (2.3*(6*7-18*2) - 24*0.5), "b": 365 * (0.5*(6*7-18*2) - 24*0.5), "only-the-roof": 365 * 6 * 9}
	for _, p := range s.PED {
		r := p.Balances[0]
		if r.Period != "span" || math.Abs(r.BalanceKWh-want[p.Profile.ID]) > 1e-6 || (r.Verdict == "positive") != (r.BalanceKWh > 0) || r.Coverage != 1 {
			t.Errorf("%s: %+v, want %v kWh", p.Profile.ID, r, want[p.Profile.ID])
		}
	}
	if s.PED[2].Balances[0].Unmetered[0] != "heat" {
		t.Errorf("the roof alone meters no heat: %+v", s.PED[2].Balances[0])
	}
	now := ask(date(2026, 11, 1), date(2026, 12, 1), "day", a)
	periods := map[string]string{}
	for _, r := range now.PED[0].Balances {
		periods[r.Period] = r.Start.In(paris).Format(time.DateOnly) + " " + r.End.In(paris).Format(time.DateOnly) + " " + r.Verdict
	}
	for period, w := range map[string]string{"span": "2026-11-01 2026-12-01 open", "year": "2025-01-01 2026-01-01 positive", "rolling_12_months": "2025-11-01 2026-11-01 positive", "year_to_date": "2026-01-01 2026-11-21 open"} {
		if periods[period] != w {
			t.Errorf("%s is %q, want %q", period, periods[period], w)
		}
	}
	// years alike are projected to themselves
	if j := now.PED[0].Projection; j == nil || math.Abs(j.BalanceKWh-want["a"]) > 1e-3 || j.HighKWh-j.LowKWh > 1e-3 || j.Days < 56 {
		t.Errorf("projection %+v (%s), want %v kWh", j, now.PED[0].NoProject, want["a"])
	}
	none := ask(date(2020, 1, 1), date(2020, 1, 2), "hour", a)
	if len(none.Rows) != 0 || len(none.KPIs) == 0 || none.KPIs[0].Value != nil {
		t.Errorf("a day without rows: %+v", none)
	}
}

// TestUsesLeftOut: three hours of a district whose cars take 3 kWh of 4 from the grid, 2 of its sun, and 5 where 1 kWh is fed: without them 1 kWh is delivered and 2 and 6 are exported. Profiles with and without stand side by side.
func TestUsesLeftOut(t *testing.T) {
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour}
	st, at := &record{}, date(2026, 1, 1)
	for i, r := range []balance.Row{{ImportWh: 4000, CarsWh: 3000, OtherWh: 1000}, {ProductionWh: 2000, CarsWh: 2000}, {ProductionWh: 6000, ExportWh: 1000, CarsWh: 5000}} {
		r.District, r.Site, r.Step, r.Start, r.Coverage = "d", "_", time.Hour, at.UTC().Add(time.Duration(i)*time.Hour), 1
		st.rows = append(st.rows, r)
	}
	with, without := profile("with", 1), profile("without", 1)
	without.Excluded = []ped.Use{ped.Mobility}
	s, err := Make(t.Context(), st, Query{District: d, Site: "_", Span: timegrid.NewSpan(at, at.Add(3*time.Hour)), Step: DefaultStep(timegrid.NewSpan(at, at.Add(3*time.Hour))), Profiles: []*ped.Profile{with, without, with}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][2]float64{{4, 1}, {1, 8}, {4, 1}} {
		if r := s.PED[i].Balances[0]; r.PEIKWh != want[0] || r.PEEKWh != want[1] {
			t.Errorf("by %s %v kWh were delivered and %v exported, want %v", s.PED[i].Profile.ID, r.PEIKWh, r.PEEKWh, want)
		}
	}
	if !reflect.DeepEqual(s.PED[1].Profile.Excluded, []string{"mobility"}) || len(s.PED[0].Profile.Excluded) > 0 {
		t.Errorf("the uses left out are %v and %v", s.PED[0].Profile.Excluded, s.PED[1].Profile.Excluded)
	}
}

// TestFactorsThatLack: a profile without a factor for a carrier that is metered says so, and the others stand.
func TestFactorsThatLack(t *testing.T) {
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour}
	st := years(date(2026, 1, 1), date(2026, 1, 3), time.Hour)
	p := profile("short", 1)
	p.Carriers = p.Carriers[:1]
	step, _ := ParseStep("day", d.Step)
	s, err := Make(t.Context(), st, Query{District: d, Site: "_", Span: timegrid.NewSpan(date(2026, 1, 1), date(2026, 1, 3)), Step: step, Profiles: []*ped.Profile{p, profile("whole", 1)}})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.PED[0].Error, "no factor for heat") || s.PED[1].Error != "" || len(s.PED[1].Balances) == 0 {
		t.Errorf("balances %+v", s.PED)
	}
}
