package foresee

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"quartier/schemas/district"
)

// keepDays is how many days of errors are in memory.
const keepDays = 20

// Observe takes the newest part of the record: its slots that came since are learned, and new forecasts are made. It reports whether learning anew would be worth it, because nothing was
// learned yet, or the record has a day or more that it had not then.
func (d *District) Observe(r Record) (behind bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, last := 0, -1
	for _, v := range r.Series {
		n = max(n, len(v))
		for i := len(v) - 1; i > last; i-- {
			if !math.IsNaN(v[i]) {
				last = i
			}
		}
	}
	s := d.state
	if s == nil {
		if last >= 0 {
			d.publish(r.Start.Add(time.Duration(max(last+1, n-int(slack/d.set.Step))) * d.set.Step))
		}
		return last >= 0
	}
	first := int(s.end().Sub(r.Start) / d.set.Step) // of the record, that is new
	if first < 0 {
		return true
	}
	if d.lacks(r, first) {
		behind = true
	}
	if late := n - int(slack/d.set.Step); last+1 < late { // nothing came for long: that is a gap
		last = late - 1
	}
	s.sky.take(r)
	if first > last {
		return behind
	}
	for t := first; t <= last; t++ {
		s.extend(t, r)
		if hour := s.end(); hour.Equal(hour.Truncate(time.Hour)) && t < last {
			s.foresee(false, func() {})
		}
	}
	d.publish(s.end())
	s.foresee(false, func() {})
	s.forget()
	d.forgetErrors(s.end())
	return behind
}

// forgetErrors drops errors from memory that are in the record, and all that are very old.
func (d *District) forgetErrors(now time.Time) {
	for k := range d.tally {
		if age := now.Sub(time.Unix(k.day, 0)); age > keepDays*24*time.Hour && !d.changed[k] || age > 3*keepDays*24*time.Hour {
			delete(d.tally, k)
			delete(d.changed, k)
			delete(d.live, dayKey{k.Key, k.day, k.lead})
		}
	}
}

// lacks reports whether a record knows a day's slots or more, of any series, that the state does not, and of the time that is learned from.
func (d *District) lacks(r Record, upTo int) bool {
	s := d.state
	from := 0
	for _, v := range r.Series {
		from = max(from, len(v)-TrainDays*int(24*time.Hour/d.set.Step))
	}
	offset := int(r.Start.Sub(s.start) / d.set.Step)
	for k, v := range r.Series {
		x, more := s.series[k], 0
		for i := from; i < min(upTo, len(v)); i++ {
			if math.IsNaN(v[i]) {
				continue
			}
			if at := i + offset; x == nil || at < 0 || at < len(x.values) && math.IsNaN(x.values[at]) {
				more++
			}
		}
		if more >= int(24*time.Hour/d.set.Step) {
			return true
		}
	}
	return false
}

// Forecast returns a series from a slot on, in kW; false where too little of it is known yet.
func (d *District) Forecast(site, quantity string, from time.Time, steps int) ([]float64, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == nil {
		return nil, false
	}
	x := d.state.series[Key{Site: site, Quantity: quantity}]
	if x == nil || x.known < readyFor*int(24*time.Hour/d.set.Step) {
		return nil, false
	}
	return d.state.from(x, from, steps)
}

func (s *state) from(x *series, from time.Time, steps int) ([]float64, bool) {
	skip := int(from.Sub(s.end()) / s.set.Step)
	if skip < 0 || skip+steps > len(x.ahead) {
		return nil, false
	}
	return append([]float64(nil), x.ahead[skip:skip+steps]...), true
}

// NetErrors returns how wrong forecasts of the district's load less its sun were that were made at that time of the day: a function that writes the distribution of measured less forecast in
// a slot, slots after from, as equally likely values. False: that is not known yet.
func (d *District) NetErrors(from time.Time) (func(slot int, out []float64), bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state == nil {
		return nil, false
	}
	spread := d.state.net.spread
	hour := from.Truncate(time.Hour) // forecasts of full hours are kept
	late := int(from.Sub(hour) / d.set.Step)
	var probe [1]float64
	if !spread.Errors(hour, late, probe[:]) {
		return nil, false
	}
	return func(slot int, out []float64) {
		d.mu.Lock()
		defer d.mu.Unlock()
		spread.Errors(hour, late+slot, out)
	}, true
}

// Prior are the errors that are counted with before any is known: a normal distribution with two fifths of what a slot's load and sun are expected to be, of the sun so many times as much as wider
// says, at least 1: what it rests on may be old.
func Prior(loadKW, sunKW []float64, wider float64) func(slot int, out []float64) {
	const share = 0.4
	return func(slot int, out []float64) {
		load, sun := 0.0, 0.0
		if slot < len(loadKW) {
			load = loadKW[slot]
		}
		if slot < len(sunKW) {
			sun = sunKW[slot]
		}
		sigma := share * math.Hypot(load, max(1, wider)*sun)
		for i := range out {
			out[i] = sigma * math.Sqrt2 * math.Erfinv(2*(float64(i)+0.5)/float64(len(out))-1)
		}
	}
}

// count returns the row that a forecast counts in.
func (d *District) count(s Key, lead time.Duration, day time.Time, replayed bool) *district.ForecastError {
	k := tallyKey{s, day.Unix(), int(lead / time.Minute), replayed}
	d.changed[k] = true
	if !replayed {
		d.live[dayKey{s, k.day, k.lead}] = true
	}
	return row(d.tally, d.set.District, k)
}

func row(in map[tallyKey]*district.ForecastError, id string, k tallyKey) *district.ForecastError {
	e := in[k]
	if e == nil {
		e = &district.ForecastError{District: id, Site: k.Site, Device: k.Device, Quantity: k.Quantity, Day: time.Unix(k.day, 0).UTC(), LeadMinutes: k.lead, Replayed: k.replayed}
		in[k] = e
	}
	return e
}

// Changed returns the rows of errors that changed since it was called last, for the record.
func (d *District) Changed() []district.ForecastError {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := slices.Collect(maps.Keys(d.changed))
	out := d.rows(keys)
	clear(d.changed)
	return out
}

// Again has rows that Changed returned returned once more: they could not be written.
func (d *District) Again(rows []district.ForecastError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, r := range rows {
		d.changed[tallyKey{Key{r.Site, r.Quantity, r.Device}, r.Day.Unix(), r.LeadMinutes, r.Replayed}] = true
	}
}

// Errors returns the rows in memory, those of the last weeks.
func (d *District) Errors() []district.ForecastError {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rows(slices.Collect(maps.Keys(d.tally)))
}

func (d *District) rows(keys []tallyKey) (out []district.ForecastError) {
	slices.SortFunc(keys, func(a, b tallyKey) int {
		return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Quantity, b.Quantity), cmp.Compare(a.lead, b.lead), compare(a.replayed, b.replayed))
	})
	for _, k := range keys {
		if e := d.tally[k]; e != nil && e.Count > 0 {
			out = append(out, *e)
		}
	}
	return out
}

func compare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
