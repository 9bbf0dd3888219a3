package baseline

import (
	"encoding/json"
	"fmt"
	"math"
)

// Verdict is what a comparison allows to say.
type Verdict string

// The verdicts.
const (
	Refused        Verdict = "refused"         // no figure: the model or the data does not carry one
	NotSignificant Verdict = "not_significant" // an estimate whose interval contains zero: neither saved nor used more
	UsedLess       Verdict = "less"            // less was used than the baseline: this may be called saved
	UsedMore       Verdict = "more"            // more was used
)

// Interval is an estimate with its bounds, kWh.
type Interval struct {
	KWh, LowKWh, HighKWh float64
	Confidence           float64 // of the interval, such as 0.8
}

// ContainsZero reports whether zero lies in the interval, bounds included.
func (i Interval) ContainsZero() bool { return i.LowKWh <= 0 && i.HighKWh >= 0 }

// Adjustment is a non-routine change that the model cannot know, such as a new lift or a closed floor; positive: the baseline would have used more.
type Adjustment struct {
	KWh    float64
	Reason string
}

// Outcome is the energy avoided against a baseline, with the right to speak of it. Its figures are reached only through the methods, which give what may be said; the zero
// value is refused.
type Outcome struct {
	verdict     Verdict
	interval    Interval
	reasons     []string
	notes       []string
	measuredKWh float64
	adjustedKWh float64
	model       *Model
	periods     int
}

// Avoided compares reporting periods with the baseline: adjusted baseline less measured, with the interval at a confidence such as 0.8.
//
// The interval holds the noise of each reporting period and the uncertainty of every fitted parameter, base temperatures included, both widened for autocorrelation.
// Weather beyond what the baseline has seen is noted, since the model is extrapolated there.
func (m *Model) Avoided(reporting []Observation, confidence float64, adjustments ...Adjustment) Outcome {
	o := Outcome{verdict: Refused, model: m, periods: len(reporting)}
	refuse := func(format string, args ...any) { o.reasons = append(o.reasons, fmt.Sprintf(format, args...)) }
	if m == nil {
		refuse("there is no baseline")
		return o
	}
	o.reasons = append(o.reasons, m.Refusals...)
	if !(confidence > 0 && confidence < 1) {
		refuse("confidence %v lies outside ]0, 1[", confidence)
	}
	if len(reporting) == 0 {
		refuse("there is no reporting period")
	}
	for i := range reporting {
		r := &reporting[i]
		if err := r.check(m.opt.Occupancy); err != nil {
			refuse("%v", err)
			continue
		}
		if r.Span.Overlap(m.Span).Duration() > 0 {
			refuse("the reporting period of %s lies in the baseline", r.Span.Start.Format("2006-01-02"))
		}
		o.measuredKWh += r.EnergyKWh
		o.adjustedKWh += m.PredictKWh(r)
	}
	for _, a := range adjustments {
		if !finite(a.KWh) || a.Reason == "" {
			refuse("an adjustment of %v kWh has no number or no reason", a.KWh)
			continue
		}
		o.adjustedKWh += a.KWh
		o.notes = append(o.notes, fmt.Sprintf("adjusted by %+.0f kWh: %s", a.KWh, a.Reason))
	}
	if len(o.reasons) > 0 {
		return o
	}
	if low, high := means(reporting); m.Kind != Mean && (low < m.lowC-1 || high > m.highC+1) {
		o.notes = append(o.notes, fmt.Sprintf("temperatures from %.1f to %.1f °C go beyond those of the baseline, from %.1f to %.1f °C", low, high, m.lowC, m.highC))
	}
	v, ok := m.variance(reporting)
	if !ok {
		refuse("the parameters are not determined by the observations")
		return o
	}
	avoided := o.adjustedKWh - o.measuredKWh
	half := StudentT(confidence, m.EffectiveN-float64(m.Parameters)) * math.Sqrt(v)
	o.interval = Interval{KWh: avoided, LowKWh: avoided - half, HighKWh: avoided + half, Confidence: confidence}
	switch {
	case !finite(half):
		refuse("the interval is not finite")
		return o
	case o.interval.ContainsZero():
		o.verdict = NotSignificant
	case avoided > 0:
		o.verdict = UsedLess
	default:
		o.verdict = UsedMore
	}
	return o
}

// Verdict returns what may be said.
func (o Outcome) Verdict() Verdict {
	if o.verdict == "" {
		return Refused
	}
	return o.verdict
}

// Less returns the energy that may be called saved; ok is false in every other case.
func (o Outcome) Less() (saved Interval, ok bool) {
	if o.Verdict() != UsedLess {
		return Interval{}, false
	}
	return o.interval, true
}

// Estimate returns the estimate of avoided energy with its interval, to be shown with the interval and the verdict; ok is false when refused.
func (o Outcome) Estimate() (avoided Interval, ok bool) {
	if o.Verdict() == Refused {
		return Interval{}, false
	}
	return o.interval, true
}

// AdjustedKWh returns what the baseline would have used in the reporting conditions; ok is false when refused.
func (o Outcome) AdjustedKWh() (kwh float64, ok bool) { return o.adjustedKWh, o.Verdict() != Refused }

// MeasuredKWh returns what was measured.
func (o Outcome) MeasuredKWh() float64 { return o.measuredKWh }

// Reasons returns why the outcome is refused.
func (o Outcome) Reasons() []string {
	if o.verdict == "" {
		return []string{"there is no baseline"}
	}
	return o.reasons
}

// Notes returns what a reader of the figure should know: adjustments, extrapolation.
func (o Outcome) Notes() []string { return o.notes }

// Model returns the baseline; nil without one.
func (o Outcome) Model() *Model { return o.model }

// MarshalJSON writes the verdict, and of the figures those that the verdict allows.
func (o Outcome) MarshalJSON() ([]byte, error) {
	type figures struct {
		Verdict     Verdict  `json:"verdict"`
		Reasons     []string `json:"reasons,omitempty"`
		Notes       []string `json:"notes,omitempty"`
		AvoidedKWh  *float64 `json:"avoided_kwh,omitempty"`
		LowKWh      *float64 `json:"low_kwh,omitempty"`
		HighKWh     *float64 `json:"high_kwh,omitempty"`
		Confidence  *float64 `json:"confidence,omitempty"`
		AdjustedKWh *float64 `json:"adjusted_baseline_kwh,omitempty"`
		MeasuredKWh float64  `json:"measured_kwh"`
		Model       *Model   `json:"model,omitempty"`
	}
	f := figures{Verdict: o.Verdict(), Notes: o.notes, MeasuredKWh: o.measuredKWh, Model: o.model}
	if i, ok := o.Estimate(); ok {
		f.AvoidedKWh, f.LowKWh, f.HighKWh, f.Confidence, f.AdjustedKWh = &i.KWh, &i.LowKWh, &i.HighKWh, &i.Confidence, &o.adjustedKWh
	} else {
		f.Reasons = o.Reasons()
	}
	return json.Marshal(f)
}
