package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"slices"
	"sort"

	"quartier/schemas/store/batch"
)

// sliceRows is about how many samples one transaction of a move writes at least: others wait for a few hundredths of a second.
const sliceRows = 40_000

// move is what is staged at one moment, on its way into the other tables. A move ends when all of it is written and taken out of the table staged, which is one
// transaction or several: until the last one what is staged stands before what was moved, and a move that was cut off is begun again, which writes the same.
type move struct {
	first, last int64 // sequences
	damaged     map[int64]string
	sorter      sorter
	lines       []line // of the sorter, not moved yet
}

// startMove moves what is staged on, beside the work of others, when it is much.
func (s *Store) startMove(most int64) {
	if s.stagedRows.Load() < most || !s.moving.CompareAndSwap(false, true) {
		return
	}
	s.background.Go(func() {
		defer s.moving.Store(false)
		if err := s.moveInSlices(context.Background()); err != nil && !s.closed.Load() {
			s.log.Error("samples are safe, but stay staged", "path", s.path, "error", err)
		}
	})
}

// moveInSlices moves what is staged now on in several transactions, between which others write.
func (s *Store) moveInSlices(ctx context.Context) error {
	m, err := s.beginMove(ctx, s.readers)
	if err != nil || m == nil {
		return s.fail("pack samples", err)
	}
	defer s.twice.Store(0)
	left := m.lines
	for ended := false; !ended; {
		n, rows := 0, 0
		for n < len(left) && (rows < s.sliceRows || groupOf(left[n].id) == groupOf(left[n-1].id)) { // a group is not cut
			rows += int(left[n].count)
			n++
		}
		err := s.write(ctx, "pack samples", alone, func(ctx context.Context) (func(), error) {
			// whoever writes very much at once, or ages, moves all that is staged: then what is in hand is no longer the latest
			first, _, err := stagedBounds(ctx, s.conn)
			if err != nil {
				return nil, err
			}
			if ended = first != m.first; ended {
				return nil, nil
			}
			if err := s.pack(ctx, m, left[:n]); err != nil {
				return nil, err
			}
			if n < len(left) {
				return func() { s.twice.Add(int64(rows)) }, nil
			}
			ended = true
			return s.moved(ctx, m)
		})
		if err != nil {
			return err
		}
		left = left[n:]
	}
	return nil
}

// moveAll moves all that is staged on, in the transaction under way. What it returns is to be called after the commit.
func (s *Store) moveAll(ctx context.Context) (committed func(), err error) {
	m, err := s.beginMove(ctx, s.conn)
	if err != nil || m == nil {
		return func() {}, err
	}
	if err := s.pack(ctx, m, m.lines); err != nil {
		return nil, err
	}
	return s.moved(ctx, m)
}

// beginMove reads and sorts what is staged; nil when it is nothing.
func (s *Store) beginMove(ctx context.Context, from interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) (*move, error) {
	rows, err := from.QueryContext(ctx, "select seq, body from staged where damaged is null order by seq")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := &move{damaged: map[int64]string{}}
	m.sorter.rows = make([]batch.Row, 0, s.stagedRows.Load())
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&m.last, &body); err != nil {
			return nil, err
		}
		if m.first == 0 {
			m.first = m.last
		}
		if err := unpack(body, m.sorter.add); err != nil {
			m.damaged[m.last] = err.Error()
		}
	}
	if err := rows.Err(); err != nil || m.first == 0 {
		return nil, err
	}
	m.lines = m.sorter.order()
	return m, nil
}

// moved takes what was moved out of the table staged, in the transaction under way. What it returns is to be called after the commit.
func (s *Store) moved(ctx context.Context, m *move) (committed func(), err error) {
	for seq, why := range m.damaged {
		s.log.Error("staged samples are damaged on the disk, and set aside", "path", s.path, "seq", seq, "error", why)
		if _, err := s.conn.ExecContext(ctx, "update staged set damaged=? where seq=?", why, seq); err != nil {
			return nil, err
		}
		if err := s.alarm(ctx, "record", fmt.Sprintf("samples of write %d cannot be read: %s", seq, why)); err != nil {
			return nil, err
		}
	}
	if _, err := s.conn.ExecContext(ctx, "delete from staged where damaged is null and seq<=?", m.last); err != nil {
		return nil, err
	}
	// what was staged meanwhile stays, and readers who looked before must find it where it was
	var later staged
	rows, err := s.conn.QueryContext(ctx, "select seq, body from staged where damaged is null and seq>? order by seq", m.last)
	if err != nil {
		return nil, err
	}
	if err := s.take(rows, &later); err != nil {
		return nil, err
	}
	return func() {
		s.stagedRows.Store(later.count)
		g := &s.staged
		g.mu.Lock()
		defer g.mu.Unlock()
		g.reset()
		g.first, g.last = later.first, max(g.last, later.last)
		for id, rows := range later.rows {
			g.put(id, rows)
		}
	}, nil
}

// pack writes lines of a move into packs, in the transaction under way, and what of them is late into samples.
func (s *Store) pack(ctx context.Context, m *move, lines []line) error {
	tops, err := s.knownTops(ctx)
	if err != nil {
		return err
	}
	s.joint.rows = 0 // of a transaction that was undone
	for i, l := range lines {
		if i > 0 && groupOf(l.id) != groupOf(lines[i-1].id) {
			if err := s.writeJoint(ctx); err != nil {
				return err
			}
		}
		have, known := tops[l.id]
		switch {
		case known:
		case s.fresh:
			have = math.MinInt64
		default:
			if have, err = s.newest.number(l.id, int64(math.MinInt64)); err != nil {
				return err
			}
			joint, err := s.newestJoint(ctx, s.conn, l.id)
			if err != nil {
				return err
			}
			have = max(have, joint)
		}
		rows := m.sorter.of(l)
		tops[l.id] = max(have, rows[len(rows)-1].Micro)
		late := sort.Search(len(rows), func(i int) bool { return rows[i].Micro > have })
		if err := s.insertSamples(ctx, []int64{l.id}, rows[:late]); err != nil {
			return err
		}
		rows = rows[late:]
		h, err := s.holdersOf(ctx, groupOf(l.id))
		if err != nil {
			return err
		}
		if 0 < len(rows) && len(rows) < s.jointRows && (h.until == math.MinInt64 || rows[0].Micro > h.until-stray) {
			s.joint.add(l.id, rows)
			continue
		}
		for part := range slices.Chunk(rows, packRows) {
			s.body = seal(appendRun(s.body[:0], l.id, part))
			if _, err := s.packs.exec(l.id, part[0].Micro, part[len(part)-1].Micro, int64(len(part)), s.body); err != nil {
				return err
			}
		}
	}
	return s.writeJoint(ctx)
}

// knownTops returns the time of the newest sample of each series as far as it is known, or a later one; it is of the writer. Another process may have written
// meanwhile, and then nothing is known.
func (s *Store) knownTops(ctx context.Context) (map[int64]int64, error) {
	var version int64 // changes when another connection writes to the file
	if err := s.conn.QueryRowContext(ctx, "pragma data_version").Scan(&version); err != nil {
		return nil, err
	}
	if s.tops == nil || version != s.topsOf {
		s.tops, s.topsOf, s.joints = map[int64]int64{}, version, nil
		if err := s.conn.QueryRowContext(ctx, "select not exists(select 1 from packs) and not exists(select 1 from joint_packs) and not exists(select 1 from samples)").Scan(&s.fresh); err != nil {
			s.tops = nil
			return nil, err
		}
	}
	return s.tops, nil
}

// newestQuery is the time of the newest sample of a series that is not staged, or the earliest time there is.
const newestQuery = "select max(coalesce((select time_us from samples where series_id=?1 order by time_us desc limit 1), ?2)," +
	" coalesce((select to_us from packs where series_id=?1 order by from_us desc limit 1), ?2))"
