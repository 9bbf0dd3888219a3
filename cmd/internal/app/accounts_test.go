package app

import (
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// TestStationResidual: the balance of a district with a transformer station closes against the station's counters to the watt-hour, slot by slot and over the day, and its residual is what
// the station metered beyond the sites.
func TestStationResidual(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("demo.yaml", text, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	d := &cfg.Districts[0]
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	start := time.Date(2026, 3, 3, 0, 0, 0, 0, time.UTC)
	const slots, lossWh = 96, 137.25 // in each slot, which whole watt-hours do not hold
	var samples []district.Sample
	station := map[string][]float64{}
	for slot := 0; slot <= slots; slot++ {
		at := start.Add(time.Duration(slot) * d.Step)
		net := 0.0
		for i := range d.Sites {
			for _, dev := range d.Sites[i].Devices {
				if dev.Kind != district.GridMeter {
					continue
				}
				in, out := float64(slot)*(0.21+0.013*float64(i)), float64(slot)*0.007*float64(i%3)
				net += in - out
				samples = append(samples, district.Sample{Series: dev.Series(d.ID, d.Sites[i].ID, district.ImportKWh), Time: at, Value: in},
					district.Sample{Series: dev.Series(d.ID, d.Sites[i].ID, district.ExportKWh), Time: at, Value: out})
			}
		}
		for i := range d.Devices {
			if dev := &d.Devices[i]; dev.Kind == district.Substation {
				for q, v := range map[string]float64{district.ImportKWh: net + float64(slot)*lossWh/1000, district.ExportKWh: 0} {
					samples = append(samples, district.Sample{Series: dev.Series(d.ID, district.DistrictSite, q), Time: at, Value: v})
					station[q] = append(station[q], v)
				}
			}
		}
	}
	if len(station[district.ImportKWh]) != slots+1 {
		t.Fatal("the demonstration has no single transformer station any more")
	}
	if err := st.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	acc, err := NewAccountant(cfg, d, st)
	if err != nil {
		t.Fatal(err)
	}
	sp := timegrid.NewSpan(start, start.Add(slots*d.Step))
	if err := acc.Close(t.Context(), sp); err != nil {
		t.Fatal(err)
	}
	rows, err := st.Balances(t.Context(), d.ID, "", sp)
	if err != nil {
		t.Fatal(err)
	}
	var whole []balance.Row
	for _, r := range rows {
		if r.Site == district.DistrictSite {
			whole = append(whole, r)
		} else if r.StationResidualWh != 0 {
			t.Errorf("site %s has a station's residual of %d Wh", r.Site, r.StationResidualWh)
		}
	}
	if len(whole) != slots {
		t.Fatalf("%d rows of the district, want %d", len(whole), slots)
	}
	wh := func(kwh float64) units.WattHours { return units.Energy(kwh).WattHours() }
	for i, r := range whole {
		metered := wh(station[district.ImportKWh][i+1]) - wh(station[district.ImportKWh][i])
		if r.NetWh()+r.StationResidualWh != metered || r.Unexplained() != 0 {
			t.Fatalf("slot %d: sites %d Wh and residual %d Wh, the station metered %d Wh", i, r.NetWh(), r.StationResidualWh, metered)
		}
	}
	sum := balance.Sum(whole)
	if got, want := float64(sum.StationResidualWh), slots*lossWh; got < want-25 || got > want+25 { // each site's counter is rounded at the ends of the day
		t.Errorf("the day's residual is %v Wh, want the %v Wh that the station metered beyond the sites", got, want)
	}
}
