package sim

import (
	"math"
	"time"
)

// clearSky is the direct irradiance in kW/m² on a plane that faces south with the given tilt, under a clear sky, at a mean solar time (hours) of a day of
// the year: declination after Cooper, attenuation by air mass after Meinel (0.7^(AM^0.678)).
func clearSky(latitude, tiltDeg float64, yearDay int, solarHour float64) float64 {
	const rad = math.Pi / 180
	decl := 23.45 * rad * math.Sin(2*math.Pi*float64(284+yearDay)/365)
	hour := 15 * rad * (solarHour - 12)
	lat := latitude * rad
	sinH := math.Sin(lat)*math.Sin(decl) + math.Cos(lat)*math.Cos(decl)*math.Cos(hour)
	if sinH <= 0.01 {
		return 0
	}
	air := 1 / (sinH + 0.15*math.Pow(math.Asin(sinH)/rad+3.885, -1.253))
	direct := 1.353 * math.Pow(0.7, math.Pow(air, 0.678))
	tilted := math.Sin(lat-tiltDeg*rad)*math.Sin(decl) + math.Cos(lat-tiltDeg*rad)*math.Cos(decl)*math.Cos(hour)
	return direct * math.Max(0, tilted)
}

// relocate is the factor by which a solar yield recorded at one latitude is multiplied at another: the ratio of the clear-sky irradiance on
// the same plane, with a tenth of the sky's brightness added to both so that dawn and dusk stay finite, at most 1.4.
func relocate(fromLat, toLat, tiltDeg float64, fromDay, toDay int, solarHour float64) float64 {
	if math.Abs(fromLat-toLat) <= 1 {
		return 1
	}
	const diffuse = 0.02
	from, to := clearSky(fromLat, tiltDeg, fromDay, solarHour), clearSky(toLat, tiltDeg, toDay, solarHour)
	return math.Min(1.4, (to+diffuse)/(from+diffuse))
}

// seasonal interpolates twelve monthly means, each in the middle of its month, round the year.
func seasonal(means []float64, t time.Time) float64 {
	x := float64(t.Month()-1) + (float64(t.Day()-1)+float64(t.Hour())/24)/30.5 - 0.5
	if x < 0 {
		x += 12
	}
	i := int(x)
	f := x - float64(i)
	return means[i%12]*(1-f) + means[(i+1)%12]*f
}
