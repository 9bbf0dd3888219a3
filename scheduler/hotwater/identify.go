package hotwater

import (
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
)

const (
	// quiet is how long a tank must have cooled without its heater for that to tell its loss.
	quiet = 3 * time.Hour
	// nightFrom and nightTo are the hours of the clock between which little is drawn.
	nightFrom, nightTo = 22, 6
	// leastNights is how many quiet nights must be known before they change what is taken for the loss.
	leastNights = 3
	// doubt is the standard deviation of the loss that a configuration states, as a share of it.
	doubt = 0.5
	// finest is the share of itself to which a loss is believed to be known at best: sensors sit where they sit.
	finest = 0.05
	// mostLoss is the largest loss that is believed, share per hour.
	mostLoss = 0.05
	// usualLoss is taken where no loss is stated.
	usualLoss = 0.006
	// mostLeft is the share of a tank's usable heat that may be found in it before it was given.
	mostLeft = 0.25
	// offShare is the share of its heater's power below which a tank is not heated.
	offShare = 0.02
)

// Measured is what was measured of a tank, slot by slot; both series are equally long, NaN where nothing is known.
type Measured struct {
	Start  time.Time
	Step   time.Duration
	TankC  []float64 // °C, at the end of each slot
	HeatKW []float64 // given by the heater, mean of each slot
}

// Check says what is wrong with the form of what was measured.
func (m Measured) Check() error {
	if m.Step <= 0 || len(m.TankC) != len(m.HeatKW) {
		return fmt.Errorf("hotwater: %d temperatures and %d powers in steps of %v", len(m.TankC), len(m.HeatKW), m.Step)
	}
	return nil
}

// Identified is what measurements tell of a tank.
type Identified struct {
	// DrawKW is the heat drawn in each slot, NaN where that is not known. What a sensor shows too late or too coarsely is made up for in the slots that follow: over any span of known slots, heat given less heat drawn, less what the tank
	// lost, is what it holds more, within LeftKWh.
	DrawKW []float64
	// LeftKWh is how much more a tank was found to hold at the end than was given to it, which draws to come make up for; 0 or more.
	LeftKWh float64
	// UnexplainedKWh is heat that was found in a tank beyond that: another source heats it, or it is smaller than it is said to be.
	UnexplainedKWh float64
	// LossPerHour is the share of its heat that the tank loses in an hour, and LossDeviation its standard deviation.
	LossPerHour, LossDeviation float64
	Nights                     int     // quiet ones that the loss rests on; fewer than leastNights: it is the one that was stated
	Known                      float64 // share of slots whose draw is known, in [0, 1]
}

// Identify finds what was drawn from a tank by its balance of heat, with the loss that quiet nights show. What is stated of the tank counts where measurements say little. zone tells nights.
func Identify(w *district.WaterHeaterParams, m Measured, zone *time.Location) (Identified, error) {
	if err := m.Check(); err != nil {
		return Identified{}, err
	}
	var out Identified
	out.LossPerHour, out.LossDeviation, out.Nights = loss(w, m, zone)
	out.balance(w, m)
	return out, nil
}

// balance finds what was drawn under the loss that is known.
func (o *Identified) balance(w *district.WaterHeaterParams, m Measured) {
	o.DrawKW, o.UnexplainedKWh = make([]float64, len(m.TankC)), 0
	perK, h, most := devices.HeatPerK(w), m.Step.Hours(), devices.UsableKWh(w)*mostLeft
	left, known := 0.0, 0
	for i := range o.DrawKW {
		o.DrawKW[i] = math.NaN()
		if i == 0 || math.IsNaN(m.TankC[i]) || math.IsNaN(m.TankC[i-1]) || math.IsNaN(m.HeatKW[i]) {
			left = 0
			continue
		}
		known++
		held := perK * math.Max(0, (m.TankC[i]+m.TankC[i-1])/2-devices.ColdWaterC)
		drawn := h*(m.HeatKW[i]-o.LossPerHour*held) - perK*(m.TankC[i]-m.TankC[i-1]) - left
		o.DrawKW[i] = math.Max(0, drawn) / h
		if left = math.Max(0, -drawn); left > most {
			o.UnexplainedKWh += left - most
			left = most
		}
	}
	o.LeftKWh = left
	o.Known = float64(known) / float64(max(1, len(o.DrawKW)))
}

// loss weighs what quiet nights show of a tank's loss against what is stated of it.
func loss(w *district.WaterHeaterParams, m Measured, zone *time.Location) (perHour, deviation float64, nights int) {
	perHour = w.LossPerHour
	if perHour <= 0 {
		perHour = usualLoss
	}
	deviation = doubt * perHour
	rates, finestPerHour := coolings(w, m, zone)
	if len(rates) < leastNights {
		return perHour, deviation, len(rates)
	}
	slices.Sort(rates)
	calm := rates[:(len(rates)+1)/2] // somebody draws in the others
	shown := calm[len(calm)/2]
	spread := 0.0
	for _, r := range calm {
		spread += math.Abs(r - shown)
	}
	spread = 1.25 * spread / float64(len(calm)) // of a normal distribution
	sd := math.Max(spread/math.Sqrt(float64(len(calm))), finest*math.Max(shown, perHour))
	sd = math.Max(sd, finestPerHour)
	a, b := 1/(deviation*deviation), 1/(sd*sd)
	return (a*perHour + b*shown) / (a + b), 1 / math.Sqrt(a+b), len(rates)
}

// coolings are the losses per hour at which a tank cooled in the longest quiet run of each night, and how fine a loss its sensor lets tell over one of them, in the mean: a coarse one stands still for hours and then falls by a step, so
// that the hours in which it stood still say nothing.
func coolings(w *district.WaterHeaterParams, m Measured, zone *time.Location) (perHour []float64, finestPerHour float64) {
	n := max(1, int(quiet/m.Step))
	off := func(i int) bool { return m.HeatKW[i] < offShare*w.MaxKW } // NaN is not off
	type cooling struct {
		slots    int
		from, to float64
	}
	longest := map[time.Time]cooling{}
	run := 0
	for i := range m.TankC {
		if at := m.Start.Add(time.Duration(i) * m.Step).In(zone); at.Hour() >= nightTo && at.Hour() < nightFrom || !off(i) {
			run = 0
			continue
		}
		run++
		if run < n || i < run {
			continue
		}
		from, to := m.TankC[i-run]-devices.ColdWaterC, m.TankC[i]-devices.ColdWaterC
		if !(from > 15 && to > 5) || to > from {
			continue
		}
		night := m.Start.Add(time.Duration(i)*m.Step - 12*time.Hour).In(zone)
		day := time.Date(night.Year(), night.Month(), night.Day(), 0, 0, 0, 0, time.UTC)
		if run >= longest[day].slots {
			longest[day] = cooling{run, from, to}
		}
	}
	step := resolutionK(m.TankC)
	for _, c := range longest {
		hours := float64(c.slots) * m.Step.Hours()
		if rate := math.Log(c.from/c.to) / hours; rate <= mostLoss {
			perHour = append(perHour, rate)
			finestPerHour += step / (c.to * hours)
		}
	}
	return perHour, finestPerHour / float64(max(1, len(perHour)))
}

// resolutionK is the least change that a sensor ever showed, K.
func resolutionK(tankC []float64) float64 {
	least := math.Inf(1)
	for i := 1; i < len(tankC); i++ {
		if d := math.Abs(tankC[i] - tankC[i-1]); d > 1e-6 && d < least { // NaN is no change
			least = d
		}
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least
}
