package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// heatPump: one input on one chain, the zone's temperature, with a comfort band. Its box is what the machine can reach and a little
// more, so it never binds. Without a price of discomfort the temperature does not matter and has no chain.
func (b *builder) heatPump(d *problem.HeatPump, dec Decision) Place {
	z := &d.Zone
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
	u := ipm.Input{Chain: -1, Sign: 1, Lo: lo, Hi: hi, Cost: b.constant(0)}
	if z.DiscomfortCostPerKH == 0 {
		return Place{Input: []int{b.input(u)}, Chain: -1}
	}
	a := math.Exp(-b.dt / (z.ResistanceKPerKW * z.CapacityKWhPerK))
	c := ipm.Chain{Keep: b.constant(a), Drive: b.series(0), Lo: b.series(0), Hi: b.series(0), Cost: b.constant(0)}
	c.Low = &ipm.Band{Level: z.MinC, Penalty: b.constant(b.dt * z.DiscomfortCostPerKH)}
	c.High = &ipm.Band{Level: z.MaxC, Penalty: c.Low.Penalty}
	u.Gain = b.series(0)
	cold, warm := z.InitialC, z.InitialC
	for t := 0; t < b.T; t++ {
		c.Drive[t] = (1 - a) * (z.OutdoorC[t] + z.ResistanceKPerKW*z.GainsKW[t])
		u.Gain[t] = (1 - a) * z.ResistanceKPerKW * d.COP[t]
		cold = a*cold + c.Drive[t]
		warm = a*warm + c.Drive[t] + u.Gain[t]*d.MaxKW
		room := 1 + 0.05*(warm-cold)
		c.Lo[t], c.Hi[t] = cold-room, warm+room
	}
	c.Drive[0] += a * z.InitialC
	u.Chain = b.chain(c)
	return Place{Input: []int{b.input(u)}, Chain: u.Chain}
}
