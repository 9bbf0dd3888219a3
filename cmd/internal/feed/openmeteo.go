package feed

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// variable is a variable of Open-Meteo and what it becomes.
type variable struct {
	name, quantity string
	unit           string
	low, high      float64
	mean           bool // over the time before its instant; otherwise at that instant
}

// Open-Meteo gives radiation as the mean of the step that ends at the time, and temperature at the time.
var variables = []variable{
	{"temperature_2m", district.OutdoorC, "°C", -90, 60, false},
	{"shortwave_radiation", district.IrradianceWm2, "W/m²", 0, 1500, true},
	{"direct_normal_irradiance", district.DirectWm2, "W/m²", 0, 1500, true},
	{"diffuse_radiation", district.DiffuseWm2, "W/m²", 0, 1500, true},
}

// ReadOpenMeteo reads a document of Open-Meteo's forecast API, of hourly and quarter-hourly values; where both have one, the quarter-hour holds. Values become means of the slots that follow their
// instant. Times are those of the document's fixed offset, or Unix seconds. A null is a gap; a value that cannot be is refused with its number in its list. The error is about the document as a whole;
// that of an error body is what the service says.
func ReadOpenMeteo(data []byte) (Bulletin, error) {
	var doc struct {
		Error        bool                       `json:"error"`
		Reason       string                     `json:"reason"`
		Offset       int                        `json:"utc_offset_seconds"`
		Hourly       map[string]json.RawMessage `json:"hourly"`
		HourlyUnits  map[string]string          `json:"hourly_units"`
		Minutely     map[string]json.RawMessage `json:"minutely_15"`
		MinutelyUnit map[string]string          `json:"minutely_15_units"`
	}
	if t := bytes.TrimLeft(data, " \t\r\n"); len(t) > 0 && t[0] == '[' {
		return Bulletin{}, errors.New("open-meteo: the document is of several places; ask for one")
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return Bulletin{}, fmt.Errorf("open-meteo: %w", err)
	}
	if doc.Error {
		return Bulletin{}, fmt.Errorf("open-meteo: %w: %.200q", errSaid, doc.Reason)
	}
	if doc.Offset < -14*3600 || doc.Offset > 14*3600 {
		return Bulletin{}, fmt.Errorf("open-meteo: utc_offset_seconds %d lies outside ±14 h", doc.Offset)
	}
	b := Bulletin{Series: map[string]timegrid.Series{}}
	blocks, finest := map[string][]block{}, map[string]time.Duration{}
	for _, part := range []struct {
		name  string
		step  time.Duration
		lists map[string]json.RawMessage
		units map[string]string
	}{{"hourly", time.Hour, doc.Hourly, doc.HourlyUnits}, {"minutely_15", 15 * time.Minute, doc.Minutely, doc.MinutelyUnit}} {
		if part.lists == nil {
			continue
		}
		times, err := meteoTimes(part.lists["time"], part.units["time"], doc.Offset)
		if err != nil {
			return Bulletin{}, fmt.Errorf("open-meteo: %s.time: %w", part.name, err)
		}
		for _, v := range variables {
			raw, ok := part.lists[v.name]
			if !ok {
				continue
			}
			got := b.variable(part.name+"."+v.name, v, raw, part.units[v.name], times, part.step)
			if len(got) > 0 {
				blocks[v.quantity], finest[v.quantity] = append(blocks[v.quantity], got...), part.step
			}
		}
	}
	for q, list := range blocks {
		b.Series[q] = b.lay(q, list, finest[q])
	}
	if len(b.Series) == 0 {
		return b, errors.New("open-meteo: no value in the document; want hourly or minutely_15 with temperature_2m or shortwave_radiation")
	}
	return b, nil
}

// meteoTimes reads a list of times; one that cannot be read is zero.
func meteoTimes(raw json.RawMessage, unit string, offset int) ([]time.Time, error) {
	if len(raw) == 0 {
		return nil, errors.New("it is missing")
	}
	if unit == "unixtime" {
		var list []int64
		if err := json.Unmarshal(raw, &list); err != nil {
			return nil, fmt.Errorf("want Unix seconds: %w", err)
		}
		out := make([]time.Time, len(list))
		for i, s := range list {
			if s > 0 && s < 1<<34 {
				out[i] = time.Unix(s, 0).UTC()
			}
		}
		return out, nil
	}
	var list []string
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("want times such as 2026-01-31T13:15: %w", err)
	}
	out := make([]time.Time, len(list))
	for i, text := range list {
		if t, err := time.Parse("2006-01-02T15:04", text); err == nil && t.Year() >= 1970 && t.Year() < 2200 {
			out[i] = t.Add(-time.Duration(offset) * time.Second)
		}
	}
	return out, nil
}

// variable reads the values of a variable as blocks.
func (b *Bulletin) variable(path string, v variable, raw json.RawMessage, unit string, times []time.Time, step time.Duration) []block {
	var list []*float64
	if err := json.Unmarshal(raw, &list); err != nil {
		b.refuse(1, "%s: want numbers and nulls: %w", path, err)
		return nil
	}
	convert := func(x float64) float64 { return x }
	switch unit {
	case v.unit, "":
	case "°F":
		if v.quantity == district.OutdoorC {
			convert = func(x float64) float64 { return (x - 32) / 1.8 }
			break
		}
		fallthrough
	default:
		b.refuse(1, "%s: %.20q is no unit of it, want %s", path, unit, v.unit)
		return nil
	}
	if len(list) != len(times) {
		b.refuse(min(len(list), len(times))+1, "%s: %d values for %d times", path, len(list), len(times))
	}
	n := min(len(list), len(times))
	values := make([]float64, n)
	seen := map[time.Time]bool{}
	for i := range n {
		values[i] = math.NaN()
		at := times[i]
		switch {
		case at.IsZero():
			b.refuse(i+1, "%s: its time cannot be read", path)
			continue
		case !at.Equal(timegrid.Floor(at, step)):
			b.refuse(i+1, "%s: %s is no full %v", path, at.Format(time.RFC3339), step)
			times[i] = time.Time{}
			continue
		case seen[at]:
			b.refuse(i+1, "%s: %s is there twice", path, at.Format(time.RFC3339))
			continue
		}
		seen[at] = true
		if list[i] == nil {
			continue
		}
		if x := convert(*list[i]); x >= v.low && x <= v.high {
			values[i] = x
		} else {
			b.refuse(i+1, "%s: %g %s at %s lies outside %g to %g", path, x, v.unit, at.Format(time.RFC3339), v.low, v.high)
		}
	}
	var out []block
	for i, x := range values {
		if math.IsNaN(x) {
			continue
		}
		at := times[i]
		if v.mean {
			out = append(out, block{timegrid.Span{Start: at.Add(-step), End: at}, x, i + 1})
			continue
		}
		if i+1 < n && times[i+1].Equal(at.Add(step)) && !math.IsNaN(values[i+1]) {
			x = (x + values[i+1]) / 2 // the mean until the next
		}
		out = append(out, block{timegrid.Span{Start: at, End: at.Add(step)}, x, i + 1})
	}
	return out
}
