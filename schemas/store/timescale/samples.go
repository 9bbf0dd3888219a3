package timescale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// Append makes the samples durable, all or none.
func (s *Store) Append(ctx context.Context, samples []district.Sample) error {
	packed, err := batch.NewSamples(samples)
	if err != nil {
		return fmt.Errorf("store: append %d samples: %w", len(samples), err)
	}
	return s.appendPacked(ctx, packed)
}

// appendPacked copies the rows in, or, when one of them is there already, upserts them.
func (s *Store) appendPacked(ctx context.Context, packed batch.Samples) error {
	if len(packed.Rows) == 0 {
		return ctx.Err()
	}
	op := fmt.Sprintf("append %d samples", len(packed.Rows))
	err := s.writeSamples(ctx, op, packed, copySamples)
	if sqlState(err) == uniqueViolation {
		err = s.writeSamples(ctx, op, packed, upsertSamples)
	}
	return err
}

func (s *Store) writeSamples(ctx context.Context, op string, packed batch.Samples, how func(context.Context, pgx.Tx, []int32, []batch.Row) error) error {
	var fresh map[district.SeriesID]int32
	err := s.write(ctx, op, func(tx pgx.Tx) (err error) {
		var ids []int32
		if ids, fresh, err = s.seriesIDs(ctx, tx, packed.Names); err != nil {
			return err
		}
		rows := ordered(ids, packed.Rows)
		if err := how(ctx, tx, ids, rows); err != nil {
			return err
		}
		return s.note(ctx, tx, ids, rows)
	})
	if err == nil {
		s.remember(fresh)
	}
	return err
}

// ordered returns the rows by the ids of their series: two transactions that write the same rows then take them in the same order, and neither
// waits for the other in a circle. The rows come sorted by the position of the name.
func ordered(ids []int32, rows []batch.Row) []batch.Row {
	if slices.IsSorted(ids) {
		return rows
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b batch.Row) int { return int(ids[a.Series]) - int(ids[b.Series]) })
	return rows
}

func copySamples(ctx context.Context, tx pgx.Tx, ids []int32, rows []batch.Row) error {
	i := 0
	values := make([]any, 5)
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"sample"}, []string{"series_id", "time", "value", "quality", "source"}, pgx.CopyFromFunc(func() ([]any, error) {
		if i == len(rows) {
			return nil, nil
		}
		r := rows[i]
		i++
		values[0], values[1], values[2], values[3], values[4] = ids[r.Series], store.FromMicro(r.Micro), r.Value, int16(r.Quality()), int16(r.Source())
		return values, nil
	}))
	return err
}

func upsertSamples(ctx context.Context, tx pgx.Tx, ids []int32, rows []batch.Row) error {
	return insertRows(ctx, tx, func(series int32) int32 { return ids[series] }, rows, `do update set value=excluded.value, quality=excluded.quality, source=excluded.source
		where (old.value, old.quality, old.source) is distinct from (excluded.value, excluded.quality, excluded.source)`)
}

// insertRows writes rows of which some may be there already: then action is done.
func insertRows(ctx context.Context, tx pgx.Tx, id func(series int32) int32, rows []batch.Row, action string) error {
	series, times, values := make([]int32, len(rows)), make([]time.Time, len(rows)), make([]float64, len(rows))
	qualities, sources := make([]int16, len(rows)), make([]int16, len(rows))
	for i, r := range rows {
		series[i], times[i], values[i], qualities[i], sources[i] = id(r.Series), store.FromMicro(r.Micro), r.Value, int16(r.Quality()), int16(r.Source())
	}
	_, err := tx.Exec(ctx, `insert into sample as old (series_id, time, value, quality, source)
		select * from unnest($1::integer[], $2::timestamptz[], $3::double precision[], $4::smallint[], $5::smallint[])
		on conflict (series_id, time) `+action, series, times, values, qualities, sources)
	return err
}

// columnsOf returns the names of a list of columns.
func columnsOf(list string) []string { return strings.Split(list, ", ") }

// seriesIDs returns the row of each series, and those that were looked up or made now.
func (s *Store) seriesIDs(ctx context.Context, tx pgx.Tx, names []district.SeriesID) (ids []int32, fresh map[district.SeriesID]int32, err error) {
	ids = make([]int32, len(names))
	var missing []string
	s.mu.RLock()
	for i, name := range names {
		if ids[i] = s.ids[name]; ids[i] == 0 {
			missing = append(missing, string(name))
		}
	}
	s.mu.RUnlock()
	if len(missing) == 0 {
		return ids, nil, nil
	}
	slices.Sort(missing) // in one order everywhere, see ordered
	if _, err := tx.Exec(ctx, `insert into series(name) select n from unnest($1::text[]) n
		where not exists (select from series where name=n) order by n on conflict do nothing`, missing); err != nil {
		return nil, nil, err
	}
	if fresh, err = lookup(ctx, tx, missing); err != nil {
		return nil, nil, err
	}
	for i, name := range names {
		if ids[i] == 0 {
			if ids[i] = fresh[name]; ids[i] == 0 {
				return nil, nil, fmt.Errorf("series %s is not there after it was made", name)
			}
		}
	}
	return ids, fresh, nil
}

// querier is a transaction or the pool.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func lookup(ctx context.Context, q querier, names []string) (map[district.SeriesID]int32, error) {
	rows, err := q.Query(ctx, "select name, id from series where name=any($1::text[])", names)
	if err != nil {
		return nil, err
	}
	out := make(map[district.SeriesID]int32, len(names))
	var name string
	var id int32
	_, err = pgx.ForEachRow(rows, []any{&name, &id}, func() error {
		out[district.SeriesID(name)] = id
		return nil
	})
	return out, err
}

func (s *Store) remember(ids map[district.SeriesID]int32) {
	if len(ids) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, id := range ids {
		s.ids[name] = id
	}
}

// known returns the ids of those series that exist.
func (s *Store) known(ctx context.Context, names []district.SeriesID) (map[district.SeriesID]int32, error) {
	out := make(map[district.SeriesID]int32, len(names))
	var missing []string
	s.mu.RLock()
	for _, name := range names {
		if id := s.ids[name]; id != 0 {
			out[name] = id
		} else if storable(string(name)) {
			missing = append(missing, string(name))
		}
	}
	s.mu.RUnlock()
	if len(missing) == 0 {
		return out, nil
	}
	found, err := lookup(ctx, s.pool, missing)
	if err != nil {
		return nil, err
	}
	s.remember(found)
	for name, id := range found {
		out[name] = id
	}
	return out, nil
}

// storable reports whether the server takes the text at all; text that it does not take is nowhere in its tables.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// Series lists the known series that start with prefix, sorted.
func (s *Store) Series(ctx context.Context, prefix string) ([]district.SeriesID, error) {
	if !storable(prefix) {
		return []district.SeriesID{}, ctx.Err()
	}
	rows, err := s.pool.Query(ctx, "select name from series where starts_with(name, $1) order by name", prefix)
	if err != nil {
		return nil, s.fail("list series", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowTo[district.SeriesID])
	if err != nil {
		return nil, s.fail("list series", err)
	}
	return out, nil
}

// errUnknown is a batch of a kind that this version does not know.
var errUnknown = errors.New("unknown kind")

// Apply writes a batch of an outbox. It may be applied any number of times: rows that are there keep their ids and are not written twice.
func (s *Store) Apply(ctx context.Context, b *batch.Batch) error {
	switch b.Kind {
	case batch.OfSamples:
		return s.appendPacked(ctx, b.Samples)
	case batch.OfBalances:
		return s.SaveBalances(ctx, b.Balances)
	case batch.OfCarriers:
		return s.SaveCarriers(ctx, b.Carriers)
	case batch.OfPlans:
		return s.applyPlans(ctx, b.Plans)
	case batch.OfSetpoints:
		return s.writeSetpoints(ctx, b.Setpoints)
	case batch.OfEvents:
		return s.applyEvents(ctx, b.Events)
	case batch.OfUsers:
		return s.applyUsers(ctx, b.Users)
	case batch.OfForecasts:
		return s.SaveForecastErrors(ctx, b.Forecasts)
	case batch.OfOutlooks:
		return s.SaveOutlooks(ctx, b.Outlooks)
	case batch.OfFigures:
		return s.applyFigures(ctx, b.Figures)
	case batch.OfOrders:
		return s.SaveOrders(ctx, b.Orders)
	}
	return fmt.Errorf("store: apply batch %d: %v: %w", b.Seq, b.Kind, errUnknown)
}

// Restore writes a batch of an archive with the ids that its rows have; the ids that are given here go on after them.
func (s *Store) Restore(ctx context.Context, b *batch.Batch) error {
	table := map[batch.Kind]string{batch.OfPlans: "plans", batch.OfSetpoints: "setpoints", batch.OfEvents: "events"}[b.Kind]
	if err := s.Apply(ctx, b); err != nil || table == "" {
		return err
	}
	return s.write(ctx, "restore "+table, func(tx pgx.Tx) error {
		// higher ids are given by the files, see 0001_record.sql
		_, err := tx.Exec(ctx, "select setval(pg_get_serial_sequence('"+table+"', 'id'), m) from (select max(id) m from "+table+" where id<=1000000000) x where m is not null")
		return err
	})
}
