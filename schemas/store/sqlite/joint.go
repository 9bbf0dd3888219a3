package sqlite

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sort"

	"quartier/schemas/store/batch"
)

// Where many series have few samples each when all moves on, a pack of each would be a row, and after some days a page of the file, for a handful of samples. There, neighbouring
// series share one: a row of the table joint_packs. Series are numbered as they come, so that those of a device are mostly neighbours.
const (
	members   = 16         // series of a group
	jointRows = 64         // a series with as many samples in a move has packs of its own
	stray     = 60_000_000 // microseconds by which a sample may be earlier than the latest of the packs of its group before; one that is more has a pack of its own
)

// groupOf returns the group of a series.
func groupOf(id int64) int64 { return id / members }

// A joint pack begins with two zero bytes, as no mixed pack does. The group follows (a varint), then of each series that has samples its place in the group plus one (1 byte), the length of
// its run (a varint) and the run, as in a pack, and a zero byte; then of each series that has samples in an earlier joint pack alone its place plus one and by how many microseconds that one ends
// earlier, and a zero byte; and the CRC-32C. So a series that has been silent for long is found in two steps.

// appendJointRun adds the run of a series to what was begun with beginJoint.
func appendJointRun(b []byte, id int64, run []byte) []byte {
	b = append(b, byte(id%members)+1)
	b = binary.AppendUvarint(b, uint64(len(run)))
	return append(b, run...)
}

func beginJoint(b []byte, group int64) []byte {
	return binary.AppendUvarint(append(b, 0, 0), uint64(group))
}

// joint is a joint pack, opened.
type joint struct {
	group   int64
	runs    [members][]byte
	earlier [members]int64 // by how much earlier the pack before ends that has samples of a series without a run here; 0: none has
}

// isJoint reports whether the body of a pack is that of a joint one.
func isJoint(body []byte) bool { return len(body) > 1 && body[0] == 0 && body[1] == 0 }

// openJoint checks a joint pack. Every error of it and of the joint matches errDamaged.
func openJoint(b []byte) (j joint, err error) {
	body, err := checked(b)
	if err != nil {
		return j, err
	}
	if !isJoint(body) {
		return j, fmt.Errorf("%w: no joint pack", errDamaged)
	}
	return parseJoint(body)
}

func parseJoint(body []byte) (j joint, err error) {
	at := 2
	next := func() (v uint64) {
		v, n := binary.Uvarint(body[min(at, len(body)):])
		if at += n; n <= 0 {
			at = len(body) + 1
		}
		return v
	}
	group := next()
	if j.group = int64(group); group > math.MaxInt64/members {
		return j, fmt.Errorf("%w: group %d", errDamaged, group)
	}
	for part := 0; part < 2; {
		if at >= len(body) {
			return j, fmt.Errorf("%w: a joint pack is cut", errDamaged)
		}
		m := int(body[at]) - 1
		at++
		if m < 0 {
			part++
			continue
		}
		v := next()
		switch {
		case m >= members || at > len(body):
			return j, fmt.Errorf("%w: place %d of %d in a group", errDamaged, m, members)
		case part == 0 && v <= uint64(len(body)-at) && j.runs[m] == nil:
			j.runs[m] = body[at : at+int(v)]
			at += int(v)
		case part == 1 && 0 < v && v <= math.MaxInt64 && j.runs[m] == nil:
			j.earlier[m] = int64(v)
		default:
			return j, fmt.Errorf("%w: %d at place %d", errDamaged, v, m)
		}
	}
	if at != len(body) {
		return j, fmt.Errorf("%w: %d bytes after a joint pack", errDamaged, len(body)-at)
	}
	return j, nil
}

// rows hands over the samples of a series, if there are any.
func (j *joint) rows(id int64, yield func(rows []batch.Row)) error {
	strange := false
	err := unpackRuns(j.runs[id%members], func(got int64, rows []batch.Row) {
		if strange = strange || got != id; !strange {
			yield(rows)
		}
	})
	if err == nil && strange {
		err = fmt.Errorf("%w: a run of another series than %d", errDamaged, id)
	}
	return err
}

// all hands over the samples of every series.
func (j *joint) all(yield func(id int64, rows []batch.Row)) error {
	for m := range int64(members) {
		id := j.group*members + m
		if err := j.rows(id, func(rows []batch.Row) { yield(id, rows) }); err != nil {
			return err
		}
	}
	return nil
}

// jointKey is the key of a joint pack among those that are damaged, where packs of one series have theirs.
func jointKey(group, until int64) packKey { return packKey{-1 - group, until} }

// holders is what the writer knows of the joint packs of a group: when the newest ends, and the newest that has samples of each series. math.MinInt64: there is none.
type holders struct {
	until int64
	of    [members]int64
}

// holdersOf returns what is known of a group; it is of the writer, like knownTops, which comes first.
func (s *Store) holdersOf(ctx context.Context, group int64) (*holders, error) {
	if h := s.joints[group]; h != nil {
		return h, nil
	}
	h := &holders{until: math.MinInt64}
	for m := range h.of {
		h.of[m] = math.MinInt64
	}
	for !s.fresh {
		var until int64
		var body []byte
		err := s.conn.QueryRowContext(ctx, "select until_us, body from joint_packs where group_id=? order by until_us desc limit 1", group).Scan(&until, &body)
		if errors.Is(err, sql.ErrNoRows) {
			break
		}
		if err != nil {
			return nil, err
		}
		j, err := openJoint(body)
		if err != nil {
			if err := s.setAside(ctx, jointKey(group, until)); err != nil {
				return nil, err
			}
			continue
		}
		h.until = until
		for m := range h.of {
			if j.runs[m] != nil {
				h.of[m] = until
			} else if j.earlier[m] > 0 {
				h.of[m] = until - j.earlier[m]
			}
		}
		break
	}
	if s.joints == nil {
		s.joints = map[int64]*holders{}
	}
	s.joints[group] = h
	return h, nil
}

// jointWriter gathers what is to be one joint pack.
type jointWriter struct {
	body, run   []byte
	group       int64
	has         [members]bool
	from, until int64
	rows        int64
}

// add adds the samples of a series, sorted by time.
func (w *jointWriter) add(id int64, rows []batch.Row) {
	if w.rows == 0 {
		*w = jointWriter{body: beginJoint(w.body[:0], groupOf(id)), run: w.run, group: groupOf(id), from: math.MaxInt64, until: math.MinInt64}
	}
	w.run = appendRun(w.run[:0], id, rows)
	w.body = appendJointRun(w.body, id, w.run)
	w.has[id%members] = true
	w.rows += int64(len(rows))
	w.from, w.until = min(w.from, rows[0].Micro), max(w.until, rows[len(rows)-1].Micro)
}

// writeJoint writes what was gathered, if anything was, in the transaction under way.
func (s *Store) writeJoint(ctx context.Context) error {
	w := &s.joint
	if w.rows == 0 {
		return nil
	}
	h, err := s.holdersOf(ctx, w.group)
	if err != nil {
		return err
	}
	until := w.until
	if h.until != math.MinInt64 {
		until = max(until, h.until+1)
	}
	b := append(w.body, 0)
	for m, held := range h.of {
		if !w.has[m] && held != math.MinInt64 {
			b = binary.AppendUvarint(append(b, byte(m)+1), uint64(until-held))
		}
	}
	w.body = seal(append(b, 0))
	if _, err := s.jointPacks.exec(w.group, until, w.from, w.rows, w.body); err != nil {
		return err
	}
	h.until = until
	for m, has := range w.has {
		if has {
			h.of[m] = until
		}
	}
	w.rows = 0
	return nil
}

// fromJoint returns samples of a series in a span, until there are pageRows; more says that there may be others. Damaged packs are left out.
func (s *Store) fromJoint(ctx context.Context, id, from, to int64) (page []batch.Row, more bool, err error) {
	rows, err := s.readers.QueryContext(ctx, "select until_us, body from joint_packs where group_id=? and until_us>=? order by until_us", groupOf(id), from)
	if err != nil {
		return nil, false, err
	}
	defer rows.Close()
	for rows.Next() {
		if len(page) >= pageRows {
			return page, true, nil
		}
		var until int64
		var body sql.RawBytes
		if err := rows.Scan(&until, &body); err != nil {
			return nil, false, err
		}
		had := len(page)
		j, err := openJoint(body)
		if err == nil {
			err = j.rows(id, func(run []batch.Row) { page = append(page, within(run, from, to)...) })
		}
		if err != nil {
			page = page[:had]
			s.suspect(jointKey(groupOf(id), until))
		}
		if until-stray >= to {
			break // all others begin later
		}
	}
	return page, false, rows.Err()
}

// within returns the rows of a span.
func within(rows []batch.Row, from, to int64) []batch.Row {
	i := sort.Search(len(rows), func(i int) bool { return rows[i].Micro >= from })
	j := sort.Search(len(rows), func(i int) bool { return rows[i].Micro >= to })
	return rows[min(i, j):j]
}

// Of a group, the joint pack that may hold its latest sample at or before a time less stray, and the one that ends at a time or before.
const (
	jointAt     = "select until_us, body from joint_packs where group_id=?1 and until_us<=coalesce((select min(until_us) from joint_packs where group_id=?1 and until_us>=?2), ?2) order by until_us desc limit 1"
	jointBefore = "select until_us, body from joint_packs where group_id=? and until_us<=? order by until_us desc limit 1"
)

// latestJoint returns the newest sample of a series in joint packs at or before a time, given the row of jointAt for it. Damaged packs are told to damaged, and left out.
func latestJoint(ctx context.Context, from querier, first *sql.Row, id, at int64, damaged func(packKey)) (r batch.Row, ok bool, err error) {
	for row := first; ; {
		var until int64
		var body []byte
		if err := row.Scan(&until, &body); errors.Is(err, sql.ErrNoRows) {
			return r, false, nil
		} else if err != nil {
			return r, false, err
		}
		before := until - 1
		j, err := openJoint(body)
		if err == nil {
			err = j.rows(id, func(run []batch.Row) {
				if i := sort.Search(len(run), func(i int) bool { return run[i].Micro > at }); i > 0 {
					r, ok = run[i-1], true
				}
			})
		}
		switch earlier := j.earlier[id%members]; {
		case err != nil:
			ok = false
			damaged(jointKey(groupOf(id), until))
		case ok:
			return r, true, nil
		case earlier > 0:
			before = until - earlier
		case j.runs[id%members] == nil:
			return r, false, nil
		}
		row = from.QueryRowContext(ctx, jointBefore, groupOf(id), before)
	}
}

// newestJoint returns the time of the newest sample of a series in joint packs, math.MinInt64 without any.
func (s *Store) newestJoint(ctx context.Context, from querier, id int64) (us int64, err error) {
	first := from.QueryRowContext(ctx, jointBefore, groupOf(id), int64(math.MaxInt64))
	r, ok, err := latestJoint(ctx, from, first, id, math.MaxInt64, s.suspect)
	if err != nil || !ok {
		return math.MinInt64, err
	}
	return r.Micro, nil
}

// ageJoint removes the oldest joint packs of a group, as many as agedPacks, that begin before a time, in the transaction under way. What they hold of later times becomes rows of the table samples, and so
// does the last sample of each series, which may be its newest. A damaged one is set aside. more says that there are others.
func (s *Store) ageJoint(ctx context.Context, group, bound int64) (removed int64, more bool, err error) {
	type pack struct {
		until int64
		body  []byte
	}
	rows, err := s.conn.QueryContext(ctx, "select until_us, body from joint_packs where group_id=? and from_us<? order by until_us limit ?", group, bound, agedPacks)
	if err != nil {
		return 0, false, err
	}
	packs, err := collect(rows, func(rows *sql.Rows) (p pack, err error) { return p, rows.Scan(&p.until, &p.body) })
	if err != nil || len(packs) == 0 {
		return 0, false, err
	}
	s.tops = nil
	kept := map[int64][]batch.Row{} // of each series: its last sample before the time, and those after it
	for _, p := range packs {
		j, err := openJoint(p.body)
		if err == nil {
			err = j.all(func(int64, []batch.Row) {})
		}
		if err != nil {
			if err := s.setAside(ctx, jointKey(group, p.until)); err != nil {
				return 0, false, err
			}
			continue
		}
		_ = j.all(func(id int64, rows []batch.Row) { // it was sound
			removed += int64(len(rows))
			have := append(kept[id], rows...)
			late := sort.Search(len(have), func(i int) bool { return have[i].Micro >= bound })
			kept[id] = append(have[:0], have[max(late-1, 0):]...)
		})
		if _, err := s.conn.ExecContext(ctx, "delete from joint_packs where group_id=? and until_us=?", group, p.until); err != nil {
			return 0, false, err
		}
	}
	for id, rows := range kept {
		removed -= int64(len(rows))
		if err := s.keepRows(ctx, id, rows); err != nil {
			return 0, false, err
		}
	}
	return removed, len(packs) == agedPacks, nil
}

// agedPacks is how many joint packs one transaction removes at most.
const agedPacks = 500
