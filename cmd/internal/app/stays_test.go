package app

import (
	"cmp"
	"context"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quartier/cmd/internal/balances"
	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// eveningKW is what a garage draws beside its cars from 18 to 21 h UTC.
const eveningKW = 5.0

// garage is a site with a charger, and a load in the evening.
type garage struct {
	*Books
	site    string
	charger district.SeriesID // whether a car is there
	maxKW   float64
	samples []district.Sample
	sp      timegrid.Span
	carsWh  units.WattHours // what the cars took in the span
}

// marchDay is an instant of a day of March 2026.
func marchDay(day int, clock time.Duration) time.Time {
	return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC).Add(clock)
}

// atNight is from 01:00 to 03:00.
func atNight(t time.Time) bool { return t.Hour() == 1 || t.Hour() == 2 }

// threeDays is a garage where one car comes at 18:06 and leaves at 07:21 the next day, and the next comes at 19:00 and stays for 40 hours. Each charges from 01:00 to 03:00.
func threeDays(t *testing.T) *garage {
	return newGarage(t, timegrid.NewSpan(marchDay(3, 11*time.Hour), marchDay(6, 23*time.Hour)), 3*time.Minute, atNight,
		timegrid.NewSpan(marchDay(3, 18*time.Hour+6*time.Minute), marchDay(4, 7*time.Hour+21*time.Minute)), timegrid.NewSpan(marchDay(4, 19*time.Hour), marchDay(6, 11*time.Hour)))
}

// newGarage returns a garage with the samples of a span: the cars of stays charge at the charger's power when charges says so.
func newGarage(t *testing.T, sp timegrid.Span, poll time.Duration, charges func(time.Time) bool, stays ...timegrid.Span) *garage {
	t.Helper()
	cfg := mustParseDemo(t)
	d := &cfg.Districts[0]
	g := &garage{sp: sp}
	var charger *district.Device
	for i := range d.Sites {
		for k := range d.Sites[i].Devices {
			if dev := &d.Sites[i].Devices[k]; dev.Kind == district.EVCharger && charger == nil {
				charger, g.site = dev, d.Sites[i].ID
			}
		}
	}
	kept := *charger
	grid := district.Device{}
	for _, dev := range d.Site(g.site).Devices {
		if dev.Kind == district.GridMeter {
			grid = dev
		}
	}
	d.Sites = slices.DeleteFunc(d.Sites, func(x district.Site) bool { return x.ID != g.site })
	d.Sites[0].Devices = []district.Device{grid, kept}
	d.Devices, d.Members = nil, nil
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if g.Books, err = NewBooks(cfg, d, st, func() time.Time { return marchDay(34, 0) }); err != nil {
		t.Fatal(err)
	}
	g.maxKW, g.charger = kept.EVCharger.MaxKW, kept.Series(d.ID, g.site, district.Connected)
	kwh, drawn := 0.0, 0.0
	for now := sp.Start.Add(-time.Hour); now.Before(sp.End.Add(time.Hour)); now = now.Add(poll) {
		plugged, kw := 0.0, 0.0
		for _, s := range stays {
			if s.Contains(now) {
				plugged = 1
				if charges(now) {
					kw = g.maxKW
				}
			}
		}
		g.samples = append(g.samples, district.Sample{Series: g.charger, Time: now, Value: plugged})
		for _, q := range []string{district.ImportKWh, district.ExportKWh} {
			car, all := kwh, drawn
			if q == district.ExportKWh {
				car, all = 0, 0
			}
			g.samples = append(g.samples, district.Sample{Series: kept.Series(d.ID, g.site, q), Time: now, Value: car}, district.Sample{Series: grid.Series(d.ID, g.site, q), Time: now, Value: all})
		}
		g.samples = append(g.samples, district.Sample{Series: kept.Series(d.ID, g.site, district.PowerKW), Time: now, Value: kw})
		kwh += kw * poll.Hours()
		if drawn += kw * poll.Hours(); now.Hour() >= 18 && now.Hour() < 21 {
			drawn += eveningKW * poll.Hours()
		}
	}
	g.carsWh = units.WattHours(math.Round(kwh * 1000))
	return g
}

// inPieces tells when the baseline charges the cars, at which mean power in kW, by rows of pieces of the span, each computed by who remembers nothing, or all by one accountant.
func (g *garage) inPieces(t *testing.T, pieces []timegrid.Span, alone bool) map[time.Time]float64 {
	t.Helper()
	out := map[time.Time]float64{}
	var acc *Accountant
	for _, sp := range pieces {
		if alone || acc == nil {
			var err error
			if acc, err = NewAccountant(g.cfg, g.district, g.store); err != nil {
				t.Fatal(err)
			}
		}
		for at, kw := range onArrivalAt(t, acc, g.site, sp) {
			out[at] = kw
		}
	}
	return out
}

// civilDays cuts a span at midnight.
func (g *garage) civilDays(sp timegrid.Span) (out []timegrid.Span) {
	for day := timegrid.Day(sp.Start, g.district.Zone); day.Start.Before(sp.End); day = timegrid.Day(day.End, g.district.Zone) {
		out = append(out, day.Overlap(sp))
	}
	return out
}

// every cuts a span into pieces.
func every(piece time.Duration, sp timegrid.Span) (out []timegrid.Span) {
	for at := sp.Start; at.Before(sp.End); at = at.Add(piece) {
		out = append(out, timegrid.NewSpan(at, at.Add(piece)).Overlap(sp))
	}
	return out
}

// onArrivalAt tells when the baseline of a site would have charged its cars, at which mean power in kW.
func onArrivalAt(t *testing.T, acc *Accountant, site string, sp timegrid.Span) map[time.Time]float64 {
	t.Helper()
	out := map[time.Time]float64{}
	got, err := acc.account(t.Context(), sp)
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for _, r := range got.rows {
		if r.Site != site {
			continue
		}
		if wh := got.cars[site][i]; wh != 0 {
			out[r.Start] = wh.KWh() / r.Step.Hours()
		}
		i++
	}
	return out
}

// TestACarThatStaysOverNightChargesWhenItCame: in the baseline, wherever a span is cut, and once a day where a car stays for longer than one.
func TestACarThatStaysOverNightChargesWhenItCame(t *testing.T) {
	g := threeDays(t)
	if err := g.store.Append(t.Context(), g.samples); err != nil {
		t.Fatal(err)
	}
	energy := map[int]float64{}
	for at, kw := range onArrivalAt(t, g.accountant, g.site, g.sp) {
		energy[at.Day()] += kw / 4
		if kw > g.maxKW+1e-9 || at.Hour() < 18 || at.Hour() > 21 {
			t.Errorf("the baseline charges at %s with %v kW", at, kw)
		}
	}
	for _, day := range []int{3, 4, 5} {
		if math.Abs(energy[day]-2*g.maxKW) > 0.002 {
			t.Errorf("the baseline charges %v kWh on March %d, want the %v kWh that the car took later", energy[day], day, 2*g.maxKW)
		}
	}
}

// TestTheBaselineDoesNotDependOnWhereASpanIsCut: it charges what was measured, in the same slots in one piece and in many.
func TestTheBaselineDoesNotDependOnWhereASpanIsCut(t *testing.T) {
	always := func(time.Time) bool { return true }
	span := func(fromDay int, from time.Duration, toDay int, to time.Duration) timegrid.Span {
		return timegrid.NewSpan(marchDay(fromDay, from), marchDay(toDay, to))
	}
	clock := func(h, min int) time.Duration { return time.Duration(h)*time.Hour + time.Duration(min)*time.Minute }
	for name, tt := range map[string]struct {
		span    timegrid.Span
		poll    time.Duration
		charges func(time.Time) bool
		stays   []timegrid.Span
		silent  timegrid.Span // of the charger
		pieces  time.Duration
	}{
		"nights":                  {span: span(3, clock(11, 0), 6, clock(23, 0)), charges: atNight, stays: []timegrid.Span{span(3, clock(18, 6), 4, clock(7, 21)), span(4, clock(19, 0), 6, clock(11, 0))}},
		"two cars in a slot":      {span: span(3, clock(11, 0), 4, clock(12, 0)), charges: always, stays: []timegrid.Span{span(3, clock(14, 0), 3, clock(18, 10)), span(3, clock(18, 12), 3, clock(20, 10))}},
		"three cars in a slot":    {span: span(3, clock(11, 0), 5, clock(12, 0)), charges: always, stays: []timegrid.Span{span(3, clock(11, 4), 4, clock(18, 4)), span(4, clock(18, 6), 4, clock(18, 8)), span(4, clock(18, 10), 4, clock(20, 11))}},
		"a part that ends there":  {span: span(3, clock(11, 0), 5, clock(12, 0)), charges: always, stays: []timegrid.Span{span(3, clock(18, 6), 4, clock(18, 10)), span(4, clock(18, 12), 5, clock(3, 0))}},
		"silent when a part ends": {span: span(3, clock(11, 0), 6, clock(12, 0)), charges: atNight, stays: []timegrid.Span{span(3, clock(2, 0), 6, clock(11, 0))}, silent: span(4, clock(20, 0), 5, clock(4, 0))},
		"silent for nine days":    {span: span(3, clock(11, 0), 18, clock(12, 0)), poll: 10 * time.Minute, charges: atNight, stays: []timegrid.Span{span(3, clock(18, 0), 17, clock(11, 0))}, silent: span(5, clock(13, 0), 14, clock(16, 0)), pieces: 5 * time.Hour},
		"eleven days":             {span: span(3, clock(11, 0), 15, clock(12, 0)), poll: 10 * time.Minute, charges: atNight, stays: []timegrid.Span{span(3, clock(18, 3), 14, clock(11, 0))}, pieces: 5 * time.Hour},
		"for ever":                {span: span(-5, 0, 30, 0), poll: 15 * time.Minute, charges: atNight, stays: []timegrid.Span{span(-6, 0, 31, 0)}, pieces: 71 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGarage(t, tt.span, cmp.Or(tt.poll, 2*time.Minute), tt.charges, tt.stays...)
			g.samples = slices.DeleteFunc(g.samples, func(s district.Sample) bool { return tt.silent.Contains(s.Time) })
			if err := g.store.Append(t.Context(), g.samples); err != nil {
				t.Fatal(err)
			}
			whole := onArrivalAt(t, g.accountant, g.site, g.sp)
			var kwh float64
			for _, kw := range whole {
				kwh += kw / 4
			}
			if tt.stays[0].Start.After(g.sp.Start) && math.Abs(kwh-g.carsWh.KWh()) > 0.001*kwh {
				t.Errorf("the baseline charges %v kWh, the cars took %v kWh", kwh, g.carsWh.KWh())
			}
			for piece, cut := range map[string]map[time.Time]float64{"hours": g.inPieces(t, every(cmp.Or(tt.pieces, time.Hour), g.sp), true), "civil days": g.inPieces(t, g.civilDays(g.sp), false)} {
				wrong := 0
				for at := tt.span.Start; at.Before(tt.span.End); at = at.Add(g.district.Step) {
					if math.Abs(cut[at]-whole[at]) > 1e-9 {
						if wrong++; wrong < 4 {
							t.Errorf("by %s the baseline charges with %v kW at %s, in one piece with %v kW", piece, cut[at], at, whole[at])
						}
					}
				}
			}
		})
	}
}

// closedAsTimeGoesBy appends the samples of a garage as they come and closes the last two hours each time that some time has passed.
func (g *garage) closedAsTimeGoesBy(t *testing.T, stride time.Duration) {
	t.Helper()
	k := 0
	for end := g.sp.Start.Add(stride); !end.After(g.sp.End); end = end.Add(stride) {
		var some []district.Sample
		for ; k < len(g.samples) && g.samples[k].Time.Before(end.Add(3*time.Second)); k++ {
			some = append(some, g.samples[k])
		}
		if err := g.store.Append(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		if err := g.accountant.Close(t.Context(), timegrid.NewSpan(later(end.Add(-closedAgain), g.sp.Start), end)); err != nil {
			t.Fatal(err)
		}
	}
	if err := g.store.Append(t.Context(), g.samples[k:]); err != nil {
		t.Fatal(err)
	}
}

// TestRowsAreClosedAgainWhenACarLeaves: rows that are closed slot by slot as time goes by come to what a closing by civil days makes, by who remembers nothing.
func TestRowsAreClosedAgainWhenACarLeaves(t *testing.T) {
	for name, tt := range map[string]struct {
		garage *garage
		stride time.Duration
	}{
		"three days": {threeDays(t), 15 * time.Minute},
		"thirty days": {newGarage(t, timegrid.NewSpan(marchDay(0, 11*time.Hour), marchDay(30, 11*time.Hour)), 15*time.Minute, atNight,
			timegrid.NewSpan(marchDay(0, 18*time.Hour), marchDay(30, 7*time.Hour))), 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if underRace && tt.stride > time.Hour {
				t.Skip("four hundred closings take minutes with the race detector")
			}
			g := tt.garage
			g.closedAsTimeGoesBy(t, tt.stride)
			got, err := g.store.Balances(t.Context(), g.district.ID, "", g.sp)
			if err != nil {
				t.Fatal(err)
			}
			acc, err := NewAccountant(g.cfg, g.district, g.store)
			if err != nil {
				t.Fatal(err)
			}
			var want []balance.Row
			for _, day := range g.civilDays(g.sp) {
				rows, err := acc.Rows(t.Context(), day)
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, rows...)
			}
			sort := func(a, b balance.Row) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Site, b.Site)) }
			slices.SortStableFunc(want, sort)
			slices.SortStableFunc(got, sort)
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i := range want {
				if !sameRow(&got[i], &want[i]) {
					t.Fatalf("row %d as time went by\n%+v\nby civil days\n%+v", i, got[i], want[i])
				}
			}
		})
	}
}

// countedReads counts the samples of a series that were read.
type countedReads struct {
	store.Store
	of district.SeriesID
	n  atomic.Int64
}

// Read is as the contract says.
func (c *countedReads) Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	return c.Store.Read(ctx, series, sp, func(s district.Sample) error {
		if s.Series == c.of {
			c.n.Add(1)
		}
		return yield(s)
	})
}

// TestAnArrivalIsLookedForOnce: closing the last two hours reads a little of a charger whose car is there for weeks, after the first time.
func TestAnArrivalIsLookedForOnce(t *testing.T) {
	g := newGarage(t, timegrid.NewSpan(marchDay(3, 0), marchDay(18, 0)), 5*time.Minute, atNight, timegrid.NewSpan(marchDay(3, time.Hour), marchDay(20, 0)))
	if err := g.store.Append(t.Context(), g.samples); err != nil {
		t.Fatal(err)
	}
	counted := &countedReads{Store: g.store, of: g.charger}
	g.accountant.store = counted
	var read []int64
	for at := g.sp.End.Add(-2 * time.Hour); at.Before(g.sp.End); at = at.Add(15 * time.Minute) {
		counted.n.Store(0)
		if _, err := g.accountant.Rows(t.Context(), timegrid.NewSpan(at.Add(-closedAgain), at)); err != nil {
			t.Fatal(err)
		}
		read = append(read, counted.n.Load())
	}
	if days := int64(24 * 12); read[0] < 14*days || slices.Max(read[1:]) > 2*days {
		t.Errorf("%v samples were read of a charger with %d a day whose car is there for two weeks", read, days)
	}
}

// TestPeaksArePublished: cars that are charged at night and not in the evening, when they came, keep the peak from being that of both; the ledger has it by both comparisons, which are the same without storage, and so has
// the statement of the month, with the share of it that was measured.
func TestPeaksArePublished(t *testing.T) {
	g := threeDays(t)
	books, sp, maxKW := g.Books, g.sp, g.maxKW
	if err := books.store.Append(t.Context(), g.samples); err != nil {
		t.Fatal(err)
	}
	d := books.district
	month := timegrid.Month(sp.Start, d.Zone)
	written, err := books.Close(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range written {
		if f.Subject == district.DistrictSite {
			got[f.Kind] = f.Value
		}
	}
	want := 1 - maxKW/(maxKW+eveningKW)
	for kind, v := range map[string]float64{"peak_import_kw": maxKW, "peak_import_uncontrolled_kw": maxKW + eveningKW, "peak_import_by_rules_kw": maxKW + eveningKW, "peak_reduction_uncontrolled_share": want,
		"peak_reduction_by_rules_share": want} {
		if x, ok := got[kind]; !ok || math.Abs(x-v) > 0.01 { // of meters that are rounded to a watt-hour in a slot
			t.Errorf("%s is %v, want %v", kind, x, v)
		}
	}
	s, err := balances.Make(t.Context(), books.store, balances.Query{District: d, Site: district.DistrictSite, Span: month, Step: balances.DefaultStep(month), Now: month.End})
	if err != nil {
		t.Fatal(err)
	}
	for id, kind := range map[string]string{"peak_reduction_uncontrolled": "peak_reduction_uncontrolled_share", "peak_reduction_by_rules": "peak_reduction_by_rules_share"} {
		i := slices.IndexFunc(s.KPIs, func(k balances.KPI) bool { return k.ID == id })
		if i < 0 || s.KPIs[i].Value == nil || math.Abs(*s.KPIs[i].Value-got[kind]) > 1e-12 || math.Abs(s.KPIs[i].Coverage-got["coverage_share"]) > 1e-9 || s.KPIs[i].Coverage > 0.13 {
			t.Errorf("the statement has %s as %+v, the ledger %v with coverage %v", id, s.KPIs[i], got[kind], got["coverage_share"])
		}
	}
}

// TestTheFirstRowThatIsOffTellsItsBaseline: a row that an earlier version closed differs in its baseline alone.
func TestTheFirstRowThatIsOffTellsItsBaseline(t *testing.T) {
	start := marchDay(3, 0)
	row := balance.Row{District: "fontaine", Site: district.DistrictSite, Start: start, Step: 15 * time.Minute, ImportWh: 1250, CostEUR: 0.25, BaselineCostEUR: 0.75}
	g := newGarage(t, timegrid.NewSpan(start, start.Add(time.Hour)), time.Hour, atNight)
	if err := g.store.SaveBalances(t.Context(), []balance.Row{row}); err != nil {
		t.Fatal(err)
	}
	now := row
	now.District, now.BaselineCostEUR = g.district.ID, 0.5
	a := &Audit{Month: timegrid.Month(start, g.district.Zone), rows: []balance.Row{now}}
	if err := g.compareRows(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if a.RowsOff != 1 || !strings.HasSuffix(a.FirstOff, "cost 0.250000 EUR, 0.250000 EUR; baseline cost 0.750000 EUR, 0.500000 EUR") {
		t.Errorf("%d rows are off, the first: %q", a.RowsOff, a.FirstOff)
	}
}

func mustParseDemo(t testing.TB) *config.Config {
	t.Helper()
	text, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("demo.yaml", text, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
