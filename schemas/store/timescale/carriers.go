package timescale

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

const carrierColumns = "district, site, carrier, start, step_us, delivered_wh, exported_wh, generated_wh, converted_wh, charge_wh, discharge_wh, consumed_wh, residual_wh, coverage, methods"

const upsertCarrier = "insert into carrier_balances(" + carrierColumns + `) values($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15)
	on conflict (district, start, site, carrier) do update set step_us=excluded.step_us, delivered_wh=excluded.delivered_wh, exported_wh=excluded.exported_wh,
	generated_wh=excluded.generated_wh, converted_wh=excluded.converted_wh, charge_wh=excluded.charge_wh, discharge_wh=excluded.discharge_wh, consumed_wh=excluded.consumed_wh,
	residual_wh=excluded.residual_wh, coverage=excluded.coverage, methods=excluded.methods
	where carrier_balances is distinct from excluded`

// SaveCarriers writes rows; a row of the same district, site, carrier and start is replaced.
func (s *Store) SaveCarriers(ctx context.Context, rows []balance.CarrierRow) error {
	if err := store.CheckCarriers(rows); err != nil {
		return fmt.Errorf("store: save %d carrier rows: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d carrier rows", len(rows)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		touch(b, rows, func(r *balance.CarrierRow) (string, time.Time) { return r.District, r.Start })
		for i := range rows {
			r := &rows[i]
			b.Queue(upsertCarrier, r.District, r.Site, string(r.Carrier), store.Instant(r.Start), r.Step.Microseconds(), int64(r.DeliveredWh), int64(r.ExportedWh), int64(r.GeneratedWh),
				int64(r.ConvertedWh), int64(r.ChargeWh), int64(r.DischargeWh), int64(r.ConsumedWh), int64(r.ResidualWh), r.Coverage, int16(r.Method))
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// Carriers returns the rows of a site ("": all) and carrier ("": all) that start in sp, by start, then site, then carrier.
func (s *Store) Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error) {
	return s.carriers(ctx, s.pool, districtID, site, carrier, sp)
}

func (s *Store) carriers(ctx context.Context, q querier, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error) {
	if !storable(districtID + site + string(carrier)) {
		return []balance.CarrierRow{}, ctx.Err()
	}
	rows, err := q.Query(ctx, "select "+carrierColumns+" from carrier_balances where district=$1 and start>=$2 and start<$3 and ($4='' or site=$4) and ($5='' or carrier=$5)"+
		" order by start, site, carrier", districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)), site, string(carrier))
	if err != nil {
		return nil, s.fail("read carriers of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, scanCarrier)
	return out, s.fail("read carriers of "+districtID, err)
}

func scanCarrier(row pgx.CollectableRow) (r balance.CarrierRow, err error) {
	var step int64
	var method int16
	var wh [8]int64
	err = row.Scan(&r.District, &r.Site, &r.Carrier, &r.Start, &step, &wh[0], &wh[1], &wh[2], &wh[3], &wh[4], &wh[5], &wh[6], &wh[7], &r.Coverage, &method)
	r.Start, r.Step, r.Method = r.Start.UTC(), time.Duration(step)*time.Microsecond, balance.Method(method)
	for i, f := range []*units.WattHours{&r.DeliveredWh, &r.ExportedWh, &r.GeneratedWh, &r.ConvertedWh, &r.ChargeWh, &r.DischargeWh, &r.ConsumedWh, &r.ResidualWh} {
		*f = units.WattHours(wh[i])
	}
	return r, err
}
