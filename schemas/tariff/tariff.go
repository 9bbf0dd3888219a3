// Package tariff turns dated tariffs into prices: base, peak/off-peak with its windows, Tempo with its day colours, and plain series.
//
// Prices are EUR/kWh with all taxes unless a row's source says otherwise. Everything that changes is data: rows have the local day from which they hold, off-peak
// windows belong to the delivery point, Tempo colours to a calendar. Slots are priced at their start. The package does no I/O.
package tariff

import (
	"fmt"
	"sort"
	"time"

	"quartier/schemas/timegrid"
)

// Kind is how a tariff finds its period.
type Kind string

// The kinds of tariffs.
const (
	Base   Kind = "base"   // one price
	HPHC   Kind = "hp_hc"  // peak and off-peak hours, by windows
	Tempo  Kind = "tempo"  // three day colours with peak 6 to 22 h; the Tempo day runs from 6:00 to 6:00
	Series Kind = "series" // prices by slot, such as a day-ahead market
)

// Period names a price of a row.
type Period string

// The periods of the kinds.
const (
	BasePeriod Period = "base"
	HP         Period = "hp" // heures pleines, peak
	HC         Period = "hc" // heures creuses, off-peak
	BlueHP     Period = "blue_hp"
	BlueHC     Period = "blue_hc"
	WhiteHP    Period = "white_hp"
	WhiteHC    Period = "white_hc"
	RedHP      Period = "red_hp"
	RedHC      Period = "red_hc"
)

// Periods lists the periods that a row of the kind must price.
func Periods(k Kind) []Period {
	switch k {
	case Base:
		return []Period{BasePeriod}
	case HPHC:
		return []Period{HP, HC}
	case Tempo:
		return []Period{BlueHP, BlueHC, WhiteHP, WhiteHC, RedHP, RedHC}
	}
	return nil
}

// Colour is the colour of a Tempo day.
type Colour string

// The colours of Tempo days.
const (
	Blue  Colour = "blue"
	White Colour = "white"
	Red   Colour = "red"
)

// Row is a dated price list.
type Row struct {
	From   time.Time          // local midnight from which it holds, until the next row
	Import map[Period]float64 // EUR/kWh
	Export float64            // EUR/kWh paid for what is fed
	Source string             // the document of the figures
}

// Window is an off-peak window in minutes of the local day; To at or before From runs over midnight.
type Window struct {
	From, To   int // minutes after local midnight, [From, To)
	FirstMonth int // months of the year in which it holds, 1 to 12; both 0: the whole year
	LastMonth  int // inclusive; below FirstMonth it runs over the new year
	ValidFrom  time.Time
	ValidUntil time.Time // zero: without end
}

// Tariff is one dated tariff.
type Tariff struct {
	ID, Name string
	Kind     Kind
	Zone     *time.Location
	Rows     []Row // by From, rising
	OffPeak  []Window
	// Colour returns the colour of the Tempo day that begins at 6:00 on the local day; nil or an unknown day: blue.
	Colour func(y int, m time.Month, d int) Colour
	// Prices are those of a [Series] tariff.
	Prices timegrid.Series
}

// row returns the row that holds at t.
func (t *Tariff) row(at time.Time) (*Row, error) {
	i := sort.Search(len(t.Rows), func(i int) bool { return t.Rows[i].From.After(at) })
	if i == 0 {
		return nil, fmt.Errorf("tariff %s: no price at %s", t.ID, at.In(t.zone()).Format(time.RFC3339))
	}
	return &t.Rows[i-1], nil
}

func (t *Tariff) zone() *time.Location {
	if t.Zone == nil {
		return time.UTC
	}
	return t.Zone
}

// PeriodAt returns the period that holds at an instant.
func (t *Tariff) PeriodAt(at time.Time) Period {
	l := at.In(t.zone())
	minute := l.Hour()*60 + l.Minute()
	switch t.Kind {
	case HPHC:
		for _, w := range t.OffPeak {
			if w.holds(at, l, minute) {
				return HC
			}
		}
		return HP
	case Tempo:
		day := l
		if l.Hour() < 6 {
			day = time.Date(l.Year(), l.Month(), l.Day()-1, 12, 0, 0, 0, l.Location())
		}
		c := Blue
		if t.Colour != nil {
			if v := t.Colour(day.Year(), day.Month(), day.Day()); v != "" {
				c = v
			}
		}
		if l.Hour() >= 6 && l.Hour() < 22 {
			return Period(string(c) + "_hp")
		}
		return Period(string(c) + "_hc")
	}
	return BasePeriod
}

func (w Window) holds(at, local time.Time, minute int) bool {
	if at.Before(w.ValidFrom) || !w.ValidUntil.IsZero() && !at.Before(w.ValidUntil) {
		return false
	}
	if m := int(local.Month()); w.FirstMonth != 0 {
		in := m >= w.FirstMonth && m <= w.LastMonth
		if w.LastMonth < w.FirstMonth {
			in = m >= w.FirstMonth || m <= w.LastMonth
		}
		if !in {
			return false
		}
	}
	if w.From < w.To {
		return minute >= w.From && minute < w.To
	}
	return minute >= w.From || minute < w.To
}

// ImportAt returns the price of drawn energy at an instant, EUR/kWh.
func (t *Tariff) ImportAt(at time.Time) (float64, error) {
	if t.Kind == Series {
		v, ok := t.Prices.At(at)
		if !ok {
			return 0, fmt.Errorf("tariff %s: no price at %s", t.ID, at.In(t.zone()).Format(time.RFC3339))
		}
		return v, nil
	}
	r, err := t.row(at)
	if err != nil {
		return 0, err
	}
	return r.Import[t.PeriodAt(at)], nil
}

// ExportAt returns the price of fed energy at an instant, EUR/kWh.
func (t *Tariff) ExportAt(at time.Time) (float64, error) {
	if len(t.Rows) == 0 {
		return 0, nil
	}
	r, err := t.row(at)
	if err != nil {
		return 0, err
	}
	return r.Export, nil
}

// Import returns the price of each slot that starts in the span. The error names the first slot without a price.
func (t *Tariff) Import(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return series(sp, step, t.ImportAt)
}

// Export returns the price for fed energy of each slot that starts in the span.
func (t *Tariff) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return series(sp, step, t.ExportAt)
}

func series(sp timegrid.Span, step time.Duration, at func(time.Time) (float64, error)) ([]float64, error) {
	out := make([]float64, 0, sp.Count(step))
	for s := range sp.Slots(step) {
		v, err := at(s.Start)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
