// Package rollup is the arithmetic of the sums over time that the record keeps beside its samples: what a series was in each minute, quarter-hour, hour, civil day
// and civil month. Every store uses it, so that all give the same numbers.
//
// A store keeps minutes and quarter-hours, packed in blocks ([Encode]); hours, days and months are made of quarter-hours when they are read, in whatever time zone is
// asked for, so that a day has 92, 96 or 100 of them and a change of zone changes nothing that is stored. A year of one series is 366 small blocks.
//
// With every write of samples the store notes, in the same transaction, which series and spans it touched ([Marks]). [Refresh] computes blocks for what is marked, and
// [View.Read] computes what is marked at the moment from the samples themselves: an answer is never older than the samples are, however late or often
// they came and however seldom somebody refreshes.
//
// Between two usable samples (any but bad ones) of at most an hour apart, the first value of a gauge or state holds, and a counter grows evenly. Longer apart, nothing is known of a
// gauge, and the growth of a counter is spread evenly over the quarter-hours between, of which it then covers none: the growth of a month is exact also where a day of readings is
// missing. Beyond 31 days it is left out. A counter that falls was reset or replaced, and the growth from before to after is not known.
package rollup

import (
	"fmt"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// Step is the length of a slot.
type Step uint8

// The steps.
const (
	Minute Step = iota + 1
	Quarter
	Hour
	Day   // civil day of a time zone
	Month // civil month of a time zone
)

// String returns the word for messages.
func (s Step) String() string {
	switch s {
	case Minute:
		return "minute"
	case Quarter:
		return "quarter-hour"
	case Hour:
		return "hour"
	case Day:
		return "day"
	case Month:
		return "month"
	}
	return fmt.Sprintf("step(%d)", uint8(s))
}

// Slot returns the slot of the step that holds t. Hours are those of the clock of the zone, which differ from hours of UTC where its offset is no whole hour.
func (s Step) Slot(t time.Time, zone *time.Location) timegrid.Span {
	switch s {
	case Day:
		return timegrid.Day(t, zone)
	case Month:
		return timegrid.Month(t, zone)
	case Hour:
		_, offset := t.In(zone).Zone()
		shift := time.Duration(offset) * time.Second % time.Hour
		start := timegrid.Floor(t.Add(shift), time.Hour).Add(-shift)
		return timegrid.Span{Start: start, End: start.Add(time.Hour)}
	case Minute:
		start := timegrid.Floor(t, time.Minute)
		return timegrid.Span{Start: start, End: start.Add(time.Minute)}
	}
	start := timegrid.Floor(t, 15*time.Minute)
	return timegrid.Span{Start: start, End: start.Add(15 * time.Minute)}
}

// Row is what a series was in one slot. There is no row where nothing is known.
type Row struct {
	Series  district.SeriesID
	Start   time.Time // UTC
	End     time.Time // the slot is half-open
	Samples int       // usable samples with time in the slot
	Bad     int       // samples of bad quality
	Worst   district.Quality
	// Held is how much of the slot lies between two usable samples of at most an hour apart.
	Held time.Duration
	// Integral of a gauge or state over Held, in its unit times hours: kWh for a power in kW.
	Integral float64
	// Growth of a counter, in its unit.
	Growth float64
	// Min and Max are the extremes that a gauge or state had at any time in the slot, the value that it came with included; not for counters.
	Min, Max float64
	// Last is the newest value: of a gauge or state at the end of Held, of a counter the last reading in the slot, when Samples is above zero.
	Last float64
}

// Mean returns the mean of a gauge over the time for which it is known, false where that is none.
func (r *Row) Mean() (float64, bool) {
	if r.Held <= 0 {
		return r.Last, r.Samples > 0
	}
	return r.Integral / r.Held.Hours(), true
}

// Coverage returns the share of the slot for which the series is known, in [0, 1].
func (r *Row) Coverage() float64 { return r.Held.Hours() / r.End.Sub(r.Start).Hours() }

// Add appends what a later row of the same series holds; its slot becomes that from the begin of r to the end of o.
func (r *Row) Add(o Row) {
	counter := FormOf(r.Series) == district.Counter
	cell := func(x *Row) Cell {
		return Cell{Samples: int64(x.Samples), Bad: int64(x.Bad), Worst: x.Worst, Held: x.Held.Microseconds(), Sum: x.Integral + x.Growth, Min: x.Min, Max: x.Max, Last: x.Last}
	}
	c, d := cell(r), cell(&o)
	c.add(&d, counter)
	*r = c.row(r.Series, timegrid.Span{Start: r.Start, End: o.End}, counter)
}

// FormOf returns how a series behaves in time, by its quantity; energies that are not known by name are counters.
func FormOf(id district.SeriesID) district.Form {
	name := string(id[strings.LastIndexByte(string(id), '/')+1:])
	if q, ok := district.LookupQuantity(name); ok {
		return q.Form
	}
	if strings.HasSuffix(name, "_kwh") {
		return district.Counter
	}
	return district.Gauge
}

// Cell is a [Row] of a minute or quarter-hour, as it is computed and stored.
type Cell struct {
	Slot           int64 // its start, microseconds since the Unix epoch
	Samples, Bad   int64
	Worst          district.Quality
	Held           int64   // microseconds
	Sum            float64 // Integral, or Growth of a counter
	Min, Max, Last float64
}

// severity orders qualities from good to bad.
func severity(q district.Quality) int {
	return [...]int{district.Good: 0, district.Uncertain: 2, district.Bad: 3, district.Substituted: 1}[q&3]
}

// known reports whether Last, and for a gauge Min and Max, say something.
func (c *Cell) known(counter bool) bool { return c.Samples > 0 || !counter && c.Held > 0 }

// add appends what a later cell holds.
func (c *Cell) add(o *Cell, counter bool) {
	if o.known(counter) {
		if !c.known(counter) {
			c.Min, c.Max = o.Min, o.Max
		}
		c.Min, c.Max, c.Last = min(c.Min, o.Min), max(c.Max, o.Max), o.Last
	}
	if severity(o.Worst) > severity(c.Worst) {
		c.Worst = o.Worst
	}
	c.Samples += o.Samples
	c.Bad += o.Bad
	c.Held += o.Held
	c.Sum += o.Sum
}

// row returns a cell as a row of a slot.
func (c *Cell) row(id district.SeriesID, slot timegrid.Span, counter bool) Row {
	r := Row{Series: id, Start: slot.Start, End: slot.End, Samples: int(c.Samples), Bad: int(c.Bad), Worst: c.Worst,
		Held: time.Duration(c.Held) * time.Microsecond, Min: c.Min, Max: c.Max, Last: c.Last}
	if counter {
		r.Growth = c.Sum
	} else {
		r.Integral = c.Sum
	}
	return r
}
