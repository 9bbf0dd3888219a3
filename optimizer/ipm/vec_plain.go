//go:build !(goexperiment.simd && amd64)

package ipm

// vec is four numbers; vec_wide.go has what it must do.
type vec struct{ a, b, c, d float64 }

func load(p *four) vec      { return vec{p[0], p[1], p[2], p[3]} }
func all(x float64) vec     { return vec{x, x, x, x} }
func narrow()               {}
func runnable() error       { return nil }
func (x vec) Store(p *four) { p[0], p[1], p[2], p[3] = x.a, x.b, x.c, x.d }
func (x vec) Add(y vec) vec { return vec{x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d} }
func (x vec) Sub(y vec) vec { return vec{x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d} }

// Mul rounds: without the conversions a compiler may fuse product and sum, and the bits would be others.
func (x vec) Mul(y vec) vec {
	return vec{float64(x.a * y.a), float64(x.b * y.b), float64(x.c * y.c), float64(x.d * y.d)}
}
func (x vec) Div(y vec) vec { return vec{x.a / y.a, x.b / y.b, x.c / y.c, x.d / y.d} }
func (x vec) Min(y vec) vec {
	return vec{lesser(x.a, y.a), lesser(x.b, y.b), lesser(x.c, y.c), lesser(x.d, y.d)}
}
func (x vec) Max(y vec) vec {
	return vec{greater(x.a, y.a), greater(x.b, y.b), greater(x.c, y.c), greater(x.d, y.d)}
}

func positive(x, v vec) vec {
	return vec{ifPositive(x.a, v.a), ifPositive(x.b, v.b), ifPositive(x.c, v.c), ifPositive(x.d, v.d)}
}

func lesser(x, y float64) float64 {
	if x < y {
		return x
	}
	return y
}

func greater(x, y float64) float64 {
	if x > y {
		return x
	}
	return y
}

func ifPositive(x, v float64) float64 {
	if x > 0 {
		return v
	}
	return 0
}
