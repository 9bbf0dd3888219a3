package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/daily"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// frozenTo is the key of the table meta for the time before which rollups stay what they are, because samples may have been removed.
const frozenTo = "frozen_to_us"

// keeper gives the record to package rollup.
type keeper struct{ *Store }

var _ rollup.Keeper = keeper{}

// note marks what is written in the transaction under way.
func (s *Store) note(ids []int64, rows []batch.Row) error {
	w := &s.marker
	w.Reset()
	for run := range runs(rows) {
		w.Mark(ids[run[0].Series], rollup.Range{From: run[0].Micro, To: run[len(run)-1].Micro})
	}
	_, err := s.marks.insert(w.Span().From, w.Span().To, w.Bytes())
	return err
}

func (s *Store) insertMarks(ctx context.Context, marks rollup.Marks) error {
	if len(marks) == 0 {
		return nil
	}
	sp := marks.Span()
	_, err := s.conn.ExecContext(ctx, "insert into dirty(from_us, to_us, body) values(?,?,?)", sp.From, sp.To, rollup.EncodeMarks(marks))
	return err
}

// Rollup yields the slots of a step that start in the span.
func (s *Store) Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	return rollup.Read(ctx, keeper{s}, series, sp, step, zone, yield)
}

// Refresh brings the blocks up to date.
func (s *Store) Refresh(ctx context.Context, now time.Time) error {
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	_, err := rollup.Refresh(ctx, keeper{s}, now)
	return err
}

// Retire removes samples from before a day once their rollups are made. The newest sample of each series stays. The space is used again; the file does not shrink.
func (s *Store) Retire(ctx context.Context, cutoff time.Time) (done bool, err error) {
	cutoff = cutoff.UTC().Truncate(24 * time.Hour)
	s.refreshing.Lock()
	defer s.refreshing.Unlock()
	open, err := rollup.Open(ctx, keeper{s}, store.Micro(cutoff))
	if err != nil || open {
		return false, err
	}
	_, err = s.age(ctx, cutoff, false)
	return err == nil, err
}

// Retired returns the time before which samples were removed; zero where none were. The file of an outbox tells what it has removed itself, which the database has.
func (s *Store) Retired(ctx context.Context) (time.Time, error) {
	us, err := keeper{s}.Frozen(ctx)
	if err != nil || us == rollup.Everything.From {
		return time.Time{}, err
	}
	return store.FromMicro(us).Add(-frozenMore), nil
}

// Noted returns rows of the list of what was written.
func (s keeper) Noted(ctx context.Context, limit int) ([]rollup.Noted, error) {
	out, err := s.noted(ctx, "order by id limit ?", limit)
	return out, s.fail("read what was written", err)
}

// noted reads rows of the list, with the names of their series.
func (s keeper) noted(ctx context.Context, rest string, args ...any) ([]rollup.Noted, error) {
	rows, err := s.readers.QueryContext(ctx, "select id, from_us, to_us, body from dirty "+rest, args...)
	if err != nil {
		return nil, err
	}
	type packed struct {
		rollup.Noted
		body []byte
	}
	list, err := collect(rows, func(rows *sql.Rows) (p packed, err error) {
		return p, rows.Scan(&p.ID, &p.Span.From, &p.Span.To, &p.body)
	})
	if err != nil || len(list) == 0 {
		return nil, err
	}
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]rollup.Noted, len(list))
	for i, p := range list {
		n := p.Noted
		marks, err := rollup.DecodeMarks(p.body)
		if len(p.body) == 0 || err != nil { // everything, or nobody knows what
			n.Span, n.Marks = rollup.Everything, make(map[district.SeriesID][]rollup.Range, len(names))
			for _, name := range names {
				n.Marks[name] = []rollup.Range{rollup.Everything}
			}
		} else {
			n.Marks = make(map[district.SeriesID][]rollup.Range, len(marks))
			for id, ranges := range marks {
				if name, ok := names[id]; ok {
					n.Marks[name] = ranges
				}
			}
		}
		out[i] = n
	}
	return out, nil
}

func (s keeper) names(ctx context.Context) (map[int64]district.SeriesID, error) {
	rows, err := s.readers.QueryContext(ctx, "select id, name from series")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]district.SeriesID{}
	for rows.Next() {
		var id int64
		var name district.SeriesID
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		out[id] = name
	}
	return out, rows.Err()
}

// Marked returns what was written to the series since their blocks were computed.
func (s keeper) Marked(ctx context.Context, series []district.SeriesID) (map[district.SeriesID][]rollup.Range, error) {
	noted, err := s.noted(ctx, "order by id")
	if err != nil {
		return nil, s.fail("read what was written", err)
	}
	return rollup.Gather(noted, series), nil
}

// Frozen returns the time before which blocks stay what they are.
func (s keeper) Frozen(ctx context.Context) (us int64, err error) {
	err = s.readers.QueryRowContext(ctx, "select value from meta where key=?", frozenTo).Scan(&us)
	if errors.Is(err, sql.ErrNoRows) {
		return rollup.Everything.From, nil
	}
	return us, s.fail("read "+frozenTo, err)
}

// frozenMore is how much longer rollups are frozen than samples are removed.
const frozenMore = time.Hour

// freeze notes in the transaction under way that samples before us are about to go. An hour more stays, whose beginning rests on them.
func (s *Store) freeze(ctx context.Context, us int64) error {
	_, err := s.conn.ExecContext(ctx, `insert into meta(key, value) values(?1, ?2) on conflict do update set value=excluded.value
		where cast(value as integer)<cast(excluded.value as integer)`, frozenTo, us+frozenMore.Microseconds())
	return err
}

// Blocks returns the blocks of a series in a span.
func (s keeper) Blocks(ctx context.Context, id district.SeriesID, level rollup.Level, from, to int64) ([]rollup.Block, error) {
	row, ok, err := s.lookup(ctx, id)
	if err != nil || !ok {
		return nil, s.fail("read rollups of "+string(id), err)
	}
	rows, err := s.readers.QueryContext(ctx, "select start_us, body from rollups where series_id=? and level=? and start_us>=? and start_us<? order by start_us",
		row, int64(level), from, to)
	if err != nil {
		return nil, s.fail("read rollups of "+string(id), err)
	}
	var body sql.RawBytes
	out, err := collect(rows, func(rows *sql.Rows) (rollup.Block, error) {
		b := rollup.Block{Series: id, Level: level}
		if err := rows.Scan(&b.Start, &body); err != nil {
			return b, err
		}
		if err := rollup.Decode(&b, body); err != nil {
			s.log.Error("rollup damaged on the disk, its samples are read instead", "series", id, "start", store.FromMicro(b.Start), "err", err)
			b.Cells, b.Damaged = nil, true
		}
		return b, nil
	})
	return out, s.fail("read rollups of "+string(id), err)
}

// Save writes blocks and what is done and still to be done.
func (s keeper) Save(ctx context.Context, changes []rollup.Change, done []int64, again map[district.SeriesID][]rollup.Range) error {
	size := len(done)
	for i := range changes {
		size += 1 + len(changes[i].Minutes) + len(changes[i].Quarters)
	}
	return s.write(ctx, fmt.Sprintf("save rollups of %d spans", len(changes)), size, func(ctx context.Context) (func(), error) {
		for i := range changes {
			if err := s.saveChange(ctx, &changes[i]); err != nil {
				return nil, err
			}
		}
		if err := touchObserved(ctx, s.conn, daily.Changed(changes)); err != nil {
			return nil, err
		}
		for _, id := range done {
			if _, err := s.conn.ExecContext(ctx, "delete from dirty where id=?", id); err != nil {
				return nil, err
			}
		}
		marks := rollup.Marks{}
		for name, list := range again {
			id, err := s.seriesID(ctx, name)
			if err != nil {
				return nil, err
			}
			marks[id] = list
		}
		return nil, s.insertMarks(ctx, marks)
	})
}

func (s keeper) saveChange(ctx context.Context, c *rollup.Change) error {
	id, err := s.seriesID(ctx, c.Series)
	if err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "delete from rollups where series_id=? and level=? and start_us>=? and start_us<?", id, int64(rollup.Minutes), c.From, c.To); err != nil {
		return err
	}
	for _, list := range [][]rollup.Block{c.Minutes, c.Quarters} {
		for i := range list {
			b := &list[i]
			if len(b.Cells) == 0 {
				_, err = s.conn.ExecContext(ctx, "delete from rollups where series_id=? and level=? and start_us=?", id, int64(b.Level), b.Start)
			} else {
				_, err = s.conn.ExecContext(ctx, "insert into rollups(series_id, level, start_us, body) values(?,?,?,?) on conflict do update set body=excluded.body where body<>excluded.body",
					id, int64(b.Level), b.Start, rollup.Encode(b))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
