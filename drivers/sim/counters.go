package sim

import (
	"math"
	"time"

	"quartier/schemas/district"
)

// reset brings the world to an instant before its first step.
func (w *World) reset(t time.Time) { w.now = t.UTC() }

// settle sets every counter to what a device in use since 2021 would show at an instant, by a rough estimate of its yearly energy and the same for the same seed: recorded
// history that ends there stays above zero, and a world that starts later does not count from lower.
func (w *World) settle(at time.Time) {
	years := math.Max(2.5, at.Sub(time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)).Hours()/8766)
	for _, d := range w.districts {
		imported, exported := 0.0, 0.0
		for _, s := range d.sites {
			i, e := s.settle(years)
			imported, exported = imported+i, exported+e
		}
		for _, s := range d.substation {
			s.importKWh, s.exportKWh = round3(years*imported), round3(years*exported)
		}
	}
}

// age is how many years of work a device's counters show.
func (m *machine) age(years float64) float64 { return years + unit01(mix(m.hash, hashText("age"))) }

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }

// settle returns the energy that the site draws and feeds in a year, as estimated.
func (s *siteState) settle(years float64) (imported, exported float64) {
	demand, yield := s.meanKW*8760, 0.0
	for _, p := range s.machines {
		m := p.base()
		switch x := p.(type) {
		case *inverter:
			yearly := 1500 * x.peakKW
			m.exportKWh, m.importKWh = round3(m.age(years)*yearly), round3(m.age(years)*5*x.ratedKW)
			yield += yearly
		case *heatPump:
			yearly := 2500 * x.maxKW
			m.importKWh, x.heatKWh = round3(m.age(years)*yearly), round3(m.age(years)*3.5*yearly)
			m.exportKWh = 0
			demand += yearly
		case *tank:
			yearly := 3000 * x.elementKW
			m.importKWh, m.exportKWh = round3(m.age(years)*yearly), 0
			demand += yearly
		case *charger:
			yearly := 6000.0
			m.importKWh, m.exportKWh = round3(m.age(years)*yearly), 0
			demand += yearly
		case *lamps:
			yearly := 4000 * x.ratedKW // hours of darkness
			m.importKWh, m.exportKWh = round3(m.age(years)*yearly), 0
			demand += yearly
		}
	}
	for _, p := range s.heat {
		if x, ok := p.(*boiler); ok {
			x.importKWh = round3(x.age(years) * x.yearlyKWh())
		}
	}
	for _, b := range s.storage {
		yearly := 400 * b.capacityKWh
		b.importKWh, b.exportKWh = round3(b.age(years)*yearly), round3(b.age(years)*yearly*0.9)
		demand += yearly * 0.2
	}
	for _, m := range s.loads {
		m.importKWh, m.exportKWh = round3(m.age(years)*1.1*s.meanKW*8760), 0
	}
	for _, m := range s.grid {
		m.importKWh, m.exportKWh = round3(m.age(years)*demand), round3(m.age(years)*yield)
	}
	return demand, yield
}

// counters lists the exact counters of a device that a profile may offer.
var counters = []string{district.ImportKWh, district.ExportKWh, district.HeatKWh, district.GasM3}
