package rollup

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// memory is a keeper in memory.
type memory struct {
	samples map[district.SeriesID][]district.Sample // by time
	blocks  map[district.SeriesID]map[Level]map[int64][]byte
	list    []Noted
	last    int64
	frozen  int64
	saves   int
}

func newMemory() *memory {
	return &memory{samples: map[district.SeriesID][]district.Sample{}, blocks: map[district.SeriesID]map[Level]map[int64][]byte{}, frozen: Everything.From}
}

func (m *memory) append(samples ...district.Sample) {
	marks := Marks{}
	names := map[int64]district.SeriesID{}
	ids := map[district.SeriesID]int64{}
	for _, x := range samples {
		if _, ok := ids[x.Series]; !ok {
			ids[x.Series] = int64(len(ids) + 7)
			names[ids[x.Series]] = x.Series
		}
		list := m.samples[x.Series]
		i, same := slices.BinarySearchFunc(list, x.Time, func(a district.Sample, t time.Time) int { return a.Time.Compare(t) })
		if same {
			list[i] = x
		} else {
			list = slices.Insert(list, i, x)
		}
		m.samples[x.Series] = list
		marks.Note(ids[x.Series], Range{micro(x.Time), micro(x.Time)})
	}
	back, err := DecodeMarks(EncodeMarks(marks)) // as a store keeps them
	if err != nil {
		panic(err)
	}
	n := Noted{Span: back.Span(), Marks: map[district.SeriesID][]Range{}}
	for id, list := range back {
		n.Marks[names[id]] = list
	}
	m.note(n)
}

func (m *memory) note(n Noted) {
	m.last++
	n.ID = m.last
	m.list = append(m.list, n)
}

func (m *memory) Read(_ context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	for _, id := range series {
		for _, x := range m.samples[id] {
			if sp.Contains(x.Time) {
				if err := yield(x); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m *memory) Latest(_ context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error) {
	out := map[district.SeriesID]district.Sample{}
	for _, id := range series {
		for _, x := range m.samples[id] {
			if !x.Time.After(asOf) {
				out[id] = x
			}
		}
	}
	return out, nil
}

func (m *memory) Marked(_ context.Context, series []district.SeriesID) (map[district.SeriesID][]Range, error) {
	return Gather(m.list, series), nil
}

func (m *memory) Frozen(context.Context) (int64, error) { return m.frozen, nil }

func (m *memory) Blocks(_ context.Context, id district.SeriesID, level Level, from, to int64) (out []Block, err error) {
	for start, body := range m.blocks[id][level] {
		if start >= from && start < to {
			b := Block{Series: id, Level: level, Start: start}
			if err := Decode(&b, body); err != nil {
				b = Block{Series: id, Level: level, Start: start, Damaged: true}
			}
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b Block) int { return int((a.Start - b.Start) / hourUS) })
	return out, nil
}

func (m *memory) Noted(_ context.Context, limit int) ([]Noted, error) {
	return slices.Clone(m.list[:min(limit, len(m.list))]), nil
}

func (m *memory) Save(_ context.Context, changes []Change, done []int64, again map[district.SeriesID][]Range) error {
	m.saves++
	for _, c := range changes {
		if m.blocks[c.Series] == nil {
			m.blocks[c.Series] = map[Level]map[int64][]byte{Minutes: {}, Quarters: {}}
		}
		for start := range m.blocks[c.Series][Minutes] {
			if start >= c.From && start < c.To {
				delete(m.blocks[c.Series][Minutes], start)
			}
		}
		for _, b := range append(slices.Clone(c.Minutes), c.Quarters...) {
			if len(b.Cells) == 0 {
				delete(m.blocks[c.Series][b.Level], b.Start)
			} else {
				m.blocks[c.Series][b.Level][b.Start] = Encode(&b)
			}
		}
	}
	m.list = slices.DeleteFunc(m.list, func(n Noted) bool { return slices.Contains(done, n.ID) })
	if len(again) > 0 {
		n := Noted{Marks: again}
		first := true
		for _, list := range again {
			for _, r := range list {
				if first {
					n.Span, first = r, false
				}
				n.Span = Range{min(n.Span.From, r.From), max(n.Span.To, r.To)}
			}
		}
		m.note(n)
	}
	return nil
}

func rows(t testing.TB, src Source, id district.SeriesID, sp timegrid.Span, step Step, zone *time.Location) (out []Row) {
	t.Helper()
	if err := Read(t.Context(), src, []district.SeriesID{id}, sp, step, zone, func(r Row) error {
		out = append(out, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	power = district.SeriesID("fontaine/ecole/pv/power_kw")
	meter = district.SeriesID("fontaine/ecole/meter/import_kwh")
)

var t0 = time.Date(2026, 3, 27, 23, 0, 0, 0, time.UTC)

func paris(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// oracle computes a row second by second: what is known at the begin of each second of a slot. Samples stand on whole seconds.
func oracle(samples []district.Sample, slot timegrid.Span) (r Row, some bool) {
	var usable []district.Sample
	counter := FormOf(power) == district.Counter
	for _, x := range samples {
		counter = FormOf(x.Series) == district.Counter
		if slot.Contains(x.Time) {
			some = true
			if severity(x.Quality) > severity(r.Worst) {
				r.Worst = x.Quality
			}
			if x.Quality == district.Bad {
				r.Bad++
			} else {
				r.Samples++
			}
		}
		if x.Quality != district.Bad {
			usable = append(usable, x)
		}
	}
	had := false
	value := func(v float64) {
		r.Last = v
		if counter {
			return
		}
		if !had {
			r.Min, r.Max, had = v, v, true
		}
		r.Min, r.Max = min(r.Min, v), max(r.Max, v)
	}
	i := 0
	for t := slot.Start; t.Before(slot.End); t = t.Add(time.Second) {
		for i < len(usable) && !usable[i].Time.After(t) {
			i++
		}
		if i > 0 && usable[i-1].Time.Equal(t) {
			value(usable[i-1].Value)
		}
		if i == 0 || i == len(usable) {
			continue
		}
		a, b := usable[i-1], usable[i]
		gap := b.Time.Sub(a.Time)
		switch {
		case !counter && gap <= time.Hour:
			value(a.Value)
			r.Held += time.Second
			r.Integral += a.Value / 3600
			some = true
		case counter && b.Value >= a.Value && gap <= 31*24*time.Hour:
			if gap <= time.Hour {
				r.Held += time.Second
			}
			r.Growth += (b.Value - a.Value) / gap.Seconds()
			some = true
		}
	}
	return r, some
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(a), math.Abs(b)) }

func sameRow(a, b Row) bool {
	return a.Samples == b.Samples && a.Bad == b.Bad && a.Worst == b.Worst && a.Held == b.Held && near(a.Integral, b.Integral) && near(a.Growth, b.Growth) &&
		a.Min == b.Min && a.Max == b.Max && a.Last == b.Last
}

// TestOracle: samples written in any order, with refreshes at any time between, give what counting second by second does, at every step, and exactly what a computation from
// scratch does.
func TestOracle(t *testing.T) {
	zone := paris(t)
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 1))
		id := []district.SeriesID{power, meter}[seed%2]
		m := newMemory()
		days := 2 // across the night of 29 March
		now := t0
		for range 6 + rng.IntN(10) {
			start, every := t0.Add(time.Duration(rng.IntN(days*86400))*time.Second), []int{5, 10, 60, 300, 900, 2000, 4000}[rng.IntN(7)]
			var in []district.Sample
			reading := float64(rng.IntN(100))
			for range 1 + rng.IntN(300) {
				q := []district.Quality{district.Good, district.Good, district.Good, district.Uncertain, district.Bad, district.Substituted}[rng.IntN(6)]
				in = append(in, district.Sample{Series: id, Time: start, Value: reading, Quality: q})
				reading += float64(rng.IntN(9)-2) / 4
				start = start.Add(time.Duration(1+rng.IntN(2*every)) * time.Second)
				if start.After(t0.Add(time.Duration(days) * 24 * time.Hour)) {
					break
				}
			}
			rng.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
			m.append(in...)
			if rng.IntN(2) == 0 {
				now = now.Add(time.Duration(rng.IntN(30)) * time.Hour)
				if _, err := Refresh(t.Context(), m, now); err != nil {
					t.Fatal(err)
				}
			}
		}
		sp := timegrid.NewSpan(t0.Add(-3*time.Hour), t0.Add(time.Duration(days)*24*time.Hour+5*time.Hour))
		for _, step := range []Step{Minute, Quarter, Hour, Day, Month} {
			got, again := rows(t, m, id, sp, step, zone), rows(t, unkept{m}, id, sp, step, zone)
			if !slices.IsSortedFunc(got, func(a, b Row) int { return a.Start.Compare(b.Start) }) {
				t.Fatalf("seed %d, %v: rows out of order", seed, step)
			}
			if !slices.Equal(got, again) {
				t.Fatalf("seed %d, %v: what is kept and what is computed differ: %d and %d rows", seed, step, len(got), len(again))
			}
			k := 0
			for slot := step.Slot(sp.Start, zone); slot.Start.Before(sp.End); slot = step.Slot(slot.End, zone) {
				if slot.Start.Before(sp.Start) {
					continue
				}
				want, some := oracle(m.samples[id], slot)
				if step == Minute && want.Held == 0 && want.Samples == 0 { // minutes have no part in the growth over a gap
					want.Growth = 0
					some = want.Bad > 0
				}
				if !some {
					continue
				}
				if k == len(got) || !got[k].Start.Equal(slot.Start) {
					t.Fatalf("seed %d, %v: no row of %v", seed, step, slot.Start)
				}
				if step == Minute {
					want.Growth, got[k].Growth = 0, 0 // a part of a minute may be in a gap
				}
				if !sameRow(got[k], want) {
					t.Fatalf("seed %d, %v:\n got %+v\nwant %+v", seed, step, got[k], want)
				}
				k++
			}
			if k != len(got) {
				t.Fatalf("seed %d, %v: %d rows more than there are slots", seed, step, len(got)-k)
			}
		}
	}
}

// TestClockChange: the days of the change have 92 and 100 quarter-hours, 23 and 25 hours, none of them merged, in Paris; in Kolkata hours begin at the half.
func TestClockChange(t *testing.T) {
	kolkata, err := time.LoadLocation("Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		day             time.Time
		zone            *time.Location
		quarters, hours int
	}{
		{time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC), paris(t), 92, 23},
		{time.Date(2026, 10, 25, 12, 0, 0, 0, time.UTC), paris(t), 100, 25},
		{time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), paris(t), 96, 24},
		{time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC), kolkata, 96, 24},
	} {
		m := newMemory()
		day := timegrid.Day(tt.day, tt.zone)
		for at := day.Start.Add(-24 * time.Hour); at.Before(day.End.Add(24 * time.Hour)); at = at.Add(5 * time.Minute) {
			m.append(district.Sample{Series: power, Time: at, Value: 4}, district.Sample{Series: meter, Time: at, Value: at.Sub(day.Start).Hours() * 4})
		}
		if _, err := Refresh(t.Context(), m, day.End.Add(72*time.Hour)); err != nil {
			t.Fatal(err)
		}
		for step, n := range map[Step]int{Minute: tt.hours * 60, Quarter: tt.quarters, Hour: tt.hours, Day: 1} {
			for _, id := range []district.SeriesID{power, meter} {
				got := rows(t, m, id, day, step, tt.zone)
				if len(got) != n {
					t.Errorf("%v of %v: %d %vs, want %d", tt.zone, day.Start, len(got), step, n)
				}
				sum := 0.0
				for _, r := range got {
					sum += r.Integral + r.Growth
					if r.Coverage() != 1 || step != Day && r.End.Sub(r.Start) != day.Duration()/time.Duration(n) {
						t.Fatalf("row %+v is not whole", r)
					}
				}
				if want := day.Duration().Hours() * 4; !near(sum, want) {
					t.Errorf("%v of %v by %vs: %v kWh, want %v", id, day.Start, step, sum, want)
				}
			}
		}
	}
}

// TestRefreshOnce: blocks are written when their hour is over and not before; live samples leave one row in the list however often the refresh runs.
func TestRefreshOnce(t *testing.T) {
	m := newMemory()
	for i := range 3 * 360 {
		now := t0.Add(time.Duration(i) * 10 * time.Second)
		m.append(district.Sample{Series: power, Time: now, Value: float64(i)})
		if i%6 == 0 {
			if _, err := Refresh(t.Context(), m, now); err != nil {
				t.Fatal(err)
			}
			if len(m.list) > 1 {
				t.Fatalf("at %v %d rows in the list, want one", now, len(m.list))
			}
		}
	}
	if n := len(m.blocks[power][Minutes]); n < 2 || n > 3 {
		t.Errorf("%d blocks of minutes after three hours, want 2 or 3", n)
	}
	before := m.saves
	if _, err := Refresh(t.Context(), m, t0.Add(100*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(m.list) != 0 || m.saves == before {
		t.Errorf("%d rows are left in the list after everything is over", len(m.list))
	}
	if _, err := Refresh(t.Context(), m, t0.Add(100*time.Hour)); err != nil || m.saves != before+2 {
		t.Errorf("a refresh of nothing saved %d times, %v", m.saves-before, err)
	}
}

// TestDamage: a block that does not decode is computed again, when read and when refreshed.
func TestDamage(t *testing.T) {
	m := newMemory()
	for i := range 48 * 360 {
		m.append(district.Sample{Series: power, Time: t0.Add(time.Duration(i) * 10 * time.Second), Value: float64(i % 100)})
	}
	sp := timegrid.NewSpan(t0, t0.Add(48*time.Hour))
	if _, err := Refresh(t.Context(), m, sp.End.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := map[Step][]Row{}
	for _, step := range []Step{Minute, Quarter} {
		want[step] = rows(t, m, power, sp, step, time.UTC)
	}
	for level, blocks := range m.blocks[power] {
		for start, body := range blocks {
			body[len(body)/2] ^= 4
			m.blocks[power][level][start] = body
		}
	}
	for _, step := range []Step{Minute, Quarter} {
		if !slices.Equal(rows(t, m, power, sp, step, time.UTC), want[step]) {
			t.Errorf("%v: damage shows in the answer", step)
		}
	}
	m.append(m.samples[power][500])
	if _, err := Refresh(t.Context(), m, sp.End.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for start, body := range m.blocks[power][Quarters] {
		b := Block{Level: Quarters, Start: start}
		if err := Decode(&b, body); err != nil && start == floor(micro(m.samples[power][500].Time), dayUS) {
			t.Errorf("the block of %v is damaged after its refresh: %v", at(start), err)
		}
	}
}

// TestFrozen: where samples have gone, what was computed of them stays, whatever comes late.
func TestFrozen(t *testing.T) {
	m := newMemory()
	for i := range 48 * 12 {
		m.append(district.Sample{Series: power, Time: t0.Add(time.Duration(i) * 5 * time.Minute), Value: 3})
	}
	sp := timegrid.NewSpan(t0, t0.Add(48*time.Hour))
	if _, err := Refresh(t.Context(), m, sp.End.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	want := rows(t, m, power, sp, Quarter, time.UTC)
	cut := t0.Add(25 * time.Hour)
	m.samples[power] = slices.DeleteFunc(m.samples[power], func(x district.Sample) bool { return x.Time.Before(cut) })
	m.frozen = micro(cut.Add(time.Hour))
	m.append(district.Sample{Series: power, Time: t0.Add(time.Hour), Value: 1000}, m.samples[power][0], m.samples[power][30])
	for range 2 {
		if got := rows(t, m, power, sp, Quarter, time.UTC); !slices.Equal(got, want) {
			t.Fatalf("rollups changed where their samples have gone: %d rows, want %d", len(got), len(want))
		}
		if _, err := Refresh(t.Context(), m, sp.End.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFormOf(t *testing.T) {
	for id, want := range map[district.SeriesID]district.Form{power: district.Gauge, meter: district.Counter, "a/b/c/session_kwh": district.Gauge, "a/b/c/cold_kwh": district.Counter,
		"a/b/c/status": district.State, "a/b/c/anything": district.Gauge} {
		if got := FormOf(id); got != want {
			t.Errorf("%s is form %d, want %d", id, got, want)
		}
	}
}
