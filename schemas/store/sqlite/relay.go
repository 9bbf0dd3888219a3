package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// Waiting is one batch of the outbox: either unpacked, or damaged.
type Waiting struct {
	Seq     int64
	Batch   *batch.Batch // nil when damaged
	Damage  error        // matches batch.ErrCorrupt
	Written time.Time
	Rows    int
}

// Waiting returns the batches that wait for the database, oldest first, of together about maxRows rows, and at least one when any waits. A damaged
// batch is named as such and never unpacked.
func (s *Store) Waiting(ctx context.Context, maxRows int) ([]Waiting, error) {
	rows, err := s.readers.QueryContext(ctx, "select seq, kind, row_count, written_us, body from outbox where refused is null order by seq limit 1000")
	if err != nil {
		return nil, s.fail("read the outbox", err)
	}
	defer rows.Close()
	var out []Waiting
	total := 0
	for total < maxRows && rows.Next() {
		var w Waiting
		var kind, us int64
		var body []byte
		if err := rows.Scan(&w.Seq, &kind, &w.Rows, &us, &body); err != nil {
			return nil, s.fail("read the outbox", err)
		}
		w.Written = store.FromMicro(us)
		w.Batch, w.Damage = batch.Decode(body)
		if w.Damage == nil && (w.Batch.Seq != w.Seq || int64(w.Batch.Kind) != kind) {
			w.Damage = fmt.Errorf("%w: %v of sequence %d stands at sequence %d", batch.ErrCorrupt, w.Batch.Kind, w.Batch.Seq, w.Seq)
			w.Batch = nil
		}
		out = append(out, w)
		total += w.Rows
	}
	return out, s.fail("read the outbox", rows.Err())
}

// Acknowledge removes batches that the database has made durable.
func (s *Store) Acknowledge(ctx context.Context, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	return s.write(ctx, "acknowledge batches", len(seqs), func(ctx context.Context) (func(), error) {
		st, err := s.conn.PrepareContext(ctx, "delete from outbox where seq=?")
		if err != nil {
			return nil, err
		}
		defer st.Close()
		for _, seq := range seqs {
			if _, err := st.ExecContext(ctx, seq); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// Refuse sets a batch aside that the database can never take, with the reason. It stays in the file, and so do the rows it was made of.
func (s *Store) Refuse(ctx context.Context, seq int64, reason string) error {
	return s.write(ctx, fmt.Sprintf("set batch %d aside", seq), 1, func(ctx context.Context) (func(), error) {
		_, err := s.conn.ExecContext(ctx, "update outbox set refused=? where seq=?", store.CleanText(reason), seq)
		return nil, err
	})
}

// Repair removes a damaged batch and puts the rows that it may have held, which the tables of the file still have, into new batches.
func (s *Store) Repair(ctx context.Context, w Waiting) error {
	return s.write(ctx, fmt.Sprintf("repair batch %d", w.Seq), alone, func(ctx context.Context) (func(), error) {
		var kind, from int64
		err := s.conn.QueryRowContext(ctx, "select kind, from_us from outbox where seq=?", w.Seq).Scan(&kind, &from)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		if _, err := s.conn.ExecContext(ctx, "delete from outbox where seq=?", w.Seq); err != nil {
			return nil, err
		}
		if !batch.Kind(kind).Known() {
			return nil, s.enqueueAll(ctx) // what it held is not known either
		}
		return nil, s.enqueueKind(ctx, batch.Kind(kind), from)
	})
}

// Writer returns the name of this file among those that write to one database, which it keeps for good, and the sequence of its last batch.
func (s *Store) Writer(ctx context.Context) (name string, seq int64, err error) {
	read := func() error {
		return s.readers.QueryRowContext(ctx, "select value, coalesce((select seq from sqlite_sequence where name='outbox'), 0) from meta where key=?", writer).Scan(&name, &seq)
	}
	if err = read(); errors.Is(err, sql.ErrNoRows) {
		err = s.write(ctx, "name the file", 1, func(ctx context.Context) (func(), error) {
			_, err := s.conn.ExecContext(ctx, "insert into meta(key, value) values(?, ?) on conflict do nothing", writer, rand.Text())
			return nil, err
		})
		if err == nil {
			err = read()
		}
	}
	return name, seq, s.fail("read the name of the file", err)
}

// Miss notes that the database has rows from before a time that this file never had: other files wrote them.
func (s *Store) Miss(ctx context.Context, before time.Time) error {
	kept, aged, err := s.Horizon(ctx)
	if err != nil || !kept.Before(before) && !aged.Before(before) {
		return err
	}
	return s.write(ctx, "note what the file lacks", 1, func(ctx context.Context) (func(), error) {
		for _, key := range []string{keptFrom, agedTo} {
			if _, err := s.conn.ExecContext(ctx, "update meta set value=?1 where key=?2 and cast(value as integer)<?1", store.Micro(before), key); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// Horizon says which rows are in this file: all from kept on, and before it those that were written late. Rows before aged may be in the database
// alone; it is the zero time when none is known to be.
func (s *Store) Horizon(ctx context.Context) (kept, aged time.Time, err error) {
	for key, t := range map[string]*time.Time{keptFrom: &kept, agedTo: &aged} {
		var us int64
		err := s.readers.QueryRowContext(ctx, "select value from meta where key=?", key).Scan(&us)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return kept, aged, s.fail("read "+key, err)
		}
		if err == nil && us != math.MinInt64 {
			*t = store.FromMicro(us)
		}
	}
	return kept, aged, nil
}

// ageRows is how many rows one transaction of [Store.Age] removes.
const ageRows = 20_000

// Age removes samples, balances, plans, set-points and events from before cutoff, but for the newest sample of each series and rows that
// still wait for the database. It works in short transactions between which others write, and returns how many rows went.
func (s *Store) Age(ctx context.Context, cutoff time.Time) (removed int64, err error) {
	if !s.outbox {
		return 0, fmt.Errorf("store: age %s: it has no outbox, so its rows are nowhere else", s.path)
	}
	return s.age(ctx, cutoff, true)
}

// age removes samples, and where all is set everything else that is in the database as well, from before cutoff.
func (s *Store) age(ctx context.Context, cutoff time.Time, all bool) (removed int64, err error) {
	to := store.Micro(cutoff)
	err = s.write(ctx, "begin to age", 1, func(ctx context.Context) (func(), error) {
		if to, err = s.ageBound(ctx, to); err != nil {
			return nil, err
		}
		for _, key := range []string{keptFrom, agedTo} {
			if _, err := s.conn.ExecContext(ctx, "update meta set value=?1 where key=?2 and cast(value as integer)<?1", to, key); err != nil {
				return nil, err
			}
		}
		if err := s.freeze(ctx, to); err != nil {
			return nil, err
		}
		if all { // the rows that the sums of days are of
			if _, err := s.conn.ExecContext(ctx, "delete from summed_days where start_us<?", to); err != nil {
				return nil, err
			}
		}
		return s.moveAll(ctx)
	})
	if err != nil {
		return 0, err
	}
	names, err := s.Series(ctx, "")
	if err != nil {
		return 0, err
	}
	groups := map[int64]bool{}
	for _, name := range names {
		id, ok, err := s.lookup(ctx, name)
		if err != nil {
			return removed, s.fail("age "+string(name), err)
		}
		if !ok {
			continue
		}
		if g := groupOf(id); !groups[g] {
			groups[g] = true
			n, err := s.ageGroup(ctx, g, to)
			if removed += n; err != nil {
				return removed, err
			}
		}
		newest, err := s.newestJoint(ctx, s.readers, id)
		if err != nil {
			return removed, s.fail("age "+string(name), err)
		}
		n, err := s.agePacks(ctx, id, to)
		if removed += n; err != nil {
			return removed, err
		}
		n, err = s.remove(ctx, to, "samples", "series_id, time_us", "time_us<?1 and series_id=?3 and time_us<max((select max(time_us) from samples where series_id=?3),"+
			" coalesce((select max(to_us) from packs where series_id=?3), ?4), ?4)", id, newest)
		if removed += n; err != nil {
			return removed, err
		}
	}
	tables := []struct{ table, key, when string }{{"balances", "district, start_us, site", "start_us"}, {"day_sums", "district, scope, site, start_us, carrier", "start_us"},
		{"carrier_balances", "district, start_us, site, carrier", "start_us"}, {"forecast_errors", "district, day_us, site, device, quantity, lead_min, replayed", "86400000000+day_us"}, {"outlooks", "district, at_us", "at_us"}, {"plans", "id", "created_us"},
		{"setpoints", "id", "time_us"}, {"events", "id", "time_us"}, {"rollups", "series_id, level, start_us", "86400000000+start_us"}}
	if !all {
		tables = nil
	}
	for _, t := range tables {
		n, err := s.remove(ctx, to, t.table, t.key, t.when+"<?1")
		if removed += n; err != nil {
			return removed, err
		}
	}
	if removed > 0 {
		s.count.Store(-1)
	}
	return removed, nil
}

// Pending returns the earliest time of the samples that the database does not have, false without any.
func (s *Store) Pending(ctx context.Context) (from time.Time, some bool, err error) {
	return s.pending(ctx, batch.OfSamples)
}

// PendingForecasts returns the first day of the errors of forecasts that the database does not have, false without any.
func (s *Store) PendingForecasts(ctx context.Context) (from time.Time, some bool, err error) {
	return s.pending(ctx, batch.OfForecasts)
}

func (s *Store) pending(ctx context.Context, kind batch.Kind) (from time.Time, some bool, err error) {
	var us sql.NullInt64
	err = s.readers.QueryRowContext(ctx, "select min(from_us) from outbox where kind=?", int64(kind)).Scan(&us)
	if us.Valid {
		from = store.FromMicro(us.Int64)
	}
	return from, us.Valid, s.fail("look at the outbox", err)
}

// agePacks removes packs, and makes rows of those of which a part may have to stay.
func (s *Store) agePacks(ctx context.Context, id, to int64) (removed int64, err error) {
	var some bool
	if err := s.readers.QueryRowContext(ctx, "select exists(select 1 from packs where series_id=? and from_us<?)", id, to).Scan(&some); err != nil || !some {
		return 0, s.fail("age samples", err)
	}
	err = s.write(ctx, "age samples", alone, func(ctx context.Context) (func(), error) {
		bound, err := s.ageBound(ctx, to)
		if err != nil {
			return nil, err
		}
		const old = " from packs where series_id=?1 and to_us<?2 and from_us<(select max(from_us) from packs where series_id=?1)"
		if err := s.conn.QueryRowContext(ctx, "select coalesce(sum(row_count), 0)"+old, id, bound).Scan(&removed); err != nil {
			return nil, err
		}
		if _, err := s.conn.ExecContext(ctx, "delete"+old, id, bound); err != nil {
			return nil, err
		}
		if _, err := s.conn.ExecContext(ctx, "delete from damaged_packs where series_id=? and to_us<?", id, bound); err != nil {
			return nil, err
		}
		return nil, s.unpackBefore(ctx, id, bound)
	})
	return removed, err
}

// ageGroup removes what joint packs hold from before a time.
func (s *Store) ageGroup(ctx context.Context, group, to int64) (removed int64, err error) {
	var some bool
	if err := s.readers.QueryRowContext(ctx, "select exists(select 1 from joint_packs where group_id=? and from_us<?)", group, to).Scan(&some); err != nil || !some {
		return 0, s.fail("age samples", err)
	}
	for more := true; more && err == nil; {
		var n int64
		err = s.write(ctx, "age samples", alone, func(ctx context.Context) (func(), error) {
			bound, err := s.ageBound(ctx, to)
			if err != nil {
				return nil, err
			}
			if _, err := s.conn.ExecContext(ctx, "delete from damaged_packs where series_id=? and to_us<?", -1-group, bound); err != nil {
				return nil, err
			}
			n, more, err = s.ageJoint(ctx, group, bound)
			return nil, err
		})
		if err == nil {
			removed += n
		}
	}
	return removed, err
}

// ageBound returns the time before which rows may go: to, or the earliest row that is not in the database. A batch that was set aside holds its rows
// back as well.
func (s *Store) ageBound(ctx context.Context, to int64) (int64, error) {
	var waits sql.NullInt64
	err := s.conn.QueryRowContext(ctx, "select min(from_us) from outbox where kind<>?", int64(batch.OfUsers)).Scan(&waits)
	if waits.Valid && waits.Int64 < to {
		to = waits.Int64
	}
	return to, err
}

// remove deletes rows of a table in pieces of ageRows. In the condition, ?1 is the bound in time, ?3 and on are args.
func (s *Store) remove(ctx context.Context, to int64, table, key, where string, args ...any) (removed int64, err error) {
	statement := fmt.Sprintf("delete from %s where (%s) in (select %s from %s where %s limit ?2)", table, key, key, table, where)
	// mostly there is nothing, and that needs no transaction
	var some bool
	if err := s.readers.QueryRowContext(ctx, fmt.Sprintf("select ?2>0 and exists(select 1 from %s where %s)", table, where), append([]any{to, ageRows}, args...)...).
		Scan(&some); err != nil || !some {
		return 0, s.fail("age "+table, err)
	}
	for {
		var n int64
		err := s.write(ctx, "age "+table, alone, func(ctx context.Context) (func(), error) {
			bound, err := s.ageBound(ctx, to) // again: late rows may have come between
			if err != nil {
				return nil, err
			}
			res, err := s.conn.ExecContext(ctx, statement, append([]any{bound, ageRows}, args...)...)
			if err != nil {
				return nil, err
			}
			n, err = res.RowsAffected()
			return nil, err
		})
		if removed += n; err != nil || n < ageRows {
			return removed, err
		}
	}
}
