package balance

import (
	"time"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// leastDays is how many days of a kind must be known for them to tell what is usual; fewer count with all the others.
const leastDays = 2

// Usual is what a device usually moves at each time of the local day, by kind of day: working day, Saturday, Sunday. A nil Usual knows nothing.
type Usual struct {
	step time.Duration
	zone *time.Location
	wh   [4][]float64 // by kind of day and slot of the local day, sums; the last holds all days
	n    [4][]int
}

// NewUsual learns from the slots of a span; those that are no measurement do not count.
func NewUsual(slots []SlotEnergy, sp timegrid.Span, step time.Duration, zone *time.Location) *Usual {
	u := &Usual{step: step, zone: zone}
	per := int(24 * time.Hour / step)
	for k := range u.wh {
		u.wh[k], u.n[k] = make([]float64, per), make([]int, per)
	}
	first := timegrid.Ceil(sp.Start, step)
	for i, e := range slots {
		if !e.Covered || e.Substituted {
			continue
		}
		kind, at := u.place(first.Add(time.Duration(i) * step))
		for _, k := range []int{kind, 3} {
			u.wh[k][at] += float64(e.Wh)
			u.n[k][at]++
		}
	}
	return u
}

// place returns the kind of the local day and the slot in it.
func (u *Usual) place(t time.Time) (kind, slot int) {
	l := t.In(u.zone)
	switch l.Weekday() {
	case time.Saturday:
		kind = 1
	case time.Sunday:
		kind = 2
	}
	return kind, int((time.Duration(l.Hour())*time.Hour + time.Duration(l.Minute())*time.Minute) / u.step)
}

// slot returns what is usual in the slot that holds t, Wh.
func (u *Usual) slot(t time.Time) (float64, bool) {
	kind, at := u.place(t)
	if u.n[kind][at] < leastDays {
		kind = 3
	}
	if u.n[kind][at] < leastDays {
		return 0, false
	}
	return u.wh[kind][at] / float64(u.n[kind][at]), true
}

// curve is what a device usually moves since an instant, kWh: exact at the ends of slots and even between them.
type curve struct {
	from time.Time
	step time.Duration
	sums []float64 // at from, then at each end of a slot
}

// curve returns what is usual from one instant to another; nil where that is not known for all of it, or nothing.
func (u *Usual) curve(from, to time.Time) *curve {
	if u == nil {
		return nil
	}
	c := &curve{from: from, step: u.step, sums: []float64{0}}
	sum := 0.0
	for t := from; t.Before(to); {
		end := timegrid.Floor(t, u.step).Add(u.step)
		wh, ok := u.slot(t)
		if !ok {
			return nil
		}
		sum += max(0, wh) / 1000 * float64(end.Sub(t)) / float64(u.step)
		c.sums = append(c.sums, sum)
		t = end
	}
	if c.at(to) <= 0 {
		return nil
	}
	return c
}

// at returns the curve at an instant inside it.
func (c *curve) at(t time.Time) float64 {
	begin := timegrid.Floor(c.from, c.step)
	k := int(t.Sub(begin) / c.step)
	if k+1 >= len(c.sums) {
		return c.sums[len(c.sums)-1]
	}
	start := begin.Add(time.Duration(k) * c.step)
	if start.Before(c.from) {
		start = c.from
	}
	end := begin.Add(time.Duration(k+1) * c.step)
	return c.sums[k] + (c.sums[k+1]-c.sums[k])*float64(t.Sub(start))/float64(end.Sub(start))
}

// Between returns what the device usually moves from one instant to another, kWh; ok is false where that is not known for all of it.
func (u *Usual) Between(from, to time.Time) (kwh float64, ok bool) {
	if u == nil {
		return 0, false
	}
	sum := 0.0
	for t := from; t.Before(to); {
		end := timegrid.Floor(t, u.step).Add(u.step)
		if end.After(to) {
			end = to
		}
		wh, ok := u.slot(t)
		if !ok {
			return 0, false
		}
		sum += wh * float64(end.Sub(t)) / float64(u.step)
		t = end
	}
	return sum / 1000, true
}

// Fill puts what is usual into the slots in which nothing was measured, such as those of a device that is away and has not come back: they are marked, and stay uncovered.
func (u *Usual) Fill(slots []SlotEnergy, sp timegrid.Span, step time.Duration) {
	first := timegrid.Ceil(sp.Start, step)
	for i := range slots {
		e := &slots[i]
		if e.Covered || e.Wh != 0 || e.Method != 0 {
			continue
		}
		at := first.Add(time.Duration(i) * step)
		if kwh, ok := u.Between(at, at.Add(step)); ok {
			before, _ := u.Between(first, at) // rounded at the ends, so that slots sum to the whole
			e.Wh = units.Energy(before+kwh).WattHours() - units.Energy(before).WattHours()
			e.Substituted, e.Method = true, SimilarDays
		}
	}
}
