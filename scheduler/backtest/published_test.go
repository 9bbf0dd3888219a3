package backtest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTold: what is known of a slot is the newest that was said of it, and by what reading is learned from what came.
func TestTold(t *testing.T) {
	nan := math.NaN()
	came := make([]float64, 72)
	for i := range came {
		came[i] = float64(i % 7)
	}
	// said gives columns that speak of slots so far ahead, each off by so much a slot
	said := func(off float64, leads ...int) (out [][]float64) {
		for _, lead := range leads {
			v := make([]float64, len(came))
			for i := range v {
				v[i] = float64((i+lead)%7) + off*float64(lead)
			}
			out = append(out, v)
		}
		return out
	}
	hours, steps := []int{6, 12, 24}, []int{1, 2, 3}
	for _, c := range []struct {
		what      string
		said      [][]float64
		now, slot int
		want      float64
	}{
		{"what came", said(0.01, 6, 12, 24), 40, 39, 4},
		{"the slot under way has come", said(0.01, 6, 12, 24), 40, 40, 5},
		{"next slot, by what was said 5 h ago", said(0.01, 6, 12, 24), 40, 41, 6 + 0.06},
		{"in 6 h", said(0.01, 6, 12, 24), 40, 46, 4 + 0.06},
		{"in 7 h", said(0.01, 6, 12, 24), 40, 47, 5 + 0.12},
		{"in 13 h", said(0.01, 6, 12, 24), 40, 53, 4 + 0.24},
		{"in 24 h", said(0.01, 6, 12, 24), 40, 64, 1 + 0.24},
		{"in 25 h", said(0.01, 6, 12, 24), 40, 65, nan},
		{"steps, two ahead", said(0.01, 1, 2, 3), 40, 42, 0 + 0.02},
		{"steps, three ahead", said(0.01, 1, 2, 3), 40, 43, 1 + 0.03},
		{"steps, four ahead", said(0.01, 1, 2, 3), 40, 44, nan},
		{"before what is known tells nothing", said(0, 1, 2, 3), 0, 6, 1},
		{"before the first slot", said(0, 6, 12, 24), 3, -1, nan},
	} {
		got := NewTold(came, c.said, hours, steps).At(c.now, c.slot)
		if math.Abs(got-c.want) > 1e-9 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%s: %g, want %g", c.what, got, c.want)
		}
	}
	told := NewTold(came, said(0, 6, 12, 24), hours, steps)
	if got := told.Known(30); len(got) != 55 || got[54] != 5 {
		t.Errorf("at slot 30 %d slots are known without a gap, the last is %g; want 55 and 5", len(got), got[len(got)-1])
	}
	if got := told.Known(3); len(got) != 4 { // of slots 6 to 9, 12 to 15 and 24 to 27 something was said, of 4 and 5 nothing
		t.Errorf("at slot 3 %d slots are known without a gap, want 4", len(got))
	}
	empty := said(0, 6, 12, 24)
	empty[0][38] = nan
	if got := NewTold(came, empty, hours, steps).At(40, 44); got != 2 {
		t.Errorf("where one column said nothing: %g, want 2 as another said", got)
	}
}

// publishes is a set of so many days whose tariff follows no calendar and whose sun follows the weather, both published, or not.
func publishes(days int, ahead bool, tariff func(slot int) float64, direct func(slot int) float64) fstest.MapFS {
	var b, price, weather strings.Builder
	b.WriteString("month,hour,day_type,non_shiftable_load,solar_generation\n")
	price.WriteString("electricity_pricing")
	weather.WriteString("outdoor_dry_bulb_temperature,diffuse_solar_irradiance,direct_solar_irradiance")
	if ahead {
		for i := range 3 {
			fmt.Fprintf(&price, ",electricity_pricing_predicted_%d", i+1)
		}
		for _, of := range []string{"outdoor_dry_bulb_temperature", "diffuse_solar_irradiance", "direct_solar_irradiance"} {
			for i := range 3 {
				fmt.Fprintf(&weather, ",%s_predicted_%d", of, i+1)
			}
		}
	}
	price.WriteString("\n")
	weather.WriteString("\n")
	for i := range 24 * days {
		fmt.Fprintf(&b, "6,%d,%d,1,%g\n", i%24+1, i/24%7+1, direct(i))
		fmt.Fprintf(&price, "%g", tariff(i))
		fmt.Fprintf(&weather, "20,0,%g", direct(i))
		if ahead {
			for _, lead := range []int{6, 12, 24} {
				fmt.Fprintf(&price, ",%g", tariff(i+lead))
			}
			for _, v := range []func(int) float64{func(int) float64 { return 20 }, func(int) float64 { return 0 }, direct} {
				for _, lead := range []int{6, 12, 24} {
					fmt.Fprintf(&weather, ",%g", v(i+lead))
				}
			}
		}
		price.WriteString("\n")
		weather.WriteString("\n")
	}
	return fstest.MapFS{"schema.json": {Data: []byte(`{"buildings": {"B": {"energy_simulation": "b.csv", "weather": "weather.csv", "pricing": "pricing.csv",
 "pv": {"type": "PV", "attributes": {"nominal_power": 3}},
 "electrical_storage": {"type": "Battery", "attributes": {"capacity": 6, "efficiency": 0.9, "nominal_power": 3, "loss_coefficient": 0}}}}}`)},
		"b.csv": {Data: []byte(b.String())}, "pricing.csv": {Data: []byte(price.String())}, "weather.csv": {Data: []byte(weather.String())}}
}

// TestPublishedTariffIsHeard: prices that follow no calendar and are published a day ahead are used, nothing is known of later ones, and who does not hear pays more.
func TestPublishedTariffIsHeard(t *testing.T) {
	tariff := func(slot int) float64 { return []float64{0.1, 0.1, 0.3, 0.1, 0.1, 0.5, 0.1, 0.2}[slot/3*slot/3*7%8] }
	none := func(int) float64 { return 0 }
	cost := func(ahead, deaf bool) *Result {
		c, err := CityLearn(publishes(14, ahead, tariff, none), "published")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Backtest(t.Context(), c, Settings{Deaf: deaf, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	heard, deaf, silent := cost(true, false), cost(true, true), cost(false, false)
	if h, d := *heard.Captured, *deaf.Captured; h < 0.9 || d > h-0.1 {
		t.Errorf("captured %.3f, without hearing %.3f; want 0.9 at least and much less", h, d)
	}
	if deaf.Runs["quartier"].Cost != silent.Runs["quartier"].Cost {
		t.Errorf("not hearing costs %g, where nothing is published %g", deaf.Runs["quartier"].Cost, silent.Runs["quartier"].Cost)
	}
	if want := "the import tariff is published up to 24 h ahead and heard as it is published; on average it is off by 0 % of its mean"; !slices.Contains(heard.notes(), want) {
		t.Errorf("notes %q, want among them %q", heard.notes(), want)
	}
	if heard.Settings["published_heard"] != true || deaf.Settings["published_heard"] != false || silent.Settings["published_heard"] != false {
		t.Errorf("the settings say that the published was heard: %v, %v and %v", heard.Settings["published_heard"], deaf.Settings["published_heard"], silent.Settings["published_heard"])
	}
}

// TestPublishedIsNoLookAhead: what the rows after a slot say changes no decision up to it.
func TestPublishedIsNoLookAhead(t *testing.T) {
	const days, changed = 16, 15 * 24
	direct := func(after float64) func(int) float64 {
		return func(slot int) float64 {
			sun := math.Max(0, math.Sin(float64(slot%24-6)/12*math.Pi))
			day := float64(slot / 24 * 5 % 7)
			if slot >= changed {
				day = after
			}
			return math.Round(100 * sun * (2 + day))
		}
	}
	tariff := func(after float64) func(int) float64 {
		return func(slot int) float64 {
			if slot >= changed {
				return after
			}
			return 0.2 + 0.1*float64(slot/6%3)
		}
	}
	// rows up to the change are those of one future in both sets, what these say beforehand too
	join := func(a, b fstest.MapFS, name string) {
		first, then := strings.SplitAfter(string(a[name].Data), "\n"), strings.SplitAfter(string(b[name].Data), "\n")
		b[name] = &fstest.MapFile{Data: []byte(strings.Join(first[:changed+1], "") + strings.Join(then[changed+1:], ""))}
	}
	one, other := publishes(days, true, tariff(0.1), direct(0)), publishes(days, true, tariff(0.9), direct(9))
	for _, name := range []string{"b.csv", "pricing.csv", "weather.csv"} {
		join(one, other, name)
	}
	run := func(set fstest.MapFS) []float64 {
		c, err := CityLearn(set, "future")
		if err != nil {
			t.Fatal(err)
		}
		r, err := Backtest(t.Context(), c, Settings{ExportPrice: 0.05, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		return r.Runs["quartier"].power
	}
	a, b := run(one), run(other)
	if !slices.Equal(a[:changed], b[:changed]) {
		t.Error("what comes later changed decisions before it")
	}
	if slices.Equal(a[changed:], b[changed:]) {
		t.Error("the two futures were met with the same decisions")
	}
}
