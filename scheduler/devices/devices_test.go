package devices

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
)

// TestWaterHeaterIsTheTank for any tank, temperature, draw and reserve: what the plan knows of, which is the heat above the reserve, is what the tank's own balance at mains water gives, below its lowest temperature as well, as long
// as the heater keeps up.
func TestWaterHeaterIsTheTank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &district.WaterHeaterParams{MaxKW: 3, CapacityKWh: 16, MinC: rapid.Float64Range(20, 50).Draw(t, "lowest"), MaxC: 60, LossPerHour: rapid.Float64Range(0, 0.05).Draw(t, "loss")}
		const steps = 40
		h := 0.25
		draw, reserve := make([]float64, steps), make([]float64, steps+1)
		for k := range draw {
			draw[k] = rapid.Float64Range(0, 2).Draw(t, "draw")
		}
		for k := range reserve { // falls no faster than heat is drawn, and is in the tank
			reserve[k] = rapid.Float64Range(0, 0.8).Draw(t, "reserve") * UsableKWh(w)
			if k > 0 {
				reserve[k] = math.Max(reserve[k], reserve[k-1]-h*draw[k-1])
			}
		}
		tankC := rapid.Float64Range(ColdWaterC, 65).Draw(t, "temperature")
		x := WaterHeater("tank", w, tankC, draw, reserve, 15*time.Minute)
		if x.InitialKWh < 0 || x.InitialKWh > x.CapacityKWh {
			t.Fatalf("%g kWh of %g kWh", x.InitialKWh, x.CapacityKWh)
		}
		heat := HeatPerK(w) * (math.Min(tankC, w.MaxC) - ColdWaterC) // above mains water
		floor := HeatPerK(w) * (w.MinC - ColdWaterC)
		z, short := x.InitialKWh, heat-floor < reserve[0]
		more := math.Max(0, heat-floor-reserve[0]-z) // what the plan does not know of
		for k, kw := range x.DrawKW {
			if kw < 0 || short && kw > w.MaxKW+1e-9 {
				t.Fatalf("step %d: %g kW", k, kw)
			}
			given := math.Min(w.MaxKW, kw) // holds what the plan knows of, but for its loss
			heat += h * (given - draw[k] - w.LossPerHour*heat)
			z += h * (given - kw - w.LossPerHour*z)
			left := heat - floor - reserve[k+1]
			if short = short && left < -1e-9; short {
				if given < w.MaxKW-1e-9 {
					t.Fatalf("step %d: %g kWh lack, and %g kW are given", k, -left, given)
				}
				continue
			}
			if given < kw {
				return // more is drawn than the heater gives
			}
			if d := left - z; kw > 0 && math.Abs(d) > 1e-6 || d < -1e-6 || d > more+1e-6 {
				t.Fatalf("step %d: the tank holds %g kWh above its reserve, the plan knows of %g, and not of %g before", k, left, z, more)
			}
			more = left - z
		}
	})
}

// TestPlansFitIntoTheTank for any reserve: whatever powers the document allows, the tank can take up, and holds its reserve.
func TestPlansFitIntoTheTank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &district.WaterHeaterParams{MaxKW: 2.2, CapacityKWh: 12, MinC: 50, MaxC: 62, LossPerHour: rapid.Float64Range(0, 0.03).Draw(t, "loss")}
		const steps, h = 40, 0.25
		draw, reserve := make([]float64, steps), make([]float64, steps+1)
		for k := range draw {
			draw[k] = rapid.Float64Range(0, 2).Draw(t, "draw")
		}
		for k := range reserve {
			reserve[k] = rapid.Float64Range(0, 0.8).Draw(t, "reserve") * UsableKWh(w)
		}
		tankC := rapid.Float64Range(w.MinC, w.MaxC+3).Draw(t, "temperature")
		x := WaterHeater("tank", w, tankC, draw, reserve, 15*time.Minute)
		isValid(t, x, 15)
		e, z, kept := math.Min(UsableKWh(w), HeatPerK(w)*(tankC-w.MinC)), x.InitialKWh, 1-w.LossPerHour*h
		short := e < reserve[0]
		for k, need := range x.DrawKW {
			free := kept*z - h*need
			kw := math.Min(rapid.Float64Range(0, 1).Draw(t, "power")*w.MaxKW, (x.CapacityAt(k)-free)/h)
			if kw = math.Max(kw, -free/h); kw > w.MaxKW {
				return // more is drawn than the heater gives
			}
			z, e = free+h*kw, kept*e+h*(kw-draw[k]-StandingKW(w))
			if e > UsableKWh(w)+1e-6 {
				t.Fatalf("step %d: the tank would hold %g kWh of %g kWh, the plan knows of %g above %g", k, e, UsableKWh(w), z, reserve[k+1])
			}
			if short = short && e < reserve[k+1]-1e-6; !short && e < reserve[k+1]-1e-6 {
				t.Fatalf("step %d: the tank holds %g kWh, %g are to be held", k, e, reserve[k+1])
			}
		}
	})
}

// isValid fails the test unless a plan problem takes the tank.
func isValid(t *rapid.T, x *problem.WaterHeater, minutes float64) {
	p := &problem.Problem{Start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), StepMinutes: minutes, Steps: len(x.DrawKW), Sites: []problem.Site{{ID: "s", Devices: []problem.Device{x}}}}
	p.Grid.ImportPrice = make([]float64, p.Steps)
	p.Fill()
	if err := problem.Validate(p); err != nil {
		t.Fatal(err)
	}
}

// TestATankIsFullWhereNoReserveIs: a reserve of some hours leaves the whole tank to all others.
func TestATankIsFullWhereNoReserveIs(t *testing.T) {
	w := &district.WaterHeaterParams{MaxKW: 2, CapacityKWh: 16, MinC: 42, MaxC: 60, LossPerHour: 0.01}
	draw, reserve := make([]float64, 24), make([]float64, 25)
	for k := 7; k < 10; k++ {
		draw[k], reserve[k] = 1, float64(10-k)
	}
	x := WaterHeater("tank", w, 60, draw, reserve, time.Hour)
	if math.Abs(x.InitialKWh-UsableKWh(w)) > 1e-9 {
		t.Errorf("%g kWh at the begin, want the whole of a hot tank, %g kWh", x.InitialKWh, UsableKWh(w))
	}
	for k := range draw {
		want := UsableKWh(w) - reserve[k+1]
		if got := x.CapacityAt(k); math.Abs(got-want) > 1e-9 {
			t.Errorf("step %d: room for %g kWh, want %g kWh", k, got, want)
		}
	}
}

// TestTankWithoutAReserveHasOneCapacity for any draws, losses and temperature: without heat that is held ready a tank has the same room in all steps, and its document says nothing of single ones; with some, whose size differs, it does.
func TestTankWithoutAReserveHasOneCapacity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &district.WaterHeaterParams{MaxKW: 2.2, CapacityKWh: 12, MinC: 50, MaxC: 62, LossPerHour: rapid.Float64Range(0, 0.03).Draw(t, "loss")}
		const steps = 96
		draw := make([]float64, steps)
		for k := range draw {
			draw[k] = rapid.Float64Range(0, 2).Draw(t, "draw")
		}
		tankC := rapid.Float64Range(ColdWaterC, w.MaxC+3).Draw(t, "temperature")
		for _, reserve := range [][]float64{nil, make([]float64, steps+1)} {
			x := WaterHeater("tank", w, tankC, draw, reserve, 15*time.Minute)
			if isValid(t, x, 15); x.CapacityByStepKWh != nil || x.CapacityKWh > UsableKWh(w)+1e-9 || x.CapacityKWh < UsableKWh(w)-1e-9 {
				t.Fatalf("%g kWh, by step %v; want %g kWh", x.CapacityKWh, x.CapacityByStepKWh, UsableKWh(w))
			}
		}
		reserve := make([]float64, steps+1)
		reserve[rapid.IntRange(1, steps).Draw(t, "ready")] = rapid.Float64Range(0.1, 0.8).Draw(t, "reserve") * UsableKWh(w)
		if x := WaterHeater("tank", w, w.MaxC, draw, reserve, 15*time.Minute); len(x.CapacityByStepKWh) != steps {
			t.Fatalf("%g kWh in all steps beside a reserve of one", x.CapacityKWh)
		}
	})
}

// TestColdTank is heated at once and by its own loss, which is smaller than that at its lowest temperature.
func TestColdTank(t *testing.T) {
	w := &district.WaterHeaterParams{MaxKW: 2, CapacityKWh: 16, MinC: 42, MaxC: 60, LossPerHour: 0.02}
	x := WaterHeater("tank", w, 12, make([]float64, 48), nil, 30*time.Minute)
	on, floor := 0.0, HeatPerK(w)*30
	for k, kw := range x.DrawKW {
		switch {
		case kw > 1.99:
			on += 0.5
		case math.Abs(kw-StandingKW(w)) > 1e-9 && float64(k)*0.5 > on+0.5:
			t.Errorf("step %d: %g kW where the standing loss is %g kW", k, kw, StandingKW(w))
		}
	}
	// q' = P - loss q from mains water to the lowest temperature
	want := -math.Log(1-w.LossPerHour*floor/w.MaxKW) / w.LossPerHour
	if on < want-0.6 || on > want+0.2 || x.InitialKWh != 0 {
		t.Errorf("the tank is heated for %g h, it takes %g h", on, want)
	}
}
