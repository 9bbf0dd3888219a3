package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// Mode is the decision of one device in one step.
type Mode int8

// The modes. A device without decisions stays Relaxed.
const (
	Relaxed     Mode = iota // any power of the device's range
	Off                     // no power
	On                      // consuming: in [min, max], for a battery charging
	Discharging             // battery or car giving power
)

// Decision fixes what is not continuous about one device. The zero value decides nothing.
type Decision struct {
	Modes []Mode // one per step; nil: Relaxed throughout
	Start int    // shiftable: its start step plus one; 0: not decided
	// Earliest and Latest narrow a shiftable's start window: steps plus one; 0: as the problem says.
	Earliest, Latest int
}

// Direction is the decision of the boundary flow in one step.
type Direction int8

// The directions.
const (
	Either Direction = iota
	Importing
	Exporting
)

// Decisions are the decisions of a whole district.
type Decisions struct {
	Device    [][]Decision // by site and device
	Direction []Direction  // nil: Either throughout
	Constant  float64      // EUR that the decisions cost by themselves: starts
}

// NewDecisions returns decisions that decide nothing.
func NewDecisions(p *problem.Problem) *Decisions {
	d := &Decisions{Device: make([][]Decision, len(p.Sites)), Direction: make([]Direction, p.Steps)}
	for i := range p.Sites {
		d.Device[i] = make([]Decision, len(p.Sites[i].Devices))
	}
	return d
}

// Clone returns a copy. The Modes of single devices are shared: replace them, do not write into them.
func (d *Decisions) Clone() *Decisions {
	out := &Decisions{Device: make([][]Decision, len(d.Device)), Direction: append([]Direction(nil), d.Direction...), Constant: d.Constant}
	for i := range d.Device {
		out.Device[i] = append([]Decision(nil), d.Device[i]...)
	}
	return out
}

// Options say which program is built.
type Options struct {
	Decisions *Decisions // nil: the relaxation
	Elastic   *Elastic   // nil: limits are hard
}

// Elastic gives limits a price, so that a program always has a solution and shows what would have to give way.
type Elastic struct {
	LimitPrice float64 // EUR per kWh beyond a power limit
	FinalPrice float64 // EUR per kWh that a battery lacks at the end or below its minimum
	Only       bool    // no other costs: the optimum is the least possible excess
}

// Program is a problem in the solver's form.
type Program struct {
	Problem *problem.Problem
	IPM     *ipm.Problem
	Place   [][]Place // by site and device
	opt     Options
}

// Place says where a device is in the program of its site.
type Place struct {
	Input []int // its inputs, in the order of its kind; nil when it is part of the base load
	Chain int   // its chain, or -1
	fixed []float64
}

// builder adds one site's devices.
type builder struct {
	p    *problem.Problem
	opt  *Options
	T    int
	dt   float64
	site *ipm.Site
	out  *ipm.Problem
	// shared are the constant series by value: most are zero, or the same in many devices. They are read only.
	shared map[float64][]float64
}

// constant returns a series of one value that others share; whoever writes into one takes series.
func (b *builder) constant(v float64) []float64 {
	s, ok := b.shared[v]
	if !ok {
		s = b.series(v)
		b.shared[v] = s
	}
	return s
}

func (b *builder) series(v float64) []float64 {
	s := make([]float64, b.T)
	if v != 0 {
		for t := range s {
			s[t] = v
		}
	}
	return s
}

// input adds an input and returns its index.
func (b *builder) input(u ipm.Input) int {
	b.site.Inputs = append(b.site.Inputs, u)
	return len(b.site.Inputs) - 1
}

func (b *builder) chain(c ipm.Chain) int {
	b.site.Chains = append(b.site.Chains, c)
	return len(b.site.Chains) - 1
}

// load adds a power that nothing decides to the site's base.
func (b *builder) load(power []float64, sign float64) {
	for t, v := range power {
		b.site.Base[t] += sign * v
	}
}

// Build makes the program.
func Build(p *problem.Problem, opt Options) *Program {
	T, dt := p.Steps, p.Hours()
	out := &Program{Problem: p, opt: opt, Place: make([][]Place, len(p.Sites)),
		IPM: &ipm.Problem{Steps: T, Sites: make([]ipm.Site, len(p.Sites)), Peak: ipm.Peak{Price: p.Grid.PeakPrice, SoFar: p.Grid.PeakSoFarKW}}}
	low, high := make([]float64, T), make([]float64, T)
	shared := map[float64][]float64{}
	for i := range p.Sites {
		s := &p.Sites[i]
		site := &out.IPM.Sites[i]
		b := &builder{p: p, opt: &opt, T: T, dt: dt, site: site, out: out.IPM, shared: shared}
		site.Base = append([]float64(nil), s.LoadKW...)
		out.Place[i] = make([]Place, len(s.Devices))
		for j, d := range s.Devices {
			dec := Decision{}
			if opt.Decisions != nil {
				dec = opt.Decisions.Device[i][j]
			}
			out.Place[i][j] = b.device(d, dec)
		}
		b.net(s)
		for t := 0; t < T; t++ {
			lo, hi := netRange(site, t)
			low[t] += lo
			high[t] += hi
		}
	}
	if opt.Decisions != nil {
		out.IPM.Constant += opt.Decisions.Constant
	}
	out.grid(low, high, dt)
	if opt.Elastic != nil && opt.Elastic.Only {
		out.onlyExcess()
	}
	return out
}

func (b *builder) device(d problem.Device, dec Decision) Place {
	switch d := d.(type) {
	case *problem.PV:
		return b.pv(d)
	case *problem.Battery:
		return b.battery(d, dec)
	case *problem.EV:
		return b.ev(d, dec)
	case *problem.HeatPump:
		return b.heatPump(d, dec)
	case *problem.WaterHeater:
		return b.waterHeater(d, dec)
	case *problem.Shiftable:
		return b.shiftable(d, dec)
	case *problem.Flexible:
		return b.flexible(d)
	}
	return Place{Chain: -1}
}

// netRange returns the least and the most net power that the site's devices can make in step t, kW.
func netRange(s *ipm.Site, t int) (lo, hi float64) {
	lo, hi = s.Base[t], s.Base[t]
	for j := range s.Inputs {
		u := &s.Inputs[j]
		if u.Sign >= 0 {
			lo += u.Sign * u.Lo[t]
			hi += u.Sign * u.Hi[t]
		} else {
			lo += u.Sign * u.Hi[t]
			hi += u.Sign * u.Lo[t]
		}
	}
	return lo, hi
}

// net sets the box of the site's net power: its limits, and where there is none a little more than its devices can make.
func (b *builder) net(s *problem.Site) {
	site := b.site
	site.Lo, site.Hi = b.series(0), b.series(0)
	fee := false
	for t := 0; t < b.T; t++ {
		lo, hi := netRange(site, t)
		room := 0.5 + 0.05*(hi-lo)
		lo, hi = math.Min(lo-room, 0), math.Max(hi+room, 0)
		if b.opt.Elastic == nil {
			lo, hi = math.Max(lo, -s.ExportLimitKW[t]), math.Min(hi, s.ImportLimitKW[t])
		}
		site.Lo[t], site.Hi[t] = lo, hi
		fee = fee || s.WithdrawalFee[t] > 0
	}
	if fee {
		site.Fee = b.series(0)
		for t, f := range s.WithdrawalFee {
			site.Fee[t] = b.dt * f
		}
	}
	if e := b.opt.Elastic; e != nil {
		site.Low = &ipm.Band{Level: b.series(0), Penalty: b.series(0)}
		site.High = &ipm.Band{Level: b.series(0), Penalty: b.series(0)}
		for t := 0; t < b.T; t++ {
			if l := s.ExportLimitKW[t]; -l > site.Lo[t] {
				site.Low.Level[t], site.Low.Penalty[t] = -l, b.dt*e.LimitPrice
			}
			if l := s.ImportLimitKW[t]; l < site.Hi[t] {
				site.High.Level[t], site.High.Penalty[t] = l, b.dt*e.LimitPrice
			}
		}
	}
}

// grid sets the boundary flows: low and high are the least and the most net power of all sites.
func (out *Program) grid(low, high []float64, dt float64) {
	p, g := out.Problem, &out.Problem.Grid
	T := p.Steps
	im, ex := &out.IPM.Import, &out.IPM.Export
	zero := func() []float64 { return make([]float64, T) }
	*im = ipm.Flow{Lo: zero(), Hi: zero(), Cost: zero()}
	*ex = ipm.Flow{Lo: zero(), Hi: zero(), Cost: zero()}
	for t := 0; t < T; t++ {
		buy, sell := p.ImportCost(t), g.ExportPrice[t]
		room := 0.5 + 0.02*(high[t]-low[t])
		im.Hi[t] = math.Min(g.ImportLimitKW[t], math.Max(0, high[t])+room)
		ex.Hi[t] = math.Min(g.ExportLimitKW[t], math.Max(0, -low[t])+room)
		im.Cost[t], ex.Cost[t] = dt*buy, -dt*sell
		dir := Either
		if out.opt.Decisions != nil && out.opt.Decisions.Direction != nil {
			dir = out.opt.Decisions.Direction[t]
		}
		if buy >= sell && dir == Either {
			continue
		}
		// One direction only, or the chord between the ends of what is possible.
		i, e := math.Max(0, math.Min(g.ImportLimitKW[t], high[t])), math.Max(0, math.Min(g.ExportLimitKW[t], -low[t]))
		switch {
		case dir == Importing || (dir == Either && (low[t] >= 0 || e <= 0)):
			ex.Hi[t] = 0
		case dir == Exporting || (dir == Either && (high[t] <= 0 || i <= 0)):
			im.Hi[t] = 0
		default:
			slope := (buy*i + sell*e) / (i + e)
			im.Lo[t], im.Hi[t], im.Cost[t] = -e, i, dt*slope
			ex.Hi[t], ex.Cost[t] = 0, 0
			out.IPM.Constant += dt * i * (buy - slope)
		}
	}
	el := out.opt.Elastic
	if el == nil {
		return
	}
	// A site of its own stands for import beyond the limit (it gives) and export beyond the limit (it takes).
	b := &builder{T: T, dt: dt, site: &ipm.Site{}}
	r := b.site
	r.Base, r.Lo, r.Hi = zero(), zero(), zero()
	give := ipm.Input{Chain: -1, Sign: -1, Lo: zero(), Hi: zero(), Cost: zero()}
	take := ipm.Input{Chain: -1, Sign: 1, Lo: zero(), Hi: zero(), Cost: zero()}
	for t := 0; t < T; t++ {
		give.Hi[t] = math.Max(0, high[t]-im.Hi[t]) + 1
		take.Hi[t] = math.Max(0, -low[t]-ex.Hi[t]) + 1
		give.Cost[t] = dt * (el.LimitPrice + math.Max(0, p.ImportCost(t)))
		take.Cost[t] = dt * (el.LimitPrice + math.Max(0, -g.ExportPrice[t]))
		r.Lo[t], r.Hi[t] = -give.Hi[t]-1, take.Hi[t]+1
	}
	b.input(give)
	b.input(take)
	out.IPM.Sites = append(out.IPM.Sites, *r)
}

// onlyExcess removes every cost but those of the excess over limits.
func (out *Program) onlyExcess() {
	q := out.IPM
	q.Constant = 0
	q.Peak.Price = 0
	clear(q.Import.Cost)
	clear(q.Export.Cost)
	zero := make([]float64, q.Steps)
	for i := range out.Place {
		s := &q.Sites[i]
		s.Fee = nil
		for j := range s.Inputs {
			s.Inputs[j].Cost = zero
		}
		for k := range s.Chains {
			c := &s.Chains[k]
			c.Cost = zero
			c.High = nil
		}
		for j, d := range out.Problem.Sites[i].Devices {
			if k := out.Place[i][j].Chain; k >= 0 && d.Kind() != problem.KindBattery {
				s.Chains[k].Low = nil
			}
		}
	}
}
