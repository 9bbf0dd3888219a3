package carbon

import (
	"fmt"
	"time"

	"quartier/schemas/savings/baseline"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// mass is an amount of CO2e with the energy behind it.
type mass struct {
	about     About
	kg        float64
	energyWh  units.WattHours // with a factor
	missingWh units.WattHours // without one, not in kg
}

func (m mass) plus(o mass) (mass, error) {
	about, err := m.about.with(o.about)
	return mass{about, m.kg + o.kg, m.energyWh + o.energyWh, m.missingWh + o.missingWh}, err
}

// Emissions are what drawn or burnt energy emitted, by factors of one method.
type Emissions[M Method] struct {
	mass
	_ [0]M // no conversion between methods compiles either
}

// Avoided is what fed-in energy would have emitted elsewhere, by factors of one method. It is reported beside emissions, never inside them.
type Avoided[M Method] struct {
	mass
	_ [0]M
}

// Kg returns the mass of CO2e of the energy that has a factor.
func (m mass) Kg() float64 { return m.kg }

// About says what the factors meant.
func (m mass) About() About { return m.about }

// MissingWh returns the energy without a factor, which is in no mass.
func (m mass) MissingWh() units.WattHours { return m.missingWh }

// Coverage returns the share of the energy that has a factor; 1 without energy.
func (m mass) Coverage() float64 {
	if all := m.energyWh + m.missingWh; all > 0 {
		return float64(m.energyWh) / float64(all)
	}
	return 1
}

// Plus adds emissions of the same method, scope and basis.
func (e Emissions[M]) Plus(o Emissions[M]) (Emissions[M], error) {
	m, err := e.plus(o.mass)
	return Emissions[M]{mass: m}, err
}

// Plus adds avoided emissions of the same method, scope and basis.
func (a Avoided[M]) Plus(o Avoided[M]) (Avoided[M], error) {
	m, err := a.plus(o.mass)
	return Avoided[M]{mass: m}, err
}

func weigh[M Method](energyWh []units.WattHours, sp timegrid.Span, step time.Duration, f Factors[M]) (mass, error) {
	out := mass{about: f.about}
	if n := sp.Count(step); n != len(energyWh) {
		return out, fmt.Errorf("carbon: %d energies for the %d slots from %s to %s", len(energyWh), n, sp.Start.Format(time.RFC3339), sp.End.Format(time.RFC3339))
	}
	i := 0
	for s := range sp.Slots(step) {
		e := energyWh[i]
		if e < 0 {
			return out, fmt.Errorf("carbon: energy of %d Wh at %s is below zero: what is fed in is avoided apart", e, s.Start.Format(time.RFC3339))
		}
		if g, ok := f.Slot(s); ok {
			out.kg += e.KWh() * g / 1000
			out.energyWh += e
		} else {
			out.missingWh += e
		}
		i++
	}
	return out, nil
}

// LocationBased returns the emissions of what was drawn in the slots of step that start in sp, for an inventory: sum of import times the average factor of the slot. What
// was fed in is not subtracted. Fuels and heat from a network are added with [Emissions.Plus].
func LocationBased(importWh []units.WattHours, sp timegrid.Span, step time.Duration, f Factors[Average]) (Emissions[Average], error) {
	return Drawn(importWh, sp, step, f)
}

// Drawn returns the emissions of drawn energy by factors of either method; see [LocationBased].
func Drawn[M Method](energyWh []units.WattHours, sp timegrid.Span, step time.Duration, f Factors[M]) (Emissions[M], error) {
	m, err := weigh(energyWh, sp, step, f)
	return Emissions[M]{mass: m}, err
}

// Of returns the emissions of an energy with one factor, such as gas, wood or heat from a network, at the time when the span begins.
func Of[M Method](energyWh units.WattHours, sp timegrid.Span, f Factors[M]) (Emissions[M], error) {
	m, err := weigh([]units.WattHours{energyWh}, sp, sp.Duration(), f)
	return Emissions[M]{mass: m}, err
}

// AvoidedByExport returns what the energy fed in over the slots would have emitted elsewhere, by the factors that the caller declares.
func AvoidedByExport[M Method](exportWh []units.WattHours, sp timegrid.Span, step time.Duration, f Factors[M]) (Avoided[M], error) {
	m, err := weigh(exportWh, sp, step, f)
	return Avoided[M]{mass: m}, err
}

// Saving is what avoided energy meant in emissions, split in what the energy did and what the grid did.
type Saving struct {
	about          About
	kg, low, high  float64
	gridKg         float64
	estimate, less bool
}

// Against returns the emissions against a baseline: adjusted baseline energy less measured, times the factor of the reporting year. frozen is the factor of the baseline's
// year; the change that the grid itself made to the baseline's emissions is told apart and never counted as saved. Both are average factors of one scope and basis, constant.
func Against(o baseline.Outcome, reporting, frozen Factors[Average]) (Saving, error) {
	about, err := reporting.about.with(frozen.about)
	if err != nil {
		return Saving{}, err
	}
	if reporting.isSeries || frozen.isSeries {
		return Saving{}, fmt.Errorf("carbon: a comparison of years takes the mean factor of each, see Factors.Frozen")
	}
	s := Saving{about: about}
	i, ok := o.Estimate()
	adjusted, _ := o.AdjustedKWh()
	if !ok {
		return s, nil
	}
	s.estimate = true
	_, s.less = o.Less()
	g := reporting.constant / 1000
	s.kg, s.low, s.high = i.KWh*g, i.LowKWh*g, i.HighKWh*g
	s.gridKg = adjusted * (frozen.constant - reporting.constant) / 1000
	return s, nil
}

// Saved returns the emissions that may be called saved; ok is false where the energy may not be.
func (s Saving) Saved() (kg, lowKg, highKg float64, ok bool) {
	if !s.less {
		return 0, 0, 0, false
	}
	return s.kg, s.low, s.high, true
}

// Estimate returns the estimate with its interval; ok is false where the baseline was refused.
func (s Saving) Estimate() (kg, lowKg, highKg float64, ok bool) {
	if !s.estimate {
		return 0, 0, 0, false
	}
	return s.kg, s.low, s.high, true
}

// GridKg returns what the same baseline energy emits less (positive) or more by the factor of the reporting year: the grid's doing, not the building's.
func (s Saving) GridKg() (kg float64, ok bool) { return s.gridKg, s.estimate }
