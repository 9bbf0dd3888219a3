package modbus

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/poll"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// field is two hundred simulated devices on sockets of which a tenth misbehaves: 100 alone at their address, of which 12 misbehave in every way that modbustest has, and
// ten gateways of ten units, of which eight have a dead unit.
type field struct {
	devices []district.Device
	healthy map[string]bool
	servers []*serve.Server
	faulty  []*modbustest.Server
}

func newField(t *testing.T, p *profile.Profile, period time.Duration) *field {
	t.Helper()
	f := &field{healthy: map[string]bool{}}
	add := func(url string, unit uint8, healthy bool) {
		id := fmt.Sprint("device-", len(f.devices))
		f.devices = append(f.devices, district.Device{ID: id, Kind: district.LoadMeter, Address: url, Unit: unit, Poll: period})
		f.healthy[id] = healthy
	}
	server := func(units ...uint8) *serve.Server {
		s, err := serve.Listen("127.0.0.1:0", serve.Config{Silent: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		f.servers = append(f.servers, s)
		for _, unit := range units {
			bank, err := serve.NewDevice(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, pt := range p.Points {
				if pt.Register != nil {
					bank.Set(pt.Name, 1+float64(unit))
				}
			}
			s.Handle(unit, bank)
		}
		return s
	}
	for range 88 {
		add(server(1).URL(), 1, true)
	}
	for range 12 {
		s := modbustest.New(t)
		f.faulty = append(f.faulty, s)
		add(s.URL(), 1, false)
	}
	for g := range 10 {
		units := []uint8{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
		if g < 8 {
			units = units[:9]
		}
		s := server(units...)
		for unit := uint8(1); unit <= 10; unit++ {
			add(s.URL(), unit, slices.Contains(units, unit))
		}
	}
	return f
}

// trouble changes what the faulty devices do, and restarts healthy ones, until ctx ends.
func (f *field) trouble(ctx context.Context) {
	junk := make([]byte, 300)
	for i := range junk {
		junk[i] = byte(rand.Uint32())
	}
	ways := []modbustest.Behaviour{modbustest.Silence, modbustest.Close, modbustest.Late(1200 * time.Millisecond), modbustest.Torn(9, 1200*time.Millisecond), modbustest.CloseMidFrame(11),
		modbustest.CraftedTail(1100 * time.Millisecond), modbustest.WrongTransaction(50), modbustest.WrongUnit(7), modbustest.Exception(4), modbustest.Exception(11), modbustest.PDU(3, 200),
		modbustest.WrongLength(65535), modbustest.Raw(junk...), modbustest.Good, func(_ *modbustest.Server, c net.Conn, _ modbustest.Request) bool {
			_, err := c.Write(junk[:rand.IntN(len(junk))])
			return err == nil
		}}
	for i := 0; ; i++ {
		for k, s := range f.faulty {
			s.Behave(ways[(i+k)%len(ways)])
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(3 * time.Second):
		}
		if i%5 == 4 { // a device is started anew
			f.servers[rand.IntN(len(f.servers))].DropClients()
		}
	}
}

// arrivals notes when each device's samples arrive.
type arrivals struct {
	mu   sync.Mutex
	last map[string]time.Time
	gaps map[string][]time.Duration
}

func (a *arrivals) take(_ context.Context, samples []district.Sample) error {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	_, _, id, _, _ := samples[0].Series.Parts()
	if was, ok := a.last[id]; ok {
		a.gaps[id] = append(a.gaps[id], now.Sub(was))
	}
	a.last[id] = now
	return nil
}

// usage is what a process holds.
type usage struct {
	heapMB            float64
	goroutines, files int
}

func measure(t *testing.T) usage {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{float64(m.HeapAlloc) / (1 << 20), runtime.NumGoroutine(), openFiles(t)}
}

// TestSoak: two hundred devices on sockets, a tenth of which misbehaves, are polled each second for the time that QUARTIER_SOAK says (make soak: 30 min), ten seconds in
// ordinary tests. No healthy device goes without a value for long, and neither memory, goroutines nor files grow; how well healthy devices keep their
// period is reported.
func TestSoak(t *testing.T) {
	span := 10 * time.Second
	if text := os.Getenv("QUARTIER_SOAK"); text != "" {
		var err error
		if span, err = time.ParseDuration(text); err != nil || span < 10*time.Second {
			t.Fatalf("QUARTIER_SOAK=%q is no duration of at least 10s, such as 30m", text)
		}
	}
	const period = time.Second
	p := *profile.MustLoad("eastron-sdm630")
	p.Limits.ConnectDelay, p.Limits.Delay, p.Limits.Timeout = 0, 0, 0
	before := measure(t)
	f := newField(t, &p, period)
	pool := NewPool(Config{Timeout: 500 * time.Millisecond})
	var polled []poll.Device
	for _, dev := range f.devices {
		d, err := pool.Device(dev, &p)
		if err != nil {
			t.Fatal(err)
		}
		polled = append(polled, poll.Device{District: "d", Site: "s", Device: dev, Driver: d})
	}
	seen := &arrivals{last: map[string]time.Time{}, gaps: map[string][]time.Duration{}}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { f.trouble(ctx) })
	poller := poll.New(polled, poll.Config{Sink: seen.take, Timeout: 2 * time.Second})
	wg.Go(func() { poller.Run(ctx) })
	time.Sleep(span / 4)
	early := measure(t)
	time.Sleep(span/2 + span/5)
	late := measure(t)
	wg.Wait()
	begin := time.Now()
	pool.Close()
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if late.heapMB > early.heapMB+20 || late.goroutines > early.goroutines+100 || late.files > early.files+100 {
		t.Errorf("it grows: %+v after a quarter of the time, %+v near its end", early, late)
	}
	var lateness []time.Duration
	var alone, behind time.Duration // worst
	missed := 0
	for i, dev := range f.devices {
		if !f.healthy[dev.ID] {
			continue
		}
		worst := time.Duration(0)
		for _, gap := range seen.gaps[dev.ID] {
			lateness = append(lateness, max(gap-period, 0))
			worst = max(worst, gap)
		}
		missed += max(0, int(span/period)-1-len(seen.gaps[dev.ID])-1)
		if len(seen.gaps[dev.ID]) == 0 || worst > 10*(period+500*time.Millisecond) {
			t.Errorf("healthy %s went without a value for %v", dev.ID, worst)
		}
		if i < 100 {
			alone = max(alone, worst)
		} else {
			behind = max(behind, worst)
		}
	}
	slices.Sort(lateness)
	at := func(share float64) time.Duration {
		return lateness[int(share*float64(len(lateness)-1))].Round(10 * time.Microsecond)
	}
	t.Logf("%v: healthy devices are late by %v (p50), %v (p99); longest time without a value %v alone at their address, %v beside a dead unit; %d of %d values missed", span, at(0.5), at(0.99),
		alone.Round(time.Millisecond), behind.Round(time.Millisecond), missed, missed+len(lateness))
	t.Logf("after a quarter of the time and near its end: %.1f and %.1f MB in use, %d and %d goroutines, %d and %d files", early.heapMB, late.heapMB, early.goroutines, late.goroutines, early.files, late.files)
	for _, s := range f.faulty {
		s.CloseClients()
	}
	for _, s := range f.servers {
		s.Close()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		after := measure(t)
		if after.goroutines <= before.goroutines+2*len(f.faulty)+2 { // the faulty devices end with the test
			break
		}
		if time.Now().After(end) {
			t.Errorf("%d goroutines, %d before", after.goroutines, before.goroutines)
			break
		}
	}
}
