package bill

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var paris = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return loc
}()

func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, paris)
	if err != nil {
		panic(err)
	}
	return t
}

// charges are those of the worked example: excise of 30.85 EUR/MWh on households from 1 February 2026, 48.4 EUR/MWh of network charge, an assumption, and 20 % VAT.
func charges(t *tariff.Tariff) *tariff.Tariff {
	t.Zone = paris
	t.Network = []tariff.Charge{{From: at("2025-08-01 00:00"), EURPerKWh: map[tariff.Period]float64{tariff.BasePeriod: 0.0484}, Source: "TURPE 7, assumed"}}
	t.Excise = []tariff.Charge{{From: at("2025-08-01 00:00"), EURPerKWh: map[tariff.Period]float64{tariff.BasePeriod: 0.02998}}, {From: at("2026-02-01 00:00"), EURPerKWh: map[tariff.Period]float64{tariff.BasePeriod: 0.03085}}}
	t.VAT = []tariff.Rate{{From: at("2025-08-01 00:00"), Share: 0.2}}
	return t
}

func base() *tariff.Tariff {
	return charges(&tariff.Tariff{ID: "base", Kind: tariff.Base, Rows: []tariff.Row{{From: at("2026-02-01 00:00"), Import: map[tariff.Period]float64{tariff.BasePeriod: 0.1940}}}})
}

// quarter is a quarter-hour with energy shared.
func quarter(text string, wh units.WattHours) Slot {
	return Slot{at(text), at(text).Add(15 * time.Minute), wh}
}

func near(a, b, by float64) bool { return math.Abs(a-b) <= by }

// TestWorkedExample: the Base tariff of February 2026, computed by hand with four digits: what a kWh avoids and saves at three prices, exempt of excise or not, and a month of 62 kWh.
func TestWorkedExample(t *testing.T) {
	month := []Slot{quarter("2026-03-10 12:00", 31_000), quarter("2026-03-11 12:00", 31_000)}
	for _, tt := range []struct {
		price   float64
		exempt  bool
		avoided float64 // EUR/kWh
		net     float64
	}{{0.08, true, 0.1359, 0.0559}, {0.10, true, 0.1359, 0.0359}, {0.12, true, 0.1359, 0.0159}, {0.08, false, 0.0989, 0.0189}, {0.10, false, 0.0989, -0.0011}, {0.12, false, 0.0989, -0.0211}} {
		e, err := Of(base(), []Term{{PriceEURPerKWh: tt.price, ExciseExempt: tt.exempt}}, month)
		if err != nil {
			t.Fatal(err)
		}
		if x := e.Total; len(e.Lines) != 1 || x.SharedWh != 62_000 || !near(x.AvoidedEUR/62, tt.avoided, 5e-5) || !near(x.EffectEUR()/62, tt.net, 1e-4) || !near((x.AvoidedEUR+x.DueEUR())/62, 0.1940, 1e-12) {
			t.Errorf("at %g EUR/kWh, exempt %v: %+v, want %g and %g EUR/kWh", tt.price, tt.exempt, x, tt.avoided, tt.net)
		}
		if tt.price == 0.10 && tt.exempt && !near(e.Total.EffectEUR(), 2.23, 0.005) {
			t.Errorf("62 kWh save %g EUR, want 2.23 EUR", e.Total.EffectEUR())
		}
	}
}

// TestPeriods: a line for each period, with energy of a step that a price divides in proportion to time, by hand.
func TestPeriods(t *testing.T) {
	free := []Term{{PriceEURPerKWh: 0.10, ExciseExempt: true}}
	hphc := charges(&tariff.Tariff{ID: "hphc", Kind: tariff.HPHC, OffPeak: []tariff.Window{{From: 12*60 + 40, To: 15*60 + 40, FirstMonth: 4, LastMonth: 10}, {From: 23 * 60, To: 7 * 60}},
		Rows: []tariff.Row{{From: at("2026-02-01 00:00"), Import: map[tariff.Period]float64{tariff.HP: 0.2065, tariff.HC: 0.1579}}}})
	due := 0.0484 * 1.2
	for _, tt := range []struct {
		name  string
		t     *tariff.Tariff
		terms []Term
		slots []Slot
		want  []Line // period, energy, avoided, paid
	}{
		{"off-peak from 12:40 in summer: a third of the quarter-hour is peak's", hphc, free, []Slot{quarter("2026-06-01 12:30", 300), quarter("2026-06-01 13:00", 700), quarter("2026-06-01 18:00", 500), quarter("2026-06-02 13:00", 0)},
			[]Line{{Period: tariff.HP, SharedWh: 700, AvoidedEUR: 0.7 * (0.2065 - due), PaidEUR: 0.07}, {Period: tariff.HC, SharedWh: 800, AvoidedEUR: 0.8 * (0.1579 - due), PaidEUR: 0.08}}},
		{"the same hours in winter", hphc, free, []Slot{quarter("2026-02-02 13:00", 1000)}, []Line{{Period: tariff.HP, SharedWh: 1000, AvoidedEUR: 0.2065 - due, PaidEUR: 0.1}}},
		{"Tempo: red and blue of a day at 6:00", charges(&tariff.Tariff{ID: "tempo", Kind: tariff.Tempo, Rows: []tariff.Row{{From: at("2026-02-01 00:00"), Import: map[tariff.Period]float64{tariff.BlueHP: 0.1612,
			tariff.BlueHC: 0.1325, tariff.WhiteHP: 0.1871, tariff.WhiteHC: 0.1499, tariff.RedHP: 0.7060, tariff.RedHC: 0.1575}}},
			Colour: func(_ int, _ time.Month, d int) tariff.Colour {
				return map[bool]tariff.Colour{true: tariff.Red, false: tariff.Blue}[d == 10]
			}}), free, []Slot{quarter("2026-02-10 05:45", 1000), quarter("2026-02-10 12:00", 2000), quarter("2026-02-11 05:45", 1000), quarter("2026-02-11 12:00", 1000)},
			[]Line{{Period: tariff.BlueHP, SharedWh: 1000, AvoidedEUR: 0.1612 - due, PaidEUR: 0.1}, {Period: tariff.BlueHC, SharedWh: 1000, AvoidedEUR: 0.1325 - due, PaidEUR: 0.1},
				{Period: tariff.RedHP, SharedWh: 2000, AvoidedEUR: 2 * (0.7060 - due), PaidEUR: 0.2}, {Period: tariff.RedHC, SharedWh: 1000, AvoidedEUR: 0.1575 - due, PaidEUR: 0.1}}},
		{"the exemption ends with the year: two lines, and then a loss", base(), []Term{{PriceEURPerKWh: 0.10, ExciseExempt: true, Until: at("2027-01-01 00:00")}, {From: at("2027-01-01 00:00"), PriceEURPerKWh: 0.10}},
			[]Slot{quarter("2026-12-31 23:45", 1000), quarter("2027-01-01 00:00", 1000)},
			[]Line{{Period: tariff.BasePeriod, SharedWh: 1000, AvoidedEUR: 0.1940 - due, PaidEUR: 0.1}, {Period: tariff.BasePeriod, SharedWh: 1000, AvoidedEUR: 0.1940 - due - 0.03085*1.2, PaidEUR: 0.1}}},
		{"a network charge of the operation's own, behind one transformer", base(), []Term{{PriceEURPerKWh: 0.10, ExciseExempt: true, Network: map[tariff.Period]float64{tariff.BasePeriod: 0.02}}},
			[]Slot{quarter("2026-03-01 12:00", 1000)}, []Line{{Period: tariff.BasePeriod, SharedWh: 1000, AvoidedEUR: 0.1940 - 0.024, PaidEUR: 0.1}}},
		{"spot: one line of prices that change, also below zero", charges(&tariff.Tariff{ID: "spot", Kind: tariff.Dynamic, Rows: []tariff.Row{{From: at("2026-02-01 00:00"), Times: 1, Plus: 0.0484 + 0.03085, VAT: 0.2}},
			Prices: timegrid.Series{Start: at("2026-03-01 12:00").UTC(), Step: 15 * time.Minute, Values: []float64{0.05, -0.02}}}), free,
			[]Slot{quarter("2026-03-01 12:00", 1000), quarter("2026-03-01 12:15", 1000)},
			[]Line{{Period: tariff.BasePeriod, SharedWh: 2000, AvoidedEUR: (0.05-0.02)*1.2 + 2*0.03085*1.2, PaidEUR: 0.2}}},
		{"before taxes: charges without VAT", func() *tariff.Tariff { x := base(); x.TaxesExcluded = true; return x }(), []Term{{PriceEURPerKWh: 0.10}}, []Slot{quarter("2026-03-01 12:00", 1000)},
			[]Line{{Period: tariff.BasePeriod, SharedWh: 1000, AvoidedEUR: 0.1940 - 0.0484 - 0.03085, PaidEUR: 0.1}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e, err := Of(tt.t, tt.terms, tt.slots)
			if err != nil {
				t.Fatal(err)
			}
			if len(e.Lines) != len(tt.want) {
				t.Fatalf("lines %+v, want %d", e.Lines, len(tt.want))
			}
			for i, w := range tt.want {
				if g := e.Lines[i]; g.Period != w.Period || g.SharedWh != w.SharedWh || !near(g.AvoidedEUR, w.AvoidedEUR, 1e-9) || !near(g.PaidEUR, w.PaidEUR, 1e-9) {
					t.Errorf("line %d: %s %d Wh avoids %g and costs %g EUR, want %s %d Wh %g and %g EUR", i, g.Period, g.SharedWh, g.AvoidedEUR, g.PaidEUR, w.Period, w.SharedWh, w.AvoidedEUR, w.PaidEUR)
				}
			}
		})
	}
}

// TestMissing: a price, a charge or terms that are not known are an error, never nought.
func TestMissing(t *testing.T) {
	slots := []Slot{quarter("2026-03-01 12:00", 1)}
	late := base()
	late.Network[0].From = at("2026-04-01 00:00")
	for want, err := range map[string]error{
		"no price row":      second(Of(base(), []Term{{}}, []Slot{quarter("2026-01-31 12:00", 1)})),
		"no network charge": second(Of(late, []Term{{}}, slots)),
		"no terms":          second(Of(base(), []Term{{From: at("2026-04-01 00:00")}}, slots)),
		"of the operation":  second(Of(base(), []Term{{Until: at("2026-03-01 12:00")}}, slots)),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if e, err := Of(base(), nil, []Slot{quarter("2026-01-31 12:00", 0)}); err != nil || len(e.Lines) != 0 {
		t.Errorf("nothing shared is %+v (%v)", e, err)
	}
}

func second(_ Effect, err error) error { return err }

// TestLinesSumToTheSlots: whatever the hours, no watt-hour is lost between lines, and a step's energy avoids what its mean price says but for the watt-hours that are whole.
func TestLinesSumToTheSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minute := rapid.IntRange(0, 24*60-1)
		x := charges(&tariff.Tariff{ID: "x", Kind: tariff.HPHC, OffPeak: []tariff.Window{{From: minute.Draw(t, "from"), To: minute.Draw(t, "to")}},
			Rows: []tariff.Row{{From: at("2026-02-01 00:00"), Import: map[tariff.Period]float64{tariff.HP: 0.2065, tariff.HC: 0.1579}}}})
		step := time.Duration(rapid.SampledFrom([]int{15, 30, 60}).Draw(t, "step")) * time.Minute
		var slots []Slot
		want, avoided, start := units.WattHours(0), 0.0, at("2026-10-24 22:00")
		prices, err := x.Import(timegrid.NewSpan(start, start.Add(40*step)), step)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 40 {
			s := Slot{start.Add(time.Duration(k) * step), start.Add(time.Duration(k+1) * step), units.WattHours(rapid.IntRange(0, 5000).Draw(t, "shared"))}
			slots = append(slots, s)
			want += s.SharedWh
			avoided += s.SharedWh.KWh() * (prices[k] - 0.0484*1.2)
		}
		e, err := Of(x, []Term{{PriceEURPerKWh: 0.1, ExciseExempt: true}}, slots)
		if err != nil {
			t.Fatal(err)
		}
		sum := units.WattHours(0)
		for _, l := range e.Lines {
			sum += l.SharedWh
		}
		if sum != want || e.Total.SharedWh != want || !near(e.Total.AvoidedEUR, avoided, 40*0.001*0.05) {
			t.Fatalf("lines have %d Wh and avoid %g EUR, want %d Wh and %g EUR", sum, e.Total.AvoidedEUR, want, avoided)
		}
	})
}
