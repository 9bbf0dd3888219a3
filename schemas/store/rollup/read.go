package rollup

import (
	"context"
	"fmt"
	"slices"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// Source is what a store gives for rollups to be read.
type Source interface {
	Samples
	// Marked returns what was written to each of the series since its blocks were computed, as of now or later.
	Marked(ctx context.Context, series []district.SeriesID) (map[district.SeriesID][]Range, error)
	// Blocks returns the blocks of a series that start in [from, to), microseconds since the Unix epoch, in order.
	Blocks(ctx context.Context, id district.SeriesID, level Level, from, to int64) ([]Block, error)
	// Frozen returns the time before which samples may have been removed, and blocks stay what they are; [Everything].From without one.
	Frozen(ctx context.Context) (int64, error)
}

// Everything is the range of all samples that a store can keep: years 1 to 9999.
var Everything = Range{micro(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)), micro(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))}

// pieces bound what is held in memory at a time.
func piece(level Level) int64 {
	if level == Minutes {
		return 2 * dayUS
	}
	return 64 * dayUS
}

// Read calls yield for every slot of the step that starts in sp and of which something is known, by series in the given order, then by time. Days, months and the hours of the clock are those of
// zone. An error of yield ends it.
func Read(ctx context.Context, src Source, series []district.SeriesID, sp timegrid.Span, step Step, zone *time.Location, yield func(Row) error) error {
	if step < Minute || step > Month {
		return fmt.Errorf("store/rollup: unknown %v", step)
	}
	if !sp.Start.Before(sp.End) {
		return ctx.Err()
	}
	marked, err := src.Marked(ctx, series)
	if err != nil {
		return err
	}
	frozen, err := src.Frozen(ctx)
	if err != nil {
		return err
	}
	for _, id := range series {
		stale, err := affected(ctx, src, id, marked[id], frozen)
		if err != nil {
			return err
		}
		if err := readOne(ctx, src, id, sp, step, zone, stale, yield); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func readOne(ctx context.Context, src Source, id district.SeriesID, sp timegrid.Span, step Step, zone *time.Location, stale []Range, yield func(Row) error) error {
	level := Quarters
	if step == Minute {
		level = Minutes
	}
	first := step.Slot(sp.Start, zone)
	if first.Start.Before(sp.Start) {
		first = step.Slot(first.End, zone)
	}
	if !first.Start.Before(sp.End) {
		return nil
	}
	from, to := micro(first.Start), micro(step.Slot(sp.End.Add(-1), zone).End)
	counter := FormOf(id) == district.Counter
	slot, sum, some := first, Cell{}, false
	emit := func() error {
		if !some {
			return nil
		}
		some = false
		return yield(sum.row(id, slot, counter))
	}
	for a := from; a < to; {
		b := min(floor(a, piece(level))+piece(level), to)
		cells, err := cellsOf(ctx, src, id, level, a, b, stale)
		if err != nil {
			return err
		}
		for i := range cells {
			c := &cells[i]
			if c.Slot >= micro(slot.End) {
				if err := emit(); err != nil {
					return err
				}
				slot = step.Slot(at(c.Slot), zone)
			}
			if some {
				sum.add(c, counter)
			} else {
				sum, some = *c, true
			}
		}
		a = b
	}
	return emit()
}

// cellsOf returns the cells of a series in [from, to), in order: from blocks where those are up to date, else from samples.
func cellsOf(ctx context.Context, src Source, id district.SeriesID, level Level, from, to int64, stale []Range) ([]Cell, error) {
	blocks, err := src.Blocks(ctx, id, level, floor(from, level.Length()), to)
	if err != nil {
		return nil, err
	}
	raw := within(stale, from, to)
	for i := range blocks {
		if b := &blocks[i]; b.Damaged {
			raw = join(append(raw, within([]Range{{b.Start, b.Start + level.Length()}}, from, to)...))
		}
	}
	if level == Minutes {
		raw = join(append(raw, missing(blocks, raw, from, to)...))
	}
	var out []Cell
	r := 0
	for i := range blocks {
		for _, c := range blocks[i].Cells {
			for r < len(raw) && raw[r].To <= c.Slot {
				r++
			}
			if c.Slot >= from && c.Slot < to && (r == len(raw) || c.Slot < raw[r].From) {
				out = append(out, c)
			}
		}
	}
	for _, s := range raw {
		minutes, quarters, err := compute(ctx, src, id, s.From, s.To)
		if err != nil {
			return nil, err
		}
		cells := quarters
		if level == Minutes {
			cells = minutes
		}
		for _, c := range cells {
			if c.Slot >= from && c.Slot < to {
				out = append(out, c)
			}
		}
	}
	if len(raw) > 0 {
		slices.SortFunc(out, func(a, b Cell) int {
			if a.Slot < b.Slot {
				return -1
			}
			return 1
		})
	}
	return out, nil
}

// within returns the parts of ranges in [from, to), widened to whole hours; here To is not included.
func within(list []Range, from, to int64) (out []Range) {
	from, to = floor(from, hourUS), ceil(to, hourUS)
	for _, r := range list {
		if r.From < to && r.To > from {
			out = append(out, Range{max(r.From, from), min(r.To, to)})
		}
	}
	return out
}

// missing returns the hours of [from, to) without a block and outside of raw: there the samples are as few as the minutes.
func missing(blocks []Block, raw []Range, from, to int64) (out []Range) {
	b, r := 0, 0
	for hour := floor(from, hourUS); hour < to; hour += hourUS {
		for b < len(blocks) && blocks[b].Start < hour {
			b++
		}
		for r < len(raw) && raw[r].To <= hour {
			r++
		}
		if b < len(blocks) && blocks[b].Start == hour || r < len(raw) && raw[r].From <= hour {
			continue
		}
		if n := len(out); n > 0 && out[n-1].To == hour {
			out[n-1].To += hourUS
			continue
		}
		out = append(out, Range{hour, hour + hourUS})
	}
	return out
}

// affected returns the whole hours that samples in the ranges have a say in, in order; here To is not included. Nothing before frozen is changed any more.
func affected(ctx context.Context, s Samples, id district.SeriesID, list []Range, frozen int64) ([]Range, error) {
	counter := FormOf(id) == district.Counter
	var out []Range
	for _, r := range list {
		if r == Everything {
			var err error
			var ok bool
			if r, ok, err = extent(ctx, s, id); err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
		}
		from, to := r.From-holdUS, r.To+holdUS
		if counter {
			p, ok, err := usableBefore(ctx, s, id, r.From)
			if err != nil {
				return nil, err
			}
			if ok {
				from = min(from, micro(p.Time))
			}
			if p, ok, err = usableAfter(ctx, s, id, r.To+1); err != nil {
				return nil, err
			}
			if ok {
				to = max(to, micro(p.Time))
			}
		}
		from, to = max(floor(from, hourUS), ceil(frozen, hourUS)), ceil(to+1, hourUS)
		if from < to {
			out = append(out, Range{from, to})
		}
	}
	return join(out), nil
}

// Stale returns the hours of series in which their blocks are not up to date with every sample, in order; the end of each is not included.
func Stale(ctx context.Context, src Source, series []district.SeriesID) ([]Range, error) {
	marked, err := src.Marked(ctx, series)
	if err != nil {
		return nil, err
	}
	frozen, err := src.Frozen(ctx)
	if err != nil {
		return nil, err
	}
	var out []Range
	for _, id := range series {
		hours, err := affected(ctx, src, id, marked[id], frozen)
		if err != nil {
			return nil, err
		}
		out = append(out, hours...)
	}
	return join(out), nil
}

// extent returns the first and the last sample of a series.
func extent(ctx context.Context, s Samples, id district.SeriesID) (r Range, ok bool, err error) {
	one := []district.SeriesID{id}
	latest, err := s.Latest(ctx, one, at(Everything.To))
	if err != nil {
		return r, false, err
	}
	l, has := latest[id]
	if !has {
		return r, false, nil
	}
	r = Range{micro(l.Time), micro(l.Time)}
	err = s.Read(ctx, one, span(Everything.From, r.To+1), func(x district.Sample) error {
		r.From = micro(x.Time)
		return errEnough
	})
	if err == errEnough {
		err = nil
	}
	return r, true, err
}

// Compute yields what [Read] does from samples alone, for a store that keeps no blocks.
func Compute(ctx context.Context, s Samples, series []district.SeriesID, sp timegrid.Span, step Step, zone *time.Location, yield func(Row) error) error {
	return Read(ctx, unkept{s}, series, sp, step, zone, yield)
}

// unkept is a source without blocks: everything is to be computed.
type unkept struct{ Samples }

func (unkept) Marked(_ context.Context, series []district.SeriesID) (map[district.SeriesID][]Range, error) {
	out := make(map[district.SeriesID][]Range, len(series))
	for _, id := range series {
		out[id] = []Range{Everything}
	}
	return out, nil
}

func (unkept) Blocks(context.Context, district.SeriesID, Level, int64, int64) ([]Block, error) {
	return nil, nil
}

func (unkept) Frozen(context.Context) (int64, error) { return Everything.From, nil }
