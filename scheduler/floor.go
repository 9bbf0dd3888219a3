package scheduler

import (
	"math"
	"slices"

	"quartier/optimizer/problem"
)

// floor is what a site or a district draws, in each step, whatever is decided, kW: at least, with all the sun that may come; in the dark; and at rest, with no sun but what nobody curtails.
type floor struct{ least, dark, rest []float64 }

func newFloor(loadKW []float64) floor {
	return floor{slices.Clone(loadKW), slices.Clone(loadKW), slices.Clone(loadKW)}
}

// add counts a device: the sun, and a compressor that may not stop yet.
func (f floor) add(pd problem.Device) {
	switch x := pd.(type) {
	case *problem.PV:
		for t, kw := range x.AvailableKW {
			f.least[t] -= kw
			if !x.Curtailable {
				f.rest[t] -= kw
			}
		}
	case *problem.HeatPump:
		for t := 0; x.InitialOn && t < x.HeldSteps(len(f.least)); t++ {
			f.least[t], f.dark[t], f.rest[t] = f.least[t]+x.MinKW, f.dark[t]+x.MinKW, f.rest[t]+x.MinKW
		}
	}
}

// join adds a site, which feeds no more than it may.
func (f floor) join(site floor, exportLimitKW []float64) {
	for t := range f.least {
		f.least[t] += math.Max(site.least[t], -exportLimitKW[t])
		f.dark[t] += site.dark[t]
		f.rest[t] += math.Max(site.rest[t], -exportLimitKW[t])
	}
}
