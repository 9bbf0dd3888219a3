package sharing

import (
	"bytes"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/units"
)

type wh = units.WattHours

// flats is the worked example of three consumers and two producers over six steps, computed by hand with fractions.
func flats(key Key) *Operation {
	return &Operation{StepMinutes: 15, Key: key,
		Consumers: []Participant{{"A", []wh{400, 500, 800, 300, 333, 0}}, {"B", []wh{350, 250, 400, 700, 334, 0}}, {"S", []wh{250, 750, 800, 200, 333, 0}}},
		Producers: []Participant{{"P1", []wh{600, 900, 300, 900, 100, 50}}, {"P2", []wh{0, 600, 200, 900, 0, 150}}},
		Shares:    []Coefficient{Whole / 5, 3 * (Whole / 10), Whole / 2}}
}

// parts returns the coefficients that give the energies of a row of whole numbers over a denominator.
func parts(den []int64, num ...[]int64) (out [][]Coefficient) {
	for _, row := range num {
		series := make([]Coefficient, len(row))
		for k, v := range row {
			if den[k] > 0 {
				series[k] = Coefficient(new(big.Int).Div(new(big.Int).Mul(big.NewInt(v), big.NewInt(int64(Whole))), big.NewInt(den[k])).Int64())
			}
		}
		out = append(out, series)
	}
	return out
}

// TestWorkedExample: all four keys, and both algorithms of the organiser, on the worked example.
func TestWorkedExample(t *testing.T) {
	for _, tt := range []struct {
		name       string
		op         func() *Operation
		allocated  [][]wh // by consumer
		surplus    [][]wh // by producer
		byProducer [][]wh // sums: by producer, then consumer; nil: not computed by hand
	}{
		{"static", func() *Operation { return flats(Static) },
			[][]wh{{120, 300, 100, 300, 20, 0}, {180, 300 - 50, 150, 540, 30, 0}, {250, 750, 250, 200, 50, 0}},
			[][]wh{{50, 120, 0, 380, 0, 50}, {0, 80, 0, 380, 0, 150}}, nil},
		{"dynamic", func() *Operation { return flats(Dynamic) },
			[][]wh{{240, 500, 200, 300, 33, 0}, {210, 250, 100, 700, 34, 0}, {150, 750, 200, 200, 33, 0}},
			[][]wh{{0, 0, 0, 300, 0, 50}, {0, 0, 0, 300, 0, 150}},
			[][]wh{{240 + 300 + 120 + 150 + 33, 210 + 150 + 60 + 350 + 34, 150 + 450 + 120 + 100 + 33}, {200 + 80 + 150, 100 + 40 + 350, 300 + 80 + 100}}},
		{"full dynamic: the school first from P1, half and half from P2", func() *Operation {
			o := flats(FullDynamic)
			o.Pairs = [][][]Coefficient{
				parts([]int64{1800, 18, 3, 9, 1, 1}, []int64{560, 2, 0, 3, 0, 0}, []int64{490, 1, 0, 7, 0, 0}, []int64{750, 15, 3, 2, 1, 0}), // t3: capped by consumption below
				parts([]int64{1, 6, 2, 90, 1, 1}, []int64{0, 3, 1, 9, 0, 0}, []int64{0, 2, 1, 21, 0, 0}, []int64{0, 0, 0, 0, 0, 0}),
			}
			o.Pairs[0][0][3], o.Pairs[0][1][3], o.Pairs[0][2][3] = parts([]int64{90}, []int64{21})[0][0], parts([]int64{90}, []int64{49})[0][0], parts([]int64{90}, []int64{20})[0][0]
			return o
		},
			[][]wh{{187, 400, 100, 300, 0, 0}, {163, 250, 100, 700, 0, 0}, {250, 750, 300, 200, 100, 0}},
			[][]wh{{0, 0, 0, 0, 0, 50}, {0, 100, 0, 600, 0, 150}},
			[][]wh{{187 + 100 + 210, 163 + 50 + 490, 250 + 750 + 300 + 200 + 100}, {300 + 100 + 90, 200 + 100 + 210, 0}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, err := tt.op().Allocate()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a.Allocated, tt.allocated) || !reflect.DeepEqual(a.Surplus, tt.surplus) {
				t.Errorf("allocated %v, surplus %v\nwant      %v, surplus %v", a.Allocated, a.Surplus, tt.allocated, tt.surplus)
			}
			for p := range tt.byProducer {
				for i, want := range tt.byProducer[p] {
					if got := total(a.ByProducer[p][i]); got != want {
						t.Errorf("producer %d gives consumer %d %d Wh, want %d Wh", p, i, got, want)
					}
				}
			}
		})
	}
	o := flats(Static)
	a, _ := o.Allocate()
	if got := a.Wasted(o); got != 50+200+0+160+0+0 {
		t.Errorf("the static key leaves %d Wh unused while others draw, want 410 Wh", got)
	}
}

func total(list []wh) (sum wh) {
	for _, v := range list {
		sum += v
	}
	return sum
}

// energies are watt-hours of all sizes, often small or nought.
var energies = rapid.Custom(func(t *rapid.T) wh {
	switch rapid.IntRange(0, 9).Draw(t, "size") {
	case 0, 1:
		return 0
	case 2:
		return wh(rapid.Int64Range(0, int64(MaxWh)).Draw(t, "large"))
	case 3, 4, 5:
		return wh(rapid.Int64Range(0, 9).Draw(t, "small"))
	}
	return wh(rapid.Int64Range(0, 3000).Draw(t, "energy"))
})

// coefficientsOf draws coefficients of some consumers in one step that sum to at most 1, or, with floats, by a rounding error more.
func coefficientsOf(t *rapid.T, n int, floats bool) []Coefficient {
	out, left := make([]Coefficient, n), Whole
	unit := Coefficient(pow10[rapid.IntRange(0, decimals).Draw(t, "places")])
	even := rapid.Bool().Draw(t, "even")
	for i := range out {
		most := left
		if even {
			most = min(left, 2*Whole/Coefficient(n))
		}
		out[i] = Coefficient(rapid.Int64Range(0, int64(most/unit)).Draw(t, "k")) * unit
		left -= out[i]
	}
	if n > 0 && rapid.Bool().Draw(t, "all") {
		out[n-1] += left
		if floats && out[n-1] < Whole-excess && out[0] < Whole-excess {
			out[0] += Coefficient(rapid.Int64Range(0, int64(excess/2)).Draw(t, "excess"))
		}
	}
	return rapid.Permutation(out).Draw(t, "order")
}

func operation(t *rapid.T, key Key, floats bool) *Operation {
	n, m, steps := rapid.IntRange(0, 8).Draw(t, "consumers"), rapid.IntRange(0, 5).Draw(t, "producers"), rapid.IntRange(1, 3).Draw(t, "steps")
	o := &Operation{StepMinutes: 15, Key: key}
	series := func(name string, count int) (out []Participant) {
		for i := range count {
			out = append(out, Participant{fmt.Sprint(name, i), rapid.SliceOfN(energies, steps, steps).Draw(t, name)})
		}
		return out
	}
	o.Consumers, o.Producers = series("c", n), series("p", m)
	by := func() [][]Coefficient {
		out := make([][]Coefficient, n)
		for i := range out {
			out[i] = make([]Coefficient, steps)
		}
		for k := range steps {
			for i, v := range coefficientsOf(t, n, floats) {
				out[i][k] = v
			}
		}
		return out
	}
	switch key {
	case Static:
		o.Shares = coefficientsOf(t, n, floats)
	case Coefficients:
		o.Coefficients = by()
	case FullDynamic:
		for range m {
			o.Pairs = append(o.Pairs, by())
		}
	}
	return o
}

// exact is the key in rational arithmetic, straight from its definition: cells by producer and consumer.
func exact(o *Operation, k int) [][]*big.Rat {
	rat := func(v wh) *big.Rat { return new(big.Rat).SetInt64(int64(v)) }
	share := func(c Coefficient) *big.Rat { return big.NewRat(int64(c), int64(Whole)) }
	produced, consumed := new(big.Rat), new(big.Rat)
	for _, p := range o.Producers {
		produced.Add(produced, rat(p.Wh[k]))
	}
	for _, c := range o.Consumers {
		consumed.Add(consumed, rat(c.Wh[k]))
	}
	least := func(a, b *big.Rat) *big.Rat {
		if a.Cmp(b) < 0 {
			return a
		}
		return b
	}
	out := make([][]*big.Rat, len(o.Producers))
	for p := range out {
		for i, c := range o.Consumers {
			cell, mine := new(big.Rat), rat(o.Producers[p].Wh[k])
			switch {
			case o.Key == FullDynamic:
				sum := new(big.Rat)
				for q := range o.Producers {
					sum.Add(sum, new(big.Rat).Mul(share(o.Pairs[q][i][k]), rat(o.Producers[q].Wh[k])))
				}
				cell.Mul(share(o.Pairs[p][i][k]), mine)
				if sum.Cmp(rat(c.Wh[k])) > 0 {
					cell.Mul(cell, rat(c.Wh[k])).Quo(cell, sum)
				}
			case produced.Sign() > 0:
				var a *big.Rat
				switch o.Key {
				case Static:
					a = least(rat(c.Wh[k]), new(big.Rat).Mul(share(o.Shares[i]), produced))
				case Coefficients:
					a = least(rat(c.Wh[k]), new(big.Rat).Mul(share(o.Coefficients[i][k]), produced))
				case Dynamic:
					a = rat(c.Wh[k])
					if produced.Cmp(consumed) < 0 {
						a = new(big.Rat).Quo(new(big.Rat).Mul(a, produced), consumed)
					}
				}
				cell.Mul(a, mine).Quo(cell, produced)
			}
			out[p] = append(out[p], cell)
		}
	}
	return out
}

// TestInvariants: for every key, against rational arithmetic and whatever the energies, sums are exact and each figure is less than a watt-hour away.
func TestInvariants(t *testing.T) {
	for _, key := range Keys() {
		t.Run(string(key), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				o := operation(t, key, true)
				a, err := o.Allocate()
				if err != nil {
					t.Fatal(err)
				}
				for k := range o.Steps() {
					checkStep(t, o, a, k)
				}
			})
		})
	}
}

func checkStep(t *rapid.T, o *Operation, a *Allocation, k int) {
	e := exact(o, k)
	// what the excess of coefficients above 1 that came from floats may change
	slack := new(big.Rat).SetFrac64(int64(2*excess), int64(Whole))
	slack.Mul(slack, new(big.Rat).SetInt64(int64(MaxWh)*int64(max(1, len(o.Producers)))))
	if o.Key == Dynamic {
		slack = new(big.Rat)
	}
	one := big.NewRat(1, 1)
	near := func(what string, got wh, want *big.Rat) {
		d := new(big.Rat).SetInt64(int64(got))
		if d.Sub(d, want).Abs(d).Cmp(new(big.Rat).Add(one, slack)) >= 0 {
			t.Fatalf("step %d: %s is %d Wh, exactly %s Wh", k, what, got, want.FloatString(9))
		}
		if got < 0 {
			t.Fatalf("step %d: %s is %d Wh", k, what, got)
		}
	}
	var given, produced, consumed, surplus wh
	sum := new(big.Rat)
	for p := range o.Producers {
		row, left := a.Surplus[p][k], new(big.Rat).SetInt64(int64(o.Producers[p].Wh[k]))
		surplus += row
		for i := range o.Consumers {
			near(fmt.Sprintf("%d of %d", p, i), a.ByProducer[p][i][k], e[p][i])
			row += a.ByProducer[p][i][k]
			left.Sub(left, e[p][i])
			sum.Add(sum, e[p][i])
		}
		near(fmt.Sprintf("surplus of %d", p), a.Surplus[p][k], left)
		if row != o.Producers[p].Wh[k] {
			t.Fatalf("step %d: allocated and surplus of producer %d are %d Wh, it produced %d Wh", k, p, row, o.Producers[p].Wh[k])
		}
		produced += o.Producers[p].Wh[k]
	}
	for i, c := range o.Consumers {
		column, want := wh(0), new(big.Rat)
		for p := range o.Producers {
			column += a.ByProducer[p][i][k]
			want.Add(want, e[p][i])
		}
		if got := a.Allocated[i][k]; got != column || got > c.Wh[k] {
			t.Fatalf("step %d: consumer %d gets %d Wh of %d Wh consumed, by producers %d Wh", k, i, got, c.Wh[k], column)
		}
		near(fmt.Sprintf("all of %d", i), a.Allocated[i][k], want)
		given += a.Allocated[i][k]
		consumed += c.Wh[k]
	}
	if given+surplus != produced {
		t.Fatalf("step %d: allocated %d Wh and surplus %d Wh, produced %d Wh", k, given, surplus, produced)
	}
	if o.Key == Dynamic && given != min(produced, consumed) {
		t.Fatalf("step %d: the dynamic key gives %d Wh of %d Wh to %d Wh of consumption", k, given, produced, consumed)
	}
	if floor := new(big.Rat).Sub(sum, slack); new(big.Rat).SetInt64(int64(given)+1).Cmp(floor) <= 0 {
		t.Fatalf("step %d: %d Wh are given, exactly %s Wh", k, given, sum.FloatString(9))
	}
}

// TestLargestRemainders: with one producer a member's energy is the largest remainder's, ties to the first, and for the keys that pool production as many producers as there may be
// change that only where no table has these columns.
func TestLargestRemainders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := operation(t, rapid.SampledFrom(Keys()).Draw(t, "key"), false)
		if len(o.Producers) == 0 || len(o.Consumers) == 0 || len(o.Consumers)*len(o.Producers) > 16 {
			t.Skip()
		}
		a, err := o.Allocate()
		if err != nil {
			t.Fatal(err)
		}
		for k := range o.Steps() {
			e := exact(o, k)
			want := remainders(e)
			if got := column(a.Allocated, k); !slices.Equal(got, want) && len(o.Producers) == 1 {
				t.Fatalf("step %d gives %v, want %v", k, got, want)
			} else if !slices.Equal(got, want) && total(got) == total(want) && possible(o, k, e, want) {
				t.Fatalf("step %d gives %v, but %v can be rounded to", k, got, want)
			}
		}
	})
}

func column(series [][]wh, k int) (out []wh) {
	for i := range series {
		out = append(out, series[i][k])
	}
	return out
}

func floorOf(r *big.Rat) wh { return wh(new(big.Int).Div(r.Num(), r.Denom()).Int64()) }

// remainders rounds the columns of a table by largest remainder to the sum rounded down.
func remainders(e [][]*big.Rat) []wh {
	n := len(e[0])
	out, rest, order, sum := make([]wh, n), make([]*big.Rat, n), make([]int, n), new(big.Rat)
	for i := range n {
		x := new(big.Rat)
		for p := range e {
			x.Add(x, e[p][i])
		}
		out[i], order[i] = floorOf(x), i
		rest[i] = new(big.Rat).Sub(x, new(big.Rat).SetInt64(int64(out[i])))
		sum.Add(sum, rest[i])
	}
	ups := floorOf(new(big.Rat).Add(sum, big.NewRat(1, nearWhole)))
	slices.SortStableFunc(order, func(a, b int) int { return rest[b].Cmp(rest[a]) })
	for _, i := range order[:ups] {
		out[i]++
	}
	return out
}

// possible tries all tables of cells rounded up or down for one with the producers' rows, and these columns.
func possible(o *Operation, k int, e [][]*big.Rat, columns []wh) bool {
	n, m := len(columns), len(e)
	var rows func(p int, left []wh) bool
	rows = func(p int, left []wh) bool {
		if p == m {
			return !slices.ContainsFunc(left, func(v wh) bool { return v != 0 })
		}
		s := new(big.Rat).SetInt64(int64(o.Producers[p].Wh[k]))
		for i := range n {
			s.Sub(s, e[p][i])
		}
		var cells func(i int, used wh, left []wh) bool
		cells = func(i int, used wh, left []wh) bool {
			if i == n {
				surplus := o.Producers[p].Wh[k] - used
				d := new(big.Rat).SetInt64(int64(surplus))
				return surplus >= 0 && d.Sub(d, s).Abs(d).Cmp(big.NewRat(1, 1)) < 0 && rows(p+1, left)
			}
			low := floorOf(e[p][i])
			for v := low; v <= low+1; v++ {
				if v == low+1 && e[p][i].IsInt() || v > left[i] {
					continue
				}
				next := slices.Clone(left)
				next[i] -= v
				if cells(i+1, used+v, next) {
					return true
				}
			}
			return false
		}
		return cells(0, 0, left)
	}
	return rows(0, columns)
}

// TestThirds: shares that are thirds as a computer writes them leave nothing over.
func TestThirds(t *testing.T) {
	k, err := CoefficientOf(1.0 / 3)
	if err != nil {
		t.Fatal(err)
	}
	o := &Operation{StepMinutes: 30, Key: Static, Shares: []Coefficient{k, k, k},
		Consumers: []Participant{{"a", []wh{500}}, {"b", []wh{500}}, {"c", []wh{500}}}, Producers: []Participant{{"p", []wh{300}}, {"q", []wh{301}}}}
	a, err := o.Allocate()
	if err != nil || !reflect.DeepEqual(a.Allocated, [][]wh{{201}, {200}, {200}}) || total(column(a.Surplus, 0)) != 0 {
		t.Errorf("thirds of 601 Wh are %+v (%v)", a, err)
	}
}

// TestCheck: every fault is named with its place and value.
func TestCheck(t *testing.T) {
	o := &Operation{StepMinutes: 7, Key: "square", Consumers: []Participant{{"a", []wh{1, -2}}, {"a", []wh{1}}}, Producers: []Participant{{"p q", []wh{MaxWh + 1, 0}}}}
	expect(t, o.Check(), `key: "square" is unknown`, "step_minutes: 7 min", "consumers.a[1]: -2 Wh is negative", "consumers.a: comes twice",
		`producers["p q"][0]: 1000000000001 Wh is more than 1000000000000 Wh`, "consumers.a: 1 values, want 2 as in consumers.a")
	o = flats(Static)
	o.Shares = []Coefficient{Whole, Whole / 10, -1}
	expect(t, o.Check(), "shares.S: -0.000000000000000001 is negative", "shares: sum to 1.1, more than 1")
	o = flats(Coefficients)
	o.Coefficients = [][]Coefficient{{0, 0, Whole + 1, 0, 0, 0}, {0, Whole, 0, 0, 0, 0}, {0, Whole / 100, 0, 0, 0, 0}}
	expect(t, o.Check(), "coefficients.A[2]: 1.000000000000000001 is more than 1", "coefficients: sum to 1.01 in step 1, more than 1")
	o = flats(FullDynamic)
	expect(t, o.Check(), "coefficients: those of 0 producers, want 2")
}

func expect(t *testing.T, err error, want ...string) {
	t.Helper()
	var f *Faults
	if !errors.As(err, &f) || len(f.List) != len(want) {
		t.Fatalf("faults\n%v\nwant %d", err, len(want))
	}
	for i, w := range want {
		if got := f.List[i].String(); !strings.HasPrefix(got, w) {
			t.Errorf("fault %q, want %q", got, w)
		}
	}
}

func TestCoefficient(t *testing.T) {
	for text, want := range map[string]Coefficient{"0": 0, "1": Whole, "0.5": Whole / 2, "1e-3": Whole / 1000, "0.1": Whole / 10, "0.30000000000000004": 300000000000000040, "1.0": Whole, "25E-2": Whole / 4,
		"0.0000000000000000005": 0, "0.0000000000000000015": 2, "-0": 0, "1e-400": 0} {
		if got, err := ParseCoefficient(text); err != nil || got != want {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "1.1", "1e400", "NaN", "0x1", "1_0", "1/2", "0.5.5", "1e99999999999"} {
		if got, err := ParseCoefficient(text); err == nil {
			t.Errorf("%s is %v, want an error", text, got)
		}
	}
	if got := (Whole/4 + 1).String(); got != "0.250000000000000001" {
		t.Errorf("a quarter and a little is written %s", got)
	}
}

// TestProcessors: the answer is the same to the byte however many processors share the steps.
func TestProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, key := range Keys() {
		o := random(key, 7, 3, 5*tile+3)
		var want []byte
		for _, n := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(n)
			a, err := o.Allocate()
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := a.Encode(&out, o); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = out.Bytes()
			} else if !bytes.Equal(out.Bytes(), want) {
				t.Errorf("%s: %d processors give another answer than one", key, n)
			}
		}
	}
}
