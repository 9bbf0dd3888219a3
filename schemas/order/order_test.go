package order

import (
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
)

func paris(t *testing.T) *time.Location {
	z, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestQuietHoursFollowTheClock: hours by the local clock are an hour shorter on the night of the spring change, and an hour longer on that of autumn.
func TestQuietHoursFollowTheClock(t *testing.T) {
	zone := paris(t)
	for _, tt := range []struct {
		from, to string
		day      time.Time
		hours    float64 // in the 24 or 25 or 23 hours from noon to noon
	}{
		{"22:00", "06:00", time.Date(2026, 1, 14, 12, 0, 0, 0, zone), 8},
		{"22:00", "06:00", time.Date(2026, 3, 28, 12, 0, 0, 0, zone), 7},
		{"22:00", "06:00", time.Date(2026, 10, 24, 12, 0, 0, 0, zone), 9},
		{"13:00", "15:30", time.Date(2026, 3, 28, 12, 0, 0, 0, zone), 2.5},
		{"00:00", "00:00", time.Date(2026, 3, 28, 12, 0, 0, 0, zone), 23},
		{"02:15", "02:45", time.Date(2026, 3, 28, 12, 0, 0, 0, zone), 0},  // an hour that does not exist
		{"02:15", "02:45", time.Date(2026, 10, 24, 12, 0, 0, 0, zone), 1}, // one that comes twice
	} {
		o := Order{Kind: Quiet, From: tt.from, To: tt.to, Start: tt.day.AddDate(0, 0, -1)}
		n := 0
		for at := tt.day; at.Before(tt.day.AddDate(0, 0, 1)); at = at.Add(time.Minute) {
			if o.At(at, zone) {
				n++
			}
		}
		if got := float64(n) / 60; got != tt.hours {
			t.Errorf("%s to %s from %s: %g h, want %g", tt.from, tt.to, tt.day, got, tt.hours)
		}
	}
}

// TestStates: an order is planned, runs and ends; one that somebody ended holds no longer.
func TestStates(t *testing.T) {
	t0 := time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	o := Order{Kind: Power, Start: t0, End: t0.Add(time.Hour)}
	for _, tt := range []struct {
		at   time.Duration
		want State
		on   bool
	}{{-time.Second, Planned, false}, {0, Running, true}, {time.Hour - 1, Running, true}, {time.Hour, Ended, false}} {
		if s, on := o.State(t0.Add(tt.at)), o.At(t0.Add(tt.at), time.UTC); s != tt.want || on != tt.on {
			t.Errorf("at %v: %s, %v, want %s, %v", tt.at, s, on, tt.want, tt.on)
		}
	}
	o.Outcome, o.EndedAt = EndedBy, t0.Add(time.Minute)
	if o.State(t0.Add(2*time.Minute)) != Ended || o.At(t0.Add(2*time.Minute), time.UTC) {
		t.Error("an order that was ended still holds")
	}
}

func place(zone *time.Location) *district.District {
	return &district.District{ID: "d", Zone: zone, Sites: []district.Site{{ID: "s", Devices: []district.Device{
		{ID: "bat", Kind: district.Battery, Control: true, Battery: &district.BatteryParams{ChargeKW: 5, DischargeKW: 4}},
		{ID: "hp", Kind: district.HeatPump, Control: true, HeatPump: &district.HeatPumpParams{MaxKW: 3}},
		{ID: "ev", Kind: district.EVCharger, Control: true, EVCharger: &district.EVChargerParams{MaxKW: 7, CapacityKWh: 50}},
		{ID: "load", Kind: district.LoadMeter}}}}}
}

// TestCheck: each fault of an order is told with its field, and a good one has none.
func TestCheck(t *testing.T) {
	now := time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	good := Order{District: "d", Site: "s", Device: "bat", Kind: Power, Value: -4, Reason: "test", Start: now, End: now.Add(time.Hour)}
	for _, tt := range []struct {
		name   string
		change func(*Order)
		fields string
	}{
		{"good", func(*Order) {}, ""},
		{"lock-out without end", func(o *Order) { o.Kind, o.Value, o.End = LockOut, 0, time.Time{} }, ""},
		{"quiet hours", func(o *Order) {
			o.Kind, o.Device, o.Value, o.From, o.To, o.End = Quiet, "hp", 0, "22:00", "06:00", time.Time{}
		}, ""},
		{"limit of the district", func(o *Order) { o.Kind, o.Site, o.Device, o.Value = ImportLimit, "", "", 30 }, ""},
		{"comfort range", func(o *Order) { o.Kind, o.Device, o.Value, o.High = Range, "hp", 20, 23 }, ""},
		{"ready by", func(o *Order) { o.Kind, o.Device, o.Value = ReadyBy, "ev", 30 }, ""},
		{"too much", func(o *Order) { o.Value = -4.1 }, "value"},
		{"no reason, no end", func(o *Order) { o.Reason, o.End = " ", time.Time{} }, "end reason"},
		{"over", func(o *Order) { o.Start, o.End = now.Add(-2*time.Hour), now.Add(-time.Hour) }, "end"},
		{"a meter", func(o *Order) { o.Device = "load" }, "device"},
		{"no such site", func(o *Order) { o.Site = "x" }, "site"},
		{"no such kind", func(o *Order) { o.Kind = "x" }, "kind"},
		{"quiet battery", func(o *Order) { o.Kind, o.Value, o.From, o.To = Quiet, 0, "22:00", "25:00" }, "device to"},
		{"range upside down", func(o *Order) { o.Kind, o.Device, o.Value, o.High = Range, "hp", 21, 20 }, "high"},
		{"a far end", func(o *Order) { o.End = now.AddDate(3, 0, 0) }, "end"},
		{"hours of a set-point", func(o *Order) { o.From = "22:00" }, "from"},
		{"comfort of the district", func(o *Order) { o.Kind, o.Site, o.Device, o.Value = Comfort, "", "", 9 }, "site value"},
	} {
		o := good
		tt.change(&o)
		var fields []string
		for _, f := range Check(&o, place(time.UTC), now) {
			fields = append(fields, f.Field)
		}
		if got := strings.Join(fields, " "); got != tt.fields {
			t.Errorf("%s: faults in %q, want %q: %v", tt.name, got, tt.fields, Check(&o, place(time.UTC), now))
		}
	}
}
