package sharing

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Coefficient is a share in [0, 1], an exact decimal of 18 places: in units of 1e-18.
type Coefficient int64

// Whole is the coefficient 1.
const Whole Coefficient = 1e18

// excess is by how much coefficients may exceed 1 together, in all: what binary floats that were written as decimals are off by. It is taken from the largest of them.
const excess Coefficient = 1e6

// decimals is the number of decimal places of a coefficient.
const decimals = 18

// Float returns the nearest float.
func (c Coefficient) Float() float64 { return float64(c) / float64(Whole) }

// String writes the exact decimal, without trailing zeros.
func (c Coefficient) String() string {
	sign, v := "", uint64(c)
	if c < 0 {
		sign, v = "-", uint64(-c)
	}
	text := fmt.Sprintf("%s%d.%018d", sign, v/uint64(Whole), v%uint64(Whole))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// CoefficientOf returns the coefficient of a float as its shortest decimal says it, so that 0.1 is a tenth. The error says why there is none.
func CoefficientOf(v float64) (Coefficient, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, fmt.Errorf("%g is no number", v)
	}
	return ParseCoefficient(strconv.FormatFloat(v, 'g', -1, 64))
}

// ParseCoefficient reads a decimal number such as 0.25 or 2.5e-1. Places beyond the 18th are rounded, half to even. The error says what is wrong: no number, negative, more than 1.
func ParseCoefficient(text string) (Coefficient, error) {
	if c, n := quickCoefficient([]byte(text)); n > 0 && n == len(text) {
		return c, nil
	}
	r, err := rational(text)
	if err != nil {
		return 0, err
	}
	if r.Sign() < 0 {
		return 0, fmt.Errorf("%s is negative", text)
	}
	scaled := new(big.Int).Mul(r.Num(), big.NewInt(int64(Whole)))
	q, rem := scaled.QuoRem(scaled, r.Denom(), new(big.Int))
	switch twice := rem.Lsh(rem, 1); twice.Cmp(r.Denom()) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		q.Add(q, big.NewInt(int64(q.Bit(0))))
	}
	if !q.IsInt64() || Coefficient(q.Int64()) > Whole {
		return 0, fmt.Errorf("%s is more than 1", text)
	}
	return Coefficient(q.Int64()), nil
}

// quickCoefficient reads the plain forms 0, 1 and 0.123 with at most 18 places at the beginning of a text, and returns how many bytes they have, or 0.
func quickCoefficient(text []byte) (v Coefficient, n int) {
	if len(text) < 2 || text[0] != '0' || text[1] != '.' {
		if len(text) > 0 && (text[0] == '0' || text[0] == '1') {
			return Coefficient(text[0]-'0') * Whole, 1
		}
		return 0, 0
	}
	n = 2
	for n < len(text) && text[n] >= '0' && text[n] <= '9' {
		if n == 2+decimals {
			return 0, 0
		}
		v = v*10 + Coefficient(text[n]-'0')
		n++
	}
	if n == 2 {
		return 0, 0
	}
	return v * Coefficient(pow10[2+decimals-n]), n
}

var pow10 = func() (p [decimals + 1]int64) {
	p[0] = 1
	for i := 1; i <= decimals; i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// maxExponent bounds the numbers that are read exactly; a number beyond is none that anybody means.
const maxExponent = 400

// rational reads a JSON number exactly.
func rational(text string) (*big.Rat, error) {
	mantissa, exponent, has := strings.Cut(strings.ToLower(text), "e")
	if has {
		if e, err := strconv.Atoi(exponent); err != nil || e > maxExponent || e < -maxExponent {
			return nil, fmt.Errorf("%.60s has an exponent beyond %d", text, maxExponent)
		}
	}
	if strings.Trim(mantissa, "-.0123456789") != "" || len(text) > maxNumber {
		return nil, errors.New(strconv.Quote(text) + " is no number")
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, errors.New(strconv.Quote(text) + " is no number")
	}
	return r, nil
}

// maxNumber is the longest number that is read, in bytes.
const maxNumber = 500
