package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// market has a price by the hour of the day, published until an instant, and nonsense beyond.
type market struct {
	at    func(time.Time) float64
	until func() time.Time
}

func (m market) Import(sp timegrid.Span, step time.Duration) (out []float64, err error) {
	for slot := range sp.Slots(step) {
		v := m.at(slot.Start)
		if slot.End.After(m.until()) {
			v = 0.9
		}
		out = append(out, v)
	}
	return out, nil
}

func (m market) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return constant(0.04, sp.Count(step)), nil
}

// TestPricesBeyond: what a market has published is planned with as it is and without a band; what is said beyond is believed before anything is known, and foreseen from the past once days are.
func TestPricesBeyond(t *testing.T) {
	w := newSignalled(t)
	until := func() time.Time { return w.now.Truncate(24 * time.Hour).Add(24 * time.Hour) }
	m := market{func(at time.Time) float64 { return 0.2 + 0.1*math.Sin(float64(at.Unix())/86400*2*math.Pi) }, until}
	w.s.cfg.Prices = m
	w.s.cfg.Forecast.LookBackDays = 1
	w.s.cfg.Basis = func(_, _ time.Time) []district.Basis {
		return []district.Basis{{Input: "prices", Source: "market", Published: until(), Beyond: "similar-days"}}
	}
	look := func(p *district.Plan) (settled, beyond float64) {
		f := foreseenOf(p, district.ForecastPrice, "")
		for t, v := range f.Mean {
			at := p.Start.Add(time.Duration(t) * 15 * time.Minute)
			if d := math.Abs(v - m.at(at)); at.Before(until()) {
				settled = max(settled, d, f.High[t]-f.Low[t])
			} else if beyond = max(beyond, d); f.High[t] <= f.Low[t] {
				beyond = math.Inf(1) // nobody can be that sure
			}
			if p.ImportPrice[t] != v && math.Abs(p.ImportPrice[t]-v) > 1e-3 {
				return math.Inf(1), math.Inf(1)
			}
		}
		return settled, beyond
	}
	if settled, beyond := look(w.hours(t, 2)); settled > 1e-3 || beyond < 0.5 {
		t.Errorf("at first settled prices are off by %v, and others by %v", settled, beyond)
	}
	if settled, beyond := look(w.hours(t, 5*24)); settled > 1e-3 || beyond > 0.05 {
		t.Errorf("after days settled prices are off by %v, and others by %v", settled, beyond)
	}
}
