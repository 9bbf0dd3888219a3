package backtest

import (
	"fmt"
	"io"
	"slices"
)

// Write writes the result as a table.
func (r *Result) Write(w io.Writer) error { return r.write(w, languages["en"]) }

// write writes the table in a language.
func (r *Result) write(w io.Writer, words *words) error {
	p := func(err *error, format string, args ...any) {
		if *err == nil {
			_, *err = fmt.Fprintf(w, format, args...)
		}
	}
	var err error
	p(&err, "%-22s", "")
	for _, n := range Names {
		p(&err, "%12s", words.say(n))
	}
	p(&err, "\n")
	for _, row := range []struct {
		name, unit string
		digits     int
		v          func(*Run) float64
	}{
		{"cost", "", 2, func(r *Run) float64 { return r.Cost }}, {"carbon", "kg", 1, func(r *Run) float64 { return r.CarbonKg }},
		{"peak import", "kW", 2, func(r *Run) float64 { return r.PeakKW }}, {"ramping", "kW", 3, func(r *Run) float64 { return r.RampingKW }},
		{"load factor", "", 3, func(r *Run) float64 { return r.LoadFactor }}, {"self-consumption", "", 3, func(r *Run) float64 { return r.SelfConsumption }},
		{"self-sufficiency", "", 3, func(r *Run) float64 { return r.SelfSufficiency }}, {"discomfort", "K h", 1, func(r *Run) float64 { return r.DiscomfortKH }},
		{"battery cycles", "", 1, func(r *Run) float64 { return r.BatteryCycles }}, {"import", "kWh", 1, func(r *Run) float64 { return r.ImportKWh }},
		{"export", "kWh", 1, func(r *Run) float64 { return r.ExportKWh }},
	} {
		p(&err, "%-17s%4s ", words.say(row.name), row.unit)
		for _, n := range Names {
			p(&err, "%12s", words.number(row.v(r.Runs[n]), row.digits))
		}
		p(&err, "\n")
	}
	if r.Runs["none"].Comfort != nil {
		for _, row := range []struct {
			name, unit string
			digits     int
			v          func(*Comfort) float64
		}{
			{"rooms", "K h", 1, func(c *Comfort) float64 { return c.RoomsKH }}, {"hot water", "K h", 1, func(c *Comfort) float64 { return c.HotWaterKH }},
			{"hot water lacking", "kWh", 2, func(c *Comfort) float64 { return c.HotWaterLackingKWh }}, {"cars lacking", "kWh", 2, func(c *Comfort) float64 { return c.CarsLackingKWh }},
			{"cars short", "", 0, func(c *Comfort) float64 { return float64(c.CarsShort) }}, {"cost of that", "", 2, func(c *Comfort) float64 { return c.Cost }},
			{"tanks", "kWh", 1, func(c *Comfort) float64 { return c.TanksKWh }}, {"heat pumps", "kWh", 1, func(c *Comfort) float64 { return c.HeatPumpsKWh }},
			{"cars", "kWh", 1, func(c *Comfort) float64 { return c.CarsKWh }},
		} {
			p(&err, "%-17s%4s ", words.say(row.name), row.unit)
			for _, n := range Names {
				p(&err, "%12s", words.number(row.v(r.Runs[n].Comfort), row.digits))
			}
			p(&err, "\n")
		}
	}
	if r.Captured == nil {
		p(&err, "%s", words.say("captured: nothing could be saved\n"))
	} else {
		p(&err, words.say("captured: %s %% of what perfect foresight saves; rules %s %%\n"), words.number(100**r.Captured, 1), words.number(100*r.share("rules"), 1))
	}
	for _, n := range r.notes() {
		p(&err, words.say("note: %s\n"), words.note(n))
	}
	return err
}

// notes are what the data and the bounds of the run made necessary, in words.
func (r *Result) notes() []string {
	out := append([]string{}, r.c.Notes...)
	if n := r.c.fleet(r.set.FromStep, r.set.FromStep+r.set.Steps).partly; n > 0 {
		out = append(out, fmt.Sprintf("stays of cars left out, because they begin before the run or end after it: %d", n))
	}
	if r.c.Published != nil && !r.set.Deaf {
		out = append(out, r.c.Published.notes(r.c)...)
	}
	if r.set.CarbonPrice != 0 && varies(r.c.Carbon) {
		out = append(out, carbonNote)
	}
	return out
}

// carbonNote says what the backtest foresees otherwise than control of a live district, which judges what it foresees by its own errors ([forecast.Judged]).
const carbonNote = "the carbon intensity, where it is not published, is foreseen from its course of a day; a live district foresees it as on similar days, corrected by what it learned, so that its share of the saving may differ"

// varies reports whether a series is not the same throughout.
func varies(list []float64) bool {
	return slices.ContainsFunc(list, func(v float64) bool { return v != list[0] })
}

// share is what a run captured of the attainable saving.
func (r *Result) share(name string) float64 {
	none := r.Runs["none"].whole()
	return (none - r.Runs[name].whole()) / (none - r.Runs["perfect"].whole())
}
