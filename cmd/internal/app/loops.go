package app

import (
	"context"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// gatherTime is how long a sample may wait for others, to share their transaction: 200 devices read each second are 5 of them a second, and not 200.
const gatherTime = 50 * time.Millisecond

// sink takes what was read: first to the record, then to everybody else. What the disk does not take is in the record's memory, and control goes on.
func (a *App) sink(ctx context.Context, samples []district.Sample) error {
	start := time.Now()
	if err := a.record.Append(ctx, samples); err != nil {
		a.metrics.refused.Add(float64(len(samples)))
		return err
	}
	a.metrics.stored.Add(float64(len(samples)))
	a.metrics.append.Observe(time.Since(start).Seconds())
	a.noteLate(samples)
	a.hub.Publish(samples)
	return nil
}

// closedAgain is how long before now slots are closed again and again, for data that is a little late.
const closedAgain = 2 * time.Hour

// noteLate remembers the oldest of samples whose slots are not closed again by themselves, such as those that a device kept while it could not be reached.
func (a *App) noteLate(samples []district.Sample) {
	bound := a.clock.Now().Add(-closedAgain)
	for i := range samples {
		s := &samples[i]
		if !s.Time.Before(bound) {
			continue
		}
		id, _, _, _, _ := s.Series.Parts()
		a.mu.Lock()
		if at, ok := a.late[id]; !ok || s.Time.Before(at) {
			a.late[id] = s.Time
		}
		a.mu.Unlock()
	}
}

// takeLate returns the oldest late sample of a district, or a zero time, and forgets it.
func (a *App) takeLate(id string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.late[id]
	delete(a.late, id)
	return at
}

// signalLoop publishes prices and other signals at the begin of every slot.
func (a *App) signalLoop(ctx context.Context) {
	var last time.Time
	step := a.cfg.Districts[0].Step
	for i := range a.cfg.Districts {
		step = min(step, a.cfg.Districts[i].Step)
	}
	for {
		at := timegrid.Floor(a.clock.Now(), step)
		if out := a.signals(last, at); len(out) > 0 {
			if err := a.sink(ctx, out); err != nil && ctx.Err() == nil {
				a.log.Warn("signals not recorded", "err", err)
			}
		}
		last = at
		if !wait(ctx, max(200*time.Millisecond, a.clock.Wall(at.Add(step).Sub(a.clock.Now())))) {
			return
		}
	}
}

// signals returns the prices and the carbon intensity of every district's slot at an instant, of those whose slot has begun since the last time.
func (a *App) signals(last, now time.Time) []district.Sample {
	var out []district.Sample
	for i := range a.cfg.Districts {
		d := &a.cfg.Districts[i]
		at := timegrid.Floor(now, d.Step)
		if !at.After(last) {
			continue
		}
		t := a.cfg.Tariffs[d.Tariff]
		if v, err := t.ImportAt(at); err == nil {
			out = append(out, signal(d.ID, "tariff", district.ImportPrice, at, v))
		}
		if v, err := t.ExportAt(at); err == nil {
			out = append(out, signal(d.ID, "tariff", district.ExportPrice, at, v))
		}
		if g, ok := carbonOf(a.cfg.Sources[d.Carbon], timegrid.Span{Start: at, End: at.Add(d.Step)}); ok {
			out = append(out, signal(d.ID, "carbon", district.CarbonIntensity, at, g))
		}
	}
	if a.opt.Signals != nil && now.After(last) {
		out = append(out, a.opt.Signals(now)...)
	}
	return out
}

func signal(districtID, device, quantity string, at time.Time, v float64) district.Sample {
	return district.Sample{Series: district.NewSeriesID(districtID, district.DistrictSite, device, quantity), Time: at, Value: v, Source: district.FromSignal}
}

// accountLoop closes the balance of every slot a little after its end, and closes the last hours again for late data; after a failure of the disk, all slots since its begin.
func (a *App) accountLoop(ctx context.Context) {
	var behind time.Time // begin of a failure whose slots are not closed yet
	for {
		now := a.clock.Now()
		held := a.record.memory.State()
		if !held.Since.IsZero() && (behind.IsZero() || held.Since.Before(behind)) {
			behind = held.Since
		}
		failed := !held.Since.IsZero()
		for i := range a.cfg.Districts {
			d := &a.cfg.Districts[i]
			end := timegrid.Floor(now.Add(-a.clock.District(3*time.Second)), d.Step)
			start := end.Add(-max(closedAgain, timegrid.Ceil(time.Unix(0, 0).Add(a.clock.District(time.Minute)), d.Step).Sub(time.Unix(0, 0))))
			if first := timegrid.Floor(behind, d.Step); !behind.IsZero() && !failed && first.Before(start) {
				start = first
			}
			late := a.takeLate(d.ID)
			if first := timegrid.Floor(late.Add(-d.Step), d.Step); !late.IsZero() && first.Before(start) {
				start = first
			}
			if err := a.accountants[d.ID].closeAll(ctx, timegrid.NewSpan(start, end)); err != nil && ctx.Err() == nil {
				a.log.Warn("balance not closed", "district", d.ID, "err", err)
				failed = true
				if !late.IsZero() {
					a.noteLate([]district.Sample{{Series: carbonSeries(d.ID), Time: late}})
				}
			}
		}
		if !failed {
			behind = time.Time{}
		}
		step := a.cfg.Districts[0].Step
		next := timegrid.Ceil(a.clock.Now().Add(time.Second), step)
		if !wait(ctx, max(time.Second, min(time.Minute, a.clock.Wall(next.Sub(a.clock.Now()))+4*time.Second))) {
			return
		}
	}
}

// CloseAccounts computes and stores the balance rows of a span of every district.
func (a *App) CloseAccounts(ctx context.Context, sp timegrid.Span) error {
	for i := range a.cfg.Districts {
		if err := a.accountants[a.cfg.Districts[i].ID].Close(ctx, sp); err != nil {
			return err
		}
	}
	return nil
}
