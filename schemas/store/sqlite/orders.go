package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

// SaveOrders writes orders, all or none; of two revisions of one order the higher one stays.
func (s *Store) SaveOrders(ctx context.Context, orders []order.Order) error {
	if err := store.CheckOrders(orders); err != nil {
		return fmt.Errorf("store: save %d orders: %w", len(orders), err)
	}
	if len(orders) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d orders", len(orders)), len(orders), func(ctx context.Context) (func(), error) {
		b := &batch.Batch{Kind: batch.OfOrders}
		for _, o := range orders {
			o = store.CleanOrder(o)
			body, err := json.Marshal(o)
			if err != nil {
				return nil, err
			}
			until := int64(math.MaxInt64)
			if u := o.Until(); !u.IsZero() {
				until = store.Micro(u)
			}
			res, err := s.conn.ExecContext(ctx, "insert into orders(id, district, revision, created_us, start_us, until_us, body) values(?,?,?,?,?,?,?)"+
				" on conflict(id) do update set district=excluded.district, revision=excluded.revision, created_us=excluded.created_us, start_us=excluded.start_us,"+
				" until_us=excluded.until_us, body=excluded.body where excluded.revision>orders.revision",
				o.ID, o.District, o.Revision, store.Micro(o.Created), store.Micro(o.Start), until, string(body))
			if err != nil {
				return nil, err
			}
			if n, err := res.RowsAffected(); err != nil {
				return nil, err
			} else if n > 0 {
				b.Orders = append(b.Orders, o)
			}
		}
		if len(b.Orders) == 0 {
			return nil, nil
		}
		return nil, s.enqueue(ctx, b)
	})
}

// Orders returns the orders of a district that hold, held or were to hold somewhere in sp.
func (s *Store) Orders(ctx context.Context, districtID string, sp timegrid.Span) ([]order.Order, error) {
	rows, err := s.readers.QueryContext(ctx, "select body from orders where district=? and start_us<? and until_us>?",
		districtID, store.CeilMicro(sp.End), store.Micro(sp.Start))
	if err != nil {
		return nil, s.fail("read orders of "+districtID, err)
	}
	out, err := collect(rows, scanOrder)
	slices.SortFunc(out, order.Compare)
	return out, s.fail("read orders of "+districtID, err)
}

func scanOrder(rows *sql.Rows) (o order.Order, err error) {
	var body []byte
	if err := rows.Scan(&body); err != nil {
		return o, err
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return o, fmt.Errorf("an order: %w", err)
	}
	return o, nil
}
