package sqlite

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

// moveNow moves all that is staged on.
func moveNow(t testing.TB, s *Store) {
	t.Helper()
	must(t, s.write(t.Context(), "pack", alone, s.moveAll))
}

// inTables returns how many samples are in each of the tables, as the file says.
func inTables(t *testing.T, s *Store) (staged, packs, samples int) {
	t.Helper()
	must(t, s.readers.QueryRowContext(t.Context(), `select (select coalesce(sum(row_count), 0) from staged where damaged is null),
		(select coalesce(sum(row_count), 0) from packs) + (select coalesce(sum(row_count), 0) from joint_packs), (select count(*) from samples)`).Scan(&staged, &packs, &samples))
	return staged, packs, samples
}

// TestTornMove takes a copy of the files at the end of a move and before its commit, as a power cut would leave them, with most of the move in the log: the copy has
// what was written, all of it staged, and moves it again.
func TestTornMove(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "quartier.db")
	s := openAt(t, path, Options{Outbox: true})
	const writes = 400
	for n := range writes {
		must(t, s.Append(t.Context(), killWrite(n)))
		if n == writes/2 {
			moveNow(t, s)
		}
	}
	if _, err := s.conn.ExecContext(t.Context(), "pragma cache_size=1"); err != nil { // so that changed pages go into the log before the commit
		t.Fatal(err)
	}
	torn := filepath.Join(dir, "torn.db")
	size := func() int64 {
		info, err := os.Stat(path + "-wal")
		must(t, err)
		return info.Size()
	}
	_, err := s.conn.ExecContext(t.Context(), "pragma wal_checkpoint(truncate)")
	must(t, err)
	grown := int64(0)
	must(t, s.write(t.Context(), "pack", alone, func(ctx context.Context) (func(), error) {
		moved, err := s.moveAll(ctx)
		if err != nil {
			return nil, err
		}
		grown = size()
		for _, suffix := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + suffix)
			if err != nil {
				return nil, err
			}
			if err := os.WriteFile(torn+suffix, b, 0o600); err != nil {
				return nil, err
			}
		}
		return moved, nil
	}))
	if grown == 0 {
		t.Error("nothing of the move was on the disk before its commit: the test tests nothing")
	}
	again := openAt(t, torn, Options{Outbox: true})
	for i, s := range []*Store{s, again, again} {
		if i == 2 {
			moveNow(t, s)
		}
		staged, packs, single := inTables(t, s)
		if staged+packs+single != writes*killRows || (staged > 0) != (i == 1) {
			t.Errorf("%d: %d samples staged, %d packed and %d in rows, want %d together", i, staged, packs, single, writes*killRows)
		}
		rows := of(t, s)
		for n := range writes {
			if rows[n] != killRows {
				t.Fatalf("%d: write %d has %d samples, want %d", i, n, rows[n], killRows)
			}
		}
	}
}

// TestDamagedStaged: a damaged staged row is named and left out, the ones around it are read, also after all have moved on; nothing deletes it.
func TestDamagedStaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	first := openAt(t, path, Options{})
	for n := range 3 {
		must(t, first.Append(t.Context(), killWrite(n)))
	}
	must(t, first.write(t.Context(), "damage", 1, func(ctx context.Context) (func(), error) {
		_, err := first.conn.ExecContext(ctx, "update staged set body=zeroblob(length(body)) where seq=2")
		return nil, err
	}))
	must(t, first.Close())
	var log logtest.Buffer
	s := openAt(t, path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for _, when := range []string{"staged", "moved", "opened again"} {
		switch when {
		case "moved":
			must(t, s.Append(t.Context(), killWrite(3)))
			moveNow(t, s)
		case "opened again":
			must(t, s.Append(t.Context(), killWrite(4)))
			must(t, s.Close())
			s = openAt(t, path, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
			moveNow(t, s)
		}
		rows := of(t, s)
		if rows[0] != killRows || rows[1] != 0 || rows[2] != killRows {
			t.Errorf("%s: samples of each write %v, want all but those of write 1", when, rows)
		}
		if !strings.Contains(log.String(), "seq=2") || !strings.Contains(log.String(), "damaged") {
			t.Errorf("%s: the log does not name the damaged row: %s", when, log.String())
		}
	}
	var kept int
	must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from staged where seq=2 and damaged is not null").Scan(&kept))
	if kept != 1 {
		t.Error("the damaged row is gone")
	}
}

// TestStagedForms: staged rows of both forms, as they stand in files of before and of now, are read alike, staged and moved.
func TestStagedForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	s := openAt(t, path, Options{})
	names := []district.SeriesID{pv, "fontaine/piscine/meter/power_kw", "fontaine/crèche/meter/power_kw"}
	var in []district.Sample
	for i, name := range names {
		in = append(in, district.Sample{Series: name, Time: store.Instant(t0.Add(time.Duration(i) * time.Millisecond)), Value: float64(i)})
	}
	must(t, s.Append(t.Context(), in))
	must(t, s.write(t.Context(), "stage as before", 1, func(ctx context.Context) (func(), error) {
		ids, _, err := s.seriesIDs(ctx, names)
		if err != nil {
			return nil, err
		}
		var body []byte
		for i, id := range ids {
			body = appendRun(body, id, []batch.Row{{Micro: store.Micro(t0.Add(time.Minute)), Value: float64(10 + i)}})
		}
		_, err = s.stages.insert(int64(len(ids)), seal(body))
		return nil, err
	}))
	var first [2][]byte
	for i := range first {
		must(t, s.readers.QueryRowContext(t.Context(), "select body from staged where seq=?", i+1).Scan(&first[i]))
	}
	if first[0][0] != 0 || first[1][0] == 0 {
		t.Fatalf("forms begin with %d and %d, want a mixed pack and runs", first[0][0], first[1][0])
	}
	must(t, s.Close())
	for _, when := range []string{"staged", "moved"} {
		s = openAt(t, path, Options{})
		for i, name := range names {
			var got []float64
			must(t, s.Read(t.Context(), []district.SeriesID{name}, timegrid.NewSpan(t0, t0.Add(time.Hour)), func(x district.Sample) error { got = append(got, x.Value); return nil }))
			if want := []float64{float64(i), float64(10 + i)}; !slices.Equal(got, want) {
				t.Errorf("%s: %s is %v, want %v", when, name, got, want)
			}
		}
		moveNow(t, s)
		must(t, s.Close())
	}
}

// TestDamagedPack: a damaged pack is left out of what is read, set aside once with its bytes, and told by the log and one alarm; all around it is read, corrected,
// aged and looked up as ever.
func TestDamagedPack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	var log logtest.Buffer
	s := openAt(t, path, Options{Outbox: true, Log: slog.New(slog.NewTextHandler(&log, nil))})
	const other = district.SeriesID("fontaine/piscine/meter/power_kw")
	for n := range 12 { // 480 minutes: packs of 150, 150, 150 and 30
		in := killWrite(n)
		for _, x := range slices.Clone(in) {
			x.Series = other
			in = append(in, x)
		}
		must(t, s.Append(t.Context(), in))
	}
	moveNow(t, s)
	must(t, s.write(t.Context(), "damage", 1, func(ctx context.Context) (func(), error) {
		res, err := s.conn.ExecContext(ctx, "update packs set body=cast(substr(body, 1, 20) || zeroblob(length(body)-20) as blob)"+
			" where series_id=(select id from series where name=?) and from_us=?", string(pv), t0.Add(150*time.Minute).UnixMicro())
		if err == nil {
			if n, _ := res.RowsAffected(); n != 1 {
				err = fmt.Errorf("%d packs damaged, want 1", n)
			}
		}
		return nil, err
	}))
	read := func(id district.SeriesID, from, to int) (n int, err error) {
		err = s.Read(t.Context(), []district.SeriesID{id}, timegrid.NewSpan(t0.Add(time.Duration(from)*time.Minute), t0.Add(time.Duration(to)*time.Minute)),
			func(district.Sample) error { n++; return nil })
		return n, err
	}
	for _, tt := range []struct {
		id       district.SeriesID
		from, to int
		want     int
	}{{pv, 0, 480, 330}, {pv, 0, 150, 150}, {pv, 0, 151, 150}, {pv, 200, 210, 0}, {pv, 300, 480, 180}, {other, 0, 480, 480}} {
		if n, err := read(tt.id, tt.from, tt.to); err != nil || n != tt.want {
			t.Errorf("%v: %d samples, %v", tt, n, err)
		}
	}
	for at, want := range map[int]float64{200: 3, 1000: 11} { // 149 is the last minute before the damage, of write 3
		if got, err := s.Latest(t.Context(), []district.SeriesID{pv}, t0.Add(time.Duration(at)*time.Minute)); err != nil || got[pv].Value != want {
			t.Errorf("the latest sample at %d: %v, %v; want %v", at, got, err, want)
		}
	}
	s.background.Wait()
	for range 2 { // once more makes no second alarm
		if n, err := read(pv, 0, 480); err != nil || n != 330 {
			t.Errorf("%d samples beside what was set aside, %v", n, err)
		}
	}
	s.background.Wait()
	var kept int
	must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from damaged_packs where row_count=150 and length(body)>100 and why like '%checksum%'").Scan(&kept))
	events, err := s.Events(t.Context(), []store.EventKind{store.AlarmEvent}, timegrid.NewSpan(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), 10)
	must(t, err)
	if kept != 1 || len(events) != 1 || events[0].Object != "fontaine/ecole/pv" || !strings.Contains(events[0].Detail, "150 samples from "+t0.Add(150*time.Minute).Format(time.RFC3339)) ||
		strings.Count(log.String(), "set aside") != 1 {
		t.Errorf("%d packs set aside, alarms %+v, log %s", kept, events, log.String())
	}
	waiting, err := s.Waiting(t.Context(), 1_000_000)
	must(t, err)
	var seqs []int64
	for _, w := range waiting {
		must(t, w.Damage)
		seqs = append(seqs, w.Seq)
	}
	must(t, s.Acknowledge(t.Context(), seqs))
	if _, err := s.Age(t.Context(), t0.Add(200*time.Minute)); err != nil {
		t.Fatalf("age into a damaged pack: %v", err)
	}
	if n, err := read(other, 0, 480); err != nil || n != 280 {
		t.Errorf("%d samples of the other series are left, %v; want 280", n, err)
	}
	if n, err := read(pv, 300, 480); err != nil || n != 180 {
		t.Errorf("%d samples after the damage are left, %v; want 180", n, err)
	}
	if _, err := s.Age(t.Context(), t0.Add(320*time.Minute)); err != nil {
		t.Fatalf("age beyond a damaged pack: %v", err)
	}
	if n, err := read(pv, 0, 480); err != nil || n != 160 {
		t.Errorf("%d samples are left once the damaged pack has aged, %v; want 160", n, err)
	}
}

// TestLateWrites: a history that is written from its end to its beginning costs a merge per write, and is read in order.
func TestLateWrites(t *testing.T) {
	var g staged
	const rows, writes = 1000, 20
	for n := range writes {
		in := make([]batch.Row, rows)
		for i := range in {
			in[i] = batch.Row{Series: 3, Micro: int64((writes-1-n)*rows + i), Value: float64(n)}
		}
		g.put(7, in)
	}
	g.put(7, []batch.Row{{Series: 1, Micro: 5, Value: -1}, {Series: 1, Micro: rows * writes, Value: -2}})
	got := g.between(7, 0, 1<<40)
	if len(got) != rows*writes+1 || got[5].Value != -1 || got[len(got)-1].Value != -2 {
		t.Fatalf("%d rows, %v at 5 and %v at the end", len(got), got[5], got[len(got)-1])
	}
	for i, r := range got {
		if r.Micro != int64(i) || r.Series != 0 {
			t.Fatalf("row %d is %+v", i, r)
		}
	}
}

// TestReadersDuringMoves: readers of every kind, more than there are connections for, see each write that was acknowledged while others write and all moves on, at once and
// in slices.
func TestReadersDuringMoves(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Outbox: true})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // a hang ends here
	defer cancel()
	const writes = 30
	var wg sync.WaitGroup
	done := make(chan struct{})
	var mu sync.Mutex
	acked := 0
	for range 12 {
		wg.Go(func() {
			for stop := false; !stop; {
				select {
				case <-done:
					stop = true
				default:
				}
				mu.Lock()
				least := acked
				mu.Unlock()
				n := 0
				if err := s.Read(ctx, []district.SeriesID{pv}, timegrid.NewSpan(t0, t0.Add(1e6*time.Minute)), func(district.Sample) error { n++; return nil }); err != nil || n < least*killRows {
					t.Errorf("%d samples are read, %v; %d were acknowledged before", n, err, least*killRows)
					return
				}
				last, err := s.Latest(ctx, []district.SeriesID{pv}, t0.Add(1e6*time.Minute))
				if err != nil || least > 0 && int(last[pv].Value) < least-1 {
					t.Errorf("the latest sample is of write %v, %v; write %d was acknowledged before", last[pv].Value, err, least-1)
					return
				}
				if _, err := s.Waiting(ctx, 1_000_000); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	s.sliceRows = 1
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := s.moveInSlices(ctx); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for n := range writes {
		in := killWrite(n)
		for _, also := range []district.SeriesID{"fontaine/piscine/meter/power_kw", "fontaine/crèche/meter/power_kw"} {
			for _, x := range in[:killRows] {
				x.Series = also
				in = append(in, x)
			}
		}
		if err := s.Append(ctx, in); err != nil {
			t.Error(err)
			break
		}
		mu.Lock()
		acked = n + 1
		mu.Unlock()
		if n%3 == 2 {
			moveNow(t, s)
		}
	}
	close(done)
	wg.Wait()
}
