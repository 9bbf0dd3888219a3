package command

import (
	"errors"
	"maps"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// TestFallenBackIsGivenBack: a device that fell back by itself to what stood before, or to its safe value, is given back without a conflict; what somebody else has put there since is one and stays.
func TestFallenBackIsGivenBack(t *testing.T) {
	for _, tt := range []struct {
		name     string
		stands   map[string]float64
		conflict bool
	}{
		{"at our command", nil, false},
		{"at what stood before", limit(0.9, 1), false},
		{"at its safe value", limit(1, 0), false},
		{"at another's", limit(0.7, 1), true},
	} {
		for _, wait := range []time.Duration{time.Second, time.Hour} {
			for _, crash := range []bool{false, true} {
				if crash && tt.conflict {
					continue // the next run takes it for what stood before
				}
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, inverter, limit(0.9, 1))
					b.send(t, 0.8)
					b.send(t, 0.5)
					if crash {
						b.again()
					}
					time.Sleep(wait)
					maps.Copy(b.dev.values, tt.stands)
					was := maps.Clone(b.dev.values)
					r, err := b.Release(t.Context())
					want := limit(0.9, 1)
					if tt.conflict {
						want = was
					}
					if errors.Is(err, drivers.ErrConflict) != tt.conflict || !tt.conflict && err != nil || b.dev.values["limit_share"] != want["limit_share"] || b.dev.values["limit_enable"] != want["limit_enable"] {
						t.Errorf("%s after %v, crash %v: %v, it stands at %v; want conflict %v and %v", tt.name, wait, crash, err, b.dev.values, tt.conflict, want)
					}
					written := !crash || tt.name != "at what stood before" // otherwise there is nothing to give back
					if err == nil && (math.IsNaN(r.Value) == written || written && !(math.Abs(r.Value-0.9) < 1e-9) || b.mem.forgotten != 1 || len(b.mem.all) > 0) {
						t.Errorf("%s: %+v, memory %+v; want 0.9 read back and nothing kept", tt.name, r, b.mem)
					}
					if tt.conflict && (len(b.mem.all) == 0 || !errors.Is(err, drivers.ErrNotWritten)) {
						t.Errorf("%s: %v, memory %+v; want what stood before still kept", tt.name, err, b.mem)
					}
				})
			}
		}
	}
}

// TestReleaseThatFails: what stood before is known until it stands again, whatever fails on the way; what stood before and was no command has no value.
func TestReleaseThatFails(t *testing.T) {
	b := newBench(t, inverter, limit(0.9, 1))
	b.send(t, 0.5)
	b.dev.write = drivers.ErrUnreachable
	if _, err := b.Release(t.Context()); !errors.Is(err, drivers.ErrUnreachable) || b.mem.forgotten > 0 {
		t.Errorf("%v, forgotten %d times", err, b.mem.forgotten)
	}
	b.dev.write, b.mem.forget = nil, errors.New("no space left")
	if _, err := b.Release(t.Context()); !errors.Is(err, b.mem.forget) || b.dev.values["limit_share"] != 0.9 {
		t.Errorf("%v, it stands at %v; want it given back and an error of the memory", err, b.dev.values)
	}
	b.again()
	b.mem.forget, b.mem.recall = nil, errors.New("unreadable")
	if _, err := b.Release(t.Context()); !errors.Is(err, b.mem.recall) {
		t.Errorf("a memory that cannot be read: %v", err)
	}
	if _, err := b.Send(t.Context(), 0.4); !errors.Is(err, b.mem.recall) || b.dev.values["limit_share"] != 0.9 {
		t.Errorf("a command without knowing what stood before: %v, %v", err, b.dev.values)
	}
	b.mem.recall, b.dev.read = nil, drivers.ErrUnreachable
	if _, err := b.Release(t.Context()); !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, drivers.ErrNotWritten) {
		t.Errorf("a device that cannot be read: %v", err)
	}
	b.dev.read = nil
	if _, err := b.Release(t.Context()); err != nil || b.dev.values["limit_share"] != 0.9 || len(b.mem.all) > 0 {
		t.Errorf("%v, %v, memory %+v; want it given back and forgotten in the end", err, b.dev.values, b.mem.all)
	}

	none := newBench(t, inverter, limit(0.9, 3)) // no command leaves it so
	none.send(t, 0.5)
	if r, err := none.Release(t.Context()); err != nil || !math.IsNaN(r.Value) || r.Quality != district.Uncertain || r.Time.IsZero() || none.dev.values["limit_enable"] != 3 {
		t.Errorf("%+v, %v, %v; want what stood, and no value", r, err, none.dev.values)
	}

	for range 2 { // given back already
		if r, err := b.Release(t.Context()); err != nil || !math.IsNaN(r.Value) || !r.Time.IsZero() || b.dev.values["limit_share"] != 0.9 {
			t.Errorf("again: %+v, %v, %v", r, err, b.dev.values)
		}
	}
	b.dev.values["limit_share"] = 0.6 // its owner's, later
	b.send(t, 0.3)
	if points := b.mem.all["x"].Points; points["limit_share"] != 0.6 {
		t.Errorf("kept %v, want what its owner set after it was given back", points)
	}
	timer := newBench(t, "kostal-plenticore-battery", map[string]float64{})
	timer.send(t, 2)
	n := len(timer.dev.writes)
	if r, err := timer.Release(t.Context()); err != nil || !math.IsNaN(r.Value) || !r.Time.IsZero() || len(timer.dev.writes) != n {
		t.Errorf("%+v, %v, %v written; want nothing written to what lets go by itself", r, err, timer.dev.writes[n:])
	}
	half := newBench(t, inverter, limit(0.9, 1)) // its first command arrives, and nobody hears of it
	half.dev.write = drivers.ErrUnreachable
	if _, err := half.Send(t.Context(), 0.5); err == nil {
		t.Error("no error of a device that does not answer")
	}
	half.dev.write = nil
	maps.Copy(half.dev.values, limit(0.5, 1))
	if _, err := half.Release(t.Context()); err != nil || half.dev.values["limit_share"] != 0.9 {
		t.Errorf("%v, %v; want it given back", err, half.dev.values)
	}
	written := len(half.dev.writes)
	if r, err := half.Release(t.Context()); err != nil || !math.IsNaN(r.Value) || len(half.dev.writes) != written {
		t.Errorf("a second time: %+v, %v, %v written", r, err, half.dev.writes[written:])
	}
	blank := newBench(t, "luxtronik-shi", map[string]float64{}) // nothing of it can be read before
	blank.Commander.before, blank.Commander.sought = &Before{}, true
	if _, err := blank.Release(t.Context()); err != nil || len(blank.dev.writes) == 0 {
		t.Errorf("%v, %v written; want the safe value where nothing is known", err, blank.dev.writes)
	}

	own := newBench(t, storage, map[string]float64{"set_enable": 1})
	own.send(t, 2)
	if _, err := own.Release(t.Context()); err != nil || own.dev.values["set_enable"] != 0 || own.dev.values["setpoint_kw"] != 2 || own.mem.kept+own.mem.forgotten > 0 {
		t.Errorf("%v, %v; want its own sequence and no memory", err, own.dev.values)
	}
	synctest.Test(t, func(t *testing.T) {
		own := newBench(t, storage, map[string]float64{"set_enable": 0})
		own.send(t, 2)
		time.Sleep(time.Hour)
		own.dev.values["setpoint_kw"] = -3 // another master's, after ours had ended by itself
		if _, err := own.Release(t.Context()); !errors.Is(err, drivers.ErrConflict) || own.dev.values["set_enable"] != 1 {
			t.Errorf("%v, %v; want another's command kept", err, own.dev.values)
		}
	})
	plain := newBench(t, charger, map[string]float64{})
	plain.send(t, 16)
	if r, err := plain.Release(t.Context()); err != nil || r.Value != 6 || plain.mem.kept+plain.mem.recalled > 0 {
		t.Errorf("%+v, %v; want the safe value and no memory", r, err)
	}
}
