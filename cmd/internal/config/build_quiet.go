package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/order"
)

// quietHours checks standing quiet hours and builds them; mostKW is the power of the device, 0 for a site's.
func (b *builder) quietHours(list []QuietHours, path string, mostKW float64) (out []district.QuietHours) {
	for i, f := range list {
		p := fmt.Sprintf("%s.quiet_hours[%d]", path, i)
		q := district.QuietHours{From: f.From, To: f.To, AtMostKW: f.AtMostKW, Reason: f.Reason}
		seen := map[string]bool{}
		for k, name := range f.Days {
			at := fmt.Sprintf("%s.days[%d]", p, k)
			n := slices.Index(order.DayNames(), name)
			switch {
			case n < 0:
				b.say(at, "%q is none of %s", name, strings.Join(order.DayNames(), ", "))
			case seen[name]:
				b.say(at, "%s is given twice", name)
			default:
				q.Days = append(q.Days, time.Weekday((n+1)%7))
			}
			seen[name] = true
		}
		if f.From == f.To && len(f.Days)%7 == 0 && f.AtMostKW == 0 && f.From != "" {
			b.say(p+".to", "%s is from as well, on every day: what is off for good needs no quiet hours", f.To)
		}
		if mostKW > 0 && f.AtMostKW >= mostKW {
			b.say(p+".at_most_kw", "%v kW is not below max_kw %v kW: nothing would be quieter", f.AtMostKW, mostKW)
		}
		out = append(out, q)
	}
	return out
}

// deviceQuiet checks the standing quiet hours of a device and builds them.
func (b *builder) deviceQuiet(f *Device, path string) []district.QuietHours {
	if len(f.Quiet) == 0 {
		return nil
	}
	kind := district.Kind(f.Kind)
	switch {
	case kind.Valid() && !slices.Contains(district.Hushed(), kind):
		b.say(path+".quiet_hours", "a %s has none: they are of a heat_pump, water_heater or ev_charger", f.Kind)
	case !f.Control:
		b.say(path+".quiet_hours", "nothing would keep them: control is false")
	}
	most := 0.0
	switch {
	case f.HeatPump != nil:
		most = f.HeatPump.MaxKW
	case f.WaterHeater != nil:
		most = f.WaterHeater.MaxKW
	case f.EVCharger != nil:
		most = f.EVCharger.MaxKW
	}
	for i, q := range f.Quiet {
		if len(q.Kinds) > 0 {
			b.say(fmt.Sprintf("%s.quiet_hours[%d].kinds", path, i), "has a place in a site's quiet hours alone")
		}
	}
	return b.quietHours(f.Quiet, path, most)
}

// siteQuiet checks the standing quiet hours of a site and builds them.
func (b *builder) siteQuiet(s *Site, path string) []district.QuietHours {
	out := b.quietHours(s.Quiet, path, 0)
	for i, f := range s.Quiet {
		p := fmt.Sprintf("%s.quiet_hours[%d]", path, i)
		for k, name := range f.Kinds {
			if !slices.Contains(district.Hushed(), district.Kind(name)) {
				b.say(fmt.Sprintf("%s.kinds[%d]", p, k), "%q is none of heat_pump, water_heater, ev_charger", name)
				continue
			}
			out[i].Kinds = append(out[i].Kinds, district.Kind(name))
		}
		if len(out[i].Kinds) == len(f.Kinds) && !slices.ContainsFunc(s.Devices, func(dev Device) bool {
			kind := district.Kind(dev.Kind)
			return dev.Control && slices.Contains(district.Hushed(), kind) && (len(out[i].Kinds) == 0 || slices.Contains(out[i].Kinds, kind))
		}) {
			b.say(p, "no device of site %q under control is of a kind that they are about: nothing would keep them", s.ID)
		}
	}
	return out
}
