package poll

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// device is a driver whose answers the test decides.
type device struct {
	mu   sync.Mutex
	at   []time.Time // of each read
	read func(ctx context.Context) ([]drivers.Reading, error)
}

func (d *device) Points() []drivers.Point { return []drivers.Point{{Name: "power_kw", Readable: true}} }
func (d *device) Read(ctx context.Context, _ ...string) ([]drivers.Reading, error) {
	d.mu.Lock()
	d.at = append(d.at, time.Now())
	read := d.read
	d.mu.Unlock()
	return read(ctx)
}
func (d *device) Write(context.Context, string, float64) (drivers.Reading, error) {
	return drivers.Reading{}, drivers.ErrReadOnly
}
func (d *device) Control() (drivers.Control, bool) { return drivers.Control{}, false }
func (d *device) Close() error                     { return nil }

func (d *device) set(read func(ctx context.Context) ([]drivers.Reading, error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read = read
}

func (d *device) reads() []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]time.Time(nil), d.at...)
}

func good(v float64) func(context.Context) ([]drivers.Reading, error) {
	return func(context.Context) ([]drivers.Reading, error) {
		return []drivers.Reading{{Point: "power_kw", Value: v, Time: time.Now().UTC()}}, nil
	}
}

func hanging(ctx context.Context) ([]drivers.Reading, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("read: %w: %w", drivers.ErrUnreachable, ctx.Err())
}

// sink collects samples and refuses while its err is set.
type sink struct {
	mu      sync.Mutex
	err     error
	samples []district.Sample
}

func (s *sink) add(_ context.Context, samples []district.Sample) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.samples = append(s.samples, samples...)
	}
	return s.err
}

func (s *sink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *sink) of(id string) []district.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []district.Sample
	for _, x := range s.samples {
		if _, _, dev, _, _ := x.Series.Parts(); dev == id {
			out = append(out, x)
		}
	}
	return out
}

func polledDevice(id string, d drivers.Driver, period time.Duration) Device {
	return Device{District: "d", Site: "s", Device: district.Device{ID: id, Kind: district.LoadMeter, Poll: period}, Driver: d}
}

func start(t *testing.T, p *Poller) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { p.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

// TestDeadDeviceDelaysNoOther: beside a device that never answers, another is read at each of its instants.
func TestDeadDeviceDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alive, dead := &device{read: good(1)}, &device{read: hanging}
		var s sink
		p := New([]Device{polledDevice("dead", dead, 5*time.Second), polledDevice("alive", alive, 5*time.Second)}, Config{Sink: s.add})
		began := time.Now()
		stop := start(t, p)
		time.Sleep(10*time.Minute + time.Second)
		stop()
		at := alive.reads()
		if len(at) != 120 {
			t.Errorf("%d reads of the living device in 10 min at 5 s, want 120", len(at))
		}
		for i, a := range at {
			if want := began.Add(2*time.Second + time.Duration(i)*5*time.Second); !a.Equal(want) {
				t.Fatalf("read %d at %v, want %v: the schedule moved", i, a.Sub(began), want.Sub(began))
			}
		}
		if n := len(dead.reads()); n > 15 {
			t.Errorf("the dead device was asked %d times in 10 min, want less and less often", n)
		}
		if n := len(s.of("alive")); n != 120 {
			t.Errorf("%d samples, want 120", n)
		}
		st := p.Status()
		if st[0].Online || st[0].LastError == "" || st[0].Failures == 0 || !st[1].Online || st[1].LastError != "" {
			t.Errorf("status %+v", st)
		}
	})
}

// TestRecovery: a device that was dead for an hour is online within the longest pause of its return, and stays on the schedule.
func TestRecovery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{read: hanging}
		var s sink
		p := New([]Device{polledDevice("x", d, 5*time.Second)}, Config{Sink: s.add, MaxBackoff: time.Minute})
		began := time.Now()
		stop := start(t, p)
		defer stop()
		time.Sleep(time.Hour)
		d.set(good(2))
		time.Sleep(time.Minute + 10*time.Second)
		st := p.Status()[0]
		if !st.Online || len(s.of("x")) == 0 || st.Since.Before(began.Add(time.Hour)) {
			t.Fatalf("after 70 s: %+v", st)
		}
		at := d.reads()
		if last := at[len(at)-1]; last.Sub(began)%(5*time.Second) != 0 {
			t.Errorf("read at %v after the start, want a multiple of 5 s", last.Sub(began))
		}
		if gap := at[len(at)-1].Sub(at[len(at)-2]); gap != 5*time.Second {
			t.Errorf("reads %v apart after recovery, want 5 s", gap)
		}
	})
}

// TestSlowDeviceSkips: a read that takes two periods skips reads and does not shift the schedule.
func TestSlowDeviceSkips(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{read: func(ctx context.Context) ([]drivers.Reading, error) {
			time.Sleep(2200 * time.Millisecond)
			return good(1)(ctx)
		}}
		var s sink
		began := time.Now()
		stop := start(t, New([]Device{polledDevice("x", d, time.Second)}, Config{Sink: s.add, Timeout: 5 * time.Second}))
		time.Sleep(30 * time.Second)
		stop()
		at := d.reads()
		if len(at) < 9 || len(at) > 11 {
			t.Errorf("%d reads in 30 s, want one each 3 s", len(at))
		}
		for _, a := range at {
			if a.Sub(began)%time.Second != 0 {
				t.Errorf("read at %v after the start", a.Sub(began))
			}
		}
	})
}

// TestBadReadingsAreNoSamples: what is no number never reaches the sink, whatever its quality says.
func TestBadReadingsAreNoSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now().UTC()
		d := &device{read: func(context.Context) ([]drivers.Reading, error) {
			return []drivers.Reading{
				{Point: "power_kw", Value: 1, Time: now},
				{Point: "import_kwh", Value: 2, Quality: district.Uncertain, Time: now},
				{Point: "soc", Value: math.NaN(), Quality: district.Bad, Time: now},
				{Point: "voltage_v", Value: 230, Quality: district.Bad, Time: now},
				{Point: "frequency_hz", Value: math.Inf(1), Time: now},
			}, drivers.ErrRejected
		}}
		var s sink
		p := New([]Device{polledDevice("x", d, time.Second)}, Config{Sink: s.add})
		stop := start(t, p)
		time.Sleep(500 * time.Millisecond)
		stop()
		got := s.of("x")
		if len(got) != 2 || got[0].Series != "d/s/x/power_kw" || got[0].Value != 1 || got[0].Quality != district.Good || got[1].Quality != district.Uncertain || !got[0].Time.Equal(now) {
			t.Errorf("samples %+v", got)
		}
		if st := p.Status()[0]; st.Bad != 3 || !st.Online || st.LastError == "" || st.Samples != 2 {
			t.Errorf("status %+v, want 3 bad, online, the error told", st)
		}
	})
}

// TestSinkRefuses: what the sink refuses is lost and counted, is not offered again, and hinders nothing that comes after.
func TestSinkRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0.0
		d := &device{read: func(ctx context.Context) ([]drivers.Reading, error) { n++; return good(n)(ctx) }}
		var s sink
		s.fail(errors.New("not a sample"))
		p := New([]Device{polledDevice("x", d, time.Second)}, Config{Sink: s.add})
		stop := start(t, p)
		defer stop()
		time.Sleep(10*time.Second + 500*time.Millisecond)
		if st := p.Status()[0]; st.Dropped != 11 || st.Samples != 0 || !st.Online {
			t.Errorf("status %+v, want 11 dropped and the device online", st)
		}
		s.fail(nil)
		time.Sleep(2 * time.Second)
		got := s.of("x")
		if st := p.Status()[0]; len(got) != 2 || got[0].Value != 12 || got[1].Value != 13 || st.Samples != 2 || st.Dropped != 11 {
			t.Errorf("%v after the sink took samples again, status %+v; want 12 and 13", got, st)
		}
	})
}

// TestEndLosesNothing: what was read when polling ends is still taken by a sink that is busy, and a sink that hangs holds the end up no longer than it may.
func TestEndLosesNothing(t *testing.T) {
	for _, tt := range []struct {
		busy, gather time.Duration
		taken        int
	}{{time.Second, 0, 1}, {time.Hour, 0, 0}, {time.Second, time.Minute, 1}, {time.Hour, time.Millisecond, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var s sink
			slow := func(ctx context.Context, samples []district.Sample) error {
				select {
				case <-time.After(tt.busy):
					return s.add(ctx, samples)
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			p := New([]Device{polledDevice("x", &device{read: good(1)}, time.Minute)}, Config{Sink: slow, Gather: tt.gather})
			stop := start(t, p)
			time.Sleep(100 * time.Millisecond)
			begun := time.Now()
			stop()
			if took := time.Since(begun); len(s.of("x")) != tt.taken || took > settle {
				t.Errorf("%+v: a sink took %d samples in %v, want them within %v", tt, len(s.of("x")), took, settle)
			}
		})
	}
}

// TestClock: samples and status carry the clock that was given.
func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		fast := func() time.Time {
			return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(60 * time.Since(began))
		}
		var s sink
		p := New([]Device{polledDevice("x", &device{read: good(1)}, time.Second)}, Config{Sink: s.add, Now: fast})
		stop := start(t, p)
		time.Sleep(2500 * time.Millisecond)
		stop()
		got := s.of("x")
		if len(got) != 3 || !got[2].Time.Equal(time.Date(2026, 1, 1, 0, 2, 0, 0, time.UTC)) {
			t.Errorf("samples %+v, want the third at 00:02", got)
		}
		if st := p.Status()[0]; !st.Since.Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("online since %v", st.Since)
		}
	})
}

// subscriber delivers changes by itself.
type subscriber struct{ *device }

func (s subscriber) Subscribe(ctx context.Context, interval time.Duration, deliver func([]drivers.Reading)) error {
	for i := 0; ; i++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(interval):
			deliver([]drivers.Reading{{Point: "power_kw", Value: float64(i), Time: time.Now().UTC()}})
		}
	}
}

// TestSubscription: what the driver delivers is passed on, and the device is still read now and then.
func TestSubscription(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &device{read: good(-1)}
		var s sink
		p := New([]Device{polledDevice("x", subscriber{d}, time.Second)}, Config{Sink: s.add})
		stop := start(t, p)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		stop()
		if n := len(d.reads()); n != 3 {
			t.Errorf("%d reads in 10 s, want one each 5 s", n)
		}
		if n := len(s.of("x")); n != 13 {
			t.Errorf("%d samples, want 10 delivered and 3 read", n)
		}
		if !p.Status()[0].Subscribed {
			t.Error("status does not say that the device is subscribed to")
		}
	})
}

// TestSubscriptionEnds: what was delivered before polling ends is recorded, though the sink was slow and there is more than it took until then.
func TestSubscriptionEnds(t *testing.T) {
	for _, gather := range []time.Duration{0, 50 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			var s sink
			slow := func(ctx context.Context, samples []district.Sample) error {
				time.Sleep(300 * time.Millisecond)
				return s.add(ctx, samples)
			}
			d := &device{read: func(context.Context) ([]drivers.Reading, error) { return nil, nil }}
			p := New([]Device{polledDevice("x", subscriber{d}, 10*time.Millisecond)}, Config{Sink: slow, Gather: gather, Refresh: time.Hour})
			stop := start(t, p)
			time.Sleep(10*time.Second + 5*time.Millisecond)
			stop()
			if n := len(s.of("x")); n != 1000 {
				t.Errorf("gathered for %v: %d of 1000 readings are recorded", gather, n)
			}
		})
	}
}

// TestOffset: devices are read in the order given, a fifth of them at each of five moments of the period, and where they are fewer each at its own.
func TestOffset(t *testing.T) {
	for _, n := range []int{1, 7, 20, 50, 200, 1000} {
		at := map[time.Duration]int{}
		last := time.Duration(0)
		for i := range n {
			o := offset(i, n, time.Second)
			if o < last || o >= time.Second {
				t.Errorf("device %d of %d is read after %v, the one before it after %v", i, n, o, last)
			}
			last = o
			at[o]++
		}
		if want := min(n, moments); len(at) != want {
			t.Errorf("%d devices are read at %d moments, want %d", n, len(at), want)
		}
		for o, together := range at {
			if most := (n + moments - 1) / moments; together > most {
				t.Errorf("%d of %d devices are read together, after %v, want at most %d", together, n, o, most)
			}
		}
	}
}
