package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
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
	return s.write(ctx, fmt.Sprintf("save %d outlooks", len(rows)), len(rows), func(ctx context.Context) (func(), error) {
		for i := range rows {
			r := &rows[i]
			if _, err := s.conn.ExecContext(ctx, "insert or replace into outlooks(district, at_us, body) values(?,?,?)", r.District, store.Micro(r.At), r.Body); err != nil {
				return nil, err
			}
		}
		for _, id := range store.OutlookDistricts(rows) {
			if _, err := s.conn.ExecContext(ctx, "delete from outlooks where district=?1 and at_us<=(select at_us from outlooks where district=?1 order by at_us desc limit 1 offset ?2)", id, store.KeptOutlooks); err != nil {
				return nil, err
			}
		}
		return nil, s.enqueue(ctx, &batch.Batch{Kind: batch.OfOutlooks, Outlooks: rows})
	})
}

// Outlooks returns the outlooks of a district at instants in sp, by time.
func (s *Store) Outlooks(ctx context.Context, districtID string, sp timegrid.Span) ([]district.Outlook, error) {
	rows, err := s.readers.QueryContext(ctx, "select district, at_us, body from outlooks where district=? and at_us>=? and at_us<? order by at_us", districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End))
	if err != nil {
		return nil, s.fail("read outlooks of "+districtID, err)
	}
	out, err := collect(rows, scanOutlook)
	return out, s.fail("read outlooks of "+districtID, err)
}

func scanOutlook(rows *sql.Rows) (r district.Outlook, err error) {
	var at int64
	err = rows.Scan(&r.District, &at, &r.Body)
	r.At = store.FromMicro(at)
	return r, err
}
