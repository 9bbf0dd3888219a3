package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// flexible: one input on one chain, the energy taken in its window, with a shortfall at its end. Outside the window the state is a free zero.
func (b *builder) flexible(d *problem.Flexible) Place {
	hi := b.series(0)
	for t := d.EarliestStep; t < d.LatestStep; t++ {
		hi[t] = d.MaxKW
	}
	u := ipm.Input{Chain: -1, Sign: 1, Lo: b.constant(0), Hi: hi, Cost: b.constant(0)}
	if d.EarliestStep == d.LatestStep {
		b.out.Constant += d.ShortfallCostPerKWh * d.EnergyKWh
		return Place{Input: []int{b.input(u)}, Chain: -1}
	}
	if d.EnergyKWh == 0 || d.ShortfallCostPerKWh == 0 {
		return Place{Input: []int{b.input(u)}, Chain: -1}
	}
	c := ipm.Chain{Keep: b.series(0), Drive: b.constant(0), Lo: b.series(-1), Hi: b.series(1), Cost: b.constant(0),
		Low: &ipm.Band{Level: b.series(0), Penalty: b.series(0)}}
	most := math.Max(1e-3, b.dt*d.MaxKW*float64(d.LatestStep-d.EarliestStep)*1.01)
	for t := d.EarliestStep; t < d.LatestStep; t++ {
		c.Lo[t], c.Hi[t] = -0.01*most, most
		if t > d.EarliestStep {
			c.Keep[t] = 1
		}
	}
	c.Low.Level[d.LatestStep-1], c.Low.Penalty[d.LatestStep-1] = d.EnergyKWh, d.ShortfallCostPerKWh
	u.Chain, u.Gain = b.chain(c), b.constant(b.dt)
	return Place{Input: []int{b.input(u)}, Chain: u.Chain}
}
