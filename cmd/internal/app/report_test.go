package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// rows keeps balance rows in memory.
type rows []balance.Row

func (r rows) Balances(_ context.Context, d, site string, sp timegrid.Span) (out []balance.Row, err error) {
	for _, x := range r {
		if x.District == d && (site == "" || x.Site == site) && sp.Contains(x.Start) {
			out = append(out, x)
		}
	}
	return out, nil
}
func (r rows) Rollup(context.Context, []district.SeriesID, timegrid.Span, rollup.Step, *time.Location, func(rollup.Row) error) error {
	return nil
}
func (r rows) BalanceSpan(context.Context, string) (timegrid.Span, error) {
	return timegrid.Span{}, store.ErrNotFound
}

// TestReportOfAMonth: members of a site together get exactly the site's energies, whatever their shares; every format and language is made; a month without data is not found.
func TestReportOfAMonth(t *testing.T) {
	t.Parallel()
	f, err := testdata.Districts().Open("demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("demo.yaml", text, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	d := &cfg.Districts[0]
	site := d.Members[len(d.Members)/2].Site
	month, err := timegrid.ParseMonth("2026-03", d.Zone)
	if err != nil {
		t.Fatal(err)
	}
	var rs rows
	i := units.WattHours(0)
	for s := range month.Slots(d.Step) {
		i++
		r := balance.Row{District: d.ID, Site: site, Start: s.Start, Step: d.Step, ImportWh: 700 + i%13, ProductionWh: i % 400, OtherWh: 700 + i%13 + i%400, SharedWh: i % 50, Coverage: 1, CarbonKg: 0.02}
		w := r
		w.Site, w.ExportWh = district.DistrictSite, i%77
		rs = append(rs, r, w)
	}
	rep := NewReporter(cfg, rs, func() time.Time { return month.End })
	sum, shares := units.WattHours(0), 0.0
	for k := range d.Members {
		m := &d.Members[k]
		if m.Site != site {
			continue
		}
		for _, lang := range []string{"fr", "en", ""} {
			for _, format := range []string{"html", "pdf"} {
				doc, err := rep.Report(t.Context(), d.ID, m.ID, "2026-03", format, lang)
				if err != nil || len(doc) < 1000 || format == "pdf" && !bytes.HasPrefix(doc, []byte("%PDF-")) {
					t.Fatalf("%s %s %q: %d bytes, %v", m.ID, format, lang, len(doc), err)
				}
			}
		}
		data, err := rep.Data(t.Context(), d, m, month, "fr")
		if err != nil {
			t.Fatal(err)
		}
		if err := data.Validate(); err != nil {
			t.Error(err)
		}
		sum, shares = sum+data.ConsumptionWh, shares+m.ShareOfSite
	}
	want := balance.Sum(func() []balance.Row { r, _ := rs.Balances(t.Context(), d.ID, site, month); return r }()).ConsumptionWh()
	if got := float64(sum) - shares*float64(want); got > 200 || got < -200 { // each of up to three origins of each member is rounded once
		t.Errorf("members of %s with shares of %v used %d Wh of %d Wh", site, shares, sum, want)
	}
	if _, err := rep.Report(t.Context(), d.ID, d.Members[0].ID, "2024-01", "html", "fr"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a month without data: %v, want not found", err)
	}
	if _, err := rep.Report(t.Context(), d.ID, "nobody", "2026-03", "html", "fr"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown member: %v, want not found", err)
	}
	if _, err := rep.Report(t.Context(), d.ID, d.Members[0].ID, "March", "html", "fr"); err == nil {
		t.Error("month March accepted")
	}
}
