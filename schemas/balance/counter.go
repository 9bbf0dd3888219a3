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
	Method      Method
}

// CounterRule says how a counter behaves where it does not simply grow, and how gaps between its readings are filled.
type CounterRule struct {
	RollsAtKWh float64       // the reading at which it starts again from 0, such as 999999.9; 0: never
	MaxKW      float64       // power above which a step cannot be energy but is a replacement of the meter; 0: no test
	MaxGap     time.Duration // longest time between two readings that is no gap; 0: one hour
	LongGap    time.Duration // from which a gap is filled as the device usually moves energy, where that is known, and not evenly; 0: two hours
	// Usual returns what the device usually moves, as it was known at the begin of a gap; nil, or a nil result: not known.
	Usual func(gap timegrid.Span) *Usual
}

// stretch is the time between two readings of a counter.
type stretch struct {
	kwh    float64 // by which it grew
	method Method  // of all slots in it, where the growth is no measurement
	known  bool    // false: what passed was not counted
	usual  *curve  // by which the growth spreads; nil: evenly
}

// CounterEnergy returns the energy of each slot of step in sp from counter readings, in any order, that should reach from before the span to after it.
//
// Between two readings the counter is taken to grow evenly, so it has a value at every slot boundary, and a slot's energy is the difference of the two values
// each rounded to the watt-hour: the slots of a span sum exactly to the difference of its ends, whatever the step. Over a gap longer than rule.MaxGap the energy is still
// exact in sum but its spread is an estimate, and the slots are marked substituted, unless it did not grow at all: interpolated, or from rule.LongGap on spread as on similar days.
//
// A reading below the one before is a roll-over when the rule has a roll-over point and the difference through it is plausible; otherwise it is a reset or a replaced meter, and the
// energy since the reset is the new reading itself, an estimate from below. After a jump that no power explains another meter was put in: what passed meanwhile was not counted, so the slots are not
// covered and hold what the device usually moves, or zero.
func CounterEnergy(points []Point, sp timegrid.Span, step time.Duration, rule CounterRule) []SlotEnergy {
	n := sp.Count(step)
	out := make([]SlotEnergy, n)
	pts := rule.plausible(usable(points))
	if n == 0 || len(pts) < 2 {
		return out
	}
	if rule.MaxGap <= 0 {
		rule.MaxGap = time.Hour
	}
	if rule.LongGap <= 0 {
		rule.LongGap = 2 * time.Hour
	}
	first := timegrid.Ceil(sp.Start, step)
	// total[i] is the reading as if the counter had never rolled over or been replaced. It is kept as reading plus offset, so that two spans that meet at
	// an instant round the same value there, and months sum exactly to what the counter says
	total, offset := make([]float64, len(pts)), 0.0
	stretches := make([]stretch, len(pts)-1)
	total[0] = pts[0].Value
	for i := range stretches {
		s := rule.between(pts[i], pts[i+1])
		stretches[i] = s
		if d := pts[i+1].Value - pts[i].Value; s.kwh != d {
			offset += s.kwh - d
		}
		total[i+1] = pts[i+1].Value + offset
		rule.mark(out, first, step, timegrid.Span{Start: pts[i].Time, End: pts[i+1].Time}, s)
	}
	at := 0
	value := func(t time.Time) (kwh float64, ok bool, method Method) {
		for at+1 < len(pts)-1 && !pts[at+1].Time.After(t) {
			at++
		}
		a, b := pts[at], pts[at+1]
		if t.Before(a.Time) || t.After(b.Time) {
			return 0, false, 0
		}
		if t.After(a.Time) && t.Before(b.Time) && b.Time.Sub(a.Time) > rule.MaxGap && stretches[at].kwh != 0 {
			method = Interpolated
			if stretches[at].usual != nil {
				method = SimilarDays
			}
		}
		if a.Guess || b.Guess {
			method |= Estimate
		}
		return total[at] + stretches[at].share(a.Time, t, b.Time)*stretches[at].kwh, true, method
	}
	prev, prevOK, prevMethod := value(first)
	for i := range n {
		end := first.Add(time.Duration(i+1) * step)
		v, ok, method := value(end)
		e := &out[i]
		if ok && prevOK {
			e.Wh = units.WattHours(math.Round(v*1000)) - units.WattHours(math.Round(prev*1000))
			e.Covered = e.Method&(Missing|uncounted) == 0
			e.Method |= method | prevMethod
		}
		if e.Method &^= uncounted; !ok || !prevOK {
			e.Method = 0
		}
		e.Substituted = e.Method != 0
		prev, prevOK, prevMethod = v, ok, method
	}
	return out
}

// plausible leaves out single readings that cannot be: the counter would have jumped or fallen, while the reading after it goes on from the one before. A meter that was
// replaced, was reset or rolled over goes on from its new reading, which stays. Without a largest power nothing is left out.
func (r *CounterRule) plausible(pts []Point) []Point {
	if r.MaxKW <= 0 || len(pts) < 3 {
		return pts
	}
	out := append(make([]Point, 0, len(pts)), pts[0])
	for i := 1; i < len(pts); i++ {
		last := out[len(out)-1]
		if i+1 < len(pts) && !r.grows(last, pts[i]) && r.grows(last, pts[i+1]) {
			if _, method, known := r.growth(last, pts[i]); !known || method != 0 {
				continue
			}
		}
		out = append(out, pts[i])
	}
	return out
}

// grows reports whether a counter simply grew from one reading to another.
func (r *CounterRule) grows(a, b Point) bool {
	return b.Value >= a.Value && b.Value-a.Value <= r.most(a, b)
}

// most is by how much a counter may grow between two readings.
func (r *CounterRule) most(a, b Point) float64 {
	if r.MaxKW <= 0 {
		return math.Inf(1)
	}
	return math.Max(r.MaxKW*b.Time.Sub(a.Time).Hours()*1.1, 1) // a meter's last digit must not look like a replacement
}

// uncounted marks a slot in which nothing was counted although it was filled by what is usual.
const uncounted Method = 1 << 7

// between tells what passed from one reading to the next.
func (r *CounterRule) between(a, b Point) stretch {
	gap := timegrid.Span{Start: a.Time, End: b.Time}
	var s stretch
	s.kwh, s.method, s.known = r.growth(a, b)
	if gap.Duration() <= r.LongGap && s.known || r.Usual == nil {
		return s
	}
	if s.usual = r.Usual(gap).curve(gap.Start, gap.End); s.usual != nil && !s.known {
		s.kwh, s.method = s.usual.at(gap.End), SimilarDays|uncounted
	}
	return s
}

// mark notes in every slot that a stretch touches that it is no measurement.
func (r *CounterRule) mark(out []SlotEnergy, first time.Time, step time.Duration, gap timegrid.Span, s stretch) {
	if s.method == 0 {
		return
	}
	from := max(0, int(timegrid.Floor(gap.Start, step).Sub(first)/step))
	for i := from; i < len(out) && first.Add(time.Duration(i)*step).Before(gap.End); i++ {
		if first.Add(time.Duration(i+1) * step).After(gap.Start) {
			out[i].Method |= s.method
		}
	}
}

// share returns the part of the growth from a to b that lies before t.
func (s *stretch) share(a, t, b time.Time) float64 {
	if s.usual != nil {
		return s.usual.at(t) / s.usual.at(b)
	}
	return float64(t.Sub(a)) / float64(b.Sub(a))
}

// growth returns the energy between two consecutive readings; known is false where it was not counted.
func (r *CounterRule) growth(a, b Point) (kwh float64, method Method, known bool) {
	d := b.Value - a.Value
	most := r.most(a, b)
	switch {
	case d >= 0 && d <= most:
		return d, 0, true
	case d >= 0: // a jump that no power explains: another meter was put in
		return 0, Missing, false
	}
	if r.RollsAtKWh > 0 {
		if through := r.RollsAtKWh - a.Value + b.Value; through >= 0 && through <= most && a.Value > r.RollsAtKWh/2 {
			return through, 0, true
		}
	}
	if b.Value >= 0 && b.Value <= most && (r.MaxKW > 0 || b.Value <= a.Value) {
		return b.Value, Estimate, true // reset: it counted from zero, and what passed before is not known
	}
	return 0, Missing, false
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
				out[k].Substituted, out[k].Method = true, Estimate
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
