package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

const carrierColumns = "district, site, carrier, start_us, step_us, delivered_wh, exported_wh, generated_wh, converted_wh, charge_wh, discharge_wh, consumed_wh, residual_wh, coverage, methods"

// SaveCarriers writes rows; a row of the same district, site, carrier and start is replaced.
func (s *Store) SaveCarriers(ctx context.Context, rows []balance.CarrierRow) error {
	if err := store.CheckCarriers(rows); err != nil {
		return fmt.Errorf("store: save %d carrier rows: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d carrier rows", len(rows)), len(rows), func(ctx context.Context) (func(), error) {
		st, err := s.conn.PrepareContext(ctx, "insert or replace into carrier_balances("+carrierColumns+") values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
		if err != nil {
			return nil, err
		}
		defer st.Close()
		for i := range rows {
			r := &rows[i]
			if _, err := st.ExecContext(ctx, r.District, r.Site, string(r.Carrier), store.Micro(r.Start), r.Step.Microseconds(), int64(r.DeliveredWh), int64(r.ExportedWh), int64(r.GeneratedWh),
				int64(r.ConvertedWh), int64(r.ChargeWh), int64(r.DischargeWh), int64(r.ConsumedWh), int64(r.ResidualWh), r.Coverage, int64(r.Method)); err != nil {
				return nil, err
			}
		}
		if err := touch(ctx, s.conn, rows, func(r *balance.CarrierRow) (string, time.Time) { return r.District, r.Start }); err != nil {
			return nil, err
		}
		return nil, s.enqueue(ctx, &batch.Batch{Kind: batch.OfCarriers, Carriers: rows})
	})
}

// Carriers returns the rows of a site ("": all) and carrier ("": all) that start in sp, by start, then site, then carrier.
func (s *Store) Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error) {
	return s.carriers(ctx, s.readers, districtID, site, carrier, sp)
}

func (s *Store) carriers(ctx context.Context, q querier, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error) {
	rows, err := q.QueryContext(ctx, "select "+carrierColumns+" from carrier_balances where district=?1 and start_us>=?2 and start_us<?3 and (?4='' or site=?4) and (?5='' or carrier=?5)"+
		" order by start_us, site, carrier", districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End), site, string(carrier))
	if err != nil {
		return nil, s.fail("read carriers of "+districtID, err)
	}
	out, err := collect(rows, scanCarrier)
	return out, s.fail("read carriers of "+districtID, err)
}

func scanCarrier(rows *sql.Rows) (r balance.CarrierRow, err error) {
	var start, step int64
	var wh [8]int64
	err = rows.Scan(&r.District, &r.Site, &r.Carrier, &start, &step, &wh[0], &wh[1], &wh[2], &wh[3], &wh[4], &wh[5], &wh[6], &wh[7], &r.Coverage, &r.Method)
	r.Start, r.Step = store.FromMicro(start), time.Duration(step)*time.Microsecond
	for i, f := range []*units.WattHours{&r.DeliveredWh, &r.ExportedWh, &r.GeneratedWh, &r.ConvertedWh, &r.ChargeWh, &r.DischargeWh, &r.ConsumedWh, &r.ResidualWh} {
		*f = units.WattHours(wh[i])
	}
	return r, err
}
