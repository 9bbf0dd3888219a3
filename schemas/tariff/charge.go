package tariff

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Charge is a dated row of a public charge that is part of the price of every kWh drawn: the network's, or excise. It is before VAT.
type Charge struct {
	From, Until time.Time          // local midnights, [From, Until); zero Until: until the next row
	EURPerKWh   map[Period]float64 // by period of the tariff; that of [BasePeriod] holds for all that have none
	Source      string             // the decision or law
}

// Rate is a dated row of a rate, such as VAT.
type Rate struct {
	From, Until time.Time
	Share       float64 // of the price before it, in [0, 1]
	Source      string
}

func (c Charge) span() (from, until time.Time) { return c.From, c.Until }
func (r Rate) span() (from, until time.Time)   { return r.From, r.Until }

// dated is a row that holds from a day until another, or until the next.
type dated interface {
	span() (from, until time.Time)
}

// holds returns the row that holds at an instant.
func holds[R dated](rows []R, at time.Time) (r R, ok bool) {
	i := sort.Search(len(rows), func(i int) bool { from, _ := rows[i].span(); return from.After(at) })
	if i == 0 {
		return r, false
	}
	if _, until := rows[i-1].span(); !until.IsZero() && !at.Before(until) {
		return r, false
	}
	return rows[i-1], true
}

// due fills in what of the price is network charge and excise, where the tariff has rows of their own for them.
func (t *Tariff) due(p *Price, at time.Time) error {
	vat := 1.0
	if len(t.VAT) > 0 {
		r, ok := holds(t.VAT, at)
		if !ok {
			return t.missing("VAT row", at)
		}
		p.VAT, p.VATSource = r.Share, r.Source
		if !t.TaxesExcluded {
			vat += r.Share
		}
	}
	for _, c := range []struct {
		what   string
		rows   []Charge
		to     *float64
		source *string
	}{{"network charge", t.Network, &p.NetworkEURPerKWh, &p.NetworkSource}, {"excise", t.Excise, &p.ExciseEURPerKWh, &p.ExciseSource}} {
		if len(c.rows) == 0 {
			continue
		}
		r, ok := holds(c.rows, at)
		if !ok {
			return t.missing(c.what+" row", at)
		}
		v, ok := r.EURPerKWh[p.Period]
		if !ok {
			v, ok = r.EURPerKWh[BasePeriod]
		}
		if !ok {
			return t.missing(string(p.Period)+" "+c.what, at)
		}
		*c.to, *c.source = v*vat, r.Source
	}
	return nil
}

// NewestFee returns what stays due on a kWh drawn, wherever it comes from, by the newest rows: one figure for planning. Of charges that differ by period it is the mean of the periods.
func (t *Tariff) NewestFee(exciseExempt bool) float64 {
	var p Price
	if n := len(t.Rows); n > 0 {
		p.NetworkEURPerKWh, p.ExciseEURPerKWh = t.Rows[n-1].NetworkEURPerKWh, t.Rows[n-1].ExciseEURPerKWh
	}
	vat := 1.0
	if n := len(t.VAT); n > 0 && !t.TaxesExcluded {
		vat += t.VAT[n-1].Share
	}
	newest := func(rows []Charge, to *float64) {
		if len(rows) == 0 {
			return
		}
		r, sum := rows[len(rows)-1].EURPerKWh, 0.0
		periods := Periods(t.Kind)
		if periods == nil {
			periods = []Period{BasePeriod}
		}
		for _, period := range periods {
			v, ok := r[period]
			if !ok {
				v = r[BasePeriod]
			}
			sum += v
		}
		*to = sum / float64(len(periods)) * vat
	}
	newest(t.Network, &p.NetworkEURPerKWh)
	newest(t.Excise, &p.ExciseEURPerKWh)
	return p.WithdrawalFee(exciseExempt)
}

// datesOf passes on the instants at which a row begins or ends.
func datesOf[R dated](rows []R, take func(time.Time)) {
	for _, r := range rows {
		from, until := r.span()
		take(from)
		take(until)
	}
}

// checkDated says what is wrong with the dates of rows.
func checkDated[R dated](t *Tariff, what string, rows []R, bad func(format string, args ...any)) {
	for i := range rows {
		from, until := rows[i].span()
		day := from.In(t.zone()).Format(time.DateOnly)
		if !until.IsZero() && !until.After(from) {
			bad("%s row %d from %s ends before it begins", what, i, day)
		}
		if i == 0 {
			continue
		}
		if before, end := rows[i-1].span(); !from.After(before) {
			bad("%s row %d from %s does not follow the one before", what, i, day)
		} else if end.After(from) {
			bad("%s row %d from %s overlaps the one before", what, i, day)
		}
	}
}

// checkCharges says what is wrong with the rows of charges and of VAT.
func (t *Tariff) checkCharges(bad func(format string, args ...any)) {
	checkDated(t, "network", t.Network, bad)
	checkDated(t, "excise", t.Excise, bad)
	checkDated(t, "VAT", t.VAT, bad)
	for name, rows := range map[string][]Charge{"network": t.Network, "excise": t.Excise} {
		for i, r := range rows {
			periods := Periods(t.Kind)
			if periods == nil {
				periods = []Period{BasePeriod}
			}
			for _, p := range periods {
				v, ok := r.EURPerKWh[p]
				if !ok {
					v, ok = r.EURPerKWh[BasePeriod]
				}
				if !ok || !(v >= 0) || math.IsInf(v, 0) {
					bad("%s row %d has no %s charge of at least 0 EUR/kWh", name, i, p)
				}
			}
		}
	}
	for i, r := range t.VAT {
		if !(r.Share >= 0 && r.Share <= 1) {
			bad("VAT row %d of %g is outside [0, 1]", i, r.Share)
		}
	}
}

// Part is the share of a slot in which one price holds.
type Part struct {
	Price    Price
	Duration time.Duration
}

// PartsOf returns the prices that hold within a slot, one after the other; nearly always one. Off-peak hours may begin at any minute.
func (t *Tariff) PartsOf(start, end time.Time) ([]Part, error) {
	var out []Part
	for at := start; at.Before(end); {
		to := t.boundary(at)
		if to.IsZero() || to.After(end) {
			to = end
		}
		p, err := t.At(at)
		if err != nil {
			return nil, err
		}
		out = append(out, Part{p, to.Sub(at)})
		at = to
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("tariff %s: a slot from %s that ends then", t.ID, start.In(t.zone()).Format(time.RFC3339))
	}
	return out, nil
}
