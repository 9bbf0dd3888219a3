package district

import "time"

// LightingParams describe the street lighting behind a cabinet and when it burns, see package lighting.
type LightingParams struct {
	RatedKW             float64         // all lamps at full brightness
	StandbyKW           float64         // while they do not burn
	SunDeg              float64         // height of the sun, degrees, below which they burn
	OnOffset, OffOffset time.Duration   // after that in the evening and in the morning; negative: before it
	Levels              []LightingLevel // by From; none: full brightness
	HalfNightFrom       time.Duration   // since local midnight; the lamps rest from here
	HalfNightTo         time.Duration   // to here; the same: they never do
}

// LightingLevel is a brightness from a time of each day on.
type LightingLevel struct {
	From  time.Duration // since local midnight
	Share float64       // in [0, 1]
}
