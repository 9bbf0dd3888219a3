package command

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// shelf is a device in memory whose reads and writes can fail, and that keeps what its registers resolve.
type shelf struct {
	values      map[string]float64
	resolution  float64 // 0: any value
	quality     district.Quality
	read, write error
	qualities   []district.Quality // of the next writes; then quality
	rejects     string             // a point that it does not have
	writes      []string
	reads       int
	from        map[string]float64 // what stands elsewhere, by the name that is asked for
}

func (s *shelf) WritePoint(_ context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	s.writes = append(s.writes, fmt.Sprintf("%s %g", pt.Name, v))
	if s.write != nil {
		return drivers.Reading{}, s.write
	}
	quality := s.quality
	if len(s.qualities) > 0 {
		quality, s.qualities = s.qualities[0], s.qualities[1:]
	}
	if s.resolution > 0 {
		v = math.Round(v/s.resolution) * s.resolution
	}
	s.values[pt.Name] = v
	return drivers.Reading{Point: pt.Name, Value: v, Quality: quality, Time: time.Now()}, nil
}

func (s *shelf) ReadPoints(_ context.Context, points []*profile.Point) (map[string]float64, error) {
	s.reads++
	out := map[string]float64{}
	if s.read != nil {
		return nil, s.read
	}
	var err error
	for _, pt := range points {
		if pt.Name == s.rejects {
			err = drivers.ErrRejected
			continue
		}
		out[pt.Name] = s.values[pt.Name]
	}
	return out, err
}

func (s *shelf) ReadBack(_ context.Context, pt *profile.Point, name string, _, tolerance float64) (drivers.Reading, error) {
	return drivers.Reading{Point: name, Value: s.from[pt.Name], Quality: district.Good}, nil
}

// notes is a memory that counts and can fail.
type notes struct {
	all                       map[string]Before
	recalled, kept, forgotten int
	recall, keep, forget      error
}

func (n *notes) Recall(device string) (Before, bool, error) {
	n.recalled++
	b, ok := n.all[device]
	return b, ok, n.recall
}

func (n *notes) Keep(device string, b Before) error {
	if n.keep == nil {
		n.kept++
		n.all[device] = Before{Points: maps.Clone(b.Points), Ours: slices.Clone(b.Ours)}
	}
	return n.keep
}

func (n *notes) Forget(device string) error {
	if n.forget == nil {
		n.forgotten++
		delete(n.all, device)
	}
	return n.forget
}

// bench is a commander of a profile over a shelf.
type bench struct {
	*Commander
	dev *shelf
	mem *notes
	set Settings
}

func newBench(t *testing.T, name string, values map[string]float64, change ...func(*Settings)) *bench {
	t.Helper()
	p := profile.MustLoad(name)
	ctl, ok := p.ControlFor(district.Device{})
	if !ok {
		t.Fatalf("%s has no control", name)
	}
	b := &bench{dev: &shelf{values: values, quality: district.Good}, mem: &notes{all: map[string]Before{}}}
	b.set = Settings{Device: "x", Profile: p, Control: ctl, Port: b.dev, Memory: b.mem}
	for _, c := range change {
		c(&b.set)
	}
	b.Commander = New(b.set)
	return b
}

// again is the run after a crash.
func (b *bench) again() { b.Commander = New(b.set) }

func (b *bench) send(t *testing.T, v float64) {
	t.Helper()
	if _, err := b.Send(t.Context(), v); err != nil {
		t.Fatalf("%g: %v", v, err)
	}
}

const (
	inverter = "sunspec-inverter" // given back as it was before, reverts after 900 s
	charger  = "alfen-eve"        // given back by 6 A, reverts after 60 s
	storage  = "sunspec-storage"  // given back by a sequence of its own
)

func limit(share, enabled float64) map[string]float64 {
	return map[string]float64{"limit_share": share, "limit_enable": enabled, "limit_reversion": 0}
}

// TestRange: what a single device takes is within the type's range and its own, or the pause, or its safe value; of anything else nothing is sent, nor looked at.
func TestRange(t *testing.T) {
	for v, want := range map[float64]bool{8: true, 16: true, 20: true, 0: true, 6: true, 7.9: false, 7: false, 20.1: false, 3: false, -1: false, 33: false, math.Inf(1): false} {
		b := newBench(t, charger, map[string]float64{}, func(s *Settings) { s.Control.Min, s.Control.Max = 8, 20 })
		_, err := b.Send(t.Context(), v)
		var limit *drivers.LimitError
		if (err == nil) != want {
			t.Errorf("%g A: %v, want allowed %v", v, err, want)
		}
		if err != nil && (!errors.As(err, &limit) || limit.Value != v || limit.Min != 8 || limit.Max != 20 || limit.Point != "limit_a" || !errors.Is(err, drivers.ErrNotWritten) || len(b.dev.writes)+b.dev.reads > 0) {
			t.Errorf("%g A: %#v, %v written", v, err, b.dev.writes)
		}
	}
	b := newBench(t, charger, map[string]float64{}, func(s *Settings) { s.Control.Max = 50 })
	if _, err := b.Send(t.Context(), 40); !errors.Is(err, drivers.ErrNotWritten) || len(b.dev.writes) > 0 {
		t.Errorf("beyond the type's range: %v, %v written", err, b.dev.writes)
	}
	sun := newBench(t, inverter, limit(1, 0), func(s *Settings) { s.Control.Max = 2 }) // which has no pause
	for _, v := range []float64{1.5, 3} {
		if _, err := sun.Send(t.Context(), v); err == nil || len(sun.dev.writes)+sun.dev.reads+sun.mem.kept > 0 {
			t.Errorf("a share of %g: %v, %v written, kept %d times", v, err, sun.dev.writes, sun.mem.kept)
		}
	}
	if _, err := b.Send(t.Context(), math.NaN()); err == nil || len(b.dev.writes) > 0 {
		t.Errorf("no number: %v, %v written", err, b.dev.writes)
	}
}

// TestReadingOfACommand: a command's reading is what the registers resolve, as good as the worst of them and as late as the last; an error names the write and the limit of the point.
func TestReadingOfACommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inverter, limit(1, 0))
		b.dev.resolution, b.dev.quality = 0.01, district.Uncertain
		time.Sleep(time.Hour)
		r, err := b.Send(t.Context(), 0.4567)
		if err != nil || math.Abs(r.Value-0.46) > 1e-9 || r.Quality != district.Uncertain || !r.Time.Equal(time.Now()) || r.Point != "limit_share" {
			t.Errorf("%+v, %v; want 0.46, uncertain, now", r, err)
		}
		b.dev.qualities = []district.Quality{district.Uncertain, district.Good, district.Good}
		if r, err := b.Send(t.Context(), 0.4); err != nil || r.Quality != district.Uncertain {
			t.Errorf("%+v, %v; want it as good as the worst", r, err)
		}
		b.dev.quality = district.Good
		if r, err := b.Send(t.Context(), 0.3); err != nil || r.Quality != district.Good {
			t.Errorf("%+v, %v; want it good", r, err)
		}
		b.dev.write = &drivers.LimitError{Point: "limit_reversion", Value: 900}
		_, err = b.Send(t.Context(), 0.2)
		if le, ok := errors.AsType[*drivers.LimitError](err); !ok || le.Point != "limit_share, limit_reversion" || !strings.HasPrefix(err.Error(), "step 1 of 3, limit_reversion 900: ") || errors.Is(err, drivers.ErrNotWritten) {
			t.Errorf("%v, want the command and the point", err)
		}
		elsewhere := newBench(t, "abb-terra-ac", map[string]float64{})
		rb := elsewhere.set.Profile.Control.ReadBack
		elsewhere.dev.from = map[string]float64{rb.Point: 9}
		if r, err := elsewhere.Send(t.Context(), 10); err != nil || r.Value != 9 || r.Point != elsewhere.set.Control.Point {
			t.Errorf("%+v, %v; want what stands elsewhere", r, err)
		}
	})
}

// TestConflictsEndWithTheReversion: another's value is a conflict until the device must have fallen back from ours by itself, to the moment; then it is taken over anew.
func TestConflictsEndWithTheReversion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, charger, map[string]float64{"limit_a": 6})
		b.send(t, 16)
		b.dev.values["limit_a"] = 9
		n := len(b.dev.writes)
		time.Sleep(time.Minute - time.Nanosecond)
		if _, err := b.Send(t.Context(), 12); !errors.Is(err, drivers.ErrConflict) || !errors.Is(err, drivers.ErrNotWritten) || len(b.dev.writes) != n {
			t.Errorf("before the reversion: %v, %v written", err, b.dev.writes[n:])
		}
		time.Sleep(time.Nanosecond)
		b.send(t, 12)
		if b.dev.values["limit_a"] != 12 {
			t.Errorf("after it: %v", b.dev.values)
		}
		b.dev.read = drivers.ErrUnreachable
		if _, err := b.Send(t.Context(), 10); !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, drivers.ErrNotWritten) || b.dev.values["limit_a"] != 12 {
			t.Errorf("what holds cannot be read: %v, %v", err, b.dev.values)
		}
		b.dev.read, b.dev.write = nil, drivers.ErrUnreachable
		if _, err := b.Send(t.Context(), 10); !errors.Is(err, drivers.ErrUnreachable) || errors.Is(err, drivers.ErrNotWritten) {
			t.Errorf("a write of unknown fate: %v", err)
		}
	})
}

// TestOwnersLimitIsOfProduction: only a limit of production is an owner's, one above 0, and not where no memory tells who was there before.
func TestOwnersLimitIsOfProduction(t *testing.T) {
	battery := func(s *Settings) { s.Control.Restore = drivers.RestorePrevious }
	for _, tt := range []struct {
		name    string
		profile string
		values  map[string]float64
		change  func(*Settings)
		sent    float64
		stands  float64
	}{
		{"a limit", inverter, limit(0.7, 1), nil, 0.9, 0.7}, {"below it", inverter, limit(0.7, 1), nil, 0.6, 0.6}, {"none", inverter, limit(0.7, 0), nil, 0.9, 0.9}, {"nothing at all", inverter, limit(0, 1), nil, 0.9, 0.9},
		{"by hand", inverter, limit(0.7, 1), func(s *Settings) { s.Memory = nil }, 0.9, 0.9},
		{"a current", charger, map[string]float64{"limit_a": 10}, battery, 16, 16},
		{"a battery", "fronius-gen24-battery", map[string]float64{"storage_mode": 1, "charge_rate": -0.3}, battery, 0.6, 0.6},
	} {
		b := newBench(t, tt.profile, tt.values, func(s *Settings) {
			if tt.change != nil {
				tt.change(s)
			}
		})
		if r, err := b.Send(t.Context(), tt.sent); err != nil || math.Abs(r.Value-tt.stands) > 1e-9 {
			t.Errorf("%s: %+v, %v; want %g", tt.name, r, err, tt.stands)
		}
	}
}

// TestMemoryIsAskedOnceAndToldOfChanges: what stood before is sought once, kept with each new command and not with its refreshes, and read again where that failed.
func TestMemoryIsAskedOnceAndToldOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inverter, limit(0.9, 1))
		b.dev.read = drivers.ErrUnreachable
		if _, err := b.Send(t.Context(), 0.5); !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, drivers.ErrNotWritten) || len(b.dev.writes) > 0 {
			t.Errorf("what stands cannot be read: %v, %v written", err, b.dev.writes)
		}
		b.dev.read = nil
		for _, v := range []float64{0.5, 0.5, 0.5, 0.4, 0.4} {
			b.send(t, v)
			time.Sleep(time.Minute)
		}
		if b.mem.recalled != 1 || b.mem.kept != 2 || b.mem.all["x"].Points["limit_share"] != 0.9 {
			t.Errorf("asked %d times, told %d times: %+v; want once and twice", b.mem.recalled, b.mem.kept, b.mem.all["x"])
		}
		time.Sleep(time.Hour) // it fell back
		maps.Copy(b.dev.values, limit(0.9, 1))
		b.send(t, 0.3)
		if ours := b.mem.all["x"].Ours; !slices.Contains(ours, 0.4) || ours[len(ours)-1] != 0.3 {
			t.Errorf("kept %v, want the commands before it fell back too", ours)
		}
		b.again()
		b.dev.read = drivers.ErrUnreachable
		if _, err := b.Send(t.Context(), 0.2); !errors.Is(err, drivers.ErrUnreachable) {
			t.Error(err)
		}
		b.dev.read = nil
		b.send(t, 0.2)
		if b.mem.all["x"].Points["limit_share"] != 0.9 {
			t.Errorf("%+v, want what stood before the run before", b.mem.all["x"])
		}
		b.dev.values["limit_share"] = 0.6
		b.again()
		b.send(t, 0.1)
		if b.mem.all["x"].Points["limit_share"] != 0.6 || b.mem.forgotten != 1 {
			t.Errorf("%+v, want somebody else's 0.6", b.mem.all["x"])
		}
		b.dev.values["limit_share"] = 0.55
		if _, err := b.Send(t.Context(), 0.2); !errors.Is(err, drivers.ErrConflict) {
			t.Errorf("%v, want a conflict", err)
		}
	})
	many := newBench(t, inverter, limit(1, 0)) // of commands whose fate is not known the first, which was seen, and the last few are kept
	many.send(t, 0.8)
	many.dev.write = drivers.ErrUnreachable
	for _, v := range []float64{0.1, 0.2, 0.3, 0.4, 0.5, 0.6} {
		if _, err := many.Send(t.Context(), v); err == nil {
			t.Error("no error of a device that does not answer")
		}
	}
	if ours := many.mem.all["x"].Ours; !slices.Equal(ours, []float64{0.8, 0.3, 0.4, 0.5, 0.6}) {
		t.Errorf("kept %v", ours)
	}
	part := newBench(t, inverter, limit(0.9, 1)) // a device without the point of the timer
	part.dev.rejects = "limit_reversion"
	part.send(t, 0.5)
	if points := part.mem.all["x"].Points; points["limit_share"] != 0.9 || len(points) != 2 {
		t.Errorf("kept %v, want what it has", points)
	}
	left := newBench(t, inverter, limit(1, 0)) // the run before was killed, and the device fell back to its safe value
	left.mem.all["x"] = Before{Points: limit(0.9, 1), Ours: []float64{0.5}}
	left.mem.keep = errors.New("no space left") // and it is kept already
	left.send(t, 0.4)
	left.send(t, 0.3)
	if left.mem.recalled != 1 {
		t.Errorf("asked %d times", left.mem.recalled)
	}
	if _, err := left.Release(t.Context()); err != nil || left.dev.values["limit_share"] != 0.9 {
		t.Errorf("%v, %v; want what stood before the run before", err, left.dev.values)
	}
	ours := newBench(t, inverter, limit(0.5, 1)) // the device is at our command yet
	ours.mem.all["x"] = Before{Points: limit(0.9, 1), Ours: []float64{0.6, 0.5}}
	ours.mem.keep = errors.New("no space left")
	ours.send(t, 0.4)
	odd := newBench(t, inverter, limit(0.9, 3)) // it stands for no command
	odd.mem.all["x"] = Before{Points: limit(0.8, 1), Ours: []float64{0.5}}
	odd.send(t, 0.4)
	if odd.mem.all["x"].Points["limit_share"] != 0.8 {
		t.Errorf("%+v, want what stood before the run before", odd.mem.all["x"])
	}
	odd.mem.keep = errors.New("no space left")
	if _, err := odd.Send(t.Context(), 0.3); err != nil {
		t.Errorf("a disk that takes nothing holds back a command: %v", err)
	}
}

// TestCommandsAreCounted: so many commands in a minute and in an hour of a register that wears, to the moment; the safe value is always sent, and what is refused or not sent is not counted.
func TestCommandsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, charger, map[string]float64{}, func(s *Settings) { s.Commands = 3 })
		try := func(v float64) bool {
			t.Helper()
			_, err := b.Send(t.Context(), v)
			if err != nil && !errors.Is(err, drivers.ErrTooOften) {
				t.Fatal(err)
			}
			return err == nil
		}
		for i, want := range []bool{true, true, true, false, false} {
			if got := try(10 + float64(i)); got != want {
				t.Errorf("command %d: sent %v, want %v", i, got, want)
			}
			time.Sleep(time.Second)
		}
		if !try(6) {
			t.Error("the safe value was not sent")
		}
		time.Sleep(55*time.Second - time.Nanosecond) // the first is a minute old but for a moment, the safe value counts
		if try(10) {
			t.Error("sent a moment too early")
		}
		time.Sleep(time.Nanosecond)
		if try(10) {
			t.Error("sent, with two and the safe value in the last minute")
		}
		time.Sleep(time.Second)
		if !try(10) || try(11) {
			t.Error("one more a second later, and no second one")
		}
		b.dev.read = drivers.ErrUnreachable
		time.Sleep(50 * time.Second)
		for range 10 {
			if _, err := b.Send(t.Context(), 10); !errors.Is(err, drivers.ErrUnreachable) {
				t.Errorf("%v", err)
			}
		}
		b.dev.read = nil
		if !try(11) {
			t.Error("commands that were not sent count")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, charger, map[string]float64{}, func(s *Settings) { s.Control.MinInterval, s.Control.Reversion = 15*time.Minute, 0 })
		sent := 0
		for i := range 3 * 3600 {
			if _, err := b.Send(t.Context(), 10+float64(i%2)); err == nil {
				sent++
			}
			time.Sleep(time.Second)
		}
		if sent != 12 {
			t.Errorf("%d commands in three hours, want four an hour", sent)
		}
		if n := len(b.recent); n > 4 {
			t.Errorf("%d commands are remembered", n)
		}
	})
	rare := newBench(t, charger, map[string]float64{}, func(s *Settings) { s.Control.MinInterval = 2 * time.Hour })
	rare.send(t, 10)
	if _, err := rare.Send(t.Context(), 11); !errors.Is(err, drivers.ErrTooOften) {
		t.Errorf("a second command to a register of one in two hours: %v", err)
	}
}
