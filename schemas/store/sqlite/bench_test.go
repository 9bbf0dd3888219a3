package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// history returns n samples of 300 series every 5 minutes, from a place in time on.
func history(n, from int) []district.Sample {
	out := make([]district.Sample, n)
	names := make([]district.SeriesID, 300)
	for i := range names {
		names[i] = district.SeriesID(fmt.Sprintf("fontaine/site%02d/device%02d/power_kw", i/10, i%10))
	}
	each := (n + 299) / 300
	for i := range out {
		out[i] = district.Sample{Series: names[i/each], Time: t0.Add(time.Duration(from+i%each) * 5 * time.Minute), Value: float64(i%997) / 7,
			Source: district.FromHistory}
	}
	return out
}

// BenchmarkAppend is the rate of durable appends, and of the same rows by plain statements of 100 rows each in one transaction.
//
//	go test ./schemas/store/sqlite -run '^$' -bench Append -count 5 | tee new.txt; benchstat -col /way new.txt
func BenchmarkAppend(b *testing.B) {
	for _, rows := range []int{60, 1000, 20_000, 100_000} {
		for _, way := range []string{"append", "outbox", "insert"} {
			b.Run(fmt.Sprintf("rows=%d/way=%s", rows, way), func(b *testing.B) {
				s := openAt(b, filepath.Join(b.TempDir(), "quartier.db"), Options{Outbox: way == "outbox"})
				from := 0
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					in := history(rows, from)
					from += rows/300 + 1
					b.StartTimer()
					if way == "insert" {
						must(b, plainInsert(s, in))
					} else {
						must(b, s.Append(b.Context(), in))
					}
				}
				b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// BenchmarkMove is the time for which a move of all that may be staged holds other writes: 400 series, once a second.
//
//	go test ./schemas/store/sqlite -run '^$' -bench Move
func BenchmarkMove(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "quartier.db"), Options{})
	const series = 400
	in := make([]district.Sample, directRows)
	second := 0
	for b.Loop() {
		b.StopTimer()
		for range stageRows/directRows - 1 {
			for i := range in {
				in[i] = district.Sample{Series: district.SeriesID(fmt.Sprintf("fontaine/ecole/device%d/power_kw", i%series)),
					Time: t0.Add(time.Duration(second+i/series) * time.Second), Value: float64((second+i)%997) / 8}
			}
			second += directRows / series
			must(b, s.Append(b.Context(), in))
		}
		b.StartTimer()
		moveNow(b, s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(stageRows-directRows), "ns/sample")
}

// BenchmarkTogether is the rate of durable appends of 10 samples by several at once, who share commits, and by the same number of callers of whom each
// waits for a commit of its own: a lock around each append.
//
//	go test ./schemas/store/sqlite -run '^$' -bench Together -count 5 | tee new.txt; benchstat -col /way new.txt
func BenchmarkTogether(b *testing.B) {
	for _, appenders := range []int{1, 10, 100} {
		for _, way := range []string{"shared", "each"} {
			b.Run(fmt.Sprintf("appenders=%d/way=%s", appenders, way), func(b *testing.B) {
				s := openAt(b, filepath.Join(b.TempDir(), "quartier.db"), Options{})
				var each sync.Mutex
				var waited atomic.Int64
				from := 0
				for b.Loop() {
					var wg sync.WaitGroup
					for n := range appenders {
						wg.Go(func() {
							in := make([]district.Sample, 10)
							for i := range in {
								in[i] = district.Sample{Series: district.SeriesID(fmt.Sprintf("fontaine/ecole/device%d/q%d", n, i)), Time: t0.Add(time.Duration(from) * time.Second), Value: 1}
							}
							began := time.Now()
							if way == "each" {
								each.Lock()
								defer each.Unlock()
							}
							if err := s.Append(b.Context(), in); err != nil {
								b.Error(err)
							}
							waited.Add(int64(time.Since(began)))
						})
					}
					wg.Wait()
					from++
				}
				appends := float64(appenders) * float64(b.N)
				b.ReportMetric(10*appends/b.Elapsed().Seconds(), "rows/s")
				b.ReportMetric(float64(waited.Load())/1e6/appends, "ms/append")
			})
		}
	}
}

// plainInsert is what an ordinary program would do: rows as they come, a hundred a statement, by database/sql.
func plainInsert(s *Store, in []district.Sample) error {
	packed, err := batch.NewSamples(in)
	if err != nil {
		return err
	}
	return s.write(context.Background(), "insert", 1, func(ctx context.Context) (func(), error) {
		ids, fresh, err := s.seriesIDs(ctx, packed.Names)
		if err != nil {
			return nil, err
		}
		for part := range slices.Chunk(packed.Rows, 100) {
			args := make([]any, 0, 400)
			for _, r := range part {
				args = append(args, ids[r.Series], r.Micro, r.Value, r.Flags)
			}
			if _, err := s.conn.ExecContext(ctx, "insert or replace into samples values "+strings.Repeat("(?,?,?,?),", len(part)-1)+"(?,?,?,?)", args...); err != nil {
				return nil, err
			}
		}
		return func() { s.remember(fresh) }, nil
	})
}

// BenchmarkLiveDuringHistory is how long an append of 60 live samples takes while history is loaded in pieces of 50,000.
//
//	go test ./schemas/store/sqlite -run '^$' -bench Live
func BenchmarkLiveDuringHistory(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "quartier.db"), Options{})
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan int)
	go func() {
		n := 0
		for ctx.Err() == nil {
			if s.Append(ctx, history(50_000, -n)) == nil {
				n += 167
			}
		}
		done <- n * 300
	}()
	var slowest time.Duration
	live := history(60, 1_000_000)
	for b.Loop() {
		for i := range live {
			live[i].Time = store.Instant(live[i].Time.Add(time.Second))
		}
		began := time.Now()
		must(b, s.Append(b.Context(), live))
		slowest = max(slowest, time.Since(began))
		time.Sleep(10 * time.Millisecond)
	}
	elapsed := b.Elapsed()
	cancel()
	b.ReportMetric(float64(slowest.Milliseconds()), "ms-slowest")
	b.ReportMetric(float64(<-done)/elapsed.Seconds(), "history-rows/s")
}
