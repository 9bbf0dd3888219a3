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

// BenchmarkAppend is the rate of appends of new rows, of the same rows again, and of new rows by plain statements of 100 rows each in one transaction.
// The database of .ci/database does not sync to the disk; the ratios are what counts.
//
//	go test ./schemas/store/timescale -run '^$' -bench Append -count 5 | tee new.txt; benchstat -col /way new.txt
func BenchmarkAppend(b *testing.B) {
	for _, rows := range []int{60, 1000, 20_000} {
		for _, way := range []string{"append", "repeat", "insert"} {
			b.Run(fmt.Sprintf("rows=%d/way=%s", rows, way), func(b *testing.B) {
				s := openAt(b, storetest.Database(b))
				in := make([]district.Sample, rows)
				at := t0
				fill := func() {
					for i := range in {
						in[i] = district.Sample{Series: district.SeriesID(fmt.Sprintf("fontaine/site%02d/device%02d/power_kw", i%300/10, i%10)),
							Time: at.Add(time.Duration(i/300) * 10 * time.Second), Value: float64(i%997) / 7}
					}
					at = at.Add(time.Duration(rows/300+1) * 10 * time.Second)
				}
				fill()
				if way == "repeat" {
					must(b, s.Append(b.Context(), in))
				}
				for b.Loop() {
					b.StopTimer()
					if way != "repeat" {
						fill()
					}
					b.StartTimer()
					if way == "insert" {
						must(b, plainInsert(b.Context(), s, in))
					} else {
						must(b, s.Append(b.Context(), in))
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
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
