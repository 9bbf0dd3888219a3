package app

import (
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quartier/cmd/internal/balances"
	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// eveningKW is what a garage draws beside its cars from 18 to 21 h UTC.
const eveningKW = 5.0

// garage are the books of a site with a charger and a load in the evening, and the samples of three days: one car comes at 18:06 and leaves at 07:21 the next day, the next comes at 19:00 and stays for
// 40 hours. Each charges from 01:00 to 03:00 at the charger's power.
func garage(t *testing.T) (books *Books, site string, samples []district.Sample, sp timegrid.Span, maxKW float64) {
	t.Helper()
	cfg := mustParseDemo(t)
	d := &cfg.Districts[0]
	var charger *district.Device
	for i := range d.Sites {
		for k := range d.Sites[i].Devices {
			if dev := &d.Sites[i].Devices[k]; dev.Kind == district.EVCharger && charger == nil {
				charger, site = dev, d.Sites[i].ID
			}
		}
	}
	kept := *charger
	grid := district.Device{}
	for _, dev := range d.Site(site).Devices {
		if dev.Kind == district.GridMeter {
			grid = dev
		}
	}
	d.Sites = slices.DeleteFunc(d.Sites, func(x district.Site) bool { return x.ID != site })
	d.Sites[0].Devices = []district.Device{grid, kept}
	d.Devices, d.Members = nil, nil
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if books, err = NewBooks(cfg, d, st, func() time.Time { return time.Date(2026, 4, 3, 0, 0, 0, 0, time.UTC) }); err != nil {
		t.Fatal(err)
	}
	sp = timegrid.NewSpan(time.Date(2026, 3, 3, 11, 0, 0, 0, time.UTC), time.Date(2026, 3, 6, 23, 0, 0, 0, time.UTC))
	maxKW = kept.EVCharger.MaxKW
	at := func(day int, clock time.Duration) time.Time {
		return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC).Add(clock)
	}
	stays := []timegrid.Span{timegrid.NewSpan(at(3, 18*time.Hour+6*time.Minute), at(4, 7*time.Hour+21*time.Minute)), timegrid.NewSpan(at(4, 19*time.Hour), at(6, 11*time.Hour))}
	kwh, drawn := 0.0, 0.0
	for now := sp.Start.Add(-time.Hour); now.Before(sp.End.Add(time.Hour)); now = now.Add(3 * time.Minute) {
		plugged, kw := 0.0, 0.0
		for _, s := range stays {
			if s.Contains(now) {
				plugged = 1
				if now.Hour() >= 1 && now.Hour() < 3 {
					kw = maxKW
				}
			}
		}
		samples = append(samples, district.Sample{Series: kept.Series(d.ID, site, district.Connected), Time: now, Value: plugged})
		for _, q := range []string{district.ImportKWh, district.ExportKWh} {
			car, all := kwh, drawn
			if q == district.ExportKWh {
				car, all = 0, 0
			}
			samples = append(samples, district.Sample{Series: kept.Series(d.ID, site, q), Time: now, Value: car}, district.Sample{Series: grid.Series(d.ID, site, q), Time: now, Value: all})
		}
		samples = append(samples, district.Sample{Series: kept.Series(d.ID, site, district.PowerKW), Time: now, Value: kw})
		kwh += kw / 20
		if drawn += kw / 20; now.Hour() >= 18 && now.Hour() < 21 {
			drawn += eveningKW / 20
		}
	}
	return books, site, samples, sp, maxKW
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
	books, site, samples, sp, maxKW := garage(t)
	acc := books.accountant
	if err := acc.store.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	whole := onArrivalAt(t, acc, site, sp)
	energy := map[int]float64{}
	for at, kw := range whole {
		energy[at.Day()] += kw / 4
		if kw > maxKW+1e-9 || at.Hour() < 18 || at.Hour() > 21 {
			t.Errorf("the baseline charges at %s with %v kW", at, kw)
		}
	}
	for _, day := range []int{3, 4, 5} {
		if math.Abs(energy[day]-2*maxKW) > 0.002 {
			t.Errorf("the baseline charges %v kWh on March %d, want the %v kWh that the car took later", energy[day], day, 2*maxKW)
		}
	}
	for _, piece := range []time.Duration{time.Hour, 24 * time.Hour} {
		cut := map[time.Time]float64{}
		for at := sp.Start; at.Before(sp.End); at = at.Add(piece) {
			for start, kw := range onArrivalAt(t, acc, site, timegrid.NewSpan(at, at.Add(piece)).Overlap(sp)) {
				cut[start] = kw
			}
		}
		if len(cut) != len(whole) {
			t.Errorf("in pieces of %s the baseline charges in %d slots, in one piece in %d", piece, len(cut), len(whole))
		}
		for at, kw := range whole {
			if cut[at] != kw {
				t.Errorf("in pieces of %s the baseline charges with %v kW at %s, in one piece with %v kW", piece, cut[at], at, kw)
			}
		}
	}
}

// TestRowsAreClosedAgainWhenACarLeaves: rows that are closed slot by slot as time goes by come to what a closing of the whole span makes.
func TestRowsAreClosedAgainWhenACarLeaves(t *testing.T) {
	books, _, samples, sp, _ := garage(t)
	acc := books.accountant
	st := acc.store
	k := 0
	for end := sp.Start.Add(acc.district.Step); !end.After(sp.End); end = end.Add(acc.district.Step) {
		var some []district.Sample
		for ; k < len(samples) && samples[k].Time.Before(end.Add(3*time.Second)); k++ {
			some = append(some, samples[k])
		}
		if err := st.Append(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		start := end.Add(-closedAgain)
		if start.Before(sp.Start) {
			start = sp.Start
		}
		if err := acc.Close(t.Context(), timegrid.NewSpan(start, end)); err != nil {
			t.Fatal(err)
		}
	}
	if err := st.Append(t.Context(), samples[k:]); err != nil {
		t.Fatal(err)
	}
	got, err := st.Balances(t.Context(), acc.district.ID, "", sp)
	if err != nil {
		t.Fatal(err)
	}
	want, err := acc.Rows(t.Context(), sp)
	if err != nil {
		t.Fatal(err)
	}
	sort := func(a, b balance.Row) int { return a.Start.Compare(b.Start) }
	slices.SortStableFunc(want, sort)
	slices.SortStableFunc(got, sort)
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if !sameRow(&got[i], &want[i]) {
			t.Fatalf("row %d as time went by\n%+v\nin one piece\n%+v", i, got[i], want[i])
		}
	}
}

// TestPeaksArePublished: cars that are charged at night and not in the evening, when they came, keep the peak from being that of both; the ledger has it by both comparisons, which are the same without storage, and so has
// the statement of the month, with the share of it that was measured.
func TestPeaksArePublished(t *testing.T) {
	books, _, samples, sp, maxKW := garage(t)
	if err := books.store.Append(t.Context(), samples); err != nil {
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
