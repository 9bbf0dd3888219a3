// Package devices states devices to a plan: what is known of one, as a device of a plan problem, and what it is worth that people are warm, have hot water and find their car full.
// Live districts and the backtest over recorded neighbourhoods plan by it alike.
package devices

import (
	"math"
	"slices"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
)

// ColdWaterC is the temperature of mains water, °C: the zero of a tank's stored heat.
const ColdWaterC = 12.0

const (
	discomfortPerKH = 0.5  // EUR per K and hour outside the comfort band, at least
	lackPerKWhH     = 0.05 // EUR per hour and kWh of heat that a building lacks to its comfort band; putting heat off for hours never pays that
	startCost       = 0.02 // EUR per start of a heat pump
)

// CarLackPerKWh is the cost of a kWh that a car lacks at departure, EUR; far above any price, far below refusing everything.
const CarLackPerKWh = 1.0

// WaterLackPerKWh is the cost of a kWh of hot water that is not there when it is drawn, EUR.
const WaterLackPerKWh = 1.0

// DiscomfortPerKH is what an hour costs in which a zone is 1 K outside its comfort band, EUR, by its heat capacity.
func DiscomfortPerKH(capacityKWhPerK float64) float64 {
	return math.Max(discomfortPerKH, lackPerKWhH*capacityKWhPerK)
}

// Car is a charging point with the car that stands there from the plan's begin to the step departs: of the energy that it wants it has got gotKWh. One that has all, or a point
// without a car (departs 0), has no session.
func Car(id string, c *district.EVChargerParams, gotKWh float64, departs, steps int) *problem.EV {
	x := problem.NewEV(id)
	x.CapacityKWh = math.Max(c.CapacityKWh, c.TargetKWh)
	x.MaxKW, x.MinKW = c.MaxKW, math.Min(c.MinKW, c.MaxKW)
	x.ChargeEfficiency = 1 // target and session energy are both metered at the charger
	x.ShortfallCostPerKWh = CarLackPerKWh
	x.Sessions = []problem.Session{}
	if departs > 0 && gotKWh < c.TargetKWh {
		x.Sessions = append(x.Sessions, problem.Session{DepartStep: min(departs, steps), InitialKWh: math.Max(0, math.Min(gotKWh, x.CapacityKWh)), TargetKWh: c.TargetKWh})
	}
	return x
}

// COP is the coefficient of performance of a heat pump at an outdoor temperature, 1 at least.
func COP(h *district.HeatPumpParams, outdoorC float64) float64 {
	return math.Max(1, h.COPNominal+h.COPPerK*(outdoorC-7))
}

// HeatPump is a heat pump and its zone, indoorC warm at the begin, under an outdoor temperature of one value a step.
func HeatPump(id string, h *district.HeatPumpParams, indoorC float64, on bool, outdoorC []float64, step time.Duration) *problem.HeatPump {
	n := len(outdoorC)
	x := problem.NewHeatPump(id)
	x.MaxKW, x.MinKW = h.MaxKW, math.Min(h.MinKW, h.MaxKW)
	x.COP = make([]float64, n)
	for t := range x.COP {
		x.COP[t] = COP(h, outdoorC[t])
	}
	x.InitialOn = on
	x.MinOnSteps = max(1, int(math.Ceil(float64(h.MinOn)/float64(step))))
	x.MinOffSteps = max(1, int(math.Ceil(float64(h.MinOff)/float64(step))))
	x.StartCost = startCost
	x.Zone.CapacityKWhPerK, x.Zone.ResistanceKPerKW = h.CapacityKWhPerK, h.ResistanceKPerKW
	x.Zone.InitialC = indoorC
	x.Zone.OutdoorC = outdoorC
	x.Zone.GainsKW = constant(h.GainsKW, n)
	x.Zone.MinC, x.Zone.MaxC = constant(h.MinC, n), constant(h.MaxC, n)
	x.Zone.DiscomfortCostPerKH = DiscomfortPerKH(h.CapacityKWhPerK)
	return x
}

// HeatPerK is the heat that warms a tank by 1 K, kWh.
func HeatPerK(w *district.WaterHeaterParams) float64 {
	return w.CapacityKWh / math.Max(1, w.MaxC-ColdWaterC)
}

// UsableKWh is the heat that a tank holds between its lowest temperature at the tap and its highest.
func UsableKWh(w *district.WaterHeaterParams) float64 {
	return HeatPerK(w) * math.Max(1, w.MaxC-w.MinC)
}

// StandingKW is what a tank loses at its lowest temperature.
func StandingKW(w *district.WaterHeaterParams) float64 {
	return w.LossPerHour * HeatPerK(w) * math.Max(0, w.MinC-ColdWaterC)
}

// sameKWh is by how much the room of a tank may differ from step to step by rounding alone.
const sameKWh = 1e-9

// WaterHeater is the heat of a tank above what is to be in it: what lies below warms nobody, so the plan may not spend it. It is tankC warm at the begin, and drawKW of heat is taken from it in each step. Of the heat above its lowest
// temperature at the tap, reserveKWh is to be left at the begin of each step and at the end of the last, one value more than steps, nil: none;
// below 0 it may be colder, where nobody is there. What the tank lacks to that is made up for as fast as the heater can.
// The plan knows of the heat z above a base b, which is the tank under draws and losses alone, kept at the reserve by the power need:
//
//	e = b + z,  b' = (1 - loss*h)*b + h*(need - draw - standing) >= reserve',  z' = (1 - loss*h)*z + h*(power - need)
//
// where e is the heat above the lowest temperature, below 0 in a colder tank, and standing is what is lost at that temperature: so the loss is right at any temperature. In each step
// there is as much room for z as b leaves of the tank, so that the tank is full where no reserve is kept, and whatever is planned fits into it. Where that room is the same in all steps, as without a reserve, it is the capacity
// alone.
func WaterHeater(id string, w *district.WaterHeaterParams, tankC float64, drawKW, reserveKWh []float64, step time.Duration) *problem.WaterHeater {
	x := problem.NewWaterHeater(id)
	x.MaxKW, x.MinKW = w.MaxKW, w.MaxKW
	h, usable, standing := step.Hours(), UsableKWh(w), StandingKW(w)
	kept := 1 - w.LossPerHour*h
	reserve := reserveKWh
	if reserve == nil {
		reserve = make([]float64, len(drawKW)+1)
	}
	x.LossPerHour = w.LossPerHour
	x.ShortfallCostPerKWh = WaterLackPerKWh
	x.DrawKW = make([]float64, len(drawKW))
	base := math.Min(usable, HeatPerK(w)*(tankC-w.MinC))
	x.InitialKWh = math.Max(0, math.Min(base-reserve[0], usable))
	base -= x.InitialKWh
	x.CapacityKWh = math.Max(0, math.Min(usable, usable-base))
	x.CapacityByStepKWh = make([]float64, len(drawKW))
	for t := range x.DrawKW {
		most := math.Inf(1) // what is drawn may come from the heat above
		if base < reserve[t]-1e-9 {
			most = w.MaxKW
		}
		base = kept*base - h*(drawKW[t]+standing)
		x.DrawKW[t] = math.Max(0, math.Min((reserve[t+1]-base)/h, most))
		base += h * x.DrawKW[t]
		x.CapacityByStepKWh[t] = math.Max(0, math.Min(usable, usable-base))
		x.CapacityKWh = math.Max(x.CapacityKWh, x.CapacityByStepKWh[t])
	}
	if !slices.ContainsFunc(x.CapacityByStepKWh, func(kwh float64) bool { return x.CapacityKWh-kwh > sameKWh }) {
		x.CapacityByStepKWh = nil
	}
	return x
}

func constant(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}
