package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

// rowsAtOnce is how many samples one statement writes: 50 was the fastest of 1, 10, 50 and 200.
const rowsAtOnce = 50

// pageRows is how many samples a read takes from the file at a time, before it hands them over without a lock.
const pageRows = 8192

// insertText writes rows of the table samples.
func insertText(rows int) string {
	return "insert into samples(series_id, time_us, value, flags) values " + strings.Repeat("(?,?,?,?),", rows-1) + "(?,?,?,?)" +
		" on conflict(series_id, time_us) do update set value=excluded.value, flags=excluded.flags" +
		" where value is not excluded.value or flags<>excluded.flags"
}

// Append makes the samples durable, all or none.
func (s *Store) Append(ctx context.Context, samples []district.Sample) error {
	room, _ := s.rooms.Get().(*appendRoom)
	if room == nil {
		room = &appendRoom{}
	}
	defer s.rooms.Put(room)
	packed := &room.samples
	var err error
	if room.numbers, err = s.book.Fill(packed, room.numbers, samples); err != nil {
		return fmt.Errorf("store: append %d samples: %w", len(samples), err)
	}
	if len(packed.Rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("append %d samples", len(samples)), len(packed.Rows), func(whole context.Context) (func(), error) {
		fresh, err := s.numbered(whole, room)
		if err != nil {
			return nil, err
		}
		ids := room.ids
		var seq int64
		var pack []byte
		moved := func() {}
		if len(packed.Rows) > directRows {
			if moved, err = s.moveAll(whole); err != nil { // what is staged was written before
				return nil, err
			}
			s.tops = nil
			err = s.insertSamples(ctx, ids, packed.Rows)
		} else {
			seq, pack, err = s.stage(ids, packed.Rows)
		}
		if err != nil {
			return nil, err
		}
		if err := s.note(ids, packed.Rows); err != nil {
			return nil, err
		}
		err = s.enqueue(whole, &batch.Batch{Kind: batch.OfSamples, Samples: *packed})
		return func() {
			s.enter(room.numbers, ids, fresh)
			if seq > 0 {
				s.staged.add(seq, pack)
				s.stagedRows.Add(int64(len(packed.Rows)))
				s.startMove(stageRows)
			} else {
				moved()
			}
			if s.count.Load() >= 0 {
				s.count.Add(int64(len(packed.Rows)))
			}
		}, err
	})
}

// insertSamples writes rows. It looks at ctx every thousand.
func (s *Store) insertSamples(ctx context.Context, ids []int64, rows []batch.Row) error {
	for done := 0; done < len(rows); {
		n, st := rowsAtOnce, s.many
		if len(rows)-done < n {
			n, st = 1, s.one
		}
		for i, r := range rows[done : done+n] {
			a := st.args[4*i : 4*i+4]
			a[0].Value, a[1].Value, a[2].Value, a[3].Value = ids[r.Series], r.Micro, r.Value, int64(r.Flags)
		}
		if _, err := st.exec(); err != nil {
			return err
		}
		if done += n; done%1000 < n && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// appendRoom is what an append needs while it lasts, and the next one can use again.
type appendRoom struct {
	samples batch.Samples
	numbers []int32 // of the names, in the book
	ids     []int64 // of the names
}

// numbered finds the rows of the series of an append, and returns those that were looked up or made now.
func (s *Store) numbered(ctx context.Context, room *appendRoom) (fresh map[district.SeriesID]int64, err error) {
	room.ids = room.ids[:0]
	for _, n := range room.numbers {
		if int(n) >= len(s.booked) || s.booked[n] == 0 {
			room.ids, fresh, err = s.seriesIDs(ctx, room.samples.Names)
			return fresh, err
		}
		room.ids = append(room.ids, s.booked[n])
	}
	return nil, nil
}

// enter remembers the rows of series once they are committed; only the writer calls it.
func (s *Store) enter(numbers []int32, ids []int64, fresh map[district.SeriesID]int64) {
	s.remember(fresh)
	for i, n := range numbers {
		if grow := int(n) + 1 - len(s.booked); grow > 0 {
			s.booked = append(s.booked, make([]int64, grow)...)
		}
		s.booked[n] = ids[i]
	}
}

// seriesIDs returns the row of each series, and those that were looked up or made now; only the writer calls it.
func (s *Store) seriesIDs(ctx context.Context, names []district.SeriesID) (ids []int64, fresh map[district.SeriesID]int64, err error) {
	ids = make([]int64, len(names))
	for i, name := range names {
		s.mu.RLock()
		id, ok := s.ids[name]
		s.mu.RUnlock()
		if !ok {
			if id, err = s.seriesID(ctx, name); err != nil {
				return nil, nil, err
			}
			if fresh == nil {
				fresh = map[district.SeriesID]int64{}
			}
			fresh[name] = id
		}
		ids[i] = id
	}
	return ids, fresh, nil
}

func (s *Store) seriesID(ctx context.Context, name district.SeriesID) (id int64, err error) {
	if _, err := s.conn.ExecContext(ctx, "insert into series(name) values(?) on conflict do nothing", string(name)); err != nil {
		return 0, err
	}
	err = s.conn.QueryRowContext(ctx, "select id from series where name=?", string(name)).Scan(&id)
	return id, err
}

func (s *Store) remember(ids map[district.SeriesID]int64) {
	if len(ids) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, id := range ids {
		s.ids[name] = id
	}
}

// lookup returns the row of a series for reading.
func (s *Store) lookup(ctx context.Context, name district.SeriesID) (id int64, ok bool, err error) {
	s.mu.RLock()
	id, ok = s.ids[name]
	s.mu.RUnlock()
	if ok {
		return id, true, nil
	}
	err = s.readers.QueryRowContext(ctx, "select id from series where name=?", string(name)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	s.remember(map[district.SeriesID]int64{name: id})
	return id, true, nil
}

// Read yields the samples of the series in the span, by series, then by time. No lock is held while yield runs, which may write.
func (s *Store) Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	from, to := store.CeilMicro(sp.Start), store.CeilMicro(sp.End)
	var page []batch.Row
	for _, name := range series {
		id, ok, err := s.lookup(ctx, name)
		if err != nil {
			return s.fail("read series "+string(name), err)
		}
		if !ok {
			continue
		}
		for next, more := from, true; more && next < to; {
			if page, more, err = s.readPage(ctx, page[:0], id, next, to); err != nil {
				return s.fail("read series "+string(name), err)
			}
			for _, r := range page {
				sample := district.Sample{Series: name, Time: store.FromMicro(r.Micro), Value: r.Value, Quality: r.Quality(), Source: r.Source()}
				if err := yield(sample); err != nil {
					return err
				}
			}
			if more {
				next = page[len(page)-1].Micro + 1
			}
		}
	}
	return ctx.Err()
}

// readPage appends samples of a series in a span to page, at least one when more says that there are others.
func (s *Store) readPage(ctx context.Context, page []batch.Row, id, from, to int64) (out []batch.Row, more bool, err error) {
	if err := s.sync(ctx); err != nil {
		return page, false, err
	}
	staged := s.staged.between(id, from, to)
	packed, more, err := s.packed(ctx, id, from, to)
	if err != nil {
		return page, false, err
	}
	single, err := s.readRows(ctx, id, from, to)
	if err != nil {
		return page, false, err
	}
	last := to
	if more {
		last = packed[len(packed)-1].Micro
	}
	if len(single) == pageRows {
		last, more = min(last, single[pageRows-1].Micro), true
	}
	if len(staged) == 0 && len(packed) == 0 {
		return append(page, single...), more, nil
	}
	return merge(page, staged, merge(nil, single, packed, last), last), more, nil
}

// readRows reads the table samples, at most pageRows.
func (s *Store) readRows(ctx context.Context, id, from, to int64) (page []batch.Row, err error) {
	rows, err := s.readers.QueryContext(ctx,
		"select time_us, value, flags from samples where series_id=? and time_us>=? and time_us<? order by time_us limit ?", id, from, to, pageRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r batch.Row
		if err := rows.Scan(&r.Micro, &r.Value, &r.Flags); err != nil {
			return nil, err
		}
		page = append(page, r)
	}
	return page, rows.Err()
}

// Latest returns the newest sample of each series at or before asOf.
func (s *Store) Latest(ctx context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error) {
	out := make(map[district.SeriesID]district.Sample, len(series))
	if err := ctx.Err(); err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	if err := s.sync(ctx); err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	packs, err := s.readers.PrepareContext(ctx, "select from_us, body from packs where series_id=? and from_us<=? order by from_us desc limit 1")
	if err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	defer packs.Close()
	st, err := s.readers.PrepareContext(ctx, "select time_us, value, flags from samples where series_id=? and time_us<=? order by time_us desc limit 1")
	if err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	defer st.Close()
	joints, err := s.readers.PrepareContext(ctx, jointAt)
	if err != nil {
		return nil, s.fail("read the latest samples", err)
	}
	defer joints.Close()
	for _, name := range series {
		id, ok, err := s.lookup(ctx, name)
		if err != nil {
			return nil, s.fail("read the latest of "+string(name), err)
		}
		if !ok {
			continue
		}
		r, ok, err := s.latest(ctx, packs, joints, st, id, store.Micro(asOf))
		if err != nil {
			return nil, s.fail("read the latest of "+string(name), err)
		}
		if !ok {
			continue
		}
		out[name] = district.Sample{Series: name, Time: store.FromMicro(r.Micro), Value: r.Value, Quality: r.Quality(), Source: r.Source()}
	}
	return out, nil
}

// latest returns the newest sample of a series at or before a time.
func (s *Store) latest(ctx context.Context, packs, joints, single *sql.Stmt, id, at int64) (r batch.Row, ok bool, err error) {
	r, ok = s.staged.latest(id, at)
	for before, sound := at, false; !sound; {
		var from int64
		var body []byte
		if err := packs.QueryRowContext(ctx, id, before).Scan(&from, &body); errors.Is(err, sql.ErrNoRows) {
			break
		} else if err != nil {
			return r, false, err
		}
		p, there := batch.Row{}, false
		err := unpack(body, func(_ int64, run []batch.Row) {
			if i := sort.Search(len(run), func(i int) bool { return run[i].Micro > at }); i > 0 {
				p, there = run[i-1], true
			}
		})
		if sound = err == nil; !sound { // the one before it is the latest that can be read
			s.suspect(packKey{id, from})
			before = from - 1
		} else if there && (!ok || p.Micro > r.Micro) {
			r, ok = p, true
		}
	}
	if p, there, err := latestJoint(ctx, s.readers, joints.QueryRowContext(ctx, groupOf(id), min(at, math.MaxInt64-stray)+stray), id, at, s.suspect); err != nil {
		return r, false, err
	} else if there && (!ok || p.Micro > r.Micro) {
		r, ok = p, true
	}
	var row batch.Row
	if err := single.QueryRowContext(ctx, id, at).Scan(&row.Micro, &row.Value, &row.Flags); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return r, false, err
	} else if err != nil {
		return r, ok, nil
	}
	if staged, there := s.staged.latest(id, at); !ok || row.Micro > r.Micro || row.Micro == r.Micro && !(there && staged.Micro == r.Micro) {
		r = row
	}
	return r, true, nil
}

// Series lists the known series that start with prefix, sorted.
func (s *Store) Series(ctx context.Context, prefix string) ([]district.SeriesID, error) {
	// bounds rather than LIKE, which knows no case and gives % and _ a meaning
	rows, err := s.readers.QueryContext(ctx, "select name from series where name>=? and substr(name, 1, length(?1))=?1 order by name", prefix)
	if err != nil {
		return nil, s.fail("list series", err)
	}
	defer rows.Close()
	out := []district.SeriesID{}
	for rows.Next() {
		var name district.SeriesID
		if err := rows.Scan(&name); err != nil {
			return nil, s.fail("list series", err)
		}
		out = append(out, name)
	}
	return out, s.fail("list series", rows.Err())
}
