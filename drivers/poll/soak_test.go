package poll

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// heap is the memory in use after a collection, in MB.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// TestSoakFastTime: two hundred devices of which a tenth misbehaves are polled for a day in fast time, a quarter of an hour in ordinary tests (QUARTIER_SOAK, see make
// soak). A healthy device is read at each of its instants, whatever the others do, and neither goroutines nor memory grow.
func TestSoakFastTime(t *testing.T) {
	span := 15 * time.Minute
	if os.Getenv("QUARTIER_SOAK") != "" {
		span = 24 * time.Hour
	}
	const devices, period = 200, 5 * time.Second
	goroutines := runtime.NumGoroutine()
	synctest.Test(t, func(t *testing.T) {
		var samples atomic.Int64
		sink := func(_ context.Context, s []district.Sample) error { samples.Add(int64(len(s))); return nil }
		var polled []Device
		reads := make([]atomic.Int64, devices)
		for i := range devices {
			d := &device{}
			answer := func(ctx context.Context) ([]drivers.Reading, error) {
				return []drivers.Reading{{Point: "power_kw", Value: rand.Float64(), Time: time.Now().UTC()}}, nil
			}
			faulty := []func(context.Context) ([]drivers.Reading, error){
				hanging,
				func(context.Context) ([]drivers.Reading, error) { return nil, drivers.ErrUnreachable },
				func(context.Context) ([]drivers.Reading, error) {
					return []drivers.Reading{{Point: "power_kw", Quality: district.Bad, Time: time.Now().UTC()}}, drivers.ErrRejected
				},
				func(ctx context.Context) ([]drivers.Reading, error) { // answers just too late, or not at all, or well
					select {
					case <-time.After(time.Duration(rand.Int64N(int64(12 * time.Second)))):
						return answer(ctx)
					case <-ctx.Done():
						return nil, drivers.ErrUnreachable
					}
				},
			}
			read := answer
			if i%10 == 9 {
				read = faulty[i/10%len(faulty)]
			}
			d.read = func(ctx context.Context) ([]drivers.Reading, error) {
				reads[i].Add(1)
				d.mu.Lock()
				d.at = d.at[:0] // this test counts for itself
				d.mu.Unlock()
				return read(ctx)
			}
			one := polledDevice(fmt.Sprint("device-", i), d, period)
			one.Device.Frozen = time.Minute
			polled = append(polled, one)
		}
		p := New(polled, Config{Sink: sink})
		stop := start(t, p)
		time.Sleep(span / 10)
		early := heap()
		time.Sleep(span - span/10)
		late := heap()
		stop()
		want := int64(span / period)
		for i := range devices {
			n := reads[i].Load()
			if i%10 != 9 && (n < want-1 || n > want+1) {
				t.Errorf("healthy device %d was read %d times, want %d", i, n, want)
			}
			if i%10 == 9 && n < int64(span/(2*time.Minute)) {
				t.Errorf("faulty device %d was asked %d times only", i, n)
			}
		}
		if late > early+20 {
			t.Errorf("%.1f MB in use after a tenth of the time, %.1f MB at the end", early, late)
		}
		t.Logf("%v: %d samples of %d devices; %.1f MB in use after a tenth of the time, %.1f MB at the end", span, samples.Load(), devices, early, late)
	})
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines+2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}
