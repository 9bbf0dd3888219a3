package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// ev: input charge, and discharge where the car can give; one chain, the energy of the car that is there. Between sessions the state is a free zero.
func (b *builder) ev(d *problem.EV, dec Decision) Place {
	c := ipm.Chain{Keep: b.series(0), Drive: b.series(0), Lo: b.series(-1), Hi: b.series(1), Cost: b.constant(0),
		Low: &ipm.Band{Level: b.series(0), Penalty: b.series(0)}}
	charge, give := b.series(0), b.series(0)
	least := b.constant(0)
	if dec.Modes != nil && d.MinKW > 0 {
		least = b.series(0)
	}
	for _, s := range d.Sessions {
		if s.ArriveStep == s.DepartStep {
			b.out.Constant += d.ShortfallCostPerKWh * math.Max(0, s.TargetKWh-s.InitialKWh)
			continue
		}
		for t := s.ArriveStep; t < s.DepartStep; t++ {
			c.Lo[t], c.Hi[t] = 0, d.CapacityKWh
			charge[t], give[t] = d.MaxKW, d.DischargeKW
			if t > s.ArriveStep {
				c.Keep[t] = 1
			} else {
				c.Drive[t] = s.InitialKWh
			}
		}
		last := s.DepartStep - 1
		c.Low.Level[last], c.Low.Penalty[last] = s.TargetKWh, d.ShortfallCostPerKWh
	}
	for t, m := range dec.Modes {
		switch {
		case charge[t] == 0 && give[t] == 0:
		case m == Off:
			charge[t], give[t] = 0, 0
		case m == On:
			give[t] = 0
			if d.MinKW > 0 {
				least[t] = d.MinKW
			}
		case m == Discharging:
			charge[t] = 0
		}
	}
	k := b.chain(c)
	place := Place{Chain: k}
	place.Input = append(place.Input, b.input(ipm.Input{Chain: k, Sign: 1, Gain: b.constant(b.dt * d.ChargeEfficiency), Lo: least, Hi: charge, Cost: b.constant(0)}))
	if d.DischargeKW > 0 {
		place.Input = append(place.Input, b.input(ipm.Input{Chain: k, Sign: -1, Gain: b.constant(-b.dt / d.DischargeEfficiency), Lo: b.constant(0), Hi: give,
			Cost: b.constant(b.dt * d.WearCostPerKWh)}))
	}
	return place
}
