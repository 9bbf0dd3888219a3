package timescale

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// SaveOutlooks writes outlooks; one of the same district and instant is replaced, and of each district the newest [store.KeptOutlooks] stay.
func (s *Store) SaveOutlooks(ctx context.Context, rows []district.Outlook) error {
	if err := store.CheckOutlooks(rows); err != nil {
		return fmt.Errorf("store: save %d outlooks: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d outlooks", len(rows)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for i := range rows {
			r := &rows[i]
			b.Queue("insert into outlooks(district, at, body) values($1,$2,$3) on conflict (district, at) do update set body=excluded.body", r.District, store.Instant(r.At), r.Body)
		}
		for _, id := range store.OutlookDistricts(rows) {
			b.Queue("delete from outlooks where district=$1 and at<=(select at from outlooks where district=$1 order by at desc limit 1 offset $2)", id, store.KeptOutlooks)
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// Outlooks returns the outlooks of a district at instants in sp, by time.
func (s *Store) Outlooks(ctx context.Context, districtID string, sp timegrid.Span) ([]district.Outlook, error) {
	if !storable(districtID) {
		return []district.Outlook{}, ctx.Err()
	}
	rows, err := s.pool.Query(ctx, "select district, at, body from outlooks where district=$1 and at>=$2 and at<$3 order by at",
		districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)))
	if err != nil {
		return nil, s.fail("read outlooks of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r district.Outlook, err error) {
		err = row.Scan(&r.District, &r.At, &r.Body)
		r.At = r.At.UTC()
		return r, err
	})
	return out, s.fail("read outlooks of "+districtID, err)
}
