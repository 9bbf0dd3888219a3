package sim

import (
	"fmt"
	"sort"
	"time"

	"quartier/drivers/sim/trace"
	"quartier/schemas/tariff"
)

// TempoDay is the colour of a Tempo day that is not blue.
type TempoDay struct {
	Date   string // local day, YYYY-MM-DD
	Colour tariff.Colour
}

// Numbers of coloured days in a Tempo season, 1 September to 31 August.
const (
	tempoRed       = 22
	tempoWhite     = 43
	tempoRedInARow = 5
)

// TempoCalendar invents the Tempo colours of the seasons that begin in the years first to last, from the demonstration's own outdoor temperature: the coldest
// working days from November to March are red, 22 of them and no more than five in a row, the 43 coldest other days but Sundays are white. The grid
// operator's real choice rests on the national load and is not recorded here; the numbers and the calendar's limits are the tariff's.
func TempoCalendar(cfg WorldConfig, districtID string, first, last int) ([]TempoDay, error) {
	w, err := build(cfg, trace.NewLibrary(cfg.Traces))
	if err != nil {
		return nil, err
	}
	for _, d := range w.districts {
		if d.d.ID != districtID {
			continue
		}
		var out []TempoDay
		for y := first; y <= last; y++ {
			out = append(out, d.tempo(y)...)
		}
		return out, nil
	}
	return nil, fmt.Errorf("tempo calendar: no district %q", districtID)
}

func (d *districtState) tempo(year int) []TempoDay {
	type day struct {
		at   time.Time
		mean float64
	}
	var days []day
	zone := d.place.Zone
	for at := time.Date(year, time.September, 1, 12, 0, 0, 0, zone); at.Before(time.Date(year+1, time.September, 1, 0, 0, 0, 0, zone)); at = at.AddDate(0, 0, 1) {
		sum := 0.0
		for h := -12; h < 12; h += 3 {
			c, _, _ := d.weather(at.Add(time.Duration(h) * time.Hour))
			sum += c
		}
		days = append(days, day{at, sum / 8})
	}
	order := make([]int, len(days))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return days[order[a]].mean < days[order[b]].mean })
	colour := make([]tariff.Colour, len(days))
	run := func(i int) int { // red days in a row that a red day i would make
		n := 1
		for k := i - 1; k >= 0 && colour[k] == tariff.Red; k-- {
			n++
		}
		for k := i + 1; k < len(days) && colour[k] == tariff.Red; k++ {
			n++
		}
		return n
	}
	red, white := 0, 0
	for _, i := range order {
		m, wd := days[i].at.Month(), days[i].at.Weekday()
		if red < tempoRed && (m >= time.November || m <= time.March) && wd != time.Saturday && wd != time.Sunday && run(i) <= tempoRedInARow {
			colour[i], red = tariff.Red, red+1
		}
	}
	for _, i := range order {
		if colour[i] == "" && white < tempoWhite && days[i].at.Weekday() != time.Sunday {
			colour[i], white = tariff.White, white+1
		}
	}
	var out []TempoDay
	for i, c := range colour {
		if c != "" {
			out = append(out, TempoDay{days[i].at.Format("2006-01-02"), c})
		}
	}
	return out
}
