package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// closingLoop publishes the figures of each month once it has ended and late data had its time. Months before the newest are closed by 'quartier audit --close'.
func (a *App) closingLoop(ctx context.Context) {
	for wait(ctx, max(time.Minute, min(time.Hour, a.clock.Wall(time.Hour)))) {
		if a.historyProgress().Loading {
			continue // a month that is still filling is not closed
		}
		for i := range a.cfg.Districts {
			d := &a.cfg.Districts[i]
			month := lastClosed(a.clock.Now(), d.Zone)
			n, err := a.closeMonth(ctx, i, month)
			switch name := month.Start.In(d.Zone).Format("2006-01"); {
			case errors.Is(err, store.ErrNotFound) || ctx.Err() != nil:
			case err != nil:
				a.log.Warn("month not closed", "district", d.ID, "month", name, "err", err)
			case n > 0:
				a.log.Info("month closed", "district", d.ID, "month", name, "figures", n)
			}
		}
	}
}

// lastClosed returns the newest month that may be closed at now.
func lastClosed(now time.Time, zone *time.Location) timegrid.Span {
	this := timegrid.Month(now.Add(-closeAfter), zone)
	return timegrid.Month(this.Start.Add(-time.Hour), zone)
}

// closeMonth publishes a month of a district unless that was done, and returns how many figures it wrote.
func (a *App) closeMonth(ctx context.Context, i int, month timegrid.Span) (int, error) {
	d := &a.cfg.Districts[i]
	have, err := a.record.Figures(ctx, d.ID, month)
	if err != nil || len(have) > 0 {
		return 0, err
	}
	books, err := NewBooks(a.cfg, d, a.record, a.clock.Now)
	if err != nil {
		return 0, err
	}
	written, err := books.Close(ctx, month)
	if err != nil {
		return 0, err
	}
	return len(written), a.record.AppendEvent(ctx, store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "month-closed", Object: d.ID,
		Detail: fmt.Sprintf("%s: %d figures", month.Start.In(d.Zone).Format("2006-01"), len(written)), Severity: "info"})
}
