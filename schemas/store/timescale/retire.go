package timescale

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
)

// frozenMore is how much longer rollups are frozen than samples are removed.
const frozenMore = time.Hour

// Retired returns the time before which samples were removed; zero where none were.
func (s *Store) Retired(ctx context.Context) (time.Time, error) {
	us, err := keeper{s}.Frozen(ctx)
	if err != nil || us <= rollup.Everything.From {
		return time.Time{}, err
	}
	return store.FromMicro(us).Add(-frozenMore), nil
}

// Retire removes samples from before a day once their rollups are made: chunks and packs as wholes, and single rows where there is no hypertable or a chunk reaches beyond the day.
func (s *Store) Retire(ctx context.Context, cutoff time.Time) (done bool, err error) {
	cutoff = cutoff.UTC().Truncate(24 * time.Hour)
	err = s.alone(ctx, "retire samples", lockRefresh, func(ctx context.Context) error {
		open, err := rollup.Open(ctx, keeper{s}, store.Micro(cutoff))
		if err != nil || open {
			return err
		}
		// a time of its own: from here on nothing of before is computed again
		err = s.write(ctx, "retire samples", func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "update record_state set frozen_us=$1 where frozen_us<$1", store.Micro(cutoff.Add(frozenMore)))
			return err
		})
		if err == nil && s.hyper {
			err = s.write(ctx, "drop chunks", func(tx pgx.Tx) error {
				_, err := tx.Exec(ctx, "select drop_chunks('sample', older_than=>$1::timestamptz)", cutoff)
				return err
			})
		}
		if err == nil {
			err = s.write(ctx, "delete old samples", func(tx pgx.Tx) error {
				// as in packing: who writes late samples of that time waits, or is waited for
				if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, hashtext(current_schema()))", lockPacking); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, "delete from pack where stop<$1", cutoff); err != nil {
					return err
				}
				_, err := tx.Exec(ctx, "delete from sample where time<$1", cutoff)
				return err
			})
		}
		done = err == nil
		return err
	})
	return done, err
}
