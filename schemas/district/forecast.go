package district

import "time"

// The quantities that are foreseen.
const (
	ForecastLoad = "load" // what a site draws beside its known devices
	ForecastSun  = "sun"  // what all inverters of a site give
	ForecastNet  = "net"  // of the district: load less sun
)

// ForecastError is how wrong the forecasts of one quantity were at one lead over the slots of one day. The figures are sums, so that days and sites add up.
type ForecastError struct {
	District    string    `json:"district"`
	Site        string    `json:"site"`         // DistrictSite: the district as a whole
	Quantity    string    `json:"quantity"`     // ForecastLoad, ForecastSun or ForecastNet
	Day         time.Time `json:"day"`          // begin of the day of UTC in which the slots lie
	LeadMinutes int       `json:"lead_minutes"` // from when it was forecast to the begin of the slot
	// Replayed forecasts were made afterwards from the record, of what was known at their time alone; others were made at that time.
	Replayed bool `json:"replayed"`

	Count         int64   `json:"count"`          // of slots
	AbsoluteKW    float64 `json:"absolute_kw"`    // sum of |measured - forecast|; of load and sun of the median, of the net power of what was expected
	PersistenceKW float64 `json:"persistence_kw"` // the same of similar days with the present deviation fading
	MeasuredKW    float64 `json:"measured_kw"`    // sum of |measured|
	Banded        int64   `json:"banded"`         // of the slots that had a band
	Covered       int64   `json:"covered"`        // of those, the slots measured within the band that is to hold 80 %
	PinballKW     float64 `json:"pinball_kw"`     // sum over those of the pinball loss, mean of the 10th, 50th and 90th percentile
}

// Add adds the sums of another row.
func (e *ForecastError) Add(o ForecastError) {
	e.Count += o.Count
	e.AbsoluteKW += o.AbsoluteKW
	e.PersistenceKW += o.PersistenceKW
	e.MeasuredKW += o.MeasuredKW
	e.Banded += o.Banded
	e.Covered += o.Covered
	e.PinballKW += o.PinballKW
}
