package balances

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"quartier/schemas/balance/kpi"
	"quartier/schemas/district"
)

// observedDay is what was observed in a day, or in a part of one, in the order of the devices and sites that are [watched].
type observedDay struct {
	rooms     []kpi.Comfort // Hours stays 0
	inverters []observedInverter
	lit       bool // irradiation was measured
	errors    []observedErrors
}

type observedInverter struct {
	kpi.Curtailment      // Hours stays 0
	limited         bool // a limit below its rating stood
}

type observedErrors struct{ hourAhead, dayAhead kpi.Errors }

// judge adds errors of forecasts, where an indicator is made of them.
func (o *observedDay) judge(w *watched, e district.ForecastError) {
	for i, site := range w.forecasts {
		quantity := district.ForecastLoad
		if site == district.DistrictSite {
			quantity = district.ForecastNet
		}
		if e.Site != site || e.Device != "" || e.Quantity != quantity {
			continue
		}
		sums := kpi.Errors{Slots: e.Count, AbsoluteKW: e.Absolute, MeasuredKW: e.Measured}
		switch e.LeadMinutes {
		case 60:
			o.errors[i].hourAhead.Merge(sums)
		case 24 * 60:
			o.errors[i].dayAhead.Merge(sums)
		}
	}
}

// Bits of a day and of an inverter.
const (
	isLit     = 1
	isLimited = 1
)

// encode packs a day: a byte of bits; of each room three numbers of 8 bytes; of each inverter a byte of bits, its hours, and the hours of the day with a yield, free and limited, as 24 bits in 4 bytes followed by two numbers each; and of
// each site the slots of both leads, as a variable-length integer followed by two numbers where there are any.
func (o *observedDay) encode() []byte {
	c := observedCoder{out: []byte{}}
	o.visit(&c)
	return c.out
}

// decode unpacks a day of the devices and sites that are watched.
func (w *watched) decode(body []byte) (observedDay, error) {
	o := observedDay{rooms: make([]kpi.Comfort, len(w.rooms)), inverters: make([]observedInverter, len(w.inverters)), errors: make([]observedErrors, len(w.forecasts))}
	c := observedCoder{in: body, reads: true}
	o.visit(&c)
	if c.bad || len(c.in) > 0 {
		return o, fmt.Errorf("balances: what was observed in a day of %s: %w: %d bytes", w.district.ID, errObserved, len(body))
	}
	return o, nil
}

var errObserved = errors.New("damaged sums")

// visit shows a coder every figure of a day, always in the same order.
func (o *observedDay) visit(c *observedCoder) {
	c.flag(isLit, &o.lit)
	for i := range o.rooms {
		r := &o.rooms[i]
		c.floats(&r.OutsideKh, &r.OutsideHours, &r.MeasuredHours)
	}
	for i := range o.inverters {
		x := &o.inverters[i]
		c.flag(isLimited, &x.limited)
		c.floats(&x.MeasuredHours)
		c.yields(&x.Free)
		c.yields(&x.Limited)
	}
	for i := range o.errors {
		for _, e := range []*kpi.Errors{&o.errors[i].hourAhead, &o.errors[i].dayAhead} {
			if c.integer(&e.Slots); e.Slots > 0 {
				c.floats(&e.AbsoluteKW, &e.MeasuredKW)
			}
		}
	}
}

// observedCoder packs figures, or unpacks them.
type observedCoder struct {
	out   []byte
	in    []byte
	reads bool
	bad   bool
}

func (c *observedCoder) take(n int) []byte {
	if len(c.in) < n {
		c.bad, c.in = true, nil
		return make([]byte, n)
	}
	out := c.in[:n]
	c.in = c.in[n:]
	return out
}

func (c *observedCoder) flag(bit byte, v *bool) {
	if c.reads {
		b := c.take(1)[0]
		*v, c.bad = b&bit != 0, c.bad || b&^bit != 0
		return
	}
	b := byte(0)
	if *v {
		b = bit
	}
	c.out = append(c.out, b)
}

func (c *observedCoder) floats(list ...*float64) {
	for _, v := range list {
		if !c.reads {
			c.out = binary.LittleEndian.AppendUint64(c.out, math.Float64bits(*v))
			continue
		}
		*v = math.Float64frombits(binary.LittleEndian.Uint64(c.take(8)))
		c.bad = c.bad || math.IsNaN(*v) || math.IsInf(*v, 0)
	}
}

func (c *observedCoder) integer(v *int64) {
	if !c.reads {
		c.out = binary.AppendUvarint(c.out, uint64(*v))
		return
	}
	x, n := binary.Uvarint(c.in)
	if n <= 0 || x > math.MaxInt64 {
		c.bad, c.in = true, nil
		return
	}
	*v, c.in = int64(x), c.in[n:]
}

func (c *observedCoder) yields(list *[24]kpi.Yield) {
	hours := uint32(0)
	for h, y := range list {
		if y != (kpi.Yield{}) {
			hours |= 1 << h
		}
	}
	if c.reads {
		hours = binary.LittleEndian.Uint32(c.take(4))
		c.bad = c.bad || hours >= 1<<24
	} else {
		c.out = binary.LittleEndian.AppendUint32(c.out, hours)
	}
	for h := range list {
		if hours&(1<<h) != 0 {
			c.floats(&list[h].KWh, &list[h].KWhPerM2)
		}
	}
}
