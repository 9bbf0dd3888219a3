package order

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
)

// Fault is what is wrong with one field of an order, by its JSON name.
type Fault struct {
	Field, Message string
}

// Faults are all that is wrong with an order.
type Faults []Fault

func (f Faults) Error() string {
	var b strings.Builder
	for i, x := range f {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(x.Field + ": " + x.Message)
	}
	return b.String()
}

// Longest is how far an order may reach, but one that has no end.
const Longest = 400 * 24 * time.Hour

// Check returns every fault of an order for a district at now, or nil.
func Check(o *Order, d *district.District, now time.Time) Faults {
	c := checker{o: o, d: d}
	if math.IsNaN(o.Value) || math.IsInf(o.Value, 0) || math.IsNaN(o.High) || math.IsInf(o.High, 0) {
		c.say("value", "%v is no finite number", o.Value)
	}
	c.target()
	c.times(now)
	if strings.TrimSpace(o.Reason) == "" {
		c.say("reason", "missing: whoever reads the list later wants to know why")
	}
	if len(o.Reason) > 500 {
		c.say("reason", "%d bytes are above 500", len(o.Reason))
	}
	if o.Kind != Quiet && (o.From != "" || o.To != "") {
		c.say("from", "daily hours belong to %s alone", Quiet)
	}
	if o.Kind != Quiet && o.Days != 0 {
		c.say("days", "belong to %s alone", Quiet)
	}
	if o.Kind != Range && o.High != 0 {
		c.say("high", "belongs to %s alone", Range)
	}
	return c.faults
}

type checker struct {
	o      *Order
	d      *district.District
	faults Faults
}

func (c *checker) say(field, format string, args ...any) {
	c.faults = append(c.faults, Fault{field, fmt.Sprintf(format, args...)})
}

// within says when the value is outside a range.
func (c *checker) within(low, high float64) {
	if c.o.Value < low || c.o.Value > high {
		c.say("value", "%g %s is outside %g to %g %s", c.o.Value, c.o.Kind.Unit(), low, high, c.o.Kind.Unit())
	}
}

func (c *checker) times(now time.Time) {
	o := c.o
	switch {
	case o.Start.IsZero():
		c.say("start", "missing")
	case o.End.IsZero():
		if o.Kind != LockOut && o.Kind != Quiet && o.Source != FromSystem {
			c.say("end", "missing: only %s and %s may stay until somebody ends them", LockOut, Quiet)
		}
	case !o.End.After(o.Start):
		c.say("end", "%s is not after the start %s", o.End.Format(time.RFC3339), o.Start.Format(time.RFC3339))
	case !o.End.After(now):
		c.say("end", "%s is over", o.End.Format(time.RFC3339))
	case o.End.Sub(o.Start) > Longest || o.Start.Sub(now) > Longest:
		c.say("end", "%s is more than %.0f days away", o.End.Format(time.RFC3339), Longest.Hours()/24)
	}
}

func (c *checker) target() {
	o := c.o
	site := c.d.Site(o.Site)
	if o.Site != "" && site == nil {
		c.say("site", "%s has no site %q", c.d.ID, o.Site)
		return
	}
	switch o.Kind {
	case ImportLimit, ExportLimit:
		c.noDevice()
		c.within(0, 1e5)
		return
	case Comfort, Away:
		c.noDevice()
		if site == nil {
			c.say("site", "missing: %s is of a site", o.Kind)
		}
		if o.Kind == Comfort {
			c.within(-5, 5)
		} else {
			c.within(0, 10)
		}
		return
	case Range, ReadyBy, Quiet, Power, OwnControl, LockOut:
	default:
		c.say("kind", "%q is none", o.Kind)
		return
	}
	var dev *district.Device
	if site != nil {
		dev = c.d.Device(o.Site, o.Device)
	}
	switch {
	case dev == nil:
		c.say("device", "%s/%s has no device %q", c.d.ID, o.Site, o.Device)
		return
	case !dev.Control:
		c.say("device", "%s/%s/%s is not under control", c.d.ID, o.Site, o.Device)
		return
	}
	c.device(dev)
}

func (c *checker) noDevice() {
	if c.o.Device != "" {
		c.say("device", "%s is of a site or district, not of a device", c.o.Kind)
	}
}

func (c *checker) device(dev *district.Device) {
	o := c.o
	wrong := func() { c.say("device", "a %s takes no %s", dev.Kind, o.Kind) }
	switch o.Kind {
	case Range:
		low, high := 5.0, 35.0
		switch dev.Kind {
		case district.HeatPump:
		case district.WaterHeater:
			low, high = 10, dev.WaterHeater.MaxC
		default:
			wrong()
			return
		}
		c.within(low, high)
		if o.High <= o.Value || o.High > high {
			c.say("high", "%g °C is not between %g and %g °C", o.High, o.Value, high)
		}
	case ReadyBy:
		if dev.EVCharger == nil {
			wrong()
			return
		}
		c.within(0, math.Max(dev.EVCharger.CapacityKWh, dev.EVCharger.TargetKWh))
	case Quiet:
		if !slices.Contains(district.Hushed(), dev.Kind) {
			wrong()
		}
		c.within(0, 1e5)
		for _, f := range []struct{ field, text string }{{"from", o.From}, {"to", o.To}} {
			if _, ok := minutes(f.text); !ok {
				c.say(f.field, "%q is no local time such as 22:00", f.text)
			}
		}
	case Power:
		low, high := powers(dev)
		c.within(low, high)
	}
}

// powers are what a device may be told to do, positive into it.
func powers(dev *district.Device) (low, high float64) {
	switch {
	case dev.PV != nil:
		return -dev.PV.PeakKW, 0
	case dev.Battery != nil:
		return -dev.Battery.DischargeKW, dev.Battery.ChargeKW
	case dev.EVCharger != nil:
		return 0, dev.EVCharger.MaxKW
	case dev.HeatPump != nil:
		return 0, dev.HeatPump.MaxKW
	case dev.WaterHeater != nil:
		return 0, dev.WaterHeater.MaxKW
	case dev.Lighting != nil:
		return 0, dev.Lighting.RatedKW
	}
	return 0, 0
}
