package app

import (
	"context"
	"fmt"
	"time"

	"quartier/cmd/internal/console"
	"quartier/scheduler"
	"quartier/schemas/store"
)

// overrides lets the console take devices out of control and back.
type overrides struct{ a *App }

func (o overrides) Pause(_ context.Context, districtID, site, device, reason string, until time.Time, actor string) error {
	s := o.a.schedulers[districtID]
	if s == nil {
		return fmt.Errorf("app: district %s is not under control: %w", districtID, store.ErrNotFound)
	}
	return s.Pause(scheduler.Pause{Site: site, Device: device, Reason: reason, Actor: actor, Since: o.a.clock.Now(), Until: until})
}

func (o overrides) Resume(_ context.Context, districtID, site, device, reason, actor string) error {
	if s := o.a.schedulers[districtID]; s != nil {
		return s.Resume(site, device, actor, reason)
	}
	return nil
}

func (o overrides) Paused() []console.Override {
	var out []console.Override
	for id, s := range o.a.schedulers {
		for _, p := range s.Paused() {
			out = append(out, console.Override{District: id, Site: p.Site, Device: p.Device, Reason: p.Reason, Actor: p.Actor, Since: p.Since, Until: p.Until})
		}
	}
	return out
}
