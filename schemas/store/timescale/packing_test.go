package timescale

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// packing is a store that packs everything after every write: every read then crosses from packs to rows or reads packs alone.
type packing struct{ *Store }

func (p packing) Append(ctx context.Context, in []district.Sample) error {
	if err := p.Store.Append(ctx, in); err != nil {
		return err
	}
	return p.Pack(context.WithoutCancel(ctx), time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))
}

// TestPackedStore: the store keeps its contract when all samples are packed at once, with TimescaleDB and without.
func TestPackedStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return packing{openAt(t, storetest.Database(t))} })
}

// TestPackRoundTrip: what is packed is unpacked to the bit, by Go and by the server.
func TestPackRoundTrip(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	id := func() int32 {
		must(t, s.Append(t.Context(), seconds(0, 1)))
		ids, err := s.known(t.Context(), []district.SeriesID{pv})
		must(t, err)
		_, err = s.pool.Exec(t.Context(), "delete from sample")
		must(t, err)
		return ids[pv]
	}()
	rapid.Check(t, func(rt *rapid.T) {
		at := store.Micro(t0)
		step := rapid.SampledFrom([]int64{10_000_000, 1_000_000, 3_600_000_000, 7}).Draw(rt, "step")
		jitter := rapid.SampledFrom([]int64{0, 3000, 3_000_000, 40_000_000_000}).Draw(rt, "jitter")
		value := rapid.SampledFrom([]*rapid.Generator[float64]{
			rapid.Map(rapid.IntRange(-100_000, 100_000), func(n int) float64 { return float64(n) / 1000 }),
			rapid.Map(rapid.Float32Range(-1e9, 1e9), func(v float32) float64 { return float64(v) }),
			rapid.Float64Range(-1e300, 1e300),
			rapid.Just(math.Copysign(0, -1)),
		}).Draw(rt, "kind")
		flags := rapid.SampledFrom([]int{0, 3}).Draw(rt, "flags")
		var rows []batch.Row
		for range rapid.IntRange(1, 40).Draw(rt, "n") {
			rows = append(rows, batch.Row{Micro: at, Value: value.Draw(rt, "value"), Flags: uint8(rapid.IntRange(0, flags).Draw(rt, "flag"))<<4 | uint8(rapid.IntRange(0, flags).Draw(rt, "quality"))})
			at += step + rapid.Int64Range(0, jitter).Draw(rt, "late")
		}
		p := packRows(id, rows)
		got, err := p.rows()
		if err != nil || !slices.EqualFunc(got, rows, sameBits) {
			rt.Fatalf("got %v, %v\nwant %v", got, err, rows)
		}
		tx, err := s.pool.Begin(t.Context())
		must(t, err)
		defer tx.Rollback(t.Context())
		if _, err := tx.CopyFrom(t.Context(), []string{"pack"}, columnsOf(packColumns), &one{values: p.values()}); err != nil {
			rt.Fatal(err)
		}
		view, err := tx.Query(t.Context(), "select $1::integer, time, value, quality, 0::smallint from samples order by time", id)
		must(t, err)
		got, err = collectRows(view)
		for i := range got {
			got[i].Series, got[i].Flags = 0, got[i].Flags|rows[i].Flags&0xf0
		}
		if err != nil || !slices.EqualFunc(got, rows, sameBits) {
			rt.Fatalf("the view gives %v, %v\nwant %v", got, err, rows)
		}
	})
}

func sameBits(a, b batch.Row) bool {
	return a.Micro == b.Micro && a.Flags == b.Flags && a.Series == b.Series && math.Float64bits(a.Value) == math.Float64bits(b.Value)
}

// one is a source of one row for a copy.
type one struct {
	values []any
	done   bool
}

func (o *one) Next() bool             { o.done = !o.done; return o.done }
func (o *one) Values() ([]any, error) { return o.values, nil }
func (o *one) Err() error             { return nil }

// TestPackDamaged: a pack that does not add up is an error and no shorter answer.
func TestPackDamaged(t *testing.T) {
	rows := make([]batch.Row, 10)
	for i := range rows {
		rows[i] = batch.Row{Micro: int64(i * i), Value: float64(i) / 3, Flags: uint8(i % 2)}
	}
	for name, spoil := range map[string]func(*pack){
		"a value missing": func(p *pack) { p.Numbers = p.Numbers[1:] },
		"a flag missing":  func(p *pack) { p.Flags = p.Flags[1:] },
		"a time missing":  func(p *pack) { p.Jitter = p.Jitter[1:] },
		"another end":     func(p *pack) { p.Stop = p.Stop.Add(time.Second) },
		"no scale":        func(p *pack) { p.Digits, p.Numbers = make([]int32, 10), nil },
	} {
		p := packRows(1, rows)
		spoil(p)
		if _, err := p.rows(); err == nil {
			t.Errorf("%s: it was unpacked", name)
		}
	}
}

// TestLateIntoPacked: late and corrected samples of a packed day are read at once, by the store and by the view, with no instant twice; the next packing puts them in their
// day, and the emptied chunks are gone.
func TestLateIntoPacked(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	other := district.SeriesID("fontaine/ecole/pv/import_kwh")
	var in []district.Sample
	for i := range 3 * 1440 {
		at := t0.Add(time.Duration(i) * time.Minute)
		in = append(in, district.Sample{Series: pv, Time: at, Value: float64(i)}, district.Sample{Series: other, Time: at, Value: float64(i) / 10})
	}
	must(t, s.Append(t.Context(), in))
	must(t, s.Pack(t.Context(), t0.Add(49*time.Hour)))
	counts := func(wantRows, wantPacks, wantView int) {
		t.Helper()
		var rows, packs, view, distinct int
		must(t, s.pool.QueryRow(t.Context(), "select (select count(*) from sample), (select count(*) from pack), (select count(*) from samples), (select count(*) from (select distinct series, time from samples))").
			Scan(&rows, &packs, &view, &distinct))
		if rows != wantRows || packs != wantPacks || view != wantView || distinct != view {
			t.Errorf("%d rows, %d packs, %d samples of %d instants in the view; want %d, %d, %d", rows, packs, view, distinct, wantRows, wantPacks, wantView)
		}
	}
	// the first day begins an hour before midnight UTC, the third is not over
	const left = 2 * (3*1440 - 60 - 2*1440)
	counts(left, 6, len(in))
	late := []district.Sample{{Series: pv, Time: t0.Add(5*time.Hour + time.Second), Value: -1}, {Series: pv, Time: t0.Add(6 * time.Hour), Value: -2}}
	must(t, s.Append(t.Context(), late))
	counts(left+1440+1, 5, len(in)+1)
	must(t, s.Append(t.Context(), in[:2*1440])) // the outbox sends a day again: its word is newer
	for range 2 {
		got := map[time.Time]float64{}
		last := time.Time{}
		must(t, s.Read(t.Context(), []district.SeriesID{pv}, timegrid.NewSpan(t0, t0.Add(72*time.Hour)), func(x district.Sample) error {
			if !x.Time.After(last) {
				return errors.New("out of order")
			}
			got[x.Time], last = x.Value, x.Time
			return nil
		}))
		if len(got) != 3*1440+1 || got[late[0].Time] != -1 || got[late[1].Time] != 360 {
			t.Errorf("%d samples, the late ones %v and %v; want %d, -1 and 360", len(got), got[late[0].Time], got[late[1].Time], 3*1440+1)
		}
		latest, err := s.Latest(t.Context(), []district.SeriesID{pv, other}, t0.Add(30*time.Hour+30*time.Second))
		must(t, err)
		if latest[pv].Value != 1800 || latest[other].Value != 180 {
			t.Errorf("latest in a packed day: %v", latest)
		}
		must(t, s.Pack(t.Context(), t0.Add(49*time.Hour)))
		counts(left, 6, len(in)+1)
	}
	must(t, s.Pack(t.Context(), t0.Add(100*24*time.Hour)))
	var chunks, n int
	must(t, s.pool.QueryRow(t.Context(), "select count(*) from show_chunks('sample')").Scan(&chunks))
	must(t, s.pool.QueryRow(t.Context(), "select count(*) from samples_of($1, $2, $3)", string(pv), t0.Add(time.Hour), t0.Add(26*time.Hour)).Scan(&n))
	if chunks != 0 || n != 25*60+1 {
		t.Errorf("%d chunks are left when all is packed, samples_of gives %d of 25 hours; want 0, %d", chunks, n, 25*60+1)
	}
}

// TestPackWhileWriting: samples that are written, late and again, while days are packed are all there once, with their newest value.
func TestPackWhileWriting(t *testing.T) {
	url := storetest.Database(t)
	s, packer := openAt(t, url), openAt(t, url)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			// and is ended in the middle now and then
			some, end := context.WithTimeout(ctx, time.Duration(5+20*(i%4))*time.Millisecond)
			if err := packer.Pack(some, t0.Add(240*time.Hour)); err != nil && some.Err() == nil {
				t.Errorf("pack: %v", err)
			}
			end()
		}
	})
	const writers, rounds = 3, 25
	want := make([]map[int]float64, writers)
	var writing sync.WaitGroup
	for w := range writers {
		want[w] = map[int]float64{}
		writing.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(w), 3))
			id := district.SeriesID(fmt.Sprintf("fontaine/s%d/meter/power_kw", w))
			for round := range rounds {
				var in []district.Sample
				from, every := rng.IntN(72*60), 1+rng.IntN(30)
				for i := range 50 {
					at := from + i*every
					in = append(in, district.Sample{Series: id, Time: t0.Add(time.Duration(at) * time.Minute), Value: float64(round*1000 + i)})
					want[w][at] = float64(round*1000 + i)
				}
				if err := s.Append(t.Context(), in); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	writing.Wait()
	cancel()
	wg.Wait()
	for range 2 {
		for w := range writers {
			id := district.SeriesID(fmt.Sprintf("fontaine/s%d/meter/power_kw", w))
			n := 0
			must(t, s.Read(t.Context(), []district.SeriesID{id}, timegrid.NewSpan(t0, t0.Add(1000*time.Hour)), func(x district.Sample) error {
				n++
				if v, ok := want[w][int(x.Time.Sub(t0).Minutes())]; !ok || v != x.Value {
					return fmt.Errorf("%s at %v is %v, want %v", id, x.Time, x.Value, v)
				}
				return nil
			}))
			if n != len(want[w]) {
				t.Errorf("%s has %d samples, want %d", id, n, len(want[w]))
			}
		}
		var twice int
		must(t, s.pool.QueryRow(t.Context(), "select count(*)-count(distinct (series, time)) from samples").Scan(&twice))
		if twice != 0 {
			t.Errorf("%d samples are there twice", twice)
		}
		must(t, s.Pack(t.Context(), t0.Add(2000*time.Hour)))
	}
}
