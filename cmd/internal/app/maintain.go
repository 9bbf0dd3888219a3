package app

import (
	"context"
	"time"
)

// maintainEvery is how often the record is kept in order, on the machine's clock.
const maintainEvery = time.Minute

// maintainLoop keeps what the record has beside its samples up to date. Nothing that is read depends on it but the time that a read takes.
func (a *App) maintainLoop(ctx context.Context) {
	for wait(ctx, maintainEvery) {
		if err := a.record.Refresh(ctx, a.clock.Now()); err != nil && ctx.Err() == nil {
			a.log.Warn("rollups not refreshed", "err", err)
		}
	}
}
