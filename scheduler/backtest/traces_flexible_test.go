package backtest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

// ownForm is a small neighbourhood of our own form with every kind of device, in half-hours over two days.
func ownForm() fstest.MapFS {
	var sites, prices, weather, comfort strings.Builder
	sites.WriteString("time,home.load_kw,home.sun_kw,home.draw_kw,home.gains_kw\n")
	prices.WriteString("time,import_price\n")
	weather.WriteString("time,outdoor_c\n")
	comfort.WriteString("hour,home.min_c\n")
	for i := range 96 {
		at := time.Date(2026, 1, 1, 0, 30*i, 0, 0, time.UTC).Format(timeForm)
		fmt.Fprintf(&sites, "%s,0.5,%d,0.2,0.3\n", at, map[bool]int{true: 2, false: 0}[i%48 >= 20 && i%48 < 30])
		fmt.Fprintf(&prices, "%s,%g\n", at, 0.2+0.1*float64(i%48/24))
		fmt.Fprintf(&weather, "%s,%d\n", at, -2+i%48/8)
	}
	for h := range 24 {
		fmt.Fprintf(&comfort, "%d,%d\n", h, map[bool]int{true: 20, false: 17}[h >= 6 && h < 22])
	}
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{"sites.csv": file(sites.String()), "prices.csv": file(prices.String()), "weather.csv": file(weather.String()), "comfort.csv": file(comfort.String()),
		"tanks.csv": file("site,volume_l,heater_kw,cop,min_c,max_c,loss_per_hour\nhome,200,2.2,1,45,60,0.01\n"),
		"rooms.csv": file("site,capacity_kwh_per_k,resistance_k_per_kw,heat_pump_kw,cop_at_7c,cop_per_k,min_c,max_c\nhome,6,5,2.5,4,0.08,20,24\n"),
		"sessions.csv": file("site,arrival,departure,energy_kwh,max_kw\nhome,2026-01-01T17:40,2026-01-02T07:10,12,7.4\n" +
			"home,2026-01-01T18:00,2026-01-01T19:10,20,7.4\nhome,2026-01-02T18:00,2026-01-03T07:00,9,7.4\nhome,2026-01-02T10:00,2026-01-02T12:00,3,7.4\n")}
}

// TestDevicesAreRead from our own form, with the stay of a car in whole half-hours, and what was left out told.
func TestDevicesAreRead(t *testing.T) {
	c, err := Traces(ownForm(), "ours")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Sites[0]
	if s.Store != nil || s.Tank == nil || s.Room == nil || len(c.Sites) != 1 {
		t.Fatalf("%+v", c.Sites)
	}
	if want := 200 * 1.163e-3 * 48; math.Abs(s.Tank.Heater.CapacityKWh-want) > 1e-9 || s.Tank.DrawKW[5] != 0.2 || s.Tank.Heater.MinC != 45 {
		t.Errorf("tank %+v", s.Tank)
	}
	if s.Room.MinC[3] != 17 || s.Room.MinC[6] != 20 || s.Room.MaxC[3] != 24 || s.Room.Pump.COPPerK != 0.08 || s.Room.GainsKW[9] != 0.3 || c.OutdoorC[16] != 0 {
		t.Errorf("rooms %+v", s.Room)
	}
	// the second car stands beside the first, and two half-hours give 7.4 kWh of its 20
	want := []Charger{{7.4, []Session{{36, 62, 12}, {68, 72, 3}}}, {7.4, []Session{{36, 38, 7.4}}}}
	if fmt.Sprint(s.Chargers) != fmt.Sprint(want) {
		t.Errorf("chargers %v, want %v", s.Chargers, want)
	}
	notes := strings.Join(c.Notes, "\n")
	for _, n := range []string{"1 sessions that do not begin and end within the data", "1 sessions want 12.6 kWh more than max_kw gives"} {
		if !strings.Contains(notes, n) {
			t.Errorf("notes %q say nothing of %q", notes, n)
		}
	}
	if _, err := Backtest(t.Context(), c, Settings{ExportPrice: 0.05, Horizon: 12 * time.Hour}); err != nil {
		t.Error(err)
	}
}

// TestFaultsOfDevicesAreNamed, each with its file and place.
func TestFaultsOfDevicesAreNamed(t *testing.T) {
	for _, c := range []struct{ file, from, to, want string }{
		{"tanks.csv", "home,200", "hut,200", `tanks.csv: row 1: there is no site "hut" in sites.csv`},
		{"tanks.csv", "2.2", "x", `tanks.csv: row 1: heater_kw of home is "x", no number`},
		{"tanks.csv", "45,60", "60,45", "the highest temperature of the tank"},
		{"tanks.csv", "home,200,2.2,1,45,60,0.01", "home,200,2.2,1,45,60,0.01\nhome,200,2.2,1,45,60,0.01", "tanks.csv: row 2: site home has a tank already"},
		{"tanks.csv", "loss_per_hour", "loss", "tanks.csv: there is no column loss_per_hour"},
		{"sites.csv", "home.draw_kw", "home.sundries", `column "home.sundries" is neither`},
		{"rooms.csv", "home,6,5", "home,6,0", "the rooms' resistance in K per kW of home is 0"},
		{"comfort.csv", "\n3,", "\n4,", `comfort.csv: row 4: hour "4", want 3`},
		{"comfort.csv", "home.min_c", "hut.min_c", `column "hut.min_c" is neither`},
		{"weather.csv", "2026-01-01T00:00", "2025-01-01T00:00", "weather.csv has 96 rows from 2025-01-01T00:00"},
		{"sessions.csv", "2026-01-01T17:40", "dusk", `sessions.csv: row 1: arrival "dusk" is no time`},
		{"sessions.csv", "2026-01-02T07:10", "2026-01-01T07:10", "departure 2026-01-01T07:10 is not after arrival 2026-01-01T17:40"},
		{"sessions.csv", "12,7.4", "12,-1", "energy_kwh 12 and max_kw -1"},
	} {
		m := ownForm()
		text := strings.Replace(string(m[c.file].Data), c.from, c.to, 1)
		m[c.file] = &fstest.MapFile{Data: []byte(text)}
		if _, err := Traces(m, "ours"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
	m := ownForm()
	delete(m, "weather.csv")
	if _, err := Traces(m, "ours"); err == nil || !strings.Contains(err.Error(), "there is no outdoor temperature for the rooms of home") {
		t.Errorf("rooms without weather: %v", err)
	}
	m = ownForm()
	delete(m, "tanks.csv")
	if _, err := Traces(m, "ours"); err == nil || !strings.Contains(err.Error(), "column home.draw_kw is of a site without a tank") {
		t.Errorf("hot water without a tank: %v", err)
	}
	for _, n := range []string{"rooms.csv", "sessions.csv"} {
		delete(m, n)
	}
	if _, err := Traces(m, "ours"); err == nil || !strings.Contains(err.Error(), "stores.csv") {
		t.Errorf("nothing to control: %v", err)
	}
}

func FuzzTraces(f *testing.F) {
	m := ownForm()
	f.Add(m["tanks.csv"].Data, m["rooms.csv"].Data, m["comfort.csv"].Data, m["sessions.csv"].Data)
	f.Fuzz(func(t *testing.T, tanks, rooms, comfort, sessions []byte) {
		m := ownForm()
		for n, data := range map[string][]byte{"tanks.csv": tanks, "rooms.csv": rooms, "comfort.csv": comfort, "sessions.csv": sessions} {
			m[n] = &fstest.MapFile{Data: data}
		}
		c, err := Traces(m, "fuzz")
		if err == nil && c.Validate() != nil {
			t.Errorf("traces were taken that are not valid: %v", c.Validate())
		}
	})
}
