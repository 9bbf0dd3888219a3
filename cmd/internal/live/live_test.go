package live

import (
	"context"
	"sync"
	"testing"
	"time"

	"quartier/schemas/district"
)

var t0 = time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)

func sample(id string, at time.Duration, v float64) district.Sample {
	return district.Sample{Series: district.SeriesID(id), Time: t0.Add(at), Value: v}
}

// TestNewestStays: a late sample never hides a newer one.
func TestNewestStays(t *testing.T) {
	h := NewHub(time.Now)
	h.Publish([]district.Sample{sample("d/s/m/power_kw", time.Second, 2)})
	h.Publish([]district.Sample{sample("d/s/m/power_kw", 0, 1)})
	if s, ok := h.Latest("d/s/m/power_kw"); !ok || s.Value != 2 {
		t.Errorf("latest = %v kW (%v), want 2 kW", s.Value, ok)
	}
	if n := len(h.Snapshot("d/other")); n != 0 {
		t.Errorf("snapshot of another prefix has %d samples, want 0", n)
	}
}

// TestClockSetBack: what was measured at times that are to come again is forgotten, also where it arrives after the clock was set, and hides nothing of the present; a device whose clock is
// ahead is seen all the same.
func TestClockSetBack(t *testing.T) {
	now := t0.Add(10 * time.Minute)
	h := NewHub(func() time.Time { return now })
	latest := func(id string) float64 {
		s, _ := h.Latest(district.SeriesID(id))
		return s.Value
	}
	h.Publish([]district.Sample{sample("a", 10*time.Minute, 1), sample("b", -time.Minute, 1)})
	now = t0
	h.Forget()
	if _, ok := h.Latest("a"); ok || latest("b") != 1 {
		t.Errorf("%v is still held, and b is %v; want nothing and 1", latest("a"), latest("b"))
	}
	h.Publish([]district.Sample{sample("a", 10*time.Minute, 2)}) // it was on its way
	h.Publish([]district.Sample{sample("a", 0, 3)})
	if v := latest("a"); v != 3 {
		t.Errorf("latest = %v, want 3 of the present", v)
	}
	h.Publish([]district.Sample{sample("a", -time.Second, 4)})
	if v := latest("a"); v != 3 {
		t.Errorf("latest = %v, want the newer 3", v)
	}
	h.Publish([]district.Sample{sample("c", time.Hour, 5)})
	h.Publish([]district.Sample{sample("c", time.Hour+time.Second, 6)})
	if v := latest("c"); v != 6 {
		t.Errorf("latest = %v of a device that is an hour ahead, want 6", v)
	}
}

// TestSlowSubscriberGetsTheNewest: publishing never waits for a reader, who then sees the newest value.
func TestSlowSubscriberGetsTheNewest(t *testing.T) {
	h := NewHub(time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	ch := h.Subscribe(ctx, "d/")
	for i := range 1000 {
		h.Publish([]district.Sample{sample("d/s/m/power_kw", time.Duration(i)*time.Second, float64(i)), sample("e/s/m/power_kw", 0, 1)})
	}
	last := -1.0
	for last != 999 {
		select {
		case b := <-ch:
			for _, s := range b {
				if s.Series != "d/s/m/power_kw" {
					t.Fatalf("got %s, want only d/…", s.Series)
				}
				last = s.Value
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("newest seen is %v, want 999", last)
		}
	}
	cancel()
	for range ch { // must close
	}
}

// TestConcurrentUse is meant for the race detector.
func TestConcurrentUse(t *testing.T) {
	h := NewHub(time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	ch := h.Subscribe(ctx, "")
	go func() {
		for range ch {
		}
	}()
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				h.Publish([]district.Sample{sample("d/s/m/power_kw", time.Duration(i+g), 1)})
				h.Latest("d/s/m/power_kw")
				h.Snapshot("d")
			}
		}()
	}
	wg.Wait()
	cancel()
}
