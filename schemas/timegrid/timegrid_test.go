package timegrid

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func paris(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatalf("load zone: %v", err)
	}
	return loc
}

// TestDaysOfClockChanges: the days on which the clocks change have 23 and 25 hours, all others 24.
func TestDaysOfClockChanges(t *testing.T) {
	loc := paris(t)
	for _, tt := range []struct {
		name, day string
		quarters  int
	}{
		{"spring forward", "2026-03-29", 92},
		{"autumn back", "2026-10-25", 100},
		{"ordinary winter day", "2026-01-15", 96},
		{"ordinary summer day", "2026-07-15", 96},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := ParseDay(tt.day, loc)
			if err != nil {
				t.Fatal(err)
			}
			if got := d.Count(15 * time.Minute); got != tt.quarters {
				t.Errorf("%s has %d quarter-hours, want %d", tt.day, got, tt.quarters)
			}
			n, last := 0, d.Start
			for s := range d.Slots(15 * time.Minute) {
				if !s.Start.Equal(last) {
					t.Fatalf("slot %d starts at %v, want %v: slots must join", n, s.Start, last)
				}
				last, n = s.End, n+1
			}
			if n != tt.quarters || !last.Equal(d.End) {
				t.Errorf("slots: %d ending %v, want %d ending %v", n, last, tt.quarters, d.End)
			}
		})
	}
}

// TestDaysTileTheYear: civil days join without gap or overlap, and a year has as many hours as it should.
func TestDaysTileTheYear(t *testing.T) {
	loc := paris(t)
	y := Year(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC), loc)
	at, n := y.Start, 0
	for d := range y.Days(loc) {
		if !d.Start.Equal(at) {
			t.Fatalf("day %d starts %v, want %v", n, d.Start, at)
		}
		at, n = d.End, n+1
	}
	if n != 365 || !at.Equal(y.End) {
		t.Errorf("%d days to %v, want 365 to %v", n, at, y.End)
	}
}

// TestResampleKeepsEnergy: moving a power series to any other step keeps its integral over any span of whole slots.
func TestResampleKeepsEnergy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}
		from := rapid.SampledFrom(steps).Draw(t, "from")
		to := rapid.SampledFrom(steps).Draw(t, "to")
		n := rapid.IntRange(1, 400).Draw(t, "n")
		s := Series{Start: time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC), Step: from, Values: make([]float64, n)}
		for i := range s.Values {
			s.Values[i] = rapid.Float64Range(-50, 50).Draw(t, "kw")
		}
		r, err := s.Resample(s.Span(), to)
		if err != nil {
			t.Fatal(err)
		}
		got, want := r.Integral(r.Span()), s.Integral(s.Span())
		// the resampled slots cover the original: nothing may be lost; 1e-9 kWh is far above rounding at 50 kW for 400 h
		if math.Abs(got-want) > 1e-9*(1+math.Abs(want))*float64(n) {
			t.Fatalf("energy after resampling %v -> %v: %v kWh, want %v kWh", from, to, got, want)
		}
	})
}

// TestIntegralIsAdditive: the energy of two adjoining spans is the energy of their union.
func TestIntegralIsAdditive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Series{Start: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Step: 15 * time.Minute, Values: make([]float64, 96)}
		for i := range s.Values {
			s.Values[i] = rapid.Float64Range(-10, 10).Draw(t, "kw")
		}
		cut := func(name string) time.Time {
			return s.Start.Add(time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, name)))
		}
		a, b, c := cut("a"), cut("b"), cut("c")
		if b.Before(a) {
			a, b = b, a
		}
		if c.Before(b) {
			b, c = c, b
		}
		if b.Before(a) {
			a, b = b, a
		}
		got := s.Integral(Span{a, b}) + s.Integral(Span{b, c})
		want := s.Integral(Span{a, c})
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("[%v,%v)+[%v,%v): %v kWh, want %v kWh", a, b, b, c, got, want)
		}
	})
}

// TestFloorAndCeil hold for instants before the epoch too.
func TestFloorAndCeil(t *testing.T) {
	q := 15 * time.Minute
	for _, tt := range []struct{ at, floor, ceil string }{
		{"2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
		{"2026-01-01T00:14:59.5Z", "2026-01-01T00:00:00Z", "2026-01-01T00:15:00Z"},
		{"1969-12-31T23:59:00Z", "1969-12-31T23:45:00Z", "1970-01-01T00:00:00Z"},
	} {
		at, _ := time.Parse(time.RFC3339, tt.at)
		if got := Floor(at, q).Format(time.RFC3339); got != tt.floor {
			t.Errorf("Floor(%s) = %s, want %s", tt.at, got, tt.floor)
		}
		if got := Ceil(at, q).Format(time.RFC3339); got != tt.ceil {
			t.Errorf("Ceil(%s) = %s, want %s", tt.at, got, tt.ceil)
		}
	}
}
