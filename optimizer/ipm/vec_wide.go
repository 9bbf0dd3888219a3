//go:build goexperiment.simd && amd64

package ipm

import (
	"errors"
	"simd/archsimd"
)

// vec is four numbers in one register. This file and vec_plain.go are the two meanings of the few operations that the sweeps are written in; lane by lane they give the
// same bits. Besides them there are Add, Sub, Mul, Div, Min, Max and Store. Of Min and Max the second operand is the answer where one is not a number.
type vec = archsimd.Float64x4

// load reads four numbers.
func load(p *four) vec { return archsimd.LoadFloat64x4(p) }

// all is the same number four times.
func all(x float64) vec { return archsimd.BroadcastFloat64x4(x) }

// positive is v in the lanes in which x > 0, and 0 elsewhere, whatever v is there.
func positive(x, v vec) vec { return v.Masked(x.Greater(vec{})) }

// narrow ends a stretch of vec operations: the scalar ones that follow would wait for the upper halves of the registers on some processors.
func narrow() { archsimd.ClearAVXUpperBits() }

// runnable reports why this program cannot run on this processor.
func runnable() error {
	if archsimd.X86.AVX2() {
		return nil
	}
	return errors.New("ipm: built for processors with AVX2, which this one has not: build without GOEXPERIMENT=simd")
}
