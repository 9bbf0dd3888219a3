package hotwater

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const quarter = 15 * time.Minute

var start = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// home is a tank of 250 l.
var home = district.WaterHeaterParams{MaxKW: 2.2, VolumeL: 250, CapacityKWh: 250 * 0.001163 * 48, LossPerHour: 0.008, MinC: 42, MaxC: 60}

// lived is such a tank in a room of 18 °C for so many days, heated in the night, with showers by chance in the morning and the evening, and a sensor of 0.1 K. It returns what is measured and what was drawn.
func lived(days int, lossPerHour float64) (m Measured, drawKW []float64) {
	random := rand.New(rand.NewPCG(3, 4))
	m = Measured{Start: start, Step: quarter}
	heating := false
	perK, c, h := devices.HeatPerK(&home), 58.0, quarter.Hours()
	for i := range days * 96 {
		hour := i % 96 / 4
		draw := 0.0
		if (hour == 7 || hour == 20) && random.Float64() < 0.5 {
			draw = 2 + 3*random.Float64()
		} else if hour > 7 && hour < 22 && random.Float64() < 0.2 {
			draw = 0.5
		}
		heating = hour < 6 && c < 59 && (heating || c < 55)
		heat := 0.0
		if heating {
			heat = home.MaxKW
		}
		c += h / perK * (heat - draw - lossPerHour*perK*(c-18))
		m.TankC, m.HeatKW = append(m.TankC, math.Round(10*c)/10), append(m.HeatKW, heat)
		drawKW = append(drawKW, draw)
	}
	return m, drawKW
}

// TestIdentify: what was drawn and what a tank loses are found although something else is stated of it, and how sure that is is told.
func TestIdentify(t *testing.T) {
	const loss = 0.012
	m, drawn := lived(28, loss)
	got, err := Identify(&home, m, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	// the loss is that to a room of 18 °C, and is found as a share of the heat above mains water
	if want := loss * (55 - 18) / (55 - devices.ColdWaterC); math.Abs(got.LossPerHour-want) > 0.1*want || got.LossDeviation > 0.1*want {
		t.Errorf("the loss is found as %g ± %g an hour, it is %g", got.LossPerHour, got.LossDeviation, want)
	}
	if got.Nights < 8 || got.Known < 0.99 || got.UnexplainedKWh > 0.1 {
		t.Errorf("%d quiet nights, %g known, %g kWh unexplained", got.Nights, got.Known, got.UnexplainedKWh)
	}
	for day := 1; day < 28; day++ {
		sum, want := 0.0, 0.0
		for i := 96 * day; i < 96*(day+1); i++ {
			sum, want = sum+got.DrawKW[i]/4, want+drawn[i]/4
		}
		if math.Abs(sum-want) > 0.6 {
			t.Errorf("day %d: %g kWh are found, %g kWh were drawn", day, sum, want)
		}
	}
	for i := 96; i < len(drawn); i++ {
		if drawn[i] >= 2 && math.Abs(got.DrawKW[i]-drawn[i]) > 0.6 {
			t.Errorf("slot %d: a draw of %g kW is found as %g kW", i, drawn[i], got.DrawKW[i])
		}
	}
}

// TestACoarseSensor teaches no loss of which it shows nothing: what is found lies near what is, or little is said to be known.
func TestACoarseSensor(t *testing.T) {
	for _, c := range []struct{ loss, stepK float64 }{{0.004, 1}, {0.006, 1}, {0.012, 1}, {0.004, 0.5}, {0.012, 0.5}, {0.004, 0.1}} {
		m, _ := lived(KeepDays, c.loss)
		for i := range m.TankC {
			m.TankC[i] = c.stepK * math.Round(m.TankC[i]/c.stepK)
		}
		got, err := Identify(&home, m, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		want := c.loss * (55 - 18) / (55 - devices.ColdWaterC)
		t.Logf("%g an hour, %g K: %.5f ± %.5f by %d nights", want, c.stepK, got.LossPerHour, got.LossDeviation, got.Nights)
		if math.Abs(got.LossPerHour-want) > math.Max(0.15*want, 2*got.LossDeviation) || got.LossPerHour < 0.6*want || got.LossDeviation < 0.0003*math.Min(1, c.stepK) {
			t.Errorf("the loss is %g an hour, with a sensor of %g K it is found as %g ± %g", want, c.stepK, got.LossPerHour, got.LossDeviation)
		}
	}
}

// TestOneBadReading changes nothing of what a tank is to hold.
func TestOneBadReading(t *testing.T) {
	const at = 20*96 + 4*12 // at noon, when little is drawn
	reserve := func(bad float64) []float64 {
		m, _ := lived(28, 0.012)
		if bad != 0 {
			m.TankC[at] = math.Max(0, bad)
		}
		l := NewLearner(&home, start, quarter, 96, time.UTC)
		for i := 0; i < len(m.TankC); i += 7 { // not all at once
			if _, err := l.Take(m.TankC[i:i+7], m.HeatKW[i:i+7]); err != nil {
				t.Fatal(err)
			}
		}
		if !math.IsNaN(l.Drawn().Values[at]) && bad != 0 {
			t.Errorf("%g °C: a draw of %g kW is found", bad, l.Drawn().Values[at])
		}
		return Reserve(l.Params(), 1, l.Drawn(), l.End(), make([]float64, 96))
	}
	good := reserve(0)
	for _, bad := range []float64{-1, 85, 327, 78, 15} { // below 0 stands for 0
		for k, kwh := range reserve(bad) {
			if math.Abs(kwh-good[k]) > 0.2 {
				t.Fatalf("%g °C: slot %d: %g kWh are to be held, %g without it", bad, k, kwh, good[k])
			}
		}
	}
}

// TestLittleIsKnown: without quiet nights the stated loss stands, with a wide deviation; without measurements nothing is said to be drawn.
func TestLittleIsKnown(t *testing.T) {
	m, _ := lived(2, 0.02)
	for i := range m.TankC[96:] {
		m.TankC[96+i] = math.NaN()
	}
	got, err := Identify(&home, m, time.UTC)
	if err != nil || got.LossPerHour != home.LossPerHour || got.LossDeviation != doubt*home.LossPerHour {
		t.Errorf("after a day the loss is %g ± %g, %v", got.LossPerHour, got.LossDeviation, err)
	}
	if !math.IsNaN(got.DrawKW[0]) || !math.IsNaN(got.DrawKW[100]) || math.IsNaN(got.DrawKW[50]) || math.Abs(got.Known-95.0/192) > 1e-9 {
		t.Errorf("%g of the slots are known", got.Known)
	}
	if _, err := Identify(&home, Measured{Step: quarter, TankC: []float64{50}}, time.UTC); err == nil {
		t.Error("a temperature without a power is taken")
	}
}

// TestEnergyCloses for any measurements: heat given, less drawn, less lost, is what is held more, but for what is left to be explained.
func TestEnergyCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 60).Draw(t, "slots")
		m := Measured{Start: start, Step: quarter}
		for range n {
			m.TankC = append(m.TankC, rapid.Float64Range(5, 80).Draw(t, "temperature"))
			m.HeatKW = append(m.HeatKW, rapid.Float64Range(0, 3).Draw(t, "heat"))
		}
		got, err := Identify(&home, m, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		perK, h := devices.HeatPerK(&home), quarter.Hours()
		balance := -perK * (m.TankC[n-1] - m.TankC[0])
		for i := 1; i < n; i++ {
			if !(got.DrawKW[i] >= 0) {
				t.Fatalf("slot %d: %g kW", i, got.DrawKW[i])
			}
			balance += h * (m.HeatKW[i] - got.DrawKW[i] - got.LossPerHour*perK*math.Max(0, (m.TankC[i]+m.TankC[i-1])/2-devices.ColdWaterC))
		}
		if got.LeftKWh < 0 || got.LeftKWh > devices.UsableKWh(&home) || math.Abs(balance+got.LeftKWh+got.UnexplainedKWh) > 1e-9*float64(n) {
			t.Fatalf("the balance is %g kWh, of which %g + %g kWh are told", balance, got.LeftKWh, got.UnexplainedKWh)
		}
	})
}

// TestReserveKeepsWithinTheTank for any past, falls no faster than heat is drawn, and knows nothing of what is drawn from its begin on.
func TestReserveKeepsWithinTheTank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		past := timegrid.Series{Start: start, Step: time.Hour}
		for range rapid.IntRange(0, 40*24).Draw(t, "slots") {
			v := random.ExpFloat64() * 2
			if random.Float64() < 0.1 {
				v = math.NaN()
			}
			past.Values = append(past.Values, v)
		}
		from := rapid.IntRange(0, len(past.Values)+5).Draw(t, "from")
		draw := make([]float64, 48)
		for k := range draw {
			draw[k] = random.Float64()
		}
		at := start.Add(time.Duration(from) * time.Hour)
		got := Reserve(&home, 1, past, at, draw)
		for k, kwh := range got {
			if !(kwh >= 0) || kwh > devices.UsableKWh(&home) {
				t.Fatalf("slot %d: %g kWh are to be held of %g kWh", k, kwh, devices.UsableKWh(&home))
			}
			if k > 0 && kwh < got[k-1]-draw[k-1]-1e-9 {
				t.Fatalf("slot %d: %g kWh after %g kWh, of which %g kWh are drawn", k, kwh, got[k-1], draw[k-1])
			}
		}
		for k := from; k < len(past.Values); k++ {
			past.Values[k] += 7
		}
		for k, kwh := range Reserve(&home, 1, past, at, draw) {
			if kwh != got[k] {
				t.Fatalf("slot %d: %g kWh, with another future %g kWh", k, got[k], kwh)
			}
		}
	})
}

// TestReserve holds what the heater does not keep up with, at its time of day.
func TestReserve(t *testing.T) {
	past := timegrid.Series{Start: start, Step: time.Hour, Values: make([]float64, 14*24)}
	for day := range 14 {
		past.Values[day*24+18] = 1 // with which the heater keeps up
	}
	past.Values[10*24+7] = 5
	away := timegrid.Series{Start: start, Step: time.Hour, Values: append(slices.Clone(past.Values), make([]float64, 25*24)...)}
	none := make([]float64, 24)
	standing := devices.StandingKW(&home)
	for _, c := range []struct {
		name   string
		past   timegrid.Series
		perKW  float64
		hour   int
		expect float64
	}{
		{"before the shower", past, 1, 7, reserveMargin * (5 + standing - home.MaxKW)},
		{"an hour before", past, 1, 6, reserveMargin * (5 + standing - home.MaxKW)},
		{"at noon", past, 1, 12, 0},
		{"a heat pump that keeps up", past, 3, 7, 0},
		{"after 25 days without a draw", away, 1, 12, devices.UsableKWh(&home) / 2},
		{"after ten", timegrid.Series{Start: start, Step: time.Hour, Values: away.Values[:24*24]}, 1, 12, 0},
		{"after three days", timegrid.Series{Start: start, Step: time.Hour, Values: past.Values[:72]}, 1, 12, devices.UsableKWh(&home) / 2},
		{"a draw beyond the tank", timegrid.Series{Start: start, Step: time.Hour, Values: append(make([]float64, 13*24), 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)}, 1, 1, MostReserved * devices.UsableKWh(&home)},
	} {
		from := c.past.Start.Add(time.Duration(len(c.past.Values)+c.hour) * time.Hour)
		if got := Reserve(&home, c.perKW, c.past, from, none); math.Abs(got[0]-c.expect) > 1e-9 {
			t.Errorf("%s: %g kWh are held, want %g", c.name, got[0], c.expect)
		}
	}
}

// TestColdStart: before anything is measured a usual day is foreseen, and half of the tank is held.
func TestColdStart(t *testing.T) {
	l := NewLearner(&home, start, quarter, 200, time.UTC)
	draw, sum := l.Foresee(start, 96), 0.0
	for _, kw := range draw {
		sum += kw / 4
	}
	if want := usualShare * home.CapacityKWh; math.Abs(sum-want) > 1e-6 || draw[4*7] < 3*draw[4*2] {
		t.Errorf("%g kWh a day are foreseen, want %g, with %g kW at 7 and %g kW at 2", sum, want, draw[4*7], draw[4*2])
	}
	for k, kwh := range Reserve(l.Params(), 1, l.Drawn(), start, draw) {
		if kwh < devices.UsableKWh(&home)/2-1e-9 {
			t.Fatalf("slot %d: %g kWh are held", k, kwh)
		}
	}
}

// TestLearner learns in weeks when its tank is used and what it loses, keeps a bounded past, and times of day stay where they are; what it was told late changes nothing before.
func TestLearner(t *testing.T) {
	m, _ := lived(KeepDays+10, 0.012)
	l := NewLearner(&home, start, quarter, 150, time.UTC)
	days := 0
	for i := 0; i < len(m.TankC); i += 4 {
		anew, err := l.Take(m.TankC[i:i+4], m.HeatKW[i:i+4])
		if err != nil {
			t.Fatal(err)
		}
		if anew {
			days++
		}
	}
	if days != KeepDays+10 {
		t.Errorf("the tank was looked at anew %d times in %d days", days, KeepDays+10)
	}
	end := start.Add(time.Duration(len(m.TankC)) * quarter)
	if !l.End().Equal(end) || len(l.Drawn().Values) > (KeepDays+1)*96 || l.Drawn().Start.Hour() != 0 {
		t.Fatalf("it ends at %v with %d slots from %v", l.End(), len(l.Drawn().Values), l.Drawn().Start)
	}
	if got := l.Params().LossPerHour; math.Abs(got-0.0103) > 0.0012 || home.LossPerHour != 0.008 {
		t.Errorf("the loss is %g", got)
	}
	draw, used, quiet := l.Foresee(end.Add(time.Hour), 96), 0.0, 0.0
	for k, kw := range draw {
		switch end.Add(time.Hour + time.Duration(k)*quarter).Hour() {
		case 7, 20:
			used += kw / 8
		case 1, 2, 3, 4:
			quiet += kw / 16
		}
	}
	if used < 1 || quiet > 0.3 {
		t.Errorf("%g kW are foreseen in the hours of showers, %g kW in the night", used, quiet)
	}
	reserve := Reserve(l.Params(), 1, l.Drawn(), end, draw)
	if reserve[4*7] < 0.5 || reserve[4*7] <= reserve[4*12] {
		t.Errorf("%g kWh are held at 7, %g at noon", reserve[4*7], reserve[4*12])
	}
	if _, err := l.Take([]float64{50}, nil); err == nil {
		t.Error("a temperature without a power is taken")
	}
}
