package sharing

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestAnyTable: tables of any fractions are rounded, whatever the columns were rounded to before: every row whole, every cell and column one of its two neighbours.
func TestAnyTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const parts = 4
		n, m := rapid.IntRange(1, 6).Draw(t, "consumers"), rapid.IntRange(2, 5).Draw(t, "producers")
		s := newStep(n, m, false)
		column, surplus := make([]int, n), 0
		for p := range m {
			s.producers = append(s.producers, p)
			row := 0
			for i := range n {
				v := rapid.IntRange(0, 3*parts).Draw(t, "cell")
				s.cells[p*(n+1)+i], s.fractions[p*(n+1)+i] = int64(v/parts), float64(v%parts)/parts
				row, column[i] = row+v, column[i]+v
			}
			v := (parts - row%parts) % parts
			s.cells[p*(n+1)+n], s.fractions[p*(n+1)+n] = 0, float64(v)/parts
			s.produced[p] = int64((row + v) / parts)
			surplus += v
		}
		// columns in any order down or up, as many as close the sum
		given, ups := int64(0), 0
		for i, v := range column {
			s.whole[i], s.remainders[i] = int64(v/parts), uint64(v%parts)
			given += s.whole[i]
			ups += v % parts
			s.allocated[i] = s.whole[i]
		}
		ups /= parts
		order := make([]int, n)
		for i := range order {
			order[i] = i
		}
		for _, i := range rapid.Permutation(order).Draw(t, "order") {
			if ups > 0 && s.remainders[i] > 0 {
				s.allocated[i]++
				ups--
			}
		}
		all := int64(0)
		for _, v := range s.produced {
			all += v
		}
		sum := int64(0)
		for _, v := range s.allocated {
			sum += v
		}
		before := append([]int64(nil), s.cells...)
		s.grid.solve(s, all-sum)
		for i := range n + 1 {
			got := int64(0)
			for p := range m {
				at := p*(n+1) + i
				got += s.cells[at]
				if d := s.cells[at] - before[at]; d < 0 || d > 1 || d == 1 && s.fractions[at] == 0 {
					t.Fatalf("cell %d of producer %d is %d, exactly %g", i, p, s.cells[at], float64(before[at])+s.fractions[at])
				}
			}
			if i == n {
				if got != all-sum {
					t.Fatalf("the surplus is %d, want %d", got, all-sum)
				}
				continue
			}
			if d := got - s.whole[i]; got != s.allocated[i] || d < 0 || d > 1 || d == 1 && s.remainders[i] == 0 {
				t.Fatalf("column %d is %d, allocated %d, exactly %d %d/%d", i, got, s.allocated[i], s.whole[i], s.remainders[i], parts)
			}
		}
		for p := range m {
			got := int64(0)
			for i := range n + 1 {
				got += s.cells[p*(n+1)+i]
			}
			if got != s.produced[p] {
				t.Fatalf("row %d is %d, want %d", p, got, s.produced[p])
			}
		}
	})
}

// TestWideDivision against big integers.
func TestWideDivision(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		any := rapid.Uint64Range(0, 1<<40)
		d := wide{rapid.SampledFrom([]uint64{0, 1, 1 << 20, 1 << 36}).Draw(t, "size"), rapid.Uint64().Draw(t, "d")}
		if d.zero() {
			d.lo = 1
		}
		w, c := wide{any.Draw(t, "hi"), rapid.Uint64().Draw(t, "w")}, any.Draw(t, "c")
		if rapid.Bool().Draw(t, "nearly all") {
			w = d.minus(wide{0, 1})
		}
		if d.less(w) {
			w = d
		}
		q, r := w.mulDiv(c, d, float64(c)/d.float())
		product := new(big.Int).Mul(bigOf(w), new(big.Int).SetUint64(c))
		want, rest := product.QuoRem(product, bigOf(d), new(big.Int))
		if want.Uint64() != q || rest.Cmp(bigOf(r)) != 0 {
			t.Fatalf("%v * %d / %v = %d rest %v, want %v rest %v", w, c, d, q, r, want, rest)
		}
	})
}

func bigOf(w wide) *big.Int {
	v := new(big.Int).Lsh(new(big.Int).SetUint64(w.hi), 64)
	return v.Or(v, new(big.Int).SetUint64(w.lo))
}

// random makes an operation as a district has it: energies of a quarter-hour, coefficients of six places.
func random(key Key, consumers, producers, steps int) *Operation {
	r := rand.New(rand.NewPCG(1, uint64(consumers)))
	o := &Operation{StepMinutes: 15, Key: key}
	for i := range consumers {
		x := Participant{ID: fmt.Sprintf("c%03d", i), Wh: make([]wh, steps)}
		for k := range x.Wh {
			x.Wh[k] = wh(r.IntN(1500))
		}
		o.Consumers = append(o.Consumers, x)
		o.Shares = append(o.Shares, Whole/Coefficient(consumers))
	}
	for p := range producers {
		x := Participant{ID: fmt.Sprintf("p%02d", p), Wh: make([]wh, steps)}
		for k := range x.Wh {
			if k%96 > 24 && k%96 < 80 {
				x.Wh[k] = wh(r.IntN(2000 * consumers / producers))
			}
		}
		o.Producers = append(o.Producers, x)
	}
	pairs := func() [][]Coefficient {
		out := table2(consumers, steps)
		for k := range steps {
			for i := range out {
				out[i][k] = Coefficient(r.Int64N(int64(Whole/Coefficient(consumers))/1e12)) * 1e12
			}
		}
		return out
	}
	switch key {
	case Coefficients:
		o.Coefficients = pairs()
	case FullDynamic:
		for range producers {
			o.Pairs = append(o.Pairs, pairs())
		}
	}
	return o
}

func table2(rows, steps int) [][]Coefficient {
	out := make([][]Coefficient, rows)
	for i := range out {
		out[i] = make([]Coefficient, steps)
	}
	return out
}

// BenchmarkAllocate shares a month of 200 members.
func BenchmarkAllocate(b *testing.B) {
	for _, key := range Keys() {
		for _, producers := range []int{1, 4} {
			o := random(key, 200, producers, 2976)
			b.Run(fmt.Sprintf("%s/producers=%d", key, producers), func(b *testing.B) {
				for b.Loop() {
					if _, err := o.Allocate(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2976/200, "ns/cell")
			})
		}
	}
}
