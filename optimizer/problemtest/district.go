package problemtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"quartier/optimizer/problem"
)

// District returns a winter day of a district of the given number of sites: homes with roofs, batteries, cars, heat pumps, water
// heaters, washers and pools in shares of our own choice. Mixed adds minimum powers, minimum times, start costs and washers; without it the problem
// has no integer decision. Prices, weather and loads are invented.
func District(sites, steps int, minutes float64, seed uint64, mixed bool) *problem.Problem {
	p := &problem.Problem{Version: problem.Version, Start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.FixedZone("", 3600)), StepMinutes: minutes, Steps: steps, CarbonPrice: 80}
	day := func(f func(hour float64) float64) []float64 {
		out := make([]float64, steps)
		for t := range out {
			out[t] = math.Round(1e4*f(math.Mod(float64(t)*p.Hours(), 24))) / 1e4
		}
		return out
	}
	weather := rand.New(rand.NewPCG(seed, 1))
	outdoor := day(func(h float64) float64 { return 4 - 4*math.Cos((h-3)/24*2*math.Pi) + 0.3*weather.NormFloat64() })
	p.Grid = problem.Grid{
		ImportPrice: day(func(h float64) float64 {
			price := 0.14 + 0.01*weather.NormFloat64()
			if h >= 7 && h < 22 {
				price += 0.08
			}
			return price + 0.09*math.Exp(-(h-19)*(h-19)/3)
		}),
		ExportPrice:     day(func(float64) float64 { return 0.06 }),
		CarbonIntensity: day(func(h float64) float64 { return 45 + 20*math.Sin((h-9)/24*2*math.Pi) }),
		ImportLimitKW:   day(func(float64) float64 { return 7*float64(sites) + 20 }),
		ExportLimitKW:   day(func(float64) float64 { return 5*float64(sites) + 20 }),
		PeakPrice:       0.3, PeakSoFarKW: float64(sites),
	}
	for i := range sites {
		p.Sites = append(p.Sites, home(i, p, seed, mixed, outdoor, day))
	}
	p.Fill()
	return p
}

// home draws its numbers from its own stream, so that a larger district starts with the sites of a smaller one.
func home(i int, p *problem.Problem, seed uint64, mixed bool, outdoor []float64, day func(func(float64) float64) []float64) problem.Site {
	r := rand.New(rand.NewPCG(seed, uint64(i)+2))
	in := func(low, high float64) float64 { return math.Round(1e4*(low+(high-low)*r.Float64())) / 1e4 }
	at := func(hour float64) int { return min(p.Steps, int(hour/p.Hours())) }
	evening, morning := in(0, 0.9), in(0, 0.6)
	s := problem.Site{ID: fmt.Sprintf("s%05d", i)}
	base := in(0.25, 0.6)
	s.LoadKW = day(func(h float64) float64 {
		return base + evening*math.Exp(-(h-19.5)*(h-19.5)/4) + morning*math.Exp(-(h-7.5)*(h-7.5)/2) + 0.1*r.Float64()
	})
	s.ImportLimitKW, s.ExportLimitKW = day(func(float64) float64 { return 12 }), day(func(float64) float64 { return 9 })
	if size := in(-2, 6); size > 0 {
		d := problem.NewPV("roof")
		d.AvailableKW = day(func(h float64) float64 { return size * max(0, math.Sin((h-7)/10*math.Pi)) * (0.7 + 0.3*r.Float64()) })
		for t := range d.AvailableKW {
			if h := math.Mod(float64(t)*p.Hours(), 24); h < 7 || h > 17 {
				d.AvailableKW[t] = 0
			}
		}
		s.Devices = append(s.Devices, d)
	}
	if r.Float64() < 0.55 {
		d := problem.NewBattery("battery")
		d.ChargeKW = in(2, 5)
		d.DischargeKW, d.CapacityKWh = d.ChargeKW, d.ChargeKW*in(2, 3)
		d.MinKWh, d.InitialKWh, d.FinalMinKWh = 0.1*d.CapacityKWh, 0.45*d.CapacityKWh, 0.45*d.CapacityKWh
		d.ChargeEfficiency, d.DischargeEfficiency, d.WearCostPerKWh = 0.95, 0.95, 0.006
		s.Devices = append(s.Devices, d)
	}
	if r.Float64() < 0.5 {
		d := problem.NewEV("car")
		d.CapacityKWh, d.MaxKW, d.ChargeEfficiency = 52, 3.7, 0.92
		if r.Float64() < 0.5 {
			d.MaxKW = 7.4
		}
		if mixed {
			d.MinKW = 1.4
		}
		arrive := at(in(13, 19))
		session := problem.Session{ArriveStep: arrive, DepartStep: min(p.Steps, arrive+at(in(9, 13))), InitialKWh: in(6, 30)}
		session.TargetKWh = session.InitialKWh + in(4, 18)
		if session.DepartStep > session.ArriveStep {
			d.Sessions = append(d.Sessions, session)
			s.Devices = append(s.Devices, d)
		}
	}
	if r.Float64() < 0.7 {
		s.Devices = append(s.Devices, homeHeating(r, in, mixed, outdoor, p.Steps))
	}
	if r.Float64() < 0.4 {
		d := problem.NewWaterHeater("tank")
		d.MaxKW, d.CapacityKWh, d.InitialKWh, d.FinalMinKWh, d.LossPerHour = 2.2, 8, 4, 2, 0.008
		if mixed {
			d.MinKW = d.MaxKW
		}
		people := in(0.5, 2)
		d.DrawKW = day(func(h float64) float64 {
			return people * (0.4*math.Exp(-(h-7)*(h-7)) + 0.6*math.Exp(-(h-19)*(h-19)/2))
		})
		s.Devices = append(s.Devices, d)
	}
	if length := max(1, at(in(1, 2))); mixed && r.Float64() < 0.5 && at(20)-length >= at(8) {
		d := problem.NewShiftable("washer")
		for range length {
			d.ProfileKW = append(d.ProfileKW, in(0.2, 2))
		}
		d.EarliestStep, d.LatestStep = at(8), at(20)-length
		s.Devices = append(s.Devices, d)
	}
	if r.Float64() < 0.2 {
		d := problem.NewFlexible("pool")
		d.EnergyKWh, d.MaxKW, d.LatestStep = in(1, 4), 1, p.Steps
		s.Devices = append(s.Devices, d)
	}
	return s
}

func homeHeating(r *rand.Rand, in func(low, high float64) float64, mixed bool, outdoor []float64, steps int) *problem.HeatPump {
	d := problem.NewHeatPump("heating")
	d.MaxKW = in(2, 4)
	if mixed {
		d.MinKW = 0.4 * d.MaxKW
		if r.Float64() < 0.5 {
			d.MinOnSteps, d.MinOffSteps, d.StartCost = 2, 2, 0.02
		}
	}
	d.COP = make([]float64, steps)
	for t := range d.COP {
		d.COP[t] = math.Round(1e4*(2.9+0.06*outdoor[t])) / 1e4
	}
	d.Zone.CapacityKWhPerK, d.Zone.ResistanceKPerKW, d.Zone.InitialC, d.Zone.OutdoorC = in(4, 10), in(4, 9), 20, outdoor
	d.Zone.DiscomfortCostPerKH = 0.5
	for range steps {
		d.Zone.GainsKW = append(d.Zone.GainsKW, 0.3)
		d.Zone.MinC, d.Zone.MaxC = append(d.Zone.MinC, 19), append(d.Zone.MaxC, 22.5)
	}
	return d
}
