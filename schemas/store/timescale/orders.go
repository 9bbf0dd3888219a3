package timescale

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"quartier/schemas/order"
	"quartier/schemas/store"
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
	return s.write(ctx, fmt.Sprintf("save %d orders", len(orders)), func(tx pgx.Tx) error {
		for _, o := range orders {
			o = store.CleanOrder(o)
			body, err := json.Marshal(o)
			if err != nil {
				return err
			}
			until := pgtype.Timestamptz{Valid: true, InfinityModifier: pgtype.Infinity}
			if u := o.Until(); !u.IsZero() {
				until = pgtype.Timestamptz{Valid: true, Time: u}
			}
			_, err = tx.Exec(ctx, "insert into orders(id, district, revision, created_at, start, until, body) values($1,$2,$3,$4,$5,$6,$7)"+
				" on conflict (id) do update set district=excluded.district, revision=excluded.revision, created_at=excluded.created_at, start=excluded.start,"+
				" until=excluded.until, body=excluded.body where excluded.revision>orders.revision",
				o.ID, o.District, o.Revision, o.Created, o.Start, until, string(body))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Orders returns the orders of a district that hold, held or were to hold somewhere in sp.
func (s *Store) Orders(ctx context.Context, districtID string, sp timegrid.Span) ([]order.Order, error) {
	if !storable(districtID) {
		return []order.Order{}, ctx.Err()
	}
	rows, err := s.pool.Query(ctx, "select body from orders where district=$1 and start<$2 and until>$3",
		districtID, store.FromMicro(store.CeilMicro(sp.End)), store.Instant(sp.Start))
	if err != nil {
		return nil, s.fail("read orders of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (o order.Order, err error) {
		var body []byte
		if err = row.Scan(&body); err == nil {
			err = json.Unmarshal(body, &o)
		}
		return o, err
	})
	slices.SortFunc(out, order.Compare)
	return out, s.fail("read orders of "+districtID, err)
}
