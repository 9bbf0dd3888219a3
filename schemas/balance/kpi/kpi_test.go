package kpi

import (
	"math"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var t0 = time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)

// rows of hours from production, consumption, charge and discharge, kWh.
func rows(g, l, in, out []float64) []balance.Row {
	wh := func(x []float64, i int) units.WattHours {
		if i < len(x) {
			return units.Energy(x[i]).WattHours()
		}
		return 0
	}
	var list []balance.Row
	for i := range g {
		r := balance.Row{District: "d", Site: "_", Start: t0.Add(time.Duration(i) * time.Hour), Step: time.Hour, ProductionWh: wh(g, i), OtherWh: wh(l, i), ChargeWh: wh(in, i), DischargeWh: wh(out, i), Coverage: 1}
		net := r.OtherWh + r.ChargeWh - r.ProductionWh - r.DischargeWh
		r.ImportWh, r.ExportWh = max(0, net), max(0, -net)
		list = append(list, r)
	}
	return list
}

func compute(r []balance.Row, carriers []balance.CarrierRow) []Value {
	return Compute(Input{Boundary: "district", Period: timegrid.NewSpan(t0, t0.Add(time.Duration(len(r))*time.Hour)), Step: time.Hour, Days: balance.Days(r, carriers, time.UTC), ConnectionKW: 10})
}

// TestWorkedExample: four hours without storage, each indicator as computed by hand.
func TestWorkedExample(t *testing.T) {
	values := compute(rows([]float64{0, 2, 6, 4}, []float64{2, 4, 3, 4}, nil, nil), nil)
	want := map[string]float64{"self_consumption": 0.75, "self_sufficiency": 9.0 / 13, "onsite_energy_ratio": 0.9231, "onsite_energy_ratio_electricity": 12.0 / 13, "load_match_index": 0.625, "mismatch_ratio": 0.375,
		"grid_interaction_index": 0.6821, "grid_interaction_index_sample": 0.7876, "max_hourly_surplus_kw": 3, "max_hourly_surplus_ratio": 1, "max_hourly_deficit_kw": 2, "loss_of_load_probability": 0.5,
		"generation_multiple": 1.5, "peak_import_kw": 2, "peak_load_ratio": 0.5, "connection_capacity_factor": 7.0 / 40}
	for id, w := range want {
		v := Find(values, id)
		if v == nil || v.Value == nil || math.Abs(*v.Value-w) > 5e-5 {
			t.Errorf("%s is %+v, want %v", id, v, w)
			continue
		}
		if v.Coverage != 1 || v.Boundary != "district" || v.Step != time.Hour {
			t.Errorf("%s: coverage %v of %s", id, v.Coverage, v.Boundary)
		}
	}
	if v := Find(values, "storage_round_trip"); v.Value != nil || v.Reason != why.NothingStored {
		t.Errorf("round trip without storage: %+v", v)
	}
}

// TestDistrictOfTwoCarriers: 2200 MWh of sun of which 700 are used by a demand of 1000, and 2400 of a heat network; heat of a heat pump is no demand of its own.
func TestDistrictOfTwoCarriers(t *testing.T) {
	r := rows([]float64{0, 2200}, []float64{300, 700}, nil, nil)
	values := compute(r, []balance.CarrierRow{{Carrier: balance.Heat, DeliveredWh: 2_400_000, ConsumedWh: 2_400_000}, {Carrier: balance.Heat, ConvertedWh: 900_000, ConsumedWh: 900_000}})
	for id, w := range map[string]float64{"self_consumption": 700.0 / 2200, "self_sufficiency": 0.7, "onsite_energy_ratio_electricity": 2.2, "onsite_energy_ratio": 2200.0 / 3400} {
		if v := Find(values, id); v.Value == nil || math.Abs(*v.Value-w) > 1e-9 {
			t.Errorf("%s is %+v, want %v", id, v, w)
		}
	}
}

// TestRegistry: ids and names are there once, and every indicator says its formula, inputs and unit.
func TestRegistry(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range All() {
		if seen[d.ID] || d.Version < 1 || d.Formula == "" || d.Unit == "" || d.NameEN == "" || d.NameFR == "" || len(d.Inputs) == 0 || !regexp.MustCompile(`^[a-z_]+$`).MatchString(d.ID) {
			t.Errorf("indicator %q is twice there or incomplete: %+v", d.ID, d)
		}
		seen[d.ID] = true
	}
	for _, v := range compute(nil, nil) {
		if v.Value != nil || v.Reason == "" {
			t.Errorf("%s of nothing is %v, %q", v.ID, v.Value, v.Reason)
		}
	}
}

// TestShares: whatever the energies, shares and indices lie in [0, 1], a value is finite, and there is a reason exactly where there is no value.
func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "hours")
		series := func(name string) []float64 {
			return rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 5000), func(v int) float64 { return float64(v) / 1000 }), n, n).Draw(t, name)
		}
		for _, v := range compute(rows(series("g"), series("l"), series("in"), series("out")), nil) {
			if (v.Value == nil) != (v.Reason != "") {
				t.Fatalf("%s is %v for the reason %q", v.ID, v.Value, v.Reason)
			}
			switch v.ID {
			case "self_consumption", "self_sufficiency", "mismatch_ratio", "load_match_index", "loss_of_load_probability":
				if v.Value != nil && (*v.Value < 0 || *v.Value > 1) {
					t.Fatalf("%s is %v", v.ID, *v.Value)
				}
			}
		}
	})
}
