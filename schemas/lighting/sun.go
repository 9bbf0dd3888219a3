package lighting

import (
	"math"
	"time"
)

// The heights of the sun, degrees, at which a twilight begins and ends. Sunset counts refraction (34') and the sun's radius (16').
const (
	Sunset        = -50.0 / 60
	CivilTwilight = -6.0
)

// Sun returns the height of the sun's centre above the horizon without refraction, degrees, at a place, degrees north and east, and its hour angle, degrees in [-180, 180), which is positive
// from noon to midnight. It is the low-precision formula of the Astronomical Almanac (U.S. Naval Observatory), good to 0.01° and a few seconds between 1950 and 2050.
func Sun(t time.Time, latitude, longitude float64) (height, hourAngle float64) {
	days := float64(t.UnixMilli())/86_400_000 + 2440587.5 - 2451545 // since J2000
	anomaly := rad(357.528 + 0.9856003*days)
	mean := 280.460 + 0.9856474*days
	ecliptic := rad(mean + 1.915*math.Sin(anomaly) + 0.020*math.Sin(2*anomaly))
	tilt := rad(23.439 - 0.0000004*days)
	ascension := deg(math.Atan2(math.Cos(tilt)*math.Sin(ecliptic), math.Cos(ecliptic)))
	declination := math.Asin(math.Sin(tilt) * math.Sin(ecliptic))
	sidereal := 280.46062 + 360.98564737*days // at Greenwich, degrees
	hourAngle = math.Mod(math.Mod(sidereal+longitude-ascension, 360)+540, 360) - 180
	phi := rad(latitude)
	return deg(math.Asin(math.Sin(phi)*math.Sin(declination) + math.Cos(phi)*math.Cos(declination)*math.Cos(rad(hourAngle)))), hourAngle
}

func rad(d float64) float64 { return d * math.Pi / 180 }
func deg(r float64) float64 { return r * 180 / math.Pi }
