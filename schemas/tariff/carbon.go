package tariff

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quartier/schemas/timegrid"
)

// CarbonKind is where a carbon intensity comes from.
type CarbonKind string

// The kinds of carbon sources.
const (
	CarbonConstant CarbonKind = "constant" // one number
	CarbonDated    CarbonKind = "dated"    // rows with dates, such as a yearly factor
	CarbonSeries   CarbonKind = "series"   // values of a file
	CarbonSignal   CarbonKind = "signal"   // the recorded series of the district, which an import or a feed fills
)

// Carbon is a source of the grid's carbon intensity in gCO2e/kWh. Scope, basis and method say what its figures mean; figures that differ in one of them are
// never compared or added.
type Carbon struct {
	ID, Name  string
	Kind      CarbonKind
	GPerKWh   float64         // of a constant
	Rows      []CarbonRow     // of a dated source, by From, rising
	Intensity timegrid.Series // of a series, gCO2e/kWh; NaN where a value is missing
	Scope     string          // direct or lifecycle
	Basis     string          // production or consumption
	Method    string          // average or marginal
	Source    string
}

// CarbonRow is a dated factor.
type CarbonRow struct {
	From, Until time.Time // local midnights, [From, Until); zero Until: until the next row
	GPerKWh     float64
	Vintage     string // year or edition of the publication
	Source      string
}

func (r CarbonRow) span() (from, until time.Time) { return r.From, r.Until }

// Publications returns what a source's values in a span are taken from, with the vintage of each row; without rows it is that of the source itself.
func (c *Carbon) Publications(sp timegrid.Span) string {
	if c.Kind != CarbonDated {
		return c.Source
	}
	var out []string
	for i, r := range c.Rows {
		end := r.Until
		if end.IsZero() && i+1 < len(c.Rows) {
			end = c.Rows[i+1].From
		}
		if !r.From.Before(sp.End) || !end.IsZero() && !end.After(sp.Start) {
			continue
		}
		text := r.Source
		if r.Vintage != "" {
			text += ", " + r.Vintage
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return c.Source
	}
	return strings.Join(slices.Compact(out), "; ")
}

// At returns the intensity at an instant, gCO2e/kWh. A signal has its values in the record, not here: it is an error, as is an instant without a value.
func (c *Carbon) At(at time.Time) (float64, error) {
	switch c.Kind {
	case CarbonConstant:
		return c.GPerKWh, nil
	case CarbonDated:
		if r, ok := holds(c.Rows, at); ok {
			return r.GPerKWh, nil
		}
		return 0, fmt.Errorf("carbon source %s: no row at %s", c.ID, at.UTC().Format(time.RFC3339))
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
	if c.Kind == CarbonConstant || c.Kind == CarbonDated {
		series.Prices = timegrid.Series{}
	}
	return series.slots(sp, step, c.At)
}
