package balance

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// habit is a device that moves 100 Wh in each slot of the night and 900 Wh in each of the day, on Sundays always 50 Wh.
func habit(t time.Time) units.WattHours {
	switch l := t.UTC(); {
	case l.Weekday() == time.Sunday:
		return 50
	case l.Hour() >= 8 && l.Hour() < 20:
		return 900
	}
	return 100
}

func weeks(n int) (slots []SlotEnergy, sp timegrid.Span) {
	sp = timegrid.NewSpan(t0.AddDate(0, 0, -7*n), t0)
	for s := range sp.Slots(step) {
		slots = append(slots, SlotEnergy{Wh: habit(s.Start), Covered: true})
	}
	return slots, sp
}

// TestLongGapAsOnSimilarDays: what a counter shows after a long gap is spread as on similar days, exact in sum whatever the gap and however the span is cut; a short gap is spread evenly.
func TestLongGapAsOnSimilarDays(t *testing.T) {
	history, sp := weeks(4)
	usual := NewUsual(history, sp, step, time.UTC)
	rule := CounterRule{MaxGap: step, MaxKW: 100, Usual: func(timegrid.Span) *Usual { return usual }}
	rapid.Check(t, func(t *rapid.T) {
		from := t0.Add(time.Duration(rapid.IntRange(0, 3*24*60).Draw(t, "from")) * time.Minute)
		to := from.Add(time.Duration(rapid.IntRange(121, 4*24*60).Draw(t, "long")) * time.Minute)
		kwh := rapid.Float64Range(1, 50).Draw(t, "kwh")
		whole := timegrid.NewSpan(timegrid.Floor(from, step), timegrid.Ceil(to, step))
		points := []Point{{Time: whole.Start.Add(-time.Minute), Value: 10}, {Time: from, Value: 10}, {Time: to, Value: 10 + kwh}, {Time: whole.End.Add(time.Minute), Value: 10 + kwh}}
		slots := CounterEnergy(points, whole, step, rule)
		var sum, day, night units.WattHours
		days, nights := 0, 0
		for i, e := range slots {
			at := whole.Start.Add(time.Duration(i) * step)
			sum += e.Wh
			if !e.Covered {
				t.Fatalf("slot %d is not covered: %+v", i, e)
			}
			if at.Before(from) || at.Add(step).After(to) {
				continue
			}
			if e.Method != SimilarDays || !e.Substituted {
				t.Fatalf("slot %d inside the gap is %+v", i, e)
			}
			switch habit(at) {
			case 900:
				day, days = day+e.Wh, days+1
			case 100:
				night, nights = night+e.Wh, nights+1
			}
		}
		if want := units.Energy(10+kwh).WattHours() - 10_000; sum != want {
			t.Fatalf("slots sum to %d Wh, want %d Wh", sum, want)
		}
		if days > 0 && nights > 0 {
			if ratio := float64(day) / float64(days) / (float64(night) / float64(nights)); kwh > 20 && (ratio < 8 || ratio > 10) {
				t.Fatalf("a slot of the day has %v times what one of the night has, want about 9", ratio)
			}
		}
		cut := whole.Start.Add(time.Duration(rapid.IntRange(0, len(slots)).Draw(t, "cut")) * step)
		parts := append(CounterEnergy(points, timegrid.NewSpan(whole.Start, cut), step, rule), CounterEnergy(points, timegrid.NewSpan(cut, whole.End), step, rule)...)
		for i := range slots {
			if parts[i] != slots[i] {
				t.Fatalf("slot %d: %+v in parts, %+v whole", i, parts[i], slots[i])
			}
		}
	})
	short := CounterEnergy([]Point{{Time: t0, Value: 10}, {Time: t0.Add(time.Hour), Value: 12}}, timegrid.NewSpan(t0, t0.Add(time.Hour)), step, rule)
	for i, e := range short {
		if e.Wh != 500 || e.Method != Interpolated || !e.Covered {
			t.Errorf("slot %d of a gap of an hour is %+v, want 500 Wh, interpolated", i, e)
		}
	}
}

// TestReplacedMeter: what passed while a meter was changed is not counted; where it is known what is usual, that stands there, marked and not covered.
func TestReplacedMeter(t *testing.T) {
	history, sp := weeks(2)
	usual := NewUsual(history, sp, step, time.UTC)
	begin := t0.Add(9 * time.Hour)
	points := []Point{{Time: begin, Value: 100}, {Time: begin.Add(30 * time.Minute), Value: 9100}, {Time: begin.Add(time.Hour), Value: 9101}}
	rule := CounterRule{MaxKW: 50, Usual: func(timegrid.Span) *Usual { return usual }}
	got := CounterEnergy(points, timegrid.NewSpan(begin, begin.Add(time.Hour)), step, rule)
	for i, want := range []SlotEnergy{{Wh: 900, Substituted: true, Method: SimilarDays}, {Wh: 900, Substituted: true, Method: SimilarDays}, {Wh: 500, Covered: true}, {Wh: 500, Covered: true}} {
		if got[i] != want {
			t.Errorf("slot %d is %+v, want %+v", i, got[i], want)
		}
	}
}

// TestFill: slots of a device that is away hold what is usual, marked and not covered, whole and in sum; what was measured stays, and too few days tell nothing.
func TestFill(t *testing.T) {
	history, sp := weeks(3)
	usual := NewUsual(history, sp, step, time.UTC)
	day := timegrid.NewSpan(t0, t0.Add(24*time.Hour))
	slots := make([]SlotEnergy, 96)
	slots[40] = SlotEnergy{Wh: 7, Covered: true}
	usual.Fill(slots, day, step)
	for i, e := range slots {
		want := SlotEnergy{Wh: habit(t0.Add(time.Duration(i) * step)), Substituted: true, Method: SimilarDays}
		if i == 40 {
			want = SlotEnergy{Wh: 7, Covered: true}
		}
		if e != want {
			t.Fatalf("slot %d is %+v, want %+v", i, e, want)
		}
	}
	few := NewUsual(history[:50], timegrid.NewSpan(sp.Start, sp.Start.Add(50*step)), step, time.UTC)
	again := make([]SlotEnergy, 96)
	few.Fill(again, day, step)
	var none *Usual
	none.Fill(again, day, step)
	for i, e := range again {
		if e != (SlotEnergy{}) {
			t.Fatalf("slot %d is %+v, from one day", i, e)
		}
	}
	if got := (Interpolated | Missing).String(); got != "interpolated+missing" {
		t.Errorf("the methods are %q", got)
	}
}
