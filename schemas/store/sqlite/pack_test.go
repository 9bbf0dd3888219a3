package sqlite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

// TestPack: what is packed comes back to the bit, and a pack with any bit changed, or cut anywhere, does not.
func TestPack(t *testing.T) {
	in := map[int64][]batch.Row{
		1:             {{Micro: -5, Value: math.Copysign(0, -1), Flags: 3}, {Micro: 1_790_000_000_000_000, Value: math.MaxFloat64, Flags: 0x42}},
		7:             {{Micro: math.MinInt64 / 4, Value: math.SmallestNonzeroFloat64}},
		math.MaxInt64: nil,
	}
	for i := range 1000 {
		in[math.MaxInt64] = append(in[math.MaxInt64], batch.Row{Micro: int64(i) * 1_000_000, Value: float64(i) / 7, Flags: uint8(i / 100)})
	}
	var body []byte
	for _, id := range []int64{1, 7, math.MaxInt64} {
		body = appendRun(body, id, in[id])
	}
	body = seal(body)
	out := map[int64][]batch.Row{}
	if err := unpack(body, func(id int64, rows []batch.Row) { out[id] = slices.Clone(rows) }); err != nil {
		t.Fatal(err)
	}
	for id, rows := range in {
		if !slices.Equal(out[id], rows) {
			t.Errorf("series %d came back as %d other samples than the %d that were packed", id, len(out[id]), len(rows))
		}
	}
	never := func(id int64, rows []batch.Row) {
		t.Errorf("a damaged pack yields %d samples of series %d", len(rows), id)
	}
	for i := range body {
		if err := unpack(body[:i], never); !errors.Is(err, errDamaged) {
			t.Fatalf("cut at %d of %d bytes: %v", i, len(body), err)
		}
		changed := slices.Clone(body)
		changed[i] ^= 1 << (i % 8)
		if err := unpack(changed, never); !errors.Is(err, errDamaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
}

// TestMixedPack: the same of samples of many series.
func TestMixedPack(t *testing.T) {
	ids := []int64{9, 1, math.MaxInt64, 4}
	rows := []batch.Row{{Series: 0, Micro: 1_790_000_000_000_000, Value: 1015, Flags: 16}, {Series: 1, Micro: 1_790_000_000_000_250, Value: math.Copysign(0, -1), Flags: 3},
		{Series: 1, Micro: 1_790_000_000_000_251, Value: math.MaxFloat64}, {Series: 2, Micro: math.MinInt64 / 4, Value: math.SmallestNonzeroFloat64, Flags: 255}, {Series: 3}}
	body := seal(appendMixed(nil, ids, rows))
	var out []batch.Row
	if err := unpack(body, func(id int64, got []batch.Row) {
		for _, r := range got {
			r.Series = int32(slices.Index(ids, id))
			out = append(out, r)
		}
	}); err != nil || !slices.Equal(out, rows) {
		t.Fatalf("%v came back as %v, %v", rows, out, err)
	}
	never := func(int64, []batch.Row) { t.Error("a damaged pack yields samples") }
	for i := range body {
		changed := slices.Clone(body)
		changed[i] ^= 1 << (i % 8)
		for _, bad := range [][]byte{body[:i], changed} {
			if err := unpack(bad, never); !errors.Is(err, errDamaged) {
				t.Fatalf("byte %d of %d: %v", i, len(body), err)
			}
		}
	}
	if err := unpack(seal(nil), never); err != nil {
		t.Errorf("an empty pack: %v", err)
	}
}

// FuzzUnpack: no bytes make it panic or ask for memory beyond their length, also with a checksum that is right.
func FuzzUnpack(f *testing.F) {
	f.Add(appendRun(nil, 3, []batch.Row{{Micro: 1, Value: 2.5, Flags: 16}, {Micro: 9, Value: 2.5}}))
	f.Add(appendMixed(nil, []int64{3, 4}, []batch.Row{{Micro: 1, Value: 2.5, Flags: 16}, {Series: 1, Micro: 9, Value: 2.5}}))
	f.Add([]byte{1, 255, 255, 255, 255, 15})
	f.Add(jointOf(t0.UnixMicro()))
	f.Fuzz(func(t *testing.T, body []byte) {
		n := 0
		if err := unpack(seal(slices.Clone(body)), func(_ int64, rows []batch.Row) { n += len(rows) }); err != nil && !errors.Is(err, errDamaged) {
			t.Error(err)
		}
		if n > len(body)/3 {
			t.Errorf("%d samples of %d bytes", n, len(body))
		}
	})
}

// TestMoves writes samples at random, often again at a time that was written, moves them on and ages them in between, opens the file anew and looks through a second
// store on the same file: each always answers what was written last. There are few series or many, each with packs of its own or with its neighbours in joint ones.
func TestMoves(t *testing.T) {
	for _, series := range []int{3, 40} {
		t.Run(fmt.Sprint(series), func(t *testing.T) { testMoves(t, series) })
	}
}

func testMoves(t *testing.T, series int) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	s := openAt(t, path, Options{})
	other := openAt(t, path, Options{})
	s.sliceRows = 1
	rng := rand.New(rand.NewPCG(1, 2))
	var names []district.SeriesID
	want := map[district.SeriesID]map[int64]district.Sample{}
	for i := range series {
		n := district.SeriesID(fmt.Sprintf("fontaine/ecole/pv%02d/power_kw", i))
		names = append(names, n)
		want[n] = map[int64]district.Sample{}
	}
	front, joint := 0, 0
	check := func(turn int, s *Store) {
		t.Helper()
		from, to := t0.Add(time.Duration(rng.IntN(front+1))*time.Second), t0.Add(time.Duration(front+10)*time.Second)
		if turn%3 == 0 {
			from = t0.Add(-time.Hour)
		}
		asOf := t0.Add(time.Duration(rng.IntN(front+20)-5) * time.Second)
		latest, err := s.Latest(t.Context(), names, asOf)
		must(t, err)
		for _, name := range names {
			var expect, got []district.Sample
			var last district.Sample
			for _, x := range want[name] {
				if !x.Time.Before(from) && x.Time.Before(to) {
					expect = append(expect, x)
				}
				if !x.Time.After(asOf) && (last.Series == "" || x.Time.After(last.Time)) {
					last = x
				}
			}
			slices.SortFunc(expect, func(a, b district.Sample) int { return a.Time.Compare(b.Time) })
			must(t, s.Read(t.Context(), []district.SeriesID{name}, timegrid.Span{Start: from, End: to}, func(x district.Sample) error {
				got = append(got, x)
				return nil
			}))
			if !slices.Equal(got, expect) {
				t.Fatalf("turn %d: %s has %d samples, want %d, or others", turn, name, len(got), len(expect))
			}
			if latest[name] != last {
				t.Fatalf("turn %d: the latest of %s at %v is %v, want %v", turn, name, asOf, latest[name], last)
			}
		}
	}
	for turn := range 150 {
		var in []district.Sample
		name := names[rng.IntN(len(names))]
		n := rng.IntN(40)
		if turn == 130 { // late, since each look from there on costs as much as all before
			n = directRows + 1
		}
		for range n {
			at := front
			if rng.IntN(5) == 0 {
				at = rng.IntN(front + 1)
			} else {
				front++
			}
			if series > 3 && rng.IntN(3) > 0 && n <= directRows { // one series or several, some of them seldom
				name = names[rng.IntN(rng.IntN(len(names))+1)]
			}
			in = append(in, district.Sample{Series: name, Time: store.Instant(t0.Add(time.Duration(at) * time.Second)), Value: float64(rng.IntN(1000)), Source: district.FromDevice})
		}
		s.jointRows = []int{0, 3, jointRows}[rng.IntN(3)]
		by := s
		if rng.IntN(8) == 0 {
			by = other
		}
		must(t, by.Append(t.Context(), in))
		for _, x := range in {
			want[x.Series][x.Time.UnixMicro()] = x
		}
		switch rng.IntN(12) {
		case 0:
			moveNow(t, s)
		case 1:
			must(t, s.moveInSlices(t.Context()))
		case 2: // the first slice alone, and the rest another time or never
			m, err := s.beginMove(t.Context(), s.readers)
			must(t, err)
			if m != nil {
				must(t, s.write(t.Context(), "pack", alone, func(ctx context.Context) (func(), error) { return nil, s.pack(ctx, m, m.lines[:1]) }))
			}
		}
		if rng.IntN(20) == 0 {
			must(t, s.write(t.Context(), "unpack", alone, func(ctx context.Context) (func(), error) {
				id, ok, err := s.lookup(ctx, name)
				if err != nil || !ok {
					return nil, err
				}
				return nil, s.unpackBefore(ctx, id, store.Micro(t0.Add(time.Duration(front/2)*time.Second)))
			}))
		}
		if rng.IntN(25) == 0 {
			cutoff := t0.Add(time.Duration(rng.IntN(front/3+1)) * time.Second)
			_, err := s.age(t.Context(), cutoff, false)
			must(t, err)
			for _, of := range want {
				newest := int64(math.MinInt64)
				for us := range of {
					newest = max(newest, us)
				}
				maps.DeleteFunc(of, func(us int64, _ district.Sample) bool { return us < newest && us < store.Micro(cutoff) })
			}
		}
		if turn%7 == 0 {
			check(turn, s)
			check(turn, other)
			var n int
			must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from joint_packs").Scan(&n))
			joint = max(joint, n)
		}
	}
	if joint < 3 {
		t.Errorf("%d joint packs at most: the test tests nothing of them", joint)
	}
}
