package storetest

import (
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/units"
)

// Released checks a store whose schema was brought up to date from an earlier version: the records of testdata/schemas of each store hold the same rows, and every one of them is
// there, rollups included, which earlier versions did not have.
func Released(t *testing.T, s store.Store, version int, station bool) {
	series := []district.SeriesID{meter, pv, tank}
	var want []district.Sample
	for i, id := range series {
		for k := range 40 {
			v := []float64{float64(k) * 0.25, -1.5 * float64(k%7), 48 + float64(k)/8}[i]
			want = append(want, district.Sample{Series: id, Time: t0.Add(time.Duration(k) * 5 * time.Minute), Value: v,
				Quality: []district.Quality{district.Good, district.Good, district.Uncertain, district.Bad}[k%4], Source: []district.Source{0, 1, 0, 2}[k%4]})
		}
	}
	sp := span(t0, 24*time.Hour)
	names, err := s.Series(t.Context(), "")
	must(t, err)
	if len(names) != len(series) {
		t.Errorf("series %v, want %v", names, series)
	}
	for range 2 {
		equalSamples(t, read(t, s, sp, series...), want)
		asComputed(t, s, sp, series...)
		days := rollupRows(t, func(y func(rollup.Row) error) error {
			return s.Rollup(t.Context(), series, sp, rollup.Day, paris(t), y)
		})
		samples := 0
		for _, d := range days {
			samples += d.Samples + d.Bad
		}
		if samples != len(want) {
			t.Errorf("rollups of %d samples, want %d", samples, len(want))
		}
		must(t, s.Refresh(t.Context(), sp.End.Add(48*time.Hour)))
	}
	rows, err := s.Balances(t.Context(), "fontaine", "", sp)
	must(t, err)
	if len(rows) != 4 {
		t.Fatalf("%d balance rows, want 4", len(rows))
	}
	residual := units.WattHours(0)
	if station {
		residual = 12
	}
	for i, r := range rows {
		if !r.Start.Equal(t0.Add(time.Duration(i)*15*time.Minute)) || r.Step != 15*time.Minute || r.Site != "_" || r.ImportWh != 100 || r.ProductionWh != 250 || r.OtherWh != 210 || r.Coverage != 1 ||
			r.StationResidualWh != residual || r.BaselineCostEUR != 0.03 {
			t.Errorf("balance row %d is %+v", i, r)
		}
	}
	// sums of days, which earlier versions did not have, are those of the rows, before and after they are kept
	for range 2 {
		asSlots(t, s, "fontaine", span(t0.Add(-24*time.Hour), 72*time.Hour), []*time.Location{paris(t)})
		must(t, s.SumBalances(t.Context(), "fontaine", paris(t), sp.End))
	}
	p, err := s.Plan(t.Context(), 1_000_000_001)
	must(t, err)
	if p.District != "fontaine" || !p.CreatedAt.Equal(t0) {
		t.Errorf("plan %+v", p)
	}
	sps, err := s.Setpoints(t.Context(), "fontaine", "", "", sp, 0)
	must(t, err)
	events, err := s.Events(t.Context(), nil, sp, 0)
	must(t, err)
	u, err := s.User(t.Context(), "zoe")
	must(t, err)
	if len(sps) != 1 || sps[0].WantedKW != -3 || sps[0].Reason != "cheap" || len(events) != 1 || events[0].Action != "sign-in" || u.Role != store.Administrator {
		t.Errorf("version %d: set-points %+v, events %+v, user %+v", version, sps, events, u)
	}
	// it goes on: new rows, ids above those that were given
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0.Add(48*time.Hour), 7)}))
	id, err := s.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0.Add(time.Hour)})
	if err != nil || id == 1_000_000_001 {
		t.Errorf("a new plan has id %d, %v", id, err)
	}
}
