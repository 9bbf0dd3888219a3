package model

import (
	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// pv: one input, the power produced. One that cannot be curtailed is part of the load.
func (b *builder) pv(d *problem.PV) Place {
	if !d.Curtailable {
		b.load(d.AvailableKW, -1)
		fixed := make([]float64, b.T)
		for t, v := range d.AvailableKW {
			fixed[t] = -v
		}
		return Place{Chain: -1, fixed: fixed}
	}
	u := b.input(ipm.Input{Chain: -1, Sign: -1, Lo: b.constant(0), Hi: d.AvailableKW, Cost: b.constant(0)})
	return Place{Input: []int{u}, Chain: -1}
}
