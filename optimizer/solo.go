package optimizer

import (
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
)

// solo judges one device alone: what it costs by itself, without the power that it draws, and whether it keeps its own limits.
type solo struct {
	p problem.Problem
	s problem.Solution
}

func newSolo(p *problem.Problem, d problem.Device) *solo {
	q := problem.Problem{Version: p.Version, Start: p.Start, StepMinutes: p.StepMinutes, Steps: p.Steps, Sites: []problem.Site{{ID: "s", Devices: []problem.Device{d}}}}
	q.Grid.ImportPrice = make([]float64, p.Steps)
	q.Fill()
	return &solo{p: q, s: problem.Solution{Sites: []problem.SiteSolution{{ID: "s", Devices: []problem.DeviceSolution{{ID: d.ID()}}}}}}
}

// cost returns the device's own cost in EUR at these powers, and false when it oversteps a limit of its own.
func (o *solo) cost(power []float64, on []bool) (float64, bool) {
	d := &o.s.Sites[0].Devices[0]
	d.PowerKW, d.On = power, on
	r := certify.Evaluate(&o.p, &o.s)
	return r.Objective, r.Feasible()
}
