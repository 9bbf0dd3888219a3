package balance

import (
	"math"
	"sort"
	"time"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Point is one measured value of a counter or a power at an instant.
type Point struct {
	Time  time.Time
	Value float64 // kWh for a counter, kW for a power
	Bad   bool    // not to be used
	Guess bool    // substituted: usable, but what rests on it is an estimate
}

// SlotEnergy is the energy of one slot.
type SlotEnergy struct {
	Wh          units.WattHours
	Covered     bool // measured over the whole slot
	Substituted bool // interpolated over a gap, or rests on a substituted value
}

// CounterRule says how a counter behaves where it does not simply grow.
type CounterRule struct {
	RollsAtKWh float64       // the reading at which it starts again from 0, such as 999999.9; 0: never
	MaxKW      float64       // power above which a step cannot be energy but is a replacement of the meter; 0: no test
	MaxGap     time.Duration // longest gap over which the difference is still spread evenly; 0: one hour
}

// CounterEnergy returns the energy of each slot of step in sp from counter readings, in any order, that should reach from before the span to after it.
//
// Between two readings the counter is taken to grow evenly, so it has a value at every slot boundary, and a slot's energy is the difference of the two values
// each rounded to the watt-hour: the slots of a span sum exactly to the difference of its ends, whatever the step. A reading below the one
// before is a roll-over when the rule has a roll-over point and the difference through it is plausible; otherwise it is a reset or a
// replaced meter, and the energy since the reset is the new reading itself. Over a gap longer than rule.MaxGap the energy is still
// exact in sum but its spread is an estimate, and the slots are marked substituted.
func CounterEnergy(points []Point, sp timegrid.Span, step time.Duration, rule CounterRule) []SlotEnergy {
	n := sp.Count(step)
	out := make([]SlotEnergy, n)
	pts := usable(points)
	if n == 0 || len(pts) < 2 {
		return out
	}
	maxGap := rule.MaxGap
	if maxGap <= 0 {
		maxGap = time.Hour
	}
	// total[i] is the reading as if the counter had never rolled over or been replaced. It is kept as reading plus offset, so that two spans that meet at
	// an instant round the same value there, and months sum exactly to what the counter says
	total, offset := make([]float64, len(pts)), 0.0
	total[0] = pts[0].Value
	for i := 1; i < len(pts); i++ {
		if d, g := pts[i].Value-pts[i-1].Value, rule.growth(pts[i-1], pts[i]); g != d {
			offset += g - d
		}
		total[i] = pts[i].Value + offset
	}
	first := timegrid.Ceil(sp.Start, step)
	at := 0
	value := func(t time.Time) (kwh float64, ok, long bool) {
		for at+1 < len(pts)-1 && !pts[at+1].Time.After(t) {
			at++
		}
		a, b := pts[at], pts[at+1]
		if t.Before(a.Time) || t.After(b.Time) {
			return 0, false, false
		}
		f := float64(t.Sub(a.Time)) / float64(b.Time.Sub(a.Time))
		inside := t.After(a.Time) && t.Before(b.Time)
		return total[at] + f*(total[at+1]-total[at]), true, (inside && b.Time.Sub(a.Time) > maxGap) || a.Guess || b.Guess
	}
	prev, prevOK, prevLong := value(first)
	for i := range n {
		end := first.Add(time.Duration(i+1) * step)
		v, ok, long := value(end)
		if ok && prevOK {
			out[i] = SlotEnergy{
				Wh:          units.WattHours(math.Round(v*1000)) - units.WattHours(math.Round(prev*1000)),
				Covered:     true,
				Substituted: long || prevLong,
			}
		}
		prev, prevOK, prevLong = v, ok, long
	}
	return out
}

// growth returns the energy between two consecutive readings.
func (r CounterRule) growth(a, b Point) float64 {
	d := b.Value - a.Value
	most := math.Inf(1)
	if r.MaxKW > 0 {
		most = r.MaxKW * b.Time.Sub(a.Time).Hours() * 1.1
		most = math.Max(most, 1) // a meter's last digit must not look like a replacement
	}
	switch {
	case d >= 0 && d <= most:
		return d
	case d >= 0: // a jump that no power explains: another meter was put in
		return 0
	}
	if r.RollsAtKWh > 0 {
		if through := r.RollsAtKWh - a.Value + b.Value; through >= 0 && through <= most && a.Value > r.RollsAtKWh/2 {
			return through
		}
	}
	if b.Value >= 0 && b.Value <= most && (r.MaxKW > 0 || b.Value <= a.Value) {
		return b.Value // reset: it counted from zero
	}
	return 0
}

// PowerEnergy returns the energy of each slot from power readings in kW, each taken to hold until the next. A power holds at most maxHold (one hour
// when 0); a slot with less than its whole length covered is not covered, and counts what was.
func PowerEnergy(points []Point, sp timegrid.Span, step, maxHold time.Duration) []SlotEnergy {
	n := sp.Count(step)
	out := make([]SlotEnergy, n)
	pts := usable(points)
	if n == 0 || len(pts) == 0 {
		return out
	}
	if maxHold <= 0 {
		maxHold = time.Hour
	}
	first := timegrid.Ceil(sp.Start, step)
	// cumulative energy at slot ends, rounded there, so that the slots sum to the whole
	kwh, held := make([]float64, n), make([]time.Duration, n)
	for i, p := range pts {
		end := p.Time.Add(maxHold)
		if i+1 < len(pts) && pts[i+1].Time.Before(end) {
			end = pts[i+1].Time
		}
		for t := p.Time; t.Before(end); {
			k := int(t.Sub(first) / step)
			if t.Before(first) {
				t = first
				continue
			}
			if k >= n {
				break
			}
			to := first.Add(time.Duration(k+1) * step)
			if to.After(end) {
				to = end
			}
			kwh[k] += p.Value * to.Sub(t).Hours()
			held[k] += to.Sub(t)
			if p.Guess {
				out[k].Substituted = true
			}
			t = to
		}
	}
	sum, last := 0.0, units.WattHours(0)
	for k := range n {
		sum += kwh[k]
		r := units.WattHours(math.Round(sum * 1000))
		out[k].Wh, last = r-last, r
		out[k].Covered = held[k] >= step-time.Millisecond
	}
	return out
}

// usable returns the points that may be used, by time, the last of equal times.
func usable(points []Point) []Point {
	pts := make([]Point, 0, len(points))
	for _, p := range points {
		if !p.Bad && !math.IsNaN(p.Value) && !math.IsInf(p.Value, 0) {
			pts = append(pts, p)
		}
	}
	if !sort.SliceIsSorted(pts, func(i, j int) bool { return pts[i].Time.Before(pts[j].Time) }) {
		sort.SliceStable(pts, func(i, j int) bool { return pts[i].Time.Before(pts[j].Time) })
	}
	w := 0
	for i, p := range pts {
		if i > 0 && w > 0 && pts[w-1].Time.Equal(p.Time) {
			pts[w-1] = p
			continue
		}
		pts[w] = p
		w++
	}
	return pts[:w]
}
