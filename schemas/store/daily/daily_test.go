package daily

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

func someDays() []balance.Day {
	rng := rand.New(rand.NewPCG(1, 2))
	wh := func() units.WattHours { return units.WattHours(rng.Int64N(1<<rng.IntN(50)+1)) - 5 }
	var rows []balance.Row
	var others []balance.CarrierRow
	for i := range 300 {
		at := t0.Add(time.Duration(i)*15*time.Minute + time.Hour)
		rows = append(rows, balance.Row{District: "d", Site: "_", Start: at, Step: 15 * time.Minute, ImportWh: wh(), ExportWh: wh(), ProductionWh: wh(), ChargeWh: wh(), DischargeWh: wh(), HeatWh: wh(), CarsWh: wh(), OtherWh: wh(),
			ResidualWh: wh(), SharedWh: wh(), StationResidualWh: wh(), CostEUR: rng.NormFloat64(), CarbonKg: rng.Float64(), BaselineCostEUR: rng.NormFloat64(), BaselineCarbonKg: rng.Float64(), Coverage: rng.Float64(),
			Substituted: rng.IntN(2) == 0, Method: balance.Method(rng.IntN(16))})
		others = append(others, balance.CarrierRow{District: "d", Site: "_", Carrier: balance.Heat, Start: at, Step: 15 * time.Minute, DeliveredWh: wh(), ExportedWh: wh(), GeneratedWh: wh(), ConvertedWh: wh(), ChargeWh: wh(),
			DischargeWh: wh(), ConsumedWh: wh(), ResidualWh: wh(), Coverage: rng.Float64(), Method: balance.Method(rng.IntN(16))})
	}
	return balance.Days(rows, others, time.UTC)
}

func sumOf(d *balance.Day) Sum {
	return Sum{Site: d.Site, Carrier: d.Carrier, Start: d.Start, End: d.End(), Body: Encode(d)}
}

// numbers returns how many numbers a type holds, which visit must all show.
func numbers(t reflect.Type) (n int) {
	switch t.Kind() {
	case reflect.Pointer:
		return numbers(t.Elem())
	case reflect.Struct:
		if t == reflect.TypeFor[time.Time]() {
			return 1
		}
		for i := range t.NumField() {
			n += numbers(t.Field(i).Type)
		}
	case reflect.String:
	default:
		n = 1
	}
	return n
}

type counter struct{ n int }

func (c *counter) integer(*int64) { c.n++ }
func (c *counter) float(*float64) { c.n++ }

// TestEncode: every figure of a day comes back bit for bit, none is forgotten, and a body that was changed anywhere is refused.
func TestEncode(t *testing.T) {
	for _, d := range someDays() {
		x := sumOf(&d)
		got, err := Decode("d", &x)
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Fatalf("%v\n%+v %+v\nwant\n%+v %+v", err, got, got.Electric, d, d.Electric)
		}
		var c counter
		visit(&c, &d)
		// start, step and coverage are not shown, of the total coverage alone; of a carrier nothing of electricity
		want := numbers(reflect.TypeFor[balance.Day]()) - 3 - 1
		if d.Electric == nil {
			want -= numbers(reflect.TypeFor[balance.Electric]()) - 1
		}
		if c.n != want {
			t.Errorf("visit shows %d numbers of a day of %s, which has %d", c.n, d.Carrier, want)
		}
		for i := range x.Body {
			bad := x
			bad.Body = append([]byte(nil), x.Body...)
			bad.Body[i] ^= 1 << (i % 8)
			if _, err := Decode("d", &bad); err == nil {
				t.Fatalf("a body with byte %d changed decodes", i)
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, d := range someDays() {
		f.Add(Encode(&d), d.Electric != nil)
	}
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, body []byte, electric bool) {
		x := Sum{Site: "_", Carrier: balance.Heat, Start: t0, End: t0.Add(23 * time.Hour), Body: body}
		if electric {
			x.Carrier = balance.Electricity
		}
		d, err := Decode("d", &x)
		if err == nil && (math.IsNaN(d.CoveredHours) || d.Electric != nil && math.IsNaN(d.Electric.Total.CostEUR)) {
			t.Fatalf("%+v", d)
		}
	})
}

// TestTouched: rows touch spans by district, with those far apart apart, in whatever order they come.
func TestTouched(t *testing.T) {
	row := func(id string, hours int) balance.Row {
		return balance.Row{District: id, Start: t0.Add(time.Duration(hours) * time.Hour)}
	}
	got := Touched([]balance.Row{row("b", 3), row("a", 900), row("a", 0), row("a", 10), row("b", 2)}, func(r *balance.Row) (string, time.Time) { return r.District, r.Start })
	at := func(h int) time.Time { return t0.Add(time.Duration(h) * time.Hour) }
	want := []Span{{"a", timegrid.NewSpan(at(0), at(10))}, {"a", timegrid.NewSpan(at(900), at(900))}, {"b", timegrid.NewSpan(at(2), at(3))}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("touched %v, want %v", got, want)
	}
}
