package explain

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"

	"quartier/optimizer/problem"
)

// most is how many lines a list of the overview has at the most.
const most = 8

// Overview writes what the plan is and costs, its prices, what its devices do and when, what binds, and what one more unit would save.
func (x *Explainer) Overview(w io.Writer) error {
	var b strings.Builder
	x.headline(&b)
	x.conflicts(&b)
	x.costs(&b)
	x.boundary(&b)
	x.devices(&b)
	x.binding(&b)
	x.worth(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func plural(n int, one, many string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, one)
	}
	return fmt.Sprintf("%d %s", n, many)
}

func (x *Explainer) headline(b *strings.Builder) {
	p, s := x.p, x.s
	fmt.Fprintf(b, "Plan of %s in %s of %g min from %s: %s", plural(len(p.Sites), "site", "sites"), plural(p.Steps, "step", "steps"), p.StepMinutes, p.Start.Format("2 Jan 2006 15:04"), s.Status)
	if s.Gap != nil && s.Bound != nil && s.Objective != nil {
		fmt.Fprintf(b, ", %.4f EUR; no plan can cost less than %.4f EUR (gap %.2g)", *s.Objective, *s.Bound, *s.Gap)
	}
	b.WriteString(".\n")
}

func (x *Explainer) conflicts(b *strings.Builder) {
	if len(x.s.Conflict) == 0 {
		return
	}
	b.WriteString("\nNo plan keeps every limit. What would have to give way:\n")
	for _, c := range x.s.Conflict {
		fmt.Fprintf(b, "  %s\n", ConflictText(x.p, c))
	}
	if x.s.Elastic {
		b.WriteString("The plan below is the nearest one: it oversteps these limits.\n")
	}
}

// ConflictText says in one sentence what would have to give way.
func ConflictText(p *problem.Problem, c problem.Conflict) string {
	where := "the district"
	if c.Site != "" {
		where = c.Site
	}
	if c.Device != "" {
		where += "/" + c.Device
	}
	when := fmt.Sprintf("in step %d (%s)", c.FromStep, p.At(c.FromStep).Format("2 Jan 15:04"))
	if c.ToStep > c.FromStep+1 {
		when = fmt.Sprintf("in steps %d to %d (%s to %s)", c.FromStep, c.ToStep-1, p.At(c.FromStep).Format("2 Jan 15:04"), p.At(c.ToStep).Format("15:04"))
	}
	verb := "is exceeded by"
	if c.Unit == "kWh" {
		verb = "is missed by"
	}
	return fmt.Sprintf("%s: the %s (%s) %s %.6g %s %s.", where, limitName(c.Limit), c.Limit, verb, c.Amount, c.Unit, when)
}

func (x *Explainer) costs(b *strings.Builder) {
	c := x.report.Cost
	var parts []string
	for _, part := range []struct {
		name string
		eur  float64
	}{{"energy with its carbon", c.Energy}, {"withdrawal fees", c.Fees}, {"peak", c.Peak}, {"wear", c.Wear}, {"discomfort", c.Discomfort}, {"shortfall", c.Shortfall},
		{"starts", c.Starts}, {"energy left in batteries", c.Stored}} {
		if math.Abs(part.eur) >= 5e-5 {
			parts = append(parts, fmt.Sprintf("%s %.4f", part.name, part.eur))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing"}
	}
	fmt.Fprintf(b, "\nCost in EUR: %s.\n", strings.Join(parts, ", "))
	if x.s.Cost != nil && x.s.Cost.Preference > 0 {
		fmt.Fprintf(b, "Choosing among near-equal plans cost %.6f EUR of it.\n", x.s.Cost.Preference)
	}
}

func (x *Explainer) boundary(b *strings.Builder) {
	r := &x.report
	peak := 0
	for t := range r.ImportKW {
		if r.ImportKW[t] > r.ImportKW[peak] {
			peak = t
		}
	}
	fmt.Fprintf(b, "Imports %.1f kWh (%.1f kg CO2e), at the most %.2f kW at %s; exports %.1f kWh.\n", r.ImportKWh, r.CarbonKG, r.PeakKW, x.clock(peak), r.ExportKWh)
	if !x.priced || x.p.Steps == 0 {
		return
	}
	price := x.s.Grid.Price
	low, high := 0, 0
	for t, v := range price {
		if v < price[low] {
			low = t
		}
		if v > price[high] {
			high = t
		}
	}
	if price[high]-price[low] < 5e-5 {
		fmt.Fprintf(b, "One more kWh costs the district %.4f EUR in every step.\n", price[low])
		return
	}
	fmt.Fprintf(b, "One more kWh costs the district least at %s (%.4f EUR) and most at %s (%.4f EUR).\n", x.clock(low), price[low], x.clock(high), price[high])
}

// tally is what the devices of one kind do together.
type tally struct {
	count            int
	in, out          []float64 // kWh by step
	paid, earned     float64   // EUR at the sites' prices
	curtailed, short float64   // kWh
	starts           int
	low, high        float64 // °C
}

func (x *Explainer) devices(b *strings.Builder) {
	kinds := []struct {
		kind      problem.Kind
		one, many string
	}{{problem.KindPV, "roof", "roofs"}, {problem.KindBattery, "battery", "batteries"}, {problem.KindEV, "charging point", "charging points"},
		{problem.KindHeatPump, "heat pump", "heat pumps"}, {problem.KindWaterHeater, "water heater", "water heaters"}, {problem.KindShiftable, "appliance", "appliances"},
		{problem.KindFlexible, "flexible load", "flexible loads"}}
	all := map[problem.Kind]*tally{}
	for _, k := range kinds {
		all[k.kind] = &tally{in: make([]float64, x.p.Steps), out: make([]float64, x.p.Steps), low: math.Inf(1), high: math.Inf(-1)}
	}
	dt := x.p.Hours()
	for i := range x.p.Sites {
		price := x.prices(i)
		for j, d := range x.p.Sites[i].Devices {
			n, r := all[d.Kind()], &x.report.Sites[i].Devices[j]
			n.count++
			was := false
			if h, ok := d.(*problem.HeatPump); ok {
				was = h.InitialOn
			}
			for t, kw := range r.PowerKW {
				n.in[t] += dt * max(0, kw)
				n.out[t] += dt * max(0, -kw)
				n.paid += dt * price[t] * max(0, kw)
				n.earned += dt * price[t] * max(0, -kw)
				on := kw > still || r.On != nil && r.On[t]
				if on && !was {
					n.starts++
				}
				was = on
				if r.TemperatureC != nil {
					n.low, n.high = min(n.low, r.TemperatureC[t+1]), max(n.high, r.TemperatureC[t+1])
				}
				if pv, ok := d.(*problem.PV); ok {
					n.curtailed += dt * (pv.AvailableKW[t] + kw)
				}
			}
			n.short += x.lacks(d, r.EnergyKWh, r.PowerKW)
		}
	}
	b.WriteString("\nWhat the devices do\n")
	for _, k := range kinds {
		n := all[k.kind]
		if n.count == 0 {
			continue
		}
		in, out := sum(n.in), sum(n.out)
		line := "  " + plural(n.count, k.one, k.many)
		average := func(eur, kwh float64) float64 { return eur / max(kwh, 1e-9) }
		switch {
		case k.kind == problem.KindPV:
			line += fmt.Sprintf(": %.1f kWh made", out)
			if out > still {
				line += fmt.Sprintf(", worth %.4f EUR/kWh on average", average(n.earned, out))
			}
			if n.curtailed > 1e-3 {
				line += fmt.Sprintf("; %.1f kWh curtailed", n.curtailed)
			}
		case in < 1e-3 && out < 1e-3:
			line += ": nothing"
		default:
			line += fmt.Sprintf(": %.1f kWh taken at %.4f EUR/kWh on average, %s", in, average(n.paid, in), x.busiest(n.in))
			if out >= 1e-3 {
				line += fmt.Sprintf("; %.1f kWh given at %.4f EUR/kWh, %s", out, average(n.earned, out), x.busiest(n.out))
			}
		}
		if n.starts > 0 && k.kind != problem.KindPV && k.kind != problem.KindBattery && k.kind != problem.KindShiftable {
			line += "; " + plural(n.starts, "start", "starts")
		}
		if n.low <= n.high {
			line += fmt.Sprintf("; zones from %.1f to %.1f °C", n.low, n.high)
		}
		if n.short > 1e-3 {
			line += fmt.Sprintf("; %.2f kWh short of what is asked for", n.short)
		}
		b.WriteString(line + ".\n")
	}
}

// lacks is what a car, tank or flexible load gets too little, kWh.
func (x *Explainer) lacks(d problem.Device, energy, power []float64) float64 {
	switch d := d.(type) {
	case *problem.EV:
		lack := 0.0
		for _, s := range d.Sessions {
			has := s.InitialKWh
			for t := s.ArriveStep; t < s.DepartStep; t++ {
				if power[t] >= 0 {
					has += x.p.Hours() * d.ChargeEfficiency * power[t]
				} else {
					has += x.p.Hours() * power[t] / d.DischargeEfficiency
				}
			}
			lack += max(0, s.TargetKWh-has)
		}
		return lack
	case *problem.WaterHeater:
		lack := max(0, d.FinalMinKWh-energy[x.p.Steps])
		for t, kw := range power {
			e := energy[t]*(1-d.LossPerHour*x.p.Hours()) + x.p.Hours()*(d.COP[t]*kw-d.DrawKW[t])
			lack += max(0, -e)
		}
		return lack
	case *problem.Flexible:
		return max(0, d.EnergyKWh-x.p.Hours()*sum(power))
	}
	return 0
}

// end is the time of day at which step t ends a span: midnight is 24:00.
func (x *Explainer) end(t int) string {
	if text := x.clock(t); text != "00:00" {
		return text
	}
	return "24:00"
}

func sum(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s
}

// busiest names the shortest time in which half of the energy moves.
func (x *Explainer) busiest(kwh []float64) string {
	half := sum(kwh) / 2
	from, to, best, has := 0, len(kwh), len(kwh)+1, 0.0
	for a, b := 0, 0; b < len(kwh); b++ {
		has += kwh[b]
		for has-kwh[a] >= half && a < b {
			has -= kwh[a]
			a++
		}
		if has >= half && b-a+1 < best {
			from, to, best = a, b+1, b-a+1
		}
	}
	return fmt.Sprintf("half of it from %s to %s", x.clock(from), x.end(to))
}

// alike are limits of one name with nearly the same value, such as the batteries of a district that all end as low as they may.
type alike struct {
	limit, unit string
	owners      []string
	steps       int // of the first one
	first, last int
	value       float64 // of the first one
}

// group joins the entries that are alike; they come in descending order of value.
func group(list []alike) []alike {
	var out []alike
next:
	for _, e := range list {
		for k := range out {
			g := &out[k]
			if g.limit == e.limit && g.value-e.value <= 0.01*g.value {
				g.owners = append(g.owners, e.owners...)
				g.first, g.last = min(g.first, e.first), max(g.last, e.last)
				continue next
			}
		}
		out = append(out, e)
	}
	return out
}

// whose names the owners of a group.
func (g *alike) whose() string {
	switch n := len(g.owners); {
	case n == 1:
		return owner(g.limit, g.owners[0])
	case n <= 3:
		return limitName(g.limit) + " of each of " + strings.Join(g.owners, ", ")
	default:
		return fmt.Sprintf("%s of each of %s and %d others like them", limitName(g.limit), strings.Join(g.owners[:2], ", "), n-2)
	}
}

// binding lists the limits that cost most, all their steps together.
func (x *Explainer) binding(b *strings.Builder) {
	byLimit := map[place]*alike{}
	var order []*alike
	for _, v := range x.s.Binding {
		key := place{v.Limit, v.Site, v.Device, 0}
		e := byLimit[key]
		if e == nil {
			e = &alike{limit: v.Limit, owners: []string{name(v.Site, v.Device)}, first: v.Step, last: v.Step}
			byLimit[key] = e
			order = append(order, e)
		}
		e.steps++
		e.first, e.last = min(e.first, v.Step), max(e.last, v.Step)
		e.value += v.Value
	}
	if len(order) == 0 {
		return
	}
	sort.SliceStable(order, func(i, k int) bool { return order[i].value > order[k].value })
	var list []alike
	for _, e := range order {
		list = append(list, *e)
	}
	list = group(list)
	fmt.Fprintf(b, "\nWhat binds (%s; EUR that one unit more in these steps would save)\n", plural(len(order), "limit", "limits"))
	for _, e := range list[:min(most, len(list))] {
		when := "at " + x.clock(e.first)
		if e.last > e.first {
			when = fmt.Sprintf("between %s and %s", x.clock(e.first), x.end(e.last+1))
			if len(e.owners) == 1 {
				when = plural(e.steps, "step", "steps") + " " + when
			}
		}
		fmt.Fprintf(b, "  %s, %s: %.4f EUR\n", e.whose(), when, e.value)
	}
	if n := len(list) - most; n > 0 {
		fmt.Fprintf(b, "  and %d more\n", n)
	}
}

// name is SITE/DEVICE, or the site; "" for the district.
func name(site, device string) string {
	if device == "" {
		return site
	}
	return site + "/" + device
}

// owner names a limit with what it belongs to.
func owner(limit, whose string) string {
	if whose == "" {
		return limitName(limit)
	}
	return whose + ", " + limitName(limit)
}

// worth lists what one more unit of storage and of connection would save over the horizon.
func (x *Explainer) worth(b *strings.Builder) {
	if !x.priced {
		return
	}
	var storage, connection []alike
	for _, v := range x.s.Worth {
		e := alike{limit: v.Limit, unit: v.Unit, owners: []string{name(v.Site, v.Device)}, value: v.Value}
		switch v.Limit {
		case "capacity_kwh":
			storage = append(storage, e)
		case "import_limit_kw", "export_limit_kw", "grid.import_limit_kw", "grid.export_limit_kw", "grid.peak_so_far_kw":
			connection = append(connection, e)
		}
	}
	b.WriteString("\nWhat one unit more would save over the horizon, with the on/off decisions as they are\n")
	list := func(what string, v []alike) {
		if len(v) == 0 {
			fmt.Fprintf(b, "  %s: nothing anywhere\n", what)
			return
		}
		sort.SliceStable(v, func(i, k int) bool { return v[i].value > v[k].value })
		v = group(v)
		for _, e := range v[:min(most, len(v))] {
			fmt.Fprintf(b, "  one %s more, %s: %.4f EUR\n", e.unit, e.whose(), e.value)
		}
		if n := len(v) - most; n > 0 {
			fmt.Fprintf(b, "  and %d more, of %.4f EUR and less\n", n, v[most].value)
		}
	}
	list("one kWh of storage", storage)
	list("one kW of connection", connection)
}
