package problemtest

import (
	"quartier/optimizer/problem"
)

// Family is a kind of district that has broken planners: see [Families].
type Family struct {
	Name string
	Make func(sites int, seed uint64, mixed bool) *problem.Problem
}

// Families are variations of [District], each with one thing that is hard.
var Families = []Family{
	{"winter day", func(n int, seed uint64, mixed bool) *problem.Problem { return District(n, 96, 15, seed, mixed) }},
	{"five minutes", func(n int, seed uint64, mixed bool) *problem.Problem { return District(n, 288, 5, seed, mixed) }},
	{"week", func(n int, seed uint64, mixed bool) *problem.Problem { return District(n, 672, 15, seed, mixed) }},
	{"one step", func(n int, seed uint64, mixed bool) *problem.Problem { return District(n, 1, 60, seed, mixed) }},
	{"hours", func(n int, seed uint64, mixed bool) *problem.Problem { return District(n, 36, 60, seed, mixed) }},
	{"flat tariff", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for t := range p.Grid.ImportPrice {
			p.Grid.ImportPrice[t], p.Grid.CarbonIntensity[t] = 0.2, 0
		}
		return p
	}},
	{"negative prices", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for t := range p.Grid.ImportPrice {
			if h := float64(t) * p.Hours(); h >= 11 && h < 15 {
				p.Grid.ImportPrice[t], p.Grid.ExportPrice[t] = -0.08, -0.12
			}
		}
		return p
	}},
	{"import cheaper than export", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for t := range p.Grid.ImportPrice {
			if h := float64(t) * p.Hours(); h >= 12 && h < 14 {
				p.Grid.ImportPrice[t], p.Grid.ExportPrice[t], p.Grid.CarbonIntensity[t] = 0.05, 0.09, 0
			}
		}
		return p
	}},
	{"tight connection", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for t := range p.Grid.ImportLimitKW {
			p.Grid.ImportLimitKW[t] = 2.4 * float64(n)
		}
		for i := range p.Sites {
			for t := range p.Sites[i].ImportLimitKW {
				p.Sites[i].ImportLimitKW[t], p.Sites[i].ExportLimitKW[t] = 6, 3
			}
		}
		return p
	}},
	{"withdrawal fee", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for i := range p.Sites {
			for t := range p.Sites[i].WithdrawalFee {
				p.Sites[i].WithdrawalFee[t] = 0.04
			}
		}
		return p
	}},
	{"steep peak", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		p.Grid.PeakPrice, p.Grid.PeakSoFarKW = 12, 0
		return p
	}},
	{"megawatts", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for i := range p.Sites {
			scale(&p.Sites[i], 1000)
		}
		for t := range p.Grid.ImportLimitKW {
			p.Grid.ImportLimitKW[t] *= 1000
			p.Grid.ExportLimitKW[t] *= 1000
		}
		p.Grid.PeakSoFarKW *= 1000
		return p
	}},
	{"one giant", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		scale(&p.Sites[0], 300)
		for t := range p.Grid.ImportLimitKW {
			p.Grid.ImportLimitKW[t] += 3600
			p.Grid.ExportLimitKW[t] += 3600
		}
		return p
	}},
	{"cars give", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				if d, ok := d.(*problem.EV); ok {
					d.DischargeKW, d.DischargeEfficiency, d.WearCostPerKWh = d.MaxKW, 0.92, 0.01
				}
			}
		}
		return p
	}},
	{"cheap comfort", func(n int, seed uint64, mixed bool) *problem.Problem {
		p := District(n, 96, 15, seed, mixed)
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				if d, ok := d.(*problem.HeatPump); ok {
					d.Zone.DiscomfortCostPerKH = 1e-3
				}
			}
		}
		return p
	}},
}

// scale multiplies the powers and energies of a site.
func scale(s *problem.Site, f float64) {
	times := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for t := range v {
			out[t] = f * v[t]
		}
		return out
	}
	s.LoadKW, s.ImportLimitKW, s.ExportLimitKW = times(s.LoadKW), times(s.ImportLimitKW), times(s.ExportLimitKW)
	for _, d := range s.Devices {
		switch d := d.(type) {
		case *problem.PV:
			d.AvailableKW = times(d.AvailableKW)
		case *problem.Battery:
			for _, v := range []*float64{&d.CapacityKWh, &d.MinKWh, &d.InitialKWh, &d.FinalMinKWh, &d.ChargeKW, &d.DischargeKW} {
				*v *= f
			}
		case *problem.EV:
			for _, v := range []*float64{&d.CapacityKWh, &d.MaxKW, &d.MinKW, &d.DischargeKW} {
				*v *= f
			}
			for k := range d.Sessions {
				d.Sessions[k].InitialKWh *= f
				d.Sessions[k].TargetKWh *= f
			}
		case *problem.HeatPump:
			d.MaxKW, d.MinKW, d.StartCost = f*d.MaxKW, f*d.MinKW, f*d.StartCost
			d.Zone.CapacityKWhPerK, d.Zone.ResistanceKPerKW, d.Zone.GainsKW = f*d.Zone.CapacityKWhPerK, d.Zone.ResistanceKPerKW/f, times(d.Zone.GainsKW)
			d.Zone.DiscomfortCostPerKH *= f
		case *problem.WaterHeater:
			for _, v := range []*float64{&d.CapacityKWh, &d.InitialKWh, &d.FinalMinKWh, &d.MaxKW, &d.MinKW} {
				*v *= f
			}
			d.DrawKW = times(d.DrawKW)
			if d.CapacityByStepKWh != nil {
				d.CapacityByStepKWh = times(d.CapacityByStepKWh)
			}
		case *problem.Shiftable:
			d.ProfileKW = times(d.ProfileKW)
		case *problem.Flexible:
			d.EnergyKWh, d.MaxKW = f*d.EnergyKWh, f*d.MaxKW
		}
	}
}
