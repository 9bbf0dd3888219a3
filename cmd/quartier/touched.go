package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// touched is a record that remembers which time of which district was written, so that its balances can be closed again.
type touched struct {
	store.Store
	spans map[string]timegrid.Span
}

// Append implements [appender].
func (t *touched) Append(ctx context.Context, samples []district.Sample) error {
	if err := t.Store.Append(ctx, samples); err != nil {
		return err
	}
	for i := range samples {
		id, _, _, _, _ := samples[i].Series.Parts()
		at := samples[i].Time
		sp, ok := t.spans[id]
		if !ok || at.Before(sp.Start) {
			sp.Start = at
		}
		if !ok || at.After(sp.End) {
			sp.End = at
		}
		t.spans[id] = sp
	}
	return nil
}

// close closes the balances of what was written. What cannot be closed is a note: the measurements are safe, and it can be asked for again.
func (t *touched) close(ctx context.Context, cfg *config.Config, notes io.Writer) {
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		sp, ok := t.spans[d.ID]
		if !ok {
			continue
		}
		sp = timegrid.NewSpan(timegrid.Floor(sp.Start.Add(-d.Step), d.Step), timegrid.Ceil(sp.End, d.Step))
		if err := app.CloseAccounts(ctx, cfg, t.Store, d, sp); err != nil {
			fmt.Fprintf(notes, "note: the balance of %s from %s to %s is not closed: %v; 'quartier balance --close' does it\n", d.ID, sp.Start.Format(time.RFC3339), sp.End.Format(time.RFC3339), err)
		}
	}
}
