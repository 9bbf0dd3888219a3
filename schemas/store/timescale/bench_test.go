package timescale

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/storetest"
)

// device returns the newest samples as they come from devices: one of each of 300 series every 10 s, from a round on.
func device(rows, round int) []district.Sample {
	in := make([]district.Sample, rows)
	for i := range in {
		in[i] = district.Sample{Series: district.SeriesID(fmt.Sprintf("fontaine/site%02d/device%02d/power_kw", i%300/10, i%10)),
			Time: t0.Add(time.Duration(round+i/300) * 10 * time.Second), Value: float64(i%997) / 7}
	}
	return in
}

// BenchmarkAppend is the rate of appends against a bare COPY of the same rows into a table of the same keys, against plain statements of 100 rows each in one transaction, and that
// of the same batch again. The ways take turns, batch by batch, so that what else the machine does falls on all of them; a ratio is of their summed times. The database of
// .ci/database does not sync to the disk.
//
//	go test ./schemas/store/timescale -run '^$' -bench Append
func BenchmarkAppend(b *testing.B) {
	ways := []struct {
		name  string
		write func(context.Context, *Store, []district.Sample) error
		again bool // the batch that was written last
	}{
		{name: "append", write: func(ctx context.Context, s *Store, in []district.Sample) error { return s.Append(ctx, in) }},
		{name: "copy", write: bareCopy},
		{name: "repeat", write: func(ctx context.Context, s *Store, in []district.Sample) error { return s.Append(ctx, in) }, again: true},
		{name: "insert", write: plainInsert},
	}
	for _, rows := range []int{60, 1000, 20_000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			stores := make([]*Store, len(ways))
			spent := make([]time.Duration, len(ways))
			for i, w := range ways {
				stores[i] = openAt(b, storetest.Database(b))
				must(b, w.write(b.Context(), stores[i], device(rows, 0))) // series and chunks are there
			}
			batches, round := 0, 0
			for b.Loop() {
				for range max(1, 100_000/rows/5) {
					round += rows/300 + 1
					batches++
					for i, w := range ways {
						in := device(rows, round)
						if w.again {
							in = device(rows, 0)
						}
						began := time.Now()
						must(b, w.write(b.Context(), stores[i], in))
						spent[i] += time.Since(began)
					}
				}
			}
			for i, w := range ways {
				b.ReportMetric(float64(rows*batches)/spent[i].Seconds(), w.name+"-rows/s")
			}
			b.ReportMetric(spent[1].Seconds()/spent[0].Seconds(), "of-copy")
			b.ReportMetric(spent[3].Seconds()/spent[0].Seconds(), "of-insert")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// bareCopy copies rows into the table in the order in which they come, in one transaction, and does nothing else.
func bareCopy(ctx context.Context, s *Store, in []district.Sample) error {
	ids, err := idsOf(ctx, s, in)
	if err != nil {
		return err
	}
	_, err = s.pool.CopyFrom(ctx, pgx.Identifier{"sample"}, []string{"series_id", "time", "value", "quality", "source"}, pgx.CopyFromSlice(len(in), func(i int) ([]any, error) {
		x := &in[i]
		return []any{ids[x.Series], x.Time, x.Value, int16(x.Quality), int16(x.Source)}, nil
	}))
	return err
}

// idsOf returns the ids of the series of samples, and makes those that are not there.
func idsOf(ctx context.Context, s *Store, in []district.Sample) (map[district.SeriesID]int32, error) {
	names := map[district.SeriesID]bool{}
	var list []district.SeriesID
	for i := range in {
		if !names[in[i].Series] {
			names[in[i].Series] = true
			list = append(list, in[i].Series)
		}
	}
	ids, err := s.known(ctx, list)
	if err != nil || len(ids) == len(list) {
		return ids, err
	}
	return ids, s.write(ctx, "make series", func(tx pgx.Tx) error {
		made, fresh, err := s.seriesIDs(ctx, tx, list)
		for i, name := range list {
			ids[name] = made[i]
		}
		s.remember(fresh)
		return err
	})
}

// plainInsert is what an ordinary program would do.
func plainInsert(ctx context.Context, s *Store, in []district.Sample) error {
	packed, err := batch.NewSamples(in)
	if err != nil {
		return err
	}
	return s.write(ctx, "insert", func(tx pgx.Tx) error {
		ids, _, err := s.seriesIDs(ctx, tx, packed.Names)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(packed.Rows, 100) {
			var text strings.Builder
			args := make([]any, 0, 500)
			for i, r := range part {
				fmt.Fprintf(&text, ",($%d,$%d,$%d,$%d,$%d)", 5*i+1, 5*i+2, 5*i+3, 5*i+4, 5*i+5)
				args = append(args, ids[r.Series], store.FromMicro(r.Micro), r.Value, int16(r.Quality()), int16(r.Source()))
			}
			if _, err := tx.Exec(ctx, "insert into sample values "+text.String()[1:], args...); err != nil {
				return err
			}
		}
		return nil
	})
}
