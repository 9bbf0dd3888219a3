package report

import (
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Data is everything that one report says. It is made from the record by others; nothing in it is formatted.
type Data struct {
	Language string        // "fr" or "en"
	Month    timegrid.Span // the civil month of Zone
	Zone     *time.Location
	Step     time.Duration // metering step
	MadeAt   time.Time     // when the report was made; its date is printed and is the PDF's date

	Member   Member
	District District
	Issuer   Issuer

	// Exact, in whole watt-hours: what the member used, and where it came from. ConsumptionWh is OwnWh + SharedWh + GridWh.
	ConsumptionWh units.WattHours
	OwnWh         units.WattHours // from the member's own roof, behind the meter
	SharedWh      units.WattHours // from the district, allocated by the sharing key
	GridWh        units.WattHours
	Coverage      float64 // share of the month that was measured, in [0, 1]
	Substituted   bool    // at least one value of the month is an estimate in place of a missing measurement
	Days          []Day   // one per civil day of the month; empty without consent to the load curve

	Bill       *Bill       // nil where no energy is shared on bills
	Carbon     *Carbon     // nil without a carbon signal
	Comparison *Comparison // nil without a baseline of the member's own
	Habits     *Habits     // nil without consent to the load curve
}

// Member is whom the report is for.
type Member struct {
	ID, Name, Site string
	DeliveryPoint  string    // may be empty
	Share          float64   // the member's share of the site's meter in (0, 1]; below 1 the figures are this share of it
	ConsentSince   time.Time // zero where it is not known
}

// District is the month of the district, as metered.
type District struct {
	Name          string
	ProductionWh  units.WattHours
	ConsumptionWh units.WattHours
	ImportWh      units.WattHours
	ExportWh      units.WattHours
	Coverage      float64 // in [0, 1]
	// SavedEUR and SavedCarbonKg are the district's saving against its stated baseline; NaN when there is none.
	SavedEUR, SavedCarbonKg float64
	Baseline                string // the stated baseline in the report's language; empty: Quartier's own words
}

// Issuer is who writes, and whom to ask.
type Issuer struct{ Name, Address, Contact string }

// Day is one civil day of the member.
type Day struct {
	Start                   time.Time // local midnight
	OwnWh, SharedWh, GridWh units.WattHours
	Coverage                float64 // in [0, 1]; a day of 0 has no figures and is shown as a gap
}

// Bill is what shared energy changed on the bill, by contract.
type Bill struct {
	Tariff       string  // name of the member's supply tariff
	AvoidedEUR   float64 // what the supplier no longer bills for the shared energy, by period of the tariff
	PaidEUR      float64 // what the member pays for it
	PriceEUR     float64 // EUR/kWh paid for shared energy
	ExciseExempt bool
	Key          string // "dynamic" or "static"

	Lines   []BillLine   // the sums above by period of the tariff, in its order
	Sources []BillSource // of the prices and charges behind the lines
}

// BillLine is the part of a [Bill] in one period of the tariff while its prices held.
type BillLine struct {
	Period     string    // base, hp, hc, blue_hp to red_hc; market: a price for each slot
	From       time.Time // first slot
	SharedWh   units.WattHours
	PriceEUR   float64 // EUR/kWh of the contract; of market prices the mean by energy
	AvoidedEUR float64 // what the supplier no longer bills
	NetworkEUR float64 // network charge that it bills all the same
	ExciseEUR  float64 // excise that it bills all the same
	PaidEUR    float64 // for the shared energy
}

// EffectEUR is how much lower the bill is; below zero it is higher.
func (l BillLine) EffectEUR() float64 { return l.AvoidedEUR - l.PaidEUR }

// BillSource is the publication, law or contract of a dated row behind a bill.
type BillSource struct {
	What string  // price, network, excise, vat or sharing
	Rate float64 // of vat, a share in [0, 1]
	Text string
}

// EffectEUR is how much lower the bill is; below zero it is higher.
func (b Bill) EffectEUR() float64 { return b.AvoidedEUR - b.PaidEUR }

// Carbon is what the member's consumption emitted.
type Carbon struct {
	ConsumptionKg float64 // of what came from the grid, at the intensity of each slot
	AvoidedKg     float64 // what the own and shared solar energy would have emitted if it had come from the grid
	Scope         string  // direct or lifecycle
	Source        string
}

// Habits are the sums by hour of the local day from which the hint is drawn.
type Habits struct {
	ConsumptionWh [24]units.WattHours // of the member
	SurplusWh     [24]units.WattHours // what the district fed into the grid
}

// Add counts one slot: what the member consumed in it and what the district fed into the grid, in the hour of zone's day in which it starts.
func (h *Habits) Add(start time.Time, zone *time.Location, consumption, surplus units.WattHours) {
	hour := start.In(zone).Hour()
	h.ConsumptionWh[hour] += consumption
	h.SurplusWh[hour] += surplus
}

// Validate returns every fault of the data, joined.
func (d *Data) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if _, ok := catalogues[d.Language]; !ok {
		bad("language %q is neither fr nor en", d.Language)
	}
	if d.Zone == nil || d.Month.Duration() <= 0 || timegrid.Month(d.Month.Start, d.Zone) != d.Month {
		bad("month from %v to %v is no civil month", d.Month.Start, d.Month.End)
	}
	if sum := d.OwnWh + d.SharedWh + d.GridWh; sum != d.ConsumptionWh {
		bad("consumption %d Wh is not the sum %d Wh of its origins", d.ConsumptionWh, sum)
	}
	for name, v := range map[string]units.WattHours{"own": d.OwnWh, "shared": d.SharedWh, "grid": d.GridWh} {
		if v < 0 {
			bad("%s energy %d Wh is below zero", name, v)
		}
	}
	if d.Coverage < 0 || d.Coverage > 1 || math.IsNaN(d.Coverage) {
		bad("coverage %v lies outside [0, 1]", d.Coverage)
	}
	if d.Coverage == 0 && d.ConsumptionWh > 0 {
		bad("consumption %d Wh without a measurement", d.ConsumptionWh)
	}
	if len(d.Days) > 0 {
		var sum units.WattHours
		for _, x := range d.Days {
			sum += x.OwnWh + x.SharedWh + x.GridWh
			if x.OwnWh < 0 || x.SharedWh < 0 || x.GridWh < 0 || !d.Month.Contains(x.Start) {
				bad("day %v lies outside the month or has energy below zero", x.Start)
			}
		}
		if sum != d.ConsumptionWh {
			bad("the days have %d Wh together, the month %d Wh", sum, d.ConsumptionWh)
		}
	}
	if err := d.Comparison.check(); err != nil {
		errs = append(errs, err)
	}
	if b := d.Bill; b != nil && (math.IsNaN(b.EffectEUR()) || math.IsInf(b.EffectEUR(), 0)) {
		bad("the bill's effect is no number")
	} else if b != nil {
		b.check(d.Language, bad)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("report of %s: %w", d.Member.ID, err)
	}
	return nil
}

// check says what is wrong with the lines of a bill.
func (b *Bill) check(language string, bad func(format string, args ...any)) {
	var avoided, paid float64
	for i, l := range b.Lines {
		if _, ok := catalogues[language].periods()[l.Period]; !ok && catalogues[language].Lang != "" {
			bad("line %d of the bill is of period %q, which no tariff has", i, l.Period)
		}
		if l.SharedWh <= 0 {
			bad("line %d of the bill has %d Wh", i, l.SharedWh)
		}
		avoided, paid = avoided+l.AvoidedEUR, paid+l.PaidEUR
	}
	if off := max(math.Abs(avoided-b.AvoidedEUR), math.Abs(paid-b.PaidEUR)); len(b.Lines) > 0 && !(off < 1e-6) {
		bad("the bill's lines are %.6f EUR off its sums", off)
	}
}
