package config

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
	"quartier/schemas/timegrid"
)

// TestBuiltinProfilesFlipTheSign: the same district and meters, in 2026, are above zero by the factors of RE2020 and below by those of the DPE; each factor has a source.
func TestBuiltinProfilesFlipTheSign(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	list, err := BuiltinPED(paris)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"final-energy": -1200, "fr-re2020-tot": 360, "fr-dpe-tot": -120, "en-iso-52000-1-nren": -360, "en-iso-52000-1-step-a": -3810} // MWh
	year := timegrid.Year(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), paris)
	rows := []balance.CarrierRow{
		{Carrier: balance.Electricity, Start: year.Start, Step: time.Hour, DeliveredWh: 300_000_000, Coverage: 1},
		{Carrier: balance.Electricity, Start: year.Start.Add(time.Hour), Step: time.Hour, ExportedWh: 1_500_000_000, Coverage: 1},
		{Carrier: balance.Heat, Start: year.Start, Step: time.Hour, DeliveredWh: 2_400_000_000, Coverage: 1},
	}
	for _, p := range list {
		r, err := p.Compute(rows, year, ped.Frame{Zone: paris, Step: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(r.BalanceKWh/1000-want[p.ID]) > 1e-6 || !p.Builtin {
			t.Errorf("%s: balance %v MWh, want %v MWh", p, r.BalanceKWh/1000, want[p.ID])
		}
		delete(want, p.ID)
		for _, c := range balance.Carriers() {
			if !p.Counts(c) {
				t.Errorf("%s counts no %s: a district that meters it has no balance", p, c)
			}
		}
		for _, c := range p.Carriers {
			for _, f := range c.Factors {
				if strings.TrimSpace(f.Source) == "" {
					t.Errorf("%s: a factor of %s has no source", p, c.Carrier)
				}
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("no profiles %v", want)
	}
}
