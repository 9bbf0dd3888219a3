package ped

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
)

// What a projection needs and how it is made.
const (
	// ProjectionMethod names the method wherever its figures are shown.
	ProjectionMethod = "same days of last year, scaled; block bootstrap"
	// ProjectionVersion grows with every change of the method that changes figures.
	ProjectionVersion = 1

	weekShift  = 364 // days back to the same weekday of last year
	minPairs   = 56  // days measured in both years, below which nothing is projected
	mostPairs  = 182 // the newest that count: what the district is now, and not what it was
	blockDays  = 7   // drawn together, since weather lasts
	draws      = 2000
	dayMeasure = 0.9 // share of a day that must have been measured for it to count
)

// Projection is a balance to the end of a year: what was measured, and what the rest of the year is expected to add.
type Projection struct {
	Period      timegrid.Span // the whole year
	MeasuredTo  time.Time     // full days before it were measured
	BalanceKWh  float64
	LowKWh      float64 // nine projections in ten lie between Low and High
	HighKWh     float64
	PEIKWh      float64
	PEEKWh      float64
	ImportScale float64 // by which last year's delivery is scaled
	ExportScale float64
	Pairs       int // days measured in both years that the scales and the interval rest on
}

// day is the primary energy of a civil day.
type day struct {
	pei, pee float64
	coverage float64
}

// Project returns the balance of the year that holds now, from the rows of this year and the last; reason says why there is none.
//
// Each remaining day is taken to be the day 364 days before, the same weekday, with its delivery and its export scaled by what this year was to the last over the days that
// both have, of which the newest 182 count. The interval is that of 2000 years drawn from those days in blocks of seven, each with scales and deviations of its own. It holds the weather and the habits
// of those days; a new building or a new roof it does not know.
func (p *Profile) Project(rows []balance.CarrierRow, now time.Time, frame Frame) (out *Projection, reason why.Reason, err error) {
	return p.ProjectOf(Gather(rows, p.Netting, frame), now, frame)
}

// ProjectOf is [Profile.Project] from pieces that were gathered with the profile's netting.
func (p *Profile) ProjectOf(pieces []Piece, now time.Time, frame Frame) (out *Projection, reason why.Reason, err error) {
	switch p.Netting {
	case NetMonth:
		return nil, why.Of(why.NetsByMonth), nil
	case NetYear:
		return nil, why.Of(why.NetsByYear), nil
	}
	year := timegrid.Year(now, frame.Zone)
	today := timegrid.Day(now, frame.Zone)
	last := timegrid.NewSpan(year.Start.In(frame.Zone).AddDate(0, 0, -weekShift-7), today.Start)
	days, err := p.days(pieces, last, year, frame)
	if err != nil {
		return nil, why.Reason{}, err
	}
	back := func(d timegrid.Span) (day, bool) {
		for _, shift := range []int{weekShift, weekShift + 7, weekShift - 7} {
			x, ok := days[timegrid.Day(d.Start.Add(12*time.Hour).In(frame.Zone).AddDate(0, 0, -shift), frame.Zone).Start]
			if ok && x.coverage >= dayMeasure {
				return x, true
			}
		}
		return day{}, false
	}
	out = &Projection{Period: year, MeasuredTo: today.Start}
	var pairs [][2]day
	for d := range timegrid.NewSpan(year.Start, today.Start).Days(frame.Zone) {
		x, ok := days[d.Start]
		if !ok || x.coverage < dayMeasure {
			return nil, why.Reason{Code: why.DayMissing, Values: map[string]any{"day": why.Day(d.Start.In(frame.Zone))}}, nil
		}
		out.PEIKWh += x.pei
		out.PEEKWh += x.pee
		if y, ok := back(d); ok {
			pairs = append(pairs, [2]day{x, y})
		}
	}
	pairs = pairs[max(0, len(pairs)-mostPairs):]
	if out.Pairs = len(pairs); out.Pairs < minPairs {
		return nil, why.Reason{Code: why.FewDays, Values: map[string]any{"days": out.Pairs, "needed": minPairs}}, nil
	}
	var rest []day
	for d := range timegrid.NewSpan(today.Start, year.End).Days(frame.Zone) {
		y, ok := back(d)
		if !ok {
			return nil, why.Reason{Code: why.LastYearMissing, Values: map[string]any{"day": why.Day(d.Start.In(frame.Zone))}}, nil
		}
		rest = append(rest, y)
	}
	measured := out.PEEKWh - out.PEIKWh
	out.ImportScale, out.ExportScale = scales(pairs)
	for _, y := range rest {
		out.PEIKWh += out.ImportScale * y.pei
		out.PEEKWh += out.ExportScale * y.pee
	}
	out.BalanceKWh = out.PEEKWh - out.PEIKWh
	out.LowKWh, out.HighKWh = interval(pairs, rest, measured)
	return out, why.Reason{}, nil
}

// days returns the primary energy of each civil day in span; last year's days count with the factors of this year.
func (p *Profile) days(pieces []Piece, span, year timegrid.Span, frame Frame) (map[time.Time]day, error) {
	out := map[time.Time]day{}
	for i := 0; i < len(pieces); {
		d := timegrid.Day(pieces[i].Start, frame.Zone)
		n := i
		for n < len(pieces) && pieces[n].Start.Before(d.End) {
			n++
		}
		if span.Contains(d.Start) {
			prof := p
			if d.Start.Before(year.Start) {
				prof = p.asOf(d.Start.In(frame.Zone).AddDate(0, 0, weekShift))
			}
			r, err := prof.Of(pieces[i:n], d, frame)
			if err != nil {
				return nil, err
			}
			out[d.Start] = day{pei: r.PEIKWh, pee: r.PEEKWh, coverage: r.Coverage}
		}
		i = n
	}
	return out, nil
}

// asOf returns the profile with the factors that hold on a day for every day.
func (p *Profile) asOf(at time.Time) *Profile {
	out := *p
	out.Carriers = nil
	for _, c := range p.Carriers {
		x := Carrier{Carrier: c.Carrier}
		for _, f := range c.Factors {
			if f.holds(at) {
				f.From, f.Until = time.Time{}, time.Time{}
				x.Factors = append(x.Factors, f)
			}
		}
		out.Carriers = append(out.Carriers, x)
	}
	return &out
}

// scales returns what this year's delivery and export are to the last's; 1 where the last had none.
func scales(pairs [][2]day) (imp, exp float64) {
	var a, b, c, d float64
	for _, x := range pairs {
		a, b, c, d = a+x[0].pei, b+x[1].pei, c+x[0].pee, d+x[1].pee
	}
	return ratio(a, b), ratio(c, d)
}

func ratio(a, b float64) float64 {
	if b <= 0 {
		return 1
	}
	return a / b
}

// block is the sums of pairs of days that follow one another.
type block struct {
	pei, lastPEI, pee, lastPEE float64
	deviation                  float64 // of their balances from their projection
}

// blocks returns the sums of n pairs from each pair on, those at the end followed by those at the begin.
func blocks(pairs [][2]day, n int, imp, exp float64) []block {
	out := make([]block, len(pairs))
	for at := range out {
		b := &out[at]
		for j := range n {
			x := &pairs[(at+j)%len(pairs)]
			b.pei, b.lastPEI, b.pee, b.lastPEE = b.pei+x[0].pei, b.lastPEI+x[1].pei, b.pee+x[0].pee, b.lastPEE+x[1].pee
			b.deviation += x[0].pee - x[0].pei - (exp*x[1].pee - imp*x[1].pei)
		}
	}
	return out
}

// pick draws the block of the next n days: a whole one, or one of what is left.
func pick(rng *rand.Rand, n int, whole, left []block) *block {
	if n < blockDays {
		whole = left
	}
	return &whole[rng.IntN(len(whole))]
}

// interval draws years from blocks of the pairs and returns the fifth and the ninety-fifth percentile of their balances.
func interval(pairs [][2]day, rest []day, measured float64) (low, high float64) {
	rng := rand.New(rand.NewPCG(52000, 1)) // the same days give the same interval
	imp, exp := scales(pairs)
	var pei, pee float64
	for _, y := range rest {
		pei, pee = pei+y.pei, pee+y.pee
	}
	whole, last, lastRest := blocks(pairs, blockDays, imp, exp), blocks(pairs, len(pairs)%blockDays, imp, exp), blocks(pairs, len(rest)%blockDays, imp, exp)
	sums := make([]float64, draws)
	for k := range sums {
		var drawn block // as many days as the pairs are
		for n := len(pairs); n > 0; n -= blockDays {
			b := pick(rng, n, whole, last)
			drawn.pei, drawn.lastPEI, drawn.pee, drawn.lastPEE = drawn.pei+b.pei, drawn.lastPEI+b.lastPEI, drawn.pee+b.pee, drawn.lastPEE+b.lastPEE
		}
		sum := measured + ratio(drawn.pee, drawn.lastPEE)*pee - ratio(drawn.pei, drawn.lastPEI)*pei
		for n := len(rest); n > 0; n -= blockDays {
			sum += pick(rng, n, whole, lastRest).deviation
		}
		sums[k] = sum
	}
	slices.Sort(sums)
	return sums[int(math.Round(0.05*draws))], sums[int(math.Round(0.95*draws))-1]
}
