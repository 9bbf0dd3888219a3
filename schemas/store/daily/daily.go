// Package daily keeps what balance rows sum to in each civil day, for both stores, so that a year by month reads 365 sums and not 35,040 slots.
//
// A kept day is right or it is not there: whoever saves rows takes, in the same transaction, every kept day that they fall into off the list, whatever its zone, and such a day is summed from its slots when it is read
// until a refresh keeps it again. So nobody who saves rows needs to know a zone, a refresh may come late, be killed or be repeated, and late data, corrections and replays need no care.
//
// Days of an observation rest on rollups and on forecast errors instead, and are taken off by who changes those.
//
// A refresh claims days first, in a transaction that comes after every writer that was under way, then reads their rows, and keeps the sums of those whose claim still stands: a row that was saved meanwhile took it.
package daily

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// Record is the part of a record that is read; of a read, at one moment.
type Record interface {
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error)
	// Summed returns the days of a district and scope that start in sp and are kept, from start to end.
	Summed(ctx context.Context, districtID, scope string, sp timegrid.Span) ([]timegrid.Span, error)
}

// Snapshot is a record with its sums.
type Snapshot interface {
	Record
	// Sums returns the sums of a scope and site ("": all) of days that start in sp, those among them that are no longer kept as well.
	Sums(ctx context.Context, districtID, scope, site string, sp timegrid.Span) ([]Sum, error)
}

// Each is the scope of every site and of the district, each by itself. Other scopes are boundaries of several sites, see [ScopeOf].
const Each = ""

// longName is how long the name of a boundary may be that is a scope as it is.
const longName = 64

// ScopeOf returns the scope of a site as records are asked for it: [Each], or, of several sites that are netted with each other, the name of their boundary, which stands for itself or, where it is long, as its hash.
func ScopeOf(site string) string {
	if len(balance.Apart(site)) == 1 {
		return Each
	}
	if len(site) > longName {
		sum := sha256.Sum256([]byte(site))
		return "+" + hex.EncodeToString(sum[:16])
	}
	return site
}

// Sum is a kept [balance.Day].
type Sum struct {
	Site       string // of another scope than [Each] the scope
	Carrier    balance.Carrier
	Start, End time.Time
	Body       []byte // see Encode
}

// Keeper is a record whose days are being summed.
type Keeper interface {
	Record
	BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error)
	// From returns when the first day begins of which every row is there.
	From(ctx context.Context) (time.Time, error)
	// Claim puts days on the list as claimed, once every writer that is under way has ended; days from before From are left out.
	Claim(ctx context.Context, districtID, scope, claim string, days []timegrid.Span) error
	// Keep keeps the sums of those days whose claim still stands.
	Keep(ctx context.Context, districtID, scope, claim string, days []timegrid.Span, sums []Sum) error
	// Scopes returns the scopes of a district other than [Each], each with the start of its newest day on the list or with a sum.
	Scopes(ctx context.Context, districtID string) (map[string]time.Time, error)
	// Forget removes the days of a scope, and their claims, from the list, and then their sums.
	Forget(ctx context.Context, districtID, scope string) error
}

// Read returns the days of a zone that start in sp: from what is kept, and from the slots of the others. Days of which a sum is damaged are among the latter; the caller takes them off the list.
func Read(ctx context.Context, log *slog.Logger, s Snapshot, districtID, site string, sp timegrid.Span, zone *time.Location) (out []balance.Day, damaged []timegrid.Span, err error) {
	days := daysOf(sp, zone)
	if len(days) == 0 {
		return []balance.Day{}, nil, ctx.Err()
	}
	all := timegrid.Span{Start: days[0].Start, End: days[len(days)-1].End}
	scope, kin := ScopeOf(site), site
	if scope != Each {
		kin = scope
	}
	listed, err := s.Summed(ctx, districtID, scope, all)
	if err != nil {
		return nil, nil, err
	}
	there := make(map[[2]int64]bool, len(listed))
	for _, d := range listed {
		there[key(d)] = true
	}
	kept := make(map[[2]int64]bool, len(days)) // days of another zone are none of these
	for _, d := range days {
		if there[key(d)] {
			kept[key(d)] = true
		}
	}
	out = []balance.Day{}
	if len(kept) > 0 {
		sums, err := s.Sums(ctx, districtID, scope, kin, all)
		if err != nil {
			return nil, nil, err
		}
		out = slices.Grow(out, len(sums))
		for i := range sums {
			x := &sums[i]
			day := key(timegrid.Span{Start: x.Start, End: x.End})
			if !kept[day] {
				continue
			}
			d, err := Decode(districtID, x)
			if err != nil {
				log.Error("sum of a day damaged, it is made again from its slots", "district", districtID, "site", x.Site, "day", x.Start, "err", err)
				damaged = append(damaged, timegrid.Span{Start: x.Start, End: x.End})
				delete(kept, day)
				continue
			}
			if scope != Each {
				d.Site = site
				if d.Electric != nil {
					d.Electric.Total.Site = site
				}
			}
			out = append(out, d)
		}
		out = slices.DeleteFunc(out, func(d balance.Day) bool { return !kept[key(timegrid.Span{Start: d.Start, End: d.End()})] }) // of a damaged one
	}
	for i := 0; i < len(days); {
		if kept[key(days[i])] {
			i++
			continue
		}
		n := i
		for n < len(days) && n-i < mostDays && !kept[key(days[n])] {
			n++
		}
		more, err := FromRows(ctx, s, districtID, site, timegrid.Span{Start: days[i].Start, End: days[n-1].End}, zone)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, more...)
		i = n
	}
	balance.SortDays(out)
	return out, damaged, ctx.Err()
}

// key is a day in maps.
func key(d timegrid.Span) [2]int64 { return [2]int64{d.Start.UnixMicro(), d.End.UnixMicro()} }

// FromRows sums the rows of a site by day: of one, of the district ("_"), of each ("") or of a boundary of several, see [balance.Together].
func FromRows(ctx context.Context, r interface {
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error)
}, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error) {
	var rows []balance.Row
	var others []balance.CarrierRow
	sites := balance.Apart(site)
	for _, id := range sites {
		more, err := r.Balances(ctx, districtID, id, sp)
		if err != nil {
			return nil, err
		}
		carriers, err := r.Carriers(ctx, districtID, id, "", sp)
		if err != nil {
			return nil, err
		}
		rows, others = append(rows, more...), append(others, carriers...)
	}
	if len(sites) > 1 {
		return balance.JointDays(site, rows, others, zone), nil
	}
	return balance.Days(rows, others, zone), nil
}

// daysOf returns the civil days that start in a span.
func daysOf(sp timegrid.Span, zone *time.Location) []timegrid.Span {
	var out []timegrid.Span
	if !sp.Start.Before(sp.End) {
		return nil
	}
	d := timegrid.Day(sp.Start, zone)
	if d.Start.Before(sp.Start) {
		d = timegrid.Day(d.End, zone)
	}
	for ; d.Start.Before(sp.End); d = timegrid.Day(d.End, zone) {
		out = append(out, timegrid.Span{Start: d.Start.UTC(), End: d.End.UTC()})
	}
	return out
}

const (
	fewRows  = 10_000 // of slots in memory at a time, at least where there are more
	manyRows = 60_000
	mostDays = 31
)

// Refresh keeps the sums of the days of a zone that were over at now and are not kept: of every site and the district, and of boundaries of several sites. Those of other boundaries that nobody asked for in [forgetAfter] are forgotten.
func Refresh(ctx context.Context, k Keeper, districtID string, zone *time.Location, now time.Time, boundaries ...string) error {
	upTo, err := refreshScope(ctx, k, districtID, "", zone, now)
	if err != nil {
		return err
	}
	asked := map[string]bool{}
	for _, b := range boundaries {
		if ScopeOf(b) == Each {
			continue // it is among the first
		}
		asked[ScopeOf(b)] = true
		if _, err := refreshScope(ctx, k, districtID, b, zone, now); err != nil {
			return err
		}
	}
	return forget(ctx, k, districtID, upTo, func(scope string) bool { return !strings.HasPrefix(scope, ObservedScopes) && !asked[scope] })
}

// forgetAfter is how far a scope falls behind the days that are being kept before it is taken for one that nobody asks for: programs of different configurations that share a record refresh theirs by the day. Taken wrongly, its days are
// summed again.
const forgetAfter = 7 * 24 * time.Hour

// forget removes those scopes among some that fell behind days that were kept now up to a time; zero: none were.
func forget(ctx context.Context, k Keeper, districtID string, upTo time.Time, among func(scope string) bool) error {
	if upTo.IsZero() {
		return ctx.Err()
	}
	scopes, err := k.Scopes(ctx, districtID)
	if err != nil {
		return err
	}
	for scope, newest := range scopes {
		if among(scope) && newest.Before(upTo.Add(-forgetAfter)) {
			if err := k.Forget(ctx, districtID, scope); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// refreshScope does so of one scope, by the site that stands for it, and returns the end of the last day that was not kept, zero where all were.
func refreshScope(ctx context.Context, k Keeper, districtID, site string, zone *time.Location, now time.Time) (upTo time.Time, err error) {
	todo, err := unkept(ctx, k, districtID, ScopeOf(site), zone, now)
	if err != nil || len(todo) == 0 {
		return time.Time{}, err
	}
	upTo = todo[len(todo)-1].End
	for n := 1; len(todo) > 0; {
		part := todo[:1]
		for len(part) < n && len(part) < len(todo) && todo[len(part)].Start.Equal(part[len(part)-1].End) {
			part = todo[:len(part)+1]
		}
		rows, err := refresh(ctx, k, districtID, site, zone, part)
		if err != nil {
			return time.Time{}, err
		}
		todo = todo[len(part):]
		switch {
		case rows < fewRows:
			n = min(2*n, mostDays)
		case rows > manyRows:
			n = max(1, n/2)
		}
	}
	return upTo, ctx.Err()
}

// unkept returns the days of a zone of which there are rows, that were over at now and are not kept of a scope.
func unkept(ctx context.Context, k Keeper, districtID, scope string, zone *time.Location, now time.Time) ([]timegrid.Span, error) {
	known, err := k.BalanceSpan(ctx, districtID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from, err := k.From(ctx)
	if err != nil {
		return nil, err
	}
	first := timegrid.Day(known.Start, zone)
	if first.Start.Before(from) {
		first.Start = from // the first day that starts from then on is the first that is whole
	}
	todo := daysOf(timegrid.Span{Start: first.Start, End: known.End}, zone)
	if len(todo) == 0 {
		return nil, ctx.Err()
	}
	listed, err := k.Summed(ctx, districtID, scope, timegrid.Span{Start: todo[0].Start, End: todo[len(todo)-1].End})
	if err != nil {
		return nil, err
	}
	kept := make(map[[2]int64]bool, len(listed))
	for _, d := range listed {
		kept[key(d)] = true
	}
	return slices.DeleteFunc(todo, func(d timegrid.Span) bool { return d.End.After(now) || kept[key(d)] }), nil
}

// refresh keeps the sums of days that follow one another, and returns how many slots they have.
func refresh(ctx context.Context, k Keeper, districtID, site string, zone *time.Location, days []timegrid.Span) (rows int, err error) {
	claim, scope := rand.Text(), ScopeOf(site)
	if err := k.Claim(ctx, districtID, scope, claim, days); err != nil {
		return 0, err
	}
	sums, err := FromRows(ctx, k, districtID, site, timegrid.Span{Start: days[0].Start, End: days[len(days)-1].End}, zone)
	if err != nil {
		return 0, err
	}
	out := make([]Sum, len(sums))
	for i := range sums {
		d := &sums[i]
		out[i] = Sum{Site: d.Site, Carrier: d.Carrier, Start: d.Start, End: d.End(), Body: Encode(d)}
		if scope != Each {
			out[i].Site = scope
		}
		rows += d.Slots * d.Sites
	}
	return rows, k.Keep(ctx, districtID, scope, claim, days, out)
}

// Span is a span of time of a district.
type Span struct {
	District string
	timegrid.Span
}

// Touched returns the spans, from the first to the last start, in which rows fall: by district, and those with half a day or more between them apart. Every kept day from [LongestDay] before the start of one to its end,
// both included, may be touched.
func Touched[T any](rows []T, of func(*T) (districtID string, start time.Time)) []Span {
	all := make([]Span, len(rows))
	for i := range rows {
		id, t := of(&rows[i])
		all[i] = Span{id, timegrid.Span{Start: t, End: t}}
	}
	return joined(all)
}

// joined returns spans in order, with those less than half a day apart as one.
func joined(all []Span) []Span {
	slices.SortFunc(all, func(a, b Span) int { return cmp.Or(cmp.Compare(a.District, b.District), a.Start.Compare(b.Start)) })
	var out []Span
	for _, x := range all {
		if n := len(out); n > 0 && out[n-1].District == x.District && x.Start.Sub(out[n-1].End) < 12*time.Hour {
			if x.End.After(out[n-1].End) {
				out[n-1].End = x.End
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// LongestDay bounds how long a civil day is.
const LongestDay = 48 * time.Hour
