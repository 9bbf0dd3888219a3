package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/poll"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// line is a connection in memory, for tests in fast time: its units answer after a while, and the dead ones never.
type line struct {
	answer time.Duration
	mu     sync.Mutex
	dead   map[uint8]bool
	asked  map[uint8]int
}

func (w *line) do(x exchange, timeout time.Duration) ([]uint16, error) {
	w.mu.Lock()
	w.asked[x.unit]++
	dead := w.dead[x.unit]
	w.mu.Unlock()
	if dead {
		time.Sleep(timeout)
		return nil, errTimedOut
	}
	time.Sleep(w.answer)
	out := make([]uint16, x.quantity)
	for i := range out {
		out[i] = modbustest.Value(x.unit, x.address+uint16(i))
	}
	return out, nil
}

func (w *line) inStep() bool { return true }
func (w *line) close() error { return nil }

// linkOver starts a link whose connections are made by dial.
func linkOver(t *testing.T, config Config, dial func() (wire, error)) *Link {
	t.Helper()
	l := newLinkTo("tcp://line:502", endpoint{scheme: overTCP, target: "line:502"}, config.withDefaults())
	l.dial = func(context.Context, time.Duration) (wire, error) { return dial() }
	t.Cleanup(func() { l.Close() })
	return l
}

// TestDeadUnitsTakeTheirShareOnly: eight units are polled each second for an hour through one gateway, three of them are dead. A living unit never waits longer
// than for one time-out and its neighbours' answers, the dead ones take a tenth of the time together, and each is found again when it comes back.
func TestDeadUnitsTakeTheirShareOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const timeout, answer = time.Second, 20 * time.Millisecond
		w := &line{answer: answer, dead: map[uint8]bool{2: true, 5: true, 7: true}, asked: map[uint8]int{}}
		l := linkOver(t, Config{Timeout: timeout}, func() (wire, error) { return w, nil })
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var mu sync.Mutex
		var worst time.Duration
		reads, failed := 0, map[uint8]error{}
		known := time.Now().Add(5 * time.Second) // by then each unit was asked once
		for unit := uint8(1); unit <= 8; unit++ {
			wg.Go(func() {
				time.Sleep(time.Duration(unit) * 100 * time.Millisecond)
				for tick := time.NewTicker(time.Second); ctx.Err() == nil; <-tick.C {
					begin := time.Now()
					_, err := l.Read(ctx, unit, profile.Holding, 1, 1)
					mu.Lock()
					if failed[unit] = err; err == nil {
						reads++
						if begin.After(known) {
							worst = max(worst, time.Since(begin))
						}
					}
					mu.Unlock()
				}
			})
		}
		time.Sleep(time.Hour)
		w.mu.Lock()
		probes := w.asked[2] + w.asked[5] + w.asked[7]
		fewest := min(w.asked[2], w.asked[5], w.asked[7])
		w.mu.Unlock()
		mu.Lock()
		if limit := timeout + 5*answer; worst > limit {
			t.Errorf("a living unit waited %v, want at most %v", worst, limit)
		}
		if spent := time.Duration(probes) * timeout; spent > time.Hour/10+3*timeout {
			t.Errorf("the dead units took %v of an hour", spent)
		}
		if fewest < 60 {
			t.Errorf("a dead unit was asked %d times in an hour only", fewest)
		}
		if reads < 5*3600*85/100 { // virtual time: nothing but the link decides
			t.Errorf("%d reads of five living units in 3600 s", reads)
		}
		for _, unit := range []uint8{2, 5, 7} {
			if !errors.Is(failed[unit], drivers.ErrUnreachable) {
				t.Errorf("dead unit %d: %v", unit, failed[unit])
			}
		}
		mu.Unlock()
		w.mu.Lock()
		w.dead = nil
		w.mu.Unlock()
		time.Sleep(45 * time.Second)
		mu.Lock()
		for unit, err := range failed {
			if err != nil {
				t.Errorf("unit %d came back, and is not found: %v", unit, err)
			}
		}
		mu.Unlock()
		cancel()
		wg.Wait()
	})
}

// TestRefusedForAnHour: an address that refuses connections is tried less and less often, then at the longest pause, and found again within that.
func TestRefusedForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials []time.Time
		refuse := true
		var mu sync.Mutex
		w := &line{asked: map[uint8]int{}}
		l := linkOver(t, Config{}, func() (wire, error) {
			mu.Lock()
			defer mu.Unlock()
			dials = append(dials, time.Now())
			if refuse {
				return nil, syscall.ECONNREFUSED
			}
			return w, nil
		})
		var last error
		read := func(d time.Duration) {
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
				for unit := uint8(1); unit <= 8; unit++ {
					_, last = l.Read(t.Context(), unit, profile.Holding, 1, 1)
				}
			}
		}
		read(time.Hour)
		if !errors.Is(last, drivers.ErrUnreachable) || !errors.Is(last, syscall.ECONNREFUSED) {
			t.Errorf("after an hour: %v, want what the connection failed with", last)
		}
		if n := len(dials); n < 3600/31 || n > 3600/24+12 {
			t.Errorf("%d connections tried in an hour, want one each 24 to 30 s", n)
		}
		for i := 1; i < len(dials); i++ {
			if gap := dials[i].Sub(dials[i-1]); i > 12 && gap < 24*time.Second || gap > 31*time.Second {
				t.Errorf("pause %d is %v", i, gap)
			}
		}
		mu.Lock()
		refuse = false
		mu.Unlock()
		read(32 * time.Second)
		if last != nil {
			t.Errorf("the address answers again, and is not found: %v", last)
		}
	})
}

// TestConnectionThatIsClosedAtOnce: a device that takes every connection and closes it is not connected to at each read.
func TestConnectionThatIsClosedAtOnce(t *testing.T) {
	s := modbustest.New(t)
	s.Behave(modbustest.Close)
	l := newLink(t, s.URL(), Config{Timeout: time.Second, MinBackoff: 200 * time.Millisecond})
	for range 500 {
		if err := check(t, l, 1, 1); !errors.Is(err, drivers.ErrUnreachable) {
			t.Fatalf("%v, want ErrUnreachable", err)
		}
		time.Sleep(time.Millisecond)
	}
	if n := s.Accepted(); n > 10 {
		t.Errorf("%d connections for 500 reads", n)
	}
	s.Behave(modbustest.Good)
	recovers(t, l, 1)
}

// TestLivingUnitsKeepTheirPeriod: the same on real sockets, through the poller: with three dead units among eight no living one goes without a value for long,
// whichever way frames are wrapped.
func TestLivingUnitsKeepTheirPeriod(t *testing.T) {
	dead := []uint8{2, 5, 7}
	for _, tt := range []struct {
		name  string
		start func(testing.TB) *modbustest.Server
		want  int // probes of dead units at most: each takes 150 ms, a tenth of 5 s is theirs, and three at first; twice that
	}{{"TCP", modbustest.New, 12}, {"RTU over TCP", modbustest.NewRTU, 12}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := tt.start(t)
			s.Behave(func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
				if slices.Contains(dead, r.Unit()) {
					return true
				}
				return modbustest.Good(s, c, r)
			})
			p := parse(t, "points:\n  - {name: power_kw, address: 10, type: u16, unit: W}\n")
			pool := NewPool(Config{Timeout: 150 * time.Millisecond})
			defer pool.Close()
			var devices []poll.Device
			for unit := uint8(1); unit <= 8; unit++ {
				dev := district.Device{ID: fmt.Sprint("unit-", unit), Address: s.URL(), Unit: unit, Poll: 100 * time.Millisecond}
				d, err := pool.Device(dev, p)
				if err != nil {
					t.Fatal(err)
				}
				defer d.Close()
				devices = append(devices, poll.Device{District: "d", Site: "s", Device: dev, Driver: d})
			}
			var mu sync.Mutex
			last, gap := map[string]time.Time{}, map[string]time.Duration{}
			sink := func(_ context.Context, samples []district.Sample) error {
				mu.Lock()
				defer mu.Unlock()
				for _, sample := range samples {
					id := strings.Split(string(sample.Series), "/")[2]
					if was, ok := last[id]; ok {
						gap[id] = max(gap[id], time.Since(was))
					}
					last[id] = time.Now()
				}
				return nil
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			poll.New(devices, poll.Config{Sink: sink, MaxBackoff: 100 * time.Millisecond}).Run(ctx)
			mu.Lock()
			defer mu.Unlock()
			for unit := uint8(1); unit <= 8; unit++ {
				id := fmt.Sprint("unit-", unit)
				if slices.Contains(dead, unit) {
					if _, ok := last[id]; ok {
						t.Errorf("%s is dead, and gave a value", id)
					}
				} else if _, ok := last[id]; !ok || gap[id] > 2500*time.Millisecond { // ten times a period and a time-out
					t.Errorf("%s went without a value for %v", id, gap[id])
				}
			}
			if n := int(pool.Stats()[s.URL()].Timeouts); n > tt.want {
				t.Errorf("the dead units were waited for %d times, want at most %d", n, tt.want)
			}
		})
	}
}
