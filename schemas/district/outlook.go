package district

import "time"

// Outlook is what was published of the weather ahead, as it stood at an instant: what no record of the weather tells afterwards. Forecasts learn from it what the published weather is worth.
type Outlook struct {
	District string    `json:"district"`
	At       time.Time `json:"at"`   // the instant, at which the slots that it is about begin
	Body     []byte    `json:"body"` // packed and checked by who learns from it
}
