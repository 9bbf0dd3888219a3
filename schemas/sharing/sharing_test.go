package sharing

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/units"
)

type wh = units.WattHours

// TestWorkedExample: two flats and a school over six steps, computed by hand for the default key and for static shares of 20, 30 and 50 %.
func TestWorkedExample(t *testing.T) {
	for _, tt := range []struct {
		name                string
		produced            wh
		consumed            []wh
		dynamic, static     []wh
		dynSurplus, stSurpl wh
	}{
		{"short of energy", 600, []wh{400, 350, 250}, []wh{240, 210, 150}, []wh{120, 180, 250}, 0, 50},
		{"just enough", 1500, []wh{500, 250, 750}, []wh{500, 250, 750}, []wh{300, 250, 750}, 0, 200},
		{"school needs most", 500, []wh{800, 400, 800}, []wh{200, 100, 200}, []wh{100, 150, 250}, 0, 0},
		{"more than all need", 1800, []wh{300, 700, 200}, []wh{300, 700, 200}, []wh{300, 540, 200}, 600, 760},
		{"thirds by largest remainder", 100, []wh{333, 334, 333}, []wh{33, 34, 33}, []wh{20, 30, 50}, 0, 0},
		{"nobody consumes", 200, []wh{0, 0, 0}, []wh{0, 0, 0}, []wh{0, 0, 0}, 200, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, s, err := Dynamic(tt.produced, tt.consumed)
			if err != nil || !reflect.DeepEqual(got, tt.dynamic) || s != tt.dynSurplus {
				t.Errorf("Dynamic = %v surplus %d (%v), want %v surplus %d", got, s, err, tt.dynamic, tt.dynSurplus)
			}
			got, s, err = Static(tt.produced, tt.consumed, []float64{0.2, 0.3, 0.5})
			if err != nil || !reflect.DeepEqual(got, tt.static) || s != tt.stSurpl {
				t.Errorf("Static = %v surplus %d (%v), want %v surplus %d", got, s, err, tt.static, tt.stSurpl)
			}
		})
	}
}

// TestInvariants hold for both keys whatever the energies; the default key leaves nothing unshared while someone consumes.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := wh(rapid.Int64Range(0, 1<<40).Draw(t, "produced"))
		c := rapid.SliceOfN(rapid.Map(rapid.Int64Range(0, 1<<40), func(v int64) wh { return wh(v) }), 0, 30).Draw(t, "consumed")
		shares := make([]float64, len(c))
		for i := range shares {
			shares[i] = 1 / float64(len(c))
		}
		var sumC wh
		for _, v := range c {
			sumC += v
		}
		inv := func(key string, a []wh, s wh, err error) {
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			sum := s
			for i := range a {
				if a[i] < 0 || a[i] > c[i] {
					t.Fatalf("%s: member %d gets %d of %d Wh", key, i, a[i], c[i])
				}
				sum += a[i]
			}
			if sum != p || s < 0 {
				t.Fatalf("%s: allocated plus surplus %d Wh = %d Wh, want %d Wh", key, s, sum, p)
			}
		}
		a, s, err := Dynamic(p, c)
		inv("dynamic", a, s, err)
		if s != p-min(p, sumC) {
			t.Fatalf("dynamic leaves %d Wh of %d with %d Wh consumed", s, p, sumC)
		}
		a, s, err = Static(p, c, shares)
		inv("static", a, s, err)
	})
}

// keys are shares whose exact value is known: parts of one whole, each at most the rest.
var keys = rapid.Custom(func(t *rapid.T) (k struct {
	parts []int64 // of whole
	whole int64
}) {
	k.whole = rapid.Int64Range(1, 100_000).Draw(t, "whole")
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

// TestStaticKey: against whole-number arithmetic, every member is entitled to its share to less than a watt-hour, the largest remainders get what is left, all together get exactly
// the whole watt-hours of their shares, and what one member consumes changes nothing for another.
func TestStaticKey(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := keys.Draw(t, "key")
		p := rapid.Int64Range(0, 1<<32).Draw(t, "produced")
		n, shares, together := len(key.parts), make([]float64, len(key.parts)), int64(0)
		for i, part := range key.parts {
			shares[i] = float64(part) / float64(key.whole)
			together += part
		}
		e, err := Entitled(wh(p), shares)
		if err != nil {
			t.Fatal(err)
		}
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
		c := rapid.SliceOfN(rapid.Map(rapid.Int64Range(0, 1<<33), func(v int64) wh { return wh(v) }), n, n).Draw(t, "consumed")
		a, surplus, err := Static(wh(p), c, shares)
		if err != nil {
			t.Fatal(err)
		}
		given := surplus
		for i := range a {
			if a[i] != min(c[i], e[i]) {
				t.Fatalf("member %d gets %d Wh, consumed %d Wh and is entitled to %d Wh", i, a[i], c[i], e[i])
			}
			given += a[i]
		}
		if given != wh(p) || surplus < 0 {
			t.Fatalf("allocated and surplus of %d Wh are %d Wh, want %d Wh", surplus, given, p)
		}
		other := rapid.IntRange(0, n-1).Draw(t, "other")
		c[other] += 1000
		b, _, err := Static(wh(p), c, shares)
		for i := range a {
			if err != nil || i != other && a[i] != b[i] {
				t.Fatalf("member %d gets %d Wh in place of %d Wh because member %d consumes more (%v)", i, b[i], a[i], other, err)
			}
		}
	})
}

func TestRefused(t *testing.T) {
	for _, err := range []error{
		second(Dynamic(-1, nil)), second(Dynamic(1, []wh{-1})), second(Static(1, []wh{1}, nil)), second(Static(1, []wh{1, 1}, []float64{0.6, 0.6})), second(Static(1, []wh{1}, []float64{-0.1})),
	} {
		if err == nil {
			t.Error("accepted, want an error")
		}
	}
}

func second(_ []wh, _ wh, err error) error { return err }
