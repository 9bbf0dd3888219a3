package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// battery: inputs charge and discharge on one chain, the stored energy.
func (b *builder) battery(d *problem.Battery, dec Decision) Place {
	keep := 1 - d.SelfDischargePerHour*b.dt
	c := ipm.Chain{Keep: b.constant(keep), Drive: b.series(0), Lo: b.series(d.MinKWh), Hi: b.constant(d.CapacityKWh)}
	c.Drive[0] = keep * d.InitialKWh
	last := b.T - 1
	c.Cost = b.constant(0)
	if d.FinalValuePerKWh != 0 {
		c.Cost = b.series(0)
		c.Cost[last] = -d.FinalValuePerKWh
	}
	if e := b.opt.Elastic; e == nil {
		c.Lo[last] = math.Max(c.Lo[last], d.FinalMinKWh)
	} else {
		// below its minimum or its final minimum at a price
		c.Low = &ipm.Band{Level: append([]float64(nil), c.Lo...), Penalty: b.constant(e.FinalPrice)}
		c.Low.Level[last] = math.Max(d.MinKWh, d.FinalMinKWh)
		for t := range c.Lo {
			c.Lo[t] = 0
		}
	}
	k := b.chain(c)
	wear := d.WearCostPerKWh * b.dt
	in := b.input(ipm.Input{Chain: k, Sign: 1, Gain: b.constant(b.dt * d.ChargeEfficiency), Lo: b.constant(0), Hi: b.constant(d.ChargeKW), Cost: b.constant(wear)})
	out := b.input(ipm.Input{Chain: k, Sign: -1, Gain: b.constant(-b.dt / d.DischargeEfficiency), Lo: b.constant(0), Hi: b.constant(d.DischargeKW), Cost: b.constant(wear)})
	if dec.Modes != nil {
		b.site.Inputs[in].Hi, b.site.Inputs[out].Hi = b.series(d.ChargeKW), b.series(d.DischargeKW)
	}
	for t, m := range dec.Modes {
		if m == On || m == Off {
			b.site.Inputs[out].Hi[t] = 0
		}
		if m == Discharging || m == Off {
			b.site.Inputs[in].Hi[t] = 0
		}
	}
	return Place{Input: []int{in, out}, Chain: k}
}
