package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quartier/cmd/internal/balances"
	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

const (
	// maintainEvery is how often rollups are brought up to date, and tidyEvery how often old samples are packed and removed, on the machine's clock.
	maintainEvery = time.Minute
	tidyEvery     = 30 * time.Minute
	// packAfter is how long after its end a day is packed: late samples mostly come before.
	packAfter = 48 * time.Hour
)

// fineFor returns for how long single samples are kept; 0: for ever.
func fineFor(cfg *config.Config) time.Duration {
	return time.Duration(cfg.File.Record.FineDays * 24 * float64(time.Hour))
}

// maintainLoop keeps what the record has beside its samples up to date. Nothing that is read depends on it but the time that a read takes.
func (a *App) maintainLoop(ctx context.Context) {
	var tidied time.Time
	for wait(ctx, maintainEvery) {
		if err := a.record.Refresh(ctx, a.clock.Now()); err != nil && ctx.Err() == nil {
			a.log.Warn("rollups not refreshed", "err", err)
			continue
		}
		for i := range a.cfg.Districts {
			d := &a.cfg.Districts[i]
			if err := sumDays(ctx, a.record, a.cfg, d, a.clock.Now()); err != nil && ctx.Err() == nil {
				a.log.Warn("days not summed", "district", d.ID, "err", err)
			}
		}
		if time.Since(tidied) < tidyEvery {
			continue
		}
		tidied = time.Now()
		if err := a.tidy(ctx, a.clock.Now()); err != nil && ctx.Err() == nil {
			a.log.Warn("old samples not packed or removed", "err", err)
		}
	}
}

// sumDays keeps what a district's statements read by day: balances, of the boundaries of its profiles too, and what was observed beside them. Rollups are refreshed before.
func sumDays(ctx context.Context, st store.Store, cfg *config.Config, d *district.District, now time.Time) error {
	var errs []error
	if err := st.SumBalances(ctx, d.ID, d.Zone, now, balances.Boundaries(cfg.PEDProfiles(d.ID))...); err != nil {
		errs = append(errs, fmt.Errorf("sum balances: %w", err))
	}
	if err := st.SumObserved(ctx, balances.Observation(d), d.Zone, now); err != nil {
		errs = append(errs, fmt.Errorf("sum what was observed: %w", err))
	}
	return errors.Join(errs...)
}

// tidy removes the samples that the configuration keeps no longer, once what rests on them is closed, and packs those of closed days.
func (a *App) tidy(ctx context.Context, now time.Time) error {
	var errs []error
	if fine := fineFor(a.cfg); fine > 0 {
		cutoff, err := a.unneeded(ctx, now, now.Add(-fine))
		if err == nil && !cutoff.IsZero() {
			_, err = a.record.Retire(ctx, cutoff)
		}
		errs = append(errs, err)
	}
	if a.record.Pack != nil {
		errs = append(errs, a.record.Pack(ctx, now.Add(-packAfter)))
	}
	return errors.Join(errs...)
}

// restsOnBefore is how long before its begin a month's figures may rest on samples: those of the days that tell what is usual, and of the readings around its ends.
const restsOnBefore = (usualDays+1)*24*time.Hour + readMargin

// restsOnRemoved reports whether samples that a month's figures rest on may be among those of before retired.
func restsOnRemoved(month timegrid.Span, retired time.Time) bool {
	return month.Start.Add(-restsOnBefore).Before(retired)
}

// SamplesWait is the alarm of old samples that stay because the figures of a month that has ended are not published.
const SamplesWait = "samples-wait"

// waitsAfter is how long after its end a month may be without figures before that is an alarm, beyond the time that late data has.
const waitsAfter = closeAfter + 48*time.Hour

// unneeded returns until when, at most until t, no sample is needed any more: every district's balances reach beyond it, and no month that rests on samples of that time is without its
// figures in the ledger. It is zero while a district has no balances so far. What holds samples up although it should be over is shown as an alarm.
func (a *App) unneeded(ctx context.Context, now, t time.Time) (time.Time, error) {
	retired, err := a.record.Retired(ctx)
	if err != nil {
		return time.Time{}, err
	}
	waiting, open := map[string]console.Alarm{}, false
	for i := range a.cfg.Districts {
		d := &a.cfg.Districts[i]
		sp, err := a.record.BalanceSpan(ctx, d.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && sp.End.Before(t) {
			a.log.Info("old samples stay: balances are not closed", "district", d.ID, "to", sp.End, "wanted", t)
			open = true // what waits in other districts is an alarm all the same
			continue
		}
		if err != nil {
			return time.Time{}, err
		}
		month, err := a.openMonth(ctx, d, sp.Start, t.Add(restsOnBefore), retired)
		if err != nil {
			return time.Time{}, err
		}
		if until := month.Start.Add(-restsOnBefore); !month.Start.IsZero() && until.Before(t) {
			name := month.Start.In(d.Zone).Format("2006-01")
			a.log.Info("old samples stay: a month's figures are not in the ledger; 'quartier audit --close' publishes a month that has ended", "district", d.ID, "month", name, "from", until, "wanted", t)
			if late := month.End.Add(waitsAfter); now.After(late) {
				waiting[d.ID] = console.Alarm{Key: SamplesWait, Severity: "warning", Since: late.UTC(), Object: d.ID,
					Detail: fmt.Sprintf("%s: quartier audit --district %s --month %s --close; %s", name, d.ID, name, until.In(d.Zone).Format(time.DateOnly))}
			}
			t = until
		}
	}
	a.watch.mu.Lock()
	a.watch.waiting = waiting
	a.watch.mu.Unlock()
	if open {
		return time.Time{}, nil
	}
	return t, nil
}

// openMonth returns the first month of a district that begins before an instant, has samples and no published figures; a zero span where there is none. A month without any sample cannot be published
// any more, and one that has lost samples which it rests on, as those from before retired, not as it was: nothing waits for either.
func (a *App) openMonth(ctx context.Context, d *district.District, from, before, retired time.Time) (timegrid.Span, error) {
	series, err := a.record.Series(ctx, d.ID+"/")
	if err != nil {
		return timegrid.Span{}, err
	}
	for month := timegrid.Month(from, d.Zone); month.Start.Before(before); month = timegrid.Month(month.End, d.Zone) {
		if restsOnRemoved(month, retired) {
			continue
		}
		published, err := a.record.Figures(ctx, d.ID, month)
		if err != nil {
			return timegrid.Span{}, err
		}
		if len(published) > 0 {
			continue
		}
		err = a.record.Read(ctx, series, month, func(district.Sample) error { return errFound })
		if errors.Is(err, errFound) {
			return month, nil
		}
		if err != nil {
			return timegrid.Span{}, err
		}
	}
	return timegrid.Span{}, nil
}
