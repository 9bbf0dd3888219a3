package foresee

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

var tankKey = Key{Site: "s", Device: "tank", Quantity: district.ForecastHotWater}

func drawn(slot int) float64 { return 1 + math.Sin(float64(slot)/24*2*math.Pi) }

// hearDraws has a district hear at a slot what a model that is wrong by a factor says of a tank; the record gives what was drawn, or is not read yet.
func hearDraws(d *District, slot int, factor float64, read bool) district.Foreseen {
	at := monday.Add(time.Duration(slot) * step)
	came := timegrid.Series{Start: at, Step: step}
	if read {
		came.Start = monday
		for k := range slot {
			came.Values = append(came.Values, drawn(k))
		}
	}
	said := forecast.Said{Mean: make([]float64, 26)}
	for k := range said.Mean {
		said.Mean[k] = drawn(slot+k) * factor
	}
	return d.Hear(Heard{Key: tankKey, Came: came, Said: said, Settings: forecast.JudgedSettings{Lead: 26, PriorShare: 1, Max: math.Inf(1)}}).Foreseen(at, 24)
}

func quietSettings() Settings {
	return Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC}
}

// learned returns a district that foresees a load, without which nothing is kept.
func learned(t *testing.T) (*District, Record) {
	t.Helper()
	r := lived(4)
	delete(r.Series, sunKey)
	d := New(quietSettings())
	if err := d.Train(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return d, r
}

// resumed returns a district that takes up what another kept.
func resumed(t *testing.T, state []byte, r Record, errors []district.ForecastError) *District {
	t.Helper()
	d := New(quietSettings())
	d.Recall(errors)
	if err := d.Resume(t.Context(), bytes.NewReader(state), r); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestOutcomesAreCountedOnceOverARestart: what the record counted between the time at which what was learned was kept and a stop is not counted again after it, and what came since is, whenever in a day it stopped.
func TestOutcomesAreCountedOnceOverARestart(t *testing.T) {
	const keep, end = 24*12 + 3, 24*14 + 2
	for _, stop := range []int{keep, keep + 2, keep + 9, keep + 20, keep + 23} {
		for _, gap := range []int{0, 4} {
			on, r := learned(t)
			hearHours(on, 0, keep, 0.05, 0)
			state := kept(t, on)
			hearHours(on, keep, stop, 0.05, 0)
			anew := resumed(t, state, r, on.Errors())
			hearHours(on, stop, end, 0.05, 0)
			hearHours(anew, stop+gap, end, 0.05, 0)
			want := map[tallyKey]int64{}
			for _, e := range pricesOf(on) {
				want[tallyKey{Key{e.Site, e.Quantity, e.Device}, e.Day.Unix(), e.LeadMinutes, false}] = e.Count
			}
			all, had := int64(0), int64(0)
			for _, e := range pricesOf(anew) {
				w := want[tallyKey{Key{e.Site, e.Quantity, e.Device}, e.Day.Unix(), e.LeadMinutes, false}]
				if all, had = all+e.Count, had+w; e.Count > w {
					t.Errorf("stopped after %d h: of %s %d outcomes are counted %d min ahead, without a stop %d", stop-keep, e.Day.Format(time.DateOnly), e.Count, e.LeadMinutes, w)
				}
			}
			if lost := had - all; lost > int64(len(Leads)*(stop-keep+gap)) {
				t.Errorf("stopped after %d h: %d of %d outcomes are not counted", stop-keep, lost, had)
			}
			if stop == keep && gap == 0 && all != had {
				t.Errorf("stopped when it was kept: %d outcomes are counted, without a stop %d", all, had)
			}
		}
	}
}

// TestASeriesThatSteppedBackIsNotNothing: a series whose model is not believed any more is expected to be what the model says, and not 0, as long as the record is not read after a restart; then it is as without one.
func TestASeriesThatSteppedBackIsNotNothing(t *testing.T) {
	on, r := learned(t)
	const n = 24 * 20
	for i := range n {
		hearDraws(on, i, 1.5, true)
	}
	anew := resumed(t, kept(t, on), r, on.Errors())
	want := hearDraws(on, n, 1.5, true)
	if !want.SteppedBack || math.Abs(want.Mean[3]-drawn(n+3)) > 0.2 {
		t.Fatalf("a model that is wrong by half is believed: %+v", want)
	}
	for range 2 { // plans
		for k, v := range hearDraws(anew, n, 1.5, false).Mean {
			if math.Abs(v-1.5*drawn(n+k)) > 1e-9 {
				t.Errorf("%d h ahead %g kW are expected of what is not known, the model says %g kW", k, v, 1.5*drawn(n+k))
			}
		}
	}
	if got := hearDraws(anew, n, 1.5, true); !reflect.DeepEqual(got, want) {
		t.Errorf("once the record is read: %+v, want %+v", got, want)
	}
}

// TestTheClockStepsBack: what was learned of who is believed stays when time steps back, by a slot as by days, and a forecast is the one of its slots.
func TestTheClockStepsBack(t *testing.T) {
	for _, by := range []int{1, 2, 3, 24, 24 * 3} {
		d := New(quietSettings())
		const n = 24 * 20
		for i := range n {
			hearDraws(d, i, 3, true)
		}
		if !hearDraws(d, n, 3, true).SteppedBack {
			t.Fatal("a model that is wrong by a factor of three is believed")
		}
		before := d.Errors()
		for i := n - by; i <= n+24; i++ {
			f := hearDraws(d, i, 3, true)
			if !f.SteppedBack || math.Abs(f.Mean[5]-drawn(i+5)) > 0.35 || math.Abs(f.Mean[12]-drawn(i+12)) > 0.35 {
				t.Fatalf("%d h back, %d h later: %g kW are expected, %g kW come, similar days speak: %v", by, i-n+by, f.Mean[5], drawn(i+5), f.SteppedBack)
			}
		}
		least, most := int64(0), int64(0)
		for _, lead := range Leads {
			if most += 24; by > 2 { // these hours are lived again, and what waited for them is gone
				most += int64(by)
				least -= int64(min(by, int(lead/step)) + 1)
			}
		}
		if more := count(d.Errors()) - count(before); more < most+least || more > most {
			t.Errorf("%d h back: %d outcomes are counted until a day after, want %d to %d", by, more, most+least, most)
		}
		right := New(quietSettings())
		for _, i := range []int{n, n - by} {
			for k, v := range hearDraws(right, i, 1, true).Mean[min(24, n-i):] {
				if math.Abs(v-drawn(n+k)) > 1e-9 {
					t.Fatalf("%d h back, in slot %d: %g kW are expected where %g kW are said", by, i, v, drawn(n+k))
				}
			}
		}
	}
}

// TestSignalsAreKeptOneByOne: what is not heard of between two restarts is kept over both, and what nobody heard of for weeks is not.
func TestSignalsAreKeptOneByOne(t *testing.T) {
	on, r := learned(t)
	const n = 24 * 12
	hearHours(on, 0, n, 0.05, 0)
	for i := range n {
		hearDraws(on, i, 3, true)
	}
	anew := resumed(t, kept(t, on), r, on.Errors())
	hearHours(anew, n-1, n, 0.05, 0) // and nothing of the tank
	again := resumed(t, kept(t, anew), r, anew.Errors())
	if got, want := hearDraws(again, n, 3, true), hearDraws(on, n, 3, true); !reflect.DeepEqual(got, want) {
		t.Errorf("after two restarts %+v, want %+v", got, want)
	}
	if got, want := hearHours(again, n, n+1, 0.05, 0), hearHours(on, n, n+1, 0.05, 0); !reflect.DeepEqual(got, want) {
		t.Errorf("after two restarts %+v, want %+v", got, want)
	}
	body, err := on.appendSignal(nil, tankKey, monday.Add((n+1)*step))
	if err != nil || len(body) == 0 {
		t.Fatalf("%d bytes, %v", len(body), err)
	}
	t.Logf("%d bytes a series", len(body))
	if one, err := readSignal(body); err != nil || one.Key != tankKey || len(one.Counted) == 0 {
		t.Errorf("%+v, %v", one.Key, err)
	}
	if old, err := on.appendSignal(nil, tankKey, monday.Add(n*step+signalOld+24*time.Hour)); err != nil || len(old) != 0 {
		t.Errorf("%d bytes are kept of what nobody hears of, %v", len(old), err)
	}
}

// TestAPieceThatIsTooLongIsNotKept: what could not be taken up again is not written.
func TestAPieceThatIsTooLongIsNotKept(t *testing.T) {
	var out bytes.Buffer
	if err := putPiece(&out, make([]byte, keptPiece+1)); err == nil || !strings.Contains(err.Error(), "67108865 bytes") || out.Len() > 0 {
		t.Errorf("%d bytes are written, %v", out.Len(), err)
	}
}

func FuzzReadSignal(f *testing.F) {
	d := New(quietSettings())
	for i := range 40 {
		hearDraws(d, i, 2, true)
	}
	body, err := d.appendSignal(nil, tankKey, monday.Add(40*step))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, body []byte) {
		kept, err := readSignal(slices.Clone(body))
		if err != nil {
			return
		}
		kept.Key = tankKey
		anew := New(quietSettings())
		anew.restoreSignals([]keptSignal{kept})
		hearDraws(anew, 40, 2, true)
	})
}

// TestAPastIsLearnedOverSeveralPlans: a series that is foreseen without anybody who says anything is learned a day at a time while plans have no time; until then what is said is expected, and similar days beyond; then it is foreseen as
// if it had been learned at once. Who reads errors of forecasts meanwhile does not wait.
func TestAPastIsLearnedOverSeveralPlans(t *testing.T) {
	const n = 24 * 20
	at := monday.Add(n * step)
	heard := func(spent func() bool) Heard {
		h := Heard{Key: priceKey, Came: timegrid.Series{Start: monday, Step: step}, Said: forecast.Said{Mean: []float64{0.7}}, Settings: forecast.JudgedSettings{Lead: 26, Own: true, Prior: 0.03}, Spent: spent}
		for k := range n {
			v, _ := priced(k, 0, 0)
			if weekday := at.Add(time.Duration(k-n) * step).Weekday(); weekday == time.Saturday || weekday == time.Sunday {
				v /= 2
			}
			h.Came.Values = append(h.Came.Values, v)
		}
		return h
	}
	want := New(quietSettings()).Hear(heard(nil)).Foreseen(at, 24)
	d := New(quietSettings())
	plans := 0
	for ; plans < 100; plans++ {
		f := d.Hear(heard(func() bool { d.Errors(); return true })).Foreseen(at, 24)
		if f.Mean[0] != 0.7 || math.Abs(f.Mean[12]-want.Mean[12]) > 0.2 || f.Mean[12] <= 0 {
			t.Fatalf("plan %d expects %v", plans, f.Mean)
		}
		if _, known := d.HeardUntil(priceKey); known > 0 {
			if !reflect.DeepEqual(f, want) {
				t.Errorf("learned over %d plans: %+v, at once %+v", plans+1, f, want)
			}
			break
		}
	}
	if plans < 15 || plans > 25 {
		t.Errorf("twenty days are learned in %d plans", plans+1)
	}
}
