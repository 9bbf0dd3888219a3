package scheduler

import (
	"math"
	"slices"
	"time"

	"quartier/optimizer/forecast"
	"quartier/scheduler/foresee"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// signalSlack is how late what came of a series may be known.
const signalSlack = 2 * time.Hour

// priors are how wrong forecasts are taken to be before any is known: deviations a day ahead, in the unit of the quantity or as a share of what is foreseen.
var priors = map[string]forecast.JudgedSettings{
	district.ForecastOutdoor:  {Prior: 3, OwnFade: 12 * time.Hour},
	district.ForecastPrice:    {Prior: 0.03, OwnFade: 6 * time.Hour, Beside: true},
	district.ForecastCarbon:   {PriorShare: 0.25, OwnFade: 6 * time.Hour, Max: math.Inf(1)},
	district.ForecastHotWater: {PriorShare: 1, Max: math.Inf(1)},
	district.ForecastHeat:     {PriorShare: 0.4, Max: math.Inf(1)},
	district.ForecastCar:      {Prior: 1, Max: math.Inf(1)},
}

// hear holds what is said of a series against what came, puts what is to be expected of it into the inputs of a plan, and returns it. said begins where came ends. Nothing is foreseen of what nobody knows or says anything.
func (s *Scheduler) hear(in *inputs, k foresee.Key, came timegrid.Series, said forecast.Said, own bool) (district.Foreseen, *foresee.Judged) {
	known := func(v float64) bool { return !math.IsNaN(v) }
	if !slices.ContainsFunc(came.Values, known) && !slices.ContainsFunc(said.Mean, known) {
		return district.Foreseen{}, nil
	}
	set := priors[k.Quantity]
	set.Lead, set.Own = in.steps+int(signalSlack/in.step), own
	j := s.foresight.Hear(foresee.Heard{Key: k, Came: came, Said: said, Settings: set, Spent: in.learn.spent})
	f := j.Foreseen(in.start, in.steps)
	in.foreseen = append(in.foreseen, f)
	return f, j
}

// unheard has a plan take what is said of a series of which nothing of the record was taken up yet: to be held against nothing, it would be learned that nothing came.
func unheard(in *inputs, k foresee.Key, said []float64) []float64 {
	in.foreseen = append(in.foreseen, district.Foreseen{Site: k.Site, Device: k.Device, Quantity: k.Quantity, Mean: said})
	return said
}

// outdoor foresees the temperature outside from what is published of it and what was measured, or published once it had come.
func (s *Scheduler) outdoor(in *inputs, past forecast.Past, now time.Time) []float64 {
	if s.cfg.KeepToPlan {
		out := forecast.Similar(past, now, in.start, in.steps, s.cfg.District.Zone, forecast.Settings{AllDays: true, Days: 3, Fade: 12 * time.Hour})
		for t, v := range s.published(district.OutdoorC, *in) {
			if !math.IsNaN(v) {
				out[t] = v
			}
		}
		return out
	}
	k := foresee.Key{Site: district.DistrictSite, Quantity: district.ForecastOutdoor}
	f, j := s.hear(in, k, past, forecast.Said{Mean: s.published(district.OutdoorC, *in)}, true)
	if j == nil {
		return constant(0, in.steps)
	}
	return f.Mean
}

// lately reports whether a series is known in most slots of its last day.
func lately(past forecast.Past) bool {
	day := min(len(past.Values), int(24*time.Hour/past.Step))
	known := 0
	for _, v := range past.Values[len(past.Values)-day:] {
		if !math.IsNaN(v) {
			known++
		}
	}
	return 2*known > day
}

// published is what is published of the weather in the slots of a plan, NaN where nothing is.
func (s *Scheduler) published(quantity string, in inputs) []float64 {
	out := constant(math.NaN(), in.steps)
	for t := range out {
		at := in.start.Add(time.Duration(t) * in.step)
		if s.cfg.Weather == nil {
			break
		}
		if v, ok := s.cfg.Weather(quantity, timegrid.Span{Start: at, End: at.Add(in.step)}); ok {
			out[t] = v
		}
	}
	return out
}

// carbon foresees the intensity of each slot of the horizon: what is known beforehand, and else what the recorded signal and the known values of the past let foresee.
func (s *Scheduler) carbon(in *inputs, recorded forecast.Past, now time.Time) []float64 {
	d := s.cfg.District
	some := false
	for i, v := range recorded.Values {
		if g, ok := s.carbonKnown(recorded.Start.Add(time.Duration(i) * d.Step)); ok {
			recorded.Values[i], v = g, g
		}
		some = some || !math.IsNaN(v)
	}
	said := forecast.Said{Mean: constant(math.NaN(), in.steps), Settled: make([]bool, in.steps)}
	all := true
	for t := range said.Mean {
		if g, ok := s.carbonKnown(in.start.Add(time.Duration(t) * d.Step)); ok {
			said.Mean[t], said.Settled[t] = g, true
		} else {
			all = false
		}
	}
	out := constant(s.cfg.CarbonAssumed, in.steps)
	switch {
	case some && !s.cfg.KeepToPlan || all && !s.cfg.KeepToPlan:
		if f, j := s.hear(in, foresee.Key{Site: district.DistrictSite, Quantity: district.ForecastCarbon}, recorded, said, !all); j != nil {
			return f.Mean
		}
	case some:
		out = forecast.Similar(recorded, now, in.start, in.steps, d.Zone, forecast.Settings{Fade: 6 * time.Hour, Min: 0, Max: math.Inf(1)})
	}
	for t, v := range said.Mean {
		if !math.IsNaN(v) {
			out[t] = v
		}
	}
	return out
}

func (s *Scheduler) carbonKnown(slot time.Time) (float64, bool) {
	if s.cfg.Carbon == nil {
		return 0, false
	}
	return s.cfg.Carbon(timegrid.Span{Start: slot, End: slot.Add(s.cfg.District.Step)})
}

// clockDays is how long before a slot another clock may tell no time of day of the past: as far as those look back on that are foreseen by the time since.
const clockDays = 9 * 24 * time.Hour

// judgePrices holds the import prices of a plan against those that were paid. Settled ones stay as they are. What a market's feed has beyond what is published stays where it follows a calendar, and in the days around a change of the
// clock, by which the feed goes and what is foreseen here does not; otherwise until something else was nearer to what came.
func (s *Scheduler) judgePrices(in *inputs) {
	if s.cfg.KeepToPlan {
		return
	}
	basis := s.cfg.PriceBasis
	if basis == nil {
		basis = func(timegrid.Span) PriceBasis { return PriceSettled }
	}
	price := func(slot timegrid.Span) float64 {
		if v, err := s.cfg.Prices.Import(slot, in.step); err == nil && len(v) == 1 && math.Abs(v[0]) <= absurdEURPerKWh {
			return v[0]
		}
		return math.NaN()
	}
	said := forecast.Said{Mean: slices.Clone(in.importPrice)}
	ahead := time.Duration(in.steps) * in.step
	if s.cfg.PriceBasis != nil {
		ahead += signalSlack // errors as far ahead as the plan reaches are to be known
	}
	for slot := range timegrid.NewSpan(in.start, in.start.Add(ahead)).Slots(in.step) {
		if len(said.Settled) >= len(said.Mean) {
			said.Mean = append(said.Mean, price(slot))
		}
		_, offset := slot.Start.In(s.cfg.District.Zone).Zone()
		_, before := slot.Start.Add(-clockDays).In(s.cfg.District.Zone).Zone()
		of := basis(slot)
		said.Settled, said.Firm = append(said.Settled, of == PriceSettled), append(said.Firm, of == PriceRepeated || offset != before)
	}
	k := foresee.Key{Site: district.DistrictSite, Quantity: district.ForecastPrice}
	from := in.start.Add(-time.Duration(s.cfg.Forecast.LookBackDays) * 24 * time.Hour)
	heard, _ := s.foresight.HeardUntil(k)
	late := s.cfg.PriceBasis != nil && in.start.Equal(in.start.Truncate(time.Hour)) // what came late is looked for every hour
	if heard.After(from) && !heard.After(in.start) && !late {
		from = heard
	}
	came := timegrid.Series{Start: from, Step: in.step}
	for slot := range timegrid.NewSpan(from, in.start).Slots(in.step) {
		paid := math.NaN()
		if basis(slot) == PriceSettled {
			paid = price(slot)
		}
		came.Values = append(came.Values, paid)
	}
	if f, j := s.hear(in, k, came, said, s.cfg.PriceBasis != nil); j != nil {
		in.importPrice = f.Mean
	}
}

// room foresees the heat that the zone of a heat pump needs to stay as warm as it is to be.
type room interface {
	// DemandKW is the heat of steps slots from one on under an outdoor temperature, kW.
	DemandKW(start time.Time, steps int, outdoorC []float64) []float64
	// Demanded is what was needed in the slots that came, kW; NaN where that is not known.
	Demanded() timegrid.Series
}

// statedRoom is a zone of which nothing is known but what is stated of it.
type statedRoom struct {
	params *district.HeatPumpParams
}

// DemandKW is the loss at the lowest temperature of comfort less the gains.
func (r statedRoom) DemandKW(_ time.Time, steps int, outdoorC []float64) []float64 {
	out := make([]float64, steps)
	if r.params.ResistanceKPerKW <= 0 {
		return out
	}
	for t := range out {
		out[t] = math.Max(0, (r.params.MinC-outdoorC[min(t, len(outdoorC)-1)])/r.params.ResistanceKPerKW-r.params.GainsKW)
	}
	return out
}

// Demanded is nothing: no zone was looked at.
func (statedRoom) Demanded() timegrid.Series { return timegrid.Series{} }

// roomOf returns what foresees the heat of a heat pump's zone. It is called under the rooms' lock.
func (s *Scheduler) roomOf(key observe.Key, dev *district.Device) room {
	if l := s.rooms.by[key]; l != nil {
		return l
	}
	return statedRoom{dev.HeatPump}
}

// heatDemands foresees the heat that the zones of heat pumps need, under the temperatures of the plan.
func (s *Scheduler) heatDemands(in *inputs) {
	if s.cfg.KeepToPlan || len(in.outdoorC) == 0 {
		return
	}
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		for k := range site.Devices {
			dev := &site.Devices[k]
			if dev.HeatPump == nil {
				continue
			}
			r := s.roomOf(observe.Key{Site: site.ID, Device: dev.ID}, dev)
			k := foresee.Key{Site: site.ID, Device: dev.ID, Quantity: district.ForecastHeat}
			demanded := r.Demanded()
			if untaken(demanded) {
				unheard(in, k, r.DemandKW(in.start, in.steps, in.outdoorC))
				continue
			}
			came := upTo(demanded, in)
			late := int(in.start.Sub(came.Span().End) / in.step)
			outdoor := append(constant(in.outdoorC[0], late), in.outdoorC...)
			s.hear(in, k, came, forecast.Said{Mean: r.DemandKW(came.Span().End, late+in.steps, outdoor)}, false)
		}
	}
}

// upTo is what came of a series up to a plan's begin, which it may be late of by no more than a plan reaches beyond its own steps; beyond that gaps follow.
func upTo(came timegrid.Series, in *inputs) timegrid.Series {
	if came.Step != in.step || len(came.Values) == 0 || !came.Start.Before(in.start) {
		return timegrid.Series{Start: in.start, Step: in.step}
	}
	n := min(len(came.Values), int(in.start.Sub(came.Start)/in.step))
	out := timegrid.Series{Start: came.Start, Step: in.step, Values: came.Values[:n:n]}
	for in.start.Sub(out.Span().End) > signalSlack {
		out.Values = append(out.Values, math.NaN())
	}
	return out
}

// hearTank holds what is foreseen of a tank's draws against what was drawn, and returns what is to be expected.
func (s *Scheduler) hearTank(in *inputs, key observe.Key, drawn timegrid.Series, say func(from time.Time, n int) []float64) []float64 {
	k := foresee.Key{Site: key.Site, Device: key.Device, Quantity: district.ForecastHotWater}
	if untaken(drawn) {
		return unheard(in, k, say(in.start, in.steps))
	}
	came := upTo(drawn, in)
	from := came.Span().End
	n := int(in.start.Sub(from)/in.step) + in.steps
	f, _ := s.hear(in, k, came, forecast.Said{Mean: say(from, n)}, false)
	return f.Mean
}

// outlooks is what a plan rests on of each series, with its band: load, sun and net power beside what was heard of.
func (s *Scheduler) outlooks(in *inputs) []district.Foreseen {
	if s.cfg.KeepToPlan {
		return nil
	}
	var out []district.Foreseen
	net := make([]float64, in.steps)
	add := func(site, quantity string, kw []float64, sign float64) {
		if kw == nil {
			return
		}
		out = append(out, district.Foreseen{Site: site, Quantity: quantity, Mean: kw})
		for t := range net {
			net[t] += sign * kw[t]
		}
	}
	for i := range s.cfg.District.Sites {
		id := s.cfg.District.Sites[i].ID
		add(id, district.ForecastLoad, in.loadKW[id], 1)
		add(id, district.ForecastSun, in.sunKW[id], -1)
	}
	out = s.foresight.Banded(append(out, district.Foreseen{Site: district.DistrictSite, Quantity: district.ForecastNet, Mean: net}), in.start)
	out = append(out, in.foreseen...)
	for i := range out {
		out[i] = rounded(out[i])
	}
	return out
}

// rounded is a forecast with no more than what it is worth, as plans are kept for years: four digits of the largest value and of bands three, and no band of a series that is settled in all steps. Bands are rounded outwards, so that
// what lay within one still does.
func rounded(f district.Foreseen) district.Foreseen {
	most := 0.0
	for _, list := range [][]float64{f.Mean, f.Low, f.High} {
		for _, v := range list {
			most = math.Max(most, math.Abs(v))
		}
	}
	const onIt = 1e-6 // what is that near to its last digit has it
	down, up := func(v float64) float64 { return math.Floor(v + onIt) }, func(v float64) float64 { return math.Ceil(v - onIt) }
	mean, low, high := wholeDigits(f.Mean, most, 4, math.Round), wholeDigits(f.Low, most, 3, down), wholeDigits(f.High, most, 3, up)
	if len(f.Low) > 0 {
		f.Settled = true
		for t := range mean {
			if f.Low[t] == f.High[t] { // settled, or nearly so
				low[t], high[t] = mean[t], mean[t]
			} else {
				f.Settled = false
			}
		}
		if f.Low, f.High = low, high; f.Settled {
			f.Low, f.High = nil, nil
		}
	}
	f.Mean = mean
	return f
}

// wholeDigits has of values so many digits of the largest of their kind; whole makes whole numbers of those.
func wholeDigits(list []float64, most float64, digits int, whole func(float64) float64) []float64 {
	if list == nil {
		return nil
	}
	scale := math.Pow10(int(math.Max(0, math.Min(12, float64(digits)-math.Ceil(math.Log10(math.Max(most, 1e-9)))))))
	out := make([]float64, len(list))
	for i, v := range list {
		if out[i] = whole(v*scale) / scale; out[i] == 0 {
			out[i] = 0 // without a sign
		}
	}
	return out
}
