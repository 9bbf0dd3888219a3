package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"math"
	"slices"
	"sort"
	"sync"

	"quartier/schemas/store/batch"
)

// Samples are written three ways. A write of up to directRows is one row of the table staged: a pack of all its series, which costs a thirtieth of rows of
// their own. When stageRows wait there, they go on together, sorted, as runs of packRows of one series into the table packs, or where a series has few with those of its neighbours
// into the table joint_packs; those that are older than what the series has already, such as corrections, go into the table samples, as a larger write does at once. Of the same series and time, what is staged stands before a row of
// samples, and that before a pack: so the later written one stays. Samples only move from staged to packs to samples; who reads in that order misses none.
const (
	directRows = 20_000
	stageRows  = 400_000
	packRows   = 150 // about 2 KB: more than that would not lie in one page with others
)

// staged is what is in the table staged, in memory. Another process may write there as well: sync looks.
type staged struct {
	mu          sync.RWMutex
	first, last int64    // sequences: the first one that is in the table, 0 without any, and the last that ever was
	pending     [][]byte // packs that are not in rows yet
	rows        map[int64][]batch.Row
	count       int64 // of put
}

// add takes the pack that was written as seq, which another process may have got ahead of; then sync finds it.
func (g *staged) add(seq int64, pack []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if seq != g.last+1 {
		return
	}
	if g.last = seq; g.first == 0 {
		g.first = seq
	}
	g.pending = append(g.pending, pack)
}

// settle puts what is pending where readers look.
func (g *staged) settle() error {
	for _, pack := range g.pending {
		if err := unpack(pack, g.put); err != nil {
			return err // of our own memory
		}
	}
	g.pending = nil
	return nil
}

// put adds sorted rows of one series. Those that are late cost as much as the staged ones behind the first of them.
func (g *staged) put(id int64, rows []batch.Row) {
	if len(rows) == 0 {
		return
	}
	g.count += int64(len(rows))
	if g.rows == nil {
		g.rows = map[int64][]batch.Row{}
	}
	have := g.rows[id]
	i := len(have)
	if i > 0 && have[i-1].Micro >= rows[0].Micro {
		i = sort.Search(i, func(i int) bool { return have[i].Micro >= rows[0].Micro })
	}
	if i == len(have) {
		have = append(have, rows...)
	} else {
		have = merge(have[:i], rows, slices.Clone(have[i:]), math.MaxInt64)
	}
	for ; i < len(have); i++ {
		have[i].Series = 0
	}
	g.rows[id] = have
}

// reset forgets all rows, and keeps the room of series that have few.
func (g *staged) reset() {
	g.first, g.count, g.pending = 0, 0, nil
	for id, rows := range g.rows {
		if cap(rows) > 256 {
			delete(g.rows, id)
		} else {
			g.rows[id] = rows[:0]
		}
	}
}

// between returns the staged samples of a series in a span.
func (g *staged) between(id, from, to int64) []batch.Row {
	g.mu.RLock()
	defer g.mu.RUnlock()
	rows := g.rows[id]
	i := sort.Search(len(rows), func(i int) bool { return rows[i].Micro >= from })
	j := sort.Search(len(rows), func(i int) bool { return rows[i].Micro >= to })
	if i >= j {
		return nil
	}
	return slices.Clone(rows[i:j])
}

// latest returns the newest staged sample of a series at or before a time.
func (g *staged) latest(id, at int64) (r batch.Row, ok bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	rows := g.rows[id]
	i := sort.Search(len(rows), func(i int) bool { return rows[i].Micro > at })
	if i == 0 {
		return r, false
	}
	return rows[i-1], true
}

// runs yields the rows of each series; rows are sorted by series.
func runs(rows []batch.Row) func(yield func([]batch.Row) bool) {
	return func(yield func([]batch.Row) bool) {
		for len(rows) > 0 {
			n := 1
			for n < len(rows) && rows[n].Series == rows[0].Series {
				n++
			}
			if !yield(rows[:n]) {
				return
			}
			rows = rows[n:]
		}
	}
}

// sync makes the memory hold what the table does.
func (s *Store) sync(ctx context.Context) error {
	first, last, err := stagedBounds(ctx, s.readers)
	if err != nil {
		return err
	}
	g := &s.staged
	g.mu.RLock()
	same := g.first == first && g.last >= last && len(g.pending) == 0 // above: written since the question
	g.mu.RUnlock()
	if same {
		return nil
	}
	// the writer waits for the mutex when it says what it wrote, so who has the mutex must not wait for a connection
	conn, err := s.readers.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.settle(); err != nil {
		g.reset()
		return err
	}
	if g.first == first && g.last >= last {
		return nil
	}
	if err := s.load(ctx, conn); err != nil {
		g.reset()
		return err
	}
	return nil
}

// stagedBounds returns the sequences of the first staged row, 0 without any, and of the last that ever was.
func stagedBounds(ctx context.Context, from interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}) (first, last int64, err error) {
	err = from.QueryRowContext(ctx, "select coalesce((select min(seq) from staged where damaged is null), 0),"+
		" coalesce((select seq from sqlite_sequence where name='staged'), 0)").Scan(&first, &last)
	return first, last, err
}

// load reads what the memory lacks, all at one moment: another process may move on what is staged meanwhile. The caller holds the mutex.
func (s *Store) load(ctx context.Context, conn *sql.Conn) error {
	tx, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	first, last, err := stagedBounds(ctx, tx)
	if err != nil {
		return err
	}
	g := &s.staged
	from := g.last
	if g.first != first || first == 0 {
		g.reset()
		from = 0
	}
	g.first, g.last = first, max(g.last, last)
	if first == 0 || from >= last {
		return nil
	}
	rows, err := tx.QueryContext(ctx, "select seq, body from staged where damaged is null and seq>? order by seq", from)
	if err != nil {
		return err
	}
	return s.take(rows, g)
}

// take adds what rows of the table staged hold, by sequence and body, and closes them. One that is damaged is named and left out.
func (s *Store) take(rows *sql.Rows, g *staged) error {
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var body sql.RawBytes
		if err := rows.Scan(&seq, &body); err != nil {
			return err
		}
		if g.last = max(g.last, seq); g.first == 0 {
			g.first = seq
		}
		if err := unpack(body, g.put); err != nil {
			s.log.Error("staged samples are damaged on the disk, and left out", "path", s.path, "seq", seq, "error", err)
		}
	}
	return rows.Err()
}

// stage writes rows as one pack, in the transaction under way.
func (s *Store) stage(ids []int64, rows []batch.Row) (seq int64, pack []byte, err error) {
	series := 0
	for range runs(rows) {
		series++
	}
	if len(rows) < 3*series {
		s.body = appendMixed(s.body[:0], ids, rows)
	} else {
		s.body = s.body[:0]
		for run := range runs(rows) {
			s.body = appendRun(s.body, ids[run[0].Series], run)
		}
	}
	s.body = seal(s.body)
	seq, err = s.stages.insert(int64(len(rows)), s.body)
	return seq, bytes.Clone(s.body), err
}

// packed returns samples of a series in a span from packs of both kinds, up to some time and at least one when more says that there may be others.
func (s *Store) packed(ctx context.Context, id, from, to int64) (page []batch.Row, more bool, err error) {
	own, moreOwn, err := s.fromPacks(ctx, nil, id, from, to)
	if err != nil {
		return nil, false, err
	}
	last := to
	if moreOwn { // what comes later is of another page
		last = own[len(own)-1].Micro
		to = last + 1
	}
	joint, moreJoint, err := s.fromJoint(ctx, id, from, to)
	if err != nil {
		return nil, false, err
	}
	if len(joint) == 0 {
		return own, moreOwn, nil
	}
	if moreJoint {
		last = min(last, joint[len(joint)-1].Micro)
	}
	return merge(nil, own, joint, last), moreOwn || moreJoint, nil
}

// fromPacks appends samples of a series in a span to page, until there are pageRows; more says that there may be others. Damaged packs are left out.
func (s *Store) fromPacks(ctx context.Context, page []batch.Row, id, from, to int64) (out []batch.Row, more bool, err error) {
	rows, err := s.readers.QueryContext(ctx, "select from_us, body from packs where series_id=?1 and from_us<?3 and from_us>="+
		"coalesce((select max(from_us) from packs where series_id=?1 and from_us<=?2), ?2) order by from_us", id, from, to)
	if err != nil {
		return page, false, err
	}
	defer rows.Close()
	for rows.Next() {
		if len(page) >= pageRows {
			return page, true, nil
		}
		var start int64
		var body sql.RawBytes
		if err := rows.Scan(&start, &body); err != nil {
			return page, false, err
		}
		had := len(page)
		if err := unpack(body, func(_ int64, run []batch.Row) {
			page = append(page, within(run, from, to)...)
		}); err != nil {
			page = page[:had]
			s.suspect(packKey{id, start})
		}
	}
	return page, false, rows.Err()
}

// merge returns rows of both, sorted, up to a time; of two of the same time that of first.
func merge(out, first, second []batch.Row, last int64) []batch.Row {
	for len(first) > 0 || len(second) > 0 {
		var r batch.Row
		switch {
		case len(second) == 0 || len(first) > 0 && first[0].Micro <= second[0].Micro:
			if r = first[0]; len(second) > 0 && second[0].Micro == r.Micro {
				second = second[1:]
			}
			first = first[1:]
		default:
			r, second = second[0], second[1:]
		}
		if r.Micro > last {
			break
		}
		out = append(out, r)
	}
	return out
}

// unpackBefore makes rows of the table samples of the packs of a series that begin before a time, in the transaction under way. A damaged one is set aside.
func (s *Store) unpackBefore(ctx context.Context, id, bound int64) error {
	type pack struct {
		from int64
		body []byte
	}
	rows, err := s.conn.QueryContext(ctx, "select from_us, body from packs where series_id=? and from_us<?", id, bound)
	if err != nil {
		return err
	}
	packs, err := collect(rows, func(rows *sql.Rows) (p pack, err error) { return p, rows.Scan(&p.from, &p.body) })
	if err != nil {
		return err
	}
	for _, p := range packs {
		var unpacked []batch.Row
		if err := unpack(p.body, func(_ int64, run []batch.Row) { unpacked = append(unpacked, run...) }); err != nil {
			if err := s.setAside(ctx, packKey{id, p.from}); err != nil {
				return err
			}
			continue
		}
		if err := s.keepRows(ctx, id, unpacked); err != nil {
			return err
		}
		if _, err := s.conn.ExecContext(ctx, "delete from packs where series_id=? and from_us=?", id, p.from); err != nil {
			return err
		}
	}
	return nil
}

// keepRows writes samples of a series into the table samples, in the transaction under way; a row that is there was written later.
func (s *Store) keepRows(ctx context.Context, id int64, rows []batch.Row) error {
	for _, r := range rows {
		if _, err := s.conn.ExecContext(ctx, "insert into samples(series_id, time_us, value, flags) values(?, ?, ?, ?) on conflict do nothing",
			id, r.Micro, r.Value, int64(r.Flags)); err != nil {
			return err
		}
	}
	return nil
}
