package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"quartier/scheduler/foresee"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// TestATankThatIsReadLater: of a tank whose record is not read at a first plan what is said is planned with and not held against nothing, and what was drawn is taken up once it is read.
func TestATankThatIsReadLater(t *testing.T) {
	w := newSignalled(t)
	k := observe.Key{Site: "s", Device: "tank"}
	say := func(_ time.Time, n int) []float64 { return constant(1, n) }
	start := w.now.Truncate(24 * time.Hour).Add(-10 * 24 * time.Hour)
	in := inputs{start: timegrid.Floor(w.now, 15*time.Minute), step: 15 * time.Minute, steps: 144}
	heard := func() time.Duration {
		_, known := w.s.foresight.HeardUntil(foresee.Key{Site: "s", Device: "tank", Quantity: district.ForecastHotWater})
		return known
	}
	drawn := timegrid.Series{Start: start, Step: in.step}
	if got := w.s.hearTank(&in, k, drawn, say); len(got) != 144 || got[7] != 1 || heard() != 0 || len(in.foreseen) != 1 || in.foreseen[0].Device != "tank" || len(in.foreseen[0].Low) != 0 {
		t.Errorf("of a tank that was not read %v kW are expected, %v of it is known: %+v", got, heard(), in.foreseen)
	}
	for i := range timegrid.NewSpan(start, in.start).Count(in.step) {
		drawn.Values = append(drawn.Values, 1+math.Sin(float64(i)/96*2*math.Pi))
	}
	in.foreseen = nil
	w.s.hearTank(&in, k, drawn, say)
	if got := heard(); got != in.start.Sub(start) || len(in.foreseen) != 1 || len(in.foreseen[0].Low) != 144 {
		t.Errorf("%v of %v are known", got, in.start.Sub(start))
	}
}

// mute answers nothing of devices at first.
type mute struct {
	*signalled
	until time.Time
}

func (w mute) Rollup(ctx context.Context, ids []district.SeriesID, sp timegrid.Span, step rollup.Step, z *time.Location, yield func(rollup.Row) error) error {
	if w.now.Before(w.until) {
		return errors.New("nobody answers")
	}
	return w.signalled.Rollup(ctx, ids, sp, step, z, yield)
}

// TestARecordThatAnswersLater: tanks, rooms and charging points of which nothing is read yet are in the plan by what is said of them, without a band, and with one once they are read.
func TestARecordThatAnswersLater(t *testing.T) {
	w := newSignalled(t)
	w.outdoor = func(time.Time) float64 { return 4 }
	w.s.cfg.Wall = w.s.cfg.Now // there is time to learn
	w.s.cfg.Store = mute{w, w.now.Add(90 * time.Minute)}
	for hour := range 3 {
		p := w.hours(t, 1)
		for _, k := range [][2]string{{district.ForecastHotWater, "tank"}, {district.ForecastHeat, "hp"}, {district.ForecastCar, "ev"}} {
			f := foreseenOf(p, k[0], k[1])
			if f == nil || len(f.Mean) != p.Steps || (len(f.Low) > 0) != (hour > 0) {
				t.Errorf("hour %d, %v: %+v", hour, k, f)
			}
		}
	}
}

// blank has no record of devices at first.
type blank struct {
	full
	until time.Time
}

func (w blank) Rollup(ctx context.Context, ids []district.SeriesID, sp timegrid.Span, step rollup.Step, z *time.Location, yield func(rollup.Row) error) error {
	if w.now.Before(w.until) {
		return nil
	}
	return w.full.Rollup(ctx, ids, sp, step, z, yield)
}

// TestARecordThatIsFilledUp: tanks, rooms and charging points of which the record had nothing at a first plan are read anew once it was learned from, and what is known of others stays.
func TestARecordThatIsFilledUp(t *testing.T) {
	w := newSignalled(t)
	w.outdoor = func(time.Time) float64 { return 4 }
	w.s.cfg.Wall = w.s.cfg.Now // there is time to learn
	w.s.cfg.Store = blank{full{w}, w.now.Add(200 * time.Minute)}
	known := func() (tank, room float64, point int) {
		for _, x := range w.s.Tanks() {
			tank = x.Known
		}
		for _, x := range w.s.Rooms() {
			room = x.Known
		}
		for _, kw := range w.s.points.by[observe.Key{Site: "s", Device: "ev"}].power.Values {
			if !math.IsNaN(kw) {
				point++
			}
		}
		return tank, room, point
	}
	w.hours(t, 3)
	if tank, room, point := known(); tank > 0.01 || room > 0.01 || point > 0 {
		t.Fatalf("%.2f of the tank's and %.2f of the rooms' slots are known, and %d of the charging point's", tank, room, point)
	}
	w.s.readAnew()
	w.hours(t, 1)
	tank, room, point := known()
	if tank < 0.5 || room < 0.5 || point < 1000 {
		t.Errorf("%.2f of the tank's and %.2f of the rooms' slots are known, and %d of the charging point's", tank, room, point)
	}
	before := w.s.tanks.by[observe.Key{Site: "s", Device: "tank"}]
	w.s.readAnew()
	w.hours(t, 1)
	if w.s.tanks.by[observe.Key{Site: "s", Device: "tank"}] != before {
		t.Error("a tank of which most is known is read anew")
	}
}

// TestASmallStepBackKeepsWhatIsLearned: a clock that steps back by a slot has no tank, room or charging point read anew, one that is set back by hours does.
func TestASmallStepBackKeepsWhatIsLearned(t *testing.T) {
	w := newSignalled(t)
	w.s.cfg.Wall = w.s.cfg.Now // there is time to learn
	w.outdoor = func(time.Time) float64 { return 4 }
	w.car = func(at time.Time) (float64, bool) { return 3, at.Hour() > 18 }
	plan := func(by time.Duration) {
		t.Helper()
		w.now = w.now.Add(by)
		w.refresh()
		if _, err := w.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	plan(0)
	k := func(device string) observe.Key { return observe.Key{Site: "s", Device: device} }
	tank, room, point := w.s.tanks.by[k("tank")], w.s.rooms.by[k("hp")], w.s.points.by[k("ev")]
	plan(-15 * time.Minute)
	if w.s.tanks.by[k("tank")] != tank || w.s.rooms.by[k("hp")] != room || w.s.points.by[k("ev")] != point {
		t.Error("after a quarter-hour back something begins anew")
	}
	plan(-5 * time.Hour)
	if w.s.tanks.by[k("tank")] == tank || w.s.rooms.by[k("hp")] == room || w.s.points.by[k("ev")] == point {
		t.Error("after five hours back something does not begin anew")
	}
}

// asking reads what is known while a plan learns.
type asking struct {
	*signalled
	asked *int
}

func (w asking) Rollup(ctx context.Context, ids []district.SeriesID, sp timegrid.Span, step rollup.Step, z *time.Location, yield func(rollup.Row) error) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.s.Tanks()
		w.s.Rooms()
		w.s.ForecastErrors()
	}()
	select {
	case <-done:
		*w.asked++
	case <-time.After(20 * time.Second):
	}
	return w.signalled.Rollup(ctx, ids, sp, step, z, yield)
}

// TestWhoAsksDoesNotWaitForAPlan: what is known of tanks, rooms and forecasts is told while a plan learns.
func TestWhoAsksDoesNotWaitForAPlan(t *testing.T) {
	w := newSignalled(t)
	n := 0
	w.s.cfg.Store = asking{w, &n}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n != 3 || len(w.s.Tanks()) != 1 || len(w.s.Rooms()) != 1 {
		t.Errorf("asked %d times while a tank, rooms and a charging point were read; %d tanks and %d rooms are known", n, len(w.s.Tanks()), len(w.s.Rooms()))
	}
}

// full gives the record of each tank, room and charging point.
type full struct{ *signalled }

func (w full) Rollup(_ context.Context, ids []district.SeriesID, sp timegrid.Span, _ rollup.Step, _ *time.Location, yield func(rollup.Row) error) error {
	for _, id := range ids {
		for slot := range sp.Slots(15 * time.Minute) {
			if slot.End.After(w.now) {
				break
			}
			v, h := 0.0, float64(slot.Start.Unix())/3600
			switch name := string(id); {
			case strings.HasSuffix(name, "/tank_c"):
				v = 55 + 3*math.Sin(h/5)
			case strings.HasSuffix(name, "_c"):
				v = 20 + math.Sin(h/24*2*math.Pi)
			case strings.HasSuffix(name, "_kw"):
				v = 1 + math.Sin(h/7)
			}
			if err := yield(rollup.Row{Series: id, Start: slot.Start, End: slot.End, Samples: 1, Held: 15 * time.Minute, Integral: v / 4, Last: v}); err != nil {
				return err
			}
		}
	}
	return nil
}

// BenchmarkFirstPlans of a start in a district with 20 sites, 50 tanks, the rooms of 20 heat pumps and 50 charging points, whose record of six weeks is there: plans until all is learned, the longest time that one of them waits for its inputs, and that of a plan
// after these.
//
//	go test ./scheduler -run '^$' -bench FirstPlans -benchtime 1x
func BenchmarkFirstPlans(b *testing.B) {
	for b.Loop() {
		w := manyTanks(b)
		var longest, last time.Duration
		plans := 0
		for learned := false; !learned; plans++ {
			last = w.gathered(b)
			longest = max(longest, last)
			learned = len(w.s.rooms.by) == 20 && len(w.s.tanks.by) == 50 && len(w.s.points.by) == 50
			for _, l := range w.s.rooms.by {
				learned = learned && !l.Due(w.now)
			}
			for _, l := range w.s.tanks.by {
				learned = learned && !l.Due(w.now)
			}
		}
		b.ReportMetric(float64(plans), "plans")
		b.ReportMetric(longest.Seconds(), "s/longest")
		b.ReportMetric(w.gathered(b).Seconds(), "s/after")
	}
}

// gathered is how long a plan five minutes later waits for its inputs.
func (w *signalled) gathered(b *testing.B) time.Duration {
	w.now = w.now.Add(5 * time.Minute)
	w.refresh()
	begun := time.Now()
	if _, err := w.s.gather(b.Context(), w.s.observe(w.now)); err != nil {
		b.Fatal(err)
	}
	return time.Since(begun)
}

func manyTanks(t testing.TB) *signalled {
	w := &signalled{town: newTown(t)}
	w.s.cfg.Store = full{w}
	w.outdoor = func(at time.Time) float64 { return 5 + 4*math.Sin(float64(at.Unix())/86400*2*math.Pi) }
	base := w.d.Sites[0]
	tank, ev := *w.d.Device("s", "tank"), *w.d.Device("s", "ev")
	w.d.Sites = nil
	for i := range 20 {
		site := base
		site.ID = fmt.Sprintf("s%02d", i)
		site.Devices = append([]district.Device(nil), base.Devices...)
		for k := 1; k < 2+(i+1)%2; k++ {
			tank.ID, ev.ID = fmt.Sprintf("tank%d", k), fmt.Sprintf("ev%d", k)
			site.Devices = append(site.Devices, tank, ev)
		}
		w.d.Sites = append(w.d.Sites, site)
	}
	w.s.cfg.Carbon = func(sp timegrid.Span) (float64, bool) {
		return 50 + 10*math.Sin(float64(sp.Start.Unix())/86400*2*math.Pi), sp.End.Before(w.now.Add(6 * time.Hour))
	}
	m := &market{at: daily, published: func(at time.Time) bool { return at.Before(w.midnight()) }, beyond: daily}
	w.s.cfg.Prices, w.s.cfg.PriceBasis = m, m.basis
	return w
}
