package discrete

import (
	"math"

	"quartier/optimizer/problem"
)

// slack is by how much the devices of a plan could draw less and more in each single step, with its on/off decisions and with what its stores hold then: what the program that follows a
// sweep can at most make room with. It is blind to what a store needs in other steps.
type slack struct {
	less, more [][][]float64 // kW by site, device and step
	site       []sums        // by site
	all        sums          // of the district
}

// sums are those over devices by step, kW.
type sums struct{ less, more []float64 }

// newSlack measures a share of it.
func newSlack(p *problem.Problem, plan *Plan, share float64) *slack {
	T := p.Steps
	zero := func() sums { return sums{make([]float64, T), make([]float64, T)} }
	s := &slack{less: make([][][]float64, len(p.Sites)), more: make([][][]float64, len(p.Sites)), site: make([]sums, len(p.Sites)), all: zero()}
	for i := range p.Sites {
		s.less[i], s.more[i] = make([][]float64, len(p.Sites[i].Devices)), make([][]float64, len(p.Sites[i].Devices))
		s.site[i] = zero()
		for j, d := range p.Sites[i].Devices {
			low, high := ranges(p, d, plan.Power[i][j])
			for t, kw := range plan.Power[i][j] {
				low[t], high[t] = share*math.Max(0, kw-low[t]), share*math.Max(0, high[t]-kw)
				s.site[i].less[t] += low[t]
				s.site[i].more[t] += high[t]
				s.all.less[t] += low[t]
				s.all.more[t] += high[t]
			}
			s.less[i][j], s.more[i][j] = low, high
		}
	}
	return s
}

// add widens the rooms of a device by what the others give way.
func (s *slack) add(r *[2]room, u unit, t int) {
	for k, sum := range [2]*sums{&s.site[u.site], &s.all} {
		r[k].up += math.Max(0, sum.less[t]-s.less[u.site][u.dev][t])
		r[k].down += math.Max(0, sum.more[t]-s.more[u.site][u.dev][t])
	}
}

// ranges is the range of a device's power in each step, kW: what it runs at with its decisions, and what its store holds by then in a plan with this power.
func ranges(p *problem.Problem, d problem.Device, power []float64) (low, high []float64) {
	T, dt := p.Steps, p.Hours()
	low, high = append([]float64(nil), power...), append([]float64(nil), power...)
	running := func(minKW, maxKW float64) {
		for t, kw := range power {
			if kw > 0 {
				low[t], high[t] = minKW, maxKW
			} else if minKW == 0 {
				high[t] = maxKW
			}
		}
	}
	switch d := d.(type) {
	case *problem.PV:
		for t := range T {
			if d.Curtailable {
				low[t], high[t] = -d.AvailableKW[t], 0
			}
		}
	case *problem.Battery:
		e := d.InitialKWh
		for t, kw := range power {
			held := (1 - d.SelfDischargePerHour*dt) * e
			low[t] = -math.Min(d.DischargeKW, math.Max(0, held-d.MinKWh)/dt*d.DischargeEfficiency)
			high[t] = math.Min(d.ChargeKW, math.Max(0, d.CapacityKWh-held)/(dt*d.ChargeEfficiency))
			e = held + dt*(math.Max(0, kw)*d.ChargeEfficiency+math.Min(0, kw)/d.DischargeEfficiency)
		}
	case *problem.EV:
		for _, c := range d.Sessions {
			for t := c.ArriveStep; t < c.DepartStep; t++ {
				if power[t] > 0 {
					low[t], high[t] = d.MinKW, d.MaxKW
				} else if d.MinKW == 0 {
					high[t] = d.MaxKW
				}
			}
		}
	case *problem.HeatPump:
		running(d.MinKW, d.MaxKW)
	case *problem.WaterHeater:
		running(d.MinKW, d.MaxKW)
	case *problem.Flexible:
		for t := d.EarliestStep; t < d.LatestStep; t++ {
			low[t], high[t] = 0, d.MaxKW
		}
	}
	return low, high
}
