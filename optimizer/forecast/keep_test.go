package forecast

import (
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"
)

// keptStep is not an hour, so that of the slots of an hour one alone is learned from.
const keptStep = 30 * time.Minute

var keptStart = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

// clouded is a sun behind clouds, with a gap, and its irradiance, which is published with an error.
func clouded(days int) (v, ghi []float64) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range days * 48 {
		g := 900 * math.Max(0, math.Sin((float64(i%48)/2-6)*math.Pi/12)) * (0.2 + 0.8*rng.Float64())
		ghi, v = append(ghi, g), append(v, 0.005*g)
		if i > 200 && i < 210 {
			v[i] = math.NaN()
		}
	}
	return v, ghi
}

func sunOf(ghi []float64) *Probabilistic {
	p := NewProbabilistic(keptStep, 48, time.UTC, Settings{Max: 5, Ratio: true})
	p.Under(func(origin, slot time.Time) Weather {
		i := int(slot.Sub(keptStart) / keptStep)
		w := Weather{OutdoorC: math.NaN(), GlobalWm2: math.NaN(), DirectWm2: math.NaN()}
		if i >= 0 && i < len(ghi) {
			if w.GlobalWm2 = ghi[i]; !slot.Before(origin) {
				w.GlobalWm2 *= 0.8 + 0.1*float64(slot.Hour()%4)
			}
		}
		return w
	})
	return p
}

// TestKept: a forecaster that takes up what another one learned goes on as that one does, to the digit, forests that are grown since included; what is cut or has another shape is refused.
func TestKept(t *testing.T) {
	const stop, drop = 17*48 + 3, 2 * 48
	v, ghi := clouded(20)
	past := func(from, to int) Past {
		return Past{Start: keptStart.Add(time.Duration(from) * keptStep), Step: keptStep, Values: v[from:to]}
	}
	p := sunOf(ghi)
	p.Forecast(past(0, 16*48))
	if n := p.Forget(drop); n != drop {
		t.Fatalf("%d slots are dropped", n)
	}
	p.Beside(true)
	p.Forecast(past(drop, stop))
	if p.forests[0] == nil || p.under[0] == nil || p.held[2].n == 0 {
		t.Fatal("nothing was learned")
	}
	kept := p.AppendState([]byte("before"))[len("before"):]
	again := sunOf(ghi)
	if rest, err := again.RestoreState(append(slices.Clone(kept), "after"...), past(drop, stop)); err != nil || string(rest) != "after" {
		t.Fatalf("%d bytes are left, %v", len(rest), err)
	}
	if string(again.AppendState(nil)) != string(kept) {
		t.Error("it is kept otherwise when it is taken up")
	}
	for end := stop; end <= len(v); end += 5 {
		if want, got := p.Forecast(past(drop, end)), again.Forecast(past(drop, end)); !reflect.DeepEqual(got, want) {
			t.Fatalf("at slot %d it is foreseen otherwise", end)
		}
	}
	t.Logf("%d bytes", len(kept))
	for i := 0; i < len(kept); i += 1 + len(kept)/50 {
		if _, err := sunOf(ghi).RestoreState(kept[:i], past(drop, stop)); !errors.Is(err, ErrKept) {
			t.Fatalf("%d of %d bytes are taken, %v", i, len(kept), err)
		}
	}
	for what, x := range map[string]struct {
		p    *Probabilistic
		past Past
	}{
		"of fewer slots":        {sunOf(ghi), past(drop, stop-48)},
		"with another begin":    {sunOf(ghi), past(0, stop)},
		"without weather":       {NewProbabilistic(keptStep, 48, time.UTC, Settings{Max: 5, Ratio: true}), past(drop, stop)},
		"with another lead":     {NewProbabilistic(keptStep, 40, time.UTC, Settings{Max: 5, Ratio: true}), past(drop, stop)},
		"with slots of an hour": {NewProbabilistic(time.Hour, 48, time.UTC, Settings{Max: 5, Ratio: true}), past(drop, stop)},
	} {
		if _, err := x.p.RestoreState(kept, x.past); !errors.Is(err, ErrKept) {
			t.Errorf("it is taken by a forecaster %s: %v", what, err)
		}
	}

	s := NewSpread(keptStep, 4, 3)
	for i := range 5 {
		at := keptStart.AddDate(0, 0, i)
		s.Made(at, []float64{1, 2, 3, float64(i)})
		s.Measured(at, 1.5)
	}
	back := NewSpread(keptStep, 4, 3)
	if rest, err := back.RestoreState(s.AppendState(nil)); err != nil || len(rest) > 0 || !reflect.DeepEqual(back, s) {
		t.Errorf("errors come back as %+v, %v", back, err)
	}
	if _, err := NewSpread(keptStep, 3, 3).RestoreState(s.AppendState(nil)); !errors.Is(err, ErrKept) {
		t.Errorf("forecasts of other leads: %v", err)
	}
}

// TestEverythingIsKept: who adds a field to what is learned decides here whether it is kept.
func TestEverythingIsKept(t *testing.T) {
	for _, x := range []struct {
		of   reflect.Type
		want int
	}{{reflect.TypeFor[Probabilistic](), 22}, {reflect.TypeFor[Adaptive](), 14}, {reflect.TypeFor[regression](), 5}, {reflect.TypeFor[origin](), 6}, {reflect.TypeFor[speech](), 9}, {reflect.TypeFor[judge](), 6},
		{reflect.TypeFor[forest](), 1}, {reflect.TypeFor[tree](), 2}, {reflect.TypeFor[node](), 4}, {reflect.TypeFor[Spread](), 6}} {
		if got := x.of.NumField(); got != x.want {
			t.Errorf("%v has %d fields, and what is kept was written for %d", x.of, got, x.want)
		}
	}
}

// FuzzRestoreState: whatever is taken up is refused, or foresees without a panic.
func FuzzRestoreState(f *testing.F) {
	v, ghi := clouded(3)
	past := Past{Start: keptStart, Step: keptStep, Values: v}
	p := sunOf(ghi)
	p.Forecast(past)
	p.forests = [2]*forest{{trees: []tree{{nodes: []node{{feature: 3, left: -1, right: -2, at: 1}}, leaves: make([]leaf, 2)}}}, {trees: []tree{{leaves: make([]leaf, 1)}}}}
	whole := p.AppendState(nil)
	f.Add(uint16(0), uint64(0))
	f.Add(uint16(12), uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, at uint16, change uint64) {
		in := slices.Clone(whole)
		at = min(at, uint16(min(len(in)-8, math.MaxUint16)))
		binary.LittleEndian.PutUint64(in[at:], binary.LittleEndian.Uint64(in[at:])^change)
		q := sunOf(ghi)
		if _, err := q.RestoreState(in, past); err == nil {
			q.Forecast(past)
		}
	})
}
