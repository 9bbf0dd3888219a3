package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// registers are a device in memory that may keep nothing of what it confirms.
type registers struct {
	values    map[string]float64
	forgetful bool
}

func (r *registers) WritePoint(_ context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	if !r.forgetful {
		r.values[pt.Name] = v
	}
	if now := r.values[pt.Name]; now != v {
		return drivers.Reading{}, fmt.Errorf("%s is at %g: %w", pt.Name, now, drivers.ErrReadBack)
	}
	return drivers.Reading{Point: pt.Name, Value: v, Quality: district.Good}, nil
}

func (r *registers) ReadPoints(_ context.Context, points []*profile.Point) (map[string]float64, error) {
	out := map[string]float64{}
	for _, pt := range points {
		out[pt.Name] = r.values[pt.Name]
	}
	return out, nil
}

func (r *registers) ReadBack(context.Context, *profile.Point, string, float64, float64) (drivers.Reading, error) {
	return drivers.Reading{}, errors.New("the profile has nothing that is read back elsewhere")
}

// TestNothingKeptIsNoConflict: a device that kept none of many commands stands at the last one that it did take, by our hand, in this run and in the next after a crash; nobody else commands it, what
// stood before stays what it was, and it is commanded again once it keeps commands.
func TestNothingKeptIsNoConflict(t *testing.T) {
	p := profile.MustLoad("sunspec-inverter")
	drv := &registers{values: map[string]float64{"limit_share": 1, "limit_enable": 0}}
	path := filepath.Join(t.TempDir(), "before.json")
	run := func() *Commander {
		t.Helper()
		memory, err := OpenFile(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctl, ok := p.ControlFor(district.Device{})
		if !ok {
			t.Fatal("the profile has no control")
		}
		return New(Settings{Device: "pv", Profile: p, Control: ctl, Port: drv, Memory: memory})
	}
	c := run()
	for _, v := range []float64{0.8, 0.42} {
		if _, err := c.Send(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	drv.forgetful = true
	for k := range 20 {
		if _, err := c.Send(t.Context(), 0.1+0.01*float64(k)); !errors.Is(err, drivers.ErrReadBack) {
			t.Fatalf("command %d: %v, want ErrReadBack", k, err)
		}
	}
	c = run() // as after a crash
	if _, err := c.Send(t.Context(), 0.5); !errors.Is(err, drivers.ErrReadBack) {
		t.Errorf("the next run: %v, want ErrReadBack", err)
	}
	drv.forgetful = false
	if r, err := c.Send(t.Context(), 0.6); err != nil || math.Abs(r.Value-0.6) > 1e-9 {
		t.Errorf("once it keeps commands: %+v, %v; want 0.6", r, err)
	}
	drv.values["limit_share"] = 0.37
	if _, err := c.Send(t.Context(), 0.9); !errors.Is(err, drivers.ErrConflict) {
		t.Errorf("somebody else's command: %v, want ErrConflict", err)
	}
	drv.values["limit_share"] = 0.6
	if _, err := c.Release(t.Context()); err != nil || drv.values["limit_share"] != 1 || drv.values["limit_enable"] != 0 {
		t.Errorf("given back: %v, it stands at %v; want what stood before", err, drv.values)
	}
}

// failing is a memory whose disk may take nothing.
type failing struct {
	Memory
	err error
}

func (f *failing) Keep(device string, b Before) error {
	if f.err != nil {
		return f.err
	}
	return f.Memory.Keep(device, b)
}

// TestCommandsGoOnWithoutMemory: nothing is written before what stands is kept; from then on a disk that takes nothing keeps no command back, and the commands are kept once it does.
func TestCommandsGoOnWithoutMemory(t *testing.T) {
	p := profile.MustLoad("sunspec-inverter")
	drv := &registers{values: map[string]float64{"limit_share": 1, "limit_enable": 0}}
	file, err := OpenFile(filepath.Join(t.TempDir(), "before.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	memory := &failing{Memory: file, err: errors.New("no space left")}
	ctl, _ := p.ControlFor(district.Device{})
	c := New(Settings{Device: "pv", Profile: p, Control: ctl, Port: drv, Memory: memory})
	if _, err := c.Send(t.Context(), 0.8); !errors.Is(err, memory.err) || drv.values["limit_share"] != 1 {
		t.Errorf("the first command: %v, it stands at %v; want the memory's error and nothing written", err, drv.values)
	}
	memory.err = nil
	if _, err := c.Send(t.Context(), 0.8); err != nil {
		t.Fatal(err)
	}
	memory.err = errors.New("no space left")
	for _, v := range []float64{0.5, 0.3} {
		if r, err := c.Send(t.Context(), v); err != nil || r.Value != v {
			t.Errorf("a command without the disk: %+v, %v; want %g", r, err, v)
		}
	}
	memory.err = nil
	if _, err := c.Send(t.Context(), 0.3); err != nil {
		t.Fatal(err)
	}
	b, _, _ := file.Recall("pv")
	if n := len(b.Ours); n == 0 || b.Ours[n-1] != 0.3 || b.Points["limit_share"] != 1 {
		t.Errorf("kept %+v, want the last command and what stood before all", b)
	}
}
