package backtest

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"quartier/optimizer/forecast"
)

// Told is a series of which something is published beforehand: in each slot one value for each of several slots to come.
type Told struct {
	came    []float64
	said    [][]float64 // by column and slot in which it was said; NaN: nothing was
	leads   [][]int     // by reading: how many slots ahead each column speaks of
	reading []int       // by slot: which of them what had come by then fits best
}

// NewTold takes what came and what was said, by column and slot in which it was said, NaN where that is nothing, and the readings of the columns: how many slots ahead each may speak of. Which reading
// holds is found slot by slot from what came by then; the first is taken while that tells nothing.
func NewTold(came []float64, said [][]float64, readings ...[]int) *Told {
	t := &Told{came: came, said: said, leads: readings, reading: make([]int, len(came))}
	wrong, n := make([]float64, len(readings)), make([]float64, len(readings))
	off := func(r int) float64 { return wrong[r] / math.Max(1, n[r]) }
	for now := range came {
		for r, leads := range readings {
			for column, lead := range leads {
				if at := now - lead; at >= 0 && !math.IsNaN(said[column][at]) {
					wrong[r] += math.Abs(said[column][at] - came[now])
					n[r]++
				}
			}
			if best := t.reading[now]; n[best] > 0 && n[r] > 0 && off(r) < off(best) {
				t.reading[now] = r
			}
		}
	}
	return t
}

// At is what is known in slot now of another one: what came, or the newest that was said of one ahead. NaN: nothing.
func (t *Told) At(now, slot int) float64 {
	if slot <= now {
		if slot < 0 {
			return math.NaN()
		}
		return t.came[slot]
	}
	newest, value := -1, math.NaN()
	for column, lead := range t.leads[t.reading[now]] {
		if at := slot - lead; at <= now && at > newest && !math.IsNaN(t.said[column][at]) {
			newest, value = at, t.said[column][at]
		}
	}
	return value
}

// Known is what came up to a slot and what is known of those after it, as far as that has no gap.
func (t *Told) Known(now int) []float64 {
	out := append([]float64(nil), t.came[:now+1]...)
	for {
		v := t.At(now, len(out))
		if math.IsNaN(v) {
			return out
		}
		out = append(out, v)
	}
}

// over writes what is known in slot now over expected values from it on.
func (t *Told) over(now int, expected []float64) {
	for k := range expected {
		if v := t.At(now, now+k); !math.IsNaN(v) {
			expected[k] = v
		}
	}
}

// farthest is how far ahead the columns speak, by the reading that held last, and how far what they said was off, as a share of the mean size of what came.
func (t *Told) farthest() (slots int, off float64) {
	wrong, n, size := 0.0, 0.0, 0.0
	for column, lead := range t.leads[t.reading[len(t.reading)-1]] {
		slots = max(slots, lead)
		for at := 0; at+lead < len(t.came); at++ {
			if said := t.said[column][at]; !math.IsNaN(said) {
				wrong, n = wrong+math.Abs(said-t.came[at+lead]), n+1
			}
		}
	}
	for _, v := range t.came {
		size += math.Abs(v) / float64(len(t.came))
	}
	if wrong == 0 {
		return slots, 0
	}
	return slots, wrong / n / size
}

// Published is what a data set publishes ahead; nil where it does not.
type Published struct {
	Tariff, Carbon               *Told
	OutdoorC, Diffuse, DirectWm2 *Told // of the sun W/m²: from the sky, and on a plane that faces the sun
}

// slots is how many slots there are where there are n of everything else.
func (p *Published) slots(n int) int {
	for _, t := range []*Told{p.Tariff, p.Carbon, p.OutdoorC, p.Diffuse, p.DirectWm2} {
		if t != nil {
			n = min(n, len(t.came))
		}
	}
	return n
}

// weather tells forecasts what is known of it, where something is published; nil: nothing is. Data sets do not tell how high the sun stands, so the two parts of the irradiance are added as they are: forests learn what
// that means at each hour.
func (p *Published) weather(c *Case) func(origin, slot time.Time) forecast.Weather {
	if p.OutdoorC == nil && (p.Diffuse == nil || p.DirectWm2 == nil) {
		return nil
	}
	return func(origin, slot time.Time) forecast.Weather {
		now, at := int(origin.Sub(c.Start)/c.Step), int(slot.Sub(c.Start)/c.Step)
		known := func(t *Told) float64 {
			if t == nil {
				return math.NaN()
			}
			return t.At(now, at)
		}
		w := forecast.Weather{OutdoorC: known(p.OutdoorC), DirectWm2: known(p.DirectWm2)}
		w.GlobalWm2 = known(p.Diffuse) + w.DirectWm2
		return w
	}
}

// notes say what is published and how true it is.
func (p *Published) notes(c *Case) (out []string) {
	for _, of := range []struct {
		what string
		told *Told
	}{{"the import tariff", p.Tariff}, {"the carbon intensity", p.Carbon}, {"the outdoor temperature", p.OutdoorC}, {"diffuse irradiance", p.Diffuse}, {"direct irradiance", p.DirectWm2}} {
		if of.told != nil {
			slots, off := of.told.farthest()
			out = append(out, fmt.Sprintf("%s is published up to %g h ahead and heard as it is published; on average it is off by %.2g %% of its mean", of.what, (time.Duration(slots)*c.Step).Hours(), 100*off))
		}
	}
	return out
}

// published reads what the tables of a data set publish.
func (l *loader) published(prices, carbon, weather *table) {
	p := &Published{}
	told := func(t *table, column string) *Told {
		if t == nil || t.at(column+"_predicted_1") < 0 {
			return nil
		}
		return l.told(t, column)
	}
	p.Tariff, p.Carbon = told(prices, "electricity_pricing"), told(carbon, "carbon_intensity")
	p.OutdoorC, p.Diffuse, p.DirectWm2 = told(weather, "outdoor_dry_bulb_temperature"), told(weather, "diffuse_solar_irradiance"), told(weather, "direct_solar_irradiance")
	if *p != (Published{}) {
		l.c.Published = p
	}
}

// told reads the columns that speak of a series ahead: _predicted_1, _2 and so on. Sets of 2022 and 2023 mean 6, 12 and 24 hours by them, later ones of prices 1, 2 and 3 steps.
func (l *loader) told(t *table, column string) *Told {
	came := l.column(t, column, math.Inf(-1))
	var said [][]float64
	var hours, steps []int
	for i, ahead := range []time.Duration{6 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		name := column + "_predicted_" + strconv.Itoa(i+1)
		at := t.at(name)
		if at < 0 {
			break
		}
		values := l.column(t, name, math.Inf(-1))
		for row := range values {
			if t.rows[row][at] == "" {
				values[row] = math.NaN()
			}
		}
		said, hours, steps = append(said, values), append(hours, int(ahead/l.c.Step)), append(steps, i+1)
	}
	for _, values := range append(said, came) {
		if values == nil { // its fault is told
			return nil
		}
	}
	return NewTold(came, said, hours, steps)
}
