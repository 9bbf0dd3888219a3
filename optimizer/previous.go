package optimizer

import (
	"math"

	"quartier/optimizer/discrete"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// shifted is the previous plan in the steps of the present problem.
type shifted struct {
	power [][][]float64
	on    [][][]bool
}

// previous aligns the previous plan by its start; where it does not reach, the new plan goes on. It returns nil when there is none, its steps are others,
// it does not cover the first step, or a device is missing.
func (r *run) previous(plan *discrete.Plan) *shifted {
	old := r.set.Previous
	if old == nil || len(old.Sites) == 0 || old.StepMinutes != r.p.StepMinutes || old.Elastic {
		return nil
	}
	steps := r.p.Start.Sub(old.Start).Minutes() / r.p.StepMinutes
	shift := int(math.Round(steps))
	if math.Abs(steps-float64(shift)) > 1e-6 || shift < 0 || shift >= old.Steps {
		return nil
	}
	T := r.p.Steps
	n := min(T, old.Steps-shift)
	out := &shifted{power: make([][][]float64, len(r.p.Sites)), on: make([][][]bool, len(r.p.Sites))}
	for i := range r.p.Sites {
		site := &r.p.Sites[i]
		out.power[i], out.on[i] = make([][]float64, len(site.Devices)), make([][]bool, len(site.Devices))
		for j, d := range site.Devices {
			was := old.Device(site.ID, d.ID())
			if was == nil || len(was.PowerKW) != old.Steps {
				return nil
			}
			v := append([]float64(nil), plan.Power[i][j]...)
			copy(v[:n], was.PowerKW[shift:])
			switch d := d.(type) {
			case *problem.PV: // the sun decides, not the plan: keep the share that was curtailed only where it still can be
				for t := range v[:n] {
					if !d.Curtailable || was.PowerKW[shift+t] <= plan.Power[i][j][t] {
						v[t] = plan.Power[i][j][t]
					}
				}
			case *problem.HeatPump:
				on := append([]bool(nil), plan.On[i][j]...)
				for t := range on[:n] {
					on[t] = v[t] > 1e-6
					if len(was.On) == old.Steps {
						on[t] = was.On[shift+t]
					}
				}
				out.on[i][j] = on
			}
			out.power[i][j] = v
		}
	}
	model.Repair(r.p, out.power)
	return out
}
