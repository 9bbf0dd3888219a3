package ped

import (
	"cmp"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Verdict is what may be said of a balance.
type Verdict string

// The verdicts. Only twelve full months with coverage are positive or not; everything else is a balance of its period.
const (
	Positive    Verdict = "positive"
	NotPositive Verdict = "not_positive"
	Open        Verdict = "open" // see Reason
)

// CarrierResult is one carrier's part of a balance.
type CarrierResult struct {
	Carrier     balance.Carrier
	DeliveredWh units.WattHours // through the boundary, netted
	ExportedWh  units.WattHours
	GeneratedWh units.WattHours
	ConsumedWh  units.WattHours
	PEIKWh      float64 // primary energy of what was delivered
	PEEKWh      float64 // primary energy of what was exported, weighted by k_exp
	Coverage    float64 // share in [0, 1] of the period's slots that were measured
	Substituted int     // slots that hold an estimate
	Slots       int     // slots that are there
}

// Result is a balance of one period by one profile.
type Result struct {
	Profile *Profile
	Period  timegrid.Span
	Step    time.Duration // of the energies

	Carriers  []CarrierResult   // those counted, in the order of [balance.Carriers]
	NotIn     []balance.Carrier // with rows in the period, left out by the profile
	Unmetered []balance.Carrier // that the profile counts and of which nothing was metered: the district has none, or no meter

	PEIKWh     float64
	PEEKWh     float64
	BalanceKWh float64  // PEE − PEI
	Ratio      *float64 // PEE / PEI; nil where nothing was delivered

	FinalKWh    float64  // exported − delivered, unweighted, over the same carriers
	OnSiteRatio *float64 // generated / consumed, unweighted, over the same carriers; nil without consumption

	Coverage float64 // the least of the carriers'
	Verdict  Verdict
	Reason   why.Reason // why the verdict is open
}

// Frame is how a district's time is divided.
type Frame struct {
	Zone *time.Location
	Step time.Duration
}

// Compute returns the balance of a period by a profile, from the rows of the boundary: those of the district where every site lies inside, in any order. Rows outside the
// period are not counted. An error names a carrier and a day for which the profile has no factor.
func (p *Profile) Compute(rows []balance.CarrierRow, period timegrid.Span, frame Frame) (*Result, error) {
	return p.Of(Gather(rows, p.Netting, frame, period.Start, period.End), period, frame)
}

// Of is [Profile.Compute] from pieces that were gathered with the profile's netting and cut at the ends of the period.
func (p *Profile) Of(pieces []Piece, period timegrid.Span, frame Frame) (*Result, error) {
	res := &Result{Profile: p, Period: period, Step: frame.Step}
	parts := map[balance.Carrier]*CarrierResult{}
	groups := map[balance.Carrier]*netted{} // of netting coarser than a day
	for i := range pieces {
		x := &pieces[i]
		if !period.Contains(x.Start) {
			continue
		}
		if !p.Counts(x.Carrier) {
			if !slices.Contains(res.NotIn, x.Carrier) {
				res.NotIn = append(res.NotIn, x.Carrier)
			}
			continue
		}
		c := parts[x.Carrier]
		if c == nil {
			c = &CarrierResult{Carrier: x.Carrier}
			parts[x.Carrier] = c
		}
		c.GeneratedWh += x.GeneratedWh
		c.ConsumedWh += x.ConsumedWh
		c.Coverage += x.Covered
		c.Slots += x.Slots
		c.Substituted += x.Substituted
		f, err := p.factor(x.Carrier, x.Start, frame.Zone)
		if err != nil {
			return nil, err
		}
		if p.Netting.fine() == p.Netting {
			p.weigh(c, x.DeliveredWh, x.ExportedWh, f)
			continue
		}
		g := groups[x.Carrier]
		if g == nil {
			g = &netted{}
			groups[x.Carrier] = g
		}
		if at := p.Netting.group(x.Start, period, frame.Zone); !at.Equal(g.at) {
			g.close(p, c)
			g.at = at
			if g.factor, err = p.factor(x.Carrier, at, frame.Zone); err == nil {
				err = p.constant(x.Carrier, at, period, frame, g.factor)
			}
			if err != nil {
				return nil, err
			}
		}
		g.net += x.DeliveredWh - x.ExportedWh
	}
	for _, c := range res.NotIn {
		if !slices.Contains(p.LeftOut, c) {
			return nil, &why.Error{Reason: why.Reason{Code: why.NoCarrierFactor, Values: map[string]any{"profile": p.String(), "carrier": why.Carrier(c)}}}
		}
	}
	for c, g := range groups {
		g.close(p, parts[c])
	}
	res.sum(parts, period)
	res.judge(frame)
	return res, nil
}

// weigh adds energies to a carrier with their primary energy.
func (p *Profile) weigh(c *CarrierResult, delivered, exported units.WattHours, f *Factor) {
	c.DeliveredWh += delivered
	c.ExportedWh += exported
	c.PEIKWh += delivered.KWh() * f.Delivered
	c.PEEKWh += exported.KWh() * f.Exported * p.KExp
}

// netted is an open netting group of a carrier that is longer than a day.
type netted struct {
	at     time.Time
	factor *Factor
	net    units.WattHours
}

func (g *netted) close(p *Profile, c *CarrierResult) {
	if g.factor != nil {
		p.weigh(c, max(0, g.net), max(0, -g.net), g.factor)
	}
	g.net = 0
}

// constant refuses factors that change inside a netting period: what is netted across the change has no factor.
func (p *Profile) constant(c balance.Carrier, group time.Time, period timegrid.Span, frame Frame, f *Factor) error {
	var end time.Time
	code := why.ChangesInYear
	switch p.Netting {
	case NetMonth:
		end, code = timegrid.Month(group, frame.Zone).End, why.ChangesInMonth
	case NetYear:
		end = period.End
	default:
		return nil // factors change at midnights
	}
	if !f.Until.IsZero() && f.Until.Before(end) {
		return &why.Error{Reason: why.Reason{Code: code, Values: map[string]any{"profile": p.String(), "carrier": why.Carrier(c), "day": why.Day(f.Until.In(frame.Zone))}}}
	}
	return nil
}

func (res *Result) sum(parts map[balance.Carrier]*CarrierResult, period timegrid.Span) {
	p := res.Profile
	generated, consumed := 0.0, 0.0
	res.Coverage = 1
	for _, want := range p.Carriers {
		c := parts[want.Carrier]
		if c == nil {
			res.Unmetered = append(res.Unmetered, want.Carrier)
			continue
		}
		c.Coverage /= period.Duration().Hours()
		res.Coverage = min(res.Coverage, c.Coverage)
		res.Carriers = append(res.Carriers, *c)
		res.PEIKWh += c.PEIKWh
		res.PEEKWh += c.PEEKWh
		res.FinalKWh += (c.ExportedWh - c.DeliveredWh).KWh()
		generated += c.GeneratedWh.KWh()
		consumed += c.ConsumedWh.KWh()
	}
	slices.SortFunc(res.Carriers, func(a, b CarrierResult) int { return compare(a.Carrier, b.Carrier) })
	if len(res.Carriers) == 0 {
		res.Coverage = 0
	}
	res.BalanceKWh = res.PEEKWh - res.PEIKWh
	if res.PEIKWh > 0 {
		r := res.PEEKWh / res.PEIKWh
		res.Ratio = &r
	}
	if consumed > 0 {
		r := generated / consumed
		res.OnSiteRatio = &r
	}
}

// judge says positive or not of twelve full months that were measured, and of nothing else.
func (res *Result) judge(frame Frame) {
	switch months := Months(res.Period, frame.Zone); {
	case len(res.Carriers) == 0:
		res.Verdict, res.Reason = Open, why.Of(why.NoRows)
	case months != 12:
		res.Verdict, res.Reason = Open, why.Of(why.NotTwelveMonths)
	case res.Coverage < res.Profile.MinCoverage:
		res.Verdict, res.Reason = Open, why.Reason{Code: why.LowCoverage, Values: map[string]any{"coverage": why.Share(res.Coverage), "least": why.Share(res.Profile.MinCoverage)}}
	case res.BalanceKWh > 0:
		res.Verdict = Positive
	default:
		res.Verdict = NotPositive
	}
}

// Months returns how many full civil months a period is; 0 when it is not made of full months.
func Months(sp timegrid.Span, zone *time.Location) int {
	n := 0
	for m := timegrid.Month(sp.Start, zone); ; m = timegrid.Month(m.End, zone) {
		if n == 0 && !m.Start.Equal(sp.Start) || m.End.After(sp.End) {
			return 0
		}
		if n++; m.End.Equal(sp.End) {
			return n
		}
	}
}

// Rolling returns the twelve full civil months that ended last at an instant.
func Rolling(at time.Time, zone *time.Location) timegrid.Span {
	end := timegrid.Month(at, zone).Start
	y, m, _ := end.In(zone).Date()
	return timegrid.NewSpan(time.Date(y-1, m, 1, 0, 0, 0, 0, zone), end)
}

// compare orders carriers as tables show them; others come after the named ones, by name.
func compare(a, b balance.Carrier) int {
	named := balance.Carriers()
	i, j := slices.Index(named, a), slices.Index(named, b)
	if i >= 0 && j >= 0 {
		return i - j
	}
	if i < 0 && j < 0 {
		return cmp.Compare(a, b)
	}
	return j - i
}
