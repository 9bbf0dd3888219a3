package timescale

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// measured is a day of a series as a meter gives it: every period with the jitter of a poller, a power with two decimals, a counter with three, or the 24 bits of a float register.
func measured(kind int, day time.Time, every time.Duration, rng *rand.Rand) []batch.Row {
	out := make([]batch.Row, 0, int(24*time.Hour/every))
	level := 5 * rng.Float64()
	for at := time.Duration(0); at < 24*time.Hour-50*time.Millisecond; at += every {
		v := level*math.Sin(at.Hours()/24*math.Pi) + rng.NormFloat64()/5
		switch kind % 3 {
		case 0:
			v = math.Round(v*100) / 100
		case 1:
			v = math.Round((float64(day.Unix())/1e5+at.Hours()*level)*1000) / 1000
		case 2:
			v = float64(float32(v))
		}
		us := store.Micro(day.Add(at)) + rng.Int64N(20_000)
		out = append(out, batch.Row{Micro: us, Value: v})
	}
	return out
}

// memorySamples gives one series to the computation of rollups.
type memorySamples struct {
	keeper
	id   district.SeriesID
	rows []batch.Row
}

func (m *memorySamples) Read(_ context.Context, _ []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	from, to := store.Micro(sp.Start), store.Micro(sp.End)
	for _, r := range m.rows {
		if r.Micro >= from && r.Micro < to {
			if err := yield(district.Sample{Series: m.id, Time: store.FromMicro(r.Micro), Value: r.Value}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *memorySamples) Latest(context.Context, []district.SeriesID, time.Time) (map[district.SeriesID]district.Sample, error) {
	return nil, nil
}

// fillStored puts a month of many series every 5 minutes into the record, in the state in which packing and refreshing leave it.
func fillStored(b *testing.B, s *Store, series int, month timegrid.Span) {
	rng := rand.New(rand.NewPCG(1, 1))
	var packs [][]any
	for n := range series {
		id := name(n)
		ids, err := idsOf(b.Context(), s, []district.Sample{{Series: id}})
		must(b, err)
		m := &memorySamples{keeper: keeper{s}, id: id}
		for day := month.Start; day.Before(month.End); day = day.Add(24 * time.Hour) {
			rows := measured(n, day, 5*time.Minute, rng)
			packs = append(packs, packRows(ids[id], rows).values())
			m.rows = append(m.rows, rows...)
		}
		marks := map[district.SeriesID][]rollup.Range{id: {{From: m.rows[0].Micro, To: m.rows[len(m.rows)-1].Micro}}}
		must(b, m.Save(b.Context(), nil, nil, marks))
		_, err = rollup.Refresh(b.Context(), m, month.End.Add(48*time.Hour))
		must(b, err)
		if len(packs) > 1000 || n == series-1 {
			_, err = s.pool.CopyFrom(b.Context(), pgx.Identifier{"pack"}, columnsOf(packColumns), pgx.CopyFromRows(packs))
			must(b, err)
			packs = packs[:0]
		}
	}
	_, err := s.pool.Exec(b.Context(), "update record_state set packed_to=$1", month.End)
	must(b, err)
	for _, table := range []string{"pack", "rollups", "dirty"} {
		_, err = s.pool.Exec(b.Context(), "vacuum analyze "+table)
		must(b, err)
	}
}

func name(n int) district.SeriesID {
	return district.SeriesID(fmt.Sprintf("fontaine/site%03d/device%02d/%s", n/30, n%30/3, []string{"power_kw", "import_kwh", "supply_c"}[n%3]))
}

// BenchmarkStored is how long a month of quarter-hours of one series among many takes, another series each time: from rollups, from packed samples, and by the view samples in SQL, with
// QUARTIER_BENCH_SERIES (1,000, or a third and a tenth of it) series of 8,928 samples each.
//
//	QUARTIER_BENCH_SERIES=10000 go test ./schemas/store/timescale -run '^$' -bench Stored
func BenchmarkStored(b *testing.B) {
	most := 1000
	if text := os.Getenv("QUARTIER_BENCH_SERIES"); text != "" {
		var err error
		most, err = strconv.Atoi(text)
		must(b, err)
	}
	month := timegrid.NewSpan(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
	for _, series := range []int{most / 10, most / 3, most} {
		s := openAt(b, storetest.Database(b))
		fillStored(b, s, series, month)
		samples := float64(series) * 31 * 288
		var packed, rolled int64
		must(b, s.pool.QueryRow(b.Context(), "select pg_total_relation_size('pack'), pg_total_relation_size('rollups')").Scan(&packed, &rolled))
		for _, way := range []string{"rollups", "samples", "sql"} {
			b.Run(fmt.Sprintf("samples=%.1fM/way=%s", samples/1e6, way), func(b *testing.B) {
				rng := rand.New(rand.NewPCG(7, 7))
				for b.Loop() {
					id, n := name(rng.IntN(series)), 0
					one := []district.SeriesID{id}
					count := func(rollup.Row) error { n++; return nil }
					switch way {
					case "rollups":
						must(b, s.Rollup(b.Context(), one, month, rollup.Quarter, time.UTC, count))
					case "samples":
						must(b, rollup.Compute(b.Context(), s, one, month, rollup.Quarter, time.UTC, count))
					case "sql":
						must(b, s.pool.QueryRow(b.Context(), `select count(*) from (select date_bin('15 minutes', time, '2026-01-01'), avg(value) from samples where series=$1
							and time>=$2 and time<$3 group by 1) x`, string(id), month.Start, month.End).Scan(&n))
					}
					if n != 31*96 {
						b.Fatalf("%d quarter-hours of %s", n, id)
					}
				}
				b.ReportMetric(float64(packed)/samples, "bytes/sample")
				b.ReportMetric(float64(rolled)/samples, "rollup-bytes/sample")
			})
		}
	}
}

// BenchmarkPack is how many samples are packed a second, and the bytes that one takes before and after: series read every 10 seconds for a day.
//
//	go test ./schemas/store/timescale -run '^$' -bench 'Pack$' -benchtime 1x
func BenchmarkPack(b *testing.B) {
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var rows, packs, samples int64
	for b.Loop() {
		b.StopTimer()
		s := openAt(b, storetest.Database(b))
		rng := rand.New(rand.NewPCG(1, 1))
		samples = 0
		for n := range 30 {
			var in []district.Sample
			for _, r := range measured(n, day, 10*time.Second, rng) {
				in = append(in, district.Sample{Series: name(n), Time: store.FromMicro(r.Micro), Value: r.Value})
			}
			must(b, s.Append(b.Context(), in))
			samples += int64(len(in))
		}
		must(b, s.pool.QueryRow(b.Context(), "select hypertable_size('sample')").Scan(&rows))
		b.StartTimer()
		must(b, s.Pack(b.Context(), day.Add(72*time.Hour)))
		b.StopTimer()
		must(b, s.pool.QueryRow(b.Context(), "select pg_total_relation_size('pack')").Scan(&packs))
		b.StartTimer()
	}
	b.ReportMetric(float64(samples)*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
	b.ReportMetric(float64(rows)/float64(samples), "bytes/sample-before")
	b.ReportMetric(float64(packs)/float64(samples), "bytes/sample")
}
