package exact

import "math"

// Soft is the cost slope*s + under*max(0, least-s) + over*max(0, s-most) of a state, EUR; under and over are at least 0.
type Soft struct{ Slope, Under, Least, Over, Most float64 }

func (f Soft) at(s float64) float64 {
	return f.Slope*s + f.Under*max(0, f.Least-s) + f.Over*max(0, s-f.Most)
}

// Step is what a machine may do in one step; see the package comment. Costs are EUR per kW held for the step, the price of electricity included.
type Step struct {
	Keep, Drive       float64
	Gain, Least, Most float64 // on: Most below Least means that it cannot be on
	Cost              float64
	Drain, Give, Pay  float64 // give: Give 0 means that it cannot
	// Above and Beyond make power dearer from some power on: for each bend, what exceeds At kW costs More (EUR per kW, from 0) on top, consumed and given. At ascends.
	Above, Beyond []Bend
	Low, High     float64 // hard limits of the state at the step's end, may be infinite
	Soft          Soft
}

// Bend is a power (kW, from 0) above which each kW costs more.
type Bend struct{ At, More float64 }

// bent is what the bends add to the cost of a power.
func bent(bends []Bend, u float64) float64 {
	sum := 0.0
	for _, b := range bends {
		sum += b.More * max(0, u-b.At)
	}
	return sum
}

// Machine is one device alone.
type Machine struct {
	Steps   []Step
	Initial float64
	// Floor, where HasFloor is set, is the state below which nothing falls: what is lacking costs Short (EUR per unit).
	HasFloor     bool
	Floor, Short float64
	Up, Down     int // minimum steps on and off; below 2: none
	StartCost    float64
	InitialOn    bool
	InitialSteps int // how long it has been so
}

// Next returns the state after step t at a power (kW, below 0 when giving) from state x, and whether it is within its upper limit.
func (m *Machine) Next(t int, x, power float64) (y float64, ok bool) {
	q := &m.Steps[t]
	y = q.Keep*x + q.Drive
	if power >= 0 {
		y += q.Gain * power
	} else {
		y += q.Drain * power
	}
	if m.HasFloor {
		y = max(y, m.Floor)
	}
	return y, y <= q.High+edge
}

// Cost returns what running the machine costs (EUR) by powers (kW), and whether they keep its limits to within 1e-5; on tells when it is on, nil: when it draws power. Minimum
// times are not looked at.
func (m *Machine) Cost(power []float64, on []bool) (cost float64, ok bool) {
	const tolerance = 1e-5 // kW, kWh or K, as of a plan
	x, was, ok := m.Initial, m.InitialOn, true
	for t := range m.Steps {
		q, u := &m.Steps[t], power[t]
		now := u > tolerance
		if on != nil {
			now = on[t]
		}
		switch {
		case now:
			cost += q.Cost*u + bent(q.Above, u)
			ok = ok && u >= q.Least-tolerance && u <= q.Most+tolerance
			if !was {
				cost += m.StartCost
			}
		case u < 0:
			cost += bent(q.Beyond, -u) - q.Pay*u
			ok = ok && -u <= q.Give+tolerance
		default:
			u = 0
		}
		was = now
		y := q.Keep*x + q.Drive
		if u >= 0 {
			y += q.Gain * u
		} else {
			y += q.Drain * u
		}
		if m.HasFloor && y < m.Floor {
			cost += m.Short * (m.Floor - y)
			y = m.Floor
		}
		ok = ok && y >= q.Low-tolerance && y <= q.High+tolerance
		cost += q.Soft.at(y)
		x = y
	}
	return cost, ok
}

// Choice is what a machine does in one step.
type Choice int8

// The choices.
const (
	Off Choice = iota
	On
	Give
)

// Answer is what a machine does at the least cost, as far as the tolerance sees.
type Answer struct {
	// Bound is a value (EUR) that no way of running the machine costs less than; +Inf when there is none within its limits.
	Bound  float64
	Cost   float64   // EUR of the way below
	Power  []float64 // kW, positive into the device
	Choice []Choice
}

// Solver holds the memory of one solve after the other. It is not safe for concurrent use.
type Solver struct {
	left                [][]curve // by step and mode: least cost of the state at the step's end and all that follows
	a, b, c, d, e, f, g curve
	next                []curve
	ran                 []ran
	work                scratch
	arena               []float64
}

// ran is the value of being on in a step, once it is known.
type ran struct {
	curve
	known bool
}

// keep copies a curve into the solver's memory.
func (s *Solver) keep(c *curve) curve {
	n := len(c.x)
	if len(s.arena)+2*n > cap(s.arena) {
		s.arena = make([]float64, 0, max(2*cap(s.arena), 1<<14, 4*n)) // older curves keep the old one alive
	}
	from := len(s.arena)
	s.arena = append(append(s.arena, c.x...), c.y...)
	return curve{s.arena[from : from+n : from+n], s.arena[from+n : from+2*n : from+2*n]}
}

// modes number the states of a machine with starts or minimum times by the steps that it must still stay off (0..off) or on (0..on). Another one has one mode.
type modes struct {
	up, down int // steps still to stay after the first one on, and off
	off, on  int
	initial  int
	one      bool
}

func (m *Machine) modes() modes {
	k := modes{up: max(1, m.Up) - 1, down: max(1, m.Down) - 1}
	held := m.Down
	if m.InitialOn {
		held = m.Up
	}
	held = min(len(m.Steps), max(0, held-m.InitialSteps))
	if k.up == 0 && k.down == 0 && m.StartCost == 0 && held == 0 {
		return modes{one: true}
	}
	k.off, k.on, k.initial = k.down, k.up, held
	if m.InitialOn {
		k.on = max(k.on, held)
		k.initial += k.off + 1
	} else {
		k.off = max(k.off, held)
	}
	return k
}

func (k modes) count() int {
	if k.one {
		return 1
	}
	return k.off + k.on + 2
}

func (k modes) isOn(mode int) bool { return !k.one && mode > k.off }

// stop returns the mode after a step off from mode, and whether that is allowed; run likewise for a step on, and whether it is a start.
func (k modes) stop(mode int) (next int, allowed bool) {
	switch {
	case k.one:
		return 0, true
	case mode <= k.off:
		return max(0, mode-1), true
	}
	return k.down, mode == k.off+1
}

func (k modes) run(mode int) (next int, allowed, start bool) {
	switch {
	case k.one:
		return 0, true, false
	case mode > k.off:
		return k.off + 1 + max(0, mode-k.off-2), true, false
	}
	return k.off + 1 + k.up, mode == 0, true
}

const edge = 1e-9 // limits are widened by this share, which never makes a bound too high

func widen(low, high float64) (float64, float64) {
	return low - edge*(1+math.Abs(low)), high + edge*(1+math.Abs(high))
}

// reach returns the interval of states at the end of each step that can be reached within the limits, widened.
func (m *Machine) reach() (low, high []float64) {
	low, high = make([]float64, len(m.Steps)), make([]float64, len(m.Steps))
	from, to := m.Initial, m.Initial
	for t := range m.Steps {
		q := &m.Steps[t]
		from, to = q.Keep*from+q.Drive, q.Keep*to+q.Drive
		if q.Give > 0 {
			from -= q.Drain * q.Give
		}
		if q.Most >= q.Least {
			to += q.Gain * q.Most
		}
		if m.HasFloor {
			from, to = max(from, m.Floor), max(to, m.Floor)
		}
		if a, b := max(from, q.Low), min(to, q.High); a <= b {
			from, to = a, b
		}
		from, to = widen(from, to)
		low[t], high[t] = from, to
	}
	return low, high
}

// Solve values the machine and finds a way of running it. The bound misses the least cost by at most tolerance (EUR) and rounding.
func (s *Solver) Solve(m *Machine, tolerance float64) Answer {
	T := len(m.Steps)
	if T == 0 {
		return Answer{}
	}
	k := m.modes()
	n := k.count()
	low, high := m.reach()
	eps := tolerance / float64(T)
	s.arena = s.arena[:0]
	for len(s.left) < T+1 {
		s.left = append(s.left, nil)
	}
	for len(s.next) < n {
		s.next, s.ran = append(s.next, curve{}), append(s.ran, ran{})
	}
	size := 0.0
	end := curve{x: []float64{low[T-1], high[T-1]}, y: []float64{0, 0}}
	s.a.add(&end, m.Steps[T-1].Soft)
	last := s.keep(&s.a)
	s.left[T-1] = s.left[T-1][:0]
	for range n {
		s.left[T-1] = append(s.left[T-1], last)
	}
	for t := T - 1; t >= 0; t-- {
		s.back(m, k, t)
		if t == 0 {
			break
		}
		s.left[t-1] = s.left[t-1][:0]
		for mode := range n {
			g := &s.next[mode]
			s.a.simplify(g, eps)
			s.before(m, t, &s.a, low[t-1], high[t-1])
			for _, y := range s.a.y {
				size = max(size, math.Abs(y))
			}
			s.left[t-1] = append(s.left[t-1], s.keep(&s.a))
		}
	}
	x := m.Steps[0].Keep*m.Initial + m.Steps[0].Drive
	best := s.next[k.initial].at(x, edge*(1+math.Abs(x)))
	out := Answer{Bound: best - 1e-13*float64(T)*(1+size)}
	if !math.IsInf(best, 1) {
		s.follow(m, k, &out)
	}
	return out
}

// before turns c, a function of keep*s + drive in step t, into the least cost from the state at the end of step t-1 on.
func (s *Solver) before(m *Machine, t int, c *curve, low, high float64) {
	q, p := &m.Steps[t], &m.Steps[t-1]
	if q.Keep > 0 {
		c.compose(q.Keep, q.Drive)
		c.restrict(low, high)
	} else if v := c.at(q.Drive, edge*(1+math.Abs(q.Drive))); math.IsInf(v, 1) {
		c.reset()
	} else {
		c.x, c.y = append(c.x[:0], low, high), append(c.y[:0], v, v)
	}
	a, b := widen(p.Low, p.High)
	c.restrict(a, b)
	s.b.add(c, p.Soft)
	*c, s.b = s.b, *c
}

// back writes to s.next, for each mode before step t, the least cost as a function of keep*s + drive.
func (s *Solver) back(m *Machine, k modes, t int) {
	q := &m.Steps[t]
	deepest := 0.0 // how far below the floor a state may come before it is held there
	if m.HasFloor {
		deepest = max(0, m.Floor-(q.Keep*m.Floor+q.Drive)) + edge
	}
	whole := func(mode int) *curve {
		if !m.HasFloor {
			return &s.left[t][mode]
		}
		s.c.copyFrom(&s.left[t][mode])
		s.c.restrict(m.Floor, math.Inf(1))
		s.c.extend(m.Floor-deepest, m.Short)
		return &s.c
	}
	for mode := range s.ran {
		s.ran[mode].known = false
	}
	on := func(mode int) *curve { // two modes before a step may lead to the same one after it
		r := &s.ran[mode]
		if !r.known {
			r.known = true
			r.reset()
			if q.Most >= q.Least && q.Gain > 0 {
				s.ranges(&r.curve, whole(mode), q.Gain, q.Least, q.Most, q.Cost, q.Above)
			}
		}
		return &r.curve
	}
	for mode := range k.count() {
		out := &s.next[mode]
		out.reset()
		off := out
		if next, allowed := k.stop(mode); allowed {
			if off = whole(next); m.HasFloor { // the next call of whole uses the same memory
				out.copyFrom(off)
				off = out
			}
		}
		if next, allowed, start := k.run(mode); !allowed {
			if off != out {
				out.copyFrom(off)
			}
		} else if run := on(next); start && m.StartCost > 0 {
			s.d.copyFrom(run)
			for i := range s.d.y {
				s.d.y[i] += m.StartCost
			}
			s.lower(out, off, &s.d)
		} else {
			s.lower(out, off, run)
		}
		if k.one && q.Give > 0 && q.Drain > 0 {
			s.ranges(&s.d, whole(0), -q.Drain, 0, q.Give, q.Pay, q.Beyond)
			s.lower(out, out, &s.d)
		}
	}
}

// lower sets out to the smaller of a and b, either of which may be out itself.
func (s *Solver) lower(out, a, b *curve) {
	s.e.lower(a, b)
	*out, s.e = s.e, *out
}

// ranges writes the least cost over the powers from lo to hi, which move the state by gain each, to out: a window for each stretch between bends.
func (s *Solver) ranges(out, f *curve, gain, lo, hi, cost float64, bends []Bend) {
	stretch := func(out *curve, lo, hi float64) {
		slope := cost
		middle := lo + (hi-lo)/2
		for _, b := range bends {
			if b.At <= middle {
				slope += b.More
			}
		}
		if gain > 0 {
			out.window(f, gain*lo, gain*hi, slope/gain, &s.work)
		} else {
			out.window(f, gain*hi, gain*lo, slope/gain, &s.work)
		}
		if base := cost*lo + bent(bends, lo) - slope*lo; base != 0 {
			for i := range out.y {
				out.y[i] += base
			}
		}
	}
	from, first := lo, true
	for k := 0; k <= len(bends); k++ {
		to := hi
		if k < len(bends) {
			to = min(hi, bends[k].At)
		}
		if to <= from && !(k == len(bends) && first) {
			continue
		}
		if first {
			stretch(out, from, to)
		} else {
			stretch(&s.f, from, to)
			s.g.lower(out, &s.f)
			*out, s.g = s.g, *out
		}
		from, first = to, false
	}
}

// follow runs the machine forward by the functions.
func (s *Solver) follow(m *Machine, k modes, out *Answer) {
	T := len(m.Steps)
	out.Power, out.Choice = make([]float64, T), make([]Choice, T)
	x, mode := m.Initial, k.initial
	for t := range m.Steps {
		q := &m.Steps[t]
		y := q.Keep*x + q.Drive
		best, choice, power, then := math.Inf(1), Off, 0.0, mode
		if next, allowed := k.stop(mode); allowed {
			best, then = s.after(m, t, next, y), next
		}
		if next, allowed, start := k.run(mode); allowed && q.Most >= q.Least && q.Gain > 0 {
			cost := 0.0
			if start {
				cost = m.StartCost
			}
			if u, v := s.least(m, t, next, y, q.Gain, q.Least, q.Most, q.Cost, q.Above); v+cost < best {
				best, choice, power, then = v+cost, On, u, next
			}
		}
		if k.one && q.Give > 0 && q.Drain > 0 {
			if u, v := s.least(m, t, 0, y, -q.Drain, 0, q.Give, q.Pay, q.Beyond); v < best {
				best, choice, power = v, Give, -u
			}
		}
		if math.IsInf(best, 1) && !k.one { // rounding closed every way: go on as the mode demands
			if next, allowed, _ := k.run(mode); allowed && k.isOn(mode) {
				choice, power, then = On, q.Least, next
			}
		}
		switch choice {
		case On:
			y += q.Gain * power
			out.Cost += q.Cost*power + bent(q.Above, power)
			if _, _, start := k.run(mode); start {
				out.Cost += m.StartCost
			}
		case Give:
			y += q.Drain * power
			out.Cost += bent(q.Beyond, -power) - q.Pay*power
		}
		if m.HasFloor && y < m.Floor {
			out.Cost += m.Short * (m.Floor - y)
			y = m.Floor
		}
		out.Cost += q.Soft.at(y)
		out.Power[t], out.Choice[t] = power, choice
		x, mode = y, then
	}
}

// after is the least cost from the state y at the end of step t on, the floor applied.
func (s *Solver) after(m *Machine, t, mode int, y float64) float64 {
	lack := 0.0
	if m.HasFloor && y < m.Floor {
		lack, y = m.Short*(m.Floor-y), m.Floor
	}
	return lack + s.left[t][mode].near(y, edge/4*(1+math.Abs(y)))
}

// least returns the power in [lo, hi] that costs least, and what it costs with all that follows: at an end of the range or where the function has a point.
func (s *Solver) least(m *Machine, t, mode int, y, gain, lo, hi, cost float64, bends []Bend) (power, value float64) {
	value = math.Inf(1)
	try := func(u float64) {
		if v := cost*u + bent(bends, u) + s.after(m, t, mode, y+gain*u); v < value {
			power, value = u, v
		}
	}
	try(lo)
	try(hi)
	for _, b := range bends {
		if b.At > lo && b.At < hi {
			try(b.At)
		}
	}
	if m.HasFloor {
		if u := (m.Floor - y) / gain; u > lo && u < hi {
			try(u)
		}
	}
	f := &s.left[t][mode]
	from, to := y+gain*lo, y+gain*hi
	if from > to {
		from, to = to, from
	}
	for i := f.search(from); i < len(f.x) && f.x[i] <= to; i++ {
		if u := (f.x[i] - y) / gain; u > lo && u < hi {
			try(u)
		}
	}
	return power, value
}
