package balances

import (
	"context"
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const (
	keptFor = 10 * time.Minute   // within which late data of old days need not be seen
	fresh   = 3 * 24 * time.Hour // before the end of the record, which is always read again
	mostPED = 200                // boundaries and nettings that are kept
)

// Kept remembers what passed the boundary of several sites, netted with each other, on the days of the past, for one who shows many spans of the same districts: the balances of twelve months and of the year to
// date are the same whatever the span, and two years of quarter-hours need not be read for each. Of one site or a whole district the record itself keeps the days. The zero value is ready for use, by several goroutines.
type Kept struct {
	mu   sync.Mutex
	days map[string]keptDays
}

type keptDays struct {
	span   timegrid.Span
	pieces []ped.Piece
	at     time.Time // when they were read, by the machine's clock
}

// gather returns the pieces of a span; last is where the record ends. A nil Kept reads everything.
func (k *Kept) gather(ctx context.Context, st Store, d *district.District, sites []string, without []ped.Use, netting ped.Netting, sp timegrid.Span, last time.Time, frame ped.Frame, cuts ...time.Time) ([]ped.Piece, error) {
	read := func(sp timegrid.Span) ([]ped.Piece, error) {
		rows, err := boundary(ctx, st, d, sites, without, sp)
		if err != nil {
			return nil, fmt.Errorf("balances: rows of sites of %s: %w", d.ID, err)
		}
		return ped.Gather(rows, netting, frame, cuts...), nil
	}
	old := sp
	if from := timegrid.Day(last.Add(-fresh), d.Zone).Start; from.Before(old.End) {
		old.End = from
	}
	midnight := func(t time.Time) bool { return timegrid.Day(t, d.Zone).Start.Equal(t) }
	whole := midnight(old.Start) && midnight(old.End)
	for _, c := range cuts {
		whole = whole && (midnight(c) || !c.Before(old.End)) // a day that is cut is not one that is kept
	}
	if k == nil || !whole || !old.Start.Before(old.End) {
		return read(sp)
	}
	past, err := k.past(d.ID+"/"+string(netting)+"/"+strings.Join(sites, ",")+"/"+strings.Join(texts(without), ","), old, read)
	if err != nil {
		return nil, err
	}
	now, err := read(timegrid.NewSpan(old.End, sp.End))
	if err != nil {
		return nil, err
	}
	return append(past, now...), nil
}

// past returns the pieces of whole days, of which it reads what is not there or too old.
func (k *Kept) past(key string, sp timegrid.Span, read func(timegrid.Span) ([]ped.Piece, error)) ([]ped.Piece, error) {
	k.mu.Lock()
	have, ok := k.days[key]
	k.mu.Unlock()
	missing := sp
	switch {
	case !ok || time.Since(have.at) > keptFor || sp.Start.Before(have.span.Start) || have.span.End.Before(sp.Start):
		if have.span.End.After(missing.End) { // what is known of later days is read again with what came before them
			missing.End = have.span.End
		}
		have = keptDays{timegrid.NewSpan(sp.Start, sp.Start), nil, time.Now()}
	default:
		missing.Start = have.span.End
	}
	if missing.Start.Before(missing.End) {
		pieces, err := read(missing)
		if err != nil {
			return nil, err
		}
		have.span.End, have.pieces = missing.End, append(have.pieces[:len(have.pieces):len(have.pieces)], pieces...)
		k.mu.Lock()
		if k.days == nil || len(k.days) >= mostPED {
			k.days = map[string]keptDays{}
		}
		k.days[key] = have
		k.mu.Unlock()
	}
	n := sort.Search(len(have.pieces), func(i int) bool { return !have.pieces[i].Start.Before(sp.End) })
	return have.pieces[:n:n], nil
}
