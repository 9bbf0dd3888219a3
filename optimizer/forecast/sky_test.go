package forecast

import (
	"math"
	"testing"
	"time"
)

// TestSunPosition against the geometry of solstices and equinox, and the almanac's solar noon: in Greenwich on 11 February 2026 the sun is 14.2 min late, on 3 November 16.4 min early.
func TestSunPosition(t *testing.T) {
	dijon := Place{LatitudeDeg: 47.32, LongitudeDeg: 5.04}
	for _, tt := range []struct {
		day  time.Time
		high float64 // degrees
	}{{time.Date(2026, 6, 21, 0, 0, 0, 0, time.UTC), 90 - 47.32 + 23.44}, {time.Date(2026, 12, 21, 0, 0, 0, 0, time.UTC), 90 - 47.32 - 23.44}, {time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC), 90 - 47.32}} {
		high := 0.0
		for m := range 24 * 60 {
			s, _ := sunAt(dijon, tt.day.Add(time.Duration(m)*time.Minute))
			high = math.Max(high, math.Asin(s)*180/math.Pi)
		}
		if math.Abs(high-tt.high) > 0.5 {
			t.Errorf("%s: at most %.2f degrees, want %.2f", tt.day.Format(time.DateOnly), high, tt.high)
		}
	}
	for _, tt := range []struct {
		day  time.Time
		late float64 // minutes
	}{{time.Date(2026, 2, 11, 12, 0, 0, 0, time.UTC), 14.2}, {time.Date(2026, 11, 3, 12, 0, 0, 0, time.UTC), -16.4}} {
		at := tt.day.Add(time.Duration(tt.late * float64(time.Minute)))
		if _, az := sunAt(Place{LatitudeDeg: 51.48}, at); math.Abs(az*180/math.Pi-180) > 0.5 {
			t.Errorf("%s: azimuth %.2f degrees, want 180", at, az*180/math.Pi)
		}
	}
	morning, _ := sunAt(dijon, time.Date(2026, 6, 21, 6, 0, 0, 0, time.UTC))
	_, az := sunAt(dijon, time.Date(2026, 6, 21, 6, 0, 0, 0, time.UTC))
	if morning <= 0 || az > math.Pi/2+0.2 {
		t.Errorf("in the morning the sun stands at azimuth %.1f degrees", az*180/math.Pi)
	}
}

// TestMeanSky: nothing at night, never above the rating, a year of a good roof near 1,100 kWh per kWp and of a north wall far less.
func TestMeanSky(t *testing.T) {
	year := func(tilt, azimuth float64) (kwh float64) {
		p := Place{LatitudeDeg: 47.32, LongitudeDeg: 5.04, TiltDeg: tilt, AzimuthDeg: azimuth}
		for h := range 365 * 24 {
			at := time.Date(2026, 1, 1, h, 30, 0, 0, time.UTC)
			v := MeanSky(p, at)
			if v < 0 || v > 1 || at.Hour() == 0 && v != 0 {
				t.Fatalf("%v at %v", v, at)
			}
			kwh += v
		}
		return kwh
	}
	south, east, wall := year(35, 180), year(35, 90), year(90, 0)
	if south < 900 || south > 1400 || east > 0.95*south || wall > 0.5*south {
		t.Errorf("%.0f kWh to the south, %.0f to the east, %.0f on a north wall", south, east, wall)
	}
}

// TestUnderSky: flat modules see the global irradiance whatever its parts are, a wall to the north under a clear sky little, and at night nothing is given.
func TestUnderSky(t *testing.T) {
	noon := time.Date(2026, 6, 21, 11, 40, 0, 0, time.UTC)
	at := func(tilt, azimuth float64) Place {
		return Place{LatitudeDeg: 47.32, LongitudeDeg: 5.04, TiltDeg: tilt, AzimuthDeg: azimuth}
	}
	sinH, _ := sunAt(at(0, 180), noon)
	parts := Sky{GlobalWm2: 800, DirectWm2: 700 / sinH, DiffuseWm2: 100}
	whole := Sky{GlobalWm2: 800, DirectWm2: math.NaN(), DiffuseWm2: math.NaN()}
	for _, sky := range []Sky{parts, whole} {
		if v := UnderSky(at(0, 180), noon, sky); math.Abs(v-0.8*systemGain) > 1e-9 {
			t.Errorf("flat under %+v: %v, want %v", sky, v, 0.8*systemGain)
		}
	}
	south, wall := UnderSky(at(30, 180), noon, parts), UnderSky(at(90, 0), noon, parts)
	if south <= 0.8*systemGain || wall > 0.25*south {
		t.Errorf("%v to the south, %v on a north wall", south, wall)
	}
	if v := UnderSky(at(30, 180), noon.Add(12*time.Hour), Sky{}); v != 0 {
		t.Errorf("%v at night", v)
	}
}
