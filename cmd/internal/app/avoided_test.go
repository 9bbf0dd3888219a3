package app

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/units"
)

// TestEnergyAvoidedIsPublished: what a report says of the energy that a member avoided is in the ledger with its interval, and an audit names what it rests on when that changes: a month of the baseline, the weather.
func TestEnergyAvoidedIsPublished(t *testing.T) {
	books, st, month := demoBooks(t)
	d := books.district
	m := &d.Members[0]
	books.cfg.District(d.ID).Baseline.Until = month.Start.In(d.Zone).Format(time.DateOnly)
	var past []balance.Row
	begin := month.Start.In(d.Zone).AddDate(-1, 0, 0)
	for at := begin.UTC(); at.Before(month.Start); at = at.Add(d.Step) {
		kw := (40 + 6*math.Max(0, 16-outdoor(at))) * (1 + 0.03*math.Sin(float64(5*int(at.In(d.Zone).Month()))))
		wh := units.Power(kw).Over(d.Step).WattHours()
		past = append(past, balance.Row{District: d.ID, Site: m.Site, Start: at, Step: d.Step, ImportWh: wh, OtherWh: wh, Coverage: 1})
	}
	var weather []district.Sample
	for at := begin.UTC(); !at.After(month.End); at = at.Add(30 * time.Minute) {
		weather = append(weather, district.Sample{Series: district.NewSeriesID(d.ID, district.DistrictSite, "weather", district.OutdoorC), Time: at, Value: outdoor(at)})
	}
	for len(past) > 0 {
		n := min(len(past), 5000)
		if err := st.SaveBalances(t.Context(), past[:n]); err != nil {
			t.Fatal(err)
		}
		past = past[n:]
	}
	if err := st.Append(t.Context(), weather); err != nil {
		t.Fatal(err)
	}
	written, err := books.Close(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	kwh := map[string]float64{}
	for _, f := range written {
		if f.Subject == "member/"+m.ID && strings.HasPrefix(f.Kind, "energy_avoided") {
			kwh[f.Kind] = f.Value
			if f.Method != "degree-day-regression" || f.MethodVersion != "1" || f.Unit != "kWh" || !f.Intact() {
				t.Errorf("figure %+v", f)
			}
		}
	}
	rows, err := st.Balances(t.Context(), d.ID, m.Site, month)
	if err != nil {
		t.Fatal(err)
	}
	a, ok, err := NewReporter(books.cfg, st, books.now).EnergyAvoided(t.Context(), d, m, month, rows)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	i, ok := a.Estimate()
	if !ok || len(kwh) != 3 || kwh["energy_avoided_kwh"] != i.KWh || kwh["energy_avoided_low_kwh"] != i.LowKWh || kwh["energy_avoided_high_kwh"] != i.HighKWh {
		t.Fatalf("published are %v, the report says %+v (%v)", kwh, i, a.Reasons())
	}
	audit := func() map[string]string { // what is told of each figure that differs
		t.Helper()
		out := map[string]string{}
		got, err := books.Audit(t.Context(), month)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range got.Findings {
			if f.Verdict != ledger.Same {
				out[f.Stored.Subject+" "+f.Stored.Kind] = strings.Join(f.Reasons, "; ")
			}
		}
		return out
	}
	if off := audit(); len(off) > 0 {
		t.Fatalf("right after the closing these differ: %v", off)
	}
	at := begin.AddDate(0, 4, 3).UTC()
	if err := st.SaveBalances(t.Context(), []balance.Row{{District: d.ID, Site: m.Site, Start: at, Step: d.Step, ImportWh: 5_000_000, OtherWh: 5_000_000, Coverage: 1}}); err != nil {
		t.Fatal(err)
	}
	off := audit()
	if why := off["member/"+m.ID+" energy_avoided_kwh"]; why != "balances "+d.ID+"/"+m.Site+" of the twelve months before 2026-03-01: changed after the closing" {
		t.Errorf("a changed month of the baseline is told as %q of %v", why, off)
	}
	for what := range off {
		if !strings.Contains(what, " energy_avoided_") {
			t.Errorf("%s rests on no month of the baseline", what)
		}
	}
}
