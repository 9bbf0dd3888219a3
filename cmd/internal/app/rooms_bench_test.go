package app

import (
	"fmt"
	"maps"
	"math"
	"testing"
	"time"

	"quartier/drivers/sim"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
)

// BenchmarkRooms lets the demonstration's district live two winter days, planned every two hours, after three weeks under its own control, with rooms that are configured as they are, or to lose less or more than they do, and learned from the record or not: what
// rooms lack to their comfort, what heating takes, and what the district costs.
//
//	go test ./cmd/internal/app -run '^$' -bench BenchmarkRooms -benchtime 1x
func BenchmarkRooms(b *testing.B) {
	const days = 21
	begin := time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC)
	for _, factor := range []float64{1, 1.5, 0.7} {
		for _, learned := range []bool{false, true} {
			b.Run(fmt.Sprintf("resistance=%g/learned=%v", factor, learned), func(b *testing.B) {
				for b.Loop() {
					l := newLife(b, "demo", 0, begin.AddDate(0, 0, -days), true)
					for l.now.Before(begin) {
						l.now = l.now.Add(l.d.Step)
						l.w.Advance(l.now)
						l.slot()
					}
					for _, dev := range l.d.AllDevices {
						if dev.HeatPump != nil {
							dev.HeatPump.ResistanceKPerKW *= factor
						}
					}
					lack, heated := 0.0, l.heatPumpsKWh()
					l.costEUR, l.wearEUR = 0, 0
					stored := l.storedKWh()
					for end := begin.Add(48 * time.Hour); l.now.Before(end); {
						if !learned {
							maps.DeleteFunc(l.slots, func(id district.SeriesID, _ []rollup.Row) bool {
								_, _, _, quantity, _ := id.Parts()
								return quantity == district.IndoorC
							})
						}
						l.live(1.0/96, 2*time.Hour, 5*time.Minute)
						for site, dev := range l.d.AllDevices {
							if h := dev.HeatPump; h != nil {
								c, _ := l.w.Value(sim.Ref{District: l.d.ID, Site: site, Device: dev.ID}, district.IndoorC)
								lack += l.d.Step.Hours() * math.Max(0, h.MinC-c)
							}
						}
					}
					b.ReportMetric(lack, "lack-Kh")
					b.ReportMetric(l.heatPumpsKWh()-heated, "heating-kWh")
					b.ReportMetric(l.total(stored, 0.18), "EUR")
				}
			})
		}
	}
}

// heatPumpsKWh is what all heat pumps have taken since the begin.
func (l *life) heatPumpsKWh() (kwh float64) {
	for site, dev := range l.d.AllDevices {
		if dev.HeatPump != nil {
			v, _ := l.w.Value(sim.Ref{District: l.d.ID, Site: site, Device: dev.ID}, district.ImportKWh)
			kwh += v
		}
	}
	return kwh
}
