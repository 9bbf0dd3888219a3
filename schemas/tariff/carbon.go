package tariff

import (
	"fmt"
	"time"

	"quartier/schemas/timegrid"
)

// CarbonKind is where a carbon intensity comes from.
type CarbonKind string

// The kinds of carbon sources.
const (
	CarbonConstant CarbonKind = "constant" // one number
	CarbonSeries   CarbonKind = "series"   // values of a file
	CarbonSignal   CarbonKind = "signal"   // the recorded series of the district, which an import or a feed fills
)

// Carbon is a source of the grid's carbon intensity in gCO2e/kWh. Scope, basis and method say what its figures mean; figures that differ in one of them are
// never compared or added.
type Carbon struct {
	ID, Name  string
	Kind      CarbonKind
	GPerKWh   float64         // of a constant
	Intensity timegrid.Series // of a series, gCO2e/kWh; NaN where a value is missing
	Scope     string          // direct or lifecycle
	Basis     string          // production or consumption
	Method    string          // average or marginal
	Source    string
}

// At returns the intensity at an instant, gCO2e/kWh. A signal has its values in the record, not here: it is an error, as is an instant without a value.
func (c *Carbon) At(at time.Time) (float64, error) {
	switch c.Kind {
	case CarbonConstant:
		return c.GPerKWh, nil
	case CarbonSeries:
		if v, ok := valueAt(c.Intensity, at); ok {
			return v, nil
		}
		return 0, fmt.Errorf("carbon source %s: no value at %s", c.ID, at.UTC().Format(time.RFC3339))
	}
	return 0, fmt.Errorf("carbon source %s: a %s has its values in the record", c.ID, c.Kind)
}

// Values returns the mean intensity of each slot of step that starts in the span. The error names the first instant without a value.
func (c *Carbon) Values(sp timegrid.Span, step time.Duration) ([]float64, error) {
	series := &Tariff{Kind: Series, Prices: c.Intensity}
	if c.Kind == CarbonConstant {
		series.Prices = timegrid.Series{}
	}
	return series.slots(sp, step, c.At)
}
