package feed

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"quartier/schemas/carbon"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// ReadEco2mix reads the carbon intensity of a document of éco2mix, see [carbon.Read]: 15 or 30 minute steps, nulls where no rate is known yet. zone is that of times without an offset. The error of an error body
// of the open-data service is what it says.
func ReadEco2mix(data []byte, zone *time.Location) (Bulletin, error) {
	var fault struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(data, &fault) == nil && fault.Code != "" {
		return Bulletin{}, fmt.Errorf("éco2mix: %w: %.60q, %.200q", errSaid, fault.Code, fault.Message)
	}
	var b Bulletin
	file, err := carbon.Read(bytes.NewReader(data), zone, func(row int, reason error) { b.refuse(row, "%w", reason) })
	if err != nil {
		return b, fmt.Errorf("éco2mix: %w", err)
	}
	step := file.Step
	if step < 5*time.Minute || step > time.Hour {
		step = 15 * time.Minute
	}
	var blocks []block
	for i, p := range file.Points {
		if !timegrid.Floor(p.Time, step).Equal(p.Time) {
			b.refuse(i+1, "%s is no full %v", p.Time.Format(time.RFC3339), step)
			continue
		}
		blocks = append(blocks, block{timegrid.Span{Start: p.Time, End: p.Time.Add(step)}, p.GPerKWh, i + 1})
	}
	b.Series = map[string]timegrid.Series{district.CarbonIntensity: b.lay("taux_co2", blocks, step)}
	b.Issued = b.Span().End // rates are published as they come, and an old document that is served again is as old as its last one
	return b, nil
}
