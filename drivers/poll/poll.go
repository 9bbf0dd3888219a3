package poll

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"slices"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// Sink takes samples and keeps them. It is called from many goroutines; samples that it answers with an error are not offered again.
type Sink func(ctx context.Context, samples []district.Sample) error

// Device is what is polled.
type Device struct {
	District, Site string
	Device         district.Device // its Poll is the period, 5 s when it is 0
	Driver         drivers.Driver
	Points         []string // nil: every readable one
}

// Config of a poller. Sink is needed; every other field has a default.
type Config struct {
	Sink Sink
	// Now, when given, stamps the samples and the status: the clock of an accelerated demonstration. Without it samples carry the time of their
	// reading. Waiting is always in real time.
	Now        func() time.Time
	Timeout    time.Duration // of one read; 0: the period, at least 1 s and at most 10 s
	MaxBackoff time.Duration // longest pause between reads of a dead device; 0: 1 min
	Refresh    time.Duration // between reads of a device that is subscribed to; 0: five periods, at most 1 min
	// Gather is how long samples may wait for those of other devices, to be passed on in one call, while reading goes on; what such a call refuses is offered again device by device. 0: each
	// read is passed on by itself, and the next one waits for that.
	Gather time.Duration
	Keep   int // readings that a device delivered by itself and the sink has not come to yet, at most; 0: 10000
	Log    *slog.Logger
}

// Status is the state of one device as the poller sees it. Times are of the poller's clock.
type Status struct {
	District, Site, Device string
	Kind                   district.Kind
	Profile                string
	Online                 bool
	Frozen                 bool      // it answers, but with the same measurements for longer than it may: it counts as offline
	Since                  time.Time // of the present Online; zero before the first read
	LastSuccess            time.Time
	LastError              string // of the last read that failed wholly or in part; empty after one without fault
	LastErrorAt            time.Time
	Period                 time.Duration
	Subscribed             bool
	Reads, Failures        uint64
	Samples                uint64        // accepted by the sink
	Bad                    uint64        // readings of quality bad
	Dropped                uint64        // samples lost because the sink refused them or was too slow for a subscription
	Latency                time.Duration // of the last read that succeeded
}

// Poller polls a fixed set of devices.
type Poller struct {
	config  Config
	gather  *gatherer // nil: each read is passed on by itself
	devices []*polled
}

// polled is one device and its state.
type polled struct {
	Device
	config Config
	gather *gatherer // of the poller
	period time.Duration
	frozen *frozen        // of the goroutine that reads
	series []named        // of the driver's points, in their order
	index  map[string]int // of a point in series

	mu     sync.Mutex
	status Status
	warned bool // the sink's refusal was logged
}

// named is a point with the name of its series.
type named struct {
	point  string
	series district.SeriesID
}

// seriesOf returns the series of a point; next is where it is when points come in the driver's order.
func (d *polled) seriesOf(point string, next int) (series district.SeriesID, at int) {
	if next < len(d.series) && d.series[next].point == point {
		return d.series[next].series, next
	}
	if i, ok := d.index[point]; ok {
		return d.series[i].series, i
	}
	return d.Device.Device.Series(d.District, d.Site, point), next - 1
}

// New returns a poller of devices; [Poller.Run] starts it.
func New(devices []Device, config Config) *Poller {
	if config.MaxBackoff <= 0 {
		config.MaxBackoff = time.Minute
	}
	if config.Keep <= 0 {
		config.Keep = 10_000
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	p := &Poller{config: config}
	if config.Gather > 0 {
		p.gather = newGatherer(config.Gather, config.Sink)
	}
	for _, d := range devices {
		period := d.Device.Poll
		if period <= 0 {
			period = 5 * time.Second
		}
		_, subscribed := d.Driver.(drivers.Subscriber)
		var series []named
		index := map[string]int{}
		for i, pt := range d.Driver.Points() {
			series = append(series, named{pt.Name, d.Device.Series(d.District, d.Site, pt.Name)})
			index[pt.Name] = i
		}
		p.devices = append(p.devices, &polled{series: series, index: index, Device: d, config: config, gather: p.gather, period: period, frozen: newFrozen(d.Device.Frozen, d.Driver.Points()), status: Status{District: d.District, Site: d.Site,
			Device: d.Device.ID, Kind: d.Device.Kind, Profile: d.Device.Profile, Period: period, Subscribed: subscribed}})
	}
	return p
}

// Run polls until ctx ends. It does not close the drivers.
func (p *Poller) Run(ctx context.Context) {
	var wg sync.WaitGroup
	start := time.Now()
	for i, d := range p.devices {
		first := start.Add(offset(i, len(p.devices), d.period))
		wg.Go(func() { d.poll(ctx, first) })
		if s, ok := d.Driver.(drivers.Subscriber); ok {
			wg.Go(func() { d.subscribe(ctx, s) })
		}
	}
	if p.gather == nil {
		wg.Wait()
		return
	}
	read := make(chan struct{})
	go func() { wg.Wait(); close(read) }()
	sctx, done := outlive(ctx, settle)
	defer done()
	p.gather.run(sctx, read)
}

// moments is in how many moments of a period devices are read. To wake for one device costs several times what its read costs, and to make the samples of a moment
// durable costs more than the samples, so that those of one moment are read together; and yet no more at once than a fifth of all.
const moments = 5

// offset is how long after the start device i of n is read first.
func offset(i, n int, period time.Duration) time.Duration {
	return period / moments * time.Duration(i*moments/n)
}

// Status returns the state of every device, in the order of [New].
func (p *Poller) Status() []Status {
	out := make([]Status, 0, len(p.devices))
	for _, d := range p.devices {
		d.mu.Lock()
		s := d.status
		d.mu.Unlock()
		out = append(out, s)
	}
	return out
}

func (d *polled) now() time.Time {
	if d.config.Now != nil {
		return d.config.Now().UTC()
	}
	return time.Now().UTC()
}

func (d *polled) timeout() time.Duration {
	if d.config.Timeout > 0 {
		return d.config.Timeout
	}
	return min(max(d.period, time.Second), 10*time.Second)
}

// poll reads at first + k periods.
func (d *polled) poll(ctx context.Context, first time.Time) {
	period := d.period
	if d.status.Subscribed {
		period = d.config.Refresh
		if period <= 0 {
			period = min(5*d.period, time.Minute)
		}
		period = max(period, d.period)
	}
	due := first
	timer := time.NewTimer(time.Until(due))
	defer timer.Stop()
	failures := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if d.read(ctx) {
			failures = 0
		} else {
			failures++
		}
		due = next(due, time.Now(), period, pause(failures, period, d.config.MaxBackoff))
		timer.Reset(time.Until(due))
	}
}

// pause is the time from one read to the next after a number of failures in a row: one period up to the second failure, then doubled with each, at
// most longest but never below the period.
func pause(failures int, period, longest time.Duration) time.Duration {
	if failures < 3 {
		return period
	}
	p := float64(period) * math.Exp2(float64(min(failures-2, 32)))
	return max(period, time.Duration(min(p, float64(longest))))
}

// next is the first instant of the schedule due + k periods that is at least wait after due and after now.
func next(due, now time.Time, period, wait time.Duration) time.Time {
	steps := (wait + period - 1) / period
	n := due.Add(steps * period)
	if late := now.Sub(n); late >= 0 {
		n = n.Add((late/period + 1) * period)
	}
	return n
}

// read reads once and passes the samples on. It reports whether the device answered.
func (d *polled) read(ctx context.Context) bool {
	rctx, cancel := context.WithTimeout(ctx, d.timeout())
	start := time.Now()
	readings, err := d.Driver.Read(rctx, d.Points...)
	took := time.Since(start)
	cancel()
	if ctx.Err() != nil {
		return true // the poller ends; the device is not to blame
	}
	answered := err == nil || slices.ContainsFunc(readings, func(r drivers.Reading) bool { return r.Quality != district.Bad }) // who answers with refusals alone tells nothing
	now := d.now()
	stale := d.frozen.judge(now, readings)
	if stale != nil {
		err = errors.Join(err, stale)
	}
	online := answered && stale == nil
	d.mu.Lock()
	d.status.Reads++
	changed := d.status.Online != online || d.status.Since.IsZero()
	if changed {
		d.status.Online, d.status.Since = online, now
	}
	d.status.Frozen = stale != nil
	d.status.LastError = ""
	if err != nil {
		d.status.LastError, d.status.LastErrorAt = err.Error(), now
	}
	if answered {
		d.status.LastSuccess, d.status.Latency = now, took
	} else {
		d.status.Failures++
	}
	d.mu.Unlock()
	if changed && online {
		d.config.Log.Info("device online", "district", d.District, "site", d.Site, "device", d.Device.Device.ID)
	} else if changed {
		d.config.Log.Warn("device offline", "district", d.District, "site", d.Site, "device", d.Device.Device.ID, "error", err)
	}
	d.pass(ctx, readings)
	return answered
}

// subscribe passes on what the driver delivers; the driver is never made to wait for the sink.
func (d *polled) subscribe(ctx context.Context, s drivers.Subscriber) {
	var mu sync.Mutex
	var queue []drivers.Reading
	wake := make(chan struct{}, 1)
	deliver := func(readings []drivers.Reading) {
		mu.Lock()
		queue = append(queue, readings...)
		if extra := len(queue) - d.config.Keep; extra > 0 {
			queue = slices.Delete(queue, 0, extra)
			d.mu.Lock()
			d.status.Dropped += uint64(extra)
			d.mu.Unlock()
		}
		mu.Unlock()
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	pass := func() {
		mu.Lock()
		got := queue
		queue = nil
		mu.Unlock()
		if len(got) > 0 {
			d.pass(ctx, d.wanted(got))
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-wake:
			}
			pass()
		}
	})
	for failures := 1; ctx.Err() == nil; failures++ { // the driver recovers by itself: it returns only when it cannot subscribe at all
		if err := s.Subscribe(ctx, d.period, deliver); err != nil && ctx.Err() == nil {
			d.config.Log.Warn("subscription ended", "device", d.Device.Device.ID, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause(failures, d.period, d.config.MaxBackoff)):
		}
	}
	wg.Wait()
	pass() // what was delivered before the end is recorded
}

// wanted leaves the readings of the points that are polled.
func (d *polled) wanted(readings []drivers.Reading) []drivers.Reading {
	if len(d.Points) == 0 {
		return readings
	}
	return slices.DeleteFunc(readings, func(r drivers.Reading) bool { return !slices.Contains(d.Points, r.Point) })
}

// settle is how long the sink may still take once polling ends: what was read is recorded.
const settle = 2 * time.Second

// outlive returns a context that ends a while after ctx does.
func outlive(ctx context.Context, while time.Duration) (out context.Context, done func()) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(while)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(context.Cause(ctx))
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel(nil) }
}

// pass makes samples of readings and gives them to the sink.
func (d *polled) pass(ctx context.Context, readings []drivers.Reading) {
	now := d.now()
	bad := uint64(0)
	fill := func(samples []district.Sample) []district.Sample {
		for i, place := 0, -1; i < len(readings); i++ {
			r := &readings[i]
			if r.Quality == district.Bad || math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
				bad++
				continue
			}
			at := r.Time
			if d.config.Now != nil || at.IsZero() {
				at = now
			}
			var series district.SeriesID
			series, place = d.seriesOf(r.Point, place+1)
			samples = append(samples, district.Sample{Series: series, Time: at.UTC(), Value: r.Value,
				Quality: r.Quality, Source: district.FromDevice})
		}
		return samples
	}
	told := func(n int, err error) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.status.Bad += bad
		switch {
		case n == 0:
		case err == nil:
			d.status.Samples += uint64(n)
			d.warned = false
		default:
			d.status.Dropped += uint64(n)
			if !d.warned {
				d.config.Log.Error("samples not accepted", "device", d.Device.Device.ID, "samples", n, "error", err)
				d.warned = true
			}
		}
	}
	if d.gather != nil {
		d.gather.add(ctx, len(readings), fill, told)
		return
	}
	samples := fill(make([]district.Sample, 0, len(readings)))
	var err error
	if len(samples) > 0 {
		sctx, done := outlive(ctx, settle)
		err = d.config.Sink(sctx, samples)
		done()
	}
	told(len(samples), err)
}
