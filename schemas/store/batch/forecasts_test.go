package batch

import (
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"quartier/schemas/district"
)

// TestForecastsOfBefore: errors that were packed with kW in their names are read as they were meant.
func TestForecastsOfBefore(t *testing.T) {
	const payload = `[{"district":"fontaine","site":"_","quantity":"net","day":"2026-01-15T00:00:00Z","lead_minutes":60,"replayed":true,"count":3,"absolute_kw":1.5,"persistence_kw":2.5,"measured_kw":30.25,"banded":3,"covered":2,"pinball_kw":0.125}]`
	packed := append([]byte(magic), byte(OfForecasts))
	packed = binary.LittleEndian.AppendUint64(packed, 9)
	packed = binary.LittleEndian.AppendUint32(packed, 1)
	packed = append(packed, payload...)
	packed = binary.LittleEndian.AppendUint32(packed, crc32.Checksum(packed, castagnoli))
	b, err := Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	want := district.ForecastError{District: "fontaine", Site: "_", Quantity: "net", Day: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), LeadMinutes: 60, Replayed: true, Count: 3, Absolute: 1.5, Persistence: 2.5, Measured: 30.25, Banded: 3, Covered: 2, Pinball: 0.125}
	if len(b.Forecasts) != 1 || b.Forecasts[0] != want {
		t.Errorf("got %+v, want %+v", b.Forecasts, want)
	}
}
