package outbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"quartier/schemas/order"
	"quartier/schemas/timegrid"
)

// SaveOrders writes orders to the local disk.
func (s *Store) SaveOrders(ctx context.Context, orders []order.Order) error {
	return s.wrote(s.local.SaveOrders(ctx, orders))
}

// Orders returns the orders of a district that hold, held or were to hold somewhere in sp, the file's and the database's; of one order, the highest revision that can be read
// now. What the file knows to be over in sp is not listed because the database has not heard of it.
func (s *Store) Orders(ctx context.Context, districtID string, sp timegrid.Span) ([]order.Order, error) {
	ours, err := s.local.Orders(ctx, districtID, timegrid.Span{Start: time.Unix(-1<<35, 0), End: time.Unix(1<<37, 0)})
	if err != nil {
		return nil, err
	}
	all := ours
	db, _ := s.database()
	if db != nil {
		bounded, cancel := context.WithTimeout(ctx, readWithin)
		defer cancel()
		theirs, dbErr := db.Orders(bounded, districtID, sp)
		if dbErr != nil {
			err = errors.Join(s.judge(ctx, dbErr), ctx.Err())
		}
		all = append(all, theirs...)
	}
	slices.SortStableFunc(all, func(a, b order.Order) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(b.Revision, a.Revision))
	})
	all = slices.CompactFunc(all, func(a, b order.Order) bool { return a.ID == b.ID })
	all = slices.DeleteFunc(all, func(o order.Order) bool {
		until := o.Until()
		return !o.Start.Before(sp.End) || !until.IsZero() && !until.After(sp.Start)
	})
	slices.SortFunc(all, order.Compare)
	return all, err
}
