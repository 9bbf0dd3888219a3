package observe

import (
	"fmt"
	"math"
	"time"

	"quartier/schemas/district"
)

// energy holds the power of a meter against its counters.
type energy struct {
	at        time.Time // of the anchor
	last      time.Time // of the newest power
	lastKW    float64
	imp0      float64 // counters at the anchor, kWh
	exp0      float64
	imp, exp  float64 // newest
	counted   time.Time
	integral  float64       // of the power since the anchor, kWh
	gap       time.Duration // longest between two readings since the anchor
	smallest  float64       // change of a counter that was seen, kWh: its resolution; 0: none yet
	good, bad int           // comparisons in a row
	detail    string        // of the last bad one
}

// energy tells of counters that go back and of a power that is not what the counters count. The power of a connection is hidden then: its counters are sealed, and a limit
// rests on it.
func (l *look) energy(m *judged) {
	e := &m.energy
	p, okP := l.sample(district.PowerKW)
	imp, okI := l.sample(district.ImportKWh)
	exp, okE := l.sample(district.ExportKWh)
	if !okI {
		return
	}
	if !okE {
		exp.Value = 0
	}
	okP = okP && !l.hidden[l.id(district.PowerKW)]
	most := math.Inf(1)
	if _, kw, known := l.bounds(district.PowerKW); known {
		most = kw*max(0, imp.Time.Sub(e.counted).Hours()) + 1 // counters that are told late are told by less than that
	}
	seen := !e.counted.IsZero() && !imp.Time.Before(e.counted) // of another clock otherwise
	jumped := seen && (imp.Value < e.imp-1e-9 || okE && exp.Value < e.exp-1e-9 || imp.Value-e.imp > most || okE && exp.Value-e.exp > most)
	detail := fmt.Sprintf("import %.3f kWh after %.3f kWh, export %.3f kWh after %.3f kWh", imp.Value, e.imp, exp.Value, e.exp)
	m.back.see(jumped, detail, l.now, 0, 15*time.Minute)
	l.say(&m.back, CounterJumped, severityWarn)
	for _, d := range []float64{imp.Value - e.imp, exp.Value - e.exp} {
		if seen && !jumped && d > 1e-9 && (e.smallest == 0 || d < e.smallest) {
			e.smallest = d
		}
	}
	dt := p.Time.Sub(e.last)
	switch {
	case !okP || e.at.IsZero() || jumped || dt > time.Minute || dt < 0 || p.Time.Sub(e.at) > time.Hour:
		*e = energy{at: p.Time, last: p.Time, lastKW: p.Value, imp0: imp.Value, exp0: exp.Value, imp: imp.Value, exp: exp.Value, smallest: e.smallest, good: e.good, bad: e.bad, detail: e.detail}
		if !okP {
			e.at, e.last = time.Time{}, time.Time{}
		}
	case dt > 0:
		e.integral += (p.Value + e.lastKW) / 2 * dt.Hours()
		e.last, e.lastKW, e.imp, e.exp, e.gap = p.Time, p.Value, imp.Value, exp.Value, max(e.gap, dt)
		e.compare(p.Time)
	}
	e.imp, e.exp, e.counted = imp.Value, exp.Value, imp.Time
	if e.bad >= 2 || e.good >= 1 {
		m.differs.see(e.bad >= 2, e.detail, l.now, 0, 0)
	}
	l.say(&m.differs, MeterDiffers, severityError)
	if m.differs.on && l.dev.Kind == district.GridMeter {
		l.hide(district.PowerKW)
	}
}

// compareAfter is for how long power and counters are gathered before they are compared, and for how many readings: power and counters may be a reading apart.
const (
	compareAfter    = time.Minute
	compareReadings = 6
)

// compare judges the energy since the anchor once there is enough of it for the resolution of the counters and for their readings, and begins anew.
func (e *energy) compare(at time.Time) {
	if at.Sub(e.at) < max(compareAfter, compareReadings*e.gap) {
		return
	}
	flowed := e.imp - e.imp0 - (e.exp - e.exp0)
	size := math.Max(math.Abs(e.integral), math.Abs(flowed))
	need := math.Max(0.05, 20*e.smallest)
	if e.smallest == 0 { // counters that have not moved yet may be those that are told every quarter of an hour
		need = 1
		if at.Sub(e.at) < 20*time.Minute {
			return
		}
	}
	if size < need {
		return
	}
	if math.Abs(e.integral-flowed) > 0.3*size+2*e.smallest {
		e.bad, e.good = e.bad+1, 0
		e.detail = fmt.Sprintf("%.3f kWh by its power, %.3f kWh by its counters", e.integral, flowed)
	} else {
		e.good, e.bad = e.good+1, 0
	}
	e.at, e.imp0, e.exp0, e.integral, e.gap = at, e.imp, e.exp, 0, 0
}

// stateOfCharge holds a battery's state of charge against what it takes and delivers.
type stateOfCharge struct {
	last     time.Time
	lastKW   float64
	soc      float64 // newest
	anchor   float64
	integral float64 // kWh since the anchor
	turned   int     // windows in a row in which it moved against the power
}

// charge tells of a state of charge that jumps, stands still or moves against the power.
func (l *look) charge(m *judged) {
	b := l.dev.Battery
	if b == nil || b.CapacityKWh <= 0 {
		return
	}
	p, okP := l.sample(district.PowerKW)
	soc, okS := l.sample(district.SOC)
	s := &m.battery
	defer func() {
		if m.charge.on {
			l.hide(district.SOC)
		}
		l.say(&m.charge, ChargeStuck, severityError)
		l.say(&m.jumped, ChargeJumped, severityWarn)
	}()
	if !okP || !okS || l.hidden[l.id(district.SOC)] || l.hidden[l.id(district.PowerKW)] {
		s.last = time.Time{}
		return
	}
	if s.last.IsZero() || p.Time.Sub(s.last) > time.Minute || p.Time.Before(s.last) {
		*s = stateOfCharge{last: p.Time, lastKW: p.Value, soc: soc.Value, anchor: soc.Value}
		return
	}
	dt := p.Time.Sub(s.last)
	can := 1.5*max(b.ChargeKW, b.DischargeKW)*dt.Hours()/b.CapacityKWh + 0.05
	jump := math.Abs(soc.Value-s.soc) > can
	m.jumped.see(jump, fmt.Sprintf("from %.0f %% to %.0f %% within %.0f s", 100*s.soc, 100*soc.Value, dt.Seconds()), l.now, 0, 15*time.Minute)
	if jump {
		*s = stateOfCharge{last: p.Time, lastKW: p.Value, soc: soc.Value, anchor: soc.Value}
		return
	}
	s.integral += (p.Value + s.lastKW) / 2 * dt.Hours()
	s.last, s.lastKW, s.soc = p.Time, p.Value, soc.Value
	expected := s.integral / b.CapacityKWh
	if math.Abs(expected) < 0.06 {
		return
	}
	moved := soc.Value - s.anchor
	stuck := math.Abs(moved) < 0.1*math.Abs(expected) && soc.Value > 0.03 && soc.Value < 0.97 // full and empty cells balance
	if moved*expected < 0 && math.Abs(moved) > 0.25*math.Abs(expected) {
		s.turned++
	} else {
		s.turned = 0
	}
	m.charge.see(stuck || s.turned > 0, fmt.Sprintf("%.0f %% before and %.0f %% after %.2f kWh", 100*s.anchor, 100*soc.Value, s.integral), l.now, 0, 0)
	s.anchor, s.integral = soc.Value, 0
}

// connection holds the power of a site's grid meter against that of the devices behind it.
type connection struct {
	sign    hold
	stuck   hold
	votes   int       // for the right sign, at most 2; wrong below 0
	past    []instant // the newest last
	value   float64   // of the meter
	from    float64   // power of the devices when it was first shown
	repeats int
	read    time.Time
	right   time.Time // since when nothing but the right sign explains what is shown; zero: it does not
}

type instant struct {
	at             time.Time
	gridKW, behind float64
	seen           int  // devices behind that tell their power
	whole          bool // all that may feed do
	gridAt         time.Time
}

func newConnection() *connection { return &connection{votes: 1} }

// steps of [connection.look]: how long a change may take to be told by all meters.
const voteAfter = 20 * time.Second

// confirmAfter is for how long what is shown must be possible by the right sign alone.
const confirmAfter = 2 * time.Minute

// look tells of a meter that stands still while what is behind it changes, and of one that answers a device's change the wrong way round, and hides it.
func (c *connection) look(d *district.District, site *district.Site, live Live, now time.Time, stale time.Duration, hidden map[district.SeriesID]bool) (out []Finding) {
	var meter *district.Device
	in := instant{at: now, whole: true}
	for i := range site.Devices {
		dev := &site.Devices[i]
		s, ok := live.Latest(dev.Series(d.ID, site.ID, district.PowerKW))
		ok = ok && s.Quality != district.Bad && now.Sub(s.Time) <= stale && s.Time.Sub(now) <= stale
		switch dev.Kind {
		case district.GridMeter:
			if meter != nil {
				return nil // which of several changes is not known
			}
			meter, in.gridKW, in.gridAt = dev, s.Value, s.Time
			if !ok {
				in.gridAt = time.Time{}
			}
		case district.PV, district.Battery, district.EVCharger, district.HeatPump, district.WaterHeater:
			if ok {
				in.behind += s.Value
				in.seen++
			} else if dev.Kind == district.PV || dev.Kind == district.Battery {
				in.whole = false
			}
		}
	}
	if meter == nil {
		return nil
	}
	say := func(h *hold, key, severity string) {
		if h.on {
			out = append(out, Finding{Key: key, Site: site.ID, Device: meter.ID, Severity: severity, Since: h.since, Detail: h.detail})
			hidden[meter.Series(d.ID, site.ID, district.PowerKW)] = true
		}
	}
	if in.gridAt.IsZero() {
		c.past, c.right = c.past[:0], time.Time{}
		say(&c.sign, SignWrong, severityError)
		return out
	}
	step := 0.7
	if !math.IsInf(site.ImportLimitKW, 1) {
		step = max(0.5, 0.06*site.ImportLimitKW)
	}
	c.still(in, step, now)
	c.vote(in, step)
	c.confirm(in, step)
	c.sign.see(c.votes < 0, "it shows less when a device draws more", now, 0, 0)
	say(&c.stuck, MeterStuck, severityError)
	say(&c.sign, SignWrong, severityError)
	return out
}

// still watches for a value that repeats to the last digit while the devices change by more than a step.
func (c *connection) still(in instant, step float64, now time.Time) {
	if in.gridKW != c.value || c.read.IsZero() {
		c.value, c.from, c.repeats = in.gridKW, in.behind, 0
	} else if in.gridAt.After(c.read) {
		c.repeats++
	}
	c.read = in.gridAt
	stuck := c.repeats >= 2 && math.Abs(in.behind-c.from) > step
	c.stuck.see(stuck, fmt.Sprintf("%.3f kW all the time while the devices behind it changed by %.2f kW", in.gridKW, in.behind-c.from), now, 0, 10*time.Second)
}

// confirm takes back that the sign is wrong where nobody could vote: control that trusts no meter moves nothing by which it could be seen. What a site consumes beside its devices is never less than
// nothing; where the wrong sign would need that for a while and the right one does not, it is the right one.
func (c *connection) confirm(in instant, step float64) {
	asShown, asTurned := in.gridKW-in.behind, -in.gridKW-in.behind
	switch {
	case !in.whole || asShown < -step/4 || asTurned > -step/4:
		c.right = time.Time{}
	case c.right.IsZero() || in.at.Before(c.right):
		c.right = in.at
	case c.votes < 0 && in.at.Sub(c.right) >= confirmAfter:
		c.votes = 0
	}
}

// vote compares the changes of the meter and of the devices over some seconds.
func (c *connection) vote(in instant, step float64) {
	for len(c.past) > 0 && (in.at.Sub(c.past[0].at) > 2*voteAfter || c.past[0].seen != in.seen) {
		c.past = c.past[1:]
	}
	c.past = append(c.past, in)
	for i := range c.past {
		was := c.past[i]
		if in.at.Sub(was.at) < voteAfter {
			return
		}
		change, shown := in.behind-was.behind, in.gridKW-was.gridKW
		if math.Abs(change) < step || math.Abs(shown) < 0.6*math.Abs(change) || math.Abs(shown) > 1.6*math.Abs(change) {
			continue
		}
		if change*shown > 0 {
			c.votes = min(2, c.votes+1)
		} else {
			c.votes = max(-2, c.votes-1)
		}
		c.past = c.past[:0]
		c.past = append(c.past, in)
		return
	}
}
