package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
)

// querier is a connection, a pool of them or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// moment gives the record at one moment to package daily.
type moment struct {
	*Store
	q querier
}

var (
	_ daily.Snapshot = moment{}
	_ daily.Keeper   = dayKeeper{}
)

// BalanceDays returns what the rows of a site ("": all), or of several netted with each other, sum to in each civil day of zone that starts in sp, by start, then site, then carrier.
func (s *Store) BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error) {
	tx, err := s.readers.BeginTx(ctx, nil) // what is listed, kept and there as rows is of one moment
	if err != nil {
		return nil, s.fail("read daily balances of "+districtID, err)
	}
	out, damaged, err := daily.Read(ctx, s.log, moment{s, tx}, districtID, site, sp, zone)
	_ = tx.Rollback() // it wrote nothing
	if err != nil || len(damaged) == 0 {
		return out, err
	}
	err = s.write(ctx, "forget damaged sums", len(damaged), func(ctx context.Context) (func(), error) {
		return nil, touch(ctx, s.conn, damaged, func(d *timegrid.Span) (string, time.Time) { return districtID, d.Start })
	})
	if err != nil { // what was read is right all the same
		s.log.Warn("damaged sums of days stay", "district", districtID, "err", err)
	}
	return out, nil
}

// SumBalances keeps the sums of the civil days of zone that were over at now, those of the boundaries too.
func (s *Store) SumBalances(ctx context.Context, districtID string, zone *time.Location, now time.Time, boundaries ...string) error {
	s.summing.Lock()
	defer s.summing.Unlock()
	return daily.Refresh(ctx, dayKeeper{moment{s, s.readers}}, districtID, zone, now, boundaries...)
}

// Balances returns the rows at the moment.
func (m moment) Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	return m.balances(ctx, m.q, districtID, site, sp)
}

// Carriers returns the rows of other carriers at the moment.
func (m moment) Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error) {
	return m.carriers(ctx, m.q, districtID, site, carrier, sp)
}

// Summed returns the days that are kept.
func (m moment) Summed(ctx context.Context, districtID, scope string, sp timegrid.Span) ([]timegrid.Span, error) {
	rows, err := m.q.QueryContext(ctx, "select start_us, end_us from summed_days where district=? and start_us>=? and start_us<? and scope=? and claim is null",
		districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End), scope)
	if err != nil {
		return nil, m.fail("read daily balances of "+districtID, err)
	}
	out, err := collect(rows, func(rows *sql.Rows) (d timegrid.Span, err error) {
		var start, end int64
		err = rows.Scan(&start, &end)
		return timegrid.Span{Start: store.FromMicro(start), End: store.FromMicro(end)}, err
	})
	return out, m.fail("read daily balances of "+districtID, err)
}

// Sums returns what is kept of days.
func (m moment) Sums(ctx context.Context, districtID, scope, site string, sp timegrid.Span) ([]daily.Sum, error) {
	where, args := "district=? and scope=? and start_us>=? and start_us<?", []any{districtID, scope, store.CeilMicro(sp.Start), store.CeilMicro(sp.End)}
	if site != "" {
		where, args = where+" and site=?", append(args, site)
	}
	rows, err := m.q.QueryContext(ctx, "select site, carrier, start_us, end_us, body from day_sums where "+where, args...)
	if err != nil {
		return nil, m.fail("read daily balances of "+districtID, err)
	}
	out, err := collect(rows, func(rows *sql.Rows) (d daily.Sum, err error) {
		var start, end int64
		err = rows.Scan(&d.Site, &d.Carrier, &start, &end, &d.Body)
		d.Start, d.End = store.FromMicro(start), store.FromMicro(end)
		return d, err
	})
	return out, m.fail("read daily balances of "+districtID, err)
}

// touch takes the days that rows fall into off the list, in the transaction under way.
func touch[T any](ctx context.Context, conn *sql.Conn, rows []T, of func(*T) (string, time.Time)) error {
	for _, x := range daily.Touched(rows, of) {
		from, to := store.Micro(x.Start), store.Micro(x.End)
		if _, err := conn.ExecContext(ctx, "delete from summed_days where district=? and start_us>? and start_us<=? and end_us>? and scope not like '"+daily.ObservedScopes+"%'", x.District, from-daily.LongestDay.Microseconds(), to, from); err != nil {
			return err
		}
	}
	return nil
}

// dayKeeper sums days for package daily.
type dayKeeper struct{ moment }

// From returns from when on every row is in the file.
func (k dayKeeper) From(ctx context.Context) (time.Time, error) {
	kept, _, err := k.Horizon(ctx)
	return kept, err
}

// Claim puts days on the list as claimed.
func (k dayKeeper) Claim(ctx context.Context, districtID, scope, claim string, days []timegrid.Span) error {
	return k.write(ctx, fmt.Sprintf("claim %d days of %s", len(days), districtID), len(days), func(ctx context.Context) (func(), error) {
		var kept sql.NullInt64
		if err := k.conn.QueryRowContext(ctx, "select cast(value as integer) from meta where key=?", keptFrom).Scan(&kept); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		for _, d := range days {
			if kept.Valid && store.Micro(d.Start) < kept.Int64 {
				continue // its rows were removed since
			}
			if _, err := k.conn.ExecContext(ctx, "insert or replace into summed_days(district, start_us, scope, end_us, claim) values(?,?,?,?,?)", districtID, store.Micro(d.Start), scope, store.Micro(d.End), claim); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// Keep keeps the sums of those days whose claim still stands.
func (k dayKeeper) Keep(ctx context.Context, districtID, scope, claim string, days []timegrid.Span, sums []daily.Sum) error {
	return k.write(ctx, fmt.Sprintf("sum %d days of %s", len(days), districtID), len(days)+len(sums), func(ctx context.Context) (func(), error) {
		mine := map[int64]bool{}
		for _, d := range days {
			res, err := k.conn.ExecContext(ctx, "update summed_days set claim=null where district=? and start_us=? and scope=? and claim=?", districtID, store.Micro(d.Start), scope, claim)
			if err != nil {
				return nil, err
			}
			n, err := res.RowsAffected()
			if err != nil {
				return nil, err
			}
			mine[store.Micro(d.Start)] = n > 0
		}
		st, err := k.conn.PrepareContext(ctx, "insert or replace into day_sums(district, scope, site, start_us, carrier, end_us, body) values(?,?,?,?,?,?,?)")
		if err != nil {
			return nil, err
		}
		defer st.Close()
		for i := range sums {
			x := &sums[i]
			if !mine[store.Micro(x.Start)] {
				continue
			}
			if _, err := st.ExecContext(ctx, districtID, scope, x.Site, store.Micro(x.Start), string(x.Carrier), store.Micro(x.End), x.Body); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}

// Scopes returns the scopes of a district other than of every site, with the start of the newest day of each.
func (k dayKeeper) Scopes(ctx context.Context, districtID string) (map[string]time.Time, error) {
	op := "read scopes of days of " + districtID
	// sums are found from one scope to the next, since those of every site are many
	rows, err := k.q.QueryContext(ctx, `with recursive s(scope) as (select min(scope) from day_sums where district=?1 and scope>''
		union all select (select min(scope) from day_sums where district=?1 and scope>s.scope) from s where s.scope is not null)
		select scope, max(start_us) from (
			select scope, (select max(start_us) from day_sums where district=?1 and scope=s.scope and site=s.scope) as start_us from s where scope is not null
			union all select scope, start_us from summed_days where district=?1 and scope>'') where start_us is not null group by scope`, districtID)
	if err != nil {
		return nil, k.fail(op, err)
	}
	out := map[string]time.Time{}
	_, err = collect(rows, func(rows *sql.Rows) (scope string, err error) {
		var start int64
		err = rows.Scan(&scope, &start)
		out[scope] = store.FromMicro(start)
		return scope, err
	})
	return out, k.fail(op, err)
}

// Forget removes the days of a scope and their sums.
func (k dayKeeper) Forget(ctx context.Context, districtID, scope string) error {
	return k.write(ctx, "forget sums of days of "+districtID, 1, func(ctx context.Context) (func(), error) {
		for _, table := range []string{"summed_days", "day_sums"} {
			if _, err := k.conn.ExecContext(ctx, "delete from "+table+" where district=? and scope=?", districtID, scope); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
}
