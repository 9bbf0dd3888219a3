package modbus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/poll"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

const twoMeters = "points:\n  - {name: power_kw, address: 10, type: i32, unit: W}\n  - {name: import_kwh, address: 40, type: u32, unit: Wh, form: counter}\n"

// TestExceptionStorm: whatever exception a device answers each question with, its points are bad and counted, the next reading asks again, and the connection
// stays. Exception 11 is the gateway's word that the device is silent.
func TestExceptionStorm(t *testing.T) {
	for _, code := range []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 128, 255} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			s := modbustest.New(t)
			s.Behave(modbustest.Exception(code))
			config := quick
			dev := district.Device{ID: "dev", Address: s.URL(), Unit: 1, Poll: 2 * time.Millisecond}
			d, err := Open(dev, parse(t, twoMeters), config)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			readings, err := d.Read(t.Context())
			if code == 11 {
				if !errors.Is(err, drivers.ErrUnreachable) || len(readings) > 0 {
					t.Errorf("Read = %v, %v, want ErrUnreachable", readings, err)
				}
				return
			}
			if !errors.Is(err, drivers.ErrRejected) || !strings.Contains(err.Error(), fmt.Sprintf("exception %d,", code)) {
				t.Errorf("error %v, want ErrRejected that names exception %d", err, code)
			}
			if len(readings) != 2 {
				t.Fatalf("%v, want both points", readings)
			}
			for _, r := range readings {
				if r.Quality != district.Bad || !math.IsNaN(r.Value) {
					t.Errorf("%+v, want bad", r)
				}
			}
			p := poll.New([]poll.Device{{District: "d", Site: "s", Device: dev, Driver: d}}, poll.Config{Sink: func(context.Context, []district.Sample) error { t.Error("a sample"); return nil }})
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			p.Run(ctx)
			st := p.Status()[0]
			if st.Bad < 4 || st.Bad != 2*st.Reads || st.Online { // who answers with refusals alone tells nothing
				t.Errorf("status %+v, want two bad readings for each read", st)
			}
			if got := d.Stats(); got.Connects != 1 || got.Exceptions < st.Bad {
				t.Errorf("stats %+v, want one connection and each exception counted", got)
			}
		})
	}
}

// openFiles counts the process's open files.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// TestTwoHundredAddressesDown: devices at two hundred addresses of which half swallow every request and half refuse connections are polled, stop in time, and leave
// neither goroutines nor files behind, however often that happens.
func TestTwoHundredAddressesDown(t *testing.T) {
	p := parse(t, twoMeters)
	var silent []net.Listener
	var held sync.Map
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		silent = append(silent, l)
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				held.Store(c, true)
			}
		}()
	}
	letGo := func() {
		held.Range(func(c, _ any) bool { c.(net.Conn).Close(); held.Delete(c); return true })
	}
	round := func() {
		pool := NewPool(Config{Timeout: 300 * time.Millisecond})
		var polled []poll.Device
		for i := range 200 {
			address := silent[i/2].Addr().String()
			if i%2 == 1 {
				address = "127.0.0.1:1"
			}
			dev := district.Device{ID: fmt.Sprint("dev-", i), Address: "tcp://" + address, Unit: uint8(i), Poll: 50 * time.Millisecond}
			d, err := pool.Device(dev, p)
			if err != nil {
				t.Fatal(err)
			}
			polled = append(polled, poll.Device{District: "d", Site: "s", Device: dev, Driver: d})
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			poll.New(polled, poll.Config{Sink: func(context.Context, []district.Sample) error { return nil }}).Run(ctx)
			close(done)
		}()
		time.Sleep(500 * time.Millisecond)
		cancel()
		begin := time.Now()
		<-done
		for _, d := range polled {
			go d.Driver.Close()
		}
		pool.Close()
		if took := time.Since(begin); took > 20*time.Second { // the contract's 2 s, tenfold
			t.Errorf("stopping took %v", took)
		}
		letGo()
	}
	settled := func(goroutines, files int) (int, int) {
		end := time.Now().Add(20 * time.Second)
		for runtime.NumGoroutine() > goroutines || openFiles(t) > files {
			if time.Now().After(end) {
				break
			}
			time.Sleep(20 * time.Millisecond)
			letGo()
		}
		return runtime.NumGoroutine(), openFiles(t)
	}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 3 {
		round()
	}
	if g, f := settled(goroutines+2, files+2); g > goroutines+2 || f > files+2 {
		t.Errorf("%d goroutines and %d files, %d and %d before", g, f, goroutines, files)
	}
}

// TestCancelReturnsAtOnce: on every transport a caller whose context ends does not wait for a device that is silent.
func TestCancelReturnsAtOnce(t *testing.T) {
	for name, tr := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, files := tr.start(t)
			l := newLink(t, s.URL()+tr.query, Config{Timeout: 1200 * time.Millisecond, TLS: files})
			if err := check(t, l, 1, 1); err != nil {
				t.Fatal(err)
			}
			s.Behave(modbustest.Silence)
			ctx, cancel := context.WithCancel(t.Context())
			var waited sync.WaitGroup
			for i := range uint16(5) { // one under way, the others in the queue
				waited.Go(func() {
					if got, err := l.Read(ctx, 1, profile.Holding, i, 1); !errors.Is(err, drivers.ErrUnreachable) || !errors.Is(err, context.Canceled) {
						t.Errorf("%v, %v, want ErrUnreachable and what cancelled it", got, err)
					}
				})
			}
			time.Sleep(50 * time.Millisecond)
			begin := time.Now()
			cancel()
			waited.Wait()
			if took := time.Since(begin); took > 500*time.Millisecond { // 50 ms, tenfold
				t.Errorf("returned %v after the end of the context", took)
			}
			begin = time.Now()
			l.Close()
			if took := time.Since(begin); took > 15*time.Second {
				t.Errorf("Close took %v", took)
			}
		})
	}
}

// counter counts the records of a log.
type counter struct {
	mu      sync.Mutex
	records []string
}

func (c *counter) Enabled(context.Context, slog.Level) bool { return true }
func (c *counter) WithAttrs([]slog.Attr) slog.Handler       { return c }
func (c *counter) WithGroup(string) slog.Handler            { return c }
func (c *counter) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.records = append(c.records, r.Message)
	return nil
}

// TestFaultsDoNotFloodTheLog: a device that is silent, answers garbage or floods the line with foreign transactions for a thousand reads is a line or two of the log.
func TestFaultsDoNotFloodTheLog(t *testing.T) {
	for name, behaviour := range map[string]modbustest.Behaviour{"silence": modbustest.Silence, "garbage": modbustest.PDU(3, 9), "flood": modbustest.WrongTransaction(300),
		"closed": modbustest.Close, "exceptions": modbustest.Exception(4)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := modbustest.New(t)
			s.Behave(behaviour)
			var log counter
			config := Config{Timeout: 30 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond, Log: slog.New(&log)}
			dev := district.Device{ID: "dev", Address: s.URL(), Unit: 1, Poll: time.Millisecond}
			d, err := Open(dev, parse(t, twoMeters), config)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			poll.New([]poll.Device{{District: "d", Site: "s", Device: dev, Driver: d}}, poll.Config{Sink: func(context.Context, []district.Sample) error { return nil },
				MaxBackoff: time.Millisecond, Log: slog.New(&log)}).Run(ctx)
			if len(log.records) > 4 {
				t.Errorf("%d lines: %v ...", len(log.records), log.records[:4])
			}
		})
	}
}

// TestConnectionLossCostsOnePoll: a device that closes its idle connections, or one in the middle of an answer, loses at most the poll that it hits.
func TestConnectionLossCostsOnePoll(t *testing.T) {
	for name, lose := range map[string]modbustest.Behaviour{"mid-frame": modbustest.CloseMidFrame(9), "without an answer": modbustest.Close} {
		t.Run(name, func(t *testing.T) {
			s := modbustest.New(t)
			l := newLink(t, s.URL(), quick)
			failed := 0
			for i := range uint16(60) {
				if i%6 == 5 {
					s.Behave(lose)
				}
				if err := check(t, l, 1, i); err != nil {
					failed++
				}
				s.Behave(modbustest.Good)
				time.Sleep(15 * time.Millisecond) // a poll's period, above the shortest pause
			}
			if failed > 10 {
				t.Errorf("%d of 60 reads failed for 10 lost connections", failed)
			}
		})
	}
}

// TestGatewayOfManyClients: our own server behind one address, asked through a pool by many devices at once, stays one connection while units come and go.
func TestGatewayOfManyClients(t *testing.T) {
	s, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := parse(t, twoMeters)
	pool := NewPool(Config{Timeout: 5 * time.Second, Silent: -1})
	defer pool.Close()
	var wg sync.WaitGroup
	for unit := uint8(1); unit <= 20; unit++ {
		bank, err := serve.NewDevice(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := bank.Set("power_kw", float64(unit)); err != nil {
			t.Fatal(err)
		}
		s.Handle(unit, bank)
		d, err := pool.Device(district.Device{ID: fmt.Sprint(unit), Address: s.URL(), Unit: unit}, p)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for i := range 50 {
				if unit%5 == 0 && i == 25 {
					s.Handle(unit, nil)
				}
				got, err := d.Read(t.Context(), "power_kw")
				if unit%5 == 0 && i >= 25 {
					if !errors.Is(err, drivers.ErrUnreachable) {
						t.Errorf("unit %d is gone: %v, %v", unit, got, err)
					}
				} else if err != nil || got[0].Value != float64(unit) {
					t.Errorf("unit %d: %v, %v", unit, got, err)
				}
			}
		})
	}
	wg.Wait()
	if n := s.Stats().Accepted; n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	if len(pool.Stats()) != 1 {
		t.Errorf("links %v, want one", pool.Stats())
	}
}
