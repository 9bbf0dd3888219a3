package scheduler

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/district"
)

// TestForRecord: what the record keeps of a plan is as near to it as its digits say, in every series, and the plan itself is not changed.
func TestForRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := func(name string) []float64 {
			return rapid.SliceOfN(rapid.Float64Range(-2000, 2000), 3, 3).Draw(t, name)
		}
		p := &district.Plan{District: "d", ObjectiveEUR: 1.23456789012, ImportKW: list("import"), ExportKW: list("export"), Price: list("price"), ImportPrice: list("import price"), ExportPrice: list("export price"),
			CarbonGPerKWh: list("carbon"), Foreseen: []district.Foreseen{{Site: "s", Quantity: district.ForecastLoad, Mean: list("load"), Settled: true}}, Binding: []string{"b"},
			Sites: []district.SitePlan{{ID: "s", LoadKW: list("load"), NetKW: list("net"), Price: list("site price"), Devices: []district.DevicePlan{
				{ID: "bess", PowerKW: list("power"), EnergyKWh: list("energy"), Reason: []string{"sun", "", ""}}, {ID: "hp", PowerKW: list("power"), TemperatureC: list("temperature")}}}}}
		before, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		got := forRecord(p)
		if after, _ := json.Marshal(p); string(after) != string(before) {
			t.Fatalf("the plan became %s, was %s", after, before)
		}
		near := func(name string, got, want []float64, off float64) {
			if len(got) != len(want) || (got == nil) != (want == nil) {
				t.Fatalf("%s: %v, want %v", name, got, want)
			}
			for i := range got {
				if math.Abs(got[i]-want[i]) > off*1.01 || got[i] == 0 && math.Signbit(got[i]) {
					t.Fatalf("%s: %v, want %v", name, got, want)
				}
			}
		}
		gs, ws := got.Sites[0], p.Sites[0]
		for _, c := range []struct {
			name      string
			got, want []float64
		}{{"import", got.ImportKW, p.ImportKW}, {"export", got.ExportKW, p.ExportKW}, {"carbon", got.CarbonGPerKWh, p.CarbonGPerKWh}, {"load", gs.LoadKW, ws.LoadKW}, {"net", gs.NetKW, ws.NetKW},
			{"power", gs.Devices[0].PowerKW, ws.Devices[0].PowerKW}, {"energy", gs.Devices[0].EnergyKWh, ws.Devices[0].EnergyKWh}, {"no energy", gs.Devices[1].EnergyKWh, nil},
			{"temperature", gs.Devices[1].TemperatureC, ws.Devices[1].TemperatureC}} {
			near(c.name, c.got, c.want, 0.5e-4)
		}
		for _, c := range [][2][]float64{{got.Price, p.Price}, {got.ImportPrice, p.ImportPrice}, {got.ExportPrice, p.ExportPrice}, {gs.Price, ws.Price}} {
			near("price", c[0], c[1], 0.5e-6)
		}
		if got.ObjectiveEUR != p.ObjectiveEUR || !reflect.DeepEqual(got.Foreseen, p.Foreseen) || !slices.Equal(gs.Devices[0].Reason, ws.Devices[0].Reason) || !slices.Equal(got.Binding, p.Binding) {
			t.Fatalf("%+v, want %+v", got, p)
		}
	})
	if got := keepDigits([]float64{0.30000000000000004, -1e-9, 10.959712639087677}, 4); !slices.Equal(got, []float64{0.3, 0, 10.9597}) {
		t.Errorf("%v", got)
	}
}
