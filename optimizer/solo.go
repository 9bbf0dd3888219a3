package optimizer

import (
	"math"

	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
)

// solo judges one device alone: what it costs by itself, without the power that it draws, and whether it keeps its own limits.
type solo struct {
	p    *problem.Problem
	d    problem.Device
	plan problem.DeviceSolution

	known   bool
	present float64
}

func newSolo(p *problem.Problem, d problem.Device) *solo {
	return &solo{p: p, d: d, plan: problem.DeviceSolution{ID: d.ID()}}
}

// cost returns the device's own cost in EUR at these powers, and false when it oversteps a limit of its own.
func (o *solo) cost(power []float64, on []bool) (float64, bool) {
	o.plan.PowerKW, o.plan.On = power, on
	return certify.EvaluateDevice(o.p, o.d, &o.plan)
}

// now is the cost at the device's present powers, remembered until it has moved; where they overstep a limit nothing is cheaper.
func (o *solo) now(power []float64, on []bool) float64 {
	if !o.known {
		var ok bool
		if o.present, ok = o.cost(power, on); !ok {
			o.present = math.Inf(-1)
		}
		o.known = true
	}
	return o.present
}

// moved forgets the cost at the present powers.
func (o *solo) moved() { o.known = false }
