package balance

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var roles = []district.Role{district.DeliveredRole, district.ExportedRole, district.GeneratedRole, district.ConvertedRole, district.ChargedRole, district.DischargedRole, district.ConsumedRole}

// TestCarrierRowsClose: every row of a carrier closes to the watt-hour, at the site and at the district; only the residual is negative, and without a boundary meter the district's net is that of its sites.
func TestCarrierRowsClose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 6).Draw(t, "slots")
		sp := timegrid.NewSpan(t0, t0.Add(time.Duration(n)*step))
		meter := rapid.Custom(func(t *rapid.T) CarrierMeter {
			return CarrierMeter{Role: rapid.SampledFrom(roles).Draw(t, "role"), Slots: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) SlotEnergy {
				return SlotEnergy{Wh: units.WattHours(rapid.Int64Range(0, 9000).Draw(t, "wh")), Covered: rapid.IntRange(0, 5).Draw(t, "gap") > 0}
			}), n, n).Draw(t, "slots")}
		})
		var sites [][]CarrierRow
		for range rapid.IntRange(0, 4).Draw(t, "sites") {
			sites = append(sites, CarrierSite("d", "s", Heat, rapid.SliceOfN(meter, 1, 4).Draw(t, "meters"), sp, step))
		}
		own := rapid.SliceOfN(meter, 0, 3).Draw(t, "own")
		bounded := false
		for _, m := range own {
			bounded = bounded || m.Role == district.DeliveredRole || m.Role == district.ExportedRole
		}
		check := func(r *CarrierRow) {
			if r.Unexplained() != 0 || r.ConsumedWh < 0 || r.DeliveredWh < 0 || r.ExportedWh < 0 || r.Coverage < 0 || r.Coverage > 1 || (r.Coverage < 1) != (r.Method != 0) {
				t.Fatalf("row %+v is open by %d Wh", *r, r.Unexplained())
			}
		}
		if len(sites)+len(own) == 0 {
			return
		}
		for i, d := range CarrierDistrict("d", Heat, sites, own, sp, step) {
			var net units.WattHours
			for _, s := range sites {
				check(&s[i])
				net += s[i].DeliveredWh - s[i].ExportedWh
			}
			check(&d)
			if !bounded && d.DeliveredWh-d.ExportedWh != net {
				t.Fatalf("district row %+v, its sites net %d Wh", d, net)
			}
		}
	})
}

// TestHeatNetwork: a district whose station counts what the network delivers loses between it and its buildings; a heat pump's heat is neither delivered nor generated; a building without
// a meter of consumption used what was delivered.
func TestHeatNetwork(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(step))
	one := func(role district.Role, wh units.WattHours) CarrierMeter {
		return CarrierMeter{Role: role, Slots: []SlotEnergy{{Wh: wh, Covered: true}}}
	}
	school := CarrierSite("d", "school", Heat, []CarrierMeter{one(district.DeliveredRole, 4000), one(district.ConvertedRole, 1500)}, sp, step)
	flats := CarrierSite("d", "flats", Heat, []CarrierMeter{one(district.DeliveredRole, 5000), one(district.ConsumedRole, 5200), one(district.GeneratedRole, 300)}, sp, step)
	if r := school[0]; r.ConsumedWh != 5500 || r.ResidualWh != 0 {
		t.Errorf("school %+v, want 5500 Wh consumed", r)
	}
	if r := flats[0]; r.ConsumedWh != 5200 || r.ResidualWh != -100 {
		t.Errorf("flats %+v, want a residual of -100 Wh", r)
	}
	d := CarrierDistrict("d", Heat, [][]CarrierRow{school, flats}, []CarrierMeter{one(district.DeliveredRole, 9800)}, sp, step)[0]
	if d.DeliveredWh != 9800 || d.ConsumedWh != 10_700 || d.GeneratedWh != 300 || d.ConvertedWh != 1500 || d.ResidualWh != -900 || d.Unexplained() != 0 {
		t.Errorf("district %+v, want 9800 Wh delivered, 10700 Wh consumed and 900 Wh lost", d)
	}
	if got := CarrierDistrict("d", Heat, [][]CarrierRow{school, flats}, nil, sp, step)[0]; got.DeliveredWh != 9000 || got.ResidualWh != -100 {
		t.Errorf("district without a station %+v", got)
	}
	solo := CarrierDistrict("d", Heat, nil, []CarrierMeter{one(district.DeliveredRole, 700)}, sp, step)[0]
	if solo.ConsumedWh != 700 || solo.ResidualWh != 0 {
		t.Errorf("district with its station alone %+v, want it consumed", solo)
	}
}

// TestScale: litres of gas become watt-hours by the content of their day, slot by slot, and where no content is known nothing is.
func TestScale(t *testing.T) {
	slots := []SlotEnergy{{Wh: 100, Covered: true}, {Wh: 100, Covered: true}, {Wh: 3, Covered: true}}
	Scale(slots, timegrid.NewSpan(t0, t0.Add(3*step)), step, func(at time.Time) (float64, bool) {
		switch {
		case at.Equal(t0):
			return 0, false
		case at.Equal(t0.Add(step)):
			return 11.21, true
		}
		return 11.18, true
	})
	for i, want := range []SlotEnergy{{}, {Wh: 1121, Covered: true}, {Wh: 34, Covered: true}} {
		if slots[i] != want {
			t.Errorf("slot %d is %+v, want %+v", i, slots[i], want)
		}
	}
}
