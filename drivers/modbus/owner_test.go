package modbus

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
)

// TestForeignCommandIsNotOverwritten: when another system has commanded the device since, ours is a conflict that writes nothing, the safe one included, until the
// other has given the device back; a device that fell back by itself is commanded again.
func TestForeignCommandIsNotOverwritten(t *testing.T) {
	for name, tt := range map[string]struct {
		point               string
		ours, next, foreign map[string]float64
	}{
		"alfen-eve": {"limit_a", map[string]float64{"limit_a": 16}, map[string]float64{"limit_a": 12}, map[string]float64{"limit_a": 8}},
		"sunspec-inverter": {"limit_share", map[string]float64{"limit_share": 0.8, "limit_enable": 1}, map[string]float64{"limit_share": 0.5},
			map[string]float64{"limit_share": 0.3, "limit_enable": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			fast := *profile.MustLoad(name)
			fast.Limits.ConnectDelay, fast.Limits.Delay = 0, 0
			d, bank, rec, _ := rendered(t, &fast, Config{})
			var writes atomic.Int64
			rec.write = func(uint16, []uint16) (bool, error) { writes.Add(1); return false, nil }
			ours, next := tt.ours[tt.point], tt.next[tt.point]
			for _, v := range []float64{ours, next, ours} {
				if _, err := d.Write(t.Context(), tt.point, v); err != nil {
					t.Fatal(err)
				}
			}
			if err := bank.SetAll(tt.foreign); err != nil {
				t.Fatal(err)
			}
			before := writes.Load()
			ctl, _ := d.Control()
			for _, v := range []float64{next, ours, ctl.Safe} {
				_, err := d.Write(t.Context(), tt.point, v)
				if !errors.Is(err, drivers.ErrConflict) || !strings.Contains(err.Error(), tt.point+" is at ") {
					t.Errorf("Write(%g) over another's command: %v, want ErrConflict", v, err)
				}
			}
			if n := writes.Load() - before; n > 0 {
				t.Errorf("%d writes over another's command", n)
			}
			if v, err := bank.Value(tt.point); err != nil || v != tt.foreign[tt.point] {
				t.Errorf("%s is %g, %v", tt.point, v, err)
			}
			sequence, err := fast.Sequence(ctl.Safe)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range sequence { // the other gives it back
				if err := bank.Set(w.Point, w.Value); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := d.Write(t.Context(), tt.point, next); err != nil {
				t.Errorf("after it was given back: %v", err)
			}
			if _, err := d.Write(t.Context(), tt.point, ctl.Safe); err != nil {
				t.Errorf("our own safe command: %v", err)
			}
		})
	}
}

// TestFirstCommandTakesOver: what stood before the first command, such as that of a run that crashed, is no conflict.
func TestFirstCommandTakesOver(t *testing.T) {
	d, bank, _, _ := rendered(t, profile.MustLoad("alfen-eve"), Config{})
	if err := bank.Set("limit_a", 10); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Write(t.Context(), "limit_a", 16); err != nil {
		t.Error(err)
	}
}

// TestUnknownFateIsNoConflict: after a command of which nobody knows whether it arrived, both the one before and it count as ours, and the next one is sent.
func TestUnknownFateIsNoConflict(t *testing.T) {
	for _, arrived := range []bool{false, true} {
		d, bank, rec, _ := rendered(t, profile.MustLoad("alfen-eve"), Config{Timeout: 200 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
		var silent atomic.Bool
		var writes atomic.Int64
		rec.write = func(uint16, []uint16) (bool, error) {
			if !silent.Load() {
				return false, nil
			}
			writes.Add(1)
			if arrived {
				bank.Set("limit_a", 10)
			}
			time.Sleep(400 * time.Millisecond)
			return true, serve.DeviceFailure
		}
		if _, err := d.Write(t.Context(), "limit_a", 16); err != nil {
			t.Fatal(err)
		}
		silent.Store(true)
		if _, err := d.Write(t.Context(), "limit_a", 10); !errors.Is(err, drivers.ErrUnreachable) {
			t.Fatalf("a command without an answer: %v", err)
		}
		time.Sleep(300 * time.Millisecond)
		if n := writes.Load(); n != 1 {
			t.Errorf("the command was sent %d times", n)
		}
		silent.Store(false)
		if r, err := d.Write(t.Context(), "limit_a", 12); err != nil || r.Value != 12 {
			t.Errorf("the next command: %+v, %v", r, err)
		}
	}
}

// TestCommandsAreLimited: a device is commanded no more often than its driver may, but for the safe value.
func TestCommandsAreLimited(t *testing.T) {
	d, bank, rec, _ := rendered(t, profile.MustLoad("alfen-eve"), Config{Commands: 5})
	var writes atomic.Int64
	rec.write = func(uint16, []uint16) (bool, error) { writes.Add(1); return false, nil }
	refused := 0
	for i := range 20 {
		_, err := d.Write(t.Context(), "limit_a", float64(8+i%4))
		if errors.Is(err, drivers.ErrTooOften) {
			refused++
		} else if err != nil {
			t.Error(err)
		}
	}
	if n := writes.Load(); refused != 15 || n != 5 {
		t.Errorf("%d refused, %d written, want 15 and 5", refused, n)
	}
	ctl, _ := d.Control()
	if _, err := d.Write(t.Context(), "limit_a", ctl.Safe); err != nil {
		t.Errorf("the safe command: %v", err)
	}
	if v, err := bank.Value("limit_a"); err != nil || v != ctl.Safe {
		t.Errorf("limit_a %g, %v", v, err)
	}
}
