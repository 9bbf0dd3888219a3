package foresee

import (
	"math"
	"time"

	"quartier/optimizer/forecast"
)

var nothing = forecast.Weather{OutdoorC: math.NaN(), GlobalWm2: math.NaN(), DirectWm2: math.NaN()}

func some(w forecast.Weather) bool { return !math.IsNaN(w.OutdoorC) || !math.IsNaN(w.GlobalWm2) }

// outlook is the weather of a district: as it was, and as it was published ahead at its time, which no record tells afterwards.
type outlook struct {
	step   time.Duration
	start  time.Time
	was    []forecast.Weather // by slot from start on
	hourly map[int64]bulletin // the first of each hour, by hour, Unix seconds
	newest bulletin           // the last one
}

// bulletin is what was published at an instant of the slots from there on.
type bulletin struct {
	at    time.Time
	slots []forecast.Weather
}

func (b bulletin) of(step time.Duration, slot time.Time) forecast.Weather {
	if i := int(slot.Sub(b.at) / step); !slot.Before(b.at) && i < len(b.slots) {
		return b.slots[i]
	}
	return nothing
}

// known is what was known at an origin of the weather in a slot, as [forecast.Probabilistic.Under] asks: of one ahead what was published at the origin, or in the hour or two before it.
func (o *outlook) known(origin, slot time.Time) forecast.Weather {
	if slot.Before(origin) {
		if i := int(slot.Sub(o.start) / o.step); !slot.Before(o.start) && i < len(o.was) {
			return o.was[i]
		}
		return nothing
	}
	if o.newest.at.Equal(origin) {
		return o.newest.of(o.step, slot)
	}
	for hour := origin.Truncate(time.Hour); origin.Sub(hour) < 2*time.Hour; hour = hour.Add(-time.Hour) {
		if b, ok := o.hourly[hour.Unix()]; ok && !b.at.After(origin) {
			return b.of(o.step, slot)
		}
	}
	return nothing
}

// take puts the weather of a record into the slots from start on, where nothing was known of it.
func (o *outlook) take(r Record) {
	offset := int(r.Start.Sub(o.start) / o.step)
	for i, w := range r.Weather {
		if at := offset + i; at >= 0 && at < len(o.was) && !some(o.was[at]) {
			o.was[at] = w
		}
	}
}

// forget drops so many slots at the begin, and what was published before them.
func (o *outlook) forget(slots int) {
	o.was = append([]forecast.Weather(nil), o.was[min(slots, len(o.was)):]...)
	o.start = o.start.Add(time.Duration(slots) * o.step)
	for hour := range o.hourly {
		if hour < o.start.Unix() {
			delete(o.hourly, hour)
		}
	}
}
