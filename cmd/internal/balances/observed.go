package balances

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"quartier/schemas/balance/kpi"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// watched is what indicators read of a district beside its balance rows, as it is configured: rooms, inverters with their limits, weather stations, and how wrong the forecasts of the district and of each site were.
type watched struct {
	district  *district.District
	rooms     []room
	inverters []inverter
	stations  []district.SeriesID // the district's own first
	forecasts []string            // sites whose load is foreseen; the district itself stands for its net power
}

type room struct {
	site       string
	indoor     district.SeriesID
	minC, maxC float64
}

type inverter struct {
	site         string
	limit, power district.SeriesID
	peakKW       float64
}

func watch(d *district.District) *watched {
	w := &watched{district: d, forecasts: []string{district.DistrictSite}}
	for i := range d.Sites {
		w.forecasts = append(w.forecasts, d.Sites[i].ID)
	}
	for site, dev := range d.AllDevices {
		switch {
		case dev.Kind == district.HeatPump && dev.HeatPump != nil:
			w.rooms = append(w.rooms, room{site, dev.Series(d.ID, site, district.IndoorC), dev.HeatPump.MinC, dev.HeatPump.MaxC})
		case dev.Kind == district.PV && dev.PV != nil:
			w.inverters = append(w.inverters, inverter{site, dev.Series(d.ID, site, district.LimitShare), dev.Series(d.ID, site, district.PowerKW), dev.PV.PeakKW})
		case dev.Kind == district.Weather:
			w.stations = append(w.stations, dev.Series(d.ID, site, district.IrradianceWm2))
		}
	}
	return w
}

// observedVersion grows with every change of what is summed of a day, or of how it is packed.
const observedVersion = 2

// Observation is what a record keeps of each day of a district for the indicators that are made of no balance row. Its name changes with the devices, comfort bands and ratings of the configuration.
func Observation(d *district.District) store.Observation { return watch(d).observation() }

func (w *watched) observation() store.Observation {
	var series []district.SeriesID
	for _, r := range w.rooms {
		series = append(series, r.indoor)
	}
	for _, inv := range w.inverters {
		series = append(series, inv.limit, inv.power)
	}
	series = append(series, w.stations...)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %v %v %v %v", observedVersion, w.district.Zone, w.rooms, w.inverters, w.stations, w.forecasts))
	return store.Observation{District: w.district.ID, Name: hex.EncodeToString(sum[:12]), Series: series, Sum: func(ctx context.Context, from store.Observed, days []timegrid.Span) ([][]byte, error) {
		seen, err := w.look(ctx, from, days)
		out := make([][]byte, len(seen))
		for i := range seen {
			out[i] = seen[i].encode()
		}
		return out, err
	}}
}

// observe returns what indicators need beside balance rows, of the devices of a site or of the whole district, from the part of the span that is read.
func observe(ctx context.Context, st Store, q Query, read timegrid.Span) (*kpi.Observed, error) {
	w := watch(q.District)
	var days []observedDay
	for part, whole := range stretches(read, q.District.Zone) {
		if !whole {
			seen, err := w.look(ctx, st, []timegrid.Span{part})
			if err != nil {
				return nil, err
			}
			days = append(days, seen...)
			continue
		}
		bodies, err := st.ObservedDays(ctx, w.observation(), part, q.District.Zone)
		if err != nil {
			return nil, fmt.Errorf("balances: what was observed in %s: %w", q.District.ID, err)
		}
		for _, body := range bodies {
			day, err := w.decode(body)
			if err != nil {
				return nil, err
			}
			days = append(days, day)
		}
	}
	return w.total(days, q), nil
}

// total sums days up for the devices of a site or of the whole district.
func (w *watched) total(days []observedDay, q Query) *kpi.Observed {
	inside := func(site string) bool { return q.Site == district.DistrictSite || site == q.Site }
	out, hours := &kpi.Observed{}, q.Span.Duration().Hours()
	for i, r := range w.rooms {
		if inside(r.site) {
			out.Comfort.Hours += hours
			for k := range days {
				out.Comfort.Merge(&days[k].rooms[i])
			}
		}
	}
	for i, inv := range w.inverters {
		if inside(inv.site) {
			c := kpi.Curtailment{Hours: hours}
			for k := range days {
				c.Merge(&days[k].inverters[i].Curtailment)
				out.Limited = out.Limited || days[k].inverters[i].limited
			}
			out.Curtailment = append(out.Curtailment, c)
		}
	}
	for k := range days {
		out.Irradiance = out.Irradiance || days[k].lit
		for i, site := range w.forecasts {
			if site == q.Site {
				out.HourAhead.Merge(days[k].errors[i].hourAhead)
				out.DayAhead.Merge(days[k].errors[i].dayAhead)
			}
		}
	}
	return out
}

// look reads what was observed in spans that follow one another in time, of which each is summed by itself.
func (w *watched) look(ctx context.Context, from store.Observed, spans []timegrid.Span) ([]observedDay, error) {
	d := w.district
	out := make([]observedDay, len(spans))
	for i := range out {
		out[i] = observedDay{rooms: make([]kpi.Comfort, len(w.rooms)), inverters: make([]observedInverter, len(w.inverters)), errors: make([]observedErrors, len(w.forecasts))}
	}
	if len(spans) == 0 {
		return out, ctx.Err()
	}
	all := timegrid.Span{Start: spans[0].Start, End: spans[len(spans)-1].End}
	read := func(series []district.SeriesID, f func(day *observedDay, r *rollup.Row)) error {
		i := 0
		return from.Rollup(ctx, series, all, rollup.Quarter, d.Zone, func(r rollup.Row) error {
			if i < len(spans) && r.Start.Before(spans[i].Start) || i == len(spans) { // of the next series
				i = 0
			}
			for i < len(spans) && !r.Start.Before(spans[i].End) {
				i++
			}
			if i < len(spans) && spans[i].Contains(r.Start) {
				f(&out[i], &r)
			}
			return nil
		})
	}
	rooms, series := map[district.SeriesID]int{}, []district.SeriesID{}
	for i, x := range w.rooms {
		rooms[x.indoor], series = i, append(series, x.indoor)
	}
	if err := read(series, func(day *observedDay, r *rollup.Row) {
		i := rooms[r.Series]
		if t, ok := r.Mean(); ok && r.Held > 0 {
			day.rooms[i].Add(t, w.rooms[i].minC, w.rooms[i].maxC, r.Held.Hours())
		}
	}); err != nil {
		return nil, fmt.Errorf("balances: rooms of %s: %w", d.ID, err)
	}
	if err := w.yields(read); err != nil {
		return nil, fmt.Errorf("balances: inverters of %s: %w", d.ID, err)
	}
	errs, err := from.ForecastErrors(ctx, d.ID, all)
	if err != nil {
		return nil, fmt.Errorf("balances: errors of forecasts of %s: %w", d.ID, err)
	}
	i := 0
	for _, e := range errs {
		for i < len(spans) && !e.Day.Before(spans[i].End) {
			i++
		}
		if i < len(spans) && spans[i].Contains(e.Day) {
			out[i].judge(w, e)
		}
	}
	return out, ctx.Err()
}

// yields fills in what inverters gave with and without a limit, where irradiation is known. Time under a limit by day is measured where power and irradiation are known with it.
func (w *watched) yields(read func([]district.SeriesID, func(*observedDay, *rollup.Row)) error) error {
	if len(w.inverters) == 0 {
		return nil
	}
	sun, by := map[time.Time]float64{}, map[*observedDay]district.SeriesID{} // irradiation of the horizontal plane by quarter-hour, kWh/m², of the first station that measures it on the day
	if err := read(w.stations, func(day *observedDay, r *rollup.Row) {
		if r.Coverage() > 0.99 && (!day.lit || by[day] == r.Series) {
			day.lit, by[day] = true, r.Series
			sun[r.Start] = r.Integral / 1000
		}
	}); err != nil {
		return err
	}
	type bound struct{ kw, hours float64 } // kw +Inf: none
	inverters, limits := map[district.SeriesID]int{}, make([]map[time.Time]bound, len(w.inverters))
	var told, powers []district.SeriesID
	for i, inv := range w.inverters {
		inverters[inv.limit], inverters[inv.power], limits[i] = i, i, map[time.Time]bound{}
		told = append(told, inv.limit)
	}
	if err := read(told, func(day *observedDay, r *rollup.Row) {
		i := inverters[r.Series]
		share, ok := r.Mean()
		if !ok || r.Held <= 0 {
			return
		}
		x, b := &day.inverters[i], bound{math.Inf(1), r.Held.Hours()}
		if share < 1 {
			b.kw, x.limited = share*w.inverters[i].peakKW, true
		}
		limits[i][r.Start] = b
		if light, lit := sun[r.Start]; share >= 1 || lit && light <= 0 { // nothing is held back, whatever else is known
			x.MeasuredHours += b.hours
		}
	}); err != nil {
		return err
	}
	for i, inv := range w.inverters {
		if len(limits[i]) > 0 && len(sun) > 0 {
			powers = append(powers, inv.power)
		}
	}
	return read(powers, func(day *observedDay, r *rollup.Row) {
		i := inverters[r.Series]
		limit, known := limits[i][r.Start]
		light, lit := sun[r.Start]
		if !known || !lit || r.Coverage() <= 0.99 {
			return
		}
		x := &day.inverters[i]
		x.Add(r.Start.In(w.district.Zone).Hour(), math.Max(0, -r.Integral), light, limit.kw, r.Held.Hours())
		if !math.IsInf(limit.kw, 1) && light > 0 {
			x.MeasuredHours += limit.hours
		}
	})
}
