package report

import (
	"fmt"
	"strings"
	"time"

	"quartier/schemas/savings/baseline"
)

// Comparison is the estimate of what the member would have used, with what may be said of it; see [Compare].
type Comparison struct {
	verdict  baseline.Verdict
	interval baseline.Interval
	method   string
}

// Compare takes over an outcome: what it does not give cannot be printed. method says in the report's language what the model is and which period it was fitted on.
func Compare(o baseline.Outcome, method string) *Comparison {
	i, _ := o.Estimate()
	return &Comparison{verdict: o.Verdict(), interval: i, method: method}
}

func (c *Comparison) check() error {
	if c == nil || c.verdict == baseline.Refused {
		return nil
	}
	if i := c.interval; !(i.LowKWh <= i.KWh && i.KWh <= i.HighKWh && i.Confidence > 0 && i.Confidence < 1) {
		return fmt.Errorf("estimate %v kWh lies outside its interval [%v, %v] kWh at %v", i.KWh, i.LowKWh, i.HighKWh, i.Confidence)
	}
	return nil
}

// estimate says what the comparison allows to say, and no more.
func (v *view) estimate() []string { return v.data.Comparison.words(&v.text, v.w) }

// Sentences says in a language what the comparison allows to say, and no more.
func (x *Comparison) Sentences(language string, zone *time.Location) []string {
	c, ok := catalogues[language]
	if !ok {
		return nil
	}
	return x.words(&c, writer{french: language == "fr", zone: zone})
}

func (x *Comparison) words(c *catalogue, w writer) []string {
	if x == nil {
		return []string{c.NoComparison}
	}
	i := x.interval
	var format string
	switch {
	case x.verdict == baseline.UsedLess:
		format = c.LessSure
	case x.verdict == baseline.UsedMore:
		format = c.MoreSure
	case x.verdict == baseline.NotSignificant && i.KWh < 0:
		format = c.MoreUnsure
	case x.verdict == baseline.NotSignificant:
		format = c.LessUnsure
	default:
		return []string{c.ModelFailed, x.method}
	}
	amount, low, high := i.KWh, i.LowKWh, i.HighKWh
	if amount < 0 { // the text speaks of more: turn the interval with it
		amount, low, high = -amount, -high, -low
	}
	return []string{fmt.Sprintf(format, w.number(amount, 0)+nbsp+"kWh", w.signed(low), w.signed(high), w.percent(i.Confidence)), c.NotAdded, x.method}
}

// Method says in a language which model is behind an outcome, on which months it was fitted, how well it fits and what a reader should know.
func Method(o baseline.Outcome, language string, zone *time.Location) string {
	m := o.Model()
	c, ok := catalogues[language]
	if m == nil || !ok {
		return ""
	}
	w := writer{french: language == "fr", zone: zone}
	formula := []string{c.MethodDays}
	degrees := func(base float64) string { return w.number(base, 1) + nbsp + "°C" }
	if m.SlopeKWhPerKd != 0 {
		formula = append(formula, c.MethodTemperature)
	}
	if m.HeatingKWhPerKd != 0 {
		formula = append(formula, fmt.Sprintf(c.MethodHeating, degrees(m.HeatingBaseC)))
	}
	if m.CoolingKWhPerKd != 0 {
		formula = append(formula, fmt.Sprintf(c.MethodCooling, degrees(m.CoolingBaseC)))
	}
	cv := w.number(100*m.CVRMSE, 0) + thin + "%"
	if !w.french {
		cv = w.number(100*m.CVRMSE, 0) + "%"
	}
	return fmt.Sprintf(c.Method, strings.Join(formula, " + "), w.month(m.Span.Start), w.month(m.Span.End.Add(-time.Hour)), cv, m.Version)
}
