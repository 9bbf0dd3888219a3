package problemtest

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"quartier/optimizer/problem"
)

// Options of [Random]. The zero value allows everything.
type Options struct {
	Kinds      []problem.Kind // kinds to draw from; empty: all
	MaxSites   int            // 0: 3
	MaxDevices int            // per site; 0: 3
	MaxSteps   int            // 0: 10
	Continuous bool           // only problems whose general program has no integers
	Loose      bool           // no limits that could make the problem infeasible
	TankByStep bool           // half of the tanks have a capacity of each step
}

// Kinds lists every kind of device.
var Kinds = []problem.Kind{problem.KindPV, problem.KindBattery, problem.KindEV, problem.KindHeatPump, problem.KindWaterHeater, problem.KindShiftable, problem.KindFlexible}

// Random returns a valid small problem. Most are feasible; without Options.Loose some are not.
func Random(seed uint64, o Options) *problem.Problem {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 0x51a27e)), o: o}
	if len(g.o.Kinds) == 0 {
		g.o.Kinds = Kinds
	}
	if o.Continuous {
		g.o.Kinds = without(g.o.Kinds, problem.KindShiftable)
	}
	for _, n := range []struct {
		v    *int
		or   int
		name string
	}{{&g.o.MaxSites, 3, "sites"}, {&g.o.MaxDevices, 3, "devices"}, {&g.o.MaxSteps, 10, "steps"}} {
		if *n.v == 0 {
			*n.v = n.or
		}
	}
	return g.problem()
}

func without(kinds []problem.Kind, kind problem.Kind) []problem.Kind {
	var out []problem.Kind
	for _, k := range kinds {
		if k != kind {
			out = append(out, k)
		}
	}
	return out
}

type generator struct {
	rand *rand.Rand
	o    Options
	p    *problem.Problem
	T    int
	dt   float64
}

// in returns a number of [low, high] with three decimals, so that documents stay readable.
func (g *generator) in(low, high float64) float64 {
	return math.Round((low+(high-low)*g.rand.Float64())*1000) / 1000
}

func (g *generator) chance(p float64) bool { return g.rand.Float64() < p }

func (g *generator) maybe(p, low, high float64) float64 {
	if g.chance(p) {
		return g.in(low, high)
	}
	return 0
}

// series is constant or varies.
func (g *generator) series(low, high float64) []float64 {
	out := make([]float64, g.T)
	one, flat := g.in(low, high), g.chance(0.2)
	for t := range out {
		if out[t] = one; !flat {
			out[t] = g.in(low, high)
		}
	}
	return out
}

func (g *generator) problem() *problem.Problem {
	minutes := []float64{5, 10, 15, 30, 60}
	g.p = &problem.Problem{
		Version: problem.Version, Start: time.Date(2026, time.Month(1+g.rand.IntN(12)), 1+g.rand.IntN(28), g.rand.IntN(24), 0, 0, 0, time.FixedZone("", 3600)),
		StepMinutes: minutes[g.rand.IntN(len(minutes))], Steps: 1 + g.rand.IntN(g.o.MaxSteps), CarbonPrice: g.maybe(0.6, 0, 200),
	}
	if g.chance(0.1) {
		g.p.Steps = 1
	}
	g.T, g.dt = g.p.Steps, g.p.Hours()
	g.grid()
	for i := range 1 + g.rand.IntN(g.o.MaxSites) {
		g.p.Sites = append(g.p.Sites, g.site(i))
	}
	g.p.Fill()
	return g.p
}

func (g *generator) grid() {
	b := &g.p.Grid
	low := 0.05
	if !g.o.Continuous && g.chance(0.3) {
		low = -0.2 // some prices below zero
	}
	b.ImportPrice = g.series(low, 0.4)
	b.ExportPrice = g.series(0, 0.05)
	if !g.o.Continuous && g.chance(0.3) {
		b.ExportPrice = g.series(-0.1, 0.5) // exports that pay more than imports cost, or cost
	}
	if g.chance(0.5) {
		b.CarbonIntensity = g.series(0, 400)
	}
	if g.chance(0.5) {
		b.PeakPrice, b.PeakSoFarKW = g.in(0, 3), g.maybe(0.5, 0, 5)
	}
	if !g.o.Loose && g.chance(0.4) {
		b.ImportLimitKW = g.series(8, 20)
	}
	if !g.o.Loose && g.chance(0.4) {
		b.ExportLimitKW = g.series(2, 8)
	}
}

func (g *generator) site(i int) problem.Site {
	s := problem.Site{ID: "site " + strconv.Itoa(i), LoadKW: g.series(0, 2)}
	if !g.o.Continuous && g.chance(0.15) {
		s.LoadKW = g.series(-2, 2)
	}
	if g.chance(0.4) {
		s.WithdrawalFee = g.series(0, 0.2)
	}
	if !g.o.Loose && g.chance(0.4) {
		s.ImportLimitKW = g.series(6, 12)
	}
	if !g.o.Loose && g.chance(0.4) {
		s.ExportLimitKW = g.series(2, 6)
	}
	for j := range g.rand.IntN(g.o.MaxDevices + 1) {
		s.Devices = append(s.Devices, g.device(string(rune('a'+j)), g.o.Kinds[g.rand.IntN(len(g.o.Kinds))]))
	}
	return s
}

func (g *generator) device(id string, kind problem.Kind) problem.Device {
	switch kind {
	case problem.KindPV:
		d := problem.NewPV(id)
		d.AvailableKW = g.series(0, 6)
		d.Curtailable = g.o.Continuous || g.chance(0.7)
		return d
	case problem.KindBattery:
		return g.battery(id)
	case problem.KindEV:
		return g.ev(id)
	case problem.KindHeatPump:
		return g.heatPump(id)
	case problem.KindWaterHeater:
		return g.waterHeater(id)
	case problem.KindShiftable:
		d := problem.NewShiftable(id)
		for range 1 + g.rand.IntN(min(4, g.T)) {
			d.ProfileKW = append(d.ProfileKW, g.maybe(0.9, 0, 3))
		}
		room := g.T - len(d.ProfileKW)
		d.EarliestStep = g.rand.IntN(room + 1)
		d.LatestStep = d.EarliestStep + g.rand.IntN(room-d.EarliestStep+1)
		return d
	default:
		d := problem.NewFlexible(id)
		d.EnergyKWh, d.MaxKW = g.in(0, 4), g.in(0, 3)
		d.EarliestStep = g.rand.IntN(g.T + 1)
		d.LatestStep = d.EarliestStep + g.rand.IntN(g.T-d.EarliestStep+1)
		if g.chance(0.4) {
			d.ShortfallCostPerKWh = g.in(0, 1)
		}
		return d
	}
}

func (g *generator) battery(id string) *problem.Battery {
	d := problem.NewBattery(id)
	d.CapacityKWh = g.in(0.5, 10)
	d.MinKWh = g.maybe(0.5, 0, d.CapacityKWh/4)
	d.InitialKWh = g.in(d.MinKWh, d.CapacityKWh)
	d.ChargeKW, d.DischargeKW = g.in(0, 5), g.in(0, 5)
	if g.chance(0.8) {
		d.ChargeEfficiency, d.DischargeEfficiency = g.in(0.7, 1), g.in(0.7, 1)
	}
	d.SelfDischargePerHour = g.maybe(0.4, 0, 0.05)
	d.WearCostPerKWh = g.maybe(0.5, 0, 0.05)
	low := -0.2
	if g.o.Continuous {
		low = 0
	}
	d.FinalValuePerKWh = g.maybe(0.5, low, 0.4)
	// a final minimum, or a minimum that self-discharge undercuts, must stay in reach
	d.FinalMinKWh = g.maybe(0.5, 0, min(d.InitialKWh, d.CapacityKWh*0.6))
	if d.SelfDischargePerHour > 0 {
		d.FinalMinKWh, d.MinKWh = 0, 0
	}
	return d
}

func (g *generator) ev(id string) *problem.EV {
	d := problem.NewEV(id)
	d.CapacityKWh, d.MaxKW = g.in(5, 60), g.in(0, 11)
	if !g.o.Continuous {
		d.MinKW = g.maybe(0.6, 0, d.MaxKW)
		d.DischargeKW = g.maybe(0.4, 0, 6)
	}
	if g.chance(0.7) {
		d.ChargeEfficiency, d.DischargeEfficiency = g.in(0.8, 1), g.in(0.8, 1)
	}
	d.WearCostPerKWh = g.maybe(0.5, 0, 0.1)
	if g.chance(0.4) {
		d.ShortfallCostPerKWh = g.in(0, 1)
	}
	for at := g.rand.IntN(g.T + 1); len(d.Sessions) < 3; {
		s := problem.Session{ArriveStep: at, DepartStep: at, InitialKWh: g.in(0, d.CapacityKWh), TargetKWh: g.in(0, d.CapacityKWh)}
		if !g.chance(0.15) {
			s.DepartStep += g.rand.IntN(g.T - at + 1)
		}
		if reach := s.InitialKWh + 0.8*d.MaxKW*g.dt*float64(s.DepartStep-s.ArriveStep); g.chance(0.6) {
			s.TargetKWh = math.Round(1000*min(d.CapacityKWh, reach)) / 1000
		}
		d.Sessions = append(d.Sessions, s)
		if at = s.DepartStep + g.rand.IntN(2); at > g.T || g.chance(0.4) {
			break
		}
	}
	return d
}

func (g *generator) heatPump(id string) *problem.HeatPump {
	d := problem.NewHeatPump(id)
	d.MaxKW, d.COP = g.in(0.5, 4), g.series(2, 5)
	if !g.o.Continuous {
		d.MinKW = g.maybe(0.6, 0, d.MaxKW)
		d.InitialOn = g.chance(0.4)
		if g.chance(0.5) {
			d.InitialSteps = g.rand.IntN(5)
		}
		if g.chance(0.5) {
			d.MinOnSteps, d.MinOffSteps = g.rand.IntN(5), g.rand.IntN(5)
		}
		d.StartCost = g.maybe(0.5, 0, 0.2)
	}
	z := &d.Zone
	z.CapacityKWhPerK, z.ResistanceKPerKW = g.in(0.2, 8), g.in(1, 9)
	z.InitialC, z.OutdoorC = g.in(17, 23), g.series(-5, 25)
	if g.chance(0.5) {
		z.GainsKW = g.series(-0.5, 1)
	}
	z.MinC, z.MaxC = g.series(18, 20), g.series(20, 23)
	if g.chance(0.6) {
		z.DiscomfortCostPerKH = g.maybe(0.9, 0, 2)
	}
	return d
}

func (g *generator) waterHeater(id string) *problem.WaterHeater {
	d := problem.NewWaterHeater(id)
	d.MaxKW = g.in(0, 4)
	if !g.o.Continuous {
		d.MinKW = g.maybe(0.6, 0, d.MaxKW)
		if g.chance(0.4) {
			d.MinKW = d.MaxKW
		}
	}
	if g.chance(0.4) {
		d.COP = g.series(2, 4)
	}
	d.CapacityKWh = g.in(0.5, 10)
	d.InitialKWh, d.FinalMinKWh = g.in(0, d.CapacityKWh), g.maybe(0.5, 0, d.CapacityKWh)
	d.LossPerHour = g.maybe(0.6, 0, 0.05)
	d.DrawKW = g.series(0, 3)
	if g.chance(0.4) {
		d.ShortfallCostPerKWh = g.maybe(0.8, 0, 2)
	}
	g.capacities(d)
	return d
}

// capacities gives half of the tanks a capacity of each step, out of chance of its own: all else is as without.
func (g *generator) capacities(d *problem.WaterHeater) {
	r := rand.New(rand.NewPCG(math.Float64bits(d.CapacityKWh), math.Float64bits(d.InitialKWh)))
	if !g.o.TankByStep || r.Float64() < 0.5 {
		return
	}
	left, hours := d.InitialKWh, g.dt
	for _, draw := range d.DrawKW {
		left = math.Max(0, (1-d.LossPerHour*hours)*left-hours*draw)
		if r.Float64() < 0.5 {
			left = math.Max(left, d.CapacityKWh*(0.2+0.8*r.Float64()))
		}
		d.CapacityByStepKWh = append(d.CapacityByStepKWh, left)
	}
	d.FinalMinKWh = math.Min(d.FinalMinKWh, left)
}
