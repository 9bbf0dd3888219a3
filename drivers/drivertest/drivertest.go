package drivertest

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// Subject is one driver under test and its device.
type Subject struct {
	Open func(t *testing.T) drivers.Driver // a new driver of the device; the suite closes it
	Line *Proxy                            // the line between driver and device

	ReadOnly string  // a readable point that cannot be written
	Writable string  // a point that can be written and read back; empty when the device has none
	Value    float64 // within its range
	Other    float64 // another one
	TooHigh  float64 // above its range
}

// Factory makes a fresh subject.
type Factory func(t *testing.T) Subject

// The contract's times, tenfold where a slow machine runs the test.
const (
	cancelTime  = 100 * time.Millisecond
	closeTime   = 2 * time.Second
	margin      = 10
	patience    = 20 * time.Second // for what the contract gives no time
	deadTimeout = 5 * time.Second
)

// Run holds a driver against the contract of drivers.Driver.
func Run(t *testing.T, factory Factory) {
	t.Run("every readable point has a finite value", func(t *testing.T) { readAll(t, factory(t)) })
	t.Run("points are stable and sound", func(t *testing.T) { points(t, factory(t)) })
	t.Run("named points come alone", func(t *testing.T) { readOne(t, factory(t)) })
	t.Run("an unknown point is told and nothing is read", func(t *testing.T) { unknown(t, factory(t)) })
	t.Run("a read-only point refuses a write", func(t *testing.T) { readOnly(t, factory(t)) })
	t.Run("a write is read back", func(t *testing.T) { write(t, factory(t)) })
	t.Run("a value outside the range is a limit error", func(t *testing.T) { limits(t, factory(t)) })
	t.Run("the control names a writable point", func(t *testing.T) { control(t, factory(t)) })
	t.Run("a device is given back", func(t *testing.T) { release(t, factory(t)) })
	t.Run("a cancelled context returns at once", func(t *testing.T) { cancelled(t, factory(t)) })
	t.Run("close ends everything and may be repeated", func(t *testing.T) { closed(t, factory(t)) })
	t.Run("close while the device is silent", func(t *testing.T) { closeSilent(t, factory(t)) })
	t.Run("many callers at once", func(t *testing.T) { concurrent(t, factory(t)) })
	t.Run("a cut line is unreachable and never a number", func(t *testing.T) { dead(t, factory(t), Cut) })
	t.Run("a silent device is unreachable and never a number", func(t *testing.T) { dead(t, factory(t), Silent) })
	t.Run("a restarted device is found again", func(t *testing.T) { restart(t, factory(t)) })
}

func open(t *testing.T, s Subject) drivers.Driver {
	t.Helper()
	d := s.Open(t)
	t.Cleanup(func() { d.Close() })
	return d
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func readAll(t *testing.T, s Subject) {
	d := open(t, s)
	got, err := d.Read(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]drivers.Reading{}
	for _, r := range got {
		byName[r.Point] = r
		sound(t, r)
	}
	for _, p := range d.Points() {
		r, ok := byName[p.Name]
		switch {
		case p.Readable && !ok:
			t.Errorf("%s is readable, but was not read", p.Name)
		case !p.Readable && ok:
			t.Errorf("%s is not readable, but was read", p.Name)
		case ok && r.Quality == district.Good && p.Unit == "":
			t.Errorf("%s has no unit", p.Name)
		}
	}
	if len(got) == 0 {
		t.Error("nothing was read")
	}
}

// sound checks one reading: a finite value unless it is bad, and a time.
func sound(t *testing.T, r drivers.Reading) {
	t.Helper()
	if r.Quality != district.Bad && (math.IsNaN(r.Value) || math.IsInf(r.Value, 0)) {
		t.Errorf("%s is %g with quality %s", r.Point, r.Value, r.Quality)
	}
	if r.Time.IsZero() || r.Time.Location() != time.UTC {
		t.Errorf("%s has time %v, want one in UTC", r.Point, r.Time)
	}
}

func points(t *testing.T, s Subject) {
	d := open(t, s)
	first, second := d.Points(), d.Points()
	seen := map[string]bool{}
	for i, p := range first {
		if p != second[i] {
			t.Errorf("point %d is %+v, then %+v", i, p, second[i])
		}
		if seen[p.Name] {
			t.Errorf("point %s stands twice", p.Name)
		}
		seen[p.Name] = true
		if q, known := district.LookupQuantity(p.Name); known && (q.Unit != p.Unit || q.Form != p.Form) {
			t.Errorf("point %s is %s, form %d; the quantity is %s, form %d", p.Name, p.Unit, p.Form, q.Unit, q.Form)
		}
		if p.Writable && p.Min > p.Max {
			t.Errorf("point %s has range [%g, %g]", p.Name, p.Min, p.Max)
		}
	}
	for i := range first {
		first[i].Name = "changed"
	}
	if d.Points()[0].Name == "changed" {
		t.Error("Points gives its caller the driver's own slice")
	}
}

func readOne(t *testing.T, s Subject) {
	d := open(t, s)
	got, err := d.Read(within(t, patience), s.ReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Point != s.ReadOnly || got[0].Quality != district.Good {
		t.Errorf("Read(%s) = %+v, want one good reading of it", s.ReadOnly, got)
	}
}

func unknown(t *testing.T, s Subject) {
	d := open(t, s)
	got, err := d.Read(within(t, patience), s.ReadOnly, "no_such_point")
	if !errors.Is(err, drivers.ErrUnknownPoint) || len(got) != 0 {
		t.Errorf("Read = %v, %v, want nothing and ErrUnknownPoint", got, err)
	}
	if _, err := d.Write(within(t, patience), "no_such_point", 1); !errors.Is(err, drivers.ErrUnknownPoint) {
		t.Errorf("Write = %v, want ErrUnknownPoint", err)
	}
}

func readOnly(t *testing.T, s Subject) {
	d := open(t, s)
	if _, err := d.Write(within(t, patience), s.ReadOnly, 1); !errors.Is(err, drivers.ErrReadOnly) {
		t.Errorf("Write(%s) = %v, want ErrReadOnly", s.ReadOnly, err)
	}
}

func write(t *testing.T, s Subject) {
	if s.Writable == "" {
		return
	}
	d := open(t, s)
	for _, want := range []float64{s.Value, s.Other, s.Value} {
		r, err := d.Write(within(t, patience), s.Writable, want)
		if err != nil {
			t.Fatal(err)
		}
		tolerance := 1e-3 * (1 + math.Abs(want))
		if r.Point != s.Writable || math.Abs(r.Value-want) > tolerance || r.Quality != district.Good {
			t.Errorf("Write(%s, %g) = %+v", s.Writable, want, r)
		}
		got, err := d.Read(within(t, patience), s.Writable)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || math.Abs(got[0].Value-want) > tolerance {
			t.Errorf("after Write(%s, %g): Read = %+v", s.Writable, want, got)
		}
	}
}

func limits(t *testing.T, s Subject) {
	if s.Writable == "" {
		return
	}
	d := open(t, s)
	before, err := d.Write(within(t, patience), s.Writable, s.Value)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{s.TooHigh, math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := d.Write(within(t, patience), s.Writable, v)
		le, ok := errors.AsType[*drivers.LimitError](err)
		if !ok {
			t.Errorf("Write(%s, %g) = %v, want a *LimitError", s.Writable, v, err)
		} else if le.Unit == "" || le.Point == "" {
			t.Errorf("limit error %+v names no point or unit", le)
		}
	}
	got, err := d.Read(within(t, patience), s.Writable)
	if err != nil || len(got) != 1 || got[0].Value != before.Value {
		t.Errorf("after refused writes: %+v, %v, want still %g", got, err, before.Value)
	}
}

func control(t *testing.T, s Subject) {
	d := open(t, s)
	c, ok := d.Control()
	if !ok {
		return
	}
	for _, p := range d.Points() {
		if p.Name == c.Point {
			if !p.Writable || c.Min > c.Max || c.Safe < p.Min || c.Safe > p.Max {
				t.Errorf("control %+v does not fit its point %+v", c, p)
			}
			return
		}
	}
	t.Errorf("control point %s is no point of the device", c.Point)
}

func release(t *testing.T, s Subject) {
	d := open(t, s)
	r, ok := d.(drivers.Releaser)
	c, has := d.Control()
	switch {
	case !ok && has:
		t.Fatal("the driver commands the device and cannot give it back")
	case !ok:
		return
	case !has:
		if _, err := r.Release(within(t, patience)); !errors.Is(err, drivers.ErrReadOnly) {
			t.Errorf("Release of a device that is only read = %v, want ErrReadOnly", err)
		}
		return
	}
	for range 2 { // giving it back twice is no fault
		if _, err := d.Write(within(t, patience), c.Point, c.Max); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := r.Release(within(t, patience)); err != nil {
				t.Errorf("Release = %v", err)
			}
		}
	}
	if _, err := d.Write(within(t, patience), c.Point, c.Max); err != nil {
		t.Fatal(err)
	}
	s.Line.Set(Cut)
	if _, err := r.Release(within(t, deadTimeout)); c.Restore != drivers.RestoreReversion && !errors.Is(err, drivers.ErrUnreachable) {
		t.Errorf("Release over a cut line = %v, want ErrUnreachable", err)
	}
	d.Close()
	if _, err := r.Release(within(t, patience)); !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("Release after Close = %v, want ErrClosed", err)
	}
}

func cancelled(t *testing.T, s Subject) {
	d := open(t, s)
	if _, err := d.Read(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	s.Line.Set(Silent)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := d.Read(ctx); done <- err }()
	time.Sleep(50 * time.Millisecond) // the request is under way
	cancel()
	start := time.Now()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a cancelled read of a silent device gave values")
		}
	case <-time.After(margin * cancelTime):
		t.Errorf("Read still waits %v after its context was cancelled", time.Since(start))
	}
	start = time.Now()
	if _, err := d.Read(ctx); err == nil || time.Since(start) > margin*cancelTime {
		t.Errorf("Read with a cancelled context: %v after %v", err, time.Since(start))
	}
}

func closed(t *testing.T, s Subject) {
	d := open(t, s)
	if _, err := d.Read(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := d.Read(within(t, patience), s.ReadOnly); !errors.Is(err, drivers.ErrClosed) || len(got) != 0 {
		t.Errorf("Read after Close = %v, %v, want ErrClosed", got, err)
	}
	if s.Writable != "" {
		if _, err := d.Write(within(t, patience), s.Writable, s.Value); !errors.Is(err, drivers.ErrClosed) {
			t.Errorf("Write after Close = %v, want ErrClosed", err)
		}
	}
}

func closeSilent(t *testing.T, s Subject) {
	d := open(t, s)
	if _, err := d.Read(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	s.Line.Set(Silent)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			if _, err := d.Read(within(t, patience)); err == nil {
				t.Error("a silent device gave values")
			}
		})
	}
	time.Sleep(20 * time.Millisecond)
	start := time.Now()
	d.Close()
	if took := time.Since(start); took > margin*closeTime {
		t.Errorf("Close took %v", took)
	}
	wg.Wait()
	if took := time.Since(start); took > margin*closeTime {
		t.Errorf("reads returned %v after Close", took)
	}
}

func concurrent(t *testing.T, s Subject) {
	d := open(t, s)
	ctx := within(t, patience)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				names := []string{s.ReadOnly}
				if i%2 == 0 {
					names = nil
				}
				got, err := d.Read(ctx, names...)
				if err != nil {
					t.Error(err)
					return
				}
				for _, r := range got {
					sound(t, r)
				}
			}
		})
	}
	if s.Writable != "" {
		wg.Go(func() {
			for i := range 10 {
				v := s.Value
				if i%2 == 1 {
					v = s.Other
				}
				if _, err := d.Write(ctx, s.Writable, v); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func dead(t *testing.T, s Subject, mode Mode) {
	d := open(t, s)
	if _, err := d.Read(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	s.Line.Set(mode)
	for range 3 {
		got, err := d.Read(within(t, deadTimeout), s.ReadOnly)
		if !errors.Is(err, drivers.ErrUnreachable) {
			t.Errorf("Read = %v, %v, want ErrUnreachable", got, err)
		}
		for _, r := range got {
			if r.Quality == district.Good {
				t.Errorf("a dead device gave %+v", r)
			}
		}
	}
	if s.Writable != "" {
		if _, err := d.Write(within(t, deadTimeout), s.Writable, s.Value); !errors.Is(err, drivers.ErrUnreachable) {
			t.Errorf("Write = %v, want ErrUnreachable", err)
		}
	}
}

func restart(t *testing.T, s Subject) {
	d := open(t, s)
	if _, err := d.Read(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	s.Line.Set(Cut)
	d.Read(within(t, deadTimeout))
	s.Line.Set(Through)
	ctx := within(t, patience)
	for {
		got, err := d.Read(ctx, s.ReadOnly)
		if err == nil && len(got) == 1 && got[0].Quality == district.Good {
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("not found again: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
