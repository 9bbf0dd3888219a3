package tariff

import (
	"testing"
	"time"

	"quartier/schemas/timegrid"
)

var paris = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return loc
}()

func day(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, paris) }

// bleu is the Tarif Bleu with taxes as of 1 August 2025 and 1 February 2026.
func bleu() map[Kind]*Tariff {
	return map[Kind]*Tariff{
		Base: {ID: "base", Kind: Base, Zone: paris, Rows: []Row{{From: day(2025, 8, 1), Import: map[Period]float64{BasePeriod: 0.1952}}, {From: day(2026, 2, 1), Import: map[Period]float64{BasePeriod: 0.1940}}}},
		HPHC: {ID: "hphc", Kind: HPHC, Zone: paris, Rows: []Row{{From: day(2025, 8, 1), Import: map[Period]float64{HP: 0.2081, HC: 0.1635}, Export: 0.04}, {From: day(2026, 2, 1), Import: map[Period]float64{HP: 0.2065, HC: 0.1579}, Export: 0.04}},
			OffPeak: []Window{{From: 23*60 + 30, To: 5*60 + 30}, {From: 13 * 60, To: 15 * 60}}},
		Tempo: {ID: "tempo", Kind: Tempo, Zone: paris, Rows: []Row{{From: day(2026, 2, 1), Import: map[Period]float64{BlueHP: 0.1612, BlueHC: 0.1325, WhiteHP: 0.1871, WhiteHC: 0.1499, RedHP: 0.7060, RedHC: 0.1575}}},
			Colour: func(y int, m time.Month, d int) Colour {
				if y == 2026 && m == time.February && d == 10 {
					return Red
				}
				return ""
			}},
	}
}

// TestTarifBleu: the published figures at the instants where they change.
func TestTarifBleu(t *testing.T) {
	ts := bleu()
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, paris)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tt := range []struct {
		kind Kind
		at   string
		want float64
	}{
		{Base, "2026-01-31 23:59", 0.1952}, {Base, "2026-02-01 00:00", 0.1940},
		{HPHC, "2026-03-02 13:00", 0.1579}, {HPHC, "2026-03-02 12:59", 0.2065}, {HPHC, "2026-03-02 15:00", 0.2065}, {HPHC, "2026-03-02 05:29", 0.1579}, {HPHC, "2026-03-02 05:30", 0.2065}, {HPHC, "2026-03-02 23:30", 0.1579},
		{Tempo, "2026-02-10 05:59", 0.1325}, {Tempo, "2026-02-10 06:00", 0.7060}, {Tempo, "2026-02-10 22:00", 0.1575}, {Tempo, "2026-02-11 05:59", 0.1575}, {Tempo, "2026-02-11 06:00", 0.1612},
	} {
		got, err := ts[tt.kind].ImportAt(at(tt.at))
		if err != nil || got != tt.want {
			t.Errorf("%s at %s: %v (%v), want %v EUR/kWh", tt.kind, tt.at, got, err, tt.want)
		}
	}
	if _, err := ts[Tempo].ImportAt(at("2026-01-31 23:59")); err == nil {
		t.Error("a price before the first row, want an error that names the instant")
	}
}

// TestOffPeakHoursOfClockChanges: the night window holds by the clock on the wall: one hour fewer in March, one more in October.
func TestOffPeakHoursOfClockChanges(t *testing.T) {
	hphc := bleu()[HPHC]
	for _, tt := range []struct {
		day  time.Time
		want int // quarter-hours of off-peak
	}{{day(2026, 3, 28), 32}, {day(2026, 3, 29), 28}, {day(2026, 10, 25), 36}} {
		n := 0
		for s := range timegrid.Day(tt.day, paris).Slots(15 * time.Minute) {
			if hphc.PeriodAt(s.Start) == HC {
				n++
			}
		}
		if n != tt.want {
			t.Errorf("%s has %d off-peak quarter-hours, want %d", tt.day.Format("2006-01-02"), n, tt.want)
		}
	}
}

// TestSeasonalWindow runs over the new year.
func TestSeasonalWindow(t *testing.T) {
	x := &Tariff{Kind: HPHC, Zone: paris, OffPeak: []Window{{From: 11 * 60, To: 14 * 60, FirstMonth: 4, LastMonth: 10}, {From: 2 * 60, To: 5 * 60, FirstMonth: 11, LastMonth: 3}}}
	noon, night := 12*time.Hour, 3*time.Hour
	for _, tt := range []struct {
		at   time.Time
		want Period
	}{{day(2026, 7, 1).Add(noon), HC}, {day(2026, 1, 5).Add(noon), HP}, {day(2026, 1, 5).Add(night), HC}, {day(2026, 7, 1).Add(night), HP}} {
		if got := x.PeriodAt(tt.at); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.at, got, tt.want)
		}
	}
}

// TestSeries: a slot without a market price is an error, not a zero.
func TestSeries(t *testing.T) {
	x := &Tariff{ID: "spot", Kind: Series, Zone: paris, Prices: timegrid.Series{Start: day(2026, 1, 1).UTC(), Step: 15 * time.Minute, Values: []float64{0.05, -0.01}}}
	start := day(2026, 1, 1)
	got, err := x.Import(timegrid.NewSpan(start, start.Add(30*time.Minute)), 15*time.Minute)
	if err != nil || len(got) != 2 || got[1] != -0.01 {
		t.Errorf("prices %v (%v), want [0.05 -0.01]", got, err)
	}
	if _, err := x.Import(timegrid.NewSpan(start, start.Add(time.Hour)), 15*time.Minute); err == nil {
		t.Error("an hour of a half-hour series, want an error")
	}
}
