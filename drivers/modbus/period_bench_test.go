package modbus

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"quartier/drivers/poll"
	"quartier/schemas/district"
	"quartier/schemas/store/sqlite"
)

// BenchmarkPeriod polls 10,000 points each second, a hundred on each of a hundred devices of another process, decoded and durably written, for 30 s after 5 s to settle. It reports how much of a
// processor that takes, the resident memory, how many readings are missed, by how much the time between two readings of a device differs from the period, and the longest
// write of the record.
func BenchmarkPeriod(b *testing.B) {
	const devices, period, settle, span = 100, time.Second, 5 * time.Second, 30 * time.Second
	served, ports := startDevices(b)
	defer served.in.Close()
	p, err := benchProfile()
	if err != nil {
		b.Fatal(err)
	}
	record, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "record.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer record.Close()
	times := &readingTimes{last: map[string]time.Time{}}
	var longest atomic.Int64 // of a write, in ns: a disk that hangs holds up the readings of which it has not taken the last
	write := func(ctx context.Context, samples []district.Sample) error {
		begin := time.Now()
		defer func() { longest.Store(max(longest.Load(), int64(time.Since(begin)))) }()
		times.take(samples)
		return record.Append(ctx, samples)
	}
	pool := NewPool(Config{})
	defer pool.Close()
	var polled []poll.Device
	for i, port := range ports[:devices] {
		dev := district.Device{ID: fmt.Sprint("device-", i), Kind: district.LoadMeter, Address: fmt.Sprint("tcp://127.0.0.1:", port), Unit: 1, Poll: period}
		d, err := pool.Device(dev, p)
		if err != nil {
			b.Fatal(err)
		}
		polled = append(polled, poll.Device{District: "bench", Site: "site", Device: dev, Driver: d})
	}
	ctx, cancel := context.WithCancel(b.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	poller := poll.New(polled, poll.Config{Sink: write, Gather: 50 * time.Millisecond})
	wg.Go(func() { poller.Run(ctx) })
	for b.Loop() {
		time.Sleep(settle)
		times.begin()
		longest.Store(0)
		begin := processorTime(b)
		time.Sleep(span)
		spent, off := processorTime(b)-begin, times.end(period)
		if len(off) == 0 {
			b.Fatal("no device was read twice")
		}
		b.ReportMetric(100*(1-float64(len(off))/float64(devices*int(span/period))), "%-missed")
		b.ReportMetric(100*spent.Seconds()/span.Seconds(), "%-of-a-cpu")
		b.ReportMetric(residentMB(b), "resident-MB")
		b.ReportMetric(time.Duration(longest.Load()).Seconds()*1000, "longest-write-ms")
		b.ReportMetric(1000*off[len(off)/2].Seconds(), "p50-ms-off")
		b.ReportMetric(1000*off[len(off)*99/100].Seconds(), "p99-ms-off")
		b.ReportMetric(1000*off[len(off)-1].Seconds(), "worst-ms-off")
	}
}

// readingTimes notes the time between two readings of each device.
type readingTimes struct {
	mu   sync.Mutex
	last map[string]time.Time
	gaps []time.Duration
}

func (r *readingTimes) take(samples []district.Sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range samples {
		_, _, id, point, _ := s.Series.Parts()
		if point != "register_0" { // one of each reading
			continue
		}
		if was, ok := r.last[id]; ok {
			r.gaps = append(r.gaps, s.Time.Sub(was))
		}
		r.last[id] = s.Time
	}
}

func (r *readingTimes) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaps = nil
}

// end returns by how much the gaps since begin differ from the period, in rising order.
func (r *readingTimes) end(period time.Duration) []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	var off []time.Duration
	for _, gap := range r.gaps {
		off = append(off, (gap - period).Abs())
	}
	slices.Sort(off)
	return off
}

// processorTime is what this process has used so far.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentMB is the memory that this process holds now.
func residentMB(b *testing.B) float64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb / 1024
}
