// Package lighting says when street lighting burns and how bright: by the sun's height with offsets, by dimming levels of the local clock, and by half nights.
package lighting

import (
	"time"

	"quartier/schemas/district"
)

// Place is where lighting stands.
type Place struct {
	Latitude, Longitude float64 // degrees, north and east positive
	Zone                *time.Location
}

// At is the place of a district.
func At(d *district.District) Place { return Place{d.Latitude, d.Longitude, d.Zone} }

// Burns reports whether the lamps burn at an instant: from the evening's twilight with its offset to the morning's with its own, but in the hours of a half night. The halves of a night
// are told apart by the sun's midnight, so that offsets of up to a few hours work at every latitude.
func Burns(p *district.LightingParams, at Place, t time.Time) bool {
	if from, to := p.HalfNightFrom, p.HalfNightTo; from != to && inHours(from, to, clock(t, at.Zone)) {
		return false
	}
	offset := p.OffOffset
	if _, hour := Sun(t, at.Latitude, at.Longitude); hour >= 0 {
		offset = p.OnOffset
	}
	height, _ := Sun(t.Add(-offset), at.Latitude, at.Longitude)
	return height < p.SunDeg
}

// Level is the brightness that the clock asks for, a share in [0, 1], whether the lamps burn or not: that of the newest level whose time has come, 1 without levels.
func Level(p *district.LightingParams, at Place, t time.Time) float64 {
	if len(p.Levels) == 0 {
		return 1
	}
	now, share := clock(t, at.Zone), p.Levels[len(p.Levels)-1].Share // of the evening before
	for _, l := range p.Levels {
		if l.From <= now {
			share = l.Share
		}
	}
	return share
}

// PowerKW is what the lighting draws at an instant by its schedule. Lamps are taken to draw in proportion to their level.
func PowerKW(p *district.LightingParams, at Place, t time.Time) float64 {
	if !Burns(p, at, t) {
		return p.StandbyKW
	}
	return max(p.StandbyKW, p.RatedKW*Level(p, at, t))
}

// MeanKW is the mean of what the lighting draws in a slot by its schedule, to the minute.
func MeanKW(p *district.LightingParams, at Place, start time.Time, step time.Duration) float64 {
	sum, n := 0.0, 0
	for t := start.Add(30 * time.Second); t.Before(start.Add(step)); t = t.Add(time.Minute) {
		sum += PowerKW(p, at, t)
		n++
	}
	return sum / float64(max(1, n))
}

// clock is the time since midnight by the local clock.
func clock(t time.Time, zone *time.Location) time.Duration {
	l := t.In(zone)
	return time.Duration(l.Hour())*time.Hour + time.Duration(l.Minute())*time.Minute + time.Duration(l.Second())*time.Second
}

func inHours(from, to, now time.Duration) bool {
	if from < to {
		return now >= from && now < to
	}
	return now >= from || now < to
}
