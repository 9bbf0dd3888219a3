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
// Current limits are rounded down, but by [AtLeast], so that a limit is never passed by rounding. Below the smallest current the device is paused when less than half
// of the smallest power is wanted. SG Ready: less than a tenth of the power is blocked (1), more than three quarters is a recommended
// boost (3), between is normal (2). On/off: from half the power on. A share limits production, or consumption where that is wanted: -3 kW of 4 kW rated is 0.75, and so is 3 kW; one whose range begins
// below 0 is the power itself, positive into the device: -3 kW are -0.75. The ends of a range that are no whole steps are not passed.
func Translate(c drivers.Control, wantedKW, maxKW float64) Command {
	return translate(c, wantedKW, maxKW, nearest)
}

// AtMost translates a power that a limit lowered: what the device makes of the command is not above it, so that one that cannot run so low is stopped.
func AtMost(c drivers.Control, wantedKW, maxKW float64) Command {
	return translate(c, wantedKW, maxKW, notAbove)
}

// AtLeast translates a power that a limit lifted, such as that of a battery that takes what must not be fed: what the device makes of the command is not below it.
func AtLeast(c drivers.Control, wantedKW, maxKW float64) Command {
	return translate(c, wantedKW, maxKW, notBelow)
}

// side is on which side of the wanted power a command may end.
type side int

const (
	notAbove side = iota - 1
	nearest
	notBelow
)

func translate(c drivers.Control, wantedKW, maxKW float64, s side) Command {
	atMost := s == notAbove
	switch c.Quantity {
	case drivers.ControlKW:
		v := within(c, wantedKW, s)
		return Command{Value: v, SentKW: v, Clipped: v < wantedKW-c.Step-1e-9 || v > wantedKW+c.Step+1e-9, Text: textOf(c, v)}
	case drivers.ControlAmpere:
		perA := c.VoltageV * float64(max(c.Phases, 1)) / 1000
		up := notAbove
		if s == notBelow {
			up = notBelow
		}
		a := quantise(math.Max(0, wantedKW)/perA, c.Step, up)
		clipped := false
		switch {
		case a > c.Max:
			a, clipped = c.Max, true
		case a < c.Min && c.Pause != nil && (atMost || wantedKW <= 0 || s == nearest && wantedKW < c.Min*perA/2):
			a = *c.Pause
		case a < c.Min:
			a = c.Min
			clipped = wantedKW < c.Min*perA-1e-9
		}
		return Command{Value: a, SentKW: a * perA, Clipped: clipped, Text: textOf(c, a)}
	case drivers.ControlShare:
		rated := c.RatedKW
		if rated <= 0 {
			rated = maxKW
		}
		if c.Min < 0 { // of both directions, positive into the device, such as that of a battery
			v := 0.0
			if rated > 0 {
				v = within(c, wantedKW/rated, s)
			}
			return Command{Value: v, SentKW: v * rated, Clipped: math.Abs(v*rated-wantedKW) > c.Step*rated+1e-9, Text: textOf(c, v)}
		}
		v, sign := 1.0, -1.0
		if rated > 0 {
			up := notAbove // what is delivered, not what is taken: a limit of it is not passed
			if atMost {
				up = notBelow
			}
			if wantedKW > 0 { // of consumption, such as lamps
				sign, up = 1, s
			}
			v = within(c, math.Abs(wantedKW)/rated, up)
		}
		return Command{Value: v, SentKW: sign * v * rated, Clipped: sign > 0 && math.Abs(v*rated-wantedKW) > c.Step*rated+1e-9, Text: textOf(c, v)}
	case drivers.ControlSGReady:
		v := 2.0
		switch {
		case wantedKW < 0.1*maxKW, atMost && wantedKW < maxKW-1e-3:
			v = 1
		case wantedKW > 0.75*maxKW:
			v = 3
		}
		return Command{Value: v, SentKW: wantedKW, Text: fmt.Sprintf("%s %g (%s)", c.Point, v, sgText[int(v)])}
	case drivers.ControlOnOff:
		if wantedKW >= maxKW/2 && wantedKW > 0 && (!atMost || wantedKW >= maxKW-1e-3) {
			return Command{Value: 1, SentKW: maxKW, Text: c.Point + " on"}
		}
		return Command{Value: 0, Text: c.Point + " off"}
	}
	return Command{Value: c.Safe, Text: fmt.Sprintf("%s %g", c.Point, c.Safe), Clipped: true}
}

// textOf is a command in a device's own terms.
func textOf(c drivers.Control, v float64) string {
	text := ""
	switch c.Quantity {
	case drivers.ControlAmpere:
		text = fmt.Sprintf("%s %.4g A", c.Point, v)
	case drivers.ControlShare:
		text = fmt.Sprintf("%s %.0f %%", c.Point, v*100)
	default:
		text = fmt.Sprintf("%s %.2f kW", c.Point, v)
	}
	if v == 0 && c.ZeroReleases {
		text += " (own control)"
	}
	return text
}

// kwOf is the power that a command stands for, positive into the device.
func kwOf(c drivers.Control, v float64) float64 {
	switch c.Quantity {
	case drivers.ControlAmpere:
		return v * c.VoltageV * float64(max(c.Phases, 1)) / 1000
	case drivers.ControlShare:
		if c.Min < 0 {
			return v * c.RatedKW
		}
		return -v * c.RatedKW
	}
	return v
}

var sgText = map[int]string{1: "blocked", 2: "normal", 3: "boost recommended", 4: "forced"}

// Own returns what gives a device back its own control, as its profile says by restore.
func Own(c drivers.Control) Command {
	text := fmt.Sprintf("%s %g (own control)", c.Point, c.Safe)
	switch c.Restore {
	case drivers.RestorePrevious:
		text = c.Point + " as before (own control)"
	case drivers.RestoreReversion:
		text = fmt.Sprintf("%s ends by itself after %g s (own control)", c.Point, c.Reversion.Seconds())
	}
	return Command{Value: c.Safe, Text: text}
}

// SafeKW is the power that a device may take at its safe value, positive into the device: what a charger draws at its safe current, all that others can.
func SafeKW(c drivers.Control, maxKW float64) float64 {
	if c.Quantity == drivers.ControlAmpere {
		return kwOf(c, c.Safe)
	}
	return maxKW
}

// StepKW is the power between two commands to a device; 0 where it takes any power, or knows states alone.
func StepKW(c drivers.Control, maxKW float64) float64 { return sizeOf(c, c.Step, maxKW) }

// RunsFromKW is the least power above a pause that a command to a consumer can stand for; 0 where it can be any.
func RunsFromKW(c drivers.Control, maxKW float64) float64 {
	return math.Max(0, sizeOf(c, c.Min, maxKW))
}

// sizeOf is the power that a value of a control stands for, whatever its direction; 0 of one that knows states alone.
func sizeOf(c drivers.Control, v, maxKW float64) float64 {
	switch c.Quantity {
	case drivers.ControlKW, drivers.ControlAmpere:
		return kwOf(c, v)
	case drivers.ControlShare:
		if c.RatedKW > 0 {
			maxKW = c.RatedKW
		}
		return v * maxKW
	}
	return 0
}

func clamp(v, lo, hi float64) float64 { return math.Max(lo, math.Min(hi, v)) }

// within brings a value into the range of a control, and there to the nearest step or to the next one on a side. A single device's range need not be whole steps, and 46 steps of 0.1 are more than 4.6.
func within(c drivers.Control, v float64, s side) float64 {
	v = quantise(clamp(v, c.Min, c.Max), c.Step, s)
	switch {
	case v > c.Max:
		v = quantise(c.Max, c.Step, notAbove)
	case v < c.Min:
		v = quantise(c.Min, c.Step, notBelow)
	}
	return clamp(v, c.Min, c.Max)
}

// quantise brings a value to the nearest step, or to the next one on a side.
func quantise(v, step float64, s side) float64 {
	if step <= 0 {
		return v
	}
	const rounding = 1e-9 // of the division
	switch s {
	case notAbove:
		return math.Floor(v/step+rounding) * step
	case notBelow:
		return math.Ceil(v/step-rounding) * step
	}
	return math.Round(v/step) * step
}
