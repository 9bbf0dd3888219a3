package observe

import (
	"fmt"
	"math"
	"time"

	"quartier/schemas/district"
)

// Judge watches whether what is measured can be so, and hides from control what cannot: a device or a connection of which nonsense is told counts as not measured, for which
// there is a safe state. Its methods may not be called at the same time.
type Judge struct {
	d       *district.District
	devices map[Key]*judged
	sites   map[string]*connection
}

// judged is what is remembered of one device.
type judged struct {
	absurd, sign, night, differs, back, charge, jumped, clock, missing, cold hold

	energy  energy
	battery stateOfCharge
	stamp   time.Time // of the newest power, to tell a repeated value from an old one
}

// NewJudge returns a judge of a district.
func NewJudge(d *district.District) *Judge {
	return &Judge{d: d, devices: map[Key]*judged{}, sites: map[string]*connection{}}
}

// Look judges the newest samples at now, some seconds after the last time, and returns what is wrong, in order, and the samples that can be believed.
func (j *Judge) Look(live Live, now time.Time, stale time.Duration) ([]Finding, Live) {
	var out []Finding
	hidden := map[district.SeriesID]bool{}
	sun := Elevation(j.d.Latitude, j.d.Longitude, now)
	for site, dev := range j.d.AllDevices {
		key := Key{site, dev.ID}
		m := j.devices[key]
		if m == nil {
			m = &judged{}
			j.devices[key] = m
		}
		l := &look{judge: j, site: site, dev: dev, live: live, now: now, stale: stale, hidden: hidden}
		l.values(m)
		l.power(m, sun)
		l.energy(m)
		l.charge(m)
		l.presence(m)
		l.comfort(m)
		out = append(out, l.found...)
	}
	for i := range j.d.Sites {
		site := &j.d.Sites[i]
		c := j.sites[site.ID]
		if c == nil {
			c = newConnection()
			j.sites[site.ID] = c
		}
		out = append(out, c.look(j.d, site, filter{live, hidden}, now, stale, hidden)...)
	}
	Sort(out)
	return out, filter{live, hidden}
}

// filter leaves out hidden series.
type filter struct {
	Live
	hidden map[district.SeriesID]bool
}

func (f filter) Latest(id district.SeriesID) (district.Sample, bool) {
	if f.hidden[id] {
		return district.Sample{}, false
	}
	return f.Live.Latest(id)
}

// look is one device at one time.
type look struct {
	judge  *Judge
	site   string
	dev    *district.Device
	live   Live
	now    time.Time
	stale  time.Duration
	hidden map[district.SeriesID]bool
	found  []Finding
}

func (l *look) id(quantity string) district.SeriesID {
	return l.dev.Series(l.judge.d.ID, l.site, quantity)
}

func (l *look) sample(quantity string) (district.Sample, bool) {
	s, ok := l.live.Latest(l.id(quantity))
	return s, ok && s.Quality != district.Bad && l.now.Sub(s.Time) <= l.stale && s.Time.Sub(l.now) <= l.stale
}

func (l *look) hide(quantity string) { l.hidden[l.id(quantity)] = true }

func (l *look) say(h *hold, key, severity string) {
	if h.on {
		l.found = append(l.found, Finding{Key: key, Site: l.site, Device: l.dev.ID, Severity: severity, Since: h.since, Detail: h.detail})
	}
}

// bounds are the values that a quantity can have.
func (l *look) bounds(quantity string) (lo, hi float64, known bool) {
	switch quantity {
	case district.PowerKW:
		kw := ratedKW(l.dev)
		if l.dev.Kind == district.GridMeter {
			kw = l.judge.carriesKW(l.site)
		}
		return -kw, kw, kw > 0
	case district.SOC:
		return 0, 1, true
	case district.IndoorC:
		return -10, 50, true
	case district.TankC:
		return 0, 110, true
	case district.OutdoorC:
		return -60, 60, true
	}
	return 0, 0, false
}

// ratedKW is what a device can draw or deliver at the very most, half more than its plate says; 0 where that is not known.
func ratedKW(dev *district.Device) float64 {
	kw := 0.0
	switch {
	case dev.PV != nil:
		kw = dev.PV.PeakKW
	case dev.Battery != nil:
		kw = max(dev.Battery.ChargeKW, dev.Battery.DischargeKW)
	case dev.EVCharger != nil:
		kw = dev.EVCharger.MaxKW
	case dev.HeatPump != nil:
		kw = 1.5 * dev.HeatPump.MaxKW // and its emergency heater
	case dev.WaterHeater != nil:
		kw = dev.WaterHeater.MaxKW
	default:
		return 0
	}
	return 1.5*kw + 0.5
}

// carriesKW is what a connection can carry at the very most: ten times its limits, which a fuse would not allow for long, and whatever its devices can do; 0 without a limit.
func (j *Judge) carriesKW(site string) float64 {
	s := j.d.Site(site)
	if s == nil {
		return 0
	}
	limit := 0.0
	for _, kw := range []float64{s.ImportLimitKW, s.ExportLimitKW} {
		if !math.IsInf(kw, 1) {
			limit = max(limit, kw)
		}
	}
	if limit == 0 {
		return 0
	}
	kw := 10 * limit
	for i := range s.Devices {
		kw += ratedKW(&s.Devices[i])
	}
	return kw
}

// values hides what no device of its kind can show.
func (l *look) values(m *judged) {
	detail := ""
	for _, q := range []string{district.PowerKW, district.SOC, district.IndoorC, district.TankC, district.OutdoorC} {
		s, ok := l.sample(q)
		lo, hi, known := l.bounds(q)
		if ok && known && (math.IsNaN(s.Value) || s.Value < lo || s.Value > hi) {
			l.hide(q)
			unit := ""
			if def, ok := district.LookupQuantity(q); ok {
				unit = " " + string(def.Unit)
			}
			detail = fmt.Sprintf("%s %.6g%s, want %.6g to %.6g", q, s.Value, unit, lo, hi)
		}
	}
	m.absurd.see(detail != "", detail, l.now, 0, 30*time.Second)
	l.say(&m.absurd, ValueAbsurd, severityError)
}

// power hides the power of a device that draws and feeds the wrong way round, and of an inverter that delivers while the sun is down.
func (l *look) power(m *judged, sunDeg float64) {
	p, ok := l.sample(district.PowerKW)
	if !ok || l.hidden[l.id(district.PowerKW)] {
		return
	}
	slack := 0.05*ratedKW(l.dev) + 0.05
	wrong, detail := false, ""
	switch l.dev.Kind {
	case district.PV:
		wrong, detail = p.Value > slack, fmt.Sprintf("an inverter that draws %.2f kW", p.Value)
		night := sunDeg < -3 && p.Value < -slack/2
		if m.night.see(night, fmt.Sprintf("%.2f kW while the sun stands %.0f° below the horizon", -p.Value, -sunDeg), l.now, 15*time.Second, time.Minute); night {
			l.hide(district.PowerKW)
		}
		l.say(&m.night, SunAtNight, severityError)
	case district.EVCharger, district.HeatPump, district.WaterHeater:
		wrong, detail = p.Value < -slack, fmt.Sprintf("a load that feeds %.2f kW", -p.Value)
	}
	if wrong {
		l.hide(district.PowerKW)
	}
	m.sign.see(wrong, detail, l.now, 15*time.Second, time.Minute)
	l.say(&m.sign, SignWrong, severityError)
}

// presence tells of values that control needs and does not get from a device that answers, and of a device with another clock.
func (l *look) presence(m *judged) {
	needed := map[district.Kind]string{district.GridMeter: district.PowerKW, district.Battery: district.SOC, district.EVCharger: district.Connected, district.HeatPump: district.IndoorC,
		district.WaterHeater: district.TankC, district.PV: district.PowerKW}[l.dev.Kind]
	if needed == "" || l.dev.Kind != district.GridMeter && !l.dev.Control {
		return
	}
	raw, known := l.live.Latest(l.id(needed))
	moved := known && !raw.Time.Equal(m.stamp)
	off := l.now.Sub(raw.Time)
	m.clock.see(known && moved && !m.stamp.IsZero() && (off > l.stale || off < -l.stale), fmt.Sprintf("%s %.0f s from ours", needed, -off.Seconds()), l.now, 0, 2*l.stale)
	m.stamp = raw.Time
	l.say(&m.clock, ClockDiffers, severityError)
	answers := false
	for _, q := range []string{district.PowerKW, district.SOC, district.ImportKWh, district.StatusState, district.FrequencyHz, district.VoltageV} {
		if _, ok := l.sample(q); ok && q != needed {
			answers = true
		}
	}
	_, there := l.sample(needed)
	m.missing.see(answers && !there && !m.clock.on, needed, l.now, l.stale, 15*time.Second)
	l.say(&m.missing, ValueMissing, severityError)
}

// comfort tells of a building or a tank that has been colder than wanted for a quarter of an hour.
func (l *look) comfort(m *judged) {
	const slackC = 0.5
	q, lo := "", 0.0
	switch {
	case l.dev.HeatPump != nil:
		q, lo = district.IndoorC, l.dev.HeatPump.MinC-slackC
	case l.dev.WaterHeater != nil:
		q, lo = district.TankC, l.dev.WaterHeater.MinC-4*slackC
	default:
		return
	}
	s, ok := l.sample(q)
	m.cold.see(ok && !l.hidden[l.id(q)] && s.Value < lo, fmt.Sprintf("%s %.1f °C, want %.1f °C at least", q, s.Value, lo), l.now, 15*time.Minute, 5*time.Minute)
	l.say(&m.cold, ComfortLow, severityWarn)
}
