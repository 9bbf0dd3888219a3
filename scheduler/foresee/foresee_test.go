package foresee

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"quartier/schemas/district"
)

var monday = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

// An hour is enough here: the methods know no slot of their own.
const (
	step   = time.Hour
	perDay = 24
)

var (
	loadKey = Key{Site: "s", Quantity: district.ForecastLoad}
	sunKey  = Key{Site: "s", Quantity: district.ForecastSun}
)

// lived is a site with working days and weekends, days that are high or low as a whole, and a sun behind clouds that last.
func lived(days int) Record {
	r := rand.New(rand.NewPCG(1, 2))
	load, sun := make([]float64, days*perDay), make([]float64, days*perDay)
	level, cloud := 0.0, 0.5
	for i := range load {
		at := monday.Add(time.Duration(i) * step)
		h := at.Sub(at.Truncate(24 * time.Hour)).Hours()
		level += -0.02*level + 0.08*r.NormFloat64()
		cloud = math.Max(0.05, math.Min(1, cloud-0.03*(cloud-0.6)+0.08*r.NormFloat64()))
		base := 2 + math.Sin((h-9)*math.Pi/12)
		if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
			base *= 0.5
		}
		load[i] = math.Max(0, base+level+0.1*r.NormFloat64())
		sun[i] = math.Max(0, 5*math.Sin((h-6)*math.Pi/12)) * cloud
	}
	return Record{Start: monday, Series: map[Key][]float64{loadKey: load, sunKey: sun}}
}

// window is the record from a slot up to another, with what follows not known yet.
func window(r Record, from, to, length int) Record {
	out := Record{Start: r.Start.Add(time.Duration(from) * step), Series: map[Key][]float64{}}
	for k, v := range r.Series {
		w := append([]float64(nil), v[from:to]...)
		for len(w) < length {
			w = append(w, math.NaN())
		}
		out.Series[k] = w
	}
	return out
}

func newDistrict() *District {
	return New(Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC, PeakKW: map[string]float64{"s": 6}})
}

func trained(t *testing.T, r Record) *District {
	t.Helper()
	d := newDistrict()
	if err := d.Train(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return d
}

func forecastOf(t *testing.T, d *District, k Key, slot int) []float64 {
	t.Helper()
	f, ok := d.Forecast(k.Site, k.Quantity, monday.Add(time.Duration(slot)*step), 24)
	if !ok {
		t.Fatalf("%v is not foreseen from slot %d", k, slot)
	}
	return f
}

// TestErrorsAreCounted: what was learned is at no lead far worse than similar days, which it gives where they were better of late, and the band that is to hold 80 % holds about that.
func TestErrorsAreCounted(t *testing.T) {
	d := trained(t, lived(45))
	sums := map[Key]map[int]*district.ForecastError{}
	for _, e := range d.Changed() {
		if !e.Replayed || e.District != "d" || e.Banded > e.Count || e.Day != e.Day.Truncate(24*time.Hour) {
			t.Errorf("row %+v", e)
		}
		k := Key{e.Site, e.Quantity, e.Device}
		if sums[k] == nil {
			sums[k] = map[int]*district.ForecastError{}
		}
		if sums[k][e.LeadMinutes] == nil {
			sums[k][e.LeadMinutes] = &district.ForecastError{}
		}
		sums[k][e.LeadMinutes].Add(e)
	}
	for _, k := range []Key{loadKey, sunKey, netKey} {
		wrong, plain := 0.0, 0.0
		for _, lead := range Leads {
			e := sums[k][int(lead/time.Minute)]
			if e == nil || e.Count < 400 {
				t.Fatalf("%v at %v: %+v", k, lead, e)
			}
			wrong, plain = wrong+e.Absolute, plain+e.Persistence
			if e.Absolute > 1.2*e.Persistence {
				t.Errorf("%v at %v: %.3f kW wrong, similar days %.3f kW", k, lead, e.Absolute/float64(e.Count), e.Persistence/float64(e.Count))
			}
			if share := float64(e.Covered) / float64(e.Banded); share < 0.6 || share > 0.97 {
				t.Errorf("%v at %v: the band holds %.0f %%", k, lead, 100*share)
			}
			if e.Pinball <= 0 || e.Pinball/float64(e.Banded) > e.Absolute/float64(e.Count) {
				t.Errorf("%v at %v: pinball loss %g kW of %g kW", k, lead, e.Pinball, e.Absolute)
			}
		}
		if wrong > 1.1*plain {
			t.Errorf("%v: %.2f times as wrong as similar days", k, wrong/plain)
		}
	}
	if again := d.Changed(); len(again) != 0 {
		t.Errorf("%d rows changed though nothing came", len(again))
	}
}

// TestLearnsOn: slots that come one by one teach the same as a record that holds them, and what they show of forecasts counts as made at their time.
func TestLearnsOn(t *testing.T) {
	r := lived(34)
	whole, half := trained(t, r), trained(t, window(r, 0, 32*perDay, 32*perDay))
	half.Changed()
	for slot := 32 * perDay; slot <= 34*perDay; slot++ {
		if half.Observe(window(r, slot-22*perDay, slot, 22*perDay)) {
			t.Fatalf("slot %d: behind", slot)
		}
	}
	for _, k := range []Key{loadKey, sunKey} {
		a, b := forecastOf(t, whole, k, 34*perDay), forecastOf(t, half, k, 34*perDay)
		for i := range a { // they began to learn at other instants, and so at another scale
			if math.Abs(a[i]-b[i]) > 0.02 {
				t.Fatalf("%v: foreseen otherwise\n%v\n%v", k, a, b)
			}
		}
	}
	made := 0
	for _, e := range half.Changed() {
		if !e.Replayed {
			made++
		}
	}
	if want := 3 * (2*len(Leads) - 1); made != want { // those of a day ahead have come for the second day alone
		t.Errorf("%d rows of forecasts made at their time, want %d: two days of three quantities", made, want)
	}
}

// TestTheFutureChangesNothing that was foreseen before it.
func TestTheFutureChangesNothing(t *testing.T) {
	r := lived(30)
	a := trained(t, window(r, 0, 28*perDay, 28*perDay))
	for i := 28 * perDay; i < 30*perDay; i++ {
		r.Series[loadKey][i] += 100
	}
	b := trained(t, window(r, 0, 28*perDay, 28*perDay))
	if !reflect.DeepEqual(forecastOf(t, a, loadKey, 28*perDay), forecastOf(t, b, loadKey, 28*perDay)) {
		t.Error("foreseen otherwise")
	}
}

// TestWhenToLearn: where nothing was learned, where a day's slots were filled in, and where the record went on for so long that it was lost sight of; not for a gap.
func TestWhenToLearn(t *testing.T) {
	r := lived(34)
	if d := newDistrict(); d.Observe(Record{Start: monday, Series: map[Key][]float64{loadKey: {math.NaN()}}}) || !d.Observe(window(r, 0, perDay, perDay)) {
		t.Error("of nothing there is something to learn, or of a day nothing")
	}
	gap := window(r, 0, 32*perDay, 32*perDay)
	for i := 20 * perDay; i < 23*perDay; i++ {
		gap.Series[loadKey][i] = math.NaN()
	}
	d := trained(t, gap)
	if d.Observe(window(gap, 10*perDay, 32*perDay, 22*perDay)) {
		t.Error("the same gap is worth learning anew")
	}
	if !d.Observe(window(r, 10*perDay, 32*perDay, 22*perDay)) {
		t.Error("three days that were filled in are not worth learning")
	}
	if d.Observe(window(r, 12*perDay, 32*perDay+10, 34*perDay-12*perDay)) != true {
		t.Error("they are not any more")
	}
	late := trained(t, window(r, 0, 5*perDay, 5*perDay))
	if !late.Observe(window(r, 12*perDay, 34*perDay, 22*perDay)) {
		t.Error("a record that went on without us is not worth learning")
	}
	if _, ok := late.Forecast("s", district.ForecastLoad, monday.Add(34*24*time.Hour), 24); ok {
		t.Error("something is foreseen from four weeks ago")
	}
}

// TestNoSlotIsCountedTwice: a day of which forecasts were made at their time is not made again, and one that was begun goes on.
func TestNoSlotIsCountedTwice(t *testing.T) {
	r := lived(32)
	day := monday.AddDate(0, 0, 30)
	d := newDistrict()
	d.Recall([]district.ForecastError{{District: "d", Site: "s", Quantity: district.ForecastLoad, Day: day, LeadMinutes: 60, Count: 7, Absolute: 3.5}})
	if err := d.Train(t.Context(), window(r, 0, 31*perDay-4, 31*perDay-4)); err != nil {
		t.Fatal(err)
	}
	for _, e := range d.Errors() {
		if e.Day.Equal(day) && e.Quantity == district.ForecastLoad && e.LeadMinutes == 60 && e.Replayed {
			t.Errorf("made again: %+v", e)
		}
	}
	d.Observe(window(r, 9*perDay, 31*perDay, 22*perDay))
	var got district.ForecastError
	for _, e := range d.Errors() {
		if e.Day.Equal(day) && e.Quantity == district.ForecastLoad && e.LeadMinutes == 60 && !e.Replayed {
			got = e
		}
	}
	if got.Count <= 7 {
		t.Errorf("the day went on with %+v", got)
	}
}

// TestNothingToLearnBefore: what a record knows of the time before that which is learned from is not worth learning again and again.
func TestNothingToLearnBefore(t *testing.T) {
	const days = TrainDays + 3
	r := lived(days)
	for _, v := range r.Series {
		for i := 3 * perDay; i < 40*perDay; i++ {
			v[i] = math.NaN()
		}
	}
	d := trained(t, window(r, 3*perDay, days*perDay, TrainDays*perDay))
	if d.Observe(r) {
		t.Error("three days of longer ago are worth learning")
	}
}

// TestMemoryIsBounded: years of slots leave no more than the days that are kept.
func TestMemoryIsBounded(t *testing.T) {
	r := lived(30)
	d := trained(t, r)
	for day := 30; day < 95; day++ {
		for k, v := range r.Series {
			r.Series[k] = append(v, v[len(v)-7*perDay:len(v)-6*perDay]...)
		}
		n := len(r.Series[loadKey])
		d.Observe(window(r, n-22*perDay, n, 22*perDay))
		d.Changed()
	}
	if n := len(d.state.series[loadKey].values); n > (TrainDays+TrainDays/2)*perDay || d.state.n != n {
		t.Errorf("%d slots are kept", n)
	}
	if n := len(d.tally); n > (keepDays+3)*len(Leads)*3*2 {
		t.Errorf("%d rows are kept", n)
	}
	forecastOf(t, d, loadKey, 95*perDay)
}

// TestPrior: errors before any is known grow with what is expected and are as likely up as down.
func TestPrior(t *testing.T) {
	f := Prior([]float64{1, 10}, []float64{0, 0}, 3)
	var a, b [5]float64
	f(0, a[:])
	f(1, b[:])
	if math.Abs(a[0]+1.2816*0.4) > 1e-3 || a[2] != 0 || math.Abs(a[4]+a[0]) > 1e-9 || math.Abs(b[0]-10*a[0]) > 1e-9 {
		t.Errorf("%v and %v", a, b)
	}
	Prior([]float64{0}, []float64{10}, 1.5)(0, a[:])
	if math.Abs(a[0]-1.5*b[0]) > 1e-9 {
		t.Errorf("of old weather %v, of load %v", a, b)
	}
}

// TestTrainingEnds when it is told to.
func TestTrainingEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := newDistrict().Train(ctx, lived(30)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestDaysOfNothing before a record begins are not learned from, and change nothing.
func TestDaysOfNothing(t *testing.T) {
	r := lived(16)
	padded := Record{Start: r.Start.AddDate(0, 0, -44), Series: map[Key][]float64{}}
	for k, v := range r.Series {
		for range 44 * perDay {
			padded.Series[k] = append(padded.Series[k], math.NaN())
		}
		padded.Series[k] = append(padded.Series[k], v...)
	}
	a, b := trained(t, r), trained(t, padded)
	if b.state.n != 16*perDay {
		t.Errorf("%d slots were learned from, want %d", b.state.n, 16*perDay)
	}
	if !reflect.DeepEqual(forecastOf(t, a, loadKey, 16*perDay), forecastOf(t, b, loadKey, 16*perDay)) {
		t.Error("foreseen otherwise")
	}
	if b.Observe(window(r, 0, 16*perDay, 16*perDay)) {
		t.Error("the same record is worth learning anew")
	}
}

// TestGrowth: what is due every other week is learned when it is asked for, not when a slot comes, and as well as by a record that holds all of it.
func TestGrowth(t *testing.T) {
	r := lived(54)
	d := trained(t, window(r, 0, 30*perDay, 30*perDay))
	for slot := 30 * perDay; slot <= 54*perDay; slot++ {
		d.Observe(window(r, slot-22*perDay, slot, 22*perDay))
	}
	before := forecastOf(t, d, loadKey, 54*perDay)
	if err := d.Grow(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.state.foresee(false, func() {})
	d.mu.Unlock()
	after := forecastOf(t, d, loadKey, 54*perDay)
	if reflect.DeepEqual(before, after) {
		t.Error("nothing was learned that was due for ten days")
	}
	if _, ok := d.lesson(d.state, loadKey); ok {
		t.Error("it is due at once again")
	}
	if _, ok := d.lesson(newState(d.set, monday), loadKey); ok {
		t.Error("what was learned from is not what is known now")
	}
}

func BenchmarkTrain(b *testing.B) {
	r := lived(60)
	for b.Loop() {
		if err := newDistrict().Train(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
