package app

import (
	"context"
	"sort"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

const (
	// aheadDays is how far beyond what is asked for samples are read at once, at most.
	aheadDays = 8
	// mostAhead bounds how many samples are in memory by that.
	mostAhead = 1_000_000
)

// ahead is a record whose samples are read by several days at once: who goes through a month day by day, a little beyond each, would otherwise have a record unpack the samples of weeks for every day. It serves one
// computation, in which a sample counts as it was when it was first read, and one goroutine.
type ahead struct {
	store.Store
	span    timegrid.Span
	samples map[district.SeriesID][]district.Sample
	perDay  int // how many samples a day had
}

// Read is as the contract says.
func (a *ahead) Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	if !a.has(series, sp) {
		if len(series) < len(a.samples) || sp.Duration() > aheadDays*24*time.Hour { // not what every day's balance is made of
			return a.Store.Read(ctx, series, sp, yield)
		}
		if err := a.load(ctx, series, sp); err != nil {
			return err
		}
	}
	for _, id := range series {
		list := a.samples[id]
		from := sort.Search(len(list), func(i int) bool { return !list[i].Time.Before(sp.Start) })
		for _, s := range list[from:] {
			if !s.Time.Before(sp.End) {
				break
			}
			if err := yield(s); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (a *ahead) has(series []district.SeriesID, sp timegrid.Span) bool {
	if sp.Start.Before(a.span.Start) || sp.End.After(a.span.End) {
		return false
	}
	for _, id := range series {
		if _, ok := a.samples[id]; !ok {
			return false
		}
	}
	return true
}

// load reads what is asked for and, as far as memory goes, some days beyond.
func (a *ahead) load(ctx context.Context, series []district.SeriesID, sp timegrid.Span) error {
	days := 0
	if a.perDay > 0 {
		days = min(aheadDays, mostAhead/a.perDay)
	}
	a.span = timegrid.NewSpan(sp.Start, sp.End.Add(time.Duration(days)*24*time.Hour))
	a.samples = make(map[district.SeriesID][]district.Sample, len(series))
	for _, id := range series {
		a.samples[id] = nil
	}
	n := 0
	err := a.Store.Read(ctx, series, a.span, func(s district.Sample) error {
		a.samples[s.Series] = append(a.samples[s.Series], s)
		n++
		return nil
	})
	if err != nil {
		a.span, a.samples = timegrid.Span{}, nil
		return err
	}
	a.perDay = max(1, int(float64(n)/max(1, a.span.Duration().Hours()/24)))
	return nil
}
