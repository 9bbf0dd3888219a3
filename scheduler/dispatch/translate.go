// Package dispatch turns a plan's powers into what each device takes, keeps limits whatever the plan says, and falls back to a documented safe state.
package dispatch

import (
	"fmt"
	"math"

	"quartier/drivers"
)

// Command is a power translated into a device's own terms.
type Command struct {
	Value   float64 // in the control quantity
	SentKW  float64 // the power that it stands for, positive into the device
	Clipped bool    // the wanted power was outside what the device takes
	Text    string  // "limit_a 16 A"
}

// Translate brings a wanted power, positive into the device, to the control of a device. maxKW is the device's largest power in the direction of its use
// (the electrical power of a heat pump, the feed of an inverter), used where the control is no power.
//
// Current limits are rounded down so that a limit is never passed by rounding. Below the smallest current the device is paused when less than half
// of the smallest power is wanted. SG Ready: less than a tenth of the power is blocked (1), more than three quarters is a recommended
// boost (3), between is normal (2). On/off: from half the power on. A share limits production: -3 kW wanted of 4 kW rated is 0.75.
func Translate(c drivers.Control, wantedKW, maxKW float64) Command {
	switch c.Quantity {
	case drivers.ControlKW:
		v := quantise(clamp(wantedKW, c.Min, c.Max), c.Step, math.Round)
		return Command{Value: v, SentKW: v, Clipped: v < wantedKW-c.Step-1e-9 || v > wantedKW+c.Step+1e-9, Text: fmt.Sprintf("%s %.2f kW", c.Point, v)}
	case drivers.ControlAmpere:
		perA := c.VoltageV * float64(max(c.Phases, 1)) / 1000
		a := quantise(math.Max(0, wantedKW)/perA, c.Step, math.Floor)
		clipped := false
		switch {
		case a > c.Max:
			a, clipped = c.Max, true
		case a < c.Min && c.Pause != nil && wantedKW < c.Min*perA/2:
			a = *c.Pause
		case a < c.Min:
			a = c.Min
			clipped = wantedKW < c.Min*perA-1e-9
		}
		return Command{Value: a, SentKW: a * perA, Clipped: clipped, Text: fmt.Sprintf("%s %.4g A", c.Point, a)}
	case drivers.ControlShare:
		rated := c.RatedKW
		if rated <= 0 {
			rated = maxKW
		}
		v := 1.0
		if rated > 0 {
			v = quantise(clamp(-wantedKW/rated, c.Min, c.Max), c.Step, math.Floor)
		}
		return Command{Value: v, SentKW: -v * rated, Text: fmt.Sprintf("%s %.0f %%", c.Point, v*100)}
	case drivers.ControlSGReady:
		v := 2.0
		switch {
		case wantedKW < 0.1*maxKW:
			v = 1
		case wantedKW > 0.75*maxKW:
			v = 3
		}
		return Command{Value: v, SentKW: wantedKW, Text: fmt.Sprintf("%s %g (%s)", c.Point, v, sgText[int(v)])}
	case drivers.ControlOnOff:
		if wantedKW >= maxKW/2 && wantedKW > 0 {
			return Command{Value: 1, SentKW: maxKW, Text: c.Point + " on"}
		}
		return Command{Value: 0, Text: c.Point + " off"}
	}
	return Command{Value: c.Safe, Text: fmt.Sprintf("%s %g", c.Point, c.Safe), Clipped: true}
}

var sgText = map[int]string{1: "blocked", 2: "normal", 3: "boost recommended", 4: "forced"}

// Safe returns the command that gives a device back its own control.
func Safe(c drivers.Control) Command {
	return Command{Value: c.Safe, Text: fmt.Sprintf("%s %g (own control)", c.Point, c.Safe)}
}

func clamp(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }

func quantise(v, step float64, round func(float64) float64) float64 {
	if step <= 0 {
		return v
	}
	return round(v/step+1e-9*sign(v)) * step
}

func sign(v float64) float64 {
	if v < 0 {
		return -1
	}
	return 1
}
