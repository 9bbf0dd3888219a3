package profile

import (
	"time"

	"github.com/goccy/go-yaml/ast"

	"quartier/drivers"
)

// control reads how the device is commanded.
func (pp *profileParser) control(n ast.Node) {
	f := pp.f
	m := f.mapping(n, "control")
	for _, key := range []string{"point", "quantity", "min", "max", "safe", "writes"} {
		m.need(key)
	}
	c := &Control{}
	c.Line, _ = place(n)
	c.Point = m.text("point")
	if c.Point != "" && !pointName.MatchString(c.Point) {
		f.add(m.at("point"), "control: point %q: want lower-case words joined by underscores", c.Point)
	}
	c.Quantity = drivers.ControlQuantity(m.word("quantity", "", string(drivers.ControlKW), string(drivers.ControlAmpere), string(drivers.ControlShare),
		string(drivers.ControlSGReady), string(drivers.ControlOnOff)))
	c.Min, c.Max, c.Step, c.Safe = m.number("min", 0), m.number("max", 0), m.number("step", 0), m.number("safe", 0)
	if c.Min > c.Max {
		f.add(m.at("min"), "control: min %g is above max %g", c.Min, c.Max)
	}
	if c.Step < 0 {
		f.add(m.at("step"), "control: step %g is negative", c.Step)
	}
	if m.has("pause") {
		v := m.number("pause", 0)
		c.Pause = &v
	}
	seconds := func(key string) time.Duration {
		s := m.number(key, 0)
		if s < 0 || s > 86400 {
			f.add(m.at(key), "control: %s %g outside [0, 86400]", key, s)
			return 0
		}
		return time.Duration(s * float64(time.Second))
	}
	c.MinHold, c.Reversion = seconds("min_hold_s"), seconds("reversion_s")
	c.MinInterval = seconds("min_interval_s")
	c.RampPerS = m.number("ramp_per_s", 0)
	if c.RampPerS < 0 {
		f.add(m.at("ramp_per_s"), "control: ramp_per_s %g is negative", c.RampPerS)
	}
	c.Zero = Zeros(m.word("zero", "", string(ZeroHolds), string(ZeroReleases)))
	c.ZeroReleases = c.Zero == ZeroReleases
	if c.Zero != "" && (c.discrete() || c.Min >= 0 || c.Max <= 0) {
		f.add(m.at("zero"), "control: zero says what a command of 0 does between two directions, the range here is [%g, %g]", c.Min, c.Max)
	}
	c.Restore = drivers.Restore(m.word("restore", string(drivers.RestoreSafe), string(drivers.RestoreSafe), string(drivers.RestorePrevious), string(drivers.RestoreReversion)))
	if c.Restore == drivers.RestoreReversion && c.Reversion == 0 {
		f.add(m.at("restore"), "control: restore: reversion needs reversion_s, after which the device lets go by itself")
	}
	if c.MinInterval > 0 && c.Reversion > 0 && c.Reversion/2 < c.MinInterval {
		f.add(m.at("min_interval_s"), "control: min_interval_s %g s is more than half of reversion_s %g s: the command could not be renewed in time", c.MinInterval.Seconds(), c.Reversion.Seconds())
	}
	c.Phases = int(m.whole("phases", 1, 3, 0))
	c.VoltageV, c.RatedKW = m.number("voltage_v", 0), m.number("rated_kw", 0)
	if c.Quantity == drivers.ControlAmpere && (c.Phases == 0 || c.VoltageV <= 0) {
		f.add(n, "control: quantity a needs phases and voltage_v")
	}
	if c.discrete() {
		if c.Quantity == drivers.ControlSGReady && (c.Min < 1 || c.Max > 4) {
			f.add(n, "control: sg_ready states are 1 to 4, not [%g, %g]", c.Min, c.Max)
		}
		if c.Quantity == drivers.ControlOnOff && (c.Min < 0 || c.Max > 1) {
			f.add(n, "control: on_off states are 0 and 1, not [%g, %g]", c.Min, c.Max)
		}
	}
	if pt := pp.p.byName[c.Point]; pt != nil && pt.Unit != c.Unit() && c.Quantity != "" {
		f.add(m.at("point"), "control: point %s is in %s, quantity %s wants %s", c.Point, pt.Unit, c.Quantity, c.Unit())
	}
	for _, n := range m.list("writes") {
		pp.controlWrite(n, c)
	}
	if m.has("writes") && len(c.Writes) == 0 {
		f.add(m.at("writes"), "control: writes is empty")
	}
	for _, n := range m.list("release") {
		w := f.mapping(n, "control: release")
		w.need("point")
		w.need("value")
		v := PointValue{Point: w.text("point"), Value: w.number("value", 0)}
		switch pt := pp.p.byName[v.Point]; {
		case pt == nil:
			f.add(w.at("point"), "control: release: unknown point %q", v.Point)
		case !pt.Writable():
			f.add(w.at("point"), "control: release: point %s is read-only", v.Point)
		case v.Value < pt.Min || v.Value > pt.Max:
			f.add(w.at("value"), "control: release: %s %g %s outside [%g, %g]", v.Point, v.Value, pt.Unit, pt.Min, pt.Max)
		}
		w.done()
		c.Release = append(c.Release, v)
	}
	if len(c.Release) > 0 && c.Restore != drivers.RestoreSafe {
		f.add(m.at("release"), "control: release is for restore: safe, not for restore: %s", c.Restore)
	}
	if c.Restore == drivers.RestorePrevious {
		for _, name := range c.Written() {
			if pt := pp.p.byName[name]; pt != nil && !pt.Readable() {
				f.add(m.at("restore"), "control: restore: previous needs points that can be read, %s cannot", name)
			}
		}
	}
	if n, ok := m.get("read_back"); ok {
		r := f.mapping(n, "control: read_back")
		r.need("point")
		c.ReadBack = &ReadBack{Point: r.text("point"), Tolerance: r.number("tolerance", 0)}
		if pt := pp.p.byName[c.ReadBack.Point]; pt == nil || !pt.Readable() {
			f.add(n, "control: read_back: %q is no readable point", c.ReadBack.Point)
		} else if pt.Unit != c.Unit() {
			f.add(n, "control: read_back: %s is in %s, want %s", pt.Name, pt.Unit, c.Unit())
		}
		r.done()
	}
	m.done()
	pp.p.Control = c
	if len(f.list) == 0 {
		pp.tryCommands(n, c)
	}
}

func (pp *profileParser) controlWrite(n ast.Node, c *Control) {
	f := pp.f
	w := f.mapping(n, "control: writes")
	w.need("point")
	out := ControlWrite{Point: w.text("point"), Factor: w.number("factor", 1), Offset: w.number("offset", 0), When: Always}
	out.When = Condition(w.word("when", string(Always), string(Always), string(Positive), string(Negative), string(Zero), string(NonZero), string(AtSafe), string(Active)))
	if pt := pp.p.byName[out.Point]; pt == nil {
		f.add(w.at("point"), "control: writes: unknown point %q", out.Point)
	} else if !pt.Writable() {
		f.add(w.at("point"), "control: writes: point %s is read-only", out.Point)
	}
	given := 0
	for _, key := range []string{"value", "from", "lookup"} {
		if w.has(key) {
			given++
		}
	}
	if given != 1 {
		f.add(n, "control: writes: want exactly one of value, from, lookup")
	}
	if w.has("value") {
		v := w.number("value", 0)
		out.Value = &v
	}
	if w.word("from", "", "command") == "command" {
		out.FromCommand = true
	}
	if n, ok := w.get("lookup"); ok {
		l := f.mapping(n, "control: writes: lookup")
		for key, node := range l.values {
			l.asked[key] = true
			cmd, ok := parseKey(key)
			v, ok2 := numberOf(node)
			if !ok || !ok2 {
				f.add(node, "control: writes: lookup: want number: number")
				continue
			}
			out.Lookup = append(out.Lookup, LookupRow{cmd, v})
		}
	}
	w.done()
	c.Writes = append(c.Writes, out)
}

// tryCommands sends the marked commands through the sequence: each must have writes, all of them within their points' ranges.
func (pp *profileParser) tryCommands(n ast.Node, c *Control) {
	try := []float64{c.Min, c.Max, c.Safe}
	if c.Pause != nil {
		try = append(try, *c.Pause)
	}
	if c.discrete() {
		for v := c.Min; v <= c.Max; v++ {
			try = append(try, v)
		}
	}
	for _, command := range try {
		seq, err := pp.p.Sequence(command)
		if err != nil {
			pp.f.add(n, "control: command %g: %v", command, err)
			continue
		}
		if len(seq) == 0 {
			pp.f.add(n, "control: command %g writes nothing", command)
		}
		for _, w := range seq {
			if pt := pp.p.byName[w.Point]; w.Value < pt.Min || w.Value > pt.Max {
				pp.f.add(n, "control: command %g writes %s %g %s outside [%g, %g]", command, w.Point, w.Value, pt.Unit, pt.Min, pt.Max)
			}
		}
	}
}
