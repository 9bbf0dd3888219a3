package report

import (
	"fmt"
	"strings"
)

// periods are the names of the periods of tariffs.
func (c catalogue) periods() map[string]string {
	return map[string]string{"base": c.PeriodBase, "hp": c.PeriodHP, "hc": c.PeriodHC, "blue_hp": c.PeriodBlueHP, "blue_hc": c.PeriodBlueHC, "white_hp": c.PeriodWhiteHP, "white_hc": c.PeriodWhiteHC, "red_hp": c.PeriodRedHP,
		"red_hc": c.PeriodRedHC, "market": c.PeriodMarket}
}

// billNames returns the name of each line of the bill; a period whose prices or terms changed in the month has a line for each, with its first day.
func (v *view) billNames() []string {
	lines, names := v.data.Bill.Lines, v.text.periods()
	count := map[string]int{}
	for _, l := range lines {
		count[l.Period]++
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = names[l.Period]
		if count[l.Period] > 1 {
			out[i] = fmt.Sprintf(v.text.BillSince, out[i], v.w.dayOf(l.From))
		}
	}
	return out
}

// BillHeads are the heads of the columns of the bill.
func (v *view) BillHeads() []string {
	c := &v.text
	return []string{c.BillPeriod, c.BillEnergy, c.BillPrice, c.BillNetwork, c.BillExcise, c.BillAvoided, c.BillPaid, c.BillEffect}
}

// BillRows are the lines of the bill with their sum, if there are several; none without a bill by period.
func (v *view) BillRows() [][]string {
	b := v.data.Bill
	if b == nil || len(b.Lines) == 0 {
		return nil
	}
	var rows [][]string
	var sum BillLine
	eur := func(l BillLine) []string {
		return []string{v.w.number(l.NetworkEUR, 2), v.w.number(l.ExciseEUR, 2), v.w.number(-l.AvoidedEUR, 2), v.w.number(l.PaidEUR, 2), v.w.number(-l.EffectEUR(), 2)}
	}
	for i, name := range v.billNames() {
		l := b.Lines[i]
		rows = append(rows, append([]string{name, v.w.number(l.SharedWh.KWh(), 1), v.w.number(l.PriceEUR, 4)}, eur(l)...))
		sum.SharedWh += l.SharedWh
		sum.NetworkEUR, sum.ExciseEUR, sum.AvoidedEUR, sum.PaidEUR = sum.NetworkEUR+l.NetworkEUR, sum.ExciseEUR+l.ExciseEUR, sum.AvoidedEUR+l.AvoidedEUR, sum.PaidEUR+l.PaidEUR
	}
	if len(rows) > 1 {
		rows = append(rows, append([]string{v.text.BillTotal, v.w.number(sum.SharedWh.KWh(), 1), ""}, eur(sum)...))
	}
	return rows
}

// billLines are the lines of the bill under its sum, for a sheet without room for the table.
func (v *view) billLines() (out []line) {
	b := v.data.Bill
	if b == nil || len(b.Lines) < 2 {
		return nil
	}
	for i, name := range v.billNames() {
		out = append(out, line{Label: fmt.Sprintf(v.text.BillLine, name, v.w.kwh(b.Lines[i].SharedWh)), Value: v.w.eur(-b.Lines[i].AvoidedEUR), Indent: true, Small: true})
	}
	return out
}

// BillSources says where prices and charges are from; empty where nothing says so.
func (v *view) BillSources() string {
	b, c := v.data.Bill, &v.text
	if b == nil {
		return ""
	}
	var parts []string
	for _, s := range b.Sources {
		text := strings.TrimRight(s.Text, ". ")
		if s.What == "vat" {
			parts = append(parts, fmt.Sprintf(c.BillVAT, v.w.percent(s.Rate), text))
			continue
		}
		if format, ok := map[string]string{"price": c.SourcePrice, "network": c.SourceNetwork, "excise": c.SourceExcise, "sharing": c.SourceSharing}[s.What]; ok {
			parts = append(parts, fmt.Sprintf(format, text))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf(c.BillSources, strings.Join(parts, ". "))
}
