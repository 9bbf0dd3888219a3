package balances

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/schemas/balance/kpi"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// observedDays is the longest span of which rooms, limits and forecasts are read: they are kept by quarter-hours, and a year of them takes a hundred times as long as the year's balance.
const observedDays = 93

// observe reads what indicators need beside balance rows: rooms, inverters with their limits, and how wrong forecasts were.
func observe(ctx context.Context, st Store, q Query) (*kpi.Observed, error) {
	d, out := q.District, &kpi.Observed{}
	hours := q.Span.Duration().Hours()
	var inverters []inverter
	bands := map[district.SeriesID]*district.HeatPumpParams{}
	var rooms []district.SeriesID
	for site, dev := range d.AllDevices {
		if q.Site != district.DistrictSite && site != q.Site {
			continue
		}
		switch {
		case dev.Kind == district.HeatPump && dev.HeatPump != nil:
			id := dev.Series(d.ID, site, district.IndoorC)
			rooms, bands[id] = append(rooms, id), dev.HeatPump
			out.Comfort.Hours += hours
		case dev.Kind == district.PV && dev.PV != nil:
			inverters = append(inverters, inverter{limit: dev.Series(d.ID, site, district.LimitShare), power: dev.Series(d.ID, site, district.PowerKW), peakKW: dev.PV.PeakKW})
		}
	}
	if err := st.Rollup(ctx, rooms, q.Span, rollup.Quarter, d.Zone, func(r rollup.Row) error {
		if t, ok := r.Mean(); ok && r.Held > 0 {
			out.Comfort.Add(t, bands[r.Series].MinC, bands[r.Series].MaxC, r.Held.Hours())
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("balances: rooms of %s: %w", d.ID, err)
	}
	if err := curtailed(ctx, st, q, inverters, out); err != nil {
		return nil, fmt.Errorf("balances: limits of inverters of %s: %w", d.ID, err)
	}
	errs, err := st.ForecastErrors(ctx, d.ID, q.Span)
	if err != nil {
		return nil, fmt.Errorf("balances: errors of forecasts of %s: %w", d.ID, err)
	}
	quantity := district.ForecastLoad
	if q.Site == district.DistrictSite {
		quantity = district.ForecastNet
	}
	for _, e := range errs {
		if e.Site != q.Site || e.Quantity != quantity {
			continue
		}
		switch e.LeadMinutes {
		case 60:
			addErrors(&out.HourAhead, e)
		case 24 * 60:
			addErrors(&out.DayAhead, e)
		}
	}
	return out, nil
}

func addErrors(sum *kpi.Errors, e district.ForecastError) {
	sum.Slots += e.Count
	sum.AbsoluteKW += e.AbsoluteKW
	sum.MeasuredKW += e.MeasuredKW
}

// inverter is what is read of one.
type inverter struct {
	limit, power district.SeriesID
	peakKW       float64
}

// curtailed fills in what inverters gave with and without a limit, by quarter-hours. Power and irradiance are read only where there was a limit.
func curtailed(ctx context.Context, st Store, q Query, inverters []inverter, out *kpi.Observed) error {
	d := q.District
	var sun map[time.Time]float64 // kWh/m² by quarter-hour
	for _, inv := range inverters {
		c := kpi.Curtailment{Hours: q.Span.Duration().Hours()}
		limits, limited := map[time.Time]float64{}, false
		if err := st.Rollup(ctx, []district.SeriesID{inv.limit}, q.Span, rollup.Quarter, d.Zone, func(r rollup.Row) error {
			share, ok := r.Mean()
			if !ok || r.Held <= 0 {
				return nil
			}
			c.MeasuredHours += r.Held.Hours()
			limits[r.Start] = math.Inf(1)
			if share < 1 {
				limits[r.Start], limited = share*inv.peakKW, true
			}
			return nil
		}); err != nil {
			return err
		}
		if limited && sun == nil {
			var err error
			if sun, err = irradiation(ctx, st, d, q.Span); err != nil {
				return err
			}
		}
		out.Limited, out.Irradiance = out.Limited || limited, len(sun) > 0
		if limited && len(sun) > 0 {
			if err := st.Rollup(ctx, []district.SeriesID{inv.power}, q.Span, rollup.Quarter, d.Zone, func(r rollup.Row) error {
				limit, known := limits[r.Start]
				light, lit := sun[r.Start]
				if known && lit && r.Coverage() > 0.99 {
					c.Add(r.Start.In(d.Zone).Hour(), math.Max(0, -r.Integral), light, limit, r.Held.Hours())
				}
				return nil
			}); err != nil {
				return err
			}
		}
		out.Curtailment = append(out.Curtailment, c)
	}
	return nil
}

// irradiation returns the irradiation of the horizontal plane by quarter-hour, kWh/m², of the first weather station that measures it, the district's own first.
func irradiation(ctx context.Context, st Store, d *district.District, sp timegrid.Span) (map[time.Time]float64, error) {
	out := map[time.Time]float64{}
	for site, dev := range d.AllDevices {
		if dev.Kind != district.Weather || len(out) > 0 {
			continue
		}
		if err := st.Rollup(ctx, []district.SeriesID{dev.Series(d.ID, site, district.IrradianceWm2)}, sp, rollup.Quarter, d.Zone, func(r rollup.Row) error {
			if r.Coverage() > 0.99 {
				out[r.Start] = r.Integral / 1000
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
