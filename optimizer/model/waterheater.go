package model

import (
	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// waterHeater: inputs power and unmet draw (which only fills the tank) on one chain, the stored heat.
func (b *builder) waterHeater(d *problem.WaterHeater, dec Decision) Place {
	keep := 1 - d.LossPerHour*b.dt
	c := ipm.Chain{Keep: b.constant(keep), Drive: b.series(0), Lo: b.constant(0), Hi: b.constant(d.CapacityKWh), Cost: b.constant(0)}
	gain, unmet := b.series(0), b.series(0)
	for t := 0; t < b.T; t++ {
		gain[t] = b.dt * d.COP[t]
		unmet[t] = b.dt * d.DrawKW[t]
		c.Drive[t] = -unmet[t]
	}
	if d.CapacityByStepKWh != nil {
		c.Hi = d.CapacityByStepKWh
	}
	c.Drive[0] += keep * d.InitialKWh
	if d.FinalMinKWh > 0 && d.ShortfallCostPerKWh > 0 {
		c.Low = &ipm.Band{Level: b.constant(d.FinalMinKWh), Penalty: b.series(0)}
		c.Low.Penalty[b.T-1] = d.ShortfallCostPerKWh
	}
	lo, hi := b.constant(0), b.constant(d.MaxKW)
	if dec.Modes != nil {
		lo, hi = b.series(0), b.series(d.MaxKW)
	}
	for t, m := range dec.Modes {
		switch m {
		case Off:
			hi[t] = 0
		case On:
			lo[t] = d.MinKW
		}
	}
	k := b.chain(c)
	power := b.input(ipm.Input{Chain: k, Sign: 1, Gain: gain, Lo: lo, Hi: hi, Cost: b.constant(0)})
	b.input(ipm.Input{Chain: k, Sign: 0, Gain: b.constant(1), Lo: b.constant(0), Hi: unmet, Cost: b.constant(d.ShortfallCostPerKWh)})
	return Place{Input: []int{power}, Chain: k}
}
