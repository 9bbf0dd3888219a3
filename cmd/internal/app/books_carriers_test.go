package app

import (
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/ledger"
	"quartier/schemas/timegrid"
)

// TestCarriersAreAudited: what the positive-energy balance rests on beside electricity is published and audited as well: heat and gas with the meters and the contents behind them, and each of their rows.
func TestCarriersAreAudited(t *testing.T) {
	w := newWorld(t)
	month := timegrid.Month(march, w.d.Zone)
	from, to := march.Add(-2*time.Hour), march.Add(2*time.Hour)
	w.write("home/grid/import_kwh", from, to, 5*time.Minute, since(from, 1))
	w.write("home/grid/export_kwh", from, to, 5*time.Minute, since(from, 0))
	w.write("_/network/heat_kwh", from, to, 5*time.Minute, since(from, 11))
	w.write("home/heat/heat_kwh", from, to, 5*time.Minute, since(from, 10))
	w.write("home/gas/gas_m3", from, to, 5*time.Minute, since(from, 0.4))
	cfg, err := config.Parse("house.yaml", []byte(house), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	open := func() *Books {
		b, err := NewBooks(cfg, &cfg.Districts[0], w.st, func() time.Time { return month.End.Add(closeAfter) })
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	written, err := open().Close(t.Context(), month)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range written {
		got[f.Subject+" "+f.Kind] = f.Value
		if f.Subject == "home" && f.Kind == "gas_delivered_wh" {
			var names []string
			for _, in := range f.Inputs {
				names = append(names, in.Name)
			}
			if all := strings.Join(names, ", "); !strings.Contains(all, "samples house/home/gas/gas_m3") || !strings.Contains(all, "configuration of the meters of home") || strings.Contains(all, "import_kwh") {
				t.Errorf("the gas of home rests on %s", all)
			}
		}
	}
	for name, want := range map[string]float64{"home heat_delivered_wh": 40_000, "home gas_delivered_wh": 16_800, "_ gas_consumed_wh": 16_800, "_ heat_delivered_wh": 44_000, "_ heat_residual_wh": -4000, "_ heat_exported_wh": 0} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	audit := func() *Audit {
		t.Helper()
		a, err := open().Audit(t.Context(), month)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if a := audit(); !a.Clean() || a.Rows != 4*4*6 { // a district and a home: electricity, heat and gas
		t.Errorf("after the closing %d of %d rows are off: %s", a.RowsOff, a.Rows, a.FirstOff)
	}
	// a row that somebody changed
	rows, err := w.st.Carriers(t.Context(), "house", "home", balance.Gas, timegrid.NewSpan(from, to))
	if err != nil {
		t.Fatal(err)
	}
	rows[3].DeliveredWh, rows[3].ConsumedWh = rows[3].DeliveredWh-500, rows[3].ConsumedWh-500
	if err := w.st.SaveCarriers(t.Context(), rows[3:4]); err != nil {
		t.Fatal(err)
	}
	a := audit()
	if a.Clean() || a.RowsOff != 1 || !strings.Contains(a.FirstOff, "gas of home at 2026-03-0") {
		t.Errorf("a changed row of gas: %d off, %q", a.RowsOff, a.FirstOff)
	}
	if _, err := open().Correct(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if a := audit(); !a.Clean() {
		t.Errorf("after the correction: %s", a.FirstOff)
	}
	// another content of the gas, which the rows rest on
	for _, dev := range cfg.Districts[0].AllDevices {
		if dev.ID == "gas" {
			dev.Meter.Gas[0].KWhPerM3 = 12
		}
	}
	told := false
	for _, f := range audit().Findings {
		if f.Verdict != ledger.Same && strings.HasPrefix(f.Stored.Kind, "gas_") {
			told = told || strings.Contains(strings.Join(f.Reasons, " "), "configuration of the meters of home")
		}
	}
	if !told {
		t.Error("the audit does not name the content of the gas, which was changed")
	}
}
