package serve

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/drivers/drivertest"
	"quartier/drivers/profile"
)

// counting is a bank that is read and counts what is written.
type counting struct {
	Table
	writes atomic.Int64
}

func (c *counting) Write(t profile.Table, a uint16, values []uint16) error {
	c.writes.Add(1)
	return IllegalAddress
}

// TestHostileBytes: random bytes, recorded requests of others with faults in them, and connections that stay silent or say half of a request, for some seconds: the server goes on, an honest client is served
// all the while, and memory and goroutines stay bounded.
func TestHostileBytes(t *testing.T) {
	const hostileFor = 3 * time.Second
	s := listen(t, Config{})
	bank := &counting{}
	bank.Set(profile.Holding, 0, 0x1234)
	s.Handle(1, bank)
	seeds := drivertest.Frames(t, "modbus.hex")
	honest := dial(t, s)
	asks := func() {
		t.Helper()
		if got := ask(t, honest, 1, "03 0000 0001"); got != "03021234" {
			t.Fatalf("the honest client reads %s", got)
		}
	}
	asks() // who has asked keeps its place
	before := runtime.NumGoroutine()
	stop := time.Now().Add(hostileFor)
	var wg sync.WaitGroup
	var sent atomic.Int64
	for w := range 4 {
		rng := rand.New(rand.NewPCG(43, uint64(w)))
		wg.Go(func() {
			for time.Now().Before(stop) {
				sent.Add(hostileOnce(s, rng, seeds))
			}
		})
	}
	var idle []net.Conn // slow-loris
	for i := range 200 {
		c := dial(t, s)
		c.Write(seeds[i%len(seeds)][:i%8])
		idle = append(idle, c)
	}
	served := 0
	var peak uint64
	for time.Now().Before(stop) {
		asks()
		served++
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		time.Sleep(20 * time.Millisecond)
	}
	wg.Wait()
	for _, c := range idle {
		c.Close()
	}
	asks()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // a newcomer gets a place once the hostile ones are gone
		c := dial(t, s)
		c.Write([]byte{0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, 1})
		if _, err := io.ReadFull(c, make([]byte, 11)); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no newcomer is served after all that")
		}
	}
	if peak > 100<<20 {
		t.Errorf("heap reached %d MB, want at most 100", peak>>20)
	}
	for end := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before+50; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	if sent.Load() == 0 || bank.writes.Load() == 0 {
		t.Errorf("%d messages sent, %d writes reached the bank: nothing is tested", sent.Load(), bank.writes.Load())
	}
	t.Logf("peak heap %d MB, %d hostile messages, honest client served %d times", peak>>20, sent.Load(), served)
}

// hostileOnce is one hostile client; it returns how many messages it sent.
func hostileOnce(s *Server, rng *rand.Rand, seeds [][]byte) (sent int64) {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return 0
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(200 * time.Millisecond))
	go io.Copy(io.Discard, c)
	if rng.IntN(4) == 0 {
		b := make([]byte, rng.IntN(2048))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		c.Write(b)
		return 1
	}
	for range 1 + rng.IntN(20) {
		b := drivertest.Mutate(rng, seeds[rng.IntN(len(seeds))])
		if len(b) > 8 && rng.IntN(3) > 0 { // as long as it says, of the unit that there is: what is inside must be looked at
			binary.BigEndian.PutUint16(b[2:], 0)
			binary.BigEndian.PutUint16(b[4:], uint16(len(b)-6))
			b[6] = 1
		}
		if _, err := c.Write(b); err != nil {
			return sent
		}
		sent++
	}
	return sent
}
