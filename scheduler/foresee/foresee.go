// Package foresee foresees what the sites of a district draw and what their sun gives, judges what others say of prices, weather, carbon, hot water, heat and cars, learns from what came, and keeps count of how wrong it was.
//
// Each series has a [forecast.Probabilistic] of its own, which gives up lead by lead and quantile by quantile what similar days foresee better, and its errors at a few leads; the net power of the
// district has a [forecast.Spread] of its errors at all leads. They learn from the record once, see [District.Train], or go on with what was kept before a restart, see [District.Keep] and
// [District.Resume], then from every slot that closes, see [District.Observe], and every other week anew what takes long, see [District.Grow]. Train and Grow belong beside control, and take no
// more than a share of a processor. Time and memory are bounded: [TrainDays] are learned from, and of a series no more than half as much again is kept.
//
// What others say is held against what came by a [forecast.Judged] for each series, see [District.Hear].
package foresee

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
)

// TrainDays is how many days of the record forecasts are learned from.
const TrainDays = 60

const (
	warmDays = 22            // of which forecasts are made again while learning, so that their errors are known
	slack    = 2 * time.Hour // how late slots may be known
	readyFor = 2             // days that must be known before a series is foreseen by what was learned
	outcomes = 5             // of a spread, as many as forecast.Levels; the outer two are the 10th and 90th percentile, the middle one the median
)

// Leads are how far ahead errors are counted.
var Leads = []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// Key names a series: the site and one of district.ForecastLoad and ForecastSun, of which the net power of the district is made, or what is heard of by [District.Hear].
type Key struct {
	Site, Quantity string
	Device         string `json:",omitempty"` // empty: the site as a whole
}

var netKey = Key{Site: district.DistrictSite, Quantity: district.ForecastNet}

// Record are series of slots from Start on, NaN where nothing is known. All are equally long.
type Record struct {
	Start   time.Time
	Series  map[Key][]float64
	Slots   int                // that have passed since Start: those that no series reaches have no values yet; 0: as many as the longest series
	Weather []forecast.Weather // as it was in the same slots; shorter, or nil, where it is not known
}

// known is the record without the whole days at its begin of which nothing is known.
func (r Record) known(step time.Duration, perDay int) Record {
	first := -1
	for _, v := range r.Series {
		if i := slices.IndexFunc(v, func(kw float64) bool { return !math.IsNaN(kw) }); i >= 0 && (first < 0 || i < first) {
			first = i
		}
	}
	drop := max(0, first) / perDay * perDay
	out := Record{Start: r.Start.Add(time.Duration(drop) * step), Series: map[Key][]float64{}}
	for k, v := range r.Series {
		out.Series[k] = v[min(drop, len(v)):]
	}
	out.Weather = r.Weather[min(drop, len(r.Weather)):]
	return out
}

// Settings of a district's forecasts.
type Settings struct {
	District string
	Step     time.Duration
	Ahead    time.Duration // how far a plan reaches
	Zone     *time.Location
	PeakKW   map[string]float64 // of the sun by site
	Share    float64            // of a processor that learning may take; 0: all of one
	// Published is what is published now of the weather in a slot, present or to come. It is asked when a forecast is made, so that what was published is held against what came. Nil: nothing is.
	Published func(slot time.Time) forecast.Weather
	Build     string // names the program: what another one learned is not taken up
}

// lead is how many slots ahead are foreseen.
func (s *Settings) lead() int { return int((s.Ahead + slack) / s.Step) }

// District foresees the series of one district. Its methods may be called from several goroutines.
type District struct {
	set Settings

	mu      sync.Mutex
	state   *state
	tally   map[tallyKey]*district.ForecastError
	changed map[tallyKey]bool
	live    map[dayKey]bool // days with errors of forecasts made at their time
	heard   published
	recount *recount  // while what was learned of a signal is taken up
	grown   bool      // forests, since what was learned was kept last
	keptAt  time.Time // end of what was known then

	ears    sync.Mutex // of what follows, which takes long to learn: who reads forecasts and errors does not wait for it. It is taken before mu, and never under it
	signals map[Key]*forecast.Judged
	lessons map[Key]*forecast.Judged // of signals whose past is being learned, which takes their place then
	former  map[Key]keptSignal       // what was learned of signals before a restart, until something came of them
}

type tallyKey struct {
	Key
	day      int64 // Unix seconds
	lead     int   // minutes
	replayed bool
}

type dayKey struct {
	Key
	day  int64
	lead int
}

// state is what was learned.
type state struct {
	set    Settings
	lead   int
	start  time.Time
	n      int       // slots
	live   bool      // forests are grown by Grow
	waited time.Time // the last full hour whose forecasts wait
	series map[Key]*series
	order  []Key // of the series: sums are the same in every run
	net    *series
	sky    outlook
	count  func(s Key, lead time.Duration, day time.Time, replayed bool) *district.ForecastError
}

type series struct {
	values   []float64
	model    *forecast.Probabilistic // nil: of the net power
	spread   *forecast.Spread        // of the net power alone: at all leads
	ahead    []float64               // the newest forecast, from the end of the values on: what is expected
	quantile [][]float64             // of it, by forecast.Levels; of the net power none
	plain    []float64               // what similar days say
	min, max float64
	guesses  map[int64][]guess // by slot of the target
	known    int
}

// guess is a forecast that waits for what it is about.
type guess struct {
	lead      time.Duration
	kw, plain float64
	band      [outcomes]float64
	banded    bool
	replayed  bool
}

// New returns forecasts that have learned nothing.
func New(set Settings) *District {
	return &District{set: set, tally: map[tallyKey]*district.ForecastError{}, changed: map[tallyKey]bool{}, live: map[dayKey]bool{},
		heard: published{hourly: map[int64]bulletin{}, unkept: map[int64]bool{}}, signals: map[Key]*forecast.Judged{}, lessons: map[Key]*forecast.Judged{}, former: map[Key]keptSignal{}}
}

// Recall takes up the errors that were counted before, so that a day goes on where it was left. It comes before Train.
func (d *District) Recall(rows []district.ForecastError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rows {
		k := tallyKey{Key{r.Site, r.Quantity, r.Device}, r.Day.Unix(), r.LeadMinutes, r.Replayed}
		if had := d.tally[k]; r.Replayed || had != nil && had.Count >= r.Count {
			continue // they are made again, or the record is behind
		}
		one := r
		d.tally[k] = &one
		d.live[dayKey{k.Key, k.day, k.lead}] = true
	}
}

// Train learns from a record, in the place of what was learned before. It takes some seconds of processor time for each series, so many times as long as the settings' share says, and minds ctx;
// meanwhile the forecasts of before are given.
func (d *District) Train(ctx context.Context, r Record) error {
	perDay := int(24 * time.Hour / d.set.Step)
	r = r.known(d.set.Step, perDay)
	n := 0
	for _, v := range r.Series {
		n = max(n, len(v))
	}
	if err := d.study(ctx, newState(d.set, r.Start), r, max(0, n-warmDays*perDay)); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.grown = true
	return nil
}

// study has a state learn from the slots of a record that it does not know yet, and puts it in the place of the one before; those before quiet are learned from without forecasts that are counted.
func (d *District) study(ctx context.Context, st *state, r Record, quiet int) error {
	perDay := int(24 * time.Hour / d.set.Step)
	replay := map[tallyKey]*district.ForecastError{}
	d.mu.Lock()
	live := make(map[dayKey]bool, len(d.live))
	for k := range d.live {
		live[k] = true
	}
	st.sky.hourly = maps.Clone(d.heard.hourly)
	d.mu.Unlock()
	var ignored district.ForecastError
	st.count = func(s Key, lead time.Duration, day time.Time, _ bool) *district.ForecastError {
		k := tallyKey{s, day.Unix(), int(lead / time.Minute), true}
		if live[dayKey{s, k.day, k.lead}] {
			return &ignored
		}
		return row(replay, d.set.District, k)
	}
	n := 0
	for _, v := range r.Series {
		n = max(n, len(v))
	}
	pace := newPace(ctx, d.set.Share)
	defer pace.end()
	for t := int(st.end().Sub(r.Start) / d.set.Step); t < n; t++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		st.extend(t, r)
		switch {
		case t < quiet && t%perDay == 0:
			for _, k := range st.order { // learn a day
				st.series[k].model.Forecast(st.past(st.series[k]))
				pace.rest()
			}
		case t >= quiet && st.end().Equal(st.end().Truncate(time.Hour)):
			st.foresee(true, pace.rest)
		}
	}
	st.foresee(true, pace.rest)
	st.live = true
	for _, x := range st.series {
		x.model.Beside(true)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	st.count = d.count
	st.sky.hourly, st.sky.newest = d.heard.hourly, d.heard.newest
	d.state = st
	for k, v := range replay {
		d.tally[k], d.changed[k] = v, true
	}
	return nil
}

func newState(set Settings, start time.Time) *state {
	s := &state{set: set, start: start, lead: set.lead(), series: map[Key]*series{}, sky: outlook{step: set.Step, start: start}}
	s.net = &series{spread: forecast.NewSpread(set.Step, s.lead, 0), guesses: map[int64][]guess{}, min: math.Inf(-1), max: math.Inf(1)}
	return s
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Quantity, b.Quantity))
}

func (s *state) at(slot int) time.Time { return s.start.Add(time.Duration(slot) * s.set.Step) }
func (s *state) end() time.Time        { return s.at(s.n) }

// of returns a series, a new one with gaps up to now.
func (s *state) of(k Key) *series {
	x := s.series[k]
	if x == nil {
		x = &series{guesses: map[int64][]guess{}, max: math.Inf(1)}
		if peak, ok := s.set.PeakKW[k.Site]; ok && k.Quantity == district.ForecastSun {
			x.max = peak
		}
		x.model = forecast.NewProbabilistic(s.set.Step, s.lead, s.set.Zone, forecast.Settings{Max: x.max, Ratio: k.Quantity == district.ForecastSun})
		x.model.Beside(s.live)
		if s.set.Published != nil {
			x.model.Under(s.sky.known)
		}
		for range s.n {
			x.values = append(x.values, math.NaN())
		}
		s.series[k] = x
		s.order = append(s.order, k)
		slices.SortFunc(s.order, compareKeys)
	}
	return x
}

// extend takes one slot of a record.
func (s *state) extend(slot int, r Record) {
	at := s.end()
	net := 0.0
	for k := range r.Series {
		s.of(k)
	}
	for _, k := range s.order {
		x, v := s.series[k], math.NaN()
		if have := r.Series[k]; slot < len(have) {
			v = have[slot]
		}
		x.values = append(x.values, v)
		if !math.IsNaN(v) {
			x.known++
		}
		s.came(k, x, at, v)
		if k.Quantity == district.ForecastSun {
			v = -v
		}
		net += v
	}
	if s.set.Published != nil {
		w := nothing
		if slot < len(r.Weather) {
			w = r.Weather[slot]
		}
		s.sky.was = append(s.sky.was, w)
	}
	s.n++
	if !math.IsNaN(net) {
		s.net.known++
	}
	s.came(netKey, s.net, at, net)
}

// came holds the guesses of a slot against what was measured in it.
func (s *state) came(k Key, x *series, at time.Time, v float64) {
	if x.spread != nil {
		x.spread.Measured(at, v)
	}
	slot := at.UnixNano() / int64(s.set.Step)
	guesses := x.guesses[slot]
	delete(x.guesses, slot)
	if math.IsNaN(v) {
		return
	}
	for _, g := range guesses {
		e := s.count(k, g.lead, at.Truncate(24*time.Hour), g.replayed)
		e.Count++
		e.Absolute += math.Abs(v - g.kw)
		e.Persistence += math.Abs(v - g.plain)
		e.Measured += math.Abs(v)
		if !g.banded {
			continue
		}
		e.Banded++
		if v >= g.band[0] && v <= g.band[outcomes-1] {
			e.Covered++
		}
		e.Pinball += (pinball(v, g.band[0], 0.1) + pinball(v, g.band[outcomes/2], 0.5) + pinball(v, g.band[outcomes-1], 0.9)) / 3
	}
}

// pinball is the loss of a quantile q of level p.
func pinball(v, q, p float64) float64 {
	if v >= q {
		return p * (v - q)
	}
	return (1 - p) * (q - v)
}

func (s *state) past(x *series) forecast.Past {
	return forecast.Past{Start: s.start, Step: s.set.Step, Values: x.values}
}

// foresee makes the forecasts from the end of what is known on. Those of full hours wait, once, for what comes. Between two series it calls rest.
func (s *state) foresee(replayed bool, rest func()) {
	hour := s.end().Equal(s.end().Truncate(time.Hour)) && !s.end().Equal(s.waited)
	if hour {
		s.waited = s.end()
	}
	s.net.ahead, s.net.plain = make([]float64, s.lead), make([]float64, s.lead)
	for _, k := range s.order {
		x := s.series[k]
		said := x.model.Forecast(s.past(x))
		x.ahead, x.quantile = said.Mean, said.Quantile[:]
		if hour {
			x.plain = x.model.Plain(s.past(x))
			s.wait(x, replayed)
		}
		rest()
		sign := 1.0
		if k.Quantity == district.ForecastSun {
			sign = -1
		}
		for i := range x.ahead {
			s.net.ahead[i] += sign * x.ahead[i]
			if hour {
				s.net.plain[i] += sign * x.plain[i]
			}
		}
	}
	if hour && len(s.series) > 0 {
		s.wait(s.net, replayed)
	}
}

func (s *state) wait(x *series, replayed bool) {
	end := s.end()
	if x.known < readyFor*int(24*time.Hour/s.set.Step) {
		return
	}
	if x.spread != nil {
		x.spread.Made(end, x.ahead)
	}
	for _, lead := range Leads {
		i := int(lead / s.set.Step)
		if i >= len(x.ahead) {
			continue
		}
		g := guess{lead: lead, kw: x.ahead[i], plain: x.plain[i], replayed: replayed, banded: true}
		if x.spread != nil {
			g.banded = x.spread.Errors(end, i, g.band[:])
			for q := range g.band {
				g.band[q] = math.Max(x.min, math.Min(x.max, x.ahead[i]+g.band[q]))
			}
		} else {
			for q := range g.band {
				g.band[q] = x.quantile[q][i]
			}
			g.kw = g.band[outcomes/2]
		}
		slot := end.Add(lead).UnixNano() / int64(s.set.Step)
		x.guesses[slot] = append(x.guesses[slot], g)
	}
}

// forget drops what is older than needed.
func (s *state) forget() {
	perDay := int(24 * time.Hour / s.set.Step)
	if s.n < (TrainDays+TrainDays/2)*perDay {
		return
	}
	drop := (s.n - TrainDays*perDay) / perDay * perDay
	for _, x := range s.series {
		x.model.Forget(drop)
		x.known = 0
		x.values = append([]float64(nil), x.values[drop:]...)
		for _, v := range x.values {
			if !math.IsNaN(v) {
				x.known++
			}
		}
	}
	if s.set.Published != nil {
		s.sky.forget(drop)
	}
	s.start, s.n = s.at(drop), s.n-drop
}
