package backtest

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/optimizer/storage"
)

// The perfect run plans on the true data in windows: of each, all but the tail is carried out, so that nothing that is carried out sees less than a tail ahead.
const (
	windowKept = 7 * 24 * time.Hour
	windowTail = 2 * 24 * time.Hour
	// windowTime bounds the search where export is worth more than import, which makes the direction of the flow a decision; without that a window takes a tenth of a second
	windowTime = 20 * time.Second
)

// perfect carries out what the optimizer plans on the true data.
func (c *Case) perfect(ctx context.Context, set Settings) (*Run, error) {
	p, m := c.pool(), c.priced(set)
	stores := c.stores(set.Wear)
	if alike(stores) { // then they are one
		stores = []storage.Store{m.pool}
	}
	kept, tail := int(windowKept/c.Step), int(windowTail/c.Step)
	end := set.FromStep + set.Steps
	stored, powers := make([]float64, len(stores)), make([]float64, len(stores))
	out := newTally(c, set)
	f := out.fleet
	have, flexible := f.begin(set.FromStep), f.off()
	for from := set.FromStep; from < end; from += kept {
		set.Progress("perfect", float64(from-set.FromStep)/float64(set.Steps))
		to := min(from+kept+tail, end)
		if end-to < tail { // no window of a few slots at the end
			to = end
		}
		sol, gap, err := c.window(ctx, set, p, m, stores, stored, f, have, from, to)
		if err != nil {
			return nil, err
		}
		last := min(from+kept, end)
		if to == end {
			last = end
		}
		for t := from; t < last; t++ {
			for i, s := range stores {
				powers[i] = 0
				if sol != nil {
					powers[i] = s.Within(stored[i], sol[i][t-from], c.Hours())
				}
			}
			if sol != nil {
				f.take(flexible, func(k int) float64 { return sol[len(stores)+k][t-from] })
			}
			f.within(have, t, flexible)
			out.slot(t, p, powers, stored, stores, have, flexible)
		}
		out.r.gap += gap
		if last == end {
			break
		}
	}
	return out.run(), nil
}

// alike reports whether the stores are equal but for their size.
func alike(stores []storage.Store) bool {
	for _, s := range stores {
		o := stores[0]
		same := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }
		if !same(s.ChargeKW/s.CapacityKWh, o.ChargeKW/o.CapacityKWh) || !same(s.DischargeKW/s.CapacityKWh, o.DischargeKW/o.CapacityKWh) ||
			s.ChargeEfficiency != o.ChargeEfficiency || s.DischargeEfficiency != o.DischargeEfficiency || s.LossPerHour != o.LossPerHour {
			return false
		}
	}
	return len(stores) > 0
}

// window plans the slots [from, to) and returns the powers of each store and then of each flexible device, and by how much the plan may cost more than the best.
func (c *Case) window(ctx context.Context, set Settings, p pooled, m market, stores []storage.Store, stored []float64, f fleet, have state, from, to int) (kw [][]float64, gap float64, err error) {
	n := to - from
	if len(stores) == 0 && f.empty() {
		return nil, 0, nil
	}
	net := make([]float64, n)
	for k := range net {
		net[k] = p.load[from+k] - p.sun[from+k]
	}
	q := &problem.Problem{Start: c.at(from), StepMinutes: c.Step.Minutes(), Steps: n,
		Grid: problem.Grid{ImportPrice: m.price[from:to], ExportPrice: flat(set.ExportPrice, n), CarbonIntensity: flat(0, n), ImportLimitKW: m.limits(net)}}
	site := problem.Site{ID: "neighbourhood", LoadKW: p.load[from:to]}
	sun := problem.NewPV("sun")
	sun.AvailableKW, sun.Curtailable = p.sun[from:to], false
	site.Devices = append(site.Devices, sun)
	for i, s := range stores {
		b := problem.NewBattery(fmt.Sprintf("store-%d", i+1))
		b.CapacityKWh, b.ChargeKW, b.DischargeKW = s.CapacityKWh, s.ChargeKW, s.DischargeKW
		b.ChargeEfficiency, b.DischargeEfficiency = s.ChargeEfficiency, s.DischargeEfficiency
		b.SelfDischargePerHour, b.WearCostPerKWh = s.LossPerHour, s.WearCostPerKWh
		b.InitialKWh = math.Max(0, math.Min(s.CapacityKWh, stored[i]))
		site.Devices = append(site.Devices, b)
	}
	site.Devices = append(site.Devices, f.asked(have, f.known(from, to))...)
	q.Sites = []problem.Site{site}
	q.Fill()
	sol, err := optimizer.Plan(ctx, q, optimizer.Settings{TimeLimit: windowTime, PreferenceEpsilon: -1, Workers: set.Workers})
	if err != nil {
		return nil, 0, err
	}
	if sol.Status != problem.Optimal && sol.Status != problem.Feasible {
		return nil, 0, fmt.Errorf("the plan of steps %d to %d is %s", from, to, sol.Status)
	}
	if sol.Objective != nil && sol.Bound != nil {
		gap = *sol.Objective - *sol.Bound
	}
	for _, d := range sol.Sites[0].Devices[1:] { // the first is the sun
		kw = append(kw, d.PowerKW)
	}
	return kw, gap, nil
}

func flat(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// tidy is a sum without what adding binary fractions left behind it: 57.6 and not 57.599999999999994.
func tidy(v float64) float64 { return math.Round(v*1e9) / 1e9 }

// describe says how the result came about.
func (r *Result) describe() map[string]any {
	c, set := r.c, r.set
	stores := c.stores(0)
	capacity, power := 0.0, 0.0
	for _, s := range stores {
		capacity += s.CapacityKWh
		power += s.ChargeKW
	}
	first := c.at(set.FromStep)
	out := map[string]any{
		"data": c.Name, "sites": len(c.Sites), "stores": len(stores), "capacity_kwh": tidy(capacity), "charge_kw": tidy(power),
		"step_minutes": c.Step.Minutes(), "from_step": set.FromStep, "steps": set.Steps,
		"from": first.Format("2006-01-02T15:04"), "to": first.Add(time.Duration(set.Steps) * c.Step).Format("2006-01-02T15:04"),
		"carbon_price": set.CarbonPrice, "export_price": set.ExportPrice, "wear": set.Wear,
		"horizon_hours": set.Horizon.Hours(), "replan_minutes": set.Replan.Minutes(),
		"perfect":   fmt.Sprintf("true data in rolling windows of %.0f days, of which %.0f are carried out", (windowKept+windowTail).Hours()/24, windowKept.Hours()/24),
		"forecasts": "from the past; of the present step, load, sun and prices are measured", "published_heard": c.Published != nil && !set.Deaf, "tariff_known_hours": set.TariffKnown.Hours(), "stores_at_start": "empty", "stores_at_end": "worth nothing", "notes": r.notes(),
	}
	if set.ImportLimitKW > 0 {
		out["import_limit_kw"] = set.ImportLimitKW
	}
	if f := c.fleet(set.FromStep, set.FromStep+set.Steps); !f.empty() {
		cars := 0
		for _, p := range f.chargers {
			cars += len(p.Sessions)
		}
		out["tanks"], out["rooms"], out["charging_points"], out["car_sessions"] = len(f.tanks), len(f.rooms), len(f.chargers), cars
		out["tanks_at_start"], out["rooms_at_start"] = "half full", "at the lower edge of their band"
		out["captured"] = "of cost and the cost of discomfort"
		out["perfect_gap"] = r.Runs["perfect"].gap
	}
	return out
}
