package savings

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/balance"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var (
	t0   = time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	step = 15 * time.Minute
)

// TestCarOnArrival: a car that charged cheaply at night is moved back to its arrival at full power, with the same energy.
func TestCarOnArrival(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(6*time.Hour))
	connected := []balance.Point{{Time: t0, Value: 0}, {Time: t0.Add(65 * time.Minute), Value: 1}, {Time: t0.Add(5 * time.Hour), Value: 0}}
	energy := make([]balance.SlotEnergy, 24)
	for i := 12; i < 16; i++ { // one hour at 4 kW from 03:00
		energy[i] = balance.SlotEnergy{Wh: 1000, Covered: true}
	}
	s := Sessions(connected, energy, sp, step)
	if len(s) != 1 || s[0].EnergyWh != 4000 || !s[0].From.Equal(t0.Add(65*time.Minute)) {
		t.Fatalf("sessions %+v, want one of 4000 Wh from 01:05", s)
	}
	got := Uncontrolled(s, sp, step, 7.4)
	want := map[int]units.WattHours{4: 1233, 5: 1850, 6: 917} // 10 min, 15 min at 7.4 kW, the rest
	for i, wh := range got {
		if wh != want[i] {
			t.Errorf("slot %d: %d Wh, want %d Wh", i, wh, want[i])
		}
	}
}

// TestUncontrolledKeepsEnergy: whatever the sessions, the baseline's cars use what was measured.
func TestUncontrolledKeepsEnergy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "slots")
		sp := timegrid.NewSpan(t0, t0.Add(time.Duration(n)*step))
		energy := make([]balance.SlotEnergy, n)
		var total units.WattHours
		for i := range energy {
			energy[i].Wh = units.WattHours(rapid.Int64Range(0, 3000).Draw(t, "wh"))
			total += energy[i].Wh
		}
		var conn []balance.Point
		for range rapid.IntRange(0, 12).Draw(t, "changes") {
			conn = append(conn, balance.Point{Time: t0.Add(time.Duration(rapid.Int64Range(-3600, int64(n)*900).Draw(t, "at")) * time.Second), Value: float64(rapid.IntRange(0, 1).Draw(t, "on"))})
		}
		var sum units.WattHours
		for _, wh := range Uncontrolled(Sessions(conn, energy, sp, step), sp, step, 7.4) {
			sum += wh
		}
		if sum != total {
			t.Fatalf("baseline cars use %d Wh, measured %d Wh", sum, total)
		}
	})
}

// TestFill: a battery that moved 2 kWh from a dear slot to a cheap one saved the difference, less its loss.
func TestFill(t *testing.T) {
	row := func(imp, charge, discharge units.WattHours) balance.Row {
		return balance.Row{ImportWh: imp, ChargeWh: charge, DischargeWh: discharge, Step: step}
	}
	site := SiteBaseline{Rows: []balance.Row{row(3000, 2000, 0), row(200, 0, 1800)}}
	dist := []balance.Row{row(3000, 2000, 0), row(200, 0, 1800)}
	terms := balance.Terms{ImportPrice: []float64{0.10, 0.30}, ExportPrice: []float64{0, 0}, CarbonG: []float64{20, 60}}
	dist[0].CostEUR, dist[1].CostEUR = 0.30, 0.06
	Fill(dist, []SiteBaseline{site}, terms)
	eur, _ := Saved(balance.Sum(dist).Row)
	if want := (1*0.10 + 2*0.30) - 0.36; math.Abs(eur-want) > 1e-12 {
		t.Errorf("saved %v EUR, want %v EUR", eur, want)
	}
	if got, want := dist[1].BaselineCarbonKg, 2*60.0/1000; math.Abs(got-want) > 1e-12 {
		t.Errorf("baseline carbon %v kg, want %v kg", got, want)
	}
}

// TestAMeterAboveTheRatingDrawsThatMuch: a car takes 7.6 kW for ten hours at a charger of 7.4 kW. The baseline does what was measured, and no peak is lower by it.
func TestAMeterAboveTheRatingDrawsThatMuch(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(12*time.Hour))
	connected := []balance.Point{{Time: t0.Add(time.Hour), Value: 1}, {Time: t0.Add(11 * time.Hour), Value: 0}}
	energy := make([]balance.SlotEnergy, 48)
	rows := make([]balance.Row, 48)
	for i := range energy {
		if rows[i].Step = step; i >= 4 && i < 44 {
			energy[i].Wh = 1900
			rows[i].ImportWh, rows[i].CarsWh = 1900, 1900
		}
	}
	cars := Uncontrolled(Sessions(connected, energy, sp, step), sp, step, 7.4)
	for i := range cars {
		if cars[i] != energy[i].Wh {
			t.Errorf("slot %d: %d Wh, want the %d Wh that were measured", i, cars[i], energy[i].Wh)
		}
	}
	if got, want := PeaksOf(rows, []RuleSite{{Rows: rows, Cars: cars}}), (Peaks{ImportWh: 1900, UncontrolledWh: 1900, ByRulesWh: 1900}); got != want {
		t.Errorf("peaks %+v, want %+v", got, want)
	}
}

// TestNoSlotIsAboveWhatASessionDraws: whatever was measured, a session's baseline draws no more than the charger's power or the session's mean, and as much as was measured.
func TestNoSlotIsAboveWhatASessionDraws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "slots")
		sp := timegrid.NewSpan(t0, t0.Add(time.Duration(n)*step))
		from := t0.Add(time.Duration(rapid.IntRange(0, n*900-1).Draw(t, "from")) * time.Second)
		to := from.Add(time.Duration(rapid.IntRange(1, n*900).Draw(t, "for")) * time.Second)
		s := Session{From: from, To: to, EnergyWh: units.WattHours(rapid.IntRange(0, 200_000).Draw(t, "Wh"))}
		most := max(7.4, s.EnergyWh.KWh()/earlier(to, sp.End).Sub(from).Hours())
		var sum units.WattHours
		for i, wh := range Uncontrolled([]Session{s}, sp, step, 7.4) {
			slot := timegrid.NewSpan(t0.Add(time.Duration(i)*step), t0.Add(time.Duration(i+1)*step))
			if sum += wh; wh.KWh() > most*slot.Overlap(timegrid.Span{Start: from, End: to}).Duration().Hours()+0.002 {
				t.Fatalf("slot %d: %d Wh, at most %v kW was to be", i, wh, most)
			}
		}
		if sum != s.EnergyWh {
			t.Fatalf("%d Wh of %d Wh", sum, s.EnergyWh)
		}
	})
}

// TestPartsOfAStay: every 24 hours from the arrival for [FromArrival], then at midnight UTC; begin and end agree whatever the instant, and an arrival that is older changes nothing.
func TestPartsOfAStay(t *testing.T) {
	arrival := t0.Add(18 * time.Hour)
	for after, want := range map[time.Duration][2]time.Duration{ // since the arrival
		time.Hour:                  {0, LongestStay},
		LongestStay:                {LongestStay, LongestStay},
		LongestStay + time.Hour:    {LongestStay, 2 * LongestStay},
		FromArrival:                {FromArrival, FromArrival},
		FromArrival + time.Hour:    {FromArrival, FromArrival + 6*time.Hour},
		FromArrival + 7*time.Hour:  {FromArrival + 6*time.Hour, FromArrival + 30*time.Hour},
		FromArrival + 30*time.Hour: {FromArrival + 30*time.Hour, FromArrival + 30*time.Hour},
	} {
		at := arrival.Add(after)
		if b, e := PartBegin(arrival, at), PartEnd(arrival, at); !b.Equal(arrival.Add(want[0])) || !e.Equal(arrival.Add(want[1])) {
			t.Errorf("%s after the arrival: from %s to %s after it, want %v", after, b.Sub(arrival), e.Sub(arrival), want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		arrival := t0.Add(time.Duration(rapid.Int64Range(0, 48*3600).Draw(t, "arrival")) * time.Second)
		at := arrival.Add(time.Duration(rapid.Int64Range(1, 40*24*3600).Draw(t, "after")) * time.Second)
		begin := PartBegin(arrival, at)
		end := PartEnd(arrival, begin.Add(1))
		if at.Before(begin) || !at.Before(end) || end.Sub(begin) > LongestStay || !PartEnd(arrival, end).Equal(end) || !PartBegin(arrival, end).Equal(end) {
			t.Fatalf("at %s after the arrival a part from %s to %s after it", at.Sub(arrival), begin.Sub(arrival), end.Sub(arrival))
		}
		if older := arrival.Add(-10 * LongestStay); at.Sub(arrival) >= FromArrival+LongestStay && !PartBegin(older, at).Equal(begin) {
			t.Fatalf("an older arrival moves the part at %s", at)
		}
	})
}
