package report

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestBillByPeriod: every period has its line and name in both languages, lines of one period say from when, the sum is that of the bill, and a spot price is a mean.
func TestBillByPeriod(t *testing.T) {
	d := cases(t)["tempo-fr"]
	for language, want := range map[string][]string{
		"fr": {"jours bleus, heures pleines, dès le 1er janvier|20,0|0,1494|1,16|0,00|−1,83|2,00|0,17", "jours bleus, heures pleines, dès le 15 janvier|10,0|0,1612|0,58|0,00|−1,03|1,00|−0,03",
			"jours bleus, heures creuses|12,0|0,1232|0,70|0,00|−0,78|1,20|0,42", "jours blancs, heures pleines|8,0|0,1730|0,46|0,00|−0,92|0,80|−0,12", "jours rouges, heures pleines|7,0|0,6468|0,41|0,00|−4,12|0,70|−3,42",
			"jours rouges, heures creuses|5,0|0,1460|0,29|0,00|−0,44|0,50|0,06", "Total|62,0||3,60|0,00|−9,12|6,20|−2,92"},
		"en": {"blue days, peak hours, from 1 January|20.0", "blue days, peak hours, from 15 January|10.0", "blue days, off-peak hours|12.0", "white days, peak hours|8.0", "red days, peak hours|7.0", "red days, off-peak hours|5.0", "Total|62.0"},
	} {
		d.Language = language
		v, err := newView(d)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range v.BillRows() {
			got = append(got, strings.ReplaceAll(strings.Join(row, "|"), nbsp, " "))
		}
		if len(got) != len(want) {
			t.Fatalf("%s: %q", language, got)
		}
		for i := range want {
			if !strings.HasPrefix(got[i], want[i]) {
				t.Errorf("%s: %q, want %q", language, got[i], want[i])
			}
		}
		if s := v.BillSources(); !strings.Contains(s, "TURPE 7") || !strings.Contains(s, "CGI art. 278") || !strings.Contains(s, v.w.percent(0.2)) {
			t.Errorf("%s: sources %q", language, s)
		}
	}
	d = sample(t)
	d.Bill.Lines[0].Period = "market"
	v, err := newView(d)
	if err != nil || v.BillRows()[0][0] != "prix du marché (moyenne)" || len(v.BillRows()) != 1 {
		t.Errorf("spot prices: %v, %v", v, err)
	}
}

// TestBillFaults: one fault for each line that cannot be, and one for a sum that is not theirs.
func TestBillFaults(t *testing.T) {
	d := sample(t)
	d.Bill.Lines = append(d.Bill.Lines, BillLine{Period: "dawn", SharedWh: 5, AvoidedEUR: 1}, BillLine{Period: "hc"})
	err := d.Validate()
	for _, want := range []string{`line 1 of the bill is of period "dawn"`, "line 2 of the bill has 0 Wh", "1.000000 EUR off its sums"} {
		if err == nil || strings.Count(err.Error(), want) != 1 {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// TestSheetHoldsTheBill: a sheet that has no room for every period leaves them to the page and still is one sheet.
func TestSheetHoldsTheBill(t *testing.T) {
	d := cases(t)["tempo-fr"]
	if _, pdf := render(t, d); bytes.Count(pdf, []byte("/Type /Page\n")) != 1 {
		t.Error("not one sheet")
	}
	last := d.Bill.Lines[5]
	for i := range 40 {
		more := last
		more.From = last.From.AddDate(0, 0, i%9)
		d.Bill.Lines = append(d.Bill.Lines, more)
		d.Bill.AvoidedEUR, d.Bill.PaidEUR = d.Bill.AvoidedEUR+more.AvoidedEUR, d.Bill.PaidEUR+more.PaidEUR
		d.Bill.Sources = append(d.Bill.Sources, BillSource{What: "price", Text: fmt.Sprint("arrêté ", i)})
	}
	page, pdf := render(t, d)
	if bytes.Count(pdf, []byte("/Type /Page\n")) != 1 || bytes.Count(page, []byte("jours rouges, heures creuses")) != 41 {
		t.Error("a bill of 46 lines is not one sheet, or the page has not all of it")
	}
	v, err := newView(d)
	if err != nil || !slices.ContainsFunc(v.Exact, func(l line) bool { return l.Label == v.text.Avoided }) {
		t.Errorf("the sum is not on the sheet: %v", err)
	}
}
