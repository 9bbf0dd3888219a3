package app

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"quartier/cmd/internal/console"
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/schemas/store"
)

const (
	watchEvery = 2 * time.Second // between two looks at what is wrong, on the machine's clock
	// followAfter is from which difference on the districts' clock follows the machine's, and jumpAfter from which that is worth an alarm, for jumpShown.
	followAfter = 2 * time.Second
	jumpAfter   = 10 * time.Second
	jumpShown   = 15 * time.Minute
	// unwritten events are kept until the record takes them; the oldest go first.
	unwritten = 1000
)

// ClockJump is the alarm of a machine whose clock was set.
const ClockJump = "clock-jump"

// watch keeps what is wrong at present, and enters what begins and ends into the record.
type watch struct {
	mu     sync.Mutex
	jump   console.Alarm
	until  time.Time // on the machine's clock: how long the jump is shown
	now    map[string]console.Alarm
	queue  []store.Event
	warned bool
}

func alarmKey(a console.Alarm) string { return a.Key + " " + a.Object }

// conditions are what is wrong with a district at present beside what the console sees itself: measurements that cannot be, commands that are not followed, limits that are passed, planning
// that fails, a clock that was set.
func (a *App) conditions(districtID string) []console.Alarm {
	var out []console.Alarm
	if s := a.schedulers[districtID]; s != nil {
		for _, f := range s.Findings() {
			object := districtID
			for _, part := range []string{f.Site, f.Device} {
				if part != "" {
					object += "/" + part
				}
			}
			out = append(out, console.Alarm{Key: f.Key, Severity: f.Severity, Since: f.Since, Object: object, Detail: f.Detail})
		}
	}
	out = append(out, a.feedAlarms(districtID)...)
	a.watch.mu.Lock()
	if time.Now().Before(a.watch.until) {
		one := a.watch.jump
		one.Object = districtID
		out = append(out, one)
	}
	a.watch.mu.Unlock()
	return out
}

// watchLoop looks at the clock and at what is wrong.
func (a *App) watchLoop(ctx context.Context) {
	a.watch.now = map[string]console.Alarm{}
	for wait(ctx, watchEvery) {
		a.followClock(a.machine())
		a.compare()
		a.write(ctx)
	}
}

// machine is what the machine's clock shows, set or not: without the monotonic reading.
func (a *App) machine() time.Time {
	if a.opt.machine != nil {
		return a.opt.machine()
	}
	return time.Now().Round(0)
}

// followClock brings the districts' clock back to that of the machine when that was set: by its operator, by a time server after a start without one, or by a pause of the whole machine. What was
// measured at times that are now to come is forgotten, since nothing newer would be believed until then.
func (a *App) followClock(machine time.Time) {
	if a.opt.Demo || a.clock.Speed() != 1 {
		return
	}
	diff := machine.Sub(a.clock.Now())
	if diff.Abs() <= followAfter {
		return
	}
	a.clock.Set(machine)
	a.hub.Forget(machine.Add(time.Second))
	for _, s := range a.schedulers {
		s.ClockSet()
	}
	if diff.Abs() < jumpAfter {
		return
	}
	a.log.Warn("the machine's clock was set", "seconds", diff.Seconds())
	a.watch.mu.Lock()
	defer a.watch.mu.Unlock()
	a.watch.until = time.Now().Add(jumpShown)
	a.watch.jump = console.Alarm{Key: ClockJump, Severity: "warning", Since: machine.UTC(), Detail: fmt.Sprintf("%+.0f s", diff.Seconds())}
}

// compare queues an event for each condition that begins or ends.
func (a *App) compare() {
	now := a.clock.Now()
	present := map[string]console.Alarm{}
	for i := range a.cfg.Districts {
		for _, c := range a.conditions(a.cfg.Districts[i].ID) {
			present[alarmKey(c)] = c
		}
	}
	w := &a.watch
	var events []store.Event
	for key, c := range present {
		if _, ok := w.now[key]; !ok {
			events = append(events, store.Event{Time: now, Action: c.Key, Object: c.Object, Detail: c.Detail, Severity: c.Severity})
		}
	}
	for key, c := range w.now {
		if _, ok := present[key]; !ok {
			events = append(events, store.Event{Time: now, Action: c.Key, Object: c.Object, Detail: fmt.Sprintf("over after %.0f s", math.Max(0, now.Sub(c.Since).Seconds())), Severity: "info"})
		}
	}
	slices.SortFunc(events, func(x, y store.Event) int {
		return cmp.Or(cmp.Compare(x.Object, y.Object), cmp.Compare(x.Action, y.Action))
	})
	for _, e := range events {
		e.Kind, e.Actor = store.AlarmEvent, console.WatchActor
		w.queue = append(w.queue, e)
	}
	w.queue = w.queue[max(0, len(w.queue)-unwritten):]
	w.now = present
}

// write enters queued events into the record; what it does not take waits for the next time.
func (a *App) write(ctx context.Context) {
	w := &a.watch
	for len(w.queue) > 0 && ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, time.Second)
		err := a.record.AppendEvent(one, w.queue[0])
		cancel()
		if err != nil {
			if !w.warned && ctx.Err() == nil {
				a.log.Warn("alarms wait for the record", "count", len(w.queue), "err", err)
			}
			w.warned = true
			return
		}
		w.queue, w.warned = w.queue[1:], false
	}
}

// certified says what is wrong with a solution that calls itself a plan, by the check that shares no code with the solver.
func certified(p *problem.Problem, sol *problem.Solution) error {
	report := certify.Evaluate(p, sol)
	if n := len(report.Violations); n > 0 {
		return fmt.Errorf("%s (%d in all)", report.Violations[0], n)
	}
	if sol.Objective != nil && math.IsNaN(*sol.Objective) {
		return fmt.Errorf("its objective is no number")
	}
	return nil
}
