package explain

import (
	"fmt"
	"math"
	"time"

	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
)

// still is the power (kW) below which nothing moves.
const still = 1e-4

// Explainer explains one plan. It is safe for concurrent use once made.
type Explainer struct {
	p      *problem.Problem
	s      *problem.Solution
	report certify.Report
	value  map[place]float64 // EUR per kW or kWh of relief of a limit in a step
	priced bool              // the solution has prices of its own
}

type place struct {
	limit, site, device string
	step                int
}

// New returns an explainer of the plan s of the valid problem p. The error says why s is no plan of p.
func New(p *problem.Problem, s *problem.Solution) (*Explainer, error) {
	switch {
	case s.Steps != p.Steps || s.StepMinutes != p.StepMinutes || !s.Start.Equal(p.Start):
		return nil, fmt.Errorf("explain: the solution has %d steps of %g min from %s, the problem %d of %g min from %s", s.Steps, s.StepMinutes,
			s.Start.Format(time.RFC3339), p.Steps, p.StepMinutes, p.Start.Format(time.RFC3339))
	case s.ProblemSHA256 != p.Hash():
		return nil, fmt.Errorf("explain: the solution is one of another problem (problem_sha256 %.12s, this problem %.12s)", s.ProblemSHA256, p.Hash())
	case len(s.Sites) == 0 && len(p.Sites) > 0:
		return nil, fmt.Errorf("explain: the solution has status %s and no plan", s.Status)
	}
	x := &Explainer{p: p, s: s, report: certify.Evaluate(p, s), value: map[place]float64{}}
	for _, b := range s.Binding {
		x.value[place{b.Limit, b.Site, b.Device, b.Step}] = b.Value
	}
	x.priced = s.Grid != nil && len(s.Grid.Price) == p.Steps && len(s.Sites) == len(p.Sites)
	for i := range s.Sites {
		x.priced = x.priced && len(s.Sites[i].Price) == p.Steps && s.Sites[i].ID == p.Sites[i].ID
	}
	return x, nil
}

// Part is one part of a price.
type Part struct {
	Name string
	EUR  float64 // per kWh
}

// Price is what one more kWh at a site costs in a step.
type Price struct {
	EUR   float64 // per kWh: the sum of the parts
	Parts []Part
	Own   bool // the plan's own price; otherwise the tariff stands in for it
}

// Price returns the price at the site of index i in step t, with its parts.
func (x *Explainer) Price(i, t int) Price {
	site, in, out := &x.p.Sites[i], x.report.ImportKW[t], x.report.ExportKW[t]
	net := x.report.Sites[i].NetKW[t]
	dt, tariff := x.p.Hours(), x.p.Grid.ImportPrice[t]
	carbon := x.p.ImportCost(t) - tariff
	price := Price{Own: x.priced}
	add := func(name string, eur float64) {
		if eur != 0 {
			price.Parts = append(price.Parts, Part{name, eur})
			price.EUR += eur
		}
	}
	relief := func(limit, id string) float64 { return x.value[place{limit, id, "", t}] / dt }
	if !x.priced {
		if out > still {
			add("export price", x.p.Grid.ExportPrice[t])
		} else {
			add("import price", tariff)
			add("carbon", carbon)
		}
		if net > still {
			add("withdrawal fee", site.WithdrawalFee[t])
		}
		return price
	}
	district, own := x.s.Grid.Price[t], x.s.Sites[i].Price[t]
	switch {
	case in > still:
		add("import price", tariff)
		add("carbon", carbon)
		add("peak charge", relief("grid.peak_so_far_kw", ""))
		add("district import limit", relief("grid.import_limit_kw", ""))
	case out > still:
		add("export price", x.p.Grid.ExportPrice[t])
		add("district export limit", -relief("grid.export_limit_kw", ""))
	default:
		add("set by devices, as nothing crosses the boundary", district)
	}
	rest := district - price.EUR
	switch {
	case net > still:
		add("withdrawal fee", site.WithdrawalFee[t])
		add("site import limit", relief("import_limit_kw", site.ID))
	case net < -still:
		add("site export limit", -relief("export_limit_kw", site.ID))
	default:
		add("set by devices of the site, as it neither draws nor gives", own-district)
	}
	// What is left is the width of the plan's gap, or a plan kept from before at prices of the best one.
	if left := own - price.EUR; math.Abs(rest) > 0 || left != 0 {
		add("remainder", left)
	}
	price.EUR = own
	return price
}

// prices returns the prices at the site of index i, EUR/kWh by step.
func (x *Explainer) prices(i int) []float64 {
	if x.priced {
		return x.s.Sites[i].Price
	}
	out := make([]float64, x.p.Steps)
	for t := range out {
		out[t] = x.Price(i, t).EUR
	}
	return out
}

// Choice is something else that a device could do in a step.
type Choice struct {
	Name    string
	PowerKW float64 // NaN where the device would choose it
	// EUR is what it costs more than what the plan does, by the end of the horizon, at the plan's prices and with the device free afterwards; +Inf where the
	// device's limits forbid it. Below zero it would cost less to this device alone.
	EUR float64
}

// Limit is a limit that a device or its site stands at.
type Limit struct {
	Name  string  // as in the problem document
	Site  bool    // of the site
	At    float64 // the limit, kW or kWh
	Unit  string
	Worth float64 // EUR that one unit more would save in this step; 0 where the plan tells none
}

// Step explains one device in one step.
type Step struct {
	Site, Device string
	Kind         problem.Kind
	Step         int
	From, To     time.Time
	PowerKW      float64
	On           bool // it draws or gives power, or is a heat pump that is on without
	Price        Price

	State         string  // what the state is: "energy" or "temperature"; "" without one
	Unit          string  // kWh or °C
	Before, After float64 // the state before and after the step
	// MoreSaves and LessCosts are what a little more and a little less of the state at the end of the step are worth later, EUR per kWh or K; NaN where it cannot
	// be more or less.
	MoreSaves, LessCosts float64

	Choices []Choice
	Limits  []Limit
	Notes   []string // what is particular about the step, whole sentences
}

// Step explains the device in step t.
func (x *Explainer) Step(site, device string, t int) (*Step, error) {
	if t < 0 || t >= x.p.Steps {
		return nil, fmt.Errorf("explain: step %d of %s/%s: the plan has the steps 0 to %d", t, site, device, x.p.Steps-1)
	}
	for i := range x.p.Sites {
		if x.p.Sites[i].ID != site {
			continue
		}
		for j, d := range x.p.Sites[i].Devices {
			if d.ID() == device {
				return x.step(i, j, t), nil
			}
		}
		return nil, fmt.Errorf("explain: site %q has no device %q", site, device)
	}
	return nil, fmt.Errorf("explain: no site %q", site)
}

func (x *Explainer) step(i, j, t int) *Step {
	site := &x.p.Sites[i]
	d := site.Devices[j]
	r := &x.report.Sites[i].Devices[j]
	e := &Step{Site: site.ID, Device: d.ID(), Kind: d.Kind(), Step: t, From: x.p.At(t), To: x.p.At(t + 1), PowerKW: r.PowerKW[t], Price: x.Price(i, t),
		MoreSaves: math.NaN(), LessCosts: math.NaN()}
	e.On = math.Abs(e.PowerKW) > still || r.On != nil && r.On[t]
	switch {
	case r.EnergyKWh != nil:
		e.State, e.Unit, e.Before, e.After = "energy", "kWh", r.EnergyKWh[t], r.EnergyKWh[t+1]
	case r.TemperatureC != nil:
		e.State, e.Unit, e.Before, e.After = "temperature", "°C", r.TemperatureC[t], r.TemperatureC[t+1]
	}
	switch d := d.(type) {
	case *problem.PV:
		x.pv(e, d, i)
	case *problem.Shiftable:
		x.shiftable(e, d, r.PowerKW, x.prices(i))
	default:
		x.machine(e, d, i, j)
	}
	x.limits(e, d, i)
	return e
}

// limits lists what the device and its site stand at.
func (x *Explainer) limits(e *Step, d problem.Device, i int) {
	at := func(name string, limit, is float64, unit string) {
		if math.Abs(limit-is) <= 1e-4*max(1, math.Abs(limit)) {
			e.Limits = append(e.Limits, Limit{Name: name, At: limit, Unit: unit, Worth: x.value[place{name, e.Site, e.Device, e.Step}]})
		}
	}
	kw := e.PowerKW
	switch d := d.(type) {
	case *problem.Battery:
		if kw > still {
			at("charge_kw", d.ChargeKW, kw, "kW")
		}
		if kw < -still {
			at("discharge_kw", d.DischargeKW, -kw, "kW")
		}
		at("capacity_kwh", d.CapacityKWh, e.After, "kWh")
		if e.Step == x.p.Steps-1 && d.FinalMinKWh > d.MinKWh {
			at("final_min_kwh", d.FinalMinKWh, e.After, "kWh")
		} else {
			at("min_kwh", d.MinKWh, e.After, "kWh")
		}
	case *problem.EV:
		if kw > still {
			at("max_kw", d.MaxKW, kw, "kW")
			if d.MinKW > 0 && d.MinKW < d.MaxKW {
				at("min_kw", d.MinKW, kw, "kW")
			}
		}
		if kw < -still {
			at("discharge_kw", d.DischargeKW, -kw, "kW")
		}
		if s := session(d, e.Step); s != nil {
			at("capacity_kwh", d.CapacityKWh, e.After, "kWh")
		}
	case *problem.HeatPump:
		if kw > still {
			at("max_kw", d.MaxKW, kw, "kW")
			if d.MinKW > 0 && d.MinKW < d.MaxKW {
				at("min_kw", d.MinKW, kw, "kW")
			}
		}
	case *problem.WaterHeater:
		if kw > still {
			at("max_kw", d.MaxKW, kw, "kW")
			if d.MinKW > 0 && d.MinKW < d.MaxKW {
				at("min_kw", d.MinKW, kw, "kW")
			}
		}
		at("capacity_kwh", d.CapacityAt(e.Step), e.After, "kWh")
	case *problem.Flexible:
		if kw > still {
			at("max_kw", d.MaxKW, kw, "kW")
		}
	}
	site, net := &x.p.Sites[i], x.report.Sites[i].NetKW[e.Step]
	for _, l := range []struct {
		name      string
		limit, is float64
	}{{"import_limit_kw", site.ImportLimitKW[e.Step], net}, {"export_limit_kw", site.ExportLimitKW[e.Step], -net}} {
		if l.is >= l.limit-1e-4*max(1, l.limit) {
			e.Limits = append(e.Limits, Limit{Name: l.name, Site: true, At: l.limit, Unit: "kW", Worth: x.value[place{l.name, site.ID, "", e.Step}]})
		}
	}
}

func (x *Explainer) pv(e *Step, d *problem.PV, i int) {
	available := d.AvailableKW[e.Step]
	made := -e.PowerKW
	switch {
	case available == 0:
		e.Notes = append(e.Notes, "There is no sun.")
	case !d.Curtailable:
		e.Notes = append(e.Notes, fmt.Sprintf("All of the available %.2f kW is taken: it cannot be curtailed.", available))
	case available-made > 1e-3:
		e.Notes = append(e.Notes, fmt.Sprintf("%.2f kW of the available %.2f kW is curtailed.", available-made, available))
	default:
		e.Notes = append(e.Notes, fmt.Sprintf("All of the available %.2f kW is taken.", available))
	}
	if d.Curtailable && available > 0 {
		worth := x.p.Hours() * x.prices(i)[e.Step]
		e.Choices = append(e.Choices, Choice{"taking nothing", 0, worth * made})
		if available-made > 1e-3 {
			e.Choices = append(e.Choices, Choice{"taking all", -available, -worth * (available - made)})
		}
	}
}

func (x *Explainer) shiftable(e *Step, d *problem.Shiftable, power, price []float64) {
	start, least := d.EarliestStep, math.Inf(1)
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		off := 0.0
		for k, kw := range d.ProfileKW {
			off += math.Abs(power[s+k] - kw)
		}
		if off < least {
			start, least = s, off
		}
	}
	cost := func(s int) float64 {
		sum := 0.0
		for k, kw := range d.ProfileKW {
			sum += x.p.Hours() * kw * price[s+k]
		}
		return sum
	}
	e.Notes = append(e.Notes, fmt.Sprintf("Its run starts in step %d (%s) and costs %.4f EUR at the site's prices.", start, x.clock(start), cost(start)))
	best, at := math.Inf(1), -1
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		if c := cost(s); s != start && c < best {
			best, at = c, s
		}
	}
	if at < 0 {
		e.Notes = append(e.Notes, "There is no other start.")
		return
	}
	e.Choices = append(e.Choices, Choice{fmt.Sprintf("the best other start, step %d (%s),", at, x.clock(at)), math.NaN(), best - cost(start)})
}

// clock is the time of day of step t, with the date where the plan spans several days.
func (x *Explainer) clock(t int) string {
	if x.p.At(x.p.Steps).Sub(x.p.Start) > 24*time.Hour {
		return x.p.At(t).Format("2 Jan 15:04")
	}
	return x.p.At(t).Format("15:04")
}
