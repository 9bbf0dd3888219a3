package config

import (
	"fmt"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/lighting"
)

// lighting checks street lighting and builds it.
func (b *builder) lighting(f *Lighting, path string) *district.LightingParams {
	p := &district.LightingParams{RatedKW: f.RatedKW, StandbyKW: f.StandbyKW, SunDeg: lighting.CivilTwilight, OnOffset: span(f.On), OffOffset: span(f.Off)}
	if f.Switch == "sunset" {
		p.SunDeg = lighting.Sunset
	}
	if f.StandbyKW > f.RatedKW && f.RatedKW > 0 {
		b.say(path+".standby_kw", "%v kW is above rated_kw %v kW", f.StandbyKW, f.RatedKW)
	}
	for i, l := range f.Levels {
		from, ok := sinceMidnight(l.From)
		if !ok {
			continue // told already
		}
		if n := len(p.Levels); n > 0 && from <= p.Levels[n-1].From {
			b.say(fmt.Sprintf("%s.levels[%d].from", path, i), "%s is not after the level before it: levels go through the day from 00:00", l.From)
			continue
		}
		p.Levels = append(p.Levels, district.LightingLevel{From: from, Share: l.Share})
	}
	if h := f.HalfNight; h != nil {
		from, okFrom := sinceMidnight(h.From)
		to, okTo := sinceMidnight(h.To)
		if okFrom && okTo && from == to {
			b.say(path+".half_night.to", "%s is from as well: the lamps would never rest", h.To)
		}
		p.HalfNightFrom, p.HalfNightTo = from, to
	}
	return p
}

// sinceMidnight is a clock time such as 22:00.
func sinceMidnight(text string) (time.Duration, bool) {
	t, err := time.Parse("15:04", text)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err == nil
}
