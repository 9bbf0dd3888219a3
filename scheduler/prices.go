package scheduler

import (
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/scheduler/observe"
	"quartier/schemas/timegrid"
)

// absurdEURPerKWh is beyond any price of a harmonised market, which are limited to 4 EUR/kWh day-ahead and 10 EUR/kWh within the day, with taxes on top.
const absurdEURPerKWh = 20

// known are the last prices that could be believed.
type known struct {
	start       time.Time
	step        time.Duration
	imp, export []float64
}

// pricesOf fills in the prices of a horizon. Slots whose price cannot be have the middle one of the others in its place, and a source that says nothing the prices of the same time of
// an earlier day, as far as they are known: a plan on yesterday's prices is worth more than none.
func (s *Scheduler) pricesOf(in *inputs, horizon timegrid.Span) error {
	d := s.cfg.District
	imp, err := s.cfg.Prices.Import(horizon, d.Step)
	if err != nil {
		err = fmt.Errorf("scheduler: import price of %s: %w", d.ID, err)
	}
	exp, expErr := s.cfg.Prices.Export(horizon, d.Step)
	if err == nil && expErr != nil {
		err = fmt.Errorf("scheduler: export price of %s: %w", d.ID, expErr)
	}
	if n := in.steps; err == nil && (len(imp) != n || len(exp) != n) {
		err = fmt.Errorf("scheduler: prices of %s: %d and %d values for %d slots", d.ID, len(imp), len(exp), n)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tell := func(key, detail string) {
		if s.price.Key != key {
			s.price.Since = s.cfg.Now()
		}
		s.price.Key, s.price.Severity, s.price.Detail = key, "warning", detail
	}
	if err != nil {
		var ok bool
		if imp, exp, ok = s.prices.shifted(horizon, d.Step); !ok {
			tell(PriceMissing, err.Error())
			return err
		}
		in.importPrice, in.exportPrice = imp, exp
		tell(PriceMissing, err.Error()+"; planned on earlier prices")
		return nil
	}
	imp, exp = slices.Clone(imp), slices.Clone(exp)
	bad := mended(imp)
	if other := mended(exp); bad == "" {
		bad = other
	}
	if bad != "" {
		tell(PriceAbsurd, bad)
	} else {
		s.price = observe.Finding{}
		s.prices = known{horizon.Start, d.Step, imp, exp}
	}
	in.importPrice, in.exportPrice = imp, exp
	return nil
}

// mended replaces prices that cannot be and says what they were; empty when there were none.
func mended(price []float64) string {
	fit := make([]float64, 0, len(price))
	first, n := math.NaN(), 0
	for _, v := range price {
		if math.Abs(v) <= absurdEURPerKWh {
			fit = append(fit, v)
		} else if n++; n == 1 {
			first = v
		}
	}
	if n == 0 {
		return ""
	}
	middle := 0.0
	if len(fit) > 0 {
		slices.Sort(fit)
		middle = fit[len(fit)/2]
	}
	for i, v := range price {
		if !(math.Abs(v) <= absurdEURPerKWh) {
			price[i] = middle
		}
	}
	return fmt.Sprintf("%d prices such as %g EUR/kWh; %.4f EUR/kWh in their place", n, first, middle)
}

// shifted returns the known prices for a horizon: of the slot itself, else of the same time of an earlier day.
func (k known) shifted(horizon timegrid.Span, step time.Duration) (imp, exp []float64, ok bool) {
	day := int(24 * time.Hour / max(step, time.Minute))
	if len(k.imp) == 0 || k.step != step || len(k.imp) < day {
		return nil, nil, false
	}
	from := int(horizon.Start.Sub(k.start) / step)
	for t := range horizon.Count(step) {
		i := from + t
		for i >= len(k.imp) {
			i -= day
		}
		if i < 0 {
			return nil, nil, false
		}
		imp, exp = append(imp, k.imp[i]), append(exp, k.export[i])
	}
	return imp, exp, true
}
