package tariff

import (
	"math"
	"testing"
	"time"

	"quartier/schemas/timegrid"
)

// TestMarket: a fed tariff has the prices that were published, by the formula of its row, each for its quarter-hour, and none where none was.
func TestMarket(t *testing.T) {
	noon := time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)
	tar := &Tariff{ID: "live", Kind: Dynamic, Fed: true, Rows: []Row{{From: noon.AddDate(0, -1, 0), Times: 1, Plus: 0.1, VAT: 0.2}},
		Market: func(at time.Time) (float64, bool) {
			return float64(at.Sub(noon)/(15*time.Minute)) / 100, at.Before(noon.Add(time.Hour))
		}}
	got, err := tar.Import(timegrid.NewSpan(noon, noon.Add(time.Hour)), 30*time.Minute)
	if err != nil || len(got) != 2 || math.Abs(got[0]-1.2*0.105) > 1e-12 || math.Abs(got[1]-1.2*0.125) > 1e-12 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := tar.Import(timegrid.NewSpan(noon, noon.Add(2*time.Hour)), time.Hour); err == nil {
		t.Error("a price that nobody published")
	}
	if at, ok := tar.NextChange(noon.Add(time.Minute)); !ok || !at.Equal(noon.Add(15*time.Minute)) {
		t.Errorf("next change %v %v", at, ok)
	}
	tar.Market = nil
	if _, err := tar.At(noon); err == nil {
		t.Error("a price without a market")
	}
}
