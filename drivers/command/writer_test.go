package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestInRange: the ends of a point's range are in it, but for the rounding of a conversion; what is no number, or is infinite, is not.
func TestInRange(t *testing.T) {
	pt := &profile.Point{Name: "p", Min: -20, Max: 4.6}
	for v, want := range map[float64]bool{0: true, -20: true, 4.6: true, 4.6000000000000005: true, -20 - 1e-8: true, -20 - 1e-7: false, 4.6 + 1e-9: true, 4.6 + 1e-7: false, 5: false, -21: false, math.NaN(): false, math.Inf(1): false, math.Inf(-1): false} {
		err := InRange(pt, v)
		var limit *drivers.LimitError
		if (err == nil) != want || err != nil && (!errors.As(err, &limit) || limit.Point != "p" || limit.Min != -20 || limit.Max != 4.6) {
			t.Errorf("%v: %v, want in range %v", v, err, want)
		}
	}
	free := &profile.Point{Min: math.Inf(-1), Max: math.Inf(1)}
	if InRange(free, 1e9) != nil || InRange(free, math.Inf(1)) == nil || InRange(free, math.Inf(-1)) == nil {
		t.Error("a point without a range takes any number, and infinity is none")
	}
}

// TestReadBackAttempts: a value is read at once, after a tenth and after half a second, until it is what was written; what is marked bad, an error and a caller that stops waiting end it as they should.
func TestReadBackAttempts(t *testing.T) {
	pt := &profile.Point{Name: "p", Unit: "kW"}
	good := func(v float64) drivers.Reading { return drivers.Reading{Value: v, Quality: district.Good} }
	bad := drivers.Reading{Value: 10, Quality: district.Bad}
	for _, tt := range []struct {
		name  string
		reads []drivers.Reading
		took  time.Duration
		fails bool
		last  float64
	}{
		{"at once", []drivers.Reading{good(10)}, 0, false, 10}, {"above by the tolerance", []drivers.Reading{good(10.5)}, 0, false, 10.5}, {"below by the tolerance", []drivers.Reading{good(9.5)}, 0, false, 9.5},
		{"the second time", []drivers.Reading{good(3), good(10)}, 100 * time.Millisecond, false, 10}, {"the third time", []drivers.Reading{good(3), good(20), good(10)}, 500 * time.Millisecond, false, 10},
		{"bad at first", []drivers.Reading{bad, good(10)}, 100 * time.Millisecond, false, 10},
		{"never", []drivers.Reading{good(3), good(3), good(4)}, 500 * time.Millisecond, true, 4}, {"too much", []drivers.Reading{good(10.6), good(10.6), good(10.6)}, 500 * time.Millisecond, true, 10.6},
		{"too little", []drivers.Reading{good(9.4), good(9.4), good(9.4)}, 500 * time.Millisecond, true, 9.4}, {"always bad", []drivers.Reading{bad, bad, bad}, 500 * time.Millisecond, true, 10},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun, n := time.Now(), 0
			r, err := ReadBack(t.Context(), pt, 10, 0.5, func(context.Context) (drivers.Reading, error) { n++; return tt.reads[n-1], nil })
			if took := time.Since(begun); errors.Is(err, drivers.ErrReadBack) != tt.fails || !tt.fails && err != nil || r.Value != tt.last || took != tt.took || n != len(tt.reads) {
				t.Errorf("%s: %+v, %v after %v and %d reads", tt.name, r, err, took, n)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		if _, err := ReadBack(t.Context(), pt, 10, 0.5, func(context.Context) (drivers.Reading, error) { return good(10), drivers.ErrUnreachable }); !errors.Is(err, drivers.ErrUnreachable) || errors.Is(err, drivers.ErrReadBack) {
			t.Errorf("it cannot be read: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("the caller stops waiting")
		_, err := ReadBack(ctx, pt, 10, 0.5, func(context.Context) (drivers.Reading, error) { cancel(stopped); return good(3), nil })
		if !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, stopped) {
			t.Errorf("the caller stops waiting: %v", err)
		}
	})
}

// TestWriter: the control point is a command, any other that can be written a plain write; a device that is not commanded is given back by nobody; one operation runs after the other, and none once the device is
// closed.
func TestWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, inverter, limit(1, 0))
		p := b.set.Profile
		life, end := context.WithCancel(t.Context())
		named := func(operation string, err error) error { return fmt.Errorf("pv, %s: %w", operation, err) }
		w := NewWriter(life, p, b.dev, b.Commander, named)
		if r, err := w.Write(t.Context(), "limit_share", 0.5); err != nil || r.Value != 0.5 || b.dev.values["limit_enable"] != 1 {
			t.Errorf("a command: %+v, %v, %v", r, err, b.dev.values)
		}
		if _, err := w.Write(t.Context(), "limit_reversion", 60); err != nil || b.dev.values["limit_reversion"] != 60 {
			t.Errorf("a plain write: %v, %v", err, b.dev.values)
		}
		for name, want := range map[string]error{"nothing": drivers.ErrUnknownPoint, "power_kw": drivers.ErrReadOnly} {
			if _, err := w.Write(t.Context(), name, 1); !errors.Is(err, want) || len(err.Error()) < 10 || err.Error()[:4] != "pv, " {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
		plain := NewWriter(life, p, b.dev, nil, named)
		if _, err := plain.Release(t.Context()); !errors.Is(err, drivers.ErrReadOnly) {
			t.Errorf("given back without a command: %v", err)
		}
		if _, err := plain.Write(t.Context(), "limit_share", 0.7); err != nil || b.dev.values["limit_share"] != 0.7 {
			t.Errorf("a write of the point behind a command: %v, %v", err, b.dev.values)
		}
		b.dev.values["limit_share"] = 0.5
		if _, err := w.Release(t.Context()); err != nil || b.dev.values["limit_share"] != 1 {
			t.Errorf("given back: %v, %v", err, b.dev.values)
		}

		running, most := 0, 0
		for range 3 {
			go w.alone(t.Context(), "slow", func(context.Context) (drivers.Reading, error) {
				running++
				most = max(most, running)
				time.Sleep(time.Second)
				running--
				return drivers.Reading{}, nil
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := w.Write(ctx, "limit_share", 0.5); !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting behind another: %v", err)
		}
		time.Sleep(4 * time.Second)
		synctest.Wait()
		if most != 1 || running != 0 {
			t.Errorf("%d operations at once, %d run on", most, running)
		}
		go func() { time.Sleep(time.Second); end() }()
		_, err := w.alone(t.Context(), "slow", func(ctx context.Context) (drivers.Reading, error) {
			<-ctx.Done()
			return drivers.Reading{}, context.Cause(ctx)
		})
		if !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("closed meanwhile: %v", err)
		}
		if _, err := w.Write(t.Context(), "limit_share", 0.5); !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("after it was closed: %v", err)
		}
	})
}
