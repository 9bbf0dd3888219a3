package app

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"quartier/cmd/internal/console"
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/schemas/alarm"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

const (
	watchEvery = 2 * time.Second // between two looks at what is wrong, on the machine's clock
	// followAfter is from which difference on the districts' clock follows the machine's, and jumpAfter from which that is worth an alarm, for jumpShown.
	followAfter = 2 * time.Second
	jumpAfter   = 10 * time.Second
	jumpShown   = 15 * time.Minute
	// alarmsKept is how long an alarm that nobody cleared is known after a restart.
	alarmsKept = 60 * 24 * time.Hour
	// unwritten events are kept until the record takes them; the oldest go first.
	unwritten = 1000
)

// ClockJump is the alarm of a machine whose clock was set.
const ClockJump = "clock-jump"

// watch keeps what is wrong at present, and enters what begins and ends into the record.
type watch struct {
	mu      sync.Mutex
	jump    console.Alarm
	waiting map[string]console.Alarm // by district: what keeps old samples from being removed
	until   time.Time                // on the machine's clock: how long the jump is shown
	book    *alarm.Book
	queue   []store.Event
	warned  bool // of write alone
}

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
	if w, ok := a.watch.waiting[districtID]; ok {
		out = append(out, w)
	}
	a.watch.mu.Unlock()
	return out
}

// watchLoop looks at the clock and at what is wrong.
func (a *App) watchLoop(ctx context.Context) {
	a.restoreAlarms(ctx)
	for wait(ctx, watchEvery) {
		a.followClock(a.machine())
		a.compare(ctx)
	}
}

// entryLoop enters into the record what the watch found, beside it: a disk that hangs keeps nobody from looking.
func (a *App) entryLoop(ctx context.Context) {
	for wait(ctx, watchEvery) {
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
	a.hub.Forget()
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

// compare asks what is wrong with every district, and queues an event for each alarm that is raised, worse or cleared.
func (a *App) compare(ctx context.Context) {
	now := a.clock.Now()
	var present []alarm.Condition
	for i := range a.cfg.Districts {
		for _, c := range a.console.Present(ctx, &a.cfg.Districts[i]) {
			present = append(present, alarm.Condition{Key: c.Key, Object: c.Object, Severity: c.Severity, Detail: c.Detail, Since: c.Since})
		}
	}
	w := &a.watch
	w.mu.Lock()
	changes := w.book.Look(now, present)
	w.mu.Unlock()
	var entries []store.Event
	for _, c := range changes {
		e := store.Event{Time: now, Kind: store.AlarmEvent, Actor: console.WatchActor, Action: c.Key, Object: c.Object, Detail: c.Detail, Severity: c.Severity}
		if c.What == alarm.Cleared {
			e.Severity, e.Detail = "info", fmt.Sprintf("over after %.0f s", math.Max(0, now.Sub(c.Raised).Seconds()))
		}
		entries = append(entries, e)
	}
	w.mu.Lock()
	w.queue = append(w.queue, entries...)
	w.queue = w.queue[max(0, len(w.queue)-unwritten):]
	w.mu.Unlock()
	a.notify(changes)
}

// restoreAlarms takes up the alarms that were raised when the last process ended, and who knew of them.
func (a *App) restoreAlarms(ctx context.Context) {
	now := a.clock.Now()
	events, err := a.record.Events(ctx, []store.EventKind{store.AlarmEvent, store.AuditEvent}, timegrid.NewSpan(now.Add(-alarmsKept), now), 0)
	if err != nil {
		a.log.Warn("alarms of before are not known; those that hold are raised again", "err", err)
		return
	}
	open := map[string]*alarm.Alarm{}
	for i := len(events) - 1; i >= 0; i-- { // oldest first
		e := events[i]
		key, note, _ := strings.Cut(e.Detail, ": ")
		switch {
		case e.Kind == store.AuditEvent && e.Action == console.AcknowledgeAction:
			if x := open[alarm.Condition{Key: key, Object: e.Object}.ID()]; x != nil {
				x.Acknowledged = alarm.Acknowledgement{By: e.Actor, Note: note, At: e.Time}
			}
		case e.Kind != store.AlarmEvent || e.Actor != console.WatchActor:
		case e.Severity == "info":
			delete(open, alarm.Condition{Key: e.Action, Object: e.Object}.ID())
		default:
			x := &alarm.Alarm{Condition: alarm.Condition{Key: e.Action, Object: e.Object, Severity: e.Severity, Detail: e.Detail, Since: e.Time}, Raised: e.Time}
			if had := open[x.ID()]; had != nil { // it became worse
				x.Since, x.Raised = had.Since, had.Raised
			}
			open[x.ID()] = x
		}
	}
	var out []alarm.Alarm
	waiting := map[string]console.Alarm{}
	for _, x := range open {
		out = append(out, *x)
		if x.Key == SamplesWait && fineFor(a.cfg) > 0 {
			waiting[x.Object] = console.Alarm{Key: x.Key, Severity: x.Severity, Since: x.Since, Object: x.Object, Detail: x.Detail}
		}
	}
	a.watch.mu.Lock()
	if a.watch.waiting == nil { // it holds until it is looked for, which takes longer than an alarm takes to be over
		a.watch.waiting = waiting
	}
	a.watch.book.Restore(out)
	a.watch.mu.Unlock()
}

// Acknowledged implements console.Alarms.
func (w *watch) Acknowledged() map[string]alarm.Acknowledgement {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]alarm.Acknowledgement{}
	for _, x := range w.book.Alarms() {
		if !x.Acknowledged.At.IsZero() {
			out[x.ID()] = x.Acknowledged
		}
	}
	return out
}

// Acknowledge implements console.Alarms.
func (w *watch) Acknowledge(key, object, by, note string, at time.Time) (alarm.Alarm, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.book.Acknowledge(key, object, by, note, at)
}

// write enters queued events into the record; what it does not take waits for the next time.
func (a *App) write(ctx context.Context) {
	w := &a.watch
	for ctx.Err() == nil {
		w.mu.Lock()
		if len(w.queue) == 0 {
			w.mu.Unlock()
			return
		}
		e := w.queue[0]
		w.queue = w.queue[1:]
		w.mu.Unlock()
		one, cancel := context.WithTimeout(ctx, time.Second)
		err := a.record.AppendEvent(one, e)
		cancel()
		if err == nil {
			w.warned = false
			continue
		}
		w.mu.Lock()
		w.queue = append([]store.Event{e}, w.queue[max(0, len(w.queue)+1-unwritten):]...)
		n := len(w.queue)
		w.mu.Unlock()
		if !w.warned && ctx.Err() == nil {
			a.log.Warn("alarms wait for the record", "count", n, "err", err)
		}
		w.warned = true
		return
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
