package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"quartier/schemas/units"
)

// view is the report in words: everything that both renderings show, written in one language.
type view struct {
	text  catalogue
	w     writer
	data  *Data
	chart chart

	Title, For, Made string
	Who              string // For with the delivery point, which stays out of the title
	Sentence         string
	Exact            []line
	ExactFoot        string
	Estimate         []string
	Carbon, District []string
	CarbonFoot       string
	Hint             string
	How              []string
	Foot             []string
}

// line is a labelled figure; a strong one is a sum or result.
type line struct {
	Label, Value string
	Strong       bool
	Indent       bool
	Small        bool
}

// newView writes the report's words.
func newView(d *Data) (*view, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	v := &view{text: catalogues[d.Language], w: writer{french: d.Language == "fr", zone: d.Zone}, data: d}
	c, w := &v.text, v.w
	month := w.month(d.Month.Start)
	v.Title = fmt.Sprintf(c.Title, month)
	v.For = strings.TrimSuffix(fmt.Sprintf(c.For, d.Member.Name, d.Member.Site), ", ")
	v.Who = v.For
	if d.Member.DeliveryPoint != "" {
		v.Who += ". " + fmt.Sprintf(c.DeliveryPoint, d.Member.DeliveryPoint)
	}
	v.Made = fmt.Sprintf(c.MadeOn, w.date(d.MadeAt))
	v.Sentence = v.sentence(month)
	v.exact()
	v.Estimate = v.estimate()
	v.carbon()
	v.District = v.district()
	v.Hint = v.hint()
	v.How = v.how()
	contact := d.Issuer.Contact
	if contact == "" {
		contact = d.Issuer.Name
	}
	withdraw := c.WithdrawUndated
	if !d.Member.ConsentSince.IsZero() {
		withdraw = fmt.Sprintf(c.Withdraw, w.date(d.Member.ConsentSince))
	}
	v.Foot = []string{fmt.Sprintf(c.Ask, contact), withdraw, c.NoNeighbours}
	v.chart = newChart(d)
	return v, nil
}

// sentence is the month in one sentence.
func (v *view) sentence(month string) string {
	c, w, d := &v.text, v.w, v.data
	used := w.kwh(d.ConsumptionWh)
	switch {
	case d.Coverage == 0:
		return fmt.Sprintf(c.NotMeasured, month)
	case d.ConsumptionWh == 0:
		return fmt.Sprintf(c.UsedNone, month)
	}
	lower, higher, end := c.Lower, c.Higher, c.Same
	if d.OwnWh > 0 { // the effect is that of the shared energy alone
		lower, higher = c.SharedLower, c.SharedHigher
	}
	if d.Bill != nil && d.SharedWh > 0 {
		switch e := math.Round(100*d.Bill.EffectEUR()) / 100; {
		case e > 0:
			end = fmt.Sprintf(lower, w.eur(e))
		case e < 0:
			end = fmt.Sprintf(higher, w.eur(-e))
		}
	}
	switch {
	case d.OwnWh > 0 && d.SharedWh > 0:
		return fmt.Sprintf(c.UsedBoth, month, used, w.kwh(d.OwnWh), w.kwh(d.SharedWh)) + end
	case d.OwnWh > 0:
		return fmt.Sprintf(c.UsedOwn, month, used, w.kwh(d.OwnWh))
	case d.SharedWh > 0:
		return fmt.Sprintf(c.UsedShared, month, used, w.kwh(d.SharedWh)) + end
	}
	return fmt.Sprintf(c.UsedAll, month, used)
}

// exact lists what follows from meters and contracts.
func (v *view) exact() {
	c, w, d := &v.text, v.w, v.data
	part := func(label string, e units.WattHours) line {
		value := w.kwh(e)
		if d.ConsumptionWh > 0 {
			value += " (" + w.percent(float64(e)/float64(d.ConsumptionWh)) + ")"
		}
		return line{Label: label, Value: value, Indent: true}
	}
	if d.Coverage == 0 {
		v.Exact = []line{{Label: c.Consumption, Value: c.NoData, Strong: true}}
		return
	}
	v.Exact = append(v.Exact, line{Label: c.Consumption, Value: w.kwh(d.ConsumptionWh), Strong: true})
	if d.OwnWh > 0 {
		v.Exact = append(v.Exact, part(c.FromOwn, d.OwnWh))
	}
	v.Exact = append(v.Exact, part(c.FromShared, d.SharedWh), part(c.FromGrid, d.GridWh))
	if d.Bill == nil {
		v.ExactFoot = c.NoSharing
		return
	}
	v.Exact = append(v.Exact, line{Label: c.Avoided, Value: w.eur(-d.Bill.AvoidedEUR)}, line{Label: c.Paid, Value: w.eur(d.Bill.PaidEUR)},
		line{Label: c.Effect, Value: w.signedEUR(-d.Bill.EffectEUR()), Strong: true})
}

func (v *view) carbon() {
	c, w, x := &v.text, v.w, v.data.Carbon
	if x == nil {
		v.Carbon = []string{c.NoCarbon}
		return
	}
	if v.data.Coverage == 0 {
		v.Carbon = []string{c.NoData}
		return
	}
	v.Carbon = []string{fmt.Sprintf(c.CarbonUsed, w.kg(x.ConsumptionKg))}
	if v.data.OwnWh+v.data.SharedWh > 0 {
		v.Carbon = append(v.Carbon, fmt.Sprintf(c.CarbonAvoided, w.kg(x.AvoidedKg)))
	}
	v.CarbonFoot = fmt.Sprintf(c.CarbonDirect, x.Source)
	if x.Scope == "lifecycle" {
		v.CarbonFoot = fmt.Sprintf(c.CarbonLife, x.Source)
	}
}

// district lists the month of the district.
func (v *view) district() []string {
	c, w, d := &v.text, v.w, &v.data.District
	out := []string{fmt.Sprintf(c.DistrictMade, w.kwh(d.ProductionWh)) + " " + fmt.Sprintf(c.DistrictUsed, w.kwh(d.ConsumptionWh))}
	if d.ProductionWh > 0 && d.ConsumptionWh > 0 {
		kept := 1 - float64(d.ExportWh)/float64(d.ProductionWh)
		covered := 1 - float64(d.ImportWh)/float64(d.ConsumptionWh)
		out = append(out, fmt.Sprintf(c.DistrictKept, w.percent(max(0, kept)), w.percent(max(0, covered))))
	}
	switch {
	case math.IsNaN(d.SavedEUR) || math.IsNaN(d.SavedCarbonKg):
	case d.SavedEUR >= 0 && d.SavedCarbonKg >= 0:
		out = append(out, fmt.Sprintf(c.DistrictSaved, w.eur(d.SavedEUR), w.kg(d.SavedCarbonKg)))
	default:
		out = append(out, fmt.Sprintf(c.DistrictCostMore, w.eur(d.SavedEUR), w.kg(d.SavedCarbonKg)))
	}
	return out
}

// how says how everything was computed.
func (v *view) how() []string {
	c, w, d := &v.text, v.w, v.data
	out := []string{fmt.Sprintf(c.HowMeter, strconv.Itoa(int(d.Step.Minutes())))}
	if d.Member.Share < 1 {
		out = append(out, fmt.Sprintf(c.HowShare, shareText(w, d.Member.Share)))
	}
	if b := d.Bill; b != nil {
		key, excise := c.HowDynamic, c.HowDue
		if b.Key == "static" {
			key = c.HowStatic
		}
		if b.ExciseExempt {
			excise = c.HowExempt
		}
		out = append(out, key, fmt.Sprintf(c.HowBill, b.Tariff, w.price(b.PriceEUR)), excise)
	}
	if d.Carbon != nil {
		out = append(out, c.HowCarbon)
	}
	if !math.IsNaN(d.District.SavedEUR) {
		baseline := d.District.Baseline
		if baseline == "" {
			baseline = c.BaselineOwn
		}
		out = append(out, fmt.Sprintf(c.HowBaseline, baseline))
	}
	out = append(out, fmt.Sprintf(c.HowCoverage, floorPercent(w, d.Coverage), floorPercent(w, d.District.Coverage)))
	if d.Substituted {
		return append(out, c.HowSubstituted)
	}
	return append(out, c.HowGaps)
}

// shareText writes a small share with a decimal.
func shareText(w writer, share float64) string {
	if share >= 0.1 {
		return w.percent(share)
	}
	text := w.number(100*share, 1)
	if w.french {
		return text + thin + "%"
	}
	return text + "%"
}

// floorPercent never rounds an incomplete coverage up to the whole.
func floorPercent(w writer, share float64) string {
	if share < 1 && share > 0.99 {
		share = 0.99
	}
	return w.percent(share)
}
