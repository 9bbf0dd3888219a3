package scheduler

import (
	"bytes"
	"context"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// overcast is a town that has lived for a while under a sky that changes from day to day.
type overcast struct {
	*town
	from time.Time
}

// irradiance of a slot: nobody knows it by the days before.
func (o overcast) irradiance(at time.Time) float64 {
	day := uint64(at.Unix()/86400) * 0x9e3779b97f4a7c15
	return 900 * (0.1 + 0.9*float64(day>>40)/(1<<24)) * math.Max(0, math.Sin((float64(at.Hour())-6+float64(at.Minute())/60)*math.Pi/12))
}

func (o overcast) Balances(_ context.Context, d, site string, sp timegrid.Span) (rows []balance.Row, _ error) {
	for slot := range sp.Slots(o.d.Step) {
		at := slot.Start
		if at.Before(o.from) || slot.End.After(o.now) {
			continue
		}
		load := 3 + math.Sin(float64(at.Unix()%86400)*2*math.Pi/86400)
		rows = append(rows, balance.Row{District: d, Site: "s", Start: at, Step: o.d.Step, Coverage: 1,
			OtherWh: units.WattHours(load * 1000 * o.d.Step.Hours()), ProductionWh: units.WattHours(o.irradiance(at) * 18 * o.d.Step.Hours())})
	}
	return rows, nil
}

// Read gives what the feed published of slots that have begun, and nothing of those to come.
func (o overcast) Read(_ context.Context, ids []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	id := district.NewSeriesID("d", district.DistrictSite, "meteo", district.IrradianceWm2)
	if !slices.Contains(ids, id) {
		return nil
	}
	for slot := range sp.Slots(time.Hour) {
		at := slot.Start
		if at.Before(o.from) || at.After(o.now) {
			continue
		}
		if err := yield(district.Sample{Series: id, Time: at, Value: o.irradiance(at)}); err != nil {
			return err
		}
	}
	return nil
}

// TestWeatherTeaches: load and sun of a site are learned under the weather that the record has of its feed, and foreseen under the one that is published, which makes the sun's forecasts better; under a
// document that is too old they are as without a feed, to the digit.
func TestWeatherTeaches(t *testing.T) {
	if raced {
		t.Skip("it computes much in one goroutine")
	}
	const learn, last = 15, 2
	lived := func(feed bool, age time.Duration, live int) (said [][]float64, wrongKW float64) {
		t.Helper()
		o := overcast{newTown(t), noon.Truncate(24 * time.Hour)}
		o.d.Step = time.Hour
		cfg := o.s.cfg
		cfg.Store, cfg.WeatherSignal, cfg.WeatherAge = o, "meteo", func() time.Duration { return age }
		if feed {
			cfg.Weather = func(quantity string, slot timegrid.Span) (float64, bool) {
				return o.irradiance(slot.Start) * (0.9 + 0.2*float64(o.now.Unix()/3600%7)/6), quantity == district.IrradianceWm2
			}
		}
		o.now = o.from.AddDate(0, 0, learn)
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0.0
		for h := 1; h <= live*24; h++ {
			o.now = o.now.Add(time.Hour)
			in, err := s.gather(t.Context(), s.observe(o.now))
			if err != nil {
				t.Fatal(err)
			}
			if h%24 == 0 {
				if err := s.foresight.Grow(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			said = append(said, in.sunKW["s"], in.loadKW["s"])
			if h > (live-last)*24 {
				for k, kw := range in.sunKW["s"] {
					wrongKW, n = wrongKW+math.Abs(kw-0.018*o.irradiance(in.start.Add(time.Duration(k)*time.Hour))), n+1
				}
			}
		}
		return said, wrongKW / n
	}
	plain, without := lived(false, 0, 6)
	old, _ := lived(true, 13*time.Hour, 4)
	_, with := lived(true, time.Hour, 6)
	if !reflect.DeepEqual(plain[:len(old)], old) {
		t.Error("under a document of 13 hours ago it is foreseen otherwise than without a feed")
	}
	t.Logf("without a feed %.3f kW wrong, with one %.3f kW", without, with)
	if with > 0.7*without {
		t.Errorf("under the weather that is published %.3f kW wrong, without %.3f kW", with, without)
	}
}

// TestPublishedWeatherIsRecorded: what is published ahead is in the record hour by hour and taken up by the next process once; rows that are not ours are one warning, and a record that does not answer is asked again.
func TestPublishedWeatherIsRecorded(t *testing.T) {
	o := overcast{newTown(t), noon.Truncate(24 * time.Hour)}
	o.d.Step = time.Hour
	cfg := o.s.cfg
	var log bytes.Buffer
	cfg.Store, cfg.WeatherSignal, cfg.Log = o, "meteo", slog.New(slog.NewTextHandler(&log, nil))
	cfg.Weather = func(quantity string, slot timegrid.Span) (float64, bool) {
		return o.irradiance(slot.Start), quantity == district.IrradianceWm2
	}
	o.now = o.from.AddDate(0, 0, 3)
	start := func() *Scheduler {
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := start()
	for range 3 {
		if _, err := first.gather(t.Context(), first.observe(o.now)); err != nil {
			t.Fatal(err)
		}
		first.keepOutlooks(t.Context())
		o.now = o.now.Add(time.Hour)
	}
	if n := len(o.outlooks); n != 3 || !o.outlooks[0].At.Equal(o.from.AddDate(0, 0, 3)) {
		t.Fatalf("%d outlooks are in the record, of three hours: %v", n, o.outlooks)
	}
	spoilt := o.outlooks[1]
	spoilt.Body = append([]byte("?"), spoilt.Body...)
	o.outlooks = append(o.outlooks, spoilt, district.Outlook{District: "e", At: o.from, Body: []byte{1}})
	next := start()
	for range 2 {
		if err := next.Learn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if said := log.String(); strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, "2 of 5 outlooks on the weather are left out") {
		t.Errorf("the log says\n%s", said)
	}
	if again := next.foresight.Heard(); len(again) != 0 {
		t.Errorf("%d outlooks that the record has are written again", len(again))
	}
}
