package certify

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"quartier/optimizer/problem"
)

// Tolerance is by how much a limit may be overstepped, in kW, kWh or K, before it is a violation.
const Tolerance = 1e-5

// Violation is a limit that a plan oversteps.
type Violation struct {
	Limit  string  // what is overstepped, such as "import limit" or "below minimum power"
	Site   string  // empty: the district's boundary
	Device string  // empty: the site itself
	Step   int     // -1: no single step
	Amount float64 // by how much, above Tolerance; +Inf when there is nothing to compare
	Unit   string  // kW, kWh or steps; "" when Amount says nothing
}

// String names the place, the limit and the amount with its unit on one line.
func (v Violation) String() string {
	where := "grid"
	if v.Site != "" {
		where = v.Site
	}
	if v.Device != "" {
		where += "/" + v.Device
	}
	text := where + ": " + v.Limit
	if v.Step >= 0 {
		text += fmt.Sprintf(" in step %d", v.Step)
	}
	if v.Unit != "" {
		text += fmt.Sprintf(" by %.6g %s", v.Amount, v.Unit)
	}
	return text
}

// Report is what a plan is and costs, by the powers of its devices alone.
type Report struct {
	Violations []Violation
	Cost       problem.Cost // Preference is 0
	Objective  float64      // EUR, the total of Cost

	ImportKW, ExportKW   []float64 // T values
	ImportKWh, ExportKWh float64
	PeakKW               float64 // the highest import
	CarbonKG             float64 // of the imports, CO2e
	Sites                []SiteReport
}

// SiteReport is the part of one site, in the order of the problem.
type SiteReport struct {
	NetKW   []float64 // T values
	Devices []DeviceReport
}

// DeviceReport is what the simulation of one device gives; a field that does not apply to its kind is nil.
type DeviceReport struct {
	PowerKW      []float64
	EnergyKWh    []float64 // battery, ev, water heater: T+1 values; a charging point without a car keeps the last car's
	TemperatureC []float64 // heat pump: T+1 values
	On           []bool    // heat pump: T values
}

// Feasible reports whether the plan oversteps nothing.
func (r *Report) Feasible() bool { return len(r.Violations) == 0 }

// evaluation gathers a report.
type evaluation struct {
	Report
	p            *problem.Problem
	dt           float64
	site, device string
}

// over records a violation when the amount is above the tolerance or no number.
func (e *evaluation) over(limit string, step int, amount float64, unit string) {
	if amount > Tolerance || math.IsNaN(amount) {
		e.Violations = append(e.Violations, Violation{limit, e.site, e.device, step, amount, unit})
	}
}

// broken records a violation that has no amount.
func (e *evaluation) broken(limit string, step int) {
	e.Violations = append(e.Violations, Violation{Limit: limit, Site: e.site, Device: e.device, Step: step, Amount: math.Inf(1)})
}

// Evaluate simulates the plan s of the valid problem p. A device without T finite powers is a violation and counts as zero power.
func Evaluate(p *problem.Problem, s *problem.Solution) Report { return EvaluateBy(p, s, 1) }

// EvaluateBy is [Evaluate] by so many goroutines; the report does not depend on it.
func EvaluateBy(p *problem.Problem, s *problem.Solution, workers int) Report {
	e := &evaluation{p: p, dt: p.Hours()}
	plans := e.plans(s)
	e.Sites = make([]SiteReport, len(p.Sites))
	parts := make([]evaluation, len(p.Sites))
	each(len(p.Sites), workers, func(i int) {
		parts[i] = evaluation{p: p, dt: e.dt}
		e.Sites[i] = parts[i].one(i, plans)
	})
	total := make([]float64, p.Steps)
	for i := range parts {
		e.Violations = append(e.Violations, parts[i].Violations...)
		e.Cost = e.Cost.Plus(parts[i].Cost)
		for t, net := range e.Sites[i].NetKW {
			total[t] += net
		}
	}
	e.boundary(total)
	return e.Report
}

// each calls work for the numbers from 0 to n-1 by so many goroutines.
func each(n, workers int, work func(int)) {
	if workers = min(workers, n); workers <= 1 {
		for i := range n {
			work(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				work(i)
			}
		})
	}
	wg.Wait()
}

// EvaluateDevice simulates one device of the problem alone: what it costs in EUR by itself, without the power that it draws, and whether it keeps its own limits.
func EvaluateDevice(p *problem.Problem, d problem.Device, plan *problem.DeviceSolution) (cost float64, feasible bool) {
	e := evaluation{p: p, dt: p.Hours()}
	e.simulate(d, plan)
	return e.Cost.Total(), e.Feasible()
}

// one simulates one site.
func (e *evaluation) one(i int, plans map[[2]string]*problem.DeviceSolution) SiteReport {
	site := &e.p.Sites[i]
	out := SiteReport{NetKW: append([]float64(nil), site.LoadKW...)}
	e.site = site.ID
	for _, d := range site.Devices {
		e.device = d.ID()
		r := e.simulate(d, plans[[2]string{site.ID, d.ID()}])
		for t, kw := range r.PowerKW {
			out.NetKW[t] += kw
		}
		out.Devices = append(out.Devices, r)
	}
	e.device = ""
	for t, net := range out.NetKW {
		e.over("import limit", t, net-site.ImportLimitKW[t], "kW")
		e.over("export limit", t, -net-site.ExportLimitKW[t], "kW")
		e.Cost.Fees += e.dt * site.WithdrawalFee[t] * max(0, net)
	}
	return out
}

// simulate simulates one device.
func (e *evaluation) simulate(d problem.Device, plan *problem.DeviceSolution) DeviceReport {
	r := DeviceReport{PowerKW: e.powers(plan)}
	switch d := d.(type) {
	case *problem.PV:
		e.pv(d, &r)
	case *problem.Battery:
		e.battery(d, &r)
	case *problem.EV:
		e.ev(d, &r)
	case *problem.HeatPump:
		e.heatPump(d, &r, plan)
	case *problem.WaterHeater:
		e.waterHeater(d, &r)
	case *problem.Shiftable:
		e.shiftable(d, &r)
	case *problem.Flexible:
		e.flexible(d, &r)
	}
	return r
}

// plans finds the plans of the devices by site and device, and records those that belong to none.
func (e *evaluation) plans(s *problem.Solution) map[[2]string]*problem.DeviceSolution {
	known := map[[2]string]bool{}
	for i := range e.p.Sites {
		for _, d := range e.p.Sites[i].Devices {
			known[[2]string{e.p.Sites[i].ID, d.ID()}] = true
		}
	}
	plans := map[[2]string]*problem.DeviceSolution{}
	for i := range s.Sites {
		for j := range s.Sites[i].Devices {
			d := &s.Sites[i].Devices[j]
			key := [2]string{s.Sites[i].ID, d.ID}
			e.site, e.device = key[0], key[1]
			switch {
			case !known[key]:
				e.broken("is not in the problem", -1)
			case plans[key] != nil:
				e.broken("is planned twice", -1)
			default:
				plans[key] = d
			}
		}
	}
	return plans
}

// powers returns T finite powers whatever the plan holds.
func (e *evaluation) powers(plan *problem.DeviceSolution) []float64 {
	out := make([]float64, e.p.Steps)
	switch {
	case plan == nil:
		e.broken("no plan", -1)
	case len(plan.PowerKW) != len(out):
		e.broken(fmt.Sprintf("%d powers for %d steps", len(plan.PowerKW), len(out)), -1)
	default:
		for t, kw := range plan.PowerKW {
			if math.IsNaN(kw) || math.IsInf(kw, 0) {
				e.broken("power is no finite number", t)
				continue
			}
			out[t] = kw
		}
	}
	return out
}

// boundary computes what crosses the district's boundary and its cost.
func (e *evaluation) boundary(total []float64) {
	g := &e.p.Grid
	e.site, e.device = "", ""
	for t, net := range total {
		in, out := max(0, net), max(0, -net)
		e.ImportKW, e.ExportKW = append(e.ImportKW, in), append(e.ExportKW, out)
		e.over("import limit", t, in-g.ImportLimitKW[t], "kW")
		e.over("export limit", t, out-g.ExportLimitKW[t], "kW")
		price := g.ImportPrice[t] + g.CarbonIntensity[t]*e.p.CarbonPrice/1e6 // g/kWh times EUR/t: 1e6 g in a tonne
		e.Cost.Energy += e.dt * (price*in - g.ExportPrice[t]*out)
		e.ImportKWh += e.dt * in
		e.ExportKWh += e.dt * out
		e.CarbonKG += e.dt * in * g.CarbonIntensity[t] / 1000
		e.PeakKW = max(e.PeakKW, in)
	}
	e.Cost.Peak = g.PeakPrice * max(0, e.PeakKW-g.PeakSoFarKW)
	e.Objective = e.Cost.Total()
}
