package baseline

import (
	"fmt"
	"math"

	"quartier/schemas/timegrid"
)

// Observation is the energy of one period with its weather.
type Observation struct {
	Span         timegrid.Span
	EnergyKWh    float64   // all that the meter counted
	HotWaterKWh  float64   // of that, hot water with a meter of its own; 0 where there is none
	OccupiedDays float64   // days on which the building was in use; read only when [Options.Occupancy] says so
	DailyMeansC  []float64 // mean outdoor temperature of each day of the period; of an hourly observation, its one temperature
	Days         float64   // length in days; 0: as many as there are temperatures
}

func (o *Observation) days() float64 {
	if o.Days > 0 {
		return o.Days
	}
	return float64(len(o.DailyMeansC))
}

// perTemperature is how many days one temperature stands for.
func (o *Observation) perTemperature() float64 { return o.days() / float64(len(o.DailyMeansC)) }

// HeatingDegreeDays returns the sum of max(0, base - mean) over days, K·d.
func HeatingDegreeDays(baseC float64, meansC []float64) (sum float64) {
	for _, t := range meansC {
		sum += math.Max(0, baseC-t)
	}
	return sum
}

// CoolingDegreeDays returns the sum of max(0, mean - base) over days, K·d.
func CoolingDegreeDays(baseC float64, meansC []float64) (sum float64) {
	for _, t := range meansC {
		sum += math.Max(0, t-baseC)
	}
	return sum
}

// DayMean is the mean of a day's extremes, by which degree days are customarily counted in France (DJU).
func DayMean(minC, maxC float64) float64 { return (minC + maxC) / 2 }

// check returns what makes an observation unfit.
func (o *Observation) check(occupancy bool) error {
	at := o.Span.Start.Format("2006-01-02")
	switch {
	case len(o.DailyMeansC) == 0:
		return fmt.Errorf("observation of %s: no temperature", at)
	case !finite(o.EnergyKWh):
		return fmt.Errorf("observation of %s: energy %v kWh", at, o.EnergyKWh)
	case !finite(o.HotWaterKWh) || o.HotWaterKWh < 0 || o.HotWaterKWh > o.EnergyKWh+1e-9 && o.HotWaterKWh > 0:
		return fmt.Errorf("observation of %s: hot water %v kWh of %v kWh", at, o.HotWaterKWh, o.EnergyKWh)
	case occupancy && !(o.OccupiedDays >= 0 && o.OccupiedDays <= o.days()):
		return fmt.Errorf("observation of %s: %v occupied days of %v", at, o.OccupiedDays, o.days())
	}
	for _, t := range o.DailyMeansC {
		if !finite(t) || t < -90 || t > 70 {
			return fmt.Errorf("observation of %s: temperature %v °C", at, t)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
