package batch

import (
	"encoding/json"

	"quartier/schemas/district"
)

// decodeForecasts reads errors of forecasts, those too that were packed when all of them were in kW and said so in their names: they wait in outboxes and lie in archives.
func decodeForecasts(payload []byte) ([]district.ForecastError, error) {
	var rows []struct {
		district.ForecastError
		AbsoluteKW    float64 `json:"absolute_kw"`
		PersistenceKW float64 `json:"persistence_kw"`
		MeasuredKW    float64 `json:"measured_kw"`
		PinballKW     float64 `json:"pinball_kw"`
	}
	if err := json.Unmarshal(payload, &rows); err != nil || rows == nil {
		return nil, err
	}
	out := make([]district.ForecastError, len(rows))
	for i, r := range rows { // a row has the one names or the others
		out[i] = r.ForecastError
		out[i].Absolute += r.AbsoluteKW
		out[i].Persistence += r.PersistenceKW
		out[i].Measured += r.MeasuredKW
		out[i].Pinball += r.PinballKW
	}
	return out, nil
}
