package scheduler

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

// keeper keeps what was learned in memory.
type keeper struct {
	body  []byte
	build string
	fails error
	wrote int
}

func (k *keeper) Build() string { return k.build }
func (k *keeper) Open() (io.ReadCloser, error) {
	if k.body == nil {
		return nil, fs.ErrNotExist
	}
	return io.NopCloser(bytes.NewReader(k.body)), nil
}
func (k *keeper) Replace(write func(io.Writer) error) error {
	var out bytes.Buffer
	k.wrote++
	if err := errors.Join(write(&out), k.fails); err != nil {
		return err
	}
	k.body = out.Bytes()
	return nil
}

// TestLearnedIsTakenUp: what was learned is kept where that is due, after a failure an hour later, and a next process goes on with it; one of another build says so and learns from the record, one that finds no sense in it warns.
func TestLearnedIsTakenUp(t *testing.T) {
	o := overcast{newTown(t), noon.Truncate(24 * time.Hour)}
	o.d.Step = time.Hour
	cfg := o.s.cfg
	var log bytes.Buffer
	wall := noon
	k := &keeper{build: "1", fails: errors.New("the disk is full")}
	cfg.Store, cfg.Log, cfg.Learned, cfg.Wall = o, slog.New(slog.NewTextHandler(&log, nil)), k, func() time.Time { return wall }
	o.now = o.from.AddDate(0, 0, 4)
	start := func() *Scheduler {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.keepLearned(t.Context())
		return s
	}
	foreseen := func(s *Scheduler) []float64 {
		in, err := s.gather(t.Context(), s.observe(o.now))
		if err != nil {
			t.Fatal(err)
		}
		return append(in.sunKW["s"], in.loadKW["s"]...)
	}
	said := func(want ...string) {
		t.Helper()
		if got := log.String(); strings.Count(got, "level=WARN") != len(want) || len(want) > 0 && !strings.Contains(got, want[0]) {
			t.Errorf("the log says\n%swant %q", got, want)
		}
		log.Reset()
	}
	first := start()
	said("the disk is full")
	for range 2 {
		k.fails = nil
		first.keepLearned(t.Context())
		said()
		wall = wall.Add(keepAgain)
	}
	if first.keepLearned(t.Context()); k.wrote != 2 || k.body == nil {
		t.Fatalf("it was written %d times", k.wrote)
	}
	k.wrote = 0
	first.keepLearned(t.Context())
	o.now = o.now.Add(3 * time.Hour)
	next := start()
	if got, want := foreseen(next), foreseen(first); !reflect.DeepEqual(got, want) {
		t.Errorf("it is foreseen as\n%v, want\n%v", got, want)
	}
	if said(); k.wrote != 0 {
		t.Error("it is written again although nothing is due")
	}
	k.build = "2"
	start()
	if !strings.Contains(log.String(), "level=INFO") || !strings.Contains(log.String(), "another build") {
		t.Errorf("the log says\n%s", log.String())
	}
	if said(); k.wrote != 1 {
		t.Errorf("it was written %d times after everything was learned", k.wrote)
	}
	k.body = k.body[:len(k.body)/2]
	start()
	said("unexpected EOF")
}
