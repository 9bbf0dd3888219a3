package district

import (
	"time"

	"quartier/schemas/units"
)

// The quantities that are foreseen.
const (
	ForecastLoad     = "load"      // kW, what a site draws beside its known devices
	ForecastSun      = "sun"       // kW, what all inverters of a site give
	ForecastNet      = "net"       // kW, of the district: load less sun
	ForecastHeat     = "heat"      // kW of heat that the zone of a heat pump needs to stay as warm as it is to be
	ForecastHotWater = "hot_water" // kW of heat that is drawn from a tank
	ForecastCar      = "car"       // kW that cars draw at a charging point
	ForecastOutdoor  = "outdoor"   // °C outside
	ForecastPrice    = "price"     // EUR/kWh, of imports
	ForecastCarbon   = "carbon"    // g CO2/kWh of the public grid
)

// ForecastUnit is the unit of a quantity that is foreseen, and of how wrong that was.
func ForecastUnit(quantity string) units.Unit {
	switch quantity {
	case ForecastOutdoor:
		return units.DegC
	case ForecastPrice:
		return units.EURPerKWh
	case ForecastCarbon:
		return units.GramsPerKWh
	}
	return units.KW
}

// Foreseen is what a plan expects of one series in its steps, and in which band it is to be: four times of five between Low and High. A band is as narrow as the mean in steps whose value is
// settled beforehand. Low and High are empty where that is so in all steps, which Settled says, and where nothing is known of how wrong such forecasts are.
type Foreseen struct {
	Site     string    `json:"site"`             // DistrictSite: the district as a whole
	Device   string    `json:"device,omitempty"` // empty: the site as a whole
	Quantity string    `json:"quantity"`         // one of ForecastLoad, …; tells the unit
	Mean     []float64 `json:"mean"`             // per step, what the plan rests on
	Low      []float64 `json:"low,omitempty"`    // 10th percentile
	High     []float64 `json:"high,omitempty"`   // 90th percentile
	// Settled says that the mean leaves nothing open in any step, as a tariff does.
	Settled bool `json:"settled,omitempty"`
	// SteppedBack says that similar days foresaw the series better of late, and so are what the plan rests on.
	SteppedBack bool `json:"stepped_back,omitempty"`
}

// Band returns the band of a step, false where none is known or the step is not one of the series.
func (f *Foreseen) Band(step int) (low, high float64, ok bool) {
	switch {
	case step < 0 || step >= len(f.Mean):
		return 0, 0, false
	case f.Settled:
		return f.Mean[step], f.Mean[step], true
	case step < len(f.Low) && step < len(f.High):
		return f.Low[step], f.High[step], true
	}
	return 0, 0, false
}

// ForecastError is how wrong the forecasts of one quantity were at one lead over the slots of one day. The figures are sums, so that days and sites add up.
type ForecastError struct {
	District    string    `json:"district"`
	Site        string    `json:"site"`             // DistrictSite: the district as a whole
	Device      string    `json:"device,omitempty"` // empty: the site as a whole
	Quantity    string    `json:"quantity"`         // one of ForecastLoad, …; tells the unit of the sums
	Day         time.Time `json:"day"`              // begin of the day of UTC in which the slots lie
	LeadMinutes int       `json:"lead_minutes"`     // from when it was forecast to the begin of the slot
	// Replayed forecasts were made afterwards from the record, of what was known at their time alone; others were made at that time.
	Replayed bool `json:"replayed"`

	Count       int64   `json:"count"`       // of slots
	Absolute    float64 `json:"absolute"`    // sum of |measured - forecast|; of load and sun of the median, of other quantities of what was expected
	Persistence float64 `json:"persistence"` // the same of similar days with the present deviation fading
	Measured    float64 `json:"measured"`    // sum of |measured|
	Banded      int64   `json:"banded"`      // of the slots that had a band
	Covered     int64   `json:"covered"`     // of those, the slots measured within the band that is to hold 80 %
	Pinball     float64 `json:"pinball"`     // sum over those of the pinball loss, mean of the 10th, 50th and 90th percentile
}

// Add adds the sums of another row.
func (e *ForecastError) Add(o ForecastError) {
	e.Count += o.Count
	e.Absolute += o.Absolute
	e.Persistence += o.Persistence
	e.Measured += o.Measured
	e.Banded += o.Banded
	e.Covered += o.Covered
	e.Pinball += o.Pinball
}
