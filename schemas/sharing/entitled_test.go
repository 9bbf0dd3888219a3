package sharing

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// keys are shares whose exact value is known: decimal parts of one whole, each at most the rest.
var keys = rapid.Custom(func(t *rapid.T) (k struct {
	parts []int64 // of whole
	whole int64
}) {
	k.whole = rapid.SampledFrom([]int64{1, 10, 100, 10_000, 1_000_000}).Draw(t, "whole")
	left := k.whole
	for range rapid.IntRange(1, 20).Draw(t, "members") {
		part := rapid.Int64Range(0, left).Draw(t, "part")
		k.parts, left = append(k.parts, part), left-part
	}
	if rapid.Bool().Draw(t, "all of it") {
		k.parts[len(k.parts)-1] += left
	}
	return k
})

// TestEntitled: against whole-number arithmetic, every member is entitled to its share to less than a watt-hour, the largest remainders get what is left, and all together get
// exactly the whole watt-hours of their shares.
func TestEntitled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := keys.Draw(t, "key")
		p := rapid.Int64Range(0, 1<<32).Draw(t, "produced")
		step := rapid.IntRange(0, 2).Draw(t, "step")
		produced := []wh{7, 7, 7}
		produced[step] = wh(p)
		shares, together := make([]float64, len(key.parts)), int64(0)
		for i, part := range key.parts {
			shares[i] = float64(part) / float64(key.whole)
			together += part
		}
		all, err := Entitled(produced, shares)
		if err != nil {
			t.Fatal(err)
		}
		e := column(all, step)
		sum, least, most := int64(0), int64(-1), int64(-1) // remainders: the least that was rounded up, the most that was not
		for i, got := range e {
			floor, rem := key.parts[i]*p/key.whole, key.parts[i]*p%key.whole
			switch int64(got) {
			case floor:
				most = max(most, rem)
			case floor + 1:
				if least < 0 || rem < least {
					least = rem
				}
				if rem == 0 {
					t.Fatalf("member %d is entitled to %d Wh, its share is exactly %d Wh", i, got, floor)
				}
			default:
				t.Fatalf("member %d is entitled to %d Wh, its share is %d %d/%d Wh", i, got, floor, rem, key.whole)
			}
			sum += int64(got)
		}
		if want := together * p / key.whole; sum != want {
			t.Fatalf("all are entitled to %d Wh, want %d Wh of %d", sum, want, p)
		}
		if least >= 0 && least < most { // equal ones go by index
			t.Fatalf("a remainder of %d/%d was rounded up and one of %d was not", least, key.whole, most)
		}
	})
}

func TestEntitledRefused(t *testing.T) {
	for _, err := range []error{second(Entitled([]wh{-1}, []float64{1})), second(Entitled([]wh{1}, []float64{0.6, 0.6})), second(Entitled([]wh{1}, []float64{-0.1})), second(Entitled([]wh{1}, []float64{math.NaN()}))} {
		if err == nil {
			t.Error("accepted, want an error")
		}
	}
}

func second(_ [][]wh, err error) error { return err }

// TestUnused: on the worked example the static key wastes 50, 200 and 160 Wh that others draw; who left it is named.
func TestUnused(t *testing.T) {
	o := flats(Static)
	a, err := o.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	sums, produced := make([]wh, 3), make([]wh, o.Steps())
	for k := range produced {
		produced[k] = o.Producers[0].Wh[k] + o.Producers[1].Wh[k]
	}
	e, err := Entitled(produced, []float64{0.2, 0.3, 0.5})
	if err != nil {
		t.Fatal(err)
	}
	for k := range produced {
		drawn := make([]wh, 3)
		for i := range drawn {
			drawn[i] = o.Consumers[i].Wh[k] - a.Allocated[i][k]
			if least := min(e[i][k], o.Consumers[i].Wh[k]); least != a.Allocated[i][k] {
				t.Errorf("step %d: member %d is entitled to %d Wh and consumes %d Wh, and is given %d Wh", k, i, e[i][k], o.Consumers[i].Wh[k], a.Allocated[i][k])
			}
		}
		for i, v := range Unused(column(e, k), column(a.Allocated, k), drawn) {
			sums[i] += v
		}
	}
	// t0 the school leaves 50 of 300; t1 flat B leaves 200 of 450; t3 flat A leaves 60 and the school 700, and B draws 160 more: 160*60/760 and 160*700/760
	if want := []wh{13, 200, 50 + 147}; sums[0] != want[0] || sums[1] != want[1] || sums[2] != want[2] || total(sums) != a.Wasted(o) {
		t.Errorf("unused %v, want %v, together %d", sums, want, a.Wasted(o))
	}
}
