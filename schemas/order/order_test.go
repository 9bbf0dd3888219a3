package order

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
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

// TestDaysOfTheWeek: hours over midnight belong to the day on which they begin, also on the nights of the changes of the clock, which are from Saturday to Sunday.
func TestDaysOfTheWeek(t *testing.T) {
	zone := paris(t)
	for _, tt := range []struct {
		from, to string
		days     []string
		day      time.Time
		hours    float64 // in the week from its midnight
	}{
		{"22:00", "06:00", nil, time.Date(2026, 1, 12, 0, 0, 0, 0, zone), 56},
		{"22:00", "06:00", []string{"fri", "sat"}, time.Date(2026, 1, 12, 0, 0, 0, 0, zone), 16},
		{"22:00", "06:00", []string{"sun"}, time.Date(2026, 1, 12, 0, 0, 0, 0, zone), 8}, // two on Sunday, six on the Monday of the week before
		{"22:00", "06:00", []string{"sat"}, time.Date(2026, 3, 23, 0, 0, 0, 0, zone), 7},
		{"22:00", "06:00", []string{"sat"}, time.Date(2026, 10, 19, 0, 0, 0, 0, zone), 9},
		{"22:00", "06:00", []string{"fri"}, time.Date(2026, 10, 19, 0, 0, 0, 0, zone), 8},
		{"12:00", "12:00", []string{"wed"}, time.Date(2026, 1, 12, 0, 0, 0, 0, zone), 24},
		{"13:00", "15:30", []string{"mon", "sun"}, time.Date(2026, 3, 23, 0, 0, 0, 0, zone), 5},
	} {
		days, err := DaysOf(tt.days)
		if err != nil {
			t.Fatal(err)
		}
		o := Order{Kind: Quiet, From: tt.from, To: tt.to, Days: days}
		n := 0
		for at := tt.day; at.Before(tt.day.AddDate(0, 0, 7)); at = at.Add(time.Minute) {
			if o.At(at, zone) {
				n++
			}
		}
		if got := float64(n) / 60; got != tt.hours {
			t.Errorf("%s to %s on %v from %s: %g h, want %g", tt.from, tt.to, tt.days, tt.day, got, tt.hours)
		}
	}
	o := Order{Kind: Quiet, From: "22:00", To: "06:00"}
	o.Days, _ = DaysOf([]string{"fri"})
	for _, tt := range []struct {
		at time.Time
		on bool
	}{
		{time.Date(2026, 1, 16, 21, 59, 59, 0, zone), false}, {time.Date(2026, 1, 16, 22, 0, 0, 0, zone), true}, {time.Date(2026, 1, 17, 5, 59, 59, 0, zone), true},
		{time.Date(2026, 1, 17, 6, 0, 0, 0, zone), false}, {time.Date(2026, 1, 16, 5, 0, 0, 0, zone), false}, {time.Date(2026, 1, 17, 22, 0, 0, 0, zone), false},
	} {
		if o.At(tt.at, zone) != tt.on {
			t.Errorf("at %v: %v, want %v", tt.at, !tt.on, tt.on)
		}
	}
}

// TestDaysInJSON: days come back as they were, an order for every day has none, and a word that is no day is refused.
func TestDaysInJSON(t *testing.T) {
	days, err := DaysOf([]string{"sun", "wed"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []Days{0, days} {
		text, err := json.Marshal(Order{Kind: Quiet, Days: want})
		if err != nil {
			t.Fatal(err)
		}
		var got Order
		if err := json.Unmarshal(text, &got); err != nil || got.Days != want || strings.Contains(string(text), "days") != (want != 0) {
			t.Errorf("%s read as %v (%v)", text, got.Days.Names(), err)
		}
	}
	if err := json.Unmarshal([]byte(`{"days":["wed","sunday"]}`), new(Order)); err == nil || !strings.Contains(err.Error(), `"sunday"`) {
		t.Errorf("a day that is none: %v", err)
	}
}

// TestStandingIDs: sites and devices whose ids hold the same letters in all have orders with different ids.
func TestStandingIDs(t *testing.T) {
	of := func(site, dev string) district.Site {
		return district.Site{ID: site, Devices: []district.Device{{ID: dev, Kind: district.EVCharger, Control: true, EVCharger: &district.EVChargerParams{MaxKW: 11}, Quiet: []district.QuietHours{{From: "22:00", To: "06:00"}}}}}
	}
	orders := Standing(&district.District{ID: "d", Zone: time.UTC, Sites: []district.Site{of("north-wing", "car"), of("north", "wing-car"), of("north-1", "1-car"), of("north.1", "1_car")}})
	seen := map[string]bool{}
	for _, o := range orders {
		if seen[o.ID] || url.PathEscape(o.ID) != o.ID {
			t.Errorf("%s/%s has the order %q", o.Site, o.Device, o.ID)
		}
		seen[o.ID] = true
	}
	if len(orders) != 4 {
		t.Errorf("orders %+v", orders)
	}
}

// TestSlots: quiet hours are one with those at the same hours on the same days alone, other orders with all of their kind and target.
func TestSlots(t *testing.T) {
	week, err := DaysOf(DayNames())
	if err != nil {
		t.Fatal(err)
	}
	night := Order{Kind: Quiet, Site: "s", Device: "hp", From: "22:00", To: "06:00"}
	for _, tt := range []struct {
		name   string
		change func(o *Order)
		same   bool
	}{
		{"another power", func(o *Order) { o.Value = 2 }, true},
		{"every day by name", func(o *Order) { o.Days = week }, true},
		{"a day", func(o *Order) { o.Days = 1 }, false},
		{"from another hour", func(o *Order) { o.From = "21:00" }, false},
		{"to another hour", func(o *Order) { o.To = "07:00" }, false},
		{"another device", func(o *Order) { o.Device = "ev" }, false},
	} {
		o := night
		if tt.change(&o); (o.Slot() == night.Slot()) != tt.same {
			t.Errorf("%s: slots %+v and %+v, want the same: %v", tt.name, o.Slot(), night.Slot(), tt.same)
		}
	}
}

// TestStanding: the quiet hours of a configuration are orders of each device that they are about and that takes commands.
func TestStanding(t *testing.T) {
	d := place(time.UTC)
	site := &d.Sites[0]
	site.Devices = append(site.Devices, district.Device{ID: "old", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MaxKW: 3}})
	site.Quiet = []district.QuietHours{{From: "22:00", To: "06:00", Reason: "night"}, {From: "13:00", To: "15:00", Days: []time.Weekday{time.Sunday, time.Monday}, AtMostKW: 1, Kinds: []district.Kind{district.HeatPump}, Reason: "nap"}}
	site.Devices[2].Quiet = []district.QuietHours{{From: "20:00", To: "22:00", Reason: "contactor"}}
	var got []string
	seen := map[string]bool{}
	for _, o := range Standing(d) {
		if seen[o.ID] || o.Source != FromConfig || o.State(time.Now()) != Running || o.District != "d" || o.Site != "s" {
			t.Errorf("order %+v", o)
		}
		seen[o.ID] = true
		if faults := Check(&Order{District: "d", Site: o.Site, Device: o.Device, Kind: o.Kind, Value: o.Value, From: o.From, To: o.To, Days: o.Days, Reason: o.Reason, Start: time.Now()}, d, time.Now()); len(faults) > 0 {
			t.Errorf("%+v has faults %v", o, faults)
		}
		got = append(got, fmt.Sprintf("%s %s-%s %g kW %v %s", o.Device, o.From, o.To, o.Value, o.Days.Names(), o.Reason))
	}
	want := []string{"hp 22:00-06:00 0 kW [] night", "hp 13:00-15:00 1 kW [mon sun] nap", "ev 22:00-06:00 0 kW [] night", "ev 20:00-22:00 0 kW [] contactor"}
	if !slices.Equal(got, want) {
		t.Errorf("orders %q, want %q", got, want)
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
		{"days of a set-point", func(o *Order) { o.Days = 1 }, "days"},
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
