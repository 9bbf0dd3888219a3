package ipm

import (
	"errors"
	"fmt"
	"math"
)

// Problem is one structured linear program; the package comment states it. Slices hold Steps values each. The solver reads
// it only.
type Problem struct {
	Steps  int
	Sites  []Site
	Import Flow // power bought at the district's boundary, kW
	Export Flow // power sold there, kW
	Peak   Peak
	// Constant is added to objective and bound, EUR.
	Constant float64
}

// Flow is a boundary flow: its box and its cost per kW and step.
type Flow struct{ Lo, Hi, Cost []float64 }

// Peak prices the highest import above SoFar (kW) at Price (EUR per kW, from 0; 0 means no such charge).
type Peak struct{ Price, SoFar float64 }

// Site is one net power with the inputs and chains behind it.
type Site struct {
	Base   []float64 // power that nothing decides, kW
	Lo, Hi []float64 // limits of the net power, kW
	Fee    []float64 // cost per kW and step of net power above zero, from 0; nil means none
	Low    *Band     // price of net power below a level; nil for none
	High   *Band     // price of net power above a level; nil for none
	Inputs []Input
	Chains []Chain
}

// Input is one decided quantity: a power in kW (Sign +1 consumed, -1 produced) or, with Sign 0, an amount that only moves a chain.
type Input struct {
	Chain        int       // index of the chain that it moves, -1 for none
	Sign         float64   // its part in the site's net power: +1, -1 or 0
	Gain         []float64 // change of the chain's state per unit; nil when Chain is -1
	Lo, Hi, Cost []float64
}

// Chain is one state over time: State[t] is its value at the end of step t.
type Chain struct {
	Keep, Drive  []float64
	Lo, Hi, Cost []float64
	Low, High    *Band // prices below and above a level; nil for none
}

// Band prices the distance of a state beyond a level, per unit and step. Steps with penalty 0 have no band.
type Band struct{ Level, Penalty []float64 }

// Validate returns every fault of the problem's shape, joined, and nil when it can be solved.
func (p *Problem) Validate() error {
	var faults []error
	bad := func(format string, a ...any) { faults = append(faults, fmt.Errorf("ipm: "+format, a...)) }
	if p.Steps < 1 {
		bad("steps %d, want at least 1", p.Steps)
		return errors.Join(faults...)
	}
	finite := func(v []float64, optional bool, where string, a ...any) bool {
		if v == nil && optional {
			return true
		}
		if len(v) != p.Steps {
			bad(where+": %d values for %d steps", append(a, len(v), p.Steps)...)
			return false
		}
		for t, x := range v {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				bad(where+"[%d]: %v is not finite", append(a, t, x)...)
				return false
			}
		}
		return true
	}
	box := func(lo, hi []float64, where string, a ...any) {
		if !finite(lo, false, where+" lo", a...) || !finite(hi, false, where+" hi", a...) {
			return
		}
		for t := range lo {
			if lo[t] > hi[t] {
				bad(where+": step %d has the box [%v, %v]", append(a, t, lo[t], hi[t])...)
				return
			}
		}
	}
	box(p.Import.Lo, p.Import.Hi, "import")
	box(p.Export.Lo, p.Export.Hi, "export")
	finite(p.Import.Cost, false, "import cost")
	finite(p.Export.Cost, false, "export cost")
	if !(p.Peak.Price >= 0) || math.IsInf(p.Peak.Price, 0) {
		bad("peak price %v, want at least 0", p.Peak.Price)
	}
	for i := range p.Sites {
		s := &p.Sites[i]
		finite(s.Base, false, "site %d base", i)
		box(s.Lo, s.Hi, "site %d net", i)
		finite(s.Fee, true, "site %d fee", i)
		for _, b := range []*Band{s.Low, s.High} {
			if b != nil {
				finite(b.Level, false, "site %d band", i)
				finite(b.Penalty, false, "site %d penalty", i)
			}
		}
		for j := range s.Inputs {
			u := &s.Inputs[j]
			box(u.Lo, u.Hi, "site %d input %d", i, j)
			finite(u.Cost, false, "site %d input %d cost", i, j)
			if u.Chain < -1 || u.Chain >= len(s.Chains) {
				bad("site %d input %d: chain %d of %d", i, j, u.Chain, len(s.Chains))
			}
			finite(u.Gain, u.Chain < 0, "site %d input %d gain", i, j)
		}
		for k := range s.Chains {
			c := &s.Chains[k]
			box(c.Lo, c.Hi, "site %d chain %d", i, k)
			finite(c.Keep, false, "site %d chain %d keep", i, k)
			finite(c.Drive, false, "site %d chain %d drive", i, k)
			finite(c.Cost, false, "site %d chain %d cost", i, k)
			for _, b := range []*Band{c.Low, c.High} {
				if b != nil {
					finite(b.Level, false, "site %d chain %d band", i, k)
					finite(b.Penalty, false, "site %d chain %d penalty", i, k)
				}
			}
		}
	}
	return errors.Join(faults...)
}

// Settings steer one solve. The zero value means the defaults.
type Settings struct {
	GapTol        float64 // relative distance of objective and proven bound at which it is solved; 0 means 1e-7
	ResidualTol   float64 // largest violation of a row, relative to the loads of a site, for grid rows to those of all sites; 0 means 5e-6
	MaxIterations int     // 0 means 150
	Workers       int     // goroutines; 0 means 1. The result does not depend on it.
	Trace         func(Info)
}

// Status says how a solve ended.
type Status int

// The ways in which a solve ends.
const (
	Stalled        Status = iota // no further progress in floating point; Info says how far it came
	Solved                       // gap and residuals within tolerance
	AlmostSolved                 // gap within 1e-4 and residuals within a hundred times the tolerance, then no further progress
	Infeasible                   // the bound exceeds the cost of every point of the boxes: no feasible point exists
	IterationLimit               // MaxIterations reached
	Interrupted                  // the context's deadline came first; the point is the best so far
)

func (s Status) String() string {
	return [...]string{"stalled", "solved", "almost solved", "infeasible", "iteration limit", "interrupted"}[s]
}

// Info measures the returned iterate.
type Info struct {
	Iterations int
	Objective  float64 // EUR at the returned inputs, bands evaluated
	Bound      float64 // EUR, no feasible point costs less
	Gap        float64 // (Objective-Bound)/max(1,|Bound|)
	Primal     float64 // largest row violation, in the rows' units; of a grid row divided by how many times a site's load the sites' together is
	Dual       float64 // largest stationarity violation, EUR per unit
	Mu         float64 // mean complementarity product
}

// Solution is a primal and dual point. Indices are site, then input or chain, then step.
type Solution struct {
	Status Status
	Info   Info
	Input  [][][]float64
	State  [][][]float64
	Net    [][]float64
	Import []float64
	Export []float64
	Lambda []float64     // duals of the grid rows, EUR per kW and step
	V      [][]float64   // duals of the site rows
	Y      [][][]float64 // duals of the chain rows
	Bought []float64     // multipliers of import <= so far + peak, EUR per kW
}
