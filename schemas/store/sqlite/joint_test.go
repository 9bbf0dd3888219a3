package sqlite

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

// jointOf is a joint pack of series 33 and 47, without its checksum: what it says of series 34 is that it was in the one before.
func jointOf(us int64) []byte {
	b := beginJoint(nil, groupOf(33))
	for _, id := range []int64{33, 47} {
		b = appendJointRun(b, id, appendRun(nil, id, []batch.Row{{Micro: us, Value: float64(id), Flags: 16}, {Micro: us + 1, Value: math.Copysign(0, -1)}}))
	}
	b = append(b, 0, 34%members+1)
	return append(binary.AppendUvarint(b, 1_000_000), 0)
}

// TestJointPack: what is packed jointly comes back to the bit, and a joint pack with any bit changed, or cut anywhere, does not.
func TestJointPack(t *testing.T) {
	us := t0.UnixMicro()
	body := seal(jointOf(us))
	j, err := openJoint(body)
	if err != nil || j.group != 2 || j.earlier[2] != 1_000_000 || j.earlier[1] != 0 {
		t.Fatalf("%+v, %v", j, err)
	}
	got := map[int64][]batch.Row{}
	if err := unpack(body, func(id int64, rows []batch.Row) { got[id] = slices.Clone(rows) }); err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	for _, id := range []int64{33, 47} {
		want := []batch.Row{{Micro: us, Value: float64(id), Flags: 16}, {Micro: us + 1, Value: math.Copysign(0, -1)}}
		if !slices.Equal(got[id], want) || !math.Signbit(got[id][1].Value) {
			t.Errorf("series %d is %v, want %v", id, got[id], want)
		}
	}
	for i := range body {
		changed := slices.Clone(body)
		changed[i] ^= 1 << (i % 8)
		for _, bad := range [][]byte{body[:i], changed} {
			if _, err := openJoint(bad); !errors.Is(err, errDamaged) {
				t.Fatalf("byte %d of %d: %v", i, len(body), err)
			}
		}
	}
	if _, err := openJoint(seal(appendRun(nil, 33, got[33]))); !errors.Is(err, errDamaged) {
		t.Errorf("a pack of one series is opened as a joint one: %v", err)
	}
}

// writeJoints writes moves of ten samples a second apart of twenty series, the first of which is silent but in the first move, and one that comes and goes.
func writeJoints(t *testing.T, s *Store, moves int) (names []district.SeriesID) {
	t.Helper()
	for i := range 20 {
		names = append(names, district.SeriesID(fmt.Sprintf("fontaine/ecole/meter%02d/power_kw", i)))
	}
	for m := range moves {
		var in []district.Sample
		for i, name := range names {
			if i == 0 && m > 0 || i == 1 && m%7 != 3 {
				continue
			}
			for k := range 10 {
				in = append(in, district.Sample{Series: name, Time: store.Instant(t0.Add(time.Duration(10*m+k)*time.Second + time.Duration(i)*time.Millisecond)), Value: float64(m)})
			}
		}
		must(t, s.Append(t.Context(), in))
		moveNow(t, s)
	}
	return names
}

// TestSilentNeighbours: the newest sample of a series that has been silent while its neighbours went on is found, as of any time, and by few steps; also when the file is opened anew between.
func TestSilentNeighbours(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	s := openAt(t, path, Options{})
	names := writeJoints(t, s, 50)
	must(t, s.Close())
	s = openAt(t, path, Options{})
	next := district.Sample{Series: names[19], Time: store.Instant(t0.Add(time.Hour)), Value: 50}
	for i := range names[:5] { // what is written after the file was opened still knows of those before
		in := next
		in.Series, in.Time = names[10+i], in.Time.Add(time.Duration(i)*time.Second)
		must(t, s.Append(t.Context(), []district.Sample{in}))
		moveNow(t, s)
	}
	var packs, single int
	must(t, s.readers.QueryRowContext(t.Context(), "select (select count(*) from joint_packs), (select count(*) from packs) + (select count(*) from samples)").Scan(&packs, &single))
	if packs < 100 || single > 0 {
		t.Fatalf("%d joint packs and %d others, want two for each move", packs, single)
	}
	for _, tt := range []struct {
		series, at int // seconds
		want       float64
	}{{0, 5000, 0}, {0, 250, 0}, {0, 5, 0}, {1, 5000, 45}, {1, 449, 38}, {1, 29, -1}, {1, 35, 3}, {2, 5000, 49}, {2, 101, 10}} {
		got, err := s.Latest(t.Context(), names[tt.series:tt.series+1], t0.Add(time.Duration(tt.at)*time.Second+time.Duration(tt.series)*time.Millisecond))
		must(t, err)
		if x, ok := got[names[tt.series]]; ok != (tt.want >= 0) || ok && x.Value != tt.want {
			t.Errorf("series %d at %d s: %v, want %g", tt.series, tt.at, x, tt.want)
		}
	}
	// by two packs: the newest, which names the one that has it
	id, _, err := s.lookup(t.Context(), names[0])
	must(t, err)
	_, err = s.conn.ExecContext(t.Context(), "delete from joint_packs where until_us between ? and ?", t0.Add(time.Minute).UnixMicro(), t0.Add(61*time.Minute).UnixMicro()-30_000_000)
	must(t, err)
	if us, err := s.newestJoint(t.Context(), s.readers, id); err != nil || us != t0.Add(9*time.Second).UnixMicro() {
		t.Errorf("the newest of the silent series is at %d, %v", us, err)
	}
}

// TestDamagedJointPack: a damaged joint pack is left out of what is read, set aside once with its bytes, and told by the log and one alarm; what is around it is read, written on, looked up and aged.
func TestDamagedJointPack(t *testing.T) {
	var log logtest.Buffer
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	names := writeJoints(t, s, 10)
	id, _, err := s.lookup(t.Context(), names[0])
	must(t, err)
	must(t, s.write(t.Context(), "damage", 1, func(ctx context.Context) (func(), error) {
		_, err := s.conn.ExecContext(ctx, "update joint_packs set body=cast(substr(body, 1, 20) || zeroblob(length(body)-20) as blob) where group_id=? and until_us=(select max(until_us) from joint_packs where group_id=?1)", groupOf(id))
		return nil, err
	}))
	count := func(name district.SeriesID) (n int) {
		must(t, s.Read(t.Context(), []district.SeriesID{name}, timegrid.NewSpan(t0, t0.Add(time.Hour)), func(district.Sample) error { n++; return nil }))
		return n
	}
	for range 2 {
		if n := count(names[2]); n != 90 {
			t.Errorf("%d samples beside the damage, want 90", n)
		}
		if n := count(names[19]); n != 100 {
			t.Errorf("%d samples of another group, want 100", n)
		}
		latest, err := s.Latest(t.Context(), names, t0.Add(time.Hour))
		must(t, err)
		for i, want := range map[int]float64{0: 0, 1: 3, 2: 8, 19: 9} {
			if got := latest[names[i]].Value; got != want {
				t.Errorf("the latest of series %d is %g, want %g", i, got, want)
			}
		}
		s.background.Wait()
	}
	var kept int
	must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from damaged_packs where series_id=? and row_count>100 and length(body)>100", -1-groupOf(id)).Scan(&kept))
	events, err := s.Events(t.Context(), []store.EventKind{store.AlarmEvent}, timegrid.NewSpan(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), 10)
	must(t, err)
	if kept != 1 || len(events) != 1 || events[0].Object != "fontaine/ecole/meter00" || !strings.Contains(events[0].Detail, "and its neighbours: 1") || strings.Count(log.String(), "set aside") != 1 {
		t.Errorf("%d packs set aside, alarms %+v, log %s", kept, events, log.String())
	}
	must(t, s.Append(t.Context(), []district.Sample{{Series: names[2], Time: t0.Add(200 * time.Second), Value: 20}}))
	moveNow(t, s)
	_, err = s.age(t.Context(), t0.Add(150*time.Second), false)
	must(t, err)
	latest, err := s.Latest(t.Context(), names, t0.Add(time.Hour))
	must(t, err)
	for i, want := range map[int]float64{0: 0, 1: 3, 2: 20, 3: 8, 19: 9} {
		if got, n := latest[names[i]].Value, count(names[i]); got != want || n != 1 {
			t.Errorf("series %d has %d samples, the latest %g, want one, %g", i, n, got, want)
		}
	}
}
