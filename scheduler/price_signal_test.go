package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/scheduler/foresee"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// market has the prices that are published, and beyond what its feed foresees.
type market struct {
	at        func(time.Time) float64
	published func(time.Time) bool
	beyond    func(time.Time) float64
}

func (m *market) Import(sp timegrid.Span, step time.Duration) (out []float64, err error) {
	for slot := range sp.Slots(step) {
		v := m.at(slot.Start)
		if !m.published(slot.Start) {
			v = m.beyond(slot.Start)
		}
		out = append(out, v)
	}
	return out, nil
}

func (m *market) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return constant(0.04, sp.Count(step)), nil
}

func (m *market) basis(slot timegrid.Span) PriceBasis {
	if m.published(slot.Start) {
		return PriceSettled
	}
	return PriceEstimated
}

// daily is a price with a course of the day.
func daily(at time.Time) float64 {
	return 0.2 + 0.1*math.Sin(float64(at.Unix())/86400*2*math.Pi)
}

// traded is a town whose prices are those of a market that publishes every day until its end in UTC.
func traded(t *testing.T) (*signalled, *market) {
	w := newSignalled(t)
	m := &market{at: daily, beyond: func(time.Time) float64 { return 0.9 }}
	m.published = func(at time.Time) bool { return at.Before(w.midnight()) }
	w.s.cfg.Prices, w.s.cfg.PriceBasis = m, m.basis
	return w, m
}

// midnight is the next one in UTC.
func (w *signalled) midnight() time.Time { return w.now.Truncate(24 * time.Hour).Add(24 * time.Hour) }

// off is by how much prices of a plan are off at most, of slots that are published and of others: from what comes, and from what their source says now.
func (m *market) off(p *district.Plan) (settled, beyond, said float64) {
	for t, v := range p.ImportPrice {
		if at := p.Start.Add(time.Duration(t) * 15 * time.Minute); m.published(at) {
			settled = max(settled, math.Abs(v-m.at(at)))
		} else {
			beyond, said = max(beyond, math.Abs(v-m.at(at))), max(said, math.Abs(v-m.beyond(at)))
		}
	}
	return settled, beyond, said
}

// TestPricesBeyond: what a market has published is planned with as it is and without a band. What its feed has beyond is believed, with a band, until what is foreseen from the past was better for days, and once it is right again.
// That other prices are planned with than the source has asks for no new plan, and other prices of the source do.
func TestPricesBeyond(t *testing.T) {
	w, m := traded(t)
	noisy := func(at time.Time) float64 { return daily(at) + 0.01*math.Sin(float64(at.Unix()/3600)) }
	m.at = noisy
	bands := func(p *district.Plan) {
		t.Helper()
		f := foreseenOf(p, district.ForecastPrice, "")
		for i, v := range f.Mean {
			if settled := m.published(p.Start.Add(time.Duration(i) * 15 * time.Minute)); settled != (f.High[i] <= f.Low[i]) || math.Abs(p.ImportPrice[i]-v) > 1e-3 {
				t.Fatalf("slot %d, settled %v: %v between %v and %v is shown where %v is planned with", i, settled, v, f.Low[i], f.High[i], p.ImportPrice[i])
			}
		}
	}
	p := w.hours(t, 3*24)
	bands(p)
	if settled, _, said := m.off(p); settled > 1e-9 || said > 1e-9 {
		t.Errorf("after three days settled prices are off by %v, and others by %v from what the feed has", settled, said)
	}
	p = w.hours(t, 6*24)
	bands(p)
	if settled, beyond, _ := m.off(p); settled > 1e-9 || beyond > 0.05 {
		t.Errorf("after nine days settled prices are off by %v, and others by %v", settled, beyond)
	}
	if w.s.otherPrices(p, w.now) {
		t.Error("a plan is asked for since it was made with better prices than its source has")
	}
	m.beyond = noisy
	if !w.s.otherPrices(p, w.now) {
		t.Error("no plan is asked for though the source has other prices")
	}
	if _, _, said := m.off(w.hours(t, 18*24)); said > 1e-9 {
		t.Errorf("a feed that is right again is off by %v", said)
	}
}

// TestYoungFeed: prices that a feed assumed before it knew any do not count as what was paid: no plan is farther off than its feed is.
func TestYoungFeed(t *testing.T) {
	w, m := traded(t)
	since := w.now.Truncate(24 * time.Hour)
	m.published = func(at time.Time) bool { return at.Before(w.midnight()) && !at.Before(since) }
	m.beyond = func(at time.Time) float64 {
		for back := range 10 { // as the day before, where that is known
			if then := at.Add(-time.Duration(back) * 24 * time.Hour); m.published(then) {
				return m.at(then)
			}
		}
		return 0.15
	}
	for day := range 8 {
		if settled, _, said := m.off(w.hours(t, 8)); settled > 1e-9 || said > 1e-9 {
			t.Errorf("day %d: settled prices are off by %v, and others by %v from what the feed has, which is right", day, settled, said)
		}
		w.hours(t, 16)
	}
	if _, known := w.s.foresight.HeardUntil(foresee.Key{Site: district.DistrictSite, Quantity: district.ForecastPrice}); known > w.now.Sub(since) {
		t.Errorf("prices of %v are taken to be known, %v after the first that was published", known, w.now.Sub(since))
	}
}

// TestSettledTariff: a tariff that no market makes is planned with to the digit, whatever feeds there are.
func TestSettledTariff(t *testing.T) {
	w, m := traded(t)
	m.at = func(at time.Time) float64 { // off-peak hours by night and on Saturday and Sunday
		if h, day := at.UTC().Hour(), at.UTC().Weekday(); h >= 22 || h < 6 || day == time.Saturday || day == time.Sunday {
			return 0.15
		}
		return 0.25
	}
	m.published = func(time.Time) bool { return true }
	w.s.cfg.PriceBasis = nil
	w.s.cfg.Basis = func(_, _ time.Time) []district.Basis {
		return []district.Basis{{Input: "prices", Source: "market of a site", Published: w.midnight(), Beyond: "similar-days"}}
	}
	for range 8 {
		p := w.hours(t, 24)
		if off, _, _ := m.off(p); off > 1e-9 {
			t.Errorf("%v: the plan's price is off the tariff by up to %.3f EUR/kWh", p.Start.Weekday(), off)
		}
		if f := foreseenOf(p, district.ForecastPrice, ""); !f.Settled || f.Low != nil || f.High != nil {
			t.Errorf("%v: a tariff is between %v and %v", p.Start.Weekday(), f.Low, f.High)
		}
	}
}

// TestPublishedBesideAGap: where one quarter-hour of now is missing of what is published, the others are settled as before, however much better something else was foreseen than what the feed has.
func TestPublishedBesideAGap(t *testing.T) {
	w, m := traded(t)
	w.hours(t, 9*24)
	m.at = func(at time.Time) float64 { return daily(at) + 0.1*math.Sin(float64(at.Unix())/86400*2*math.Pi/5.3) }
	gap := w.now.Add(time.Hour).Truncate(15 * time.Minute)
	m.published = func(at time.Time) bool { return at.Before(w.midnight()) && !at.Equal(gap) }
	p := w.hours(t, 1)
	if settled, beyond, _ := m.off(p); settled > 1e-9 || beyond > 0.25 {
		t.Errorf("published prices are off by %v, and others by %v", settled, beyond)
	}
}

// TestCalendarStands: prices that follow a calendar are planned with however wrong it was, with a band, and counted.
func TestCalendarStands(t *testing.T) {
	w, m := traded(t)
	w.s.cfg.PriceBasis = func(slot timegrid.Span) PriceBasis {
		if m.published(slot.Start) {
			return PriceSettled
		}
		return PriceRepeated
	}
	p := w.hours(t, 9*24)
	if _, _, said := m.off(p); said > 1e-9 {
		t.Errorf("the plan is off by %v from the calendar", said)
	}
	if f := foreseenOf(p, district.ForecastPrice, ""); f.High[140] <= f.Low[140] {
		t.Error("a calendar is taken to be without a doubt")
	}
	wrong := 0.0
	for _, e := range w.errors {
		if e.Quantity == district.ForecastPrice && e.LeadMinutes == 1440 && e.Count > 0 {
			wrong = max(wrong, e.Absolute/float64(e.Count))
		}
	}
	if wrong < 0.5 {
		t.Errorf("a calendar that is 0.7 EUR/kWh too high is counted as wrong by %.2f EUR/kWh", wrong)
	}
}

// TestClockChange: in the days around a change of the clock the feed stands, which goes by the clock, as prices do; and what is foreseen here, by the time since, does not.
func TestClockChange(t *testing.T) {
	w, m := traded(t)
	change := time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC)
	w.now = change.Add(-11*24*time.Hour - time.Hour)
	m.at = func(at time.Time) float64 {
		if h := at.In(w.d.Zone).Hour(); h >= 7 && h < 22 {
			return 0.3
		}
		return 0.15
	}
	off := 0.05
	m.beyond = func(at time.Time) float64 { return m.at(at) + off }
	around := 0
	for range 22 * 4 {
		p := w.hours(t, 6)
		for i, v := range p.ImportPrice {
			at := p.Start.Add(time.Duration(i) * 15 * time.Minute)
			if at.Before(change) || m.published(at) {
				continue
			}
			if d := math.Abs(v - m.at(at)); d > off+1e-9 {
				t.Fatalf("%v before, %v is off by %v, the feed by %v", change.Sub(p.Start), at, d, off)
			}
			around++
		}
	}
	if _, beyond, _ := m.off(w.hours(t, 10*24)); around < 1000 || beyond > off/2 {
		t.Errorf("%d slots around the change; three weeks after it prices are off by %v, want less than the feed's %v", around, beyond, off)
	}
}

// TestPricesKnownLate: prices of the past that the record could not say at first are taken up once it can.
func TestPricesKnownLate(t *testing.T) {
	w, m := traded(t)
	begin, read := w.now, false
	m.published = func(at time.Time) bool { return at.Before(w.midnight()) && (read || !at.Before(begin)) }
	w.hours(t, 2)
	read = true
	w.hours(t, 2)
	if _, known := w.s.foresight.HeardUntil(foresee.Key{Site: district.DistrictSite, Quantity: district.ForecastPrice}); known < 20*24*time.Hour {
		t.Errorf("prices of %v are known, want of three weeks", known)
	}
}
