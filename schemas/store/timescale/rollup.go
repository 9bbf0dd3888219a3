package timescale

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/daily"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// keeper gives the record to package rollup.
type keeper struct{ *Store }

var _ rollup.Keeper = keeper{}

// note marks what a transaction has written; rows are sorted by series. Where they fall among packed samples, those become rows again.
func (s *Store) note(ctx context.Context, tx pgx.Tx, ids []int32, rows []batch.Row) error {
	marks := rollup.Marks{}
	for i := 0; i < len(rows); {
		j := i
		for j+1 < len(rows) && rows[j+1].Series == rows[i].Series {
			j++
		}
		marks.Note(int64(ids[rows[i].Series]), rollup.Range{From: rows[i].Micro, To: rows[j].Micro})
		i = j + 1
	}
	if len(marks) == 0 {
		return nil
	}
	// the state is held until the transaction ends: packing begins before or after it
	sp := marks.Span()
	var among bool
	err := tx.QueryRow(ctx, `with r as (select packed_to from record_state for share) insert into dirty(from_us, to_us, body) values($1,$2,$3)
		returning (select packed_to from r)>$4`, sp.From, sp.To, rollup.EncodeMarks(marks), store.FromMicro(sp.From)).Scan(&among)
	if err != nil || !among {
		return err
	}
	return s.unpack(ctx, tx, marks)
}

func insertMarks(ctx context.Context, tx pgx.Tx, marks rollup.Marks) error {
	if len(marks) == 0 {
		return nil
	}
	sp := marks.Span()
	_, err := tx.Exec(ctx, "insert into dirty(from_us, to_us, body) values($1,$2,$3)", sp.From, sp.To, rollup.EncodeMarks(marks))
	return err
}

// Rollup yields the slots of a step that start in the span.
func (s *Store) Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	return rollup.Read(ctx, keeper{s}, series, sp, step, zone, yield)
}

// Numbers of the locks beside that of the schema, see prepare.
const (
	lockSchema  = 7827
	lockRefresh = 7828
	lockDays    = 7830 // one process sums days, see days.go
	lockClaims  = 7831 // see touch
)

// Refresh brings the blocks up to date, unless another process is at it.
func (s *Store) Refresh(ctx context.Context, now time.Time) error {
	return s.alone(ctx, "refresh rollups", lockRefresh, func(ctx context.Context) error {
		_, err := rollup.Refresh(ctx, keeper{s}, now)
		return err
	})
}

// alone runs f unless another process runs the same on this record.
func (s *Store) alone(ctx context.Context, op string, lock int, f func(ctx context.Context) error) error {
	c, err := s.pool.Acquire(ctx)
	if err != nil {
		return s.fail(op, err)
	}
	defer c.Release()
	var mine bool
	if err := c.QueryRow(ctx, "select pg_try_advisory_lock($1, hashtext(current_schema()))", lock).Scan(&mine); err != nil || !mine {
		return s.fail(op, err)
	}
	defer func() {
		// a connection that cannot give its lock back is thrown away with it
		if _, err := c.Exec(context.WithoutCancel(ctx), "select pg_advisory_unlock($1, hashtext(current_schema()))", lock); err != nil {
			_ = c.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	return f(ctx)
}

// Noted returns rows of the list of what was written.
func (s keeper) Noted(ctx context.Context, limit int) ([]rollup.Noted, error) {
	out, err := s.noted(ctx, "order by id limit $1", limit)
	return out, s.fail("read what was written", err)
}

// noted reads rows of the list, with the names of their series.
func (s keeper) noted(ctx context.Context, rest string, args ...any) ([]rollup.Noted, error) {
	rows, err := s.pool.Query(ctx, "select id, from_us, to_us, body from dirty "+rest, args...)
	if err != nil {
		return nil, err
	}
	var out []rollup.Noted
	var packed []rollup.Marks
	ids := map[int64]bool{}
	all := false
	var n rollup.Noted
	var body []byte
	if _, err = pgx.ForEachRow(rows, []any{&n.ID, &n.Span.From, &n.Span.To, &body}, func() error {
		marks, err := rollup.DecodeMarks(body)
		if len(body) == 0 || err != nil { // everything, or nobody knows what
			all, marks, n.Span = true, nil, rollup.Everything
		}
		for id := range marks {
			ids[id] = true
		}
		out, packed = append(out, n), append(packed, marks)
		return nil
	}); err != nil || len(out) == 0 {
		return nil, err
	}
	names, err := s.names(ctx, ids, all)
	if err != nil {
		return nil, err
	}
	for i := range out {
		out[i].Marks = make(map[district.SeriesID][]rollup.Range, len(packed[i]))
		for id, ranges := range packed[i] {
			if name, ok := names[id]; ok {
				out[i].Marks[name] = ranges
			}
		}
		if packed[i] == nil {
			for _, name := range names {
				out[i].Marks[name] = []rollup.Range{rollup.Everything}
			}
		}
	}
	return out, nil
}

// names returns the names of series, or of all.
func (s keeper) names(ctx context.Context, ids map[int64]bool, all bool) (map[int64]district.SeriesID, error) {
	list := make([]int32, 0, len(ids))
	for id := range ids {
		list = append(list, int32(id))
	}
	slices.Sort(list)
	rows, err := s.pool.Query(ctx, "select id, name from series where $1 or id=any($2::integer[])", all, list)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]district.SeriesID, len(list))
	var id int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		out[id] = district.SeriesID(name)
		return nil
	})
	return out, err
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
	err = s.pool.QueryRow(ctx, "select frozen_us from record_state").Scan(&us)
	return us, s.fail("read the state of the record", err)
}

// Blocks returns the blocks of a series in a span.
func (s keeper) Blocks(ctx context.Context, id district.SeriesID, level rollup.Level, from, to int64) ([]rollup.Block, error) {
	op := "read rollups of " + string(id)
	ids, err := s.known(ctx, []district.SeriesID{id})
	if err != nil || len(ids) == 0 {
		return nil, s.fail(op, err)
	}
	rows, err := s.pool.Query(ctx, "select start, body from rollups where series_id=$1 and level=$2 and start>=$3 and start<$4 order by start",
		ids[id], int16(level), store.FromMicro(from), store.FromMicro(to))
	if err != nil {
		return nil, s.fail(op, err)
	}
	var out []rollup.Block
	var start time.Time
	var body []byte
	_, err = pgx.ForEachRow(rows, []any{&start, &body}, func() error {
		b := rollup.Block{Series: id, Level: level, Start: store.Micro(start)}
		if err := rollup.Decode(&b, body); err != nil {
			s.log.Error("rollup damaged in the database, its samples are read instead", "series", id, "start", start, "err", err)
			b.Cells, b.Damaged = nil, true
		}
		out = append(out, b)
		return nil
	})
	return out, s.fail(op, err)
}

// Save writes blocks and what is done and still to be done.
func (s keeper) Save(ctx context.Context, changes []rollup.Change, done []int64, again map[district.SeriesID][]rollup.Range) error {
	return s.write(ctx, fmt.Sprintf("save rollups of %d spans", len(changes)), func(tx pgx.Tx) error {
		var names []district.SeriesID
		for i := range changes {
			names = append(names, changes[i].Series)
		}
		for name := range again {
			names = append(names, name)
		}
		ids, err := lookup(ctx, tx, texts(names))
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		if len(changes) > 0 {
			touchObserved(b, daily.Changed(changes))
		}
		for i := range changes {
			queueChange(b, ids[changes[i].Series], &changes[i])
		}
		if len(done) > 0 {
			b.Queue("delete from dirty where id=any($1::bigint[])", done)
		}
		if b.Len() > 0 {
			if err := tx.SendBatch(ctx, b).Close(); err != nil {
				return err
			}
		}
		marks := rollup.Marks{}
		for name, list := range again {
			marks[int64(ids[name])] = list
		}
		return insertMarks(ctx, tx, marks)
	})
}

func texts(names []district.SeriesID) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = string(n)
	}
	return out
}

func queueChange(b *pgx.Batch, id int32, c *rollup.Change) {
	kept := make([]time.Time, len(c.Minutes))
	for i := range c.Minutes {
		kept[i] = store.FromMicro(c.Minutes[i].Start)
	}
	b.Queue("delete from rollups where series_id=$1 and level=$2 and start>=$3 and start<$4 and not start=any($5::timestamptz[])",
		id, int16(rollup.Minutes), store.FromMicro(c.From), store.FromMicro(c.To), kept)
	for _, list := range [][]rollup.Block{c.Minutes, c.Quarters} {
		for i := range list {
			bl := &list[i]
			if len(bl.Cells) == 0 {
				b.Queue("delete from rollups where series_id=$1 and level=$2 and start=$3", id, int16(bl.Level), store.FromMicro(bl.Start))
				continue
			}
			b.Queue(`insert into rollups as old (series_id, level, start, body) values($1,$2,$3,$4) on conflict (series_id, level, start)
				do update set body=excluded.body where old.body<>excluded.body`, id, int16(bl.Level), store.FromMicro(bl.Start), rollup.Encode(bl))
		}
	}
}
