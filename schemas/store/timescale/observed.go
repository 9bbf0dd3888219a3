package timescale

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

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

func (s *Store) observed() observed { return observed{dayKeeper{moment{s, s.pool}}} }

// Stale returns the hours of series in which rollups are computed from samples.
func (o observed) Stale(ctx context.Context, series []district.SeriesID) ([]rollup.Range, error) {
	return rollup.Stale(ctx, keeper{o.Store}, series)
}

// Moment calls f with the record at one moment.
func (o observed) Moment(ctx context.Context, f func(daily.Snapshot) error) error {
	return pgx.BeginTxFunc(ctx, o.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error { return f(moment{o.Store, tx}) })
}

// ObservedDays returns what an observation sums to in each civil day of zone that starts in sp.
func (s *Store) ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error) {
	out, damaged, err := daily.ReadObserved(ctx, s.log, s.observed(), &o, sp, zone)
	if err != nil || len(damaged) == 0 {
		return out, s.fail("read observed days of "+o.District, err)
	}
	err = s.write(ctx, "forget damaged sums", func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		touchObserved(b, daily.Spans(o.District, damaged))
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil { // what was read is right all the same
		s.log.Warn("damaged sums of days stay", "district", o.District, "err", err)
	}
	return out, nil
}

// SumObserved keeps what an observation sums to in the civil days of zone that were over at now, unless another process sums days.
func (s *Store) SumObserved(ctx context.Context, o store.Observation, zone *time.Location, now time.Time) error {
	if !storable(o.District + o.Name) {
		return ctx.Err()
	}
	return s.alone(ctx, "sum observed days", lockDays, func(ctx context.Context) error {
		return daily.RefreshObserved(ctx, s.observed(), &o, zone, now)
	})
}

const touchObservedDays = "delete from summed_days where district=$1 and start>$2 and start<$3 and until>$4 and scope like '" + daily.ObservedScopes + "%'"

// touchObserved takes the days of observations that overlap spans off the list.
func touchObserved(b *pgx.Batch, spans []daily.Span) {
	b.Queue(shareDays, lockClaims)
	for _, x := range spans {
		from := store.Instant(x.Start)
		b.Queue(touchObservedDays, x.District, from.Add(-daily.LongestDay), store.Instant(x.End), from)
	}
}
