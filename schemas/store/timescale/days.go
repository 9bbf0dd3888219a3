package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
)

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
func (s *Store) BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) (out []balance.Day, err error) {
	if !storable(districtID + site) {
		return []balance.Day{}, ctx.Err()
	}
	var damaged []timegrid.Span
	// what is listed, kept and there as rows is of one moment
	err = pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		out, damaged, err = daily.Read(ctx, s.log, moment{s, tx}, districtID, site, sp, zone)
		return err
	})
	if err != nil || len(damaged) == 0 {
		return out, s.fail("read daily balances of "+districtID, err)
	}
	err = s.write(ctx, "forget damaged sums", func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		touch(b, damaged, func(d *timegrid.Span) (string, time.Time) { return districtID, d.Start })
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil { // what was read is right all the same
		s.log.Warn("damaged sums of days stay", "district", districtID, "err", err)
	}
	return out, nil
}

// SumBalances keeps the sums of the civil days of zone that were over at now, those of the boundaries too, unless another process is at it.
func (s *Store) SumBalances(ctx context.Context, districtID string, zone *time.Location, now time.Time, boundaries ...string) error {
	if !storable(districtID) {
		return ctx.Err()
	}
	return s.alone(ctx, "sum daily balances", lockDays, func(ctx context.Context) error {
		return daily.Refresh(ctx, dayKeeper{moment{s, s.pool}}, districtID, zone, now, boundaries...)
	})
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
	rows, err := m.q.Query(ctx, "select start, until from summed_days where district=$1 and start>=$2 and start<$3 and scope=$4 and claim is null",
		districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)), scope)
	if err != nil {
		return nil, m.fail("read daily balances of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d timegrid.Span, err error) {
		err = row.Scan(&d.Start, &d.End)
		d.Start, d.End = d.Start.UTC(), d.End.UTC()
		return d, err
	})
	return out, m.fail("read daily balances of "+districtID, err)
}

// Sums returns what is kept of days.
func (m moment) Sums(ctx context.Context, districtID, scope, site string, sp timegrid.Span) ([]daily.Sum, error) {
	where, args := "district=$1 and scope=$2 and start>=$3 and start<$4", []any{districtID, scope, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End))}
	if site != "" {
		where, args = where+" and site=$5", append(args, site)
	}
	rows, err := m.q.Query(ctx, "select site, carrier, start, until, body from day_sums where "+where, args...)
	if err != nil {
		return nil, m.fail("read daily balances of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d daily.Sum, err error) {
		err = row.Scan(&d.Site, &d.Carrier, &d.Start, &d.End, &d.Body)
		d.Start, d.End = d.Start.UTC(), d.End.UTC()
		return d, err
	})
	return out, m.fail("read daily balances of "+districtID, err)
}

const (
	// writers of rows hold the lock of the record's days together; who claims days holds it alone, and so comes after all of them
	shareDays = "select pg_advisory_xact_lock_shared($1, hashtext(current_schema()))"
	closeDays = "select pg_advisory_xact_lock($1, hashtext(current_schema()))"
	touchDays = "delete from summed_days where district=$1 and start>$2 and start<=$3 and until>$4 and scope not like '" + daily.ObservedScopes + "%'"
)

// touch takes the days that rows fall into off the list, before they are written.
func touch[T any](b *pgx.Batch, rows []T, of func(*T) (string, time.Time)) {
	b.Queue(shareDays, lockClaims)
	for _, x := range daily.Touched(rows, of) {
		from := store.Instant(x.Start)
		b.Queue(touchDays, x.District, from.Add(-daily.LongestDay), store.Instant(x.End), from)
	}
}

// dayKeeper sums days for package daily.
type dayKeeper struct{ moment }

// From returns no time: all rows are here.
func (dayKeeper) From(context.Context) (time.Time, error) { return time.Time{}, nil }

// Claim puts days on the list as claimed, once every writer that is under way has ended.
func (k dayKeeper) Claim(ctx context.Context, districtID, scope, claim string, days []timegrid.Span) error {
	return k.write(ctx, fmt.Sprintf("claim %d days of %s", len(days), districtID), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, closeDays, lockClaims); err != nil {
			return err
		}
		start, until := make([]time.Time, len(days)), make([]time.Time, len(days))
		for i, d := range days {
			start[i], until[i] = d.Start, d.End
		}
		_, err := tx.Exec(ctx, `insert into summed_days(district, start, scope, until, claim) select $1, s, $2, u, $3 from unnest($4::timestamptz[], $5::timestamptz[]) x(s, u)
			on conflict (district, start, scope) do update set until=excluded.until, claim=excluded.claim`, districtID, scope, claim, start, until)
		return err
	})
}

// Keep keeps the sums of those days whose claim still stands.
func (k dayKeeper) Keep(ctx context.Context, districtID, scope, claim string, days []timegrid.Span, sums []daily.Sum) error {
	return k.write(ctx, fmt.Sprintf("sum %d days of %s", len(days), districtID), func(tx pgx.Tx) error {
		start := make([]time.Time, len(days))
		for i, d := range days {
			start[i] = d.Start
		}
		rows, err := tx.Query(ctx, "update summed_days set claim=null where district=$1 and start=any($2::timestamptz[]) and scope=$3 and claim=$4 returning start", districtID, start, scope, claim)
		if err != nil {
			return err
		}
		mine := map[int64]bool{}
		var at time.Time
		if _, err := pgx.ForEachRow(rows, []any{&at}, func() error {
			mine[at.UnixMicro()] = true
			return nil
		}); err != nil {
			return err
		}
		b := &pgx.Batch{}
		for i := range sums {
			x := &sums[i]
			if mine[x.Start.UnixMicro()] {
				b.Queue(`insert into day_sums(district, scope, site, start, carrier, until, body) values($1,$2,$3,$4,$5,$6,$7)
					on conflict (district, scope, site, start, carrier) do update set until=excluded.until, body=excluded.body`, districtID, scope, x.Site, x.Start, string(x.Carrier), x.End, x.Body)
			}
		}
		if b.Len() == 0 {
			return nil
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// Scopes returns the scopes of a district other than of every site, with the start of the newest day of each.
func (k dayKeeper) Scopes(ctx context.Context, districtID string) (map[string]time.Time, error) {
	op := "read scopes of days of " + districtID
	// sums are found from one scope to the next, since those of every site are many
	rows, err := k.q.Query(ctx, `with recursive s(scope) as (select min(scope) from day_sums where district=$1 and scope>''
		union all select (select min(scope) from day_sums where district=$1 and scope>s.scope) from s where s.scope is not null)
		select scope, max(start) from (
			select scope, (select max(start) from day_sums where district=$1 and scope=s.scope and site=s.scope) as start from s where scope is not null
			union all select scope, start from summed_days where district=$1 and scope>'') x where start is not null group by scope`, districtID)
	if err != nil {
		return nil, k.fail(op, err)
	}
	out := map[string]time.Time{}
	var scope string
	var start time.Time
	_, err = pgx.ForEachRow(rows, []any{&scope, &start}, func() error {
		out[scope] = start.UTC()
		return nil
	})
	return out, k.fail(op, err)
}

// Forget removes the days of a scope and then their sums, so that who is keeping some at the time keeps none that stay.
func (k dayKeeper) Forget(ctx context.Context, districtID, scope string) error {
	return k.write(ctx, "forget sums of days of "+districtID, func(tx pgx.Tx) error {
		for _, table := range []string{"summed_days", "day_sums"} {
			if _, err := tx.Exec(ctx, "delete from "+table+" where district=$1 and scope=$2", districtID, scope); err != nil {
				return err
			}
		}
		return nil
	})
}
