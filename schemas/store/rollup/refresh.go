package rollup

import (
	"context"
	"slices"
	"time"

	"quartier/schemas/district"
)

// Noted is one row of a store's list of what was written.
type Noted struct {
	ID    int64
	Span  Range
	Marks map[district.SeriesID][]Range
}

// Change is what a refresh writes of one series: its blocks of minutes that start in [From, To) are replaced by Minutes, and each of Quarters is written in the place of the
// block of the same start, or removed when it has no cells.
type Change struct {
	Series   district.SeriesID
	From, To int64
	Minutes  []Block
	Quarters []Block
}

// Keeper is a store whose blocks are kept up to date. One at a time refreshes it.
type Keeper interface {
	Source
	// Noted returns rows of the list that are there now, oldest first, at most limit of them.
	Noted(ctx context.Context, limit int) ([]Noted, error)
	// Save writes changes, removes the rows of the list that are done and puts what is still to be done in their place, all in one transaction.
	Save(ctx context.Context, changes []Change, done []int64, again map[district.SeriesID][]Range) error
}

const (
	notedRows  = 2000 // of the list, looked at together
	savedCells = 20_000
)

// Refresh computes the blocks of what was written before the last whole hour, and returns how many spans of series that were. What is younger stays marked, so that a block is written
// once when its hour is over; reads take it from the samples meanwhile.
func Refresh(ctx context.Context, k Keeper, now time.Time) (spans int, err error) {
	ripe := floor(micro(now), hourUS)
	frozen, err := k.Frozen(ctx)
	if err != nil {
		return 0, err
	}
	for {
		noted, err := k.Noted(ctx, notedRows)
		if err != nil || len(noted) == 0 {
			return spans, err
		}
		todo, again := map[district.SeriesID][]Range{}, map[district.SeriesID][]Range{}
		var done []int64
		young := 0
		for _, n := range noted {
			done = append(done, n.ID)
			to := todo
			if n.Span.To >= ripe && n.Span.To != Everything.To {
				to = again
				young++
			}
			for id, list := range n.Marks {
				to[id] = append(to[id], list...)
			}
		}
		n, err := refresh(ctx, k, todo, frozen)
		spans += n
		if err != nil {
			return spans, err
		}
		if len(todo) == 0 && young <= 1 {
			return spans, nil // nothing to do, nothing to gather
		}
		for id, list := range again {
			again[id] = join(list)
		}
		if err := k.Save(ctx, nil, done, again); err != nil || len(noted) < notedRows {
			return spans, err
		}
	}
}

// refresh computes and saves what is marked.
func refresh(ctx context.Context, k Keeper, todo map[district.SeriesID][]Range, frozen int64) (spans int, err error) {
	var changes []Change
	cells := 0
	flush := func() error {
		if len(changes) == 0 {
			return nil
		}
		err := k.Save(ctx, changes, nil, nil)
		changes, cells = changes[:0], 0
		return err
	}
	for id, list := range todo {
		stale, err := affected(ctx, k, id, join(list), frozen)
		if err != nil {
			return spans, err
		}
		for _, r := range stale {
			spans++
			for a := r.From; a < r.To; {
				b := min(floor(a, piece(Quarters))+piece(Quarters), r.To)
				if n := len(changes); n > 0 && changes[n-1].Series == id && floor(changes[n-1].To-1, dayUS) >= floor(a, dayUS) {
					if err := flush(); err != nil { // what is computed next keeps a part of the same day
						return spans, err
					}
				}
				c, err := change(ctx, k, id, a, b)
				if err != nil {
					return spans, err
				}
				changes = append(changes, c)
				for _, m := range c.Minutes {
					cells += len(m.Cells)
				}
				if cells += 100 * len(c.Quarters); cells > savedCells {
					if err := flush(); err != nil {
						return spans, err
					}
				}
				a = b
			}
		}
	}
	return spans, flush()
}

// sparse is the number of samples in an hour up to which its minutes are not kept: they would be as many.
const sparse = 60

// change computes the blocks of a series in [from, to), whole hours.
func change(ctx context.Context, src Source, id district.SeriesID, from, to int64) (Change, error) {
	first, last := floor(from, dayUS), floor(to-1, dayUS)
	old, err := src.Blocks(ctx, id, Quarters, first, last+1)
	if err != nil {
		return Change{}, err
	}
	if slices.ContainsFunc(old, func(b Block) bool { return b.Damaged }) {
		from, to = first, last+dayUS
	}
	c := Change{Series: id, From: from, To: to}
	minutes, quarters, err := compute(ctx, src, id, from, to)
	if err != nil {
		return c, err
	}
	for _, b := range cut(id, Minutes, minutes) {
		samples := int64(0)
		for i := range b.Cells {
			samples += b.Cells[i].Samples + b.Cells[i].Bad
		}
		if samples > sparse {
			c.Minutes = append(c.Minutes, b)
		}
	}
	// what the first and the last day hold outside stays
	var kept []Cell
	for i := range old {
		for _, cell := range old[i].Cells {
			if cell.Slot < from {
				kept = append(kept, cell)
			}
		}
	}
	kept = append(kept, quarters...)
	for i := range old {
		for _, cell := range old[i].Cells {
			if cell.Slot >= to {
				kept = append(kept, cell)
			}
		}
	}
	c.Quarters = cut(id, Quarters, kept)
	have := map[int64]bool{}
	for _, b := range c.Quarters {
		have[b.Start] = true
	}
	for _, b := range old {
		if !have[b.Start] {
			c.Quarters = append(c.Quarters, Block{Series: id, Level: Quarters, Start: b.Start})
		}
	}
	return c, nil
}

// cut returns cells, which are in order, in their blocks.
func cut(id district.SeriesID, level Level, cells []Cell) (out []Block) {
	for i := 0; i < len(cells); {
		start := floor(cells[i].Slot, level.Length())
		j := i
		for j < len(cells) && cells[j].Slot < start+level.Length() {
			j++
		}
		out = append(out, Block{Series: id, Level: level, Start: start, Cells: cells[i:j:j]})
		i = j
	}
	return out
}

// Open reports whether something of before a time is still to be computed.
func Open(ctx context.Context, k Keeper, before int64) (bool, error) {
	noted, err := k.Noted(ctx, 1<<30)
	for _, n := range noted {
		if n.Span.From >= before {
			continue
		}
		for _, list := range n.Marks {
			if slices.ContainsFunc(list, func(r Range) bool { return r.From < before }) {
				return true, err
			}
		}
	}
	return false, err
}
