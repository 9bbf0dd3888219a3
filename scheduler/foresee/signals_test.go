package foresee

import (
	"bytes"
	"math"
	"reflect"
	"testing"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

var priceKey = Key{Site: district.DistrictSite, Device: "exchange", Quantity: district.ForecastPrice}

// priced is a price and what is said of it ahead, off by as much as told; of the first settled slots it is known.
func priced(slot int, off float64, settled int) (float64, forecast.Said) {
	at := func(i int) float64 {
		return 0.2 + 0.05*math.Sin(float64(i)/24*2*math.Pi) + 0.01*math.Sin(float64(i)/37)
	}
	s := forecast.Said{Mean: make([]float64, 26), Settled: make([]bool, 26)}
	for k := range s.Mean {
		if s.Settled[k] = k < settled; s.Settled[k] {
			s.Mean[k] = at(slot + k)
		} else {
			s.Mean[k] = at(slot+k) + off*math.Sin(float64(slot+5*k))
		}
	}
	return at(slot), s
}

// hearHours has a district hear of prices in slots from…to, and returns what it expects at the end.
func hearHours(d *District, from, to int, off float64, settled int) (f district.Foreseen) {
	for i := from; i < to; i++ {
		came := timegrid.Series{Start: monday, Step: step}
		for k := range i {
			v, _ := priced(k, off, settled)
			came.Values = append(came.Values, v)
		}
		_, said := priced(i, off, settled)
		f = d.Hear(Heard{Key: priceKey, Came: came, Said: said, Settings: forecast.JudgedSettings{Lead: 26, Prior: 0.03}}).Foreseen(monday.Add(time.Duration(i)*step), 24)
	}
	return f
}

// TestHeardIsCounted: what was said is held against what came under its own name, once; what is settled has no error.
func TestHeardIsCounted(t *testing.T) {
	d := New(Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC})
	hearHours(d, 0, 24*6, 0.02, 4)
	sums := map[int]district.ForecastError{}
	for _, e := range d.Errors() {
		if e.District != "d" || (Key{e.Site, e.Quantity, e.Device}) != priceKey || e.Replayed {
			t.Fatalf("%+v", e)
		}
		s := sums[e.LeadMinutes]
		s.Add(e)
		sums[e.LeadMinutes] = s
	}
	for lead, want := range map[int]int64{60: 24*5 - 2, 180: 24*5 - 4, 1440: 24*4 - 1} {
		if s := sums[lead]; s.Count != want || s.Banded != want {
			t.Errorf("%d min ahead %d forecasts are counted, want %d", lead, s.Count, want)
		}
	}
	if s := sums[60]; s.Absolute > 1e-9 || s.Covered != s.Count || s.Measured/float64(s.Count) < 0.15 {
		t.Errorf("of settled prices: %+v", s)
	}
	if s := sums[1440]; s.Absolute/float64(s.Count) < 0.005 || s.Pinball <= 0 {
		t.Errorf("of prices that are not: %+v", s)
	}
	if rows := d.Changed(); len(rows) == 0 || len(d.Changed()) != 0 {
		t.Error("errors are not given to the record once")
	}
}

// TestHeardSurvives: what was learned of what others say goes on after a restart as without one, whether a series is heard of before what was kept is taken up or after, and errors of the record go on.
func TestHeardSurvives(t *testing.T) {
	r := lived(4)
	delete(r.Series, sunKey)
	set := Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC}
	on := New(set)
	const stop, end = 24 * 12, 24*12 + 5
	hearHours(on, 0, stop, 0.05, 0)
	if err := on.Train(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var kept bytes.Buffer
	if _, err := on.Keep(t.Context(), &kept); err != nil {
		t.Fatal(err)
	}
	rows := on.Errors()
	want := hearHours(on, stop, end, 0.05, 0)
	for _, before := range []bool{true, false} {
		anew := New(set)
		if before {
			hearHours(anew, stop-1, stop, 0.05, 0)
		}
		anew.Recall(rows)
		if err := anew.Resume(t.Context(), bytes.NewReader(kept.Bytes()), r); err != nil {
			t.Fatal(err)
		}
		if got := hearHours(anew, stop, end, 0.05, 0); !reflect.DeepEqual(got, want) {
			t.Errorf("heard of before %v: %+v, want %+v", before, got, want)
		}
		if !reflect.DeepEqual(pricesOf(anew), pricesOf(on)) {
			t.Errorf("heard of before %v: errors %+v, want %+v", before, pricesOf(anew), pricesOf(on))
		}
	}
}

func pricesOf(d *District) (out []district.ForecastError) {
	for _, e := range d.Errors() {
		if e.Quantity == district.ForecastPrice {
			out = append(out, e)
		}
	}
	return out
}

// TestHeardLate: a past that the record knows only later is learned from, and what was learned of errors stays.
func TestHeardLate(t *testing.T) {
	d := New(Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC})
	hear := func(known bool) district.Foreseen {
		came := timegrid.Series{Start: monday, Step: step}
		for k := range 24 * 8 {
			v, _ := priced(k, 0, 0)
			if !known && k < 24*7 {
				v = math.NaN()
			}
			came.Values = append(came.Values, v)
		}
		return d.Hear(Heard{Key: priceKey, Came: came, Settings: forecast.JudgedSettings{Lead: 26, Own: true, Prior: 0.03}}).Foreseen(monday.Add(8*24*time.Hour), 24)
	}
	hear(false)
	f := hear(true)
	for k, v := range f.Mean {
		if want, _ := priced(24*8+k, 0, 0); math.Abs(v-want) > 0.02 {
			t.Errorf("%d h ahead %v, want about %v", k, v, want)
		}
	}
}

// TestWorse: similar days are said to be better where they were so at most leads of the last two weeks.
func TestWorse(t *testing.T) {
	d := New(Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC})
	now := monday.Add(30 * 24 * time.Hour)
	var rows []district.ForecastError
	for i, lead := range Leads {
		row := district.ForecastError{District: "d", Site: "s", Quantity: district.ForecastLoad, Day: now.Add(-24 * time.Hour), LeadMinutes: int(lead / time.Minute), Count: 96, Absolute: 10, Persistence: 12}
		if i < 3 {
			row.Persistence = 9
		}
		rows = append(rows, row)
		row.Day, row.Persistence = now.Add(-20*24*time.Hour), 1000
		rows = append(rows, row)
	}
	d.Recall(rows)
	few := rows[0]
	few.Quantity, few.Count, few.Persistence = district.ForecastSun, 47, 0
	for _, lead := range Leads {
		few.LeadMinutes = int(lead / time.Minute)
		rows = append(rows, few)
	}
	d.Recall(rows)
	list := []district.Foreseen{{Site: "s", Quantity: district.ForecastLoad, Mean: []float64{1}}, {Site: "s", Quantity: district.ForecastSun, Mean: []float64{1}}}
	if got := d.Banded(list, now); !got[0].SteppedBack || got[1].SteppedBack || got[0].Low != nil {
		t.Errorf("%+v", got)
	}
}
