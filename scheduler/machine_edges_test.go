package scheduler

import (
	"context"
	"math"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// TestRunsFrom: a pump runs above a quarter of its least power, and above what its electronics draw.
func TestRunsFrom(t *testing.T) {
	for least, want := range map[float64]float64{2: 0.5, 0: offKW, 0.1: offKW} {
		if got := runsKW(&district.HeatPumpParams{MinKW: least, MaxKW: 4}); got != want {
			t.Errorf("a pump of %v kW at least runs from %v kW, want %v kW", least, got, want)
		}
	}
}

// TestSilenceIsNoStop: a pump that is not measured for a while has neither stopped nor started, and may neither be stopped too early nor started too early for that.
func TestSilenceIsNoStop(t *testing.T) {
	wanted := 3.0
	w := pumps(t, &wanted)
	w.round(t, 0)
	w.round(t, time.Minute)
	w.round(t, time.Minute) // it has run for a minute
	id := district.NewSeriesID("d", "s", "hp", district.PowerKW)
	delete(w.live, id)
	w.now = w.now.Add(2 * time.Minute)
	w.refresh()
	w.s.Dispatch(t.Context())
	if on, d, ok := w.s.ranFor("s", "hp", w.now); !on || d != 3*time.Minute || !ok {
		t.Errorf("unseen for a moment it is on %v for %v (known %v), want for 3 min", on, d, ok)
	}
	w.measure("hp", district.PowerKW, 3)
	dev := w.d.Device("s", "hp")
	if w.s.restsStill("s", dev, w.now) {
		t.Error("a pump that runs is taken to rest still")
	}
	j, _, _ := w.jobOf("hp")
	j.wish.WantedKW = 0
	if w.s.spare(j.wish, w.now); j.wish.WantedKW != 3 {
		t.Errorf("a pump that has run for 3 of 20 min goes on at %v kW, want 3 kW", j.wish.WantedKW)
	}
}

// TestSpareAtTheEdges: what a pump that may not stop or start yet is told, by what it does and may.
func TestSpareAtTheEdges(t *testing.T) {
	for _, tt := range []struct {
		name                        string
		runs                        bool
		after                       time.Duration // since it started or stopped
		least, measured, most, want float64       // kW
		wish                        float64
	}{
		{"it draws less than its least", true, time.Minute, 1, 0.6, 4, 1, 0},
		{"it draws more than it may", true, time.Minute, 1, 4, 3, 3, 0},
		{"its least is not known", true, time.Minute, 0, 0, 4, offKW, 0},
		{"its least is wanted", true, time.Minute, 1, 3, 4, 1, 1},
		{"it has run", true, 20 * time.Minute, 1, 3, 4, 0, 0},
		{"it may not start", false, time.Minute, 1, 0, 4, 0, 2},
		{"what its electronics draw is wanted", false, time.Minute, 1, 0, 4, offKW, offKW},
		{"it has rested", false, 10 * time.Minute, 1, 0, 4, 2, 2},
	} {
		wanted := 0.0
		w := pumps(t, &wanted)
		w.d.Device("s", "hp").HeatPump.MinKW = tt.least
		now, dev := w.s.observe(w.now).Devices[key("hp")], w.d.Device("s", "hp")
		draws := map[bool]float64{true: 3}
		now.PowerKW.V = draws[!tt.runs]
		w.s.noteRuns("s", dev, now, w.now)
		now.PowerKW.V = draws[tt.runs]
		w.s.noteRuns("s", dev, now, w.now.Add(time.Second))
		x := &dispatch.Wish{Site: "s", Device: "hp", MeasuredKW: tt.measured, MaxKW: tt.most, WantedKW: tt.wish}
		if w.s.spare(x, w.now.Add(time.Second+tt.after)); x.WantedKW != tt.want {
			t.Errorf("%s: %v kW, want %v kW", tt.name, x.WantedKW, tt.want)
		}
	}
	w := newTown(t)
	gone := &dispatch.Wish{Site: "s", Device: "gone", WantedKW: 2}
	if w.s.spare(gone, w.now); gone.WantedKW != 2 {
		t.Errorf("a device that the configuration does not know: %v kW", gone.WantedKW)
	}
}

// told50W is a meter that says in which steps it tells power.
type told50W struct{ drivers.Driver }

func (told50W) Points() []drivers.Point {
	return []drivers.Point{{Name: district.ImportKWh, Resolution: 1}, {Name: district.PowerKW, Resolution: 0.05}, {Name: district.VoltageV, Resolution: 1}}
}

// TestReserveKnowsTheMeter: a car keeps half a step of its commands below a limit, and the smallest change of power that its site's meters tell.
func TestReserveKnowsTheMeter(t *testing.T) {
	w := newTown(t)
	own := w.s.cfg.Driver
	w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		if id == "grid" {
			return told50W{}, true
		}
		return own(site, id)
	}
	j, _, _ := w.jobOf("ev")
	if got, want := j.wish.ReserveKW, 0.69/2+0.05; math.Abs(got-want) > 1e-9 {
		t.Errorf("%v kW in reserve, want %v kW", got, want)
	}
}

// TestSlotsOfATank: what a tank learns from is the temperature at the end of a slot and the mean heat of it, of slots that are known for half at least; a plan in steps that quarter-hours do not make up has them
// from minutes, and what did not come for long is a gap, behind which it goes on.
func TestSlotsOfATank(t *testing.T) {
	rows := func(w *town, from, to time.Time, step time.Duration, held func(i int) time.Duration) {
		i := 0
		for at := from; at.Before(to); at = at.Add(step) {
			for quantity, r := range map[string]rollup.Row{district.TankC: {Last: 55}, district.PowerKW: {Integral: 1.1 * step.Hours(), Last: -3}} {
				r.Series, r.Start, r.End, r.Samples, r.Held = district.NewSeriesID("d", "s", "tank", quantity), at, at.Add(step), 3, held(i)
				if quantity == district.PowerKW {
					r.Integral *= held(i).Hours() / step.Hours()
				}
				w.slots = append(w.slots, r)
			}
			i++
		}
	}
	whole := func(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }
	for _, tt := range []struct {
		name      string
		step, row time.Duration
		held      func(i int) time.Duration
		known     float64 // share of slots from which something is known
	}{
		{"quarter-hours", 15 * time.Minute, 15 * time.Minute, whole(15 * time.Minute), 1},
		{"known for half of each", 15 * time.Minute, 15 * time.Minute, whole(450 * time.Second), 1},
		{"known for less", 15 * time.Minute, 15 * time.Minute, whole(449 * time.Second), 0},
		{"steps of half an hour", 30 * time.Minute, 15 * time.Minute, whole(15 * time.Minute), 1},
		{"steps of ten minutes", 10 * time.Minute, time.Minute, whole(time.Minute), 1},
	} {
		w := newTown(t)
		w.d.Step = tt.step
		var asked []rollup.Step
		w.s.cfg.Store = &stepped{w, &asked}
		begin := noon.AddDate(0, 0, -3).Truncate(24 * time.Hour)
		rows(w, begin, noon, tt.row, tt.held)
		w.s.tankOutlooks(t.Context(), &inputs{start: noon, step: tt.step, steps: 4})
		l := w.s.tanks.by[key("tank")]
		drawn := l.Drawn().Values
		n, known := int(noon.Sub(begin)/tt.step), 0
		for _, kw := range drawn[max(0, len(drawn)-n+1):] {
			if !math.IsNaN(kw) {
				known++
			}
		}
		if got := float64(known) / float64(n-1); math.Abs(got-tt.known) > 0.02 {
			t.Errorf("%s: of %.2f of the slots something is known, want %v", tt.name, got, tt.known)
		}
		if want := noon.Add(-tankSlack); tt.known == 0 && !l.End().Equal(want) || tt.known == 1 && !l.End().Equal(noon) {
			t.Errorf("%s: it ends at %v", tt.name, l.End())
		}
		for _, s := range asked {
			if want := rollup.Quarter; (tt.step%(15*time.Minute) != 0) == (s == want) {
				t.Errorf("%s: it asked for rows of %v", tt.name, s)
			}
		}
	}
}

// stepped is a record that keeps which steps it was asked for.
type stepped struct {
	*town
	asked *[]rollup.Step
}

func (r *stepped) Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	*r.asked = append(*r.asked, step)
	return r.town.Rollup(ctx, series, sp, step, zone, yield)
}

func key(device string) observe.Key { return observe.Key{Site: "s", Device: device} }
