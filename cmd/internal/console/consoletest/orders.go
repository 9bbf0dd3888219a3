package consoletest

import (
	"context"
	"fmt"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// Give is as [console.Orders] says; every order costs the same.
func (w *World) Give(ctx context.Context, districtID string, o order.Order) (order.Order, error) {
	now := w.Now()
	for i := range w.Districts {
		if d := &w.Districts[i]; d.ID == districtID {
			if o.Start.IsZero() {
				o.Start = now
			}
			o.District, o.Created, o.Revision = d.ID, now, 1
			if f := order.Check(&o, d, now); len(f) > 0 {
				return o, f
			}
		}
	}
	had, _ := w.Store.Orders(ctx, districtID, timegrid.NewSpan(now.Add(-order.Longest), now.Add(2*order.Longest)))
	o.ID = fmt.Sprintf("o%d", len(had)+1)
	o.Cost = &order.Cost{EUR: 1.2, Low: 1, High: 1.3, Hours: 36, At: now}
	return o, w.Store.SaveOrders(ctx, []order.Order{o})
}

// Try is as [console.Orders] says; every order costs the same, and there is no plan for what begins in two days or later.
func (w *World) Try(_ context.Context, districtID string, o order.Order) (order.Order, string, error) {
	now := w.Now()
	for i := range w.Districts {
		if d := &w.Districts[i]; d.ID == districtID {
			if o.Start.IsZero() {
				o.Start = now
			}
			if f := order.Check(&o, d, now); len(f) > 0 {
				return o, "", f
			}
		}
	}
	if !o.Start.Before(now.AddDate(0, 0, 2)) {
		return o, "beyond_plan", nil
	}
	o.Cost = &order.Cost{EUR: 1.2, Low: 1, High: 1.3, Hours: 36, At: now}
	return o, "", nil
}

// End is as [console.Orders] says.
func (w *World) End(ctx context.Context, districtID, id, who, why string) (order.Order, error) {
	for _, o := range w.Open(districtID) {
		if o.ID == id && o.Source == order.FromConfig {
			return o, fmt.Errorf("order %s: %w", id, console.ErrStanding)
		}
		if o.ID == id {
			o.Revision++
			o.Outcome, o.EndedAt, o.EndedWho, o.EndedWhy = order.EndedBy, w.Now(), who, why
			return o, w.Store.SaveOrders(ctx, []order.Order{o})
		}
	}
	return order.Order{}, fmt.Errorf("order %s: %w", id, store.ErrNotFound)
}

// Open is as [console.Orders] says.
func (w *World) Open(districtID string) (out []order.Order) {
	now := w.Now()
	all, _ := w.Store.Orders(context.Background(), districtID, timegrid.NewSpan(now, now.Add(order.Longest+time.Hour)))
	for _, o := range all {
		if o.State(now) != order.Ended {
			out = append(out, o)
		}
	}
	for i := range w.Districts {
		if w.Districts[i].ID == districtID {
			out = append(out, order.Standing(&w.Districts[i])...)
		}
	}
	return out
}
