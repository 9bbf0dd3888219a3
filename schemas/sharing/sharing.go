// Package sharing allocates the energy that a collective self-consumption operation produces among its members, in whole watt-hours and step by step, by the
// four keys of the French rules (code de l'énergie D315-4 and D315-6), and tells what that does to a member's bill.
//
// In a step, for produced energies P_p with sum P and measured consumptions C_i:
//
//	static        a_i = min(C_i, k_i P)           with fixed shares; what a member leaves unused is surplus
//	dynamic       a_i = C_i min(1, P / sum C)     the legal default
//	coefficients  a_i = min(C_i, k_i(t) P)        with shares that the organiser sends for every step
//	full_dynamic  a_pi = k_pi(t) P_p              with shares of each producer; where they exceed C_i together, all of that member's are cut in proportion
//
// By the first three each producer gives its part of the production of what a member gets. All of this is exact arithmetic; the results are whole watt-hours, each less than one
// away from the exact value (see round.go), such that in each step what is allocated and the surplus are exactly what was produced, for each producer and together.
package sharing

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"quartier/schemas/units"
)

// Key is a rule by which an operation is shared.
type Key string

// The keys.
const (
	Static       Key = "static"
	Dynamic      Key = "dynamic"
	Coefficients Key = "coefficients"
	FullDynamic  Key = "full_dynamic"
)

// Keys lists all keys.
func Keys() []Key { return []Key{Static, Dynamic, Coefficients, FullDynamic} }

// MaxWh is the most that a member may consume or a producer produce in a step.
const MaxWh units.WattHours = 1e12

// Operation is what a collective self-consumption operation measured in a span of equal steps, and the key by which it is shared. The order of consumers and of producers
// decides where the last watt-hour goes when remainders are equal; a document has them by id.
type Operation struct {
	StepMinutes  int
	Key          Key
	Consumers    []Participant     // what each drew from the grid
	Producers    []Participant     // what each fed
	Shares       []Coefficient     // of the static key, by consumer
	Coefficients [][]Coefficient   // of the coefficients key, by consumer and step
	Pairs        [][][]Coefficient // of the full dynamic key, by producer, consumer and step
}

// Participant is a consumer or a producer.
type Participant struct {
	ID string
	Wh []units.WattHours // by step, in [0, MaxWh]
}

// Allocation is what [Operation.Allocate] gave to whom, in the operation's order.
type Allocation struct {
	Allocated  [][]units.WattHours   // by consumer and step
	ByProducer [][][]units.WattHours // by producer, consumer and step
	Surplus    [][]units.WattHours   // by producer and step
}

// Steps returns the number of steps.
func (o *Operation) Steps() int {
	for _, list := range [][]Participant{o.Consumers, o.Producers} {
		if len(list) > 0 {
			return len(list[0].Wh)
		}
	}
	return 0
}

// tile is how many steps are turned from series into columns together: their values of one series share a few cache lines.
const tile = 64

// Allocate shares the operation. Its error is [Faults], one for each value that cannot be; there is no allocation then.
//
// With one producer its part of each member's energy is that energy: the two share their memory. No step knows of another, so that several processors share them and the
// answer does not depend on how many there are.
func (o *Operation) Allocate() (*Allocation, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	n, m, steps := len(o.Consumers), len(o.Producers), o.Steps()
	out := &Allocation{Allocated: table(n, steps), Surplus: table(m, steps), ByProducer: make([][][]units.WattHours, m)}
	for p := range out.ByProducer {
		if m == 1 {
			out.ByProducer[p] = out.Allocated
		} else {
			out.ByProducer[p] = table(n, steps)
		}
	}
	var next atomic.Int64 // tiles that somebody has taken
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (steps+tile-1)/tile) {
		wg.Go(func() {
			all := make([]*step, min(tile, steps))
			for k := range all {
				all[k] = newStep(n, m, o.Key == FullDynamic)
			}
			for from := int(next.Add(1)-1) * tile; from < steps; from = int(next.Add(1)-1) * tile {
				part := all[:min(tile, steps-from)]
				o.load(part, from)
				for _, s := range part {
					s.share(o.Key)
				}
				out.store(part, from)
			}
		})
	}
	wg.Wait()
	return out, nil
}

func table(rows, steps int) [][]units.WattHours {
	out := make([][]units.WattHours, rows)
	for i := range out {
		out[i] = make([]units.WattHours, steps)
	}
	return out
}

// load turns the series from a step on into columns.
func (o *Operation) load(part []*step, from int) {
	for i := range o.Consumers {
		for k, v := range o.Consumers[i].Wh[from : from+len(part)] {
			part[k].consumed[i] = int64(v)
		}
	}
	for p := range o.Producers {
		for k, v := range o.Producers[p].Wh[from : from+len(part)] {
			part[k].produced[p] = int64(v)
		}
	}
	switch o.Key {
	case Static:
		for _, s := range part {
			copy(s.coefficients, o.Shares)
		}
	case Coefficients:
		loadRow(part, 0, from, o.Coefficients)
	case FullDynamic:
		for p := range o.Pairs {
			loadRow(part, p*len(o.Consumers), from, o.Pairs[p])
		}
	}
}

func loadRow(part []*step, at, from int, series [][]Coefficient) {
	for i := range series {
		for k, v := range series[i][from : from+len(part)] {
			part[k].coefficients[at+i] = v
		}
	}
}

// store turns shared columns back into series.
func (a *Allocation) store(part []*step, from int) {
	m := len(a.Surplus)
	for i := range a.Allocated {
		row := a.Allocated[i][from:]
		for k, s := range part {
			row[k] = units.WattHours(s.allocated[i])
		}
	}
	for p := range m {
		width := len(a.Allocated) + 1
		for k, s := range part {
			a.Surplus[p][from+k] = units.WattHours(s.cells[(p+1)*width-1])
		}
		if m == 1 {
			continue
		}
		for i, series := range a.ByProducer[p] {
			row := series[from:]
			for k, s := range part {
				row[k] = units.WattHours(s.cells[p*width+i])
			}
		}
	}
}

// unused returns, for each step, the energy that stayed surplus although members still drew from the grid, at most as much as they drew.
func (a *Allocation) unused(o *Operation, k int) units.WattHours {
	var surplus, drawn units.WattHours
	for p := range a.Surplus {
		surplus += a.Surplus[p][k]
	}
	for i := range a.Allocated {
		drawn += o.Consumers[i].Wh[k] - a.Allocated[i][k]
	}
	return min(surplus, drawn)
}

// Wasted returns the energy of all steps that stayed surplus although members drew from the grid in the same step: what another key would have given them.
func (a *Allocation) Wasted(o *Operation) (sum units.WattHours) {
	for k := range o.Steps() {
		sum += a.unused(o, k)
	}
	return sum
}

func (k Key) check() error {
	for _, known := range Keys() {
		if k == known {
			return nil
		}
	}
	return fmt.Errorf("%q is unknown, want one of %q", string(k), Keys())
}
