package timescale

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
)

const forecastColumns = "district, site, device, quantity, day, lead_min, replayed, count, absolute, persistence, measured, banded, covered, pinball"

const upsertForecast = "insert into forecast_errors(" + forecastColumns + `) values($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)
	on conflict (district, day, site, device, quantity, lead_min, replayed) do update set count=excluded.count, absolute=excluded.absolute, persistence=excluded.persistence,
	measured=excluded.measured, banded=excluded.banded, covered=excluded.covered, pinball=excluded.pinball
	where forecast_errors is distinct from excluded`

// SaveForecastErrors writes rows; a row of the same district, site, device, quantity, day, lead and kind of making is replaced.
func (s *Store) SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error {
	if err := store.CheckForecastErrors(rows); err != nil {
		return fmt.Errorf("store: save %d forecast errors: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d forecast errors", len(rows)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		touchObserved(b, daily.Judged(rows))
		for i := range rows {
			r := &rows[i]
			b.Queue(upsertForecast, r.District, r.Site, r.Device, r.Quantity, store.Instant(r.Day), int32(r.LeadMinutes), r.Replayed, r.Count, r.Absolute, r.Persistence, r.Measured, r.Banded, r.Covered, r.Pinball)
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// ForecastErrors returns the rows of a district whose day begins in sp, by day, then site, device, quantity, lead, and those that were replayed last.
func (s *Store) ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error) {
	if !storable(districtID) {
		return []district.ForecastError{}, ctx.Err()
	}
	rows, err := s.pool.Query(ctx, "select "+forecastColumns+" from forecast_errors where district=$1 and day>=$2 and day<$3 order by day, site, device, quantity, lead_min, replayed",
		districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)))
	if err != nil {
		return nil, s.fail("read forecast errors of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, scanForecast)
	return out, s.fail("read forecast errors of "+districtID, err)
}

func scanForecast(row pgx.CollectableRow) (r district.ForecastError, err error) {
	var lead int32
	err = row.Scan(&r.District, &r.Site, &r.Device, &r.Quantity, &r.Day, &lead, &r.Replayed, &r.Count, &r.Absolute, &r.Persistence, &r.Measured, &r.Banded, &r.Covered, &r.Pinball)
	r.Day, r.LeadMinutes = r.Day.UTC(), int(lead)
	return r, err
}
