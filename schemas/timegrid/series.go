package timegrid

import (
	"fmt"
	"time"
)

// Series is a step-wise constant quantity: Values[i] holds in [Start + i*Step, Start + (i+1)*Step). For a power series in kW the
// integral is the energy in kWh.
type Series struct {
	Start  time.Time
	Step   time.Duration
	Values []float64
}

// Span returns the time that the series covers.
func (s Series) Span() Span {
	return Span{s.Start.UTC(), s.Start.UTC().Add(time.Duration(len(s.Values)) * s.Step)}
}

// At returns the value that holds at t, and whether the series covers t.
func (s Series) At(t time.Time) (float64, bool) {
	if len(s.Values) == 0 || t.Before(s.Start) {
		return 0, false
	}
	i := int(t.Sub(s.Start) / s.Step)
	if i >= len(s.Values) {
		return 0, false
	}
	return s.Values[i], true
}

// Integral returns the integral of the series over sp in value-hours: kWh for a series in kW. Parts of sp outside the series count as zero.
func (s Series) Integral(sp Span) float64 {
	total := 0.0
	if len(s.Values) == 0 {
		return 0
	}
	in := sp.Overlap(s.Span())
	if in.Duration() <= 0 {
		return 0
	}
	i := int(in.Start.Sub(s.Start) / s.Step)
	for t := in.Start; t.Before(in.End); i++ {
		end := s.Start.Add(time.Duration(i+1) * s.Step)
		if end.After(in.End) {
			end = in.End
		}
		total += s.Values[i] * end.Sub(t).Hours()
		t = end
	}
	return total
}

// Resample returns the series on slots of step that cover sp, each value the time-weighted mean of the original over the slot, so that the integral over
// any span of whole slots inside the original is kept. Where the original does not cover a slot, its value counts as zero.
func (s Series) Resample(sp Span, step time.Duration) (Series, error) {
	if step <= 0 {
		return Series{}, fmt.Errorf("timegrid: resample to a step of %v", step)
	}
	start := Floor(sp.Start, step)
	out := Series{Start: start, Step: step}
	for t := start; t.Before(sp.End); t = t.Add(step) {
		out.Values = append(out.Values, s.Integral(Span{t, t.Add(step)})/step.Hours())
	}
	return out, nil
}
