package sim

import (
	"math"

	"quartier/drivers"
	"quartier/schemas/district"
)

// lamps is a street lighting cabinet: a twilight switch of its own with hysteresis and a delay, lamps that warm up for a few minutes and draw a little more than their level when they are
// dimmed, and a controller that is back at full brightness when it was not told a level for a while.
type lamps struct {
	machine
	latitude, longitude float64
	ratedKW, standbyKW  float64
	level               float64 // commanded brightness
	on                  bool
	warm                float64 // share of the way to full power, in [0, 1]
}

// Twilight switches answer to some 10 lx at the mast: the sun is about 4.5° below the horizon under a mean sky. They switch off a little brighter than they switch on.
const (
	lampsOnDeg  = -4.8
	lampsOffDeg = -4.2
)

func newLamps(m machine, p *district.LightingParams, d *district.District) *lamps {
	return &lamps{machine: m, latitude: d.Latitude, longitude: d.Longitude, ratedKW: m.deviate(p.RatedKW, "rated", 0.05), standbyKW: p.StandbyKW, level: 1}
}

func (l *lamps) advance(e *env) {
	switch height := sunHeight(e, l.latitude, l.longitude); {
	case height < lampsOnDeg:
		l.on = true
	case height > lampsOffDeg:
		l.on = false
	}
	if !l.on {
		l.warm = 0
		l.count(l.standbyKW, e)
		return
	}
	l.warm = approach(l.warm, 1, 60/4.0, e.hours) // four minutes to full power
	drivers := 0.06 * l.ratedKW * (1 - l.level)   // of the lamps' electronics, which dimming does not lower
	l.count((0.7+0.3*l.warm)*(l.ratedKW*l.level+drivers), e)
}

// sunHeight is the sun's height in degrees by the declination of [clearSky] and mean solar time with the equation of time after Spencer's two leading terms.
func sunHeight(e *env, latitude, longitude float64) float64 {
	utc := e.middle.UTC()
	day := float64(utc.YearDay()) + float64(utc.Hour())/24
	b := 2 * math.Pi * (day - 81) / 364
	minutes := 9.87*math.Sin(2*b) - 7.53*math.Cos(b) - 1.5*math.Sin(b)
	hour := float64(utc.Hour()) + float64(utc.Minute())/60 + float64(utc.Second())/3600 + longitude/15 + minutes/60
	dec := 23.45 * math.Pi / 180 * math.Sin(2*math.Pi*(284+day)/365)
	lat, h := latitude*math.Pi/180, (hour-12)*15*math.Pi/180
	return math.Asin(math.Sin(lat)*math.Sin(dec)+math.Cos(lat)*math.Cos(dec)*math.Cos(h)) * 180 / math.Pi
}

func (l *lamps) value(point string) (float64, bool) {
	bit := func(on bool) (float64, bool) {
		if on {
			return 1, true
		}
		return 0, true
	}
	switch point {
	case district.LimitShare:
		return l.level, true
	case "lamps_on":
		return bit(l.on)
	case "door_open", "breaker_tripped":
		return 0, true
	case "current_l1_a", "current_l2_a", "current_l3_a":
		return l.powerKW * 1000 / 3 / 230, true
	case district.StatusState:
		return 1, true
	}
	return l.common(point)
}

func (l *lamps) command(q drivers.ControlQuantity, x float64) error {
	if q != drivers.ControlShare || math.IsNaN(x) || x < 0 || x > 1 {
		return refuse(q, x)
	}
	l.level = x
	return nil
}

func (l *lamps) release() { l.level = 1 }
