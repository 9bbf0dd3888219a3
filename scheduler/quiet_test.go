package scheduler

import (
	"testing"
	"time"

	"quartier/schemas/order"
)

// TestQuietHoursKeepTheSafeShare: where the connection is not measured and its limit is in force, quiet hours give a car no more than its share of the limit.
func TestQuietHoursKeepTheSafeShare(t *testing.T) {
	for kw, want := range map[float64]float64{7: 8, 4.5: 6, 0: 0} { // 8 A are half of 12 kW
		p := newPlant(t)
		keep(p.town)
		give(t, p.town, order.Order{Site: "s", Device: "ev", Kind: order.Quiet, Value: kw, From: "00:00", To: "00:00"})
		p.d.Sites[0].ImportLimitKW = 12
		p.load = 5
		p.advance(2*time.Minute, "grid")
		p.s.Dispatch(t.Context())
		if got := p.cmd["ev"]; got != want || p.own["ev"] {
			t.Errorf("quiet hours of %v kW: the car has %v A, own control %v; want %v A", kw, got, p.own["ev"], want)
		}
	}
}
