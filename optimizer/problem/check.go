package problem

import (
	"fmt"
	"math"
	"strconv"
)

// Validate checks a problem built in Go by the rules of the document and with its paths; its error is a [Faults] that names every fault. A nil
// series is a fault: see [Problem.Fill].
func Validate(p *Problem) error {
	c := &checker{steps: p.Steps}
	c.problem(p)
	return c.result()
}

// checker collects faults. A path that is already at fault gets no second one, and nothing is concluded from a value at fault.
type checker struct {
	steps  int // T, 0 when it is itself at fault
	faults Faults
	seen   map[string]bool
}

func (c *checker) result() error {
	if len(c.faults) == 0 {
		return nil
	}
	return c.faults
}

func (c *checker) fault(at *path, format string, args ...any) {
	text := at.String()
	if c.seen[text] {
		return
	}
	c.mark(at)
	c.faults = append(c.faults, Fault{text, fmt.Sprintf(format, args...)})
}

// mark says that the place is at fault without a line of its own.
func (c *checker) mark(at *path) {
	if c.seen == nil {
		c.seen = map[string]bool{}
	}
	c.seen[at.String()] = true
}

func (c *checker) problem(p *Problem) {
	at := root()
	if p.Version != Version {
		c.fault(at.field("version"), "must be %d, not %d", Version, p.Version)
	}
	if p.Start.IsZero() {
		c.fault(at.field("start"), "missing")
	} else if p.Start.UTC().Year() < 1 || p.Start.UTC().Year() > 9999 || p.Start.Year() < 1 || p.Start.Year() > 9999 {
		c.fault(at.field("start"), "the year must be from 1 to 9999")
	}
	if p.Steps < 1 || p.Steps > MaxSteps {
		c.fault(at.field("steps"), "a whole number from 1 to %d is needed, not %d", MaxSteps, p.Steps)
		c.steps = 0
	}
	c.number(at.field("step_minutes"), p.StepMinutes, aboveZero)
	c.number(at.field("carbon_price"), p.CarbonPrice, fromZero)
	c.fields(at.field("grid"), p.Grid.fields())
	sites, ids := at.field("sites"), map[string]bool{}
	for i := range p.Sites {
		s, here := &p.Sites[i], sites.at(i)
		c.id(here, s.ID, ids)
		c.fields(here, s.fields())
		devices, names := here.field("devices"), map[string]bool{}
		for j, d := range s.Devices {
			there := devices.at(j)
			if d == nil {
				c.fault(there.field("kind"), "missing")
				continue
			}
			c.id(there, d.ID(), names)
			if c.fields(there, d.fields()) {
				d.cross(c, there, p)
			}
		}
	}
}

func (c *checker) id(at *path, id string, used map[string]bool) {
	switch {
	case id == "":
		c.fault(at.field("id"), "missing")
	case used[id]:
		c.fault(at.field("id"), "%s is used twice", strconv.Quote(id))
	}
	used[id] = true
}

// fields checks each field for itself and reports whether all are good.
func (c *checker) fields(at *path, fs []field) bool {
	good := true
	for _, f := range fs {
		here := at.field(f.name)
		switch f.kind {
		case numberField:
			good = c.number(here, *f.number, f.bounds) && good
		case seriesField:
			good = c.series(here, f) && good
		case stepField:
			if *f.step < 0 {
				c.fault(here, "a whole number from 0 is needed, not %d", *f.step)
				good = false
			}
		case listField:
			if len(*f.series) == 0 {
				c.fault(here, "a list of at least one number from 0 is needed")
				good = false
			}
			good = c.values(here, *f.series, f.bounds) && good
		case sessionsField:
			for i := range *f.sessions {
				good = c.fields(here.at(i), (*f.sessions)[i].fields()) && good
			}
		case zoneField:
			good = c.fields(here, f.zone.fields()) && good
		}
	}
	return good
}

func (c *checker) number(at *path, v float64, b bounds) bool {
	if b.holds(v) {
		return true
	}
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		c.fault(at, "a finite number is needed, not %v", v)
	case b.above && v <= b.low && math.IsInf(b.high, 1):
		c.fault(at, "must be above %v, not %v", b.low, v)
	case b.above:
		c.fault(at, "%v outside (%v, %v]", v, b.low, b.high)
	default:
		c.fault(at, "%v below %v", v, b.low)
	}
	return false
}

func (c *checker) series(at *path, f field) bool {
	s := *f.series
	if f.open && s == nil {
		return true
	}
	if c.steps > 0 && len(s) != c.steps {
		if s == nil {
			c.fault(at, "missing")
		} else {
			c.fault(at, "%d values for %d steps", len(s), c.steps)
		}
		c.values(at, s, f.bounds)
		return false
	}
	if f.limit && allInf(s) {
		return true
	}
	return c.values(at, s, f.bounds)
}

func allInf(s []float64) bool {
	for _, v := range s {
		if !math.IsInf(v, 1) {
			return false
		}
	}
	return true
}

// values checks each value; a constant that is at fault is one fault of the whole list.
func (c *checker) values(at *path, s []float64, b bounds) bool {
	bad, same := 0, true
	for _, v := range s {
		if !b.holds(v) {
			bad++
		}
		same = same && math.Float64bits(v) == math.Float64bits(s[0])
	}
	switch {
	case bad == 0:
		return true
	case same && c.seen[at.at(0).String()]:
		return false // each value was a fault where it was read
	case same:
		return c.number(at, s[0], b)
	}
	for i, v := range s {
		if !b.holds(v) {
			c.number(at.at(i), v, b)
		}
	}
	return false
}

func (d *PV) cross(*checker, *path, *Problem) {}

func (d *Battery) cross(c *checker, at *path, p *Problem) {
	atMost(c, at, "min_kwh", d.MinKWh, "capacity", d.CapacityKWh)
	atMost(c, at, "final_min_kwh", d.FinalMinKWh, "capacity", d.CapacityKWh)
	atMost(c, at, "initial_kwh", d.InitialKWh, "capacity", d.CapacityKWh)
	if d.InitialKWh < d.MinKWh {
		c.fault(at.field("initial_kwh"), "%v below min_kwh %v", d.InitialKWh, d.MinKWh)
	}
	c.loss(at, "self_discharge_per_hour", d.SelfDischargePerHour, p)
}

func (d *EV) cross(c *checker, at *path, p *Problem) {
	atMost(c, at, "min_kw", d.MinKW, "max_kw", d.MaxKW)
	end := 0
	for i, s := range d.Sessions {
		here := at.field("sessions").at(i)
		atMost(c, here, "initial_kwh", s.InitialKWh, "capacity", d.CapacityKWh)
		atMost(c, here, "target_kwh", s.TargetKWh, "capacity", d.CapacityKWh)
		switch {
		case s.ArriveStep < end:
			c.fault(here.field("arrive_step"), "%d before the end %d of the session before it", s.ArriveStep, end)
		case s.DepartStep < s.ArriveStep:
			c.fault(here.field("depart_step"), "%d before arrive_step %d", s.DepartStep, s.ArriveStep)
		case c.steps > 0 && s.DepartStep > c.steps:
			c.fault(here.field("depart_step"), "%d beyond the %d steps of the horizon", s.DepartStep, c.steps)
		}
		end = max(end, s.DepartStep)
	}
}

func (d *HeatPump) cross(c *checker, at *path, p *Problem) {
	atMost(c, at, "min_kw", d.MinKW, "max_kw", d.MaxKW)
	z := at.field("zone").field("min_c")
	if len(d.Zone.MinC) != len(d.Zone.MaxC) {
		return // only when the number of steps is itself at fault
	}
	for t, low := range d.Zone.MinC {
		if low > d.Zone.MaxC[t] {
			c.fault(z, "%v above max_c %v in step %d", low, d.Zone.MaxC[t], t)
			return
		}
	}
}

func (d *WaterHeater) cross(c *checker, at *path, p *Problem) {
	atMost(c, at, "min_kw", d.MinKW, "max_kw", d.MaxKW)
	atMost(c, at, "initial_kwh", d.InitialKWh, "capacity", d.CapacityKWh)
	atMost(c, at, "final_min_kwh", d.FinalMinKWh, "capacity", d.CapacityKWh)
	c.loss(at, "loss_per_hour", d.LossPerHour, p)
	if n := len(d.CapacityByStepKWh); n == 0 || n != len(d.DrawKW) || !aboveZero.holds(p.StepMinutes) {
		return
	}
	here, left := at.field("capacity_by_step_kwh"), d.InitialKWh
	for t, most := range d.CapacityByStepKWh {
		left = (1-d.LossPerHour*p.Hours())*left - p.Hours()*d.DrawKW[t]
		switch {
		case most > d.CapacityKWh:
			c.fault(here, "%v above capacity %v in step %d", most, d.CapacityKWh, t)
			return
		case left > most+fallTolerance:
			c.fault(here, "%v in step %d, at the end of which a tank without power holds up to %v", most, t, left)
			return
		}
		left = most
	}
	atMost(c, at, "final_min_kwh", d.FinalMinKWh, "the last capacity_by_step_kwh", left)
}

// fallTolerance is by how much the capacity of a tank may fall faster than what it holds, kWh: rounding.
const fallTolerance = 1e-9

func (d *Shiftable) cross(c *checker, at *path, _ *Problem) {
	c.window(at, d.EarliestStep, d.LatestStep, len(d.ProfileKW))
}

func (d *Flexible) cross(c *checker, at *path, _ *Problem) {
	c.window(at, d.EarliestStep, d.LatestStep, 0)
}

func (c *checker) window(at *path, earliest, latest, length int) {
	switch {
	case latest < earliest:
		c.fault(at.field("latest_step"), "%d before earliest_step %d", latest, earliest)
	case c.steps > 0 && latest > c.steps-length:
		c.fault(at.field("latest_step"), "%d with %d steps to run ends beyond the %d steps of the horizon", latest, length, c.steps)
	}
}

func (c *checker) loss(at *path, name string, perHour float64, p *Problem) {
	if !aboveZero.holds(p.StepMinutes) {
		return
	}
	if share := perHour * p.Hours(); share > 1 {
		c.fault(at.field(name), "%v per hour loses %v of the energy in a step, above 1", perHour, share)
	}
}

func atMost(c *checker, at *path, name string, v float64, of string, high float64) {
	if v > high {
		c.fault(at.field(name), "%v above %s %v", v, of, high)
	}
}
