package config

import (
	"math"
	"testing"
	"time"

	"quartier/schemas/sharing/bill"
)

// TestBillFromData: the worked example of a member's bill, with every figure from a file: 13.59 ct/kWh avoided while shared energy is exempt of excise, 9.89 ct/kWh were it not;
// 62 kWh at 10 ct/kWh save 2.23 EUR. From 2027 the file's terms have their own network charge and no exemption.
func TestBillFromData(t *testing.T) {
	cfg, err := Parse("sharing.yaml", read(t, data+"config/good/sharing.yaml"), options())
	if err != nil {
		t.Fatal(err)
	}
	d := cfg.District("operation")
	zone := cfg.Districts[0].Zone
	terms := d.Sharing.BillTerms(zone)
	effect := func(id string, terms []bill.Term, start time.Time) bill.Line {
		e, err := bill.Of(cfg.Tariffs[id], terms, []bill.Slot{{Start: start, End: start.Add(15 * time.Minute), SharedWh: 62_000}})
		if err != nil {
			t.Fatal(err)
		}
		return e.Total
	}
	march, later := time.Date(2026, 3, 10, 12, 0, 0, 0, zone), time.Date(2027, 1, 10, 12, 0, 0, 0, zone)
	taxed := []bill.Term{{PriceEURPerKWh: 0.10}}
	for _, tt := range []struct {
		name      string
		got, want float64
		by        float64
	}{
		{"avoided, exempt", effect("bleu-base", terms, march).AvoidedEUR / 62, 0.1359, 5e-5},
		{"avoided, not exempt", effect("bleu-base", taxed, march).AvoidedEUR / 62, 0.0989, 5e-5},
		{"saved in a month", effect("bleu-base", terms, march).EffectEUR(), 2.23, 0.005},
		{"lost in a month without the exemption", effect("bleu-base", taxed, march).EffectEUR(), -0.0011 * 62, 0.003},
		{"from 2027", effect("bleu-base", terms, later).EffectEUR() / 62, 0.1940 - (0.03+0.03085)*1.2 - 0.09, 1e-9},
		{"peak", effect("bleu-hp-hc", terms, march).AvoidedEUR / 62, 0.2065 - 0.05*1.2, 1e-9},
		{"off-peak", effect("bleu-hp-hc", terms, march.Add(12*time.Hour)).AvoidedEUR / 62, 0.1579 - 0.035*1.2, 1e-9},
	} {
		if math.Abs(tt.got-tt.want) > tt.by {
			t.Errorf("%s: %.5f EUR, want %.5f EUR", tt.name, tt.got, tt.want)
		}
	}
	if p, err := cfg.Tariffs["bleu-base"].At(march); err != nil || p.NetworkSource == "" || p.ExciseSource == "" || p.VATSource == "" || p.Source == "" {
		t.Errorf("a price without its sources: %+v (%v)", p, err)
	}
	if got, want := cfg.Tariffs["bleu-hp-hc"].NewestFee(true), (0.05+0.035)/2*1.2; math.Abs(got-want) > 1e-12 {
		t.Errorf("the fee for planning is %g EUR/kWh, want %g", got, want)
	}
}
