package sharing

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/balance"
)

// TestOrigin: the roof's energy counts when it is used, also by way of the battery; what the battery took from the grid stays the grid's.
func TestOrigin(t *testing.T) {
	rows := []balance.Row{
		{DischargeWh: 500, OtherWh: 500},                                                         // of a charge that nobody knows
		{ImportWh: 3000, ChargeWh: 2000, OtherWh: 1000},                                          // charged from the grid
		{DischargeWh: 900, OtherWh: 900},                                                         // and given back
		{ProductionWh: 4000, ExportWh: 1000, ChargeWh: 2000, OtherWh: 1000},                      // charged from the roof
		{DischargeWh: 1500, OtherWh: 1500},                                                       // and given back
		{DischargeWh: 900, OtherWh: 1900, ImportWh: 1000, SharedWh: 300},                         // the rest of both
		{ImportWh: 2000, SharedWh: 2000, OtherWh: 1500, ChargeWh: 500},                           // neighbours' sun
		{ProductionWh: 100, ExportWh: 0, ImportWh: 400, SharedWh: 100, HeatWh: 300, CarsWh: 200}, // all together
	}
	want := []Part{{0, 0, 500}, {0, 0, 1000}, {0, 0, 900}, {1000, 0, 0}, {1500, 0, 0}, {500, 300, 1100}, {0, 1500, 0}, {100, 100, 300}}
	if got := Parts(rows, 1); !reflect.DeepEqual(got, want) {
		t.Errorf("parts\n%v, want\n%v", got, want)
	}
}

// TestOriginInvariants: the parts are the consumption, none is negative, and no more is claimed of the roof than it gave; members' parts sum to the site's but for a
// watt-hour each.
func TestOriginInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.Map(rapid.Int64Range(0, 5000), func(v int64) wh { return wh(v) })
		rows := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) balance.Row {
			return balance.Row{ImportWh: any.Draw(t, "import"), ExportWh: any.Draw(t, "export"), ProductionWh: any.Draw(t, "production"), SharedWh: any.Draw(t, "shared"), OtherWh: any.Draw(t, "other")}
		}), 0, 50).Draw(t, "rows")
		var consumed, kept wh
		var sum Part
		for i, p := range Parts(rows, 1) {
			consumed += rows[i].OtherWh
			kept += max(0, rows[i].ProductionWh-rows[i].ExportWh)
			sum.Add(p)
			if p.Own < 0 || p.Shared < 0 || p.Grid < 0 || p.Total() != rows[i].OtherWh || sum.Own > kept {
				t.Fatalf("slot %d of %+v is %+v, %d Wh of the roof's %d Wh claimed", i, rows[i], p, sum.Own, kept)
			}
		}
		var members Part
		for range 4 {
			for _, p := range Parts(rows, 0.25) {
				members.Add(p)
			}
		}
		if d := members.Total() - consumed; d < -12 || d > 12 {
			t.Fatalf("four quarters are %d Wh of %d Wh", members.Total(), consumed)
		}
	})
}
