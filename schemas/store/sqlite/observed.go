package sqlite

import (
	"context"
	"database/sql"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// observed gives the record to package daily for what was observed.
type observed struct{ dayKeeper }

var (
	_ daily.ObservedSource = observed{}
	_ daily.ObservedKeeper = observed{}
)

func (s *Store) observed() observed { return observed{dayKeeper{moment{s, s.readers}}} }

// Stale returns the hours of series in which rollups are computed from samples.
func (o observed) Stale(ctx context.Context, series []district.SeriesID) ([]rollup.Range, error) {
	return rollup.Stale(ctx, keeper{o.Store}, series)
}

// Moment calls f with the record at one moment.
func (o observed) Moment(ctx context.Context, f func(daily.Snapshot) error) error {
	tx, err := o.readers.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return o.fail("read observed days", err)
	}
	defer func() { _ = tx.Rollback() }() // it wrote nothing
	return f(moment{o.Store, tx})
}

// ObservedDays returns what an observation sums to in each civil day of zone that starts in sp.
func (s *Store) ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error) {
	out, damaged, err := daily.ReadObserved(ctx, s.log, s.observed(), &o, sp, zone)
	if err != nil || len(damaged) == 0 {
		return out, err
	}
	err = s.write(ctx, "forget damaged sums", len(damaged), func(ctx context.Context) (func(), error) {
		return nil, touchObserved(ctx, s.conn, daily.Spans(o.District, damaged))
	})
	if err != nil { // what was read is right all the same
		s.log.Warn("damaged sums of days stay", "district", o.District, "err", err)
	}
	return out, nil
}

// SumObserved keeps what an observation sums to in the civil days of zone that were over at now.
func (s *Store) SumObserved(ctx context.Context, o store.Observation, zone *time.Location, now time.Time) error {
	s.summing.Lock()
	defer s.summing.Unlock()
	return daily.RefreshObserved(ctx, s.observed(), &o, zone, now)
}

// touchObserved takes the days of observations that overlap spans off the list, in the transaction under way.
func touchObserved(ctx context.Context, conn *sql.Conn, spans []daily.Span) error {
	for _, x := range spans {
		from, to := store.Micro(x.Start), store.Micro(x.End)
		if _, err := conn.ExecContext(ctx, "delete from summed_days where district=? and start_us>? and start_us<? and end_us>? and scope like '"+daily.ObservedScopes+"%'",
			x.District, from-daily.LongestDay.Microseconds(), to, from); err != nil {
			return err
		}
	}
	return nil
}
