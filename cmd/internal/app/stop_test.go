package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quartier/scheduler"
)

// TestStopOnADiskThatHangs: while the disk answers nobody the limits that are asked for hold, also where what stood in a device before is kept on it, and who is told to stop then gives every device its own
// control back at once, and ends within a minute with an error that says what waited for the disk.
func TestStopOnADiskThatHangs(t *testing.T) {
	t.Run("draw", func(t *testing.T) { // the charger and the battery are needed for it
		stopOnADiskThatHangs(t, setting{}, func(*stage) {}, scheduler.RequestImportLimit, 5, 4)
	})
	t.Run("feed", func(t *testing.T) { // the inverter is, whose limit of before is put back
		stopOnADiskThatHangs(t, setting{at: noon, full: true}, func(s *stage) { s.world.Unplug(ref("charger")) }, scheduler.RequestExportLimit, 1.5, 0)
	})
}

func stopOnADiskThatHangs(t *testing.T, at setting, prepare func(*stage), request scheduler.RequestKind, first, then float64) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, dir, at)
		prepare(s)
		s.ask(request, first)
		s.run(90 * time.Second)
		commanded := func() (out []string) { // none: each has its own control, or the value that its profile says is safe
			for _, id := range []string{"pv", "battery", "heatpump"} {
				if s.world.Commanded(ref(id)) {
					out = append(out, id)
				}
			}
			for id, safe := range map[string][2]any{"charger": {"limit_a", 6.0}, "tank": {"on_off", 1.0}} {
				if v, ok := s.world.Value(ref(id), safe[0].(string)); !ok || v != safe[1] {
					out = append(out, fmt.Sprint(id, " ", v))
				}
			}
			return out
		}
		if len(commanded()) < 1 {
			t.Fatalf("commanded are %v", commanded())
		}
		s.disk.hang()
		s.ask(request, then) // an order that waits for the disk as well
		s.run(30 * time.Second)
		s.watchFrom = len(s.truth)
		s.run(60 * time.Second)
		if long, most := s.excess(); long > 10*time.Second {
			t.Errorf("on a disk that hangs a limit is passed for %v at a stretch, by %.2f kW", long, most)
		}
		begin := time.Now()
		s.stop()
		var err error
		given := time.Duration(-1)
		for ended := false; !ended; {
			select {
			case err = <-s.done:
				ended = true
			default:
				time.Sleep(time.Second)
				s.world.Advance(time.Now())
				if given < 0 && len(commanded()) == 0 {
					given = time.Since(begin)
				}
				if time.Since(begin) > 5*time.Minute {
					t.Fatalf("it has not ended after %v; commanded are %v", time.Since(begin), commanded())
				}
			}
		}
		took := time.Since(begin)
		if given < 0 || given > 20*time.Second {
			t.Errorf("devices were given back after %v (-1: never), commanded are %v; want it within 20 s", given, commanded())
		}
		if took > time.Minute {
			t.Errorf("it took %v to end, want a minute at most", took)
		}
		if err == nil || !strings.Contains(err.Error(), "upkeep") || !strings.Contains(err.Error(), "keeping orders") || !strings.Contains(err.Error(), "closing connections and record") {
			t.Errorf("it ended with %v, want what waited for the disk", err)
		}
		s.disk.work()
		s.ends.Close()
		time.Sleep(10 * time.Second) // who waited ends
	})
}

// TestWithin: what is done in time has its own error, what hangs is named.
func TestWithin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		own := errors.New("refused")
		if err := within(time.Second, "a step", func() error { time.Sleep(900 * time.Millisecond); return own }); !errors.Is(err, own) {
			t.Errorf("in time: %v", err)
		}
		begin := time.Now()
		if err := within(time.Second, "a step", func() error { time.Sleep(time.Minute); return own }); err == nil || errors.Is(err, own) || !strings.Contains(err.Error(), "a step: not done within 1s") || time.Since(begin) != time.Second {
			t.Errorf("too late: %v after %v", err, time.Since(begin))
		}
		var p parts
		p.start("quick", func() error { return own })
		p.start("slow", func() error { time.Sleep(30 * time.Second); return nil })
		p.start("hangs", func() error { time.Sleep(time.Hour); return nil })
		all, err := p.wait(time.Minute)
		if all || !errors.Is(err, own) || !strings.Contains(err.Error(), "for hangs: not ended within 1m0s") {
			t.Errorf("parts: %v, %v", all, err)
		}
		time.Sleep(time.Hour)
		if all, err := p.wait(time.Minute); !all || !errors.Is(err, own) || strings.Contains(err.Error(), "hangs") {
			t.Errorf("parts in the end: %v, %v", all, err)
		}
	})
}
