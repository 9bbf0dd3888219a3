package app

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/feed"
	"quartier/optimizer/forecast"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const (
	marketStep     = 15 * time.Minute    // for which each recorded price holds
	marketPast     = 3 * 366             // days of recorded prices that are read
	marketLookBack = 21                  // days back from which a price is foreseen
	marketDays     = 5                   // similar days that are averaged
	marketCalendar = 35 * 24 * time.Hour // of published prices in which a calendar is looked for
	marketAgain    = time.Minute         // between two attempts to read the record
	marketTime     = 30 * time.Second    // that reading the record may take
	marketAhead    = 3 * 24 * time.Hour  // for which the record may have prices already
	readable       = 90 * 24 * time.Hour // of one piece that is read
)

// market knows the prices of the day-ahead market of one feed: those that it published, from the record and from its last document, and what they let foresee.
type market struct {
	id      string
	assumed float64
	series  []district.SeriesID // in each district that records them
	zone    *time.Location
	samples sampleReader
	now     func() time.Time
	log     *slog.Logger
	live    *feed.Feed // nil outside of the service

	mu     sync.Mutex
	price  map[int64]float64 // by quarter-hour since the epoch
	loaded bool
	tried  time.Time

	calendarMu sync.Mutex
	calendar   calendar
}

// calendar is what the prices that are published let foresee where they follow one to the digit, as those of a supplier may; empty where they do not.
type calendar struct {
	asked int64     // quarter-hour
	from  time.Time // by the clock of the market's zone, as if it were UTC
	price []float64
}

// sampleReader is the part of the record that a market needs.
type sampleReader interface {
	Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error
}

func priceSeries(districtID, feedID string) district.SeriesID {
	return district.NewSeriesID(districtID, district.DistrictSite, feedID, feed.DayAheadPrice)
}

// boundaryFeed is the feed from which the tariff at the boundary of a district takes its prices; empty where that is none.
func boundaryFeed(cfg *config.Config, d *district.District) string {
	for _, t := range cfg.File.Tariffs {
		if t.ID == d.Tariff {
			return t.Feed
		}
	}
	return ""
}

// usesMarket reports whether a tariff of a district or of one of its sites takes its prices from a feed.
func usesMarket(cfg *config.Config, d *district.District, feedID string) bool {
	fed := func(id string) bool {
		return slices.ContainsFunc(cfg.File.Tariffs, func(t config.Tariff) bool { return t.ID == id && t.Feed == feedID })
	}
	return fed(d.Tariff) || slices.ContainsFunc(d.Sites, func(s district.Site) bool { return fed(s.Tariff) })
}

// openMarkets gives every tariff that is fed its market, by the id of the feed.
func openMarkets(cfg *config.Config, samples sampleReader, now func() time.Time, log *slog.Logger) map[string]*market {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	out := map[string]*market{}
	for _, id := range cfg.FeedIDs(config.Entsoe) {
		m := &market{id: id, assumed: cfg.Feeds[id].Assumed, samples: samples, now: now, log: log, price: map[int64]float64{}, zone: time.UTC}
		for i := range cfg.Districts {
			if d := &cfg.Districts[i]; usesMarket(cfg, d, id) {
				m.series, m.zone = append(m.series, priceSeries(d.ID, id)), d.Zone
			}
		}
		out[id] = m
	}
	for _, t := range cfg.File.Tariffs {
		if m := out[t.Feed]; m != nil {
			cfg.Tariffs[t.ID].Market, cfg.Tariffs[t.ID].Estimate = m.published, m.foreseen
		}
	}
	return out
}

func quarter(at time.Time) int64 {
	return timegrid.Floor(at, marketStep).Unix() / int64(marketStep/time.Second)
}

// load reads the prices of the record once; after a failure again a minute later. It is called under mu.
func (m *market) load() {
	if m.loaded || len(m.series) == 0 || !m.tried.IsZero() && time.Since(m.tried) < marketAgain {
		return
	}
	m.tried = time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), marketTime)
	defer cancel()
	end := m.now().Add(marketAhead)
	var err error
	for from := end.AddDate(0, 0, -marketPast); from.Before(end) && err == nil; from = from.Add(readable) {
		err = m.samples.Read(ctx, m.series, timegrid.NewSpan(from, from.Add(readable)), func(s district.Sample) error {
			if s.Quality != district.Bad {
				m.price[quarter(s.Time)] = s.Value
			}
			return nil
		})
	}
	if m.loaded = err == nil; err != nil {
		m.log.Warn("prices of the past are not known yet", "feed", m.id, "err", err)
	}
}

// published returns the price that was published for an instant, EUR/kWh.
func (m *market) published(at time.Time) (float64, bool) {
	slot := timegrid.Floor(at, marketStep)
	if m.live != nil {
		if v, ok := m.live.Value(feed.DayAheadPrice, timegrid.NewSpan(slot, slot.Add(marketStep))); ok {
			return v, true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.load()
	v, ok := m.price[quarter(slot)]
	return v, ok
}

// keep takes prices that were written to the record.
func (m *market) keep(s district.Sample) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.price[quarter(s.Time)] = s.Value
}

// repeated returns the price of an instant that a calendar of the published prices says.
func (m *market) repeated(at time.Time) (float64, bool) {
	now := m.now()
	m.calendarMu.Lock()
	defer m.calendarMu.Unlock()
	// a calendar goes by the clock: as if it were UTC, so that a day has 24 hours
	clock := func(t time.Time) time.Time {
		l := t.In(m.zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	if c := &m.calendar; c.asked != quarter(now) {
		end := m.until(now)
		if end.IsZero() {
			end = timegrid.Floor(now, marketStep)
		}
		*c = calendar{asked: quarter(now), from: clock(end)}
		past := forecast.Past{Start: c.from.Add(-marketCalendar), Step: marketStep, Values: make([]float64, marketCalendar/marketStep)}
		for i := range past.Values {
			past.Values[i] = math.NaN()
			t := past.Start.Add(time.Duration(i) * marketStep)
			if v, ok := m.published(time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), 0, 0, m.zone)); ok {
				past.Values[i] = v
			}
		}
		c.price, _ = forecast.Repeats(past, int(marketAhead/marketStep), time.UTC)
	}
	if i := int(clock(at).Sub(m.calendar.from) / marketStep); i >= 0 && i < len(m.calendar.price) {
		return m.calendar.price[i], true
	}
	return 0, false
}

// foreseen returns the published price of an instant, or what their calendar says, or the mean of the same time of the last similar days, or what the configuration assumes.
func (m *market) foreseen(at time.Time) (float64, bool) {
	if v, ok := m.published(at); ok {
		return v, true
	}
	if v, ok := m.repeated(at); ok {
		return v, true
	}
	local := at.In(m.zone)
	weekend := func(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }
	sum, n := 0.0, 0
	for _, alike := range []bool{true, false} { // of the same kind of days, else of any
		for back := 1; back <= marketLookBack && n < marketDays; back++ {
			then := local.AddDate(0, 0, -back)
			if weekend(then) == weekend(local) == alike {
				if v, ok := m.published(then); ok {
					sum, n = sum+v, n+1
				}
			}
		}
		if n > 0 {
			return sum / float64(n), true
		}
	}
	return m.assumed, true
}

// basis returns how the price of a slot is known: as that quarter-hour of it of which least is.
func (m *market) basis(slot timegrid.Span) scheduler.PriceBasis {
	worst := scheduler.PriceSettled
	for at := timegrid.Floor(slot.Start, marketStep); at.Before(slot.End) && worst < scheduler.PriceEstimated; at = at.Add(marketStep) {
		if _, ok := m.published(at); ok {
			continue
		}
		worst = scheduler.PriceEstimated
		if _, ok := m.repeated(at); ok {
			worst = scheduler.PriceRepeated
		}
	}
	return worst
}

// known reports whether any price was ever published.
func (m *market) known() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.load()
	return len(m.price) > 0
}

// last returns the end of the last price that is published from an instant on, whatever is missing before it; zero when none is.
func (m *market) last(from time.Time) time.Time {
	end := time.Time{}
	for at := timegrid.Floor(from, marketStep); at.Before(from.Add(marketAhead)); at = at.Add(marketStep) {
		if _, ok := m.published(at); ok {
			end = at.Add(marketStep)
		}
	}
	return end
}

// until returns the end of what is published without a gap from an instant on; zero when nothing is published then.
func (m *market) until(from time.Time) time.Time {
	end := time.Time{}
	for at := timegrid.Floor(from, marketStep); at.Before(from.Add(marketAhead)); at = at.Add(marketStep) {
		if _, ok := m.published(at); !ok {
			break
		}
		end = at.Add(marketStep)
	}
	return end
}
