package app

import (
	"context"
	"errors"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/store"
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
		if time.Since(tidied) < tidyEvery {
			continue
		}
		tidied = time.Now()
		if err := a.tidy(ctx, a.clock.Now()); err != nil && ctx.Err() == nil {
			a.log.Warn("old samples not packed or removed", "err", err)
		}
	}
}

// tidy removes the samples that the configuration keeps no longer, once what rests on them is closed, and packs those of closed days.
func (a *App) tidy(ctx context.Context, now time.Time) error {
	var errs []error
	if fine := fineFor(a.cfg); fine > 0 {
		cutoff := now.Add(-fine)
		closed, err := a.closedTo(ctx, cutoff)
		if err == nil && closed {
			_, err = a.record.Retire(ctx, cutoff)
		}
		errs = append(errs, err)
	}
	if a.record.Pack != nil {
		errs = append(errs, a.record.Pack(ctx, now.Add(-packAfter)))
	}
	return errors.Join(errs...)
}

// closedTo reports whether every district has its balances up to a time.
func (a *App) closedTo(ctx context.Context, t time.Time) (bool, error) {
	for i := range a.cfg.Districts {
		sp, err := a.record.BalanceSpan(ctx, a.cfg.Districts[i].ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && sp.End.Before(t) {
			a.log.Info("old samples stay: balances are not closed", "district", a.cfg.Districts[i].ID, "to", sp.End, "wanted", t)
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
}
