package rollup

import (
	"context"
	"errors"
	"slices"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const (
	minuteUS  = int64(60_000_000)
	quarterUS = 15 * minuteUS
	hourUS    = 60 * minuteUS
	dayUS     = 24 * hourUS

	// holdUS is how far apart two samples may be to tell what was between them.
	holdUS = hourUS
	// spreadUS is how far apart two readings of a counter may be for its growth to be spread.
	spreadUS = 31 * dayUS
)

// Samples is the part of a store that rollups are computed from.
type Samples interface {
	// Read as [quartier/schemas/store.Samples] has it.
	Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error
	// Latest as [quartier/schemas/store.Samples] has it.
	Latest(ctx context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error)
}

// grid collects the cells of one width in [from, to), in order.
type grid struct {
	width, from, to int64
	cells           []Cell
}

// cell returns the cell that holds an instant, mostly the last one or a new one behind it; bad samples come before what is known of the time up to them.
func (g *grid) cell(us int64) *Cell {
	slot := floor(us, g.width)
	i := len(g.cells)
	for i > 0 && g.cells[i-1].Slot > slot {
		i--
	}
	if i == 0 || g.cells[i-1].Slot != slot {
		g.cells = slices.Insert(g.cells, i, Cell{Slot: slot})
		i++
	}
	return &g.cells[i-1]
}

// point adds a sample.
func (g *grid) point(us int64, value float64, q district.Quality, counter bool) {
	if us < g.from || us >= g.to {
		return
	}
	c := g.cell(us)
	if severity(q) > severity(c.Worst) {
		c.Worst = q
	}
	if q == district.Bad {
		c.Bad++
		return
	}
	c.had(value, counter)
	c.Samples++
}

// had notes that the series had a value.
func (c *Cell) had(value float64, counter bool) {
	c.Last = value
	if counter {
		return
	}
	if !c.known(false) {
		c.Min, c.Max = value, value
		return
	}
	c.Min, c.Max = min(c.Min, value), max(c.Max, value)
}

// hold adds a value that held from an instant to another.
func (g *grid) hold(from, to int64, value float64) {
	from, to = max(from, g.from), min(to, g.to)
	for from < to {
		c := g.cell(from)
		end := min(to, c.Slot+g.width)
		c.had(value, false)
		c.Held += end - from
		c.Sum += float64(value * (float64(end-from) / float64(hourUS))) // rounded here, on every processor
		from = end
	}
}

// grow adds the growth of a counter between two readings.
func (g *grid) grow(from, to int64, value, growth float64, covered bool) {
	length := float64(to - from)
	begin, at := from, max(from, g.from)
	to = min(to, g.to)
	for at < to {
		c := g.cell(at)
		end := min(to, c.Slot+g.width)
		// as the difference of two readings, which has no error where the reading is one of the two
		c.Sum += (value + float64(growth*(float64(end-begin)/length))) - (value + float64(growth*(float64(at-begin)/length)))
		if covered {
			c.Held += end - at
		}
		at = end
	}
}

func floor(us, width int64) int64 {
	r := us % width
	if r < 0 {
		r += width
	}
	return us - r
}

func ceil(us, width int64) int64 { return -floor(-us, width) }

// computer computes the cells of one series in [from, to), both whole hours, from its samples in order of time.
type computer struct {
	counter          bool
	minutes, quarter grid
	has              bool // a usable sample came
	us               int64
	value            float64
}

func newComputer(id district.SeriesID, from, to int64) *computer {
	return &computer{counter: FormOf(id) == district.Counter, minutes: grid{width: minuteUS, from: from, to: to}, quarter: grid{width: quarterUS, from: from, to: to}}
}

// add takes the next sample.
func (c *computer) add(us int64, value float64, q district.Quality) {
	if q != district.Bad {
		if c.has {
			c.between(us, value)
		}
		c.has, c.us, c.value = true, us, value
	}
	c.minutes.point(us, value, q, c.counter)
	c.quarter.point(us, value, q, c.counter)
}

// between adds what is known of the time from the last usable sample to the next.
func (c *computer) between(us int64, value float64) {
	near := us-c.us <= holdUS
	switch {
	case !c.counter && near:
		c.minutes.hold(c.us, us, c.value)
		c.quarter.hold(c.us, us, c.value)
	case c.counter && value >= c.value && us-c.us <= spreadUS:
		if near {
			c.minutes.grow(c.us, us, c.value, value-c.value, true)
		}
		c.quarter.grow(c.us, us, c.value, value-c.value, near)
	}
}

// errEnough stops a read.
var errEnough = errors.New("enough")

// compute returns the minutes and quarter-hours of a series in [from, to), which are whole hours, from its samples.
func compute(ctx context.Context, s Samples, id district.SeriesID, from, to int64) (minutes, quarters []Cell, err error) {
	c := newComputer(id, from, to)
	looked := !c.counter
	before := func() error {
		if looked || c.has {
			return nil
		}
		looked = true
		p, ok, err := usableBefore(ctx, s, id, from-holdUS)
		if ok {
			c.add(micro(p.Time), p.Value, p.Quality)
		}
		return err
	}
	err = s.Read(ctx, []district.SeriesID{id}, span(from-holdUS, to+holdUS), func(x district.Sample) error {
		us := micro(x.Time)
		if x.Quality != district.Bad && us >= from {
			if err := before(); err != nil {
				return err
			}
		}
		if us >= to && c.has && c.us >= to {
			return errEnough
		}
		c.add(us, x.Value, x.Quality)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, nil, err
	}
	if err := before(); err != nil {
		return nil, nil, err
	}
	if c.counter && c.has && c.us < to {
		n, ok, err := usableAfter(ctx, s, id, to+holdUS)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			c.add(micro(n.Time), n.Value, n.Quality)
		}
	}
	return c.minutes.cells, c.quarter.cells, nil
}

// usableBefore returns the newest usable sample before an instant, as far back as growth is spread.
func usableBefore(ctx context.Context, s Samples, id district.SeriesID, us int64) (x district.Sample, ok bool, err error) {
	first := us - spreadUS
	latest, err := s.Latest(ctx, []district.SeriesID{id}, at(us-1))
	if err != nil {
		return x, false, err
	}
	l, has := latest[id]
	if !has || micro(l.Time) < first {
		return x, false, nil
	}
	if l.Quality != district.Bad {
		return l, true, nil
	}
	for to, back := micro(l.Time), hourUS; to > first && !ok; to, back = to-back, 8*back {
		err = s.Read(ctx, []district.SeriesID{id}, span(max(first, to-back), to), func(v district.Sample) error {
			if v.Quality != district.Bad {
				x, ok = v, true
			}
			return nil
		})
		if err != nil {
			return x, false, err
		}
	}
	return x, ok, nil
}

// usableAfter returns the first usable sample at or after an instant, as far ahead as growth is spread.
func usableAfter(ctx context.Context, s Samples, id district.SeriesID, us int64) (x district.Sample, ok bool, err error) {
	err = s.Read(ctx, []district.SeriesID{id}, span(us, us+spreadUS), func(v district.Sample) error {
		if v.Quality == district.Bad {
			return nil
		}
		x, ok = v, true
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return x, ok, err
}

func micro(t time.Time) int64 { return t.UnixMicro() }

func at(us int64) time.Time { return time.UnixMicro(us).UTC() }

func span(from, to int64) timegrid.Span { return timegrid.Span{Start: at(from), End: at(to)} }
