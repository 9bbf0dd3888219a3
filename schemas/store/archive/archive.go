// Package archive writes a whole record into one file and takes it back, whichever store it is in: samples, balances, plans, set-points, events and accounts, with the ids that they
// have. Sessions stay behind, and rollups are made again from the samples: those of samples that were removed for their age are not in an archive, only in a copy of the file or a dump of the database.
//
// An archive is, compressed by gzip: the line "quartier archive 1", then records of a length (4 bytes, little-endian) and a packed batch (see package batch, each with its own checksum), and at the
// end a length of 0xffffffff and the number of rows of each kind as a line of JSON. One without its end was cut off and is refused where that shows, after what stands before it was taken.
package archive

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

const (
	head       = "quartier archive 1\n"
	end        = 0xffffffff
	batchRows  = 10_000
	maxBatch   = 64 << 20           // bytes of the longest batch that is read
	piece      = 7 * 24 * time.Hour // of set-points, balances and events in memory at a time
	planPiece  = time.Hour          // of plans: one of a large district takes a megabyte, and every few minutes there is one
	settledLag = time.Microsecond
)

// Source is a record that can be written into an archive.
type Source interface {
	store.Store
	// LedgerLines returns set-points with their ids, see [store.Ledger].
	LedgerLines(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]batch.Setpoint, error)
}

// Target is a record that an archive can be put into.
type Target interface {
	// Restore writes a batch with the ids that its rows have; rows that are there already change nothing, or are replaced.
	Restore(ctx context.Context, b *batch.Batch) error
}

// Counts are rows by kind.
type Counts map[string]int64

// Write writes everything that src has. Districts are those whose set-points, plans and balances are asked for beside those of the series.
func Write(ctx context.Context, w io.Writer, src Source, districts []string) (Counts, error) {
	z := gzip.NewWriter(w)
	a := &writer{ctx: ctx, w: bufio.NewWriterSize(z, 1<<16), counts: Counts{}}
	_, err := a.w.WriteString(head)
	if err == nil {
		err = a.all(src, districts)
	}
	if err == nil {
		err = a.close()
	}
	if err == nil {
		err = errors.Join(a.w.Flush(), z.Close())
	}
	if err != nil {
		return a.counts, fmt.Errorf("write the archive: %w", err)
	}
	return a.counts, nil
}

type writer struct {
	ctx    context.Context // of the one call that the writer lives for
	w      *bufio.Writer
	counts Counts
	seq    int64
}

func (a *writer) put(b *batch.Batch) error {
	if b.Len() == 0 {
		return a.ctx.Err()
	}
	a.seq++
	b.Seq = a.seq
	body, err := batch.Encode(b)
	if err != nil {
		return err
	}
	a.counts[b.Kind.String()] += int64(b.Len())
	if err := binary.Write(a.w, binary.LittleEndian, uint32(len(body))); err != nil {
		return err
	}
	_, err = a.w.Write(body)
	return err
}

func (a *writer) close() error {
	if err := binary.Write(a.w, binary.LittleEndian, uint32(end)); err != nil {
		return err
	}
	return json.NewEncoder(a.w).Encode(a.counts)
}

func (a *writer) all(src Source, districts []string) error {
	users, err := src.Users(a.ctx)
	if err != nil {
		return err
	}
	b := &batch.Batch{Kind: batch.OfUsers}
	for _, u := range users {
		b.Users = append(b.Users, batch.User{User: u, PasswordHash: u.PasswordHash})
	}
	if err := a.put(b); err != nil {
		return err
	}
	series, err := src.Series(a.ctx, "")
	if err != nil {
		return err
	}
	districts = slices.Clone(districts)
	for _, id := range series {
		if d, _, _, _, ok := id.Parts(); ok {
			districts = append(districts, d)
		}
	}
	slices.Sort(districts)
	for _, d := range slices.Compact(districts) {
		if err := a.district(src, d); err != nil {
			return err
		}
	}
	if err := a.events(src); err != nil {
		return err
	}
	return a.samples(src, series)
}

// everything is the span of all that a record can hold.
var everything = timegrid.Span{Start: time.UnixMicro(rollup.Everything.From).UTC(), End: time.UnixMicro(rollup.Everything.To + 1).UTC()}

// pieces calls f with spans of a length that together hold everything up to newest. exists says whether anything is older than a time: the pieces before the oldest are not asked for.
func pieces(piece time.Duration, newest time.Time, exists func(before time.Time) (bool, error), f func(timegrid.Span) error) error {
	to := newest.Add(settledLag)
	from := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	old, err := exists(from)
	if err != nil {
		return err
	}
	if old { // what is so old is little
		if err := f(timegrid.Span{Start: everything.Start, End: from}); err != nil {
			return err
		}
	} else if to.After(from) {
		skip := sort.Search(int(to.Sub(from)/piece)+1, func(n int) bool {
			if err != nil {
				return true
			}
			var there bool
			there, err = exists(from.Add(time.Duration(n+1) * piece))
			return there
		})
		if err != nil {
			return err
		}
		from = from.Add(time.Duration(skip) * piece)
	}
	for from.Before(to) {
		next := from.Add(piece)
		if next.After(to) {
			next = to
		}
		if err := f(timegrid.Span{Start: from, End: next}); err != nil {
			return err
		}
		from = next
	}
	return nil
}

func (a *writer) district(src Source, id string) error {
	figures, err := src.Figures(a.ctx, id, everything)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(figures, 500) {
		if err := a.put(&batch.Batch{Kind: batch.OfFigures, Figures: part}); err != nil {
			return err
		}
	}
	orders, err := src.Orders(a.ctx, id, everything)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(orders, 500) {
		if err := a.put(&batch.Batch{Kind: batch.OfOrders, Orders: part}); err != nil {
			return err
		}
	}
	outlooks, err := src.Outlooks(a.ctx, id, everything)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(outlooks, 500) {
		if err := a.put(&batch.Batch{Kind: batch.OfOutlooks, Outlooks: part}); err != nil {
			return err
		}
	}
	if sp, err := src.BalanceSpan(a.ctx, id); err == nil {
		begin := sp.Start
		err = pieces(piece, sp.End, func(t time.Time) (bool, error) { return begin.Before(t), nil }, func(sp timegrid.Span) error {
			rows, err := src.Balances(a.ctx, id, "", sp)
			if err != nil {
				return err
			}
			if err := a.put(&batch.Batch{Kind: batch.OfBalances, Balances: rows}); err != nil {
				return err
			}
			others, err := src.Carriers(a.ctx, id, "", "", sp)
			if err != nil {
				return err
			}
			return a.put(&batch.Batch{Kind: batch.OfCarriers, Carriers: others})
		})
		if err != nil {
			return err
		}
		begin = begin.Add(-24 * time.Hour) // the first slots are of a day that begins before them
		err = pieces(piece, sp.End, func(t time.Time) (bool, error) { return begin.Before(t), nil }, func(sp timegrid.Span) error {
			rows, err := src.ForecastErrors(a.ctx, id, sp)
			if err != nil {
				return err
			}
			return a.put(&batch.Batch{Kind: batch.OfForecasts, Forecasts: rows})
		})
		if err != nil {
			return err
		}
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	p, err := src.LatestPlan(a.ctx, id, everything.End.Add(-time.Second))
	if err == nil {
		err = pieces(planPiece, p.CreatedAt, func(t time.Time) (bool, error) {
			_, err := src.LatestPlan(a.ctx, id, t.Add(-time.Microsecond))
			if errors.Is(err, store.ErrNotFound) {
				return false, nil
			}
			return err == nil, err
		}, func(sp timegrid.Span) error {
			plans, err := src.PlansBetween(a.ctx, id, sp)
			if err != nil {
				return err
			}
			for part := range slices.Chunk(plans, 20) {
				if err := a.put(&batch.Batch{Kind: batch.OfPlans, Plans: part}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	newest, err := src.LedgerLines(a.ctx, id, "", "", everything, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	return pieces(piece, newest[0].Time, func(t time.Time) (bool, error) {
		some, err := src.LedgerLines(a.ctx, id, "", "", timegrid.Span{Start: everything.Start, End: t}, 1)
		return len(some) > 0, err
	}, func(sp timegrid.Span) error {
		lines, err := src.LedgerLines(a.ctx, id, "", "", sp, 0)
		if err != nil {
			return err
		}
		slices.Reverse(lines) // as they were written
		for part := range slices.Chunk(lines, batchRows) {
			if err := a.put(&batch.Batch{Kind: batch.OfSetpoints, Setpoints: part}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *writer) events(src Source) error {
	newest, err := src.Events(a.ctx, nil, everything, 1)
	if err != nil || len(newest) == 0 {
		return err
	}
	return pieces(piece, newest[0].Time, func(t time.Time) (bool, error) {
		some, err := src.Events(a.ctx, nil, timegrid.Span{Start: everything.Start, End: t}, 1)
		return len(some) > 0, err
	}, func(sp timegrid.Span) error {
		list, err := src.Events(a.ctx, nil, sp, 0)
		if err != nil {
			return err
		}
		slices.Reverse(list)
		for part := range slices.Chunk(list, batchRows) {
			if err := a.put(&batch.Batch{Kind: batch.OfEvents, Events: part}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *writer) samples(src Source, series []district.SeriesID) error {
	for _, id := range series {
		rows := make([]batch.Row, 0, batchRows)
		flush := func() error {
			err := a.put(&batch.Batch{Kind: batch.OfSamples, Samples: batch.Samples{Names: []district.SeriesID{id}, Rows: rows}})
			rows = rows[:0]
			return err
		}
		err := src.Read(a.ctx, []district.SeriesID{id}, everything, func(x district.Sample) error {
			if rows = append(rows, batch.Row{Micro: store.Micro(x.Time), Value: x.Value, Flags: batch.Flags(x.Quality, x.Source)}); len(rows) < batchRows {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

// ErrCut is matched by the error of an archive without its end.
var ErrCut = errors.New("the archive is cut off")

// Is reports whether what is read next is an archive; nothing is taken from r.
func Is(r *bufio.Reader) bool {
	first, err := r.Peek(2)
	return err == nil && first[0] == 0x1f && first[1] == 0x8b
}

// Read puts an archive into dst, batch by batch; it may be repeated. An archive that is damaged or cut off is an error; what stands before is in dst then.
func Read(ctx context.Context, r io.Reader, dst Target) (Counts, error) {
	counts := Counts{}
	fail := func(err error) (Counts, error) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%w after %d samples", ErrCut, counts[batch.OfSamples.String()])
		}
		return counts, fmt.Errorf("read the archive: %w", err)
	}
	z, err := gzip.NewReader(r)
	if err != nil {
		return fail(err)
	}
	in := bufio.NewReaderSize(z, 1<<16)
	first := make([]byte, len(head))
	if _, err := io.ReadFull(in, first); err != nil {
		return fail(err)
	}
	if string(first) != head {
		return fail(fmt.Errorf("it begins with %q, want %q", first, head))
	}
	for {
		var size uint32
		if err := binary.Read(in, binary.LittleEndian, &size); err != nil {
			return fail(err)
		}
		if size == end {
			break
		}
		if size > maxBatch {
			return fail(fmt.Errorf("a batch of %d bytes", size))
		}
		body := make([]byte, size)
		if _, err := io.ReadFull(in, body); err != nil {
			return fail(err)
		}
		b, err := batch.Decode(body)
		if err == nil {
			err = dst.Restore(ctx, b)
		}
		if err != nil {
			return fail(err)
		}
		counts[b.Kind.String()] += int64(b.Len())
	}
	var want Counts
	if err := json.NewDecoder(in).Decode(&want); err != nil {
		return fail(err)
	}
	for kind, n := range want {
		if counts[kind] != n {
			return fail(fmt.Errorf("it has %d %s, its end says %d", counts[kind], kind, n))
		}
	}
	if _, err := io.Copy(io.Discard, in); err != nil { // the checksum of gzip comes last
		return fail(err)
	}
	return counts, nil
}
