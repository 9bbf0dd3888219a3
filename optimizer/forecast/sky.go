package forecast

import (
	"math"
	"time"
)

// Place is where a solar generator stands and how.
type Place struct {
	LatitudeDeg, LongitudeDeg float64 // north and east positive
	TiltDeg                   float64 // 0 flat, 90 vertical
	AzimuthDeg                float64 // 180 south
}

const (
	meanCloud  = 0.6  // what is left of a clear sky's energy on average
	systemGain = 0.85 // of modules, wiring and inverter at their rating
	diffuse    = 0.25 // share of the horizontal irradiance that comes from all of the sky
	albedo     = 0.2
)

// MeanSky is the power that a generator may be expected to give at an instant before anything is known of it, as a share of its rating: the clear sky by the formula of Haurwitz (1945), less
// what clouds take on average, as [UnderSky] says.
func MeanSky(p Place, at time.Time) float64 {
	sinH, _ := sunAt(p, at)
	if sinH <= 0.01 {
		return 0
	}
	ghi := 1098 * sinH * math.Exp(-0.057/sinH) // W/m2
	return math.Min(1, meanCloud*UnderSky(p, at, Sky{GlobalWm2: ghi, DirectWm2: math.NaN(), DiffuseWm2: math.NaN()}))
}

// Sky is the irradiance of a time. What is not known of direct and diffuse is NaN.
type Sky struct {
	GlobalWm2  float64 // on the horizontal
	DirectWm2  float64 // on a plane that faces the sun
	DiffuseWm2 float64 // of all of the sky but the sun, on the horizontal
}

// UnderSky is the power that a generator gives under a sky at an instant, as a share of its rating: on the plane of the modules by the isotropic model of Liu and Jordan (1963). Without a direct
// or diffuse part a quarter of the global irradiance is taken as diffuse.
func UnderSky(p Place, at time.Time, sky Sky) float64 {
	sinH, azimuth := sunAt(p, at)
	ghi, dhi := math.Max(0, sky.GlobalWm2), sky.DiffuseWm2
	if math.IsNaN(dhi) {
		dhi = diffuse * ghi
	}
	tilt, cosH := p.TiltDeg*math.Pi/180, math.Sqrt(1-sinH*sinH)
	incidence := math.Max(0, sinH*math.Cos(tilt)+cosH*math.Sin(tilt)*math.Cos(azimuth-p.AzimuthDeg*math.Pi/180))
	direct := sky.DirectWm2
	if math.IsNaN(direct) {
		direct = 0
		if sinH > 0.01 {
			direct = math.Min(1000, math.Max(0, ghi-dhi)/sinH)
		}
	}
	plane := direct*incidence + dhi*(1+math.Cos(tilt))/2 + albedo*ghi*(1-math.Cos(tilt))/2
	return math.Min(1, systemGain*plane/1000)
}

// sunAt is the sine of the sun's elevation and its azimuth from north over east, rad, to about half a degree: declination and equation of time by the series of Spencer (1971).
func sunAt(p Place, at time.Time) (sinElevation, azimuth float64) {
	at = at.UTC()
	hours := float64(at.Hour()) + float64(at.Minute())/60 + float64(at.Second())/3600
	g := 2 * math.Pi * (float64(at.YearDay()-1) + hours/24) / 365
	declination := 0.006918 - 0.399912*math.Cos(g) + 0.070257*math.Sin(g) - 0.006758*math.Cos(2*g) + 0.000907*math.Sin(2*g) - 0.002697*math.Cos(3*g) + 0.00148*math.Sin(3*g)
	minutes := 229.18 * (0.000075 + 0.001868*math.Cos(g) - 0.032077*math.Sin(g) - 0.014615*math.Cos(2*g) - 0.040849*math.Sin(2*g))
	angle := (hours + p.LongitudeDeg/15 + minutes/60 - 12) * math.Pi / 12
	lat := p.LatitudeDeg * math.Pi / 180
	sinElevation = math.Sin(lat)*math.Sin(declination) + math.Cos(lat)*math.Cos(declination)*math.Cos(angle)
	azimuth = math.Pi + math.Atan2(math.Sin(angle), math.Cos(angle)*math.Sin(lat)-math.Tan(declination)*math.Cos(lat))
	return sinElevation, azimuth
}
