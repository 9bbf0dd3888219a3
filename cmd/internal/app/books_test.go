package app

import (
	"errors"
	"io/fs"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// demoBooks returns the books of three sites of the first demonstration district with a month of hourly readings: each counter of each device grows evenly, at its own rate.
func demoBooks(t *testing.T) (*Books, *sqlite.Store, timegrid.Span) {
	t.Helper()
	text, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("demo.yaml", text, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	d := &cfg.Districts[0]
	few := map[string]bool{"ecole-colette": true, "residence-lac": true, "maison-tilleuls": true}
	d.Sites = slices.DeleteFunc(d.Sites, func(x district.Site) bool { return !few[x.ID] })
	d.Members = slices.DeleteFunc(d.Members, func(x district.Member) bool { return !few[x.Site] })
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	month, err := timegrid.ParseMonth("2026-03", d.Zone) // with the day of 23 hours
	if err != nil {
		t.Fatal(err)
	}
	now := month.End.Add(closeAfter)
	books, err := NewBooks(cfg, d, st, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	var samples []district.Sample
	rate := 0.1
	for site, dev := range d.AllDevices {
		rate += 0.01
		for q, kw := range map[string]float64{district.ImportKWh: rate, district.ExportKWh: rate / 3} {
			for at := month.Start.Add(-time.Hour); !at.After(month.End.Add(time.Hour)); at = at.Add(time.Hour) {
				samples = append(samples, district.Sample{Series: dev.Series(d.ID, site, q), Time: at, Value: 100 + kw*at.Sub(month.Start).Hours()})
			}
		}
	}
	for at := month.Start; at.Before(month.End); at = at.Add(time.Hour) {
		samples = append(samples, district.Sample{Series: carbonSeries(d.ID), Time: at, Value: 30 + float64(at.Hour())})
	}
	if err := st.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	return books, st, month
}

// TestMonthIsClosedFromRawSamples: what is published is what an audit finds, member by member; late data makes new versions that say so; nothing is closed twice.
func TestMonthIsClosedFromRawSamples(t *testing.T) {
	books, st, month := demoBooks(t)
	written, err := books.Close(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	sum := map[string]float64{}
	for _, f := range written {
		kinds[f.Kind] = true
		if f.Subject != district.DistrictSite && !strings.HasPrefix(f.Subject, "member/") {
			sum[f.Kind] += f.Value
		}
		if f.Kind == "shared_wh" && strings.HasPrefix(f.Subject, "member/") {
			sum["shared with members"] += f.Value
		}
		if strings.HasPrefix(f.Subject, "member/") && strings.HasPrefix(f.Kind, "bill_effect_") {
			if f.Kind == "bill_effect_eur" {
				sum["bills"] += f.Value
			} else {
				sum["bills by period"] += f.Value
			}
		}
		if len(f.Inputs) == 0 || !f.Intact() || f.Version != 1 || f.Period != month {
			t.Errorf("figure %+v", f)
		}
	}
	for _, k := range []string{"import_wh", "cost_eur", "carbon_location_based_kg", "carbon_avoided_by_export_kg", "storage_and_control_saving_eur", "storage_and_control_saving_kg", "control_saving_eur", "peak_import_kw", "peak_import_uncontrolled_kw", "peak_import_by_rules_kw", "own_wh", "grid_wh", "bill_effect_eur"} {
		if !kinds[k] {
			t.Errorf("no figure %s", k)
		}
	}
	if math.Abs(sum["bills"]-sum["bills by period"]) > 1e-9 || sum["bills"] == 0 {
		t.Errorf("shared energy changed bills by %v EUR, by period %v EUR", sum["bills"], sum["bills by period"])
	}
	byKind := map[string]float64{}
	for _, f := range written {
		if f.Subject == district.DistrictSite {
			byKind[f.Kind] = f.Value
		}
	}
	for _, k := range []string{"production_wh", "consumption_wh", "charge_wh", "discharge_wh", "residual_wh"} {
		if sum[k] != byKind[k] {
			t.Errorf("the sites have %v of %s, the district %v", sum[k], k, byKind[k])
		}
	}
	if left := byKind["import_wh"] + byKind["production_wh"] + byKind["discharge_wh"] + byKind["residual_wh"] - byKind["export_wh"] - byKind["charge_wh"] - byKind["consumption_wh"]; left != 0 {
		t.Errorf("the district's figures leave %v Wh unexplained", left)
	}
	if sum["shared with members"] > sum["shared_wh"] {
		t.Errorf("members were given %v Wh of %v Wh shared", sum["shared with members"], sum["shared_wh"])
	}

	a, err := books.Audit(t.Context(), month)
	if err != nil || !a.Clean() || len(a.Findings) != len(written) {
		t.Fatalf("an audit after the closing: %d findings of %d, rows %d off (%s), %v", len(a.Findings), len(written), a.RowsOff, a.FirstOff, err)
	}
	if again, err := books.Close(t.Context(), month); err != nil || len(again) != 0 {
		t.Errorf("closed again: %d figures, %v", len(again), err)
	}

	// a meter that was away sends what it had
	d := books.district
	meter := d.Sites[0].Devices[0]
	for _, x := range d.Sites[0].Devices {
		if x.Kind == district.GridMeter {
			meter = x
		}
	}
	late := district.Sample{Series: meter.Series(d.ID, d.Sites[0].ID, district.ImportKWh), Time: month.Start.Add(100*time.Hour + 20*time.Minute)}
	beside := timegrid.NewSpan(month.Start.Add(100*time.Hour), month.Start.Add(101*time.Hour+time.Minute))
	if err := st.Read(t.Context(), []district.SeriesID{late.Series}, beside, func(s district.Sample) error {
		late.Value = s.Value - 0.05 // most of the hour's energy had been counted by then
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := st.Append(t.Context(), []district.Sample{late}); err != nil {
		t.Fatal(err)
	}
	a, err = books.Audit(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	told, sites := false, map[string]bool{}
	for _, f := range a.Findings {
		if f.Verdict != ledger.Same && f.Stored != nil { // a share of a peak is new where nothing was drawn before
			sites[f.Stored.Subject] = true
		}
		for _, r := range f.Reasons {
			told = told || strings.Contains(r, string(late.Series)+": late data, 1 more")
		}
	}
	if !told || a.RowsOff == 0 {
		t.Errorf("the late sample is not named; %d rows are off", a.RowsOff)
	}
	if len(sites) == 0 {
		t.Error("no figure differs")
	}
	fixed, err := books.Correct(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fixed {
		if strings.HasPrefix(f.Kind, "peak_reduction_") && f.Version == 1 {
			continue // nothing was drawn before, so there was no share of it
		}
		if f.Version != 2 || f.Supersedes != 1 || !strings.Contains(f.Reason, "late data") {
			t.Errorf("correction %s of %d: %s", &f, f.Supersedes, f.Reason)
		}
	}
	if a, err = books.Audit(t.Context(), month); err != nil || !a.Clean() {
		t.Errorf("after the correction %d rows are off, %v", a.RowsOff, err)
	}
	if _, err := books.Close(t.Context(), timegrid.Month(month.End.Add(time.Hour*24*40), d.Zone)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a month without a sample: %v", err)
	}
}

// TestAMonthThatLostSamplesIsNotPublishedAgain: what is left would make other figures; nothing is written, neither figures nor balance rows, and the audit says what was removed.
func TestAMonthThatLostSamplesIsNotPublishedAgain(t *testing.T) {
	books, st, month := demoBooks(t)
	written, err := books.Close(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Refresh(t.Context(), month.End.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	cutoff := month.Start.AddDate(0, 0, 10).UTC().Truncate(24 * time.Hour)
	if done, err := st.Retire(t.Context(), cutoff); err != nil || !done {
		t.Fatalf("retired: %v, %v", done, err)
	}
	before, err := st.Balances(t.Context(), books.district.ID, "", month)
	if err != nil {
		t.Fatal(err)
	}
	a, err := books.Audit(t.Context(), month)
	if err != nil || !a.Removed.Equal(cutoff) || a.Clean() {
		t.Fatalf("the audit says that samples of before %v were removed, %v: want %v", a.Removed, err, cutoff)
	}
	if _, err := books.Correct(t.Context(), a); err == nil || !strings.Contains(err.Error(), "2026-03-10 01:00") {
		t.Errorf("it is published again: %v", err)
	}
	after, err := st.Balances(t.Context(), books.district.ID, "", month)
	if err != nil || !reflect.DeepEqual(after, before) {
		t.Errorf("%d balance rows, %d before: %v", len(after), len(before), err)
	}
	if figures, err := books.Published(t.Context(), month); err != nil || len(figures) != len(written) {
		t.Errorf("%d figures are published, want the %d of before (%v)", len(figures), len(written), err)
	}
}

// TestFillsOfOtherDaysAreInputs: the days before a month by which its gaps are filled are inputs of its figures, so that an audit names them when they change.
func TestFillsOfOtherDaysAreInputs(t *testing.T) {
	books, st, month := demoBooks(t)
	d := books.district
	site := &d.Sites[0]
	k := slices.IndexFunc(site.Devices, func(x district.Device) bool { return x.Kind == district.GridMeter })
	id := site.Devices[k].Series(d.ID, site.ID, district.ImportKWh)
	begin := month.Start.AddDate(0, 0, -28)
	var before []district.Sample // each quarter-hour, more by day than at night, up to what the month begins with
	kwh := -1000.0
	for at := begin; at.Before(month.Start.Add(-2 * time.Hour)); at = at.Add(15 * time.Minute) {
		before = append(before, district.Sample{Series: id, Time: at, Value: kwh + 1050})
		if h := at.In(d.Zone).Hour(); h >= 8 && h < 20 {
			kwh += 0.2
		} else {
			kwh += 0.05
		}
	}
	// on the third day the meter is silent from 8 to 18
	away := timegrid.NewSpan(month.Start.Add(56*time.Hour), month.Start.Add(66*time.Hour))
	var silent []district.Sample
	if err := st.Read(t.Context(), []district.SeriesID{id}, away, func(s district.Sample) error {
		s.Quality = district.Bad
		silent = append(silent, s)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := st.Append(t.Context(), append(silent, before...)); err != nil {
		t.Fatal(err)
	}
	written, err := books.Close(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	named := func(subject string) bool {
		return slices.ContainsFunc(written, func(f ledger.Figure) bool {
			return f.Subject == subject && f.Kind == "import_wh" && slices.ContainsFunc(f.Inputs, func(x ledger.Input) bool {
				return strings.HasPrefix(x.Name, "samples "+string(id)+" of other days") && x.Count > 2000
			})
		})
	}
	if !named(site.ID) || named(d.Sites[1].ID) {
		t.Errorf("the days before are inputs of %s: %v, of %s: %v", site.ID, named(site.ID), d.Sites[1].ID, named(d.Sites[1].ID))
	}
	before[700].Value += 0.1
	if err := st.Append(t.Context(), before[700:701]); err != nil {
		t.Fatal(err)
	}
	again, err := NewBooks(books.cfg, d, st, books.now) // who audits remembers nothing
	if err != nil {
		t.Fatal(err)
	}
	a, err := again.Audit(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, f := range a.Findings {
		for _, r := range f.Reasons {
			if strings.Contains(r, string(id)+" of other days, which fill gaps: changed after the closing") {
				told[f.Stored.Subject] = true
			}
		}
	}
	if !told[site.ID] || told[d.Sites[1].ID] {
		t.Errorf("the changed day is told of %v", told)
	}
}

func TestOutside(t *testing.T) {
	at := func(from, to int) timegrid.Span {
		t0 := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		return timegrid.Span{Start: t0.Add(time.Duration(from) * time.Hour), End: t0.Add(time.Duration(to) * time.Hour)}
	}
	got := outside([]timegrid.Span{at(-5, -3), at(12, 13), at(-9, -4), at(-1, 11), at(2, 3), at(10, 11)}, at(0, 10))
	if want := []timegrid.Span{at(-9, -3), at(-1, 0), at(10, 11), at(12, 13)}; !slices.Equal(got, want) {
		t.Errorf("outside are %v, want %v", got, want)
	}
}

func TestLastClosed(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	for now, want := range map[string]string{"2026-04-01T00:00:00+02:00": "2026-02", "2026-04-02T11:59:00+02:00": "2026-02", "2026-04-02T12:00:00+02:00": "2026-03", "2026-04-30T00:00:00+02:00": "2026-03", "2026-01-05T00:00:00+01:00": "2025-12"} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		if got := lastClosed(at, paris).Start.In(paris).Format("2006-01"); got != want {
			t.Errorf("at %s the newest month to close is %s, want %s", now, got, want)
		}
	}
}
