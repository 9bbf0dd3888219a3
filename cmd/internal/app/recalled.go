package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// recalled are records that remember what was read of the last site and of its district, and days' rollups: members of one site rest on the same months. It serves one computation, in which the record counts as it was when
// it was first read, and one goroutine.
type recalled struct {
	records
	of      map[bool]string // whether of a district itself: its name, or the site's
	rows    map[bool]map[timegrid.Span][]balance.Row
	rollups map[string][]rollup.Row
}

// Balances is as [records]; callers do not change what it returns.
func (r *recalled) Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	whole := site == district.DistrictSite
	if r.of == nil {
		r.of, r.rows = map[bool]string{}, map[bool]map[timegrid.Span][]balance.Row{}
	}
	if of := districtID + "/" + site; of != r.of[whole] {
		r.of[whole], r.rows[whole] = of, map[timegrid.Span][]balance.Row{}
	}
	if rows, ok := r.rows[whole][sp]; ok {
		return rows, nil
	}
	rows, err := r.records.Balances(ctx, districtID, site, sp)
	if err == nil {
		r.rows[whole][sp] = rows
	}
	return rows, err
}

// Rollup is as [records].
func (r *recalled) Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	if step != rollup.Day {
		return r.records.Rollup(ctx, series, sp, step, zone, yield)
	}
	key := fmt.Sprint(series, sp.Start.UnixMicro(), sp.End.UnixMicro(), zone)
	rows, ok := r.rollups[key]
	if !ok {
		if err := r.records.Rollup(ctx, series, sp, step, zone, func(row rollup.Row) error {
			rows = append(rows, row)
			return nil
		}); err != nil {
			return err
		}
		if r.rollups == nil {
			r.rollups = map[string][]rollup.Row{}
		}
		r.rollups[key] = slices.Clip(rows)
	}
	for _, row := range rows {
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}
