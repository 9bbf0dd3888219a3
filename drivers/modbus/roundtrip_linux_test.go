package modbus

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
)

// processors are those that a process may run on, a bit each.
type processors [16]uint64

func (p processors) count() (n int) {
	for _, w := range p {
		n += bits.OnesCount64(w)
	}
	return n
}

// cutLast takes the last one away.
func (p *processors) cutLast() (last processors) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i] != 0 {
			last[i] = 1 << (bits.Len64(p[i]) - 1)
			p[i] &^= last[i]
			break
		}
	}
	return last
}

// affinity reads or sets the processors of a thread, 0 being the calling one.
func affinity(b *testing.B, call uintptr, thread int, p *processors) {
	b.Helper()
	if _, _, no := syscall.RawSyscall(call, uintptr(thread), unsafe.Sizeof(*p), uintptr(unsafe.Pointer(p))); no != 0 && no != syscall.ESRCH {
		b.Fatal(no)
	}
}

// startApart starts the devices on the last processor and leaves the others to us, as a device has its own: where both share one, which the kernel prefers for two processes that wake each other in
// turn, every microsecond of ours is missing to the device, and bare frames are the faster for it by a wake-up from one processor to another, that nothing which uses two can save. With one
// processor alone all share it.
func startApart(b *testing.B) (p *process, ports []int) {
	b.Helper()
	var all, ours processors
	affinity(b, syscall.SYS_SCHED_GETAFFINITY, 0, &all)
	ours = all
	device := ours.cutLast()
	if ours.count() == 0 {
		return startDevices(b)
	}
	keep := func(to processors) {
		for range 2 { // a thread may have begun in the meantime
			threads, err := os.ReadDir("/proc/self/task")
			if err != nil {
				b.Fatal(err)
			}
			for _, t := range threads {
				id, _ := strconv.Atoi(t.Name())
				affinity(b, syscall.SYS_SCHED_SETAFFINITY, id, &to)
			}
		}
	}
	keep(device)
	p, ports = startDevices(b)
	keep(ours)
	before := runtime.GOMAXPROCS(min(runtime.GOMAXPROCS(0), ours.count()))
	b.Cleanup(func() {
		keep(all)
		runtime.GOMAXPROCS(before)
	})
	return p, ports
}

// BenchmarkRoundTrip reads 100 registers of one device as fast as it answers: by writing and reading bare frames, which is the limit, and through a link, by one caller
// that waits for each answer and by eight, for whom the link always has the next request at hand; and the same with the framing of simonvetter/modbus. The device has a processor of its own. The ways
// take short turns, since the speed of a shared machine changes; each way's rate is reported as a share of that of bare frames.
func BenchmarkRoundTrip(b *testing.B) {
	devices, ports := startApart(b)
	defer devices.in.Close()
	address := fmt.Sprint("127.0.0.1:", ports[0])
	c, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := []byte{0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, benchRegisters}
	frame := make([]byte, 9+2*benchRegisters)
	bare := func() {
		binary.BigEndian.PutUint16(request, binary.BigEndian.Uint16(request)+1)
		if _, err := c.Write(request); err != nil {
			b.Error(err)
		}
		if _, err := io.ReadFull(c, frame); err != nil {
			b.Error(err)
		}
	}
	link := func(library bool) func() {
		e, err := parseAddress("tcp://" + address)
		if err != nil {
			b.Fatal(err)
		}
		l := newLinkTo("tcp://"+address, e, Config{}.withDefaults())
		l.dial = func(ctx context.Context, timeout time.Duration) (wire, error) {
			if library {
				return dialLibrary(e, timeout)
			}
			return dial(ctx, e, Config{}, timeout, time.Now())
		}
		b.Cleanup(func() { l.Close() })
		return func() {
			if _, err := l.Read(b.Context(), 1, profile.Holding, 0, benchRegisters); err != nil {
				b.Error(err)
			}
		}
	}
	own, library := link(false), link(true)
	ways := []struct {
		name    string
		callers int
		read    func()
		rates   []float64 // of each turn
	}{{"bare", 1, bare, nil}, {"link-1", 1, own, nil}, {"link-8", 8, own, nil}, {"library-1", 1, library, nil}, {"library-8", 8, library, nil}}
	const turns, reads = 30, 800
	for b.Loop() {
		for range turns {
			for i := range ways {
				w := &ways[i]
				begin := time.Now()
				var wg sync.WaitGroup
				for range w.callers {
					wg.Go(func() {
						for range reads / w.callers {
							w.read()
						}
					})
				}
				wg.Wait()
				w.rates = append(w.rates, reads/time.Since(begin).Seconds())
			}
		}
	}
	limit := median(ways[0].rates)
	b.ReportMetric(limit, "bare-reads/s")
	for _, w := range ways[1:] {
		b.ReportMetric(median(w.rates)/limit, w.name+"/bare")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRTUOverTCP reads 100 registers behind a serial gateway, alone and beside a unit that does not answer, by our framing and by that of simonvetter/modbus as for a line of 115,200 baud, which is
// how the library keeps pauses. It reports how many times as many reads ours does, and the longest wait of the living unit as a share of the library's.
func BenchmarkRTUOverTCP(b *testing.B) {
	s := modbustest.NewRTU(b)
	e, err := parseAddress(s.URL())
	if err != nil {
		b.Fatal(err)
	}
	type way struct{ rate, longest []float64 }
	turn := func(w *way, dial func(context.Context, time.Duration) (wire, error)) {
		l := newLinkTo(s.URL(), e, Config{Timeout: 200 * time.Millisecond}.withDefaults())
		l.dial = dial
		defer l.Close()
		const reads = 200
		s.Behave(modbustest.Good)
		begin := time.Now()
		for range reads {
			if _, err := l.Read(b.Context(), 1, profile.Holding, 0, benchRegisters); err != nil {
				b.Fatal(err)
			}
		}
		w.rate = append(w.rate, reads/time.Since(begin).Seconds())
		s.Behave(modbustest.ForUnit(9, modbustest.Silence, modbustest.Good))
		end := time.Now().Add(2 * time.Second)
		var wg sync.WaitGroup
		wg.Go(func() {
			for time.Now().Before(end) {
				l.Read(b.Context(), 9, profile.Holding, 0, 1)
				time.Sleep(20 * time.Millisecond)
			}
		})
		longest := time.Duration(0)
		for time.Now().Before(end) {
			begin := time.Now()
			if _, err := l.Read(b.Context(), 1, profile.Holding, 0, 10); err != nil {
				b.Error(err)
			}
			longest = max(longest, time.Since(begin))
			time.Sleep(20 * time.Millisecond)
		}
		wg.Wait()
		w.longest = append(w.longest, longest.Seconds())
	}
	var ours, library way
	for b.Loop() {
		for range 3 {
			turn(&ours, func(ctx context.Context, timeout time.Duration) (wire, error) {
				return dial(ctx, e, Config{}, timeout, time.Now())
			})
			turn(&library, func(_ context.Context, timeout time.Duration) (wire, error) {
				return dialLibrary(endpoint{scheme: e.scheme, target: e.target, baud: 115200}, timeout)
			})
		}
	}
	b.ReportMetric(median(ours.rate)/median(library.rate), "reads/library")
	b.ReportMetric(median(ours.longest)/median(library.longest), "longest/library")
	b.ReportMetric(0, "ns/op")
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
