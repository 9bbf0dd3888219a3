package carbon

import (
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Average is the method of an inventory: the mean of all plants.
type Average struct{}

// Marginal is the method of a decision: the plant that answers it.
type Marginal struct{}

// Method is one of the two. It is a type parameter only.
type Method interface{ Average | Marginal }

// name returns the method's word.
func name[M Method]() string {
	var m M
	if _, ok := any(m).(Marginal); ok {
		return "marginal"
	}
	return "average"
}

// About says what a factor means.
type About struct {
	Scope   string // direct or lifecycle
	Basis   string // production or consumption
	Source  string // publication
	Vintage string // year or version of the publication
}

// Validate returns every fault.
func (a About) Validate() error {
	var errs []error
	if a.Scope != "direct" && a.Scope != "lifecycle" {
		errs = append(errs, fmt.Errorf("scope %q is neither direct nor lifecycle", a.Scope))
	}
	if a.Basis != "production" && a.Basis != "consumption" {
		errs = append(errs, fmt.Errorf("basis %q is neither production nor consumption", a.Basis))
	}
	if a.Source == "" {
		errs = append(errs, errors.New("no source"))
	}
	return errors.Join(errs...)
}

// ErrMixed is matched by errors about figures of different scope or basis.
var ErrMixed = errors.New("carbon: figures of different scope or basis")

func (a About) with(b About) (About, error) {
	if a == (About{}) {
		return b, nil
	}
	if b == (About{}) {
		return a, nil
	}
	if a.Scope != b.Scope || a.Basis != b.Basis {
		return a, fmt.Errorf("%w: %s of %s and %s of %s", ErrMixed, a.Scope, a.Basis, b.Scope, b.Basis)
	}
	if a.Source != b.Source {
		a.Source += "; " + b.Source
	}
	if a.Vintage != b.Vintage {
		a.Vintage += "; " + b.Vintage
	}
	return a, nil
}

// Factors are emission factors in gCO2e/kWh over time, of one method.
type Factors[M Method] struct {
	about    About
	constant float64
	series   timegrid.Series // NaN: a gap
	isSeries bool
	_        [0]M
}

// Constant returns a factor that always holds.
func Constant[M Method](gPerKWh float64, about About) (Factors[M], error) {
	if !(gPerKWh >= 0) || math.IsInf(gPerKWh, 0) {
		return Factors[M]{}, fmt.Errorf("carbon: %s factor of %v gCO2e/kWh", name[M](), gPerKWh)
	}
	if err := about.Validate(); err != nil {
		return Factors[M]{}, fmt.Errorf("carbon: %s factor: %w", name[M](), err)
	}
	return Factors[M]{about: about, constant: gPerKWh}, nil
}

// Series returns factors in time; a slot that is NaN or lies outside is a gap.
func Series[M Method](s timegrid.Series, about About) (Factors[M], error) {
	if err := about.Validate(); err != nil {
		return Factors[M]{}, fmt.Errorf("carbon: %s factors: %w", name[M](), err)
	}
	for i, v := range s.Values {
		if v < 0 || math.IsInf(v, 0) {
			return Factors[M]{}, fmt.Errorf("carbon: %s factor of %v gCO2e/kWh at %s", name[M](), v, s.Start.Add(time.Duration(i)*s.Step).UTC().Format(time.RFC3339))
		}
	}
	return Factors[M]{about: about, series: s, isSeries: true}, nil
}

// About says what the factors mean.
func (f Factors[M]) About() About { return f.about }

// Slot returns the mean factor of a slot, weighted by time; ok is false when a part of it is a gap.
func (f Factors[M]) Slot(sp timegrid.Span) (gPerKWh float64, ok bool) {
	if !f.isSeries {
		return f.constant, f.about != (About{})
	}
	all := f.series.Span()
	if sp.Duration() <= 0 || sp.Start.Before(all.Start) || sp.End.After(all.End) {
		return 0, false
	}
	v := f.series.Integral(sp) / sp.Duration().Hours()
	return v, !math.IsNaN(v)
}

// Frozen returns the energy-weighted mean over the slots of a year or another period as a constant factor, with which years are compared under one grid; energyWh has an
// element for each slot of step that starts in sp. Slots without a factor are left out; without any it is an error.
func (f Factors[M]) Frozen(energyWh []units.WattHours, sp timegrid.Span, step time.Duration, label string) (Factors[M], error) {
	g, kwh, i := 0.0, 0.0, 0
	for s := range sp.Slots(step) {
		if v, ok := f.Slot(s); ok && i < len(energyWh) {
			g += v * energyWh[i].KWh()
			kwh += energyWh[i].KWh()
		}
		i++
	}
	if kwh <= 0 {
		return Factors[M]{}, fmt.Errorf("carbon: no energy with a %s factor in %s to freeze it", name[M](), label)
	}
	about := f.about
	about.Vintage = label
	return Factors[M]{about: about, constant: g / kwh}, nil
}
