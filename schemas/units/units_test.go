package units

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestPowerAndEnergyAreInverse: a power held for a time and the mean power of that energy are the same.
func TestPowerAndEnergyAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Power(rapid.Float64Range(-1e6, 1e6).Draw(t, "kw"))
		d := time.Duration(rapid.Int64Range(1, int64(1000*time.Hour)).Draw(t, "d"))
		if got := p.Over(d).Mean(d); math.Abs(float64(got-p)) > 1e-9*(1+math.Abs(float64(p))) {
			t.Fatalf("(%v kW over %v) mean = %v kW", p, d, got)
		}
	})
}

// TestConversionsAreInverse: bringing a value to the stored unit and back is identity, for every known unit.
func TestConversionsAreInverse(t *testing.T) {
	for name := range conversions {
		c, err := Convert(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, raw := range []float64{-273.15, -1, 0, 0.1, 37, 1e6} {
			if got := c.Raw(c.Stored(raw)); math.Abs(got-raw) > 1e-9*(1+math.Abs(raw)) {
				t.Errorf("%s: %v -> %v -> %v", name, raw, c.Stored(raw), got)
			}
		}
	}
}

func TestConvert(t *testing.T) {
	for _, tt := range []struct {
		from   string
		raw    float64
		to     Unit
		stored float64
	}{
		{"W", 1500, KW, 1.5}, {"GJ", 3.6, KWh, 1000}, {"K", 293.15, DegC, 20}, {"degF", 68, DegC, 20}, {"%", 55, ShareUnit, 0.55}, {"mA", 16000, Ampere, 16},
	} {
		c, err := Convert(tt.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Stored(tt.raw); c.To != tt.to || math.Abs(got-tt.stored) > 1e-9 {
			t.Errorf("%v %s = %v %s, want %v %s", tt.raw, tt.from, got, c.To, tt.stored, tt.to)
		}
	}
	if _, err := Convert("furlong"); err == nil {
		t.Error("Convert(furlong) succeeded, want an error that names the unit")
	}
}

func TestCostAndEmission(t *testing.T) {
	if got := Energy(62).Cost(0.0359); math.Abs(float64(got)-2.2258) > 1e-9 {
		t.Errorf("62 kWh at 0.0359 EUR/kWh = %v EUR, want 2.2258 EUR", got)
	}
	if got := Energy(1000).Emission(21.7); math.Abs(float64(got)-21.7) > 1e-9 {
		t.Errorf("1000 kWh at 21.7 g/kWh = %v kg, want 21.7 kg", got)
	}
}
