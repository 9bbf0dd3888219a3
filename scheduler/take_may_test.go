package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// jobOf is what is known of a device of the town before any plan or limit.
func (w *town) jobOf(id string) (*job, *district.Device, observe.Device) {
	drv, _ := w.s.cfg.Driver("s", id)
	st, dev := w.s.observe(w.now), w.d.Device("s", id)
	return w.s.deviceJob(&w.d.Sites[0], dev, st, drv), dev, st.Devices[observe.Key{Site: "s", Device: id}]
}

// TestWhatMayBeTaken: how much of a feed a consumer may take, and the least at which it runs, at the edges of what is measured and known.
func TestWhatMayBeTaken(t *testing.T) {
	for _, tt := range []struct {
		name        string
		dev         string
		change      func(w *town)
		alter       func(j *job)
		take, least float64
	}{
		{name: "a car", dev: "ev", take: 10.35, least: 4.14},
		{name: "a car by its own least", dev: "ev", take: 10.35, least: 5.52, change: func(w *town) { w.d.Device("s", "ev").EVCharger.MinKW = 5 }},
		{name: "a heat pump, wholly", dev: "hp", take: 4, least: 4},
		{name: "a tank, wholly", dev: "tank", take: 2.2, least: 2.2},
		{name: "no battery", dev: "bat"}, {name: "no sun", dev: "pv"},
		{name: "no car", dev: "ev", change: func(w *town) { w.measure("ev", district.Connected, 0) }},
		{name: "nobody knows of a car", dev: "ev", change: func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "ev", district.Connected)) }},
		{name: "a car with room", dev: "ev", take: 10.35, least: 4.14, change: func(w *town) { w.measure("ev", district.SessionKWh, 49.9) }},
		{name: "a full car", dev: "ev", change: func(w *town) { w.measure("ev", district.SessionKWh, 50) }},
		{name: "a car that wants more than its battery is known to hold", dev: "ev", take: 10.35, least: 4.14, change: func(w *town) {
			w.d.Device("s", "ev").EVCharger.TargetKWh = 60
			w.measure("ev", district.SessionKWh, 55)
		}},
		{name: "nobody knows what was charged", dev: "ev", take: 10.35, least: 4.14, change: func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "ev", district.SessionKWh)) }},
		{name: "nobody knows what it draws", dev: "tank", change: func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "tank", district.PowerKW)) }},
		{name: "own control", dev: "tank", alter: func(j *job) { j.own = true }}, {name: "not measured", dev: "tank", alter: func(j *job) { j.blind = true }},
		{name: "deaf", dev: "tank", alter: func(j *job) { j.deaf = true }}, {name: "by hand", dev: "tank", alter: func(j *job) { j.ordered = true }},
		{name: "a warm room", dev: "hp", take: 4, least: 4, change: func(w *town) { w.measure("hp", district.IndoorC, 20.95) }},
		{name: "a room at its end", dev: "hp", change: func(w *town) { w.measure("hp", district.IndoorC, 21.05) }},
		{name: "a room that is heated", dev: "hp", take: 4, least: 4, change: func(w *town) { w.measure("hp", district.IndoorC, 21.75); w.measure("hp", district.PowerKW, 4) }},
		{name: "a room that is heated enough", dev: "hp", change: func(w *town) { w.measure("hp", district.IndoorC, 21.85); w.measure("hp", district.PowerKW, 4) }},
		{name: "a hot tank", dev: "tank", take: 2.2, least: 2.2, change: func(w *town) { w.measure("tank", district.TankC, 60.95) }},
		{name: "a tank at its end", dev: "tank", change: func(w *town) { w.measure("tank", district.TankC, 61.05) }},
		{name: "a heat pump in kW runs from its least", dev: "hp", take: 4, least: 1, change: func(w *town) {
			own := w.s.cfg.Driver
			w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
				d, ok := own(site, id)
				if m, is := d.(machine); is && id == "hp" {
					m.ctl = drivers.Control{Quantity: drivers.ControlKW, Max: 10, Step: 0.1}
					return m, true
				}
				return d, ok
			}
		}},
		{name: "a pump that must rest", dev: "hp", change: func(w *town) { w.told(t, "hp", 0); w.now = w.now.Add(9 * time.Minute); w.refresh() }},
		{name: "a pump that has rested", dev: "hp", take: 4, least: 4, change: func(w *town) { w.told(t, "hp", 0); w.now = w.now.Add(10 * time.Minute); w.refresh() }},
		{name: "a pump that must run", dev: "hp", take: 4, least: 4, change: func(w *town) {
			w.told(t, "hp", 4)
			w.now = w.now.Add(time.Minute)
			w.refresh()
		}},
		{name: "a pump that must rest and has not stopped yet", dev: "hp", take: 4, least: 4, change: func(w *town) {
			w.told(t, "hp", 0)
			w.now = w.now.Add(time.Minute)
			w.refresh()
			w.measure("hp", district.PowerKW, 4)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			w.hold = 10 * time.Minute
			if tt.change != nil {
				tt.change(w)
			}
			j, dev, now := w.jobOf(tt.dev)
			if tt.alter != nil {
				tt.alter(j)
			}
			w.s.mayTake(j, dev, now, w.now)
			if math.Abs(j.wish.TakeKW-tt.take) > 1e-9 || math.Abs(j.wish.LeastKW-tt.least) > 1e-9 {
				t.Errorf("%v kW from %v kW, want %v from %v", j.wish.TakeKW, j.wish.LeastKW, tt.take, tt.least)
			}
		})
	}
}

// told sends a power to a device.
func (w *town) told(t *testing.T, id string, kw float64) {
	t.Helper()
	drv, _ := w.s.cfg.Driver("s", id)
	_, dev, _ := w.jobOf(id)
	_, _, most := powerRange(dev, observe.Device{})
	w.s.sender.Send(t.Context(), drv, dispatch.Wish{Site: "s", Device: id, Kind: dev.Kind, WantedKW: kw}, most, 1, w.now, w.now, false)
}

// TestStaysForALimit: who took a feed for a limit stays for it for five minutes, and no longer when the clock was set back.
func TestStaysForALimit(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "export", dispatch.ReleaseAfter - time.Second: "export", dispatch.ReleaseAfter: "", -time.Minute: "export", -dispatch.ReleaseAfter: ""} {
		w := newTown(t)
		w.s.took(&dispatch.Wish{Site: "s", Device: "tank", Raised: true, TookFor: "export"}, w.now)
		w.s.took(&dispatch.Wish{Site: "s", Device: "tank", TookFor: "another"}, w.now.Add(time.Minute)) // it was not lifted
		w.s.took(&dispatch.Wish{Site: "s", Device: "tank", Raised: true}, w.now.Add(time.Minute))       // nor for a limit
		w.now = w.now.Add(after)
		w.refresh()
		j, dev, now := w.jobOf("tank")
		w.s.mayTake(j, dev, now, w.now)
		if j.wish.StaysFor != want {
			t.Errorf("%v later it stays for %q, want %q", after, j.wish.StaysFor, want)
		}
	}
	w := newTown(t)
	j, dev, now := w.jobOf("tank")
	if w.s.mayTake(j, dev, now, w.now); j.wish.StaysFor != "" {
		t.Errorf("one that never took anything stays for %q", j.wish.StaysFor)
	}
}

// TestSated: who does clearly less than it was told, for a while, counts with what it does for ten minutes, unless it does more; what is not measured or has its own control says nothing.
func TestSated(t *testing.T) {
	type step struct {
		after time.Duration
		kw    float64
		want  bool
	}
	for _, tt := range []struct {
		name  string
		told  float64
		steps []step
	}{
		{"does it", 6.9, []step{{0, 6.9, false}, {time.Minute, 6.9, false}, {time.Minute, 6.9, false}}},
		{"nearly does it", 6.9, []step{{0, 6.25, false}, {time.Minute, 6.25, false}, {time.Minute, 6.25, false}}},
		{"lacks more than a tenth", 6.9, []step{{0, 6.15, false}, {19 * time.Second, 6.15, false}, {time.Second, 6.15, true}}},
		{"lacks little of a little", 4.14, []step{{0, 3.75, false}, {time.Minute, 3.75, false}, {time.Minute, 3.75, false}}},
		{"for ten minutes", 6.9, []step{{0, 0, false}, {20 * time.Second, 0, true}, {time.Minute, 6.9, false}}},
		{"told less meanwhile", 4.14, []step{{0, 0, false}, {20 * time.Second, 0, true}, {time.Minute, 0.5, true}}},
		{"a moment between", 6.9, []step{{0, 0, false}, {19 * time.Second, 6.9, false}, {time.Second, 0, false}, {19 * time.Second, 0, false}, {time.Second, 0, true}}},
		{"the clock was set back", 6.9, []step{{0, 0, false}, {-time.Hour, 0, false}, {19 * time.Second, 0, false}, {time.Second, 0, true}, {-2 * time.Hour, 0, false}}},
	} {
		w := newTown(t)
		w.told(t, "ev", tt.told)
		for i, st := range tt.steps {
			w.now = w.now.Add(st.after)
			w.refresh()
			w.measure("ev", district.PowerKW, st.kw)
			j, _, now := w.jobOf("ev")
			if got := w.s.sated(j, now, w.now); got != st.want {
				t.Errorf("%s, step %d: sated %v, want %v", tt.name, i, got, st.want)
			}
		}
	}
	full := func() *town {
		w := newTown(t)
		w.told(t, "ev", 6.9)
		for range 2 {
			j, _, now := w.jobOf("ev")
			w.s.sated(j, now, w.now)
			w.now = w.now.Add(20 * time.Second)
			w.refresh()
		}
		return w
	}
	for name, tt := range map[string]struct {
		change func(w *town)
		want   bool
	}{
		"at once":                   {func(*town) {}, true},
		"for as long as it lacks":   {func(w *town) { w.now = w.now.Add(9 * time.Minute) }, true},
		"not measured":              {func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "ev", district.PowerKW)) }, false},
		"paused, and told no more":  {func(w *town) { w.told(t, "ev", 0); w.now = w.now.Add(9 * time.Minute) }, true},
		"ten minutes after it last": {func(w *town) { w.told(t, "ev", 0); w.now = w.now.Add(10 * time.Minute) }, false},
	} {
		w := full()
		tt.change(w)
		w.refresh()
		j, _, now := w.jobOf("ev")
		if got := w.s.sated(j, now, w.now); got != tt.want {
			t.Errorf("%s: sated %v, want %v", name, got, tt.want)
		}
	}
	w := full()
	j, _, now := w.jobOf("ev")
	j.own = true
	if w.s.sated(j, now, w.now) {
		t.Error("sated under its own control")
	}
	if j.own = false; w.s.sated(j, now, w.now) {
		t.Error("what was known before its own control is still counted on")
	}
	for kw, want := range map[float64]bool{1.95: false, 1.85: true} { // of 2.2 kW, for which less than 0.3 kW says nothing
		w := newTown(t)
		w.told(t, "tank", 2.2)
		w.told(t, "bat", 8)
		for range 2 {
			w.measure("tank", district.PowerKW, kw)
			w.measure("bat", district.PowerKW, kw)
			for _, id := range []string{"tank", "bat"} {
				j, dev, now := w.jobOf(id)
				w.s.mayTake(j, dev, now, w.now)
				if sated := j.wish.Sated; sated != (want && id == "tank" && w.now != noon) {
					t.Errorf("%s at %v kW: sated %v", id, kw, sated)
				}
			}
			w.now = w.now.Add(20 * time.Second)
			w.refresh()
		}
	}
	never := newTown(t) // nothing stands in it by our hand
	for range 3 {
		j, _, now := never.jobOf("ev")
		if never.s.sated(j, now, never.now) {
			t.Error("sated without a command")
		}
		never.now = never.now.Add(time.Minute)
		never.refresh()
	}
}
