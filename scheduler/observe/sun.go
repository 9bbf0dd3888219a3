package observe

import (
	"math"
	"time"
)

// Elevation is how high the sun stands over a place, degrees, negative below the horizon. It is the low-precision formula of the Astronomical Almanac (U.S. Naval Observatory), good to a few
// hundredths of a degree between 1950 and 2050; refraction, half a degree at the horizon, is left out.
func Elevation(latitudeDeg, longitudeDeg float64, at time.Time) float64 {
	const rad = math.Pi / 180
	days := at.Sub(time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)).Hours() / 24
	mean := (280.460 + 0.9856474*days) * rad
	anomaly := (357.528 + 0.9856003*days) * rad
	ecliptic := mean + (1.915*math.Sin(anomaly)+0.020*math.Sin(2*anomaly))*rad
	tilt := (23.439 - 0.0000004*days) * rad
	declination := math.Asin(math.Sin(tilt) * math.Sin(ecliptic))
	ascension := math.Atan2(math.Cos(tilt)*math.Sin(ecliptic), math.Cos(ecliptic))
	sidereal := (280.46062 + 360.98564737*days + longitudeDeg) * rad
	hour := sidereal - ascension
	lat := latitudeDeg * rad
	return math.Asin(math.Sin(lat)*math.Sin(declination)+math.Cos(lat)*math.Cos(declination)*math.Cos(hour)) / rad
}
