package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quartier/cmd/internal/console"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// orders brings what people ask for to the schedulers.
type orders struct{ a *App }

// Give is as the console's Orders says.
func (o orders) Give(ctx context.Context, districtID string, given order.Order) (order.Order, error) {
	s := o.a.schedulers[districtID]
	if s == nil {
		return given, fmt.Errorf("app: district %s is not under control: %w", districtID, store.ErrNotFound)
	}
	return s.Order(ctx, given)
}

// Try is as the console's Orders says.
func (o orders) Try(ctx context.Context, districtID string, asked order.Order) (order.Order, string, error) {
	s := o.a.schedulers[districtID]
	if s == nil {
		return asked, "", fmt.Errorf("app: district %s is not under control: %w", districtID, store.ErrNotFound)
	}
	tried, unpriced, err := s.Try(ctx, asked)
	return tried, string(unpriced), err
}

// End is as the console's Orders says.
func (o orders) End(ctx context.Context, districtID, id, who, why string) (order.Order, error) {
	s := o.a.schedulers[districtID]
	if s == nil {
		return order.Order{}, fmt.Errorf("app: district %s is not under control: %w", districtID, store.ErrNotFound)
	}
	ended, err := s.EndOrder(ctx, id, who, why)
	switch {
	case errors.Is(err, scheduler.ErrNoOrder):
		err = fmt.Errorf("app: %w: %w", err, store.ErrNotFound)
	case errors.Is(err, scheduler.ErrStanding):
		err = fmt.Errorf("app: %w: %w", err, console.ErrStanding)
	}
	return ended, err
}

// Open is as the console's Orders says.
func (o orders) Open(districtID string) []order.Order {
	if s := o.a.schedulers[districtID]; s != nil {
		return s.Orders()
	}
	return nil
}

// keepOrders says what a scheduler does with orders beside obeying them: they are in the record, and what becomes of them by itself in the audit log. What people and building systems do
// is written there by whoever took it.
func (a *App) keepOrders() scheduler.Keep {
	return scheduler.Keep{
		Save: func(ctx context.Context, list []order.Order) error { return a.record.SaveOrders(ctx, list) },
		Changed: func(o order.Order, what scheduler.Change) {
			object := o.District
			for _, part := range []string{o.Site, o.Device} {
				if part != "" {
					object += "/" + part
				}
			}
			detail := fmt.Sprintf("%s %s (%s)", o.Kind, amount(o.Value, string(o.Kind.Unit())), o.ID)
			switch {
			case what == scheduler.OrderBegan:
				a.asks.record("quartier", "", "order-began", object, detail)
			case what == scheduler.OrderGiven && o.Source == order.FromSilence:
				a.log.Warn("the signal of a limit fell silent; its fall-back holds", "object", object, "limit_kw", o.Value, "until", o.End, "reason", o.Reason)
				a.asks.record("quartier", "", "order-fallback", object, detail+": "+o.Reason)
			case what == scheduler.OrderOver && o.Outcome != order.EndedBy && o.Outcome != order.Lapsed:
				a.asks.record("quartier", "", "order-"+string(o.Outcome), object, detail)
			}
		},
	}
}

// restoreOrders gives a scheduler the orders of the record that have not ended. Without them a device that is being worked on would be commanded: a record that cannot say is an error.
func (a *App) restoreOrders(ctx context.Context, d *district.District, s *scheduler.Scheduler) error {
	now := a.clock.Now()
	list, err := a.record.Orders(ctx, d.ID, timegrid.NewSpan(now.Add(-order.Longest), now.Add(order.Longest)))
	switch {
	case err != nil && list == nil:
		return fmt.Errorf("app: orders of %s: %w", d.ID, err)
	case err != nil:
		a.log.Warn("orders are those of this machine alone", "district", d.ID, "err", err)
	}
	s.Restore(list, time.Now().Add(a.asks.lasts))
	return nil
}
