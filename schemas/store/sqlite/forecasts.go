package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
)

const forecastColumns = "district, site, device, quantity, day_us, lead_min, replayed, count, absolute, persistence, measured, banded, covered, pinball"

// SaveForecastErrors writes rows; a row of the same district, site, device, quantity, day, lead and kind of making is replaced.
func (s *Store) SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error {
	if err := store.CheckForecastErrors(rows); err != nil {
		return fmt.Errorf("store: save %d forecast errors: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d forecast errors", len(rows)), len(rows), func(ctx context.Context) (func(), error) {
		if err := touchObserved(ctx, s.conn, daily.Judged(rows)); err != nil {
			return nil, err
		}
		st, err := s.conn.PrepareContext(ctx, "insert or replace into forecast_errors("+forecastColumns+") values(?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
		if err != nil {
			return nil, err
		}
		defer st.Close()
		for i := range rows {
			r := &rows[i]
			if _, err := st.ExecContext(ctx, r.District, r.Site, r.Device, r.Quantity, store.Micro(r.Day), r.LeadMinutes, r.Replayed, r.Count, r.Absolute, r.Persistence, r.Measured, r.Banded,
				r.Covered, r.Pinball); err != nil {
				return nil, err
			}
		}
		return nil, s.enqueue(ctx, &batch.Batch{Kind: batch.OfForecasts, Forecasts: rows})
	})
}

// ForecastErrors returns the rows of a district whose day begins in sp, by day, then site, device, quantity, lead, and those that were replayed last.
func (s *Store) ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error) {
	rows, err := s.readers.QueryContext(ctx, "select "+forecastColumns+" from forecast_errors where district=? and day_us>=? and day_us<? order by day_us, site, device, quantity, lead_min, replayed",
		districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End))
	if err != nil {
		return nil, s.fail("read forecast errors of "+districtID, err)
	}
	out, err := collect(rows, scanForecast)
	return out, s.fail("read forecast errors of "+districtID, err)
}

func scanForecast(rows *sql.Rows) (r district.ForecastError, err error) {
	var day int64
	err = rows.Scan(&r.District, &r.Site, &r.Device, &r.Quantity, &day, &r.LeadMinutes, &r.Replayed, &r.Count, &r.Absolute, &r.Persistence, &r.Measured, &r.Banded, &r.Covered, &r.Pinball)
	r.Day = store.FromMicro(day)
	return r, err
}
