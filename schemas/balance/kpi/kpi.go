// Package kpi is the registry of a district's indicators: each with an id, a version of its formula, its inputs and its unit, computed as a pure function of balance rows.
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
	"quartier/schemas/timegrid"
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
	compute func(*steps) (float64, string)
}

// Value is an indicator of one boundary and period.
type Value struct {
	*Definition
	Value    *float64 // nil: there is none, see Reason
	Reason   string
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
	Rows         []balance.Row        // electricity, by start
	Carriers     []balance.CarrierRow // the other carriers
	ConnectionKW float64              // power of the connection at the boundary; 0 or +Inf: none is known
	Zone         *time.Location       // of months; nil: UTC
}

// Why there is no value.
const (
	noRows        = "nothing was measured"
	noProduction  = "there is no production"
	noConsumption = "there is no consumption"
	filling       = "more was drawn to fill storage than has come back"
	noConnection  = "the power of the connection is not known"
	noHour        = "no full hour was measured"
)

// All returns the definitions in the order in which tables show them.
func All() []Definition { return append([]Definition(nil), registry...) }

// Compute returns the value of every indicator.
func Compute(in Input) []Value {
	s := newSteps(&in)
	coverage := 0.0
	if h := in.Period.Duration().Hours(); h > 0 {
		coverage = s.total.CoveredHours() / h
	}
	out := make([]Value, len(registry))
	for i := range registry {
		d := &registry[i]
		out[i] = Value{Definition: d, Boundary: in.Boundary, Period: in.Period, Step: in.Step, Coverage: coverage}
		if len(s.g) == 0 {
			out[i].Reason = noRows
			continue
		}
		v, reason := d.compute(s)
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

// steps are the series of the boundary, kWh per step.
type steps struct {
	in                      *Input
	total                   balance.Total
	g, l, charge, discharge []float64
	ne                      []float64 // export less import
	dt                      float64   // hours
	hour                    []hour
}

// hour is the production and demand of a full hour, kWh, which is kW.
type hour struct{ g, l float64 }

func newSteps(in *Input) *steps {
	s := &steps{in: in, dt: in.Step.Hours()}
	per := 0
	if in.Step > 0 && time.Hour%in.Step == 0 {
		per = int(time.Hour / in.Step)
	}
	var at time.Time
	var h hour
	n := 0
	for i := range in.Rows {
		r := &in.Rows[i]
		s.total.Add(r)
		g, l := r.ProductionWh.KWh(), r.ConsumptionWh().KWh()
		s.g, s.l = append(s.g, g), append(s.l, l)
		s.charge, s.discharge = append(s.charge, r.ChargeWh.KWh()), append(s.discharge, r.DischargeWh.KWh())
		s.ne = append(s.ne, -r.NetWh().KWh())
		if start := timegrid.Floor(r.Start, time.Hour); !start.Equal(at) {
			at, h, n = start, hour{}, 0
		}
		h.g, h.l, n = h.g+g, h.l+l, n+1
		if n == per {
			s.hour = append(s.hour, h)
		}
	}
	return s
}

// most returns the largest f over the hours and whether there is any.
func (s *steps) most(f func(hour) (float64, bool)) (float64, string) {
	best, found := math.Inf(-1), false
	for _, h := range s.hour {
		if v, ok := f(h); ok {
			best, found = max(best, v), true
		}
	}
	if !found {
		return 0, noHour
	}
	return best, ""
}

// mean returns the mean of f over the steps for which it is defined.
func (s *steps) mean(f func(i int) (float64, bool)) (float64, string) {
	sum, n := 0.0, 0
	for i := range s.g {
		if v, ok := f(i); ok {
			sum, n = sum+v, n+1
		}
	}
	if n == 0 {
		return 0, noConsumption
	}
	return sum / float64(n), ""
}

func shareOf(v float64, ok bool, why string) (float64, string) {
	if !ok {
		return 0, why
	}
	return v, ""
}

// all returns generation and demand of every carrier, kWh.
func (s *steps) all() (g, l float64) {
	g, l = s.total.ProductionWh.KWh(), s.total.ConsumptionWh().KWh()
	for i := range s.in.Carriers {
		g += s.in.Carriers[i].GeneratedWh.KWh()
		// what was converted from electricity is demand of electricity already
		l += (s.in.Carriers[i].ConsumedWh - min(s.in.Carriers[i].ConsumedWh, s.in.Carriers[i].ConvertedWh)).KWh()
	}
	return g, l
}

// interaction returns the deviation of the net export over its largest size.
func (s *steps) interaction(sample bool) (float64, string) {
	largest, mean := 0.0, 0.0
	for _, v := range s.ne {
		largest, mean = max(largest, math.Abs(v)), mean+v/float64(len(s.ne))
	}
	n := float64(len(s.ne))
	if sample {
		n--
	}
	if largest == 0 || n < 1 {
		return 0, "nothing passed the boundary"
	}
	sum := 0.0
	for _, v := range s.ne {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum/n) / largest, ""
}

// peaks returns the largest import and demand of each month, kW.
func (s *steps) peaks() (imported, demand map[time.Time]float64) {
	zone := s.in.Zone
	if zone == nil {
		zone = time.UTC
	}
	imported, demand = map[time.Time]float64{}, map[time.Time]float64{}
	for i := range s.in.Rows {
		m := timegrid.Month(s.in.Rows[i].Start, zone).Start
		imported[m] = max(imported[m], -s.ne[i]/s.dt)
		demand[m] = max(demand[m], s.l[i]/s.dt)
	}
	return imported, demand
}
