package tariff

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"time"

	"quartier/schemas/timegrid"
)

// Kind is how a tariff finds its price.
type Kind string

// The kinds of tariffs.
const (
	Base    Kind = "base"    // one price
	HPHC    Kind = "hp_hc"   // peak and off-peak hours, by windows
	Tempo   Kind = "tempo"   // three day colours with peak 6 to 22 h; the Tempo day runs from 6:00 to 6:00
	Series  Kind = "series"  // prices by slot, such as a day-ahead market
	Dynamic Kind = "dynamic" // (price of the series x times + plus) x (1 + VAT), by the row that holds
)

// Period names a price of a row.
type Period string

// The periods of the kinds. Series and dynamic tariffs have the base period alone.
const (
	BasePeriod Period = "base"
	HP         Period = "hp" // heures pleines, peak
	HC         Period = "hc" // heures creuses, off-peak
	BlueHP     Period = "blue_hp"
	BlueHC     Period = "blue_hc"
	WhiteHP    Period = "white_hp"
	WhiteHC    Period = "white_hc"
	RedHP      Period = "red_hp"
	RedHC      Period = "red_hc"
)

// Periods lists the periods that a row of the kind must price.
func Periods(k Kind) []Period {
	switch k {
	case Base:
		return []Period{BasePeriod}
	case HPHC:
		return []Period{HP, HC}
	case Tempo:
		return []Period{BlueHP, BlueHC, WhiteHP, WhiteHC, RedHP, RedHC}
	}
	return nil
}

// Colour is the colour of a Tempo day.
type Colour string

// The colours of Tempo days, and what stands for a day whose colour must be known.
const (
	Blue   Colour = "blue"
	White  Colour = "white"
	Red    Colour = "red"
	Refuse Colour = "refuse"
)

// Row is a dated price list.
type Row struct {
	From                    time.Time          // local midnight from which it holds
	Until                   time.Time          // first instant at which it no longer holds; zero: until the next row
	Import                  map[Period]float64 // EUR/kWh drawn
	Times, Plus, VAT        float64            // of a [Dynamic] tariff: factor, EUR/kWh before VAT, share
	Export                  float64            // EUR/kWh paid for what is fed
	NetworkEURPerKWh        float64            // part of the import price that is network charge, due on shared energy too
	ExciseEURPerKWh         float64            // part of the import price that is excise, due on shared energy unless the sharing is exempt
	SubscriptionEURPerMonth float64            // standing charge
	Source                  string             // the document of the figures
}

// Window is an off-peak window in minutes of the local day; To at or before From runs over midnight.
type Window struct {
	From, To   int // minutes after local midnight, [From, To)
	FirstMonth int // months of the year in which it holds, 1 to 12; both 0: the whole year
	LastMonth  int // inclusive; below FirstMonth it runs over the new year
	ValidFrom  time.Time
	ValidUntil time.Time // zero: without end
}

// Tariff is one dated tariff.
type Tariff struct {
	ID, Name      string
	Kind          Kind
	Zone          *time.Location // of its days and hours; nil: UTC
	TaxesExcluded bool           // prices are before taxes
	Rows          []Row          // by From, rising
	OffPeak       []Window       // of [HPHC]
	// Network, Excise and VAT are the public charges within the price, with dates of their own; where there are rows they stand in for those of [Row]. By From, rising.
	Network, Excise []Charge
	VAT             []Rate
	// Colour returns the colour of the Tempo day that begins at 6:00 on the local day, or "" for one that is not known.
	Colour func(y int, m time.Month, d int) Colour
	// Unknown is the colour with which days without a known one are priced; [Refuse]: they have no price. Empty: blue.
	Unknown Colour
	// Prices are the EUR/kWh of a [Series] or [Dynamic] tariff; NaN where one is missing.
	Prices timegrid.Series
	// Fed says that such a tariff has its prices from a feed, by Market, and not in Prices.
	Fed bool
	// Market returns the price that was published for an instant, EUR/kWh; false where none was. A price holds for a quarter-hour at least. It may be called from several goroutines.
	Market func(at time.Time) (float64, bool)
	// Estimate returns that price where there is one, and otherwise one that may be expected.
	Estimate func(at time.Time) (float64, bool)
}

// Price is everything that holds at an instant.
type Price struct {
	Period                  Period
	ImportEURPerKWh         float64 // drawn; may be negative
	ExportEURPerKWh         float64 // paid for what is fed
	NetworkEURPerKWh        float64 // part of the import price, see [Row]
	ExciseEURPerKWh         float64 // part of the import price, see [Row]
	SubscriptionEURPerMonth float64
	VAT                     float64   // within the price, a share of what is before it; 0 where it is not known
	ValidFrom               time.Time // of the row; zero for a series without rows
	Source                  string

	NetworkSource, ExciseSource, VATSource string // of the rows of charges
}

// AvoidedEURPerKWh returns what a shared kWh takes off the supplier's bill: the import price without what stays due, the network charge, and the excise
// unless shared energy is exempt of it. What the member pays for the shared kWh itself is not in it.
func (p Price) AvoidedEURPerKWh(exciseExempt bool) float64 {
	return p.ImportEURPerKWh - p.WithdrawalFee(exciseExempt)
}

// WithdrawalFee returns what stays due on a kWh drawn, wherever it comes from.
func (p Price) WithdrawalFee(exciseExempt bool) float64 {
	if exciseExempt {
		return p.NetworkEURPerKWh
	}
	return p.NetworkEURPerKWh + p.ExciseEURPerKWh
}

func (t *Tariff) zone() *time.Location {
	if t.Zone == nil {
		return time.UTC
	}
	return t.Zone
}

func (t *Tariff) missing(what string, at time.Time) error {
	return fmt.Errorf("tariff %s: no %s at %s", t.ID, what, at.In(t.zone()).Format(time.RFC3339))
}

// row returns the row that holds at an instant, or nil.
func (t *Tariff) row(at time.Time) *Row {
	i := sort.Search(len(t.Rows), func(i int) bool { return t.Rows[i].From.After(at) })
	if i == 0 {
		return nil
	}
	r := &t.Rows[i-1]
	if !r.Until.IsZero() && !at.Before(r.Until) {
		return nil
	}
	return r
}

// At returns the price that holds at an instant. The error names the instant where there is none.
func (t *Tariff) At(at time.Time) (Price, error) {
	p := Price{Period: t.PeriodAt(at)}
	row := t.row(at)
	if row == nil && (t.Kind != Series || len(t.Rows) > 0) {
		return Price{}, t.missing("price row", at)
	}
	if row != nil {
		p.ExportEURPerKWh, p.NetworkEURPerKWh, p.ExciseEURPerKWh = row.Export, row.NetworkEURPerKWh, row.ExciseEURPerKWh
		p.SubscriptionEURPerMonth, p.ValidFrom, p.Source, p.VAT = row.SubscriptionEURPerMonth, row.From, row.Source, row.VAT
	}
	if p.Period != "" { // without a colour there is no price at all, see below
		if err := t.due(&p, at); err != nil {
			return Price{}, err
		}
	}
	switch t.Kind {
	case Series, Dynamic:
		v, ok := t.market(at)
		if !ok || math.IsNaN(v) {
			return Price{}, t.missing("price in its series", at)
		}
		p.ImportEURPerKWh = v
		if t.Kind == Dynamic {
			p.ImportEURPerKWh = (v*row.Times + row.Plus) * (1 + row.VAT)
		}
		return p, nil
	}
	if p.Period == "" {
		return Price{}, t.missing("known day colour", at)
	}
	v, ok := row.Import[p.Period]
	if !ok {
		return Price{}, t.missing(string(p.Period)+" price", at)
	}
	p.ImportEURPerKWh = v
	return p, nil
}

// Estimated returns the tariff for plans and for balances that can be closed again: the prices of a fed one are estimates where none was published.
func (t *Tariff) Estimated() *Tariff {
	if !t.Fed || t.Estimate == nil {
		return t
	}
	out := *t
	out.Market = t.Estimate
	return &out
}

// market returns the price of the series at an instant.
func (t *Tariff) market(at time.Time) (float64, bool) {
	if !t.Fed {
		return t.Prices.At(at)
	}
	if t.Market == nil {
		return 0, false
	}
	return t.Market(at)
}

// PeriodAt returns the period that holds at an instant; it is empty on a Tempo day whose colour must be known and is not.
func (t *Tariff) PeriodAt(at time.Time) Period {
	l := at.In(t.zone())
	switch t.Kind {
	case HPHC:
		if slices.ContainsFunc(t.OffPeak, func(w Window) bool { return w.holds(at, l) }) {
			return HC
		}
		return HP
	case Tempo:
		c := t.colour(l)
		switch {
		case c == "":
			return ""
		case l.Hour() >= tempoPeakFrom && l.Hour() < tempoPeakTo:
			return Period(string(c) + "_hp")
		}
		return Period(string(c) + "_hc")
	}
	return BasePeriod
}

// The hours of Tempo, local time.
const (
	tempoPeakFrom = 6 // and the beginning of the Tempo day
	tempoPeakTo   = 22
)

// colour returns the colour of the Tempo day that holds at a local time.
func (t *Tariff) colour(l time.Time) Colour {
	day := l
	if l.Hour() < tempoPeakFrom {
		day = time.Date(l.Year(), l.Month(), l.Day()-1, 12, 0, 0, 0, l.Location())
	}
	c := Colour("")
	if t.Colour != nil {
		c = t.Colour(day.Year(), day.Month(), day.Day())
	}
	switch {
	case c != "":
		return c
	case t.Unknown == Refuse:
		return ""
	case t.Unknown != "":
		return t.Unknown
	}
	return Blue
}

func (w Window) holds(at, local time.Time) bool {
	if at.Before(w.ValidFrom) || !w.ValidUntil.IsZero() && !at.Before(w.ValidUntil) {
		return false
	}
	if m := int(local.Month()); w.FirstMonth != 0 {
		in := m >= w.FirstMonth && m <= w.LastMonth
		if w.LastMonth < w.FirstMonth {
			in = m >= w.FirstMonth || m <= w.LastMonth
		}
		if !in {
			return false
		}
	}
	minute := local.Hour()*60 + local.Minute()
	if w.From < w.To {
		return minute >= w.From && minute < w.To
	}
	return minute >= w.From || minute < w.To
}

// ImportAt returns the price of drawn energy at an instant, EUR/kWh.
func (t *Tariff) ImportAt(at time.Time) (float64, error) {
	p, err := t.At(at)
	return p.ImportEURPerKWh, err
}

// ExportAt returns the price of fed energy at an instant, EUR/kWh; it is 0 for a tariff without rows.
func (t *Tariff) ExportAt(at time.Time) (float64, error) {
	if len(t.Rows) == 0 {
		return 0, nil
	}
	r := t.row(at)
	if r == nil {
		return 0, t.missing("price row", at)
	}
	return r.Export, nil
}

// Import returns the price of drawn energy for each slot of step that starts in the span: the mean over the slot where the price changes within it. The error
// names the first instant without a price.
func (t *Tariff) Import(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return t.slots(sp, step, t.ImportAt)
}

// Export returns the price for fed energy of each slot of step that starts in the span, as [Tariff.Import].
func (t *Tariff) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return t.slots(sp, step, t.ExportAt)
}

// Fee returns what stays due on shared energy for each slot of step that starts in the span, see [Price.WithdrawalFee].
func (t *Tariff) Fee(sp timegrid.Span, step time.Duration, exciseExempt bool) ([]float64, error) {
	return t.slots(sp, step, func(at time.Time) (float64, error) {
		p, err := t.At(at)
		return p.WithdrawalFee(exciseExempt), err
	})
}

// Validate returns every reason for which the tariff cannot price, joined; nil for a sound one.
func (t *Tariff) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("tariff %s: "+format, append([]any{t.ID}, args...)...))
	}
	switch t.Kind {
	case Base, HPHC, Tempo, Dynamic:
		if len(t.Rows) == 0 {
			bad("no price rows")
		}
	case Series:
	default:
		bad("unknown kind %q", t.Kind)
	}
	for i, r := range t.Rows {
		from := r.From.In(t.zone()).Format(time.DateOnly)
		if i > 0 && !r.From.After(t.Rows[i-1].From) {
			bad("row %d from %s does not follow the one before", i, from)
		} else if i > 0 && t.Rows[i-1].Until.After(r.From) {
			bad("row %d from %s overlaps the one before", i, from)
		}
		if !r.Until.IsZero() && !r.Until.After(r.From) {
			bad("row %d from %s ends before it begins", i, from)
		}
		for _, p := range Periods(t.Kind) {
			if v, ok := r.Import[p]; !ok || math.IsNaN(v) || math.IsInf(v, 0) {
				bad("row %d from %s has no %s price", i, from, p)
			}
		}
	}
	t.checkCharges(bad)
	for i, w := range t.OffPeak {
		if w.From < 0 || w.From >= 24*60 || w.To < 0 || w.To > 24*60 {
			bad("off-peak window %d [%d, %d) min lies outside the day", i, w.From, w.To)
		}
	}
	return errors.Join(errs...)
}
