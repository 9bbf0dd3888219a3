package discrete

import "math"

// machine is one device with one state over the steps [from, to), in the form of the dynamic program: state' = keep*state + drive + gain*power for power from
// 0, and - give*(-power) below. All series have the horizon's length.
type machine struct {
	from, to          int
	keep, drive, gain []float64
	give              float64
	initial           float64
	levels            []float64 // powers above 0 that are tried when on, ascending
	negative          []float64 // powers below 0
	price             []float64 // EUR per kW and step
	wearUp, wearDown  float64   // EUR per kW and step on top
	lo, hi            []float64 // grid of states per step, at the step's end
	stage             func(t int, x float64) float64
	floor             float64 // below it nothing more can be taken: the rest is short
	short             float64 // EUR per unit below the floor
	ceiling           float64 // never exceeded
	startCost         float64
	minOn, minOff     int
	initialOn         bool
	initialSteps      int
	scratch           []float64
	held              int // steps from the start that must keep the initial state
}

const gridPoints = 121

// solve returns the mode of every step in [from, to) as power levels: the chosen power, and whether the machine is on.
func (m *machine) solve() (power []float64, on []bool) {
	n := m.to - m.from
	power, on = make([]float64, n), make([]bool, n)
	if n == 0 {
		return power, on
	}
	up, down := max(1, m.minOn), max(1, m.minOff)
	modes := up + down // 0..down-1: off for 1..down steps or longer; down..: on for 1..up steps or longer
	value := make([]float64, (n+1)*modes*gridPoints)
	at := func(t, mode int) []float64 {
		k := ((t-m.from)*modes + mode) * gridPoints
		return value[k : k+gridPoints]
	}
	for t := m.to - 1; t >= m.from; t-- {
		lo, hi := m.span(t - 1)
		for g := 0; g < gridPoints; g++ {
			x := lo + (hi-lo)*float64(g)/(gridPoints-1)
			stay, begin := m.best(t, x, at, up, down, nil)
			for mode := 0; mode < modes; mode++ {
				at(t, mode)[g] = m.choose(t, mode, up, down, stay, begin, nil)
			}
		}
	}
	mode := m.firstMode(up, down)
	x := m.initial
	for t := m.from; t < m.to; t++ {
		act := action{}
		stay, begin := m.best(t, x, at, up, down, &act)
		isOn := false
		m.choose(t, mode, up, down, stay, begin, &isOn)
		p := act.off
		if isOn {
			p = act.on
			if mode < down {
				p = act.start
			}
		}
		power[t-m.from], on[t-m.from] = p, isOn
		x, _ = m.next(t, x, p)
		mode = nextMode(mode, isOn, up, down)
	}
	return power, on
}

// span is the grid of states at the end of step t (the start of the horizon for from-1).
func (m *machine) span(t int) (lo, hi float64) {
	if t < m.from {
		return m.initial - 1e-9, m.initial + 1e-9
	}
	return m.lo[t], m.hi[t]
}

func nextMode(mode int, on bool, up, down int) int {
	switch {
	case on && mode < down:
		return down
	case on:
		return min(mode+1, down+up-1)
	case mode >= down:
		return 0
	}
	return min(mode+1, down-1)
}

func (m *machine) firstMode(up, down int) int {
	if m.initialOn {
		return down + min(max(m.initialSteps, 1), up) - 1
	}
	return min(max(m.initialSteps, 1), down) - 1
}

// action holds the best powers of a state: while off, staying on, and starting.
type action struct{ off, on, start float64 }

// best computes the cost-to-go of every next mode from state x in step t with the best power.
func (m *machine) best(t int, x float64, at func(int, int) []float64, up, down int, act *action) (off, on []float64) {
	modes := up + down
	if len(m.scratch) < modes {
		m.scratch = make([]float64, modes)
	}
	out := m.scratch[:modes]
	lo, hi := m.span(t)
	scale := (gridPoints - 1) / math.Max(hi-lo, 1e-12)
	tail := func(mode int, y float64) float64 {
		v := at(t+1, mode)
		g := (y - lo) * scale
		k := int(math.Floor(g))
		if k < 0 {
			k = 0
		} else if k > gridPoints-2 {
			k = gridPoints - 2
		}
		f := g - float64(k) // beyond the grid: the end's slope goes on
		return v[k] + f*(v[k+1]-v[k])
	}
	for i := range out {
		out[i] = math.Inf(1)
	}
	y, c := m.next(t, x, 0)
	for i := 0; i < down; i++ {
		out[i] = c + tail(i, y)
	}
	try := func(p float64) {
		y, c := m.next(t, x, p)
		if math.IsInf(c, 1) {
			return
		}
		for i := down; i < modes; i++ {
			if v := c + tail(i, y); v < out[i] {
				out[i] = v
				if act != nil && i == down {
					act.start = p
				}
				if act != nil && i == modes-1 {
					act.on = p
				}
			}
		}
	}
	for _, p := range m.levels {
		try(p)
	}
	for _, p := range m.negative {
		try(p)
	}
	return out[:down:down], out[down:modes:modes]
}

// choose returns the cost-to-go of being in mode before the step, and whether on is better.
func (m *machine) choose(t, mode, up, down int, off, on []float64, isOn *bool) float64 {
	stayOff, goOn := math.Inf(1), math.Inf(1)
	if mode < down { // off now
		stayOff = off[min(mode+1, down-1)]
		if mode == down-1 {
			goOn = m.startCost + on[0]
		}
	} else {
		k := mode - down
		goOn = on[min(k+1, up-1)]
		if k == up-1 {
			stayOff = off[0]
		}
		if math.IsInf(goOn, 1) {
			stayOff = math.Min(stayOff, off[0]+1e6) // cannot stay on: leaving early is not allowed but must be representable
		}
	}
	if t < m.from+m.held {
		if m.initialOn {
			stayOff = math.Inf(1)
		} else {
			goOn = math.Inf(1)
		}
	}
	if goOn < stayOff {
		if isOn != nil {
			*isOn = true
		}
		return goOn
	}
	return stayOff
}

// next moves the state by one step and returns its cost, +Inf where a limit forbids the power.
func (m *machine) next(t int, x, p float64) (y, cost float64) {
	y = m.keep[t]*x + m.drive[t]
	if p >= 0 {
		y += m.gain[t] * p
		cost = p * (m.price[t] + m.wearUp)
	} else {
		y += m.give * p
		cost = p*m.price[t] - p*m.wearDown
	}
	if y > m.ceiling+1e-9 && p > 0 {
		return y, math.Inf(1)
	}
	if y < m.floor {
		if p < 0 {
			return y, math.Inf(1)
		}
		cost += m.short * (m.floor - y)
		y = m.floor
	}
	if m.stage != nil {
		cost += m.stage(t, y)
	}
	return y, cost
}
