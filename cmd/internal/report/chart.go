package report

import (
	"math"

	"quartier/schemas/units"
)

// The origins in the order in which bars stack them, with the console's colours: sun amber, green for the district, grid slate. A hairline of the ground parts
// the segments, so that they are told apart without colour too.
const (
	originOwn = iota
	originShared
	originGrid
)

type colour struct{ r, g, b int }

var originColours = [3]colour{originOwn: {242, 166, 13}, originShared: {22, 163, 74}, originGrid: {88, 103, 122}}

// chart is the daily chart without any size: bars of kWh and the axis.
type chart struct {
	bars []bar
	top  float64 // end of the axis, kWh
	tick float64 // distance of its lines, kWh
}

// bar is one day, or the whole month.
type bar struct {
	label int        // day of the month; 0 for the month
	kwh   [3]float64 // by origin
	gap   bool       // nothing was measured
}

func (b bar) total() float64 { return b.kwh[0] + b.kwh[1] + b.kwh[2] }

// newChart returns a bar per day, or one for the month without daily figures.
func newChart(d *Data) chart {
	kwh := func(own, shared, grid units.WattHours) [3]float64 {
		return [3]float64{originOwn: own.KWh(), originShared: shared.KWh(), originGrid: grid.KWh()}
	}
	var c chart
	for _, day := range d.Days {
		c.bars = append(c.bars, bar{label: day.Start.In(d.Zone).Day(), kwh: kwh(day.OwnWh, day.SharedWh, day.GridWh), gap: day.Coverage <= 0})
	}
	if len(c.bars) == 0 {
		c.bars = []bar{{kwh: kwh(d.OwnWh, d.SharedWh, d.GridWh)}}
	}
	highest := 0.0
	for _, b := range c.bars {
		highest = max(highest, b.total())
	}
	c.tick = niceStep(highest / 4)
	c.top = max(c.tick, c.tick*math.Ceil(highest/c.tick-1e-9))
	return c
}

// niceStep returns the smallest of 1, 2 or 5 times a power of ten that is at least v, from 0.1.
func niceStep(v float64) float64 {
	if v <= 0.1 || math.IsNaN(v) {
		return 0.1
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*p >= v-1e-12 {
			return m * p
		}
	}
	return 10 * p
}

// daily reports whether the chart has a bar per day.
func (c chart) daily() bool { return len(c.bars) > 1 }

// labelled reports whether the day of a bar is written below it: the first, every fifth, but none too close to the last.
func (b bar) labelled() bool { return b.label == 1 || b.label%5 == 0 }

// origins are the origins that have energy, in order.
func (d *Data) origins() []int {
	var out []int
	for i, e := range [3]units.WattHours{originOwn: d.OwnWh, originShared: d.SharedWh, originGrid: d.GridWh} {
		if e > 0 {
			out = append(out, i)
		}
	}
	return out
}

// originNames are the names of the origins in the legend.
func (c *catalogue) originNames() [3]string {
	return [3]string{originOwn: c.Own, originShared: c.Shared, originGrid: c.Grid}
}
