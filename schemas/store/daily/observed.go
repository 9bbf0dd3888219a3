package daily

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"log/slog"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// ObservedScopes begins the scope of every observation. Days of these rest on rollups and forecast errors: who writes those takes them off the list, and who saves rows of balances does not.
const ObservedScopes = "observed/"

func observedScope(o *store.Observation) string { return ObservedScopes + o.Name }

// Staleness is the part of a record that tells what samples its rollups do not know yet.
type Staleness interface {
	store.Observed
	// Stale returns the hours of series in which what is kept of their rollups is not up to date.
	Stale(ctx context.Context, series []district.SeriesID) ([]rollup.Range, error)
}

// ObservedSource is a record whose observations are read. What is stale is asked before what is kept: a refresh of rollups takes the days that it changes off the list before it calls them up to date.
type ObservedSource interface {
	Staleness
	// Moment calls f with the record at one moment.
	Moment(ctx context.Context, f func(Snapshot) error) error
}

// ObservedKeeper is a record of which observations are being summed.
type ObservedKeeper interface {
	Staleness
	Keeper
}

// ReadObserved returns what an observation sums to in each civil day of a zone that starts in sp: what is kept, and what it is summed to now of the others. Days of which a sum is damaged are among the latter; the caller takes them off the
// list.
func ReadObserved(ctx context.Context, log *slog.Logger, s ObservedSource, o *store.Observation, sp timegrid.Span, zone *time.Location) (out [][]byte, damaged []timegrid.Span, err error) {
	days := daysOf(sp, zone)
	if len(days) == 0 {
		return nil, nil, ctx.Err()
	}
	stale, err := s.Stale(ctx, o.Series)
	if err != nil {
		return nil, nil, err
	}
	all := timegrid.Span{Start: days[0].Start, End: days[len(days)-1].End}
	there := map[[2]int64]bool{}
	var sums []Sum
	if err := s.Moment(ctx, func(m Snapshot) error {
		listed, err := m.Summed(ctx, o.District, observedScope(o), all)
		if err != nil || len(listed) == 0 {
			return err
		}
		for _, d := range listed {
			there[key(d)] = true
		}
		sums, err = m.Sums(ctx, o.District, observedScope(o), observedScope(o), all)
		return err
	}); err != nil {
		return nil, nil, err
	}
	kept := make(map[[2]int64][]byte, len(sums))
	for i := range sums {
		x := &sums[i]
		d := timegrid.Span{Start: x.Start.UTC(), End: x.End.UTC()}
		if !there[key(d)] || overlaps(stale, d) {
			continue
		}
		body, err := unseal(x.Body)
		if err != nil {
			log.Error("sum of an observed day damaged, it is made again", "district", o.District, "day", x.Start, "err", err)
			damaged = append(damaged, d)
			continue
		}
		kept[key(d)] = body
	}
	for i := 0; i < len(days); {
		if body, ok := kept[key(days[i])]; ok {
			out = append(out, body)
			i++
			continue
		}
		n := i
		for n < len(days) && kept[key(days[n])] == nil {
			n++
		}
		more, err := o.Sum(ctx, s, days[i:n])
		if err == nil && len(more) != n-i {
			err = fmt.Errorf("store/daily: %d days are summed to %d", n-i, len(more))
		}
		if err != nil {
			return nil, nil, err
		}
		out = append(out, more...)
		i = n
	}
	return out, damaged, ctx.Err()
}

// RefreshObserved keeps what an observation sums to in the days of a zone that were over at now and are not kept, where rollups are up to date with every sample. Those of
// other observations of the district, as it was configured once, are forgotten when nobody asked for them in [forgetAfter].
func RefreshObserved(ctx context.Context, k ObservedKeeper, o *store.Observation, zone *time.Location, now time.Time) error {
	scope := observedScope(o)
	todo, err := unkept(ctx, k, o.District, scope, zone, now)
	if err != nil || len(todo) == 0 {
		return err
	}
	upTo := todo[len(todo)-1].End
	for len(todo) > 0 {
		n := 1
		for n < min(len(todo), mostDays) && todo[n].Start.Equal(todo[n-1].End) {
			n++
		}
		part, claim := todo[:n:n], rand.Text()
		todo = todo[n:]
		if err := k.Claim(ctx, o.District, scope, claim, part); err != nil {
			return err
		}
		stale, err := k.Stale(ctx, o.Series) // after the claim: what is written from now on takes it
		if err != nil {
			return err
		}
		if part = slices.DeleteFunc(slices.Clone(part), func(d timegrid.Span) bool { return overlaps(stale, d) }); len(part) == 0 {
			continue
		}
		bodies, err := o.Sum(ctx, k, part)
		if err == nil && len(bodies) != len(part) {
			err = fmt.Errorf("store/daily: %d days are summed to %d", len(part), len(bodies))
		}
		if err != nil {
			return err
		}
		sums := make([]Sum, len(part))
		for i, d := range part {
			sums[i] = Sum{Site: scope, Start: d.Start, End: d.End, Body: seal(bodies[i])}
		}
		if err := k.Keep(ctx, o.District, scope, claim, part, sums); err != nil {
			return err
		}
	}
	return forget(ctx, k, o.District, upTo, func(other string) bool { return strings.HasPrefix(other, ObservedScopes) && other != scope })
}

func overlaps(list []rollup.Range, d timegrid.Span) bool {
	return slices.ContainsFunc(list, func(r rollup.Range) bool { return r.From < d.End.UnixMicro() && r.To > d.Start.UnixMicro() })
}

// Changed returns the spans of districts in which rollups change, each whole, in order. Every kept day that overlaps one may be touched.
func Changed(changes []rollup.Change) []Span {
	all := make([]Span, len(changes))
	for i := range changes {
		c := &changes[i]
		id, _, _ := strings.Cut(string(c.Series), "/")
		all[i] = Span{id, timegrid.Span{Start: time.UnixMicro(c.From).UTC(), End: time.UnixMicro(c.To).UTC()}}
	}
	return joined(all)
}

// Spans returns spans of a district joined.
func Spans(districtID string, list []timegrid.Span) []Span {
	all := make([]Span, len(list))
	for i, sp := range list {
		all[i] = Span{districtID, sp}
	}
	return joined(all)
}

// Judged returns the spans of districts in which the days of forecast errors begin, each a moment long or longer.
func Judged(rows []district.ForecastError) []Span {
	all := make([]Span, len(rows))
	for i := range rows {
		all[i] = Span{rows[i].District, timegrid.Span{Start: rows[i].Day.UTC(), End: rows[i].Day.UTC().Add(time.Microsecond)}}
	}
	return joined(all)
}

// seal puts the version and the CRC-32C around a body.
func seal(body []byte) []byte {
	out := append([]byte{version}, body...)
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

func unseal(data []byte) ([]byte, error) {
	n := len(data) - 4
	if n < 1 || data[0] != version || crc32.Checksum(data[:n], castagnoli) != binary.LittleEndian.Uint32(data[n:]) {
		return nil, fmt.Errorf("%w: %d bytes", errDamaged, len(data))
	}
	return data[1:n:n], nil
}
