package scheduler

import (
	"fmt"
	"math"
	"sort"

	"quartier/schemas/district"
)

// Reason keys of a plan's steps. The console has a text for each.
const (
	ReasonSun      = "sun"      // the district's own sun is in surplus
	ReasonCheap    = "cheap"    // the price is in the lower third of the horizon
	ReasonClean    = "clean"    // the carbon intensity is in the lower third of the horizon
	ReasonDear     = "dear"     // the price is in the upper third: stored energy is used
	ReasonNeed     = "need"     // comfort or a car's departure needs it now
	ReasonEvening  = "evening"  // stored energy covers consumption
	ReasonCurtail  = "curtail"  // a limit or a price below zero holds the sun back
	ReasonIdle     = "idle"     // waiting is better
	ReasonSafe     = "safe"     // no fresh plan or measurement: own control
	ReasonPaused   = "paused"   // taken out of control by an operator
	ReasonOrder    = "order"    // somebody ordered a power by hand
	ReasonQuiet    = "quiet"    // quiet hours
	ReasonLight    = "light"    // street lighting: by the sun and the clock
	ReasonReleased = "released" // control ends
)

// giveReasons fills the reason of every step of every device, from the plan's own prices and flows.
func giveReasons(p *district.Plan) {
	cheap, dear := thirds(p.ImportPrice)
	clean, _ := thirds(p.CarbonGPerKWh)
	sun := make([]bool, p.Steps) // the district's sun exceeds its load
	for t := range p.Steps {
		pv, load := 0.0, 0.0
		for _, s := range p.Sites {
			load += value(s.LoadKW, t)
			for _, d := range s.Devices {
				if d.Kind == district.PV {
					pv -= value(d.PowerKW, t)
				}
			}
		}
		sun[t] = pv > load && pv > 0.1
	}
	for i := range p.Sites {
		for j := range p.Sites[i].Devices {
			d := &p.Sites[i].Devices[j]
			d.Reason = make([]string, p.Steps)
			for t := range p.Steps {
				d.Reason[t] = reasonOf(d.Kind, value(d.PowerKW, t), sun[t], value(p.ImportPrice, t), value(p.CarbonGPerKWh, t), cheap, dear, clean)
			}
		}
	}
}

func reasonOf(kind district.Kind, kw float64, sun bool, price, carbon, cheap, dear, clean float64) string {
	const idle = 0.01 // kW
	switch {
	case kind == district.PV:
		return ReasonSun
	case kind == district.LoadMeter:
		return ReasonLight
	case math.Abs(kw) < idle:
		return ReasonIdle
	case kw < 0:
		if price >= dear && dear > cheap {
			return ReasonDear
		}
		return ReasonEvening
	case sun:
		return ReasonSun
	case price <= cheap && dear > cheap:
		return ReasonCheap
	case carbon <= clean:
		return ReasonClean
	}
	return ReasonNeed
}

// explain puts a reason's numbers beside its key, for the ledger.
func explain(reason string, p *district.Plan, t int) string {
	price, carbon := value(p.ImportPrice, t), value(p.CarbonGPerKWh, t)
	switch reason {
	case ReasonSun:
		return fmt.Sprintf("sun: district feeds %.1f kW", value(p.ExportKW, t))
	case ReasonCheap, ReasonDear:
		return fmt.Sprintf("%s: %.4f EUR/kWh", reason, price)
	case ReasonClean:
		return fmt.Sprintf("clean: %.0f gCO2e/kWh", carbon)
	case ReasonNeed, ReasonEvening:
		return fmt.Sprintf("%s: %.4f EUR/kWh", reason, price)
	}
	return reason
}

// thirds returns the values below and above which a third of the series lies.
func thirds(s []float64) (low, high float64) {
	if len(s) == 0 {
		return 0, 0
	}
	v := append([]float64(nil), s...)
	sort.Float64s(v)
	return v[(len(v)-1)/3], v[(len(v)-1)*2/3]
}

func value(s []float64, t int) float64 {
	if t >= 0 && t < len(s) {
		return s[t]
	}
	return 0
}
