package kpi

import (
	"math"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
)

// TestPeaksOfClosedMonths: January and February are closed, March is not. The largest peaks of the two are compared, 80 kW with 100 and with 64 kW, although they lie in different months; half of the period was measured in
// them but for six hours.
func TestPeaksOfClosedMonths(t *testing.T) {
	start := func(m time.Month) time.Time { return time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC) }
	months := []timegrid.Span{timegrid.NewSpan(start(1), start(2)), timegrid.NewSpan(start(2), start(3))}
	published := []Published{{PeakImport, months[0], 70}, {PeakUncontrolled, months[0], 100}, {PeakByRules, months[0], 64}, {PeakImport, months[1], 80}, {PeakUncontrolled, months[1], 90}, {PeakByRules, months[1], 60},
		{PeakImport, timegrid.NewSpan(start(4), start(5)), 500}} // of another time
	var days []balance.Day
	period := timegrid.NewSpan(start(1), start(1).Add(2*59*24*time.Hour))
	for d := range period.Days(time.UTC) {
		covered := 24.0
		if d.Start.Equal(start(2)) {
			covered = 18
		}
		days = append(days, balance.Day{CarrierRow: balance.CarrierRow{Start: d.Start, Step: d.Duration()}, Electric: &balance.Electric{Total: balance.Total{CoveredHours: covered, Slots: 24}}})
	}
	values := Compute(Input{Boundary: "district", Period: period, Step: time.Hour, Days: days, Published: published})
	coverage := (59*24 - 6.0) / (2 * 59 * 24)
	wantValue(t, values, "peak_reduction_uncontrolled", 0.2, coverage)
	wantValue(t, values, "peak_reduction_by_rules", -0.25, coverage)

	for reason, in := range map[why.Code]Input{why.NotPublished: {}, why.NotClosed: {Published: []Published{}}} {
		in.Period, in.Step, in.Days = period, time.Hour, days
		if v := Find(Compute(in), "peak_reduction_by_rules"); v.Value != nil || v.Reason != reason || v.Coverage != 0 {
			t.Errorf("peak reduction is %+v, want none: %s", v, reason)
		}
	}
	// a month that the period cuts counts no more than one that is not closed
	cut := Compute(Input{Period: timegrid.NewSpan(start(1).Add(24*time.Hour), start(3)), Step: time.Hour, Days: days, Published: published})
	if v := Find(cut, "peak_reduction_uncontrolled"); v.Value == nil || math.Abs(*v.Value-(1-80.0/90)) > 1e-12 {
		t.Errorf("of February alone: %+v", v)
	}
	if v := Find(Compute(Input{Period: period, Step: time.Hour, Days: days, Published: []Published{{PeakImport, months[0], 0}, {PeakByRules, months[0], 0}}}), "peak_reduction_by_rules"); v.Value != nil || v.Reason != why.NothingDrawn {
		t.Errorf("where nothing would have been drawn: %+v", v)
	}
}
