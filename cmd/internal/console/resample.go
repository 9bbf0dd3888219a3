package console

import (
	"context"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
)

// resample reads a series onto a grid: the mean of a gauge in each slot, a counter's growth over it, a state's last value. Slots of whole minutes are made of rollups, so that a year of
// a series is as quickly read as a day; shorter ones of the samples.
func (s *Server) resample(ctx context.Context, id district.SeriesID, form district.Form, g grid) ([]*float64, []string, error) {
	switch {
	case g.step%(15*time.Minute) == 0:
		return s.resampleFrom(ctx, id, form, g, rollup.Quarter)
	case g.step%time.Minute == 0:
		return s.resampleFrom(ctx, id, form, g, rollup.Minute)
	}
	values, quality := make([]*float64, g.n), make([]string, g.n)
	worst := make([]district.Quality, g.n)
	count := make([]int, g.n)
	var previous *district.Sample
	read := g.span
	if form == district.Counter {
		read.Start = read.Start.Add(-g.step)
	}
	err := s.deps.Store.Read(ctx, []district.SeriesID{id}, read, func(v district.Sample) error {
		sample := v
		defer func() { previous = &sample }()
		k, ok := g.index(v.Time)
		if !ok {
			return nil
		}
		if severity(v.Quality) > severity(worst[k]) || count[k] == 0 {
			worst[k] = v.Quality
		}
		quality[k] = worst[k].String()
		if v.Quality == district.Bad && form != district.State {
			return nil
		}
		x := v.Value
		switch {
		case form == district.Counter:
			if previous == nil || v.Value < previous.Value { // the first, or a reset: growth unknown
				return nil
			}
			x = v.Value - previous.Value
			if values[k] != nil {
				x += *values[k]
			}
		case form == district.Gauge && count[k] > 0:
			n := float64(count[k])
			x = (*values[k]*n + v.Value) / (n + 1)
		}
		count[k]++
		values[k] = &x
		return nil
	})
	return values, quality, err
}

// resampleFrom reads a series onto a grid whose slots are made of those of a rollup.
func (s *Server) resampleFrom(ctx context.Context, id district.SeriesID, form district.Form, g grid, step rollup.Step) ([]*float64, []string, error) {
	values, quality := make([]*float64, g.n), make([]string, g.n)
	slot, k := rollup.Row{}, -1
	put := func() {
		if k < 0 || slot.Samples+slot.Bad > 0 && slot.Samples == 0 && slot.Held == 0 {
			return
		}
		v, known := slot.Mean()
		switch form {
		case district.Counter:
			v, known = slot.Growth, slot.Held > 0 || slot.Growth > 0
		case district.State:
			v = slot.Last
		}
		if known {
			values[k] = &v
		}
	}
	err := s.deps.Store.Rollup(ctx, []district.SeriesID{id}, g.span, step, time.UTC, func(r rollup.Row) error {
		at, ok := g.index(r.Start)
		if !ok {
			return nil
		}
		if at != k {
			put()
			slot, k = r, at
		} else {
			slot.Add(r)
		}
		if slot.Samples+slot.Bad > 0 {
			quality[k] = slot.Worst.String()
		}
		return nil
	})
	put()
	return values, quality, err
}

// severity orders qualities from good to bad.
func severity(q district.Quality) int {
	return map[district.Quality]int{district.Good: 0, district.Substituted: 1, district.Uncertain: 2, district.Bad: 3}[q]
}
