package scheduler

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
)

// TestDamagedLearning: a file of what was learned of which bytes are damaged, missing or somebody else's is told and learned anew from the record, as if there were none; it never changes what is foreseen, and never ends a
// process. What was learned then is kept in its place.
func TestDamagedLearning(t *testing.T) {
	o := overcast{newTown(t), noon.Truncate(24 * time.Hour)}
	o.d.Step = time.Hour
	cfg := o.s.cfg
	var log bytes.Buffer
	k := &keeper{build: "1"}
	cfg.Store, cfg.Log, cfg.Learned = o, slog.New(slog.NewTextHandler(&log, nil)), k
	o.now = o.from.AddDate(0, 0, 4)
	foreseen := func() []float64 {
		t.Helper()
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.keepLearned(t.Context())
		in, err := s.gather(t.Context(), s.observe(o.now))
		if err != nil {
			t.Fatal(err)
		}
		return append(in.sunKW["s"], in.loadKW["s"]...)
	}
	want := foreseen()
	whole := k.body
	if len(whole) < 100 || log.Len() > 0 {
		t.Fatalf("%d bytes are kept; the log says %s", len(whole), log.String())
	}
	r := rand.New(rand.NewPCG(1, 2))
	damage := map[string]func() []byte{
		"nothing":          func() []byte { return []byte{} },
		"another's":        func() []byte { return []byte("PK\x03\x04 an archive of somebody else") },
		"zeros":            func() []byte { return make([]byte, len(whole)) },
		"twice":            func() []byte { return slices.Concat(whole, whole) },
		"the end is zeros": func() []byte { return slices.Concat(whole[:len(whole)/2], make([]byte, len(whole)-len(whole)/2)) },
	}
	bit, cut := func() []byte {
		b := slices.Clone(whole)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		return b
	}, func() []byte { return whole[:r.IntN(len(whole))] }
	for i := range 30 {
		damage["a bit "+string(rune('A'+i))], damage["torn "+string(rune('A'+i))] = bit, cut
	}
	for name, spoil := range damage {
		k.body, k.wrote = spoil(), 0
		body := k.body
		log.Reset()
		if got := foreseen(); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: it is foreseen as\n%v, want\n%v", name, got, want)
		}
		if told := strings.Count(log.String(), "level=WARN"); told == 0 && name != "twice" && !bytes.Equal(body, whole) && k.wrote > 0 {
			t.Errorf("%s: nothing is told of %d bytes", name, len(body))
		} else if told > 0 && (k.wrote != 1 || !bytes.Equal(k.body, whole)) {
			t.Errorf("%s: it was written %d times, %d bytes, want %d", name, k.wrote, len(k.body), len(whole))
		}
	}
}

// refusing is a record that takes no errors of forecasts.
type refusing struct {
	overcast
	fails *error
}

func (r refusing) SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error {
	if *r.fails != nil {
		return *r.fails
	}
	return r.overcast.SaveForecastErrors(ctx, rows)
}

// TestErrorsAreRecordedBeforeWhatWasLearned: how wrong forecasts were is in the record before what was learned is kept, since a process that takes that up does not find it out again.
func TestErrorsAreRecordedBeforeWhatWasLearned(t *testing.T) {
	o := overcast{newTown(t), noon.Truncate(24 * time.Hour)}
	o.d.Step = time.Hour
	fails := errors.New("the disk is full")
	cfg := o.s.cfg
	k := &keeper{build: "1"}
	cfg.Store, cfg.Learned = refusing{o, &fails}, k
	o.now = o.from.AddDate(0, 0, 4)
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Learn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.keepLearned(t.Context()); k.wrote != 0 {
		t.Error("what was learned is kept though the record has not taken how wrong forecasts were")
	}
	fails = nil
	if s.keepLearned(t.Context()); k.wrote != 1 || len(o.errors) == 0 || len(o.errors) != len(s.ForecastErrors()) {
		t.Errorf("it is kept %d times, and the record has %d of %d errors", k.wrote, len(o.errors), len(s.ForecastErrors()))
	}
}
