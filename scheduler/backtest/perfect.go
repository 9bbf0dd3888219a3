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
	for from := set.FromStep; from < end; from += kept {
		set.Progress("perfect", float64(from-set.FromStep)/float64(set.Steps))
		to := min(from+kept+tail, end)
		if end-to < tail { // no window of a few slots at the end
			to = end
		}
		sol, err := c.window(ctx, set, p, m, stores, stored, from, to)
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
			out.slot(t, p, powers, stored, stores)
		}
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

// window plans the slots [from, to) and returns the powers of each store.
func (c *Case) window(ctx context.Context, set Settings, p pooled, m market, stores []storage.Store, stored []float64, from, to int) ([][]float64, error) {
	n := to - from
	if len(stores) == 0 {
		return nil, nil
	}
	q := &problem.Problem{Start: c.Start.Add(time.Duration(from) * c.Step), StepMinutes: c.Step.Minutes(), Steps: n,
		Grid: problem.Grid{ImportPrice: m.price[from:to], ExportPrice: flat(set.ExportPrice, n), CarbonIntensity: flat(0, n)}}
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
	q.Sites = []problem.Site{site}
	q.Fill()
	sol, err := optimizer.Plan(ctx, q, optimizer.Settings{TimeLimit: windowTime, PreferenceEpsilon: -1, Workers: set.Workers})
	if err != nil {
		return nil, err
	}
	if sol.Status != problem.Optimal && sol.Status != problem.Feasible {
		return nil, fmt.Errorf("the plan of steps %d to %d is %s", from, to, sol.Status)
	}
	out := make([][]float64, len(stores))
	for i := range stores {
		out[i] = sol.Sites[0].Devices[i+1].PowerKW
	}
	return out, nil
}

func flat(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// describe says how the result came about.
func (r *Result) describe() map[string]any {
	c, set := r.c, r.set
	stores := c.stores(0)
	capacity, power := 0.0, 0.0
	for _, s := range stores {
		capacity += s.CapacityKWh
		power += s.ChargeKW
	}
	first := c.Start.Add(time.Duration(set.FromStep) * c.Step)
	return map[string]any{
		"data": c.Name, "sites": len(c.Sites), "stores": len(stores), "capacity_kwh": capacity, "charge_kw": power,
		"step_minutes": c.Step.Minutes(), "from_step": set.FromStep, "steps": set.Steps,
		"from": first.Format("2006-01-02T15:04"), "to": first.Add(time.Duration(set.Steps) * c.Step).Format("2006-01-02T15:04"),
		"carbon_price": set.CarbonPrice, "export_price": set.ExportPrice, "wear": set.Wear,
		"horizon_hours": set.Horizon.Hours(), "replan_minutes": set.Replan.Minutes(),
		"perfect":   fmt.Sprintf("true data in rolling windows of %.0f days, of which %.0f are carried out", (windowKept+windowTail).Hours()/24, windowKept.Hours()/24),
		"forecasts": "from the past; of the present step, load, sun and prices are measured", "tariff_known_hours": set.TariffKnown.Hours(), "stores_at_start": "empty", "stores_at_end": "worth nothing", "notes": c.Notes,
	}
}
