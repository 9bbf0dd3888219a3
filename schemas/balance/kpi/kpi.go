// Package kpi is the registry of a district's indicators: each with an id, a version of its formula, its inputs and its unit, computed as a pure function of balance rows, summed by day.
//
// With production g, demand l, charge s+ and discharge s- of a metering step and the net export ne through the boundary, the formulas are those of the load-match and grid-interaction
// indicators of IEA Task 40/Annex 52 and of the IDEAS project. A value is told with its boundary, its period, the step and the share of the period that was measured. A version grows with
// every change that moves a figure.
package kpi

import (
	"math"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Definition is one indicator.
type Definition struct {
	ID      string
	Version int
	NameEN  string
	NameFR  string
	Unit    string // "1" for a share or a ratio, else the unit of its name
	Formula string
	Inputs  []string // series of the metering step, and what else it needs
	Note    string   // what the figure is easily taken for and is not
	compute func(*steps) (float64, why.Code)

	// of what is observed beside the balance, in place of compute: its value, and of how many hours of how many, or of which forecasts
	of    func(*Observed) (float64, why.Code)
	over  func(*Observed) (measured, hours float64)
	ahead func(*Observed) *Errors

	against string // of published figures, in place of compute: the kind that the peak is compared with
}

// Value is an indicator of one boundary and period.
type Value struct {
	*Definition
	Value    *float64 // nil: there is none, see Reason
	Reason   why.Code
	Boundary string // "district", or the id of a site
	Period   timegrid.Span
	Step     time.Duration
	Coverage float64 // share in [0, 1] of the period that was measured
}

// Input is what indicators are computed from.
type Input struct {
	Boundary     string
	Period       timegrid.Span
	Step         time.Duration
	Days         []balance.Day  // of the boundary, by start; the first and the last may be cut by the period
	ConnectionKW float64        // power of the connection at the boundary; 0 or +Inf: none is known
	Zone         *time.Location // of months; nil: UTC
	Observed     *Observed      // nil: there are no rooms, inverters and forecasts
	Published    []Published    // figures of closed months; nil: they are not published of the boundary
}

// All returns the definitions in the order in which tables show them.
func All() []Definition { return slices.Concat(registry, closed, observed) }

// Compute returns the value of every indicator.
func Compute(in Input) []Value {
	s := newSteps(&in)
	coverage := 0.0
	if h := in.Period.Duration().Hours(); h > 0 {
		coverage = s.total.CoveredHours / h
	}
	all := All()
	out := make([]Value, len(all))
	for i := range all {
		d := &all[i]
		out[i] = Value{Definition: d, Boundary: in.Boundary, Period: in.Period, Step: in.Step, Coverage: coverage}
		v, reason := 0.0, why.NoRows
		if d.of != nil {
			v, reason, out[i].Coverage = d.value(&in)
		} else if d.against != "" {
			v, reason, out[i].Coverage = d.reduction(&in)
		} else if s.total.Slots > 0 {
			v, reason = d.compute(s)
		}
		if reason != "" || math.IsNaN(v) || math.IsInf(v, 0) {
			out[i].Reason = reason
			continue
		}
		out[i].Value = &v
	}
	return out
}

// Find returns the value of an id, nil where there is no such indicator.
func Find(values []Value, id string) *Value {
	i := slices.IndexFunc(values, func(v Value) bool { return v.ID == id })
	if i < 0 {
		return nil
	}
	return &values[i]
}

// steps is what is known of the steps of the boundary.
type steps struct {
	in    *Input
	total balance.Total
	match balance.Match
	dt    float64 // hours of a step
}

func newSteps(in *Input) *steps {
	s := &steps{in: in, dt: in.Step.Hours()}
	for i := range in.Days {
		if e := in.Days[i].Electric; e != nil {
			s.total.Merge(&e.Total)
			s.match.Merge(&e.Match)
		}
	}
	return s
}

// hours returns a figure of the full hours, n of which are such as it needs.
func hours(v float64, n int) (float64, why.Code) { return v, when(n > 0, why.NoHour) }

// mean returns the mean over the steps with consumption.
func (s *steps) mean(sum float64) (float64, why.Code) {
	return sum / float64(s.match.Consuming), when(s.match.Consuming > 0, why.NoConsumption)
}

func shareOf(v float64, ok bool, reason why.Code) (float64, why.Code) {
	if !ok {
		return 0, reason
	}
	return v, ""
}

// all returns generation and demand of every carrier, kWh. What was converted from electricity is demand of electricity already.
func (s *steps) all() (g, l float64) {
	var generated, demand units.WattHours
	for i := range s.in.Days {
		generated += s.in.Days[i].GeneratedWh
		demand += s.in.Days[i].DemandWh
	}
	return generated.KWh(), demand.KWh()
}

// interaction returns the deviation of the net export over its largest size.
func (s *steps) interaction(sample bool) (float64, why.Code) {
	largest := float64(s.match.MostNetWh)
	deviation := s.match.NetDeviation(sample)
	return deviation / largest, when(largest > 0 && !math.IsNaN(deviation), why.NothingPassed)
}

// peaks returns the largest import and demand of each month, kW.
func (s *steps) peaks() (imported, demand map[time.Time]float64) {
	zone := s.in.Zone
	if zone == nil {
		zone = time.UTC
	}
	imported, demand = map[time.Time]float64{}, map[time.Time]float64{}
	for i := range s.in.Days {
		if e := s.in.Days[i].Electric; e != nil {
			m := timegrid.Month(s.in.Days[i].Start, zone).Start
			imported[m] = max(imported[m], e.Match.MostImportWh.KWh()/s.dt)
			demand[m] = max(demand[m], e.Match.MostConsumptionWh.KWh()/s.dt)
		}
	}
	return imported, demand
}
