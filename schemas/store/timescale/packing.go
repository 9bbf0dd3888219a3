package timescale

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/rollup"
)

// Numbers of further locks, see prepare.
const (
	lockPacker  = 7829 // one process packs
	lockPacking = 7830 // held alone by a transaction that packs, shared by one that writes among what is packed
)

// packRowsAtOnce is about how many samples one transaction packs: it holds up for a fraction of a second who writes late samples, and nobody else.
const packRowsAtOnce = 100_000

// Pack packs the samples of the days of UTC that are over before the given time. It may be ended at any moment, and begins again where it was. Late samples are put among the others of their day
// when it is run again. On the Community edition, whose columnstore does the same, it does nothing.
func (s *Store) Pack(ctx context.Context, before time.Time) error {
	if s.community {
		return nil
	}
	return s.alone(ctx, "pack samples", lockPacker, func(ctx context.Context) error {
		to := before.UTC().Truncate(24 * time.Hour)
		// from here on, whoever writes before that time looks for packs; whoever did so already is waited for
		err := s.write(ctx, "begin to pack", func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "update record_state set packed_to=$1 where packed_to<$1", to)
			return err
		})
		if err != nil {
			return err
		}
		n, packed := 20, int64(0)
		for {
			day, ids, err := s.unpacked(ctx, to)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				break
			}
			for len(ids) > 0 {
				k := min(n, len(ids))
				rows, err := s.packDay(ctx, day, ids[:k])
				if err != nil {
					return err
				}
				packed += rows
				ids = ids[k:]
				n = max(1, min(2*n, int(int64(n)*packRowsAtOnce/max(rows, 1))))
			}
		}
		if packed > 0 {
			s.log.Info("samples packed", "database", s.where, "samples", packed, "before", to)
		}
		return s.dropEmpty(ctx, to)
	})
}

// unpacked returns the earliest day before a time that has samples in rows, with those series.
func (s *Store) unpacked(ctx context.Context, to time.Time) (day time.Time, ids []int32, err error) {
	rows, err := s.pool.Query(ctx, `select s.id, m.time from series s cross join lateral (select time from sample where series_id=s.id and time<$1 order by time limit 1) m
		order by m.time`, to)
	if err != nil {
		return day, nil, s.fail("look for samples to pack", err)
	}
	var id int32
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error {
		if of := at.UTC().Truncate(24 * time.Hour); len(ids) == 0 {
			day = of
		} else if !of.Equal(day) {
			return nil
		}
		ids = append(ids, id)
		return nil
	})
	slices.Sort(ids)
	return day, ids, s.fail("look for samples to pack", err)
}

// packDay packs what some series have in rows on a day, together with the packs that they have there, and returns how many samples these are.
func (s *Store) packDay(ctx context.Context, day time.Time, ids []int32) (n int64, err error) {
	end := day.Add(24 * time.Hour)
	err = s.write(ctx, "pack "+day.Format(time.DateOnly), func(tx pgx.Tx) error {
		n = 0
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, hashtext(current_schema()))", lockPacking); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, "delete from sample where series_id=any($1::integer[]) and time>=$2 and time<$3 returning series_id, time, value, quality, source", ids, day, end)
		if err != nil {
			return err
		}
		loose, err := collectRows(rows)
		if err != nil {
			return err
		}
		if loose, err = s.takePacks(ctx, tx, loose, "series_id=any($1::integer[]) and start<$3 and stop>=$2", ids, day, end); err != nil {
			return err
		}
		n = int64(len(loose))
		slices.SortStableFunc(loose, func(a, b batch.Row) int {
			return cmp.Or(cmp.Compare(a.Series, b.Series), cmp.Compare(a.Micro, b.Micro))
		})
		var packs [][]any
		for i := 0; i < len(loose); {
			j := i
			for j < len(loose) && loose[j].Series == loose[i].Series {
				j++
			}
			packs = append(packs, packRows(loose[i].Series, loose[i:j]).values())
			i = j
		}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{"pack"}, columnsOf(packColumns), pgx.CopyFromRows(packs))
		return err
	})
	return n, err
}

// takePacks removes packs and appends their samples, with the id of the series in the place of the row's own.
func (s *Store) takePacks(ctx context.Context, tx pgx.Tx, out []batch.Row, where string, args ...any) ([]batch.Row, error) {
	rows, err := tx.Query(ctx, "delete from pack where "+where+" returning "+packColumns, args...)
	if err != nil {
		return nil, err
	}
	packs, err := pgx.CollectRows(rows, scanPack)
	if err != nil {
		return nil, err
	}
	for _, p := range packs {
		some, err := p.rows()
		if err != nil {
			return nil, err
		}
		for i := range some {
			some[i].Series = p.SeriesID
		}
		out = append(out, some...)
	}
	return out, nil
}

// collectRows reads samples, with the id of the series in the place of the row's own.
func collectRows(rows pgx.Rows) (out []batch.Row, err error) {
	var id int32
	var us time.Time
	var value float64
	var quality, source int16
	_, err = pgx.ForEachRow(rows, []any{&id, &us, &value, &quality, &source}, func() error {
		out = append(out, batch.Row{Series: id, Micro: us.UnixMicro(), Value: value, Flags: uint8(quality)&15 | uint8(source)<<4})
		return nil
	})
	return out, err
}

// unpack turns packs that samples which a transaction has just written fall into back to rows; what was written is newer and stays.
func (s *Store) unpack(ctx context.Context, tx pgx.Tx, marks rollup.Marks) error {
	if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock_shared($1, hashtext(current_schema()))", lockPacking); err != nil {
		return err
	}
	var ids []int32
	var from, to []time.Time
	for id, list := range marks {
		for _, r := range list {
			ids, from, to = append(ids, int32(id)), append(from, store.FromMicro(r.From)), append(to, store.FromMicro(r.To))
		}
	}
	loose, err := s.takePacks(ctx, tx, nil, "(series_id, start) in (select p.series_id, p.start from unnest($1::integer[], $2::timestamptz[], $3::timestamptz[]) r(id, a, b)"+
		" join pack p on p.series_id=r.id and p.start<=r.b and p.stop>=r.a)", ids, from, to)
	if err != nil || len(loose) == 0 {
		return err
	}
	same := func(id int32) int32 { return id }
	return insertRows(ctx, tx, same, loose, "do nothing")
}

// dropEmpty gives the space of chunks back whose samples are all packed.
func (s *Store) dropEmpty(ctx context.Context, to time.Time) error {
	if !s.hyper {
		return nil
	}
	rows, err := s.pool.Query(ctx, `select format('%I.%I', chunk_schema, chunk_name), range_start, range_end from timescaledb_information.chunks
		where hypertable_schema=current_schema() and hypertable_name='sample' and range_end<=$1 order by range_start`, to)
	if err != nil {
		return s.fail("list chunks", err)
	}
	type chunk struct {
		Name       string
		Start, End time.Time
	}
	chunks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[chunk])
	if err != nil {
		return s.fail("list chunks", err)
	}
	for _, c := range chunks {
		err := s.write(ctx, "drop the empty chunk "+c.Name, func(tx pgx.Tx) error {
			// who writes there just now is not waited for: another time will do
			if _, err := tx.Exec(ctx, "set local lock_timeout='1s'"); err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, "lock table "+c.Name+" in access exclusive mode"); err != nil {
				return err
			}
			var used bool
			if err := tx.QueryRow(ctx, "select exists(select from "+c.Name+")").Scan(&used); err != nil || used {
				return err
			}
			_, err := tx.Exec(ctx, fmt.Sprintf("select drop_chunks('sample', older_than=>'%s'::timestamptz, newer_than=>'%s'::timestamptz)",
				c.End.UTC().Format(time.RFC3339Nano), c.Start.UTC().Format(time.RFC3339Nano)))
			return err
		})
		if err != nil && sqlState(err) != lockNotAvailable {
			return err
		}
	}
	return nil
}

const lockNotAvailable = "55P03"
