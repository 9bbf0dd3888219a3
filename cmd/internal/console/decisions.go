package console

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
)

// Decision is a stretch of a plan in which a device does one thing for one reason.
type Decision struct {
	Site       string        `json:"site"`
	SiteName   string        `json:"site_name"`
	Device     string        `json:"device"`
	DeviceName string        `json:"device_name"`
	Kind       district.Kind `json:"kind"`
	Action     string        `json:"action" enum:"charge,discharge,run,limit,stop" doc:"limit: a solar inverter below what the sun gives"`
	Start      time.Time     `json:"start"`
	End        time.Time     `json:"end"`
	MeanKW     float64       `json:"mean_kw" doc:"positive into the device"`
	EnergyKWh  float64       `json:"energy_kwh" doc:"not negative"`
	Reason     string        `json:"reason" doc:"a key such as sun, cheap, clean, peak, comfort, idle; empty where the plan gives none"`
	Detail     string        `json:"detail" doc:"the numbers of the reason"`
	Price      *float64      `json:"price" doc:"mean tariff of import in the stretch, EUR/kWh"`
	Carbon     *float64      `json:"carbon_g_per_kwh" doc:"mean in the stretch"`
}

const (
	idleKW    = 0.05 // below it a device counts as idle
	trifleKWh = 0.5  // a stretch of less energy is not worth a reader's first look
)

// decisions lists what the controllable devices of a plan will do from now on, by start, at most limit: every stretch with one action and one reason.
func decisions(d *district.District, p *district.Plan, now time.Time, limit int) []Decision {
	out := list(d, p, now, true)
	return out[:min(limit, len(out))]
}

// next lists the decisions that a reader should know first: the largest that hold now, a third of limit at most, then those to come by their start. A stretch
// is one action here, with the reason of most of its energy.
func next(d *district.District, p *district.Plan, now time.Time, limit int) []Decision {
	all := slices.DeleteFunc(list(d, p, now, false), func(x Decision) bool { return x.EnergyKWh < trifleKWh && x.Action != "limit" })
	running := slices.IndexFunc(all, func(x Decision) bool { return x.Start.After(now) })
	if running < 0 {
		running = len(all)
	}
	holds := all[:running]
	slices.SortStableFunc(holds, func(a, b Decision) int { return cmp.Compare(math.Abs(b.MeanKW), math.Abs(a.MeanKW)) })
	out := append([]Decision{}, holds[:min(len(holds), max(limit/3, limit-len(all)+running))]...)
	return append(out, all[running:min(len(all), running+limit-len(out))]...)
}

func list(d *district.District, p *district.Plan, now time.Time, byReason bool) []Decision {
	out := []Decision{}
	step := time.Duration(p.StepMinutes * float64(time.Minute))
	first, ok := p.Index(now)
	if !ok {
		if !now.Before(p.Start) {
			return out
		}
		first = 0
	}
	for si := range p.Sites {
		sp := &p.Sites[si]
		siteName := d.Name
		if site := d.Site(sp.ID); site != nil {
			siteName = site.Name
		}
		for di := range sp.Devices {
			dp := &sp.Devices[di]
			name, controlled := dp.ID, true
			if dev := d.Device(sp.ID, dp.ID); dev != nil {
				name, controlled = dev.Name, dev.Control
			}
			if !controlled {
				continue
			}
			for _, dec := range stretches(p, dp, first, step, byReason) {
				dec.Site, dec.SiteName, dec.Device, dec.DeviceName, dec.Kind = sp.ID, siteName, dp.ID, name, dp.Kind
				out = append(out, dec)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Decision) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		if c := cmp.Compare(b.EnergyKWh, a.EnergyKWh); c != 0 { // the largest first
			return c
		}
		return strings.Compare(a.Site+a.Device, b.Site+b.Device)
	})
	return out
}

// stretches splits the schedule of a device from step first on where its action changes, or its reason too. Idle stretches are left out.
func stretches(p *district.Plan, dp *district.DevicePlan, first int, step time.Duration, byReason bool) []Decision {
	var out []Decision
	n := min(p.Steps, len(dp.PowerKW))
	for i := first; i < n; {
		action, reason, detail := doing(dp, i)
		j := i
		var energy float64
		var price, carbon mean
		weight := map[string]float64{} // energy by reason
		for ; j < n; j++ {
			a, r, _ := doing(dp, j)
			if a != action || byReason && r != reason || dp.Kind == district.LoadMeter && math.Abs(dp.PowerKW[j]-dp.PowerKW[i]) > idleKW { // lamps burn at another level
				break
			}
			energy += dp.PowerKW[j] * step.Hours()
			weight[r] += math.Abs(dp.PowerKW[j])
			price.addAt(p.ImportPrice, j)
			carbon.addAt(p.CarbonGPerKWh, j)
		}
		if action != "" {
			start, end := p.Start.Add(time.Duration(i)*step), p.Start.Add(time.Duration(j)*step)
			for r, w := range weight {
				if w > weight[reason] || w == weight[reason] && r < reason {
					reason, detail = r, ""
				}
			}
			out = append(out, Decision{Action: action, Start: start, End: end, MeanKW: energy / end.Sub(start).Hours(), EnergyKWh: math.Abs(energy),
				Reason: reason, Detail: detail, Price: price.value(), Carbon: carbon.value()})
		}
		i = j
	}
	return out
}

// doing says what a device does in a step of its schedule; action is empty when that is nothing worth a word.
func doing(dp *district.DevicePlan, i int) (action, reason, detail string) {
	if i < len(dp.Reason) {
		reason, detail, _ = strings.Cut(dp.Reason[i], " ")
		reason = strings.TrimSuffix(reason, ":")
	}
	v := dp.PowerKW[i]
	switch dp.Kind {
	case district.Battery:
		if v > idleKW {
			return "charge", reason, detail
		} else if v < -idleKW {
			return "discharge", reason, detail
		}
	case district.EVCharger:
		if v > idleKW {
			return "charge", reason, detail
		}
	case district.HeatPump, district.WaterHeater:
		if v > idleKW {
			return "run", reason, detail
		}
	case district.LoadMeter: // street lighting, whose cabinets draw a little by day
		if v > max(idleKW, 0.02*slices.Max(dp.PowerKW)) {
			return "run", reason, detail
		}
	case district.PV:
		if reason != "" && reason != "sun" && reason != "idle" {
			return "limit", reason, detail
		}
	}
	return "", reason, detail
}

type mean struct {
	sum float64
	n   int
}

func (m *mean) addAt(values []float64, i int) {
	if i < len(values) {
		m.sum, m.n = m.sum+values[i], m.n+1
	}
}

func (m *mean) value() *float64 {
	if m.n == 0 {
		return nil
	}
	v := m.sum / float64(m.n)
	return &v
}
