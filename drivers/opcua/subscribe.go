package opcua

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// clockHandle is the client handle of the server's clock, which is monitored with each subscription: its ticks tell that the subscription lives.
const clockHandle = 0

// silentFor is how long a subscription may tell nothing, not even the clock, before the session is given up.
const silentFor = 10 * time.Second

// maxInterval bounds the publishing interval, so that a Publish request is answered well within its time.
const maxInterval = 5 * time.Second

// Subscribe delivers every readable point at once and then each change, until ctx ends; it comes back from lost connections by itself. deliver
// may be slow: readings wait for it, up to Config.Keep. The server is asked to publish every interval, and at least every 5 s. It returns nil
// after ctx, and drivers.ErrClosed after Close.
func (d *Device) Subscribe(ctx context.Context, interval time.Duration, deliver func([]drivers.Reading)) error {
	if d.life.Err() != nil {
		return d.fail("subscribe", drivers.ErrClosed)
	}
	interval = min(max(interval, 0), maxInterval)
	outer := ctx
	ctx, done := bind(ctx, d.life)
	defer done()
	f := newFeed(d, d.every, d.needed)
	var wg sync.WaitGroup
	wg.Go(func() { f.pass(ctx, deliver) })
	for failures := 1; ctx.Err() == nil; failures++ {
		s, err := d.link.current(ctx)
		if err == nil {
			var lived bool
			if lived, err = f.follow(ctx, s, interval); lived {
				failures = 0
			}
			if ctx.Err() == nil {
				f.doubt()
			}
		}
		if ctx.Err() != nil {
			break
		}
		if failures > 0 {
			d.link.config.Log.Debug("opc ua subscription", "device", d.dev.ID, "attempt", failures, "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(backoff(d.link.config.MinBackoff, d.link.config.MaxBackoff, failures)):
			}
		}
	}
	wg.Wait()
	if rest := f.take(); len(rest) > 0 { // what was told before the end is not lost
		deliver(rest)
	}
	if outer.Err() == nil && d.life.Err() != nil {
		return d.fail("subscribe", drivers.ErrClosed)
	}
	return nil
}

// feed is one call of Subscribe.
type feed struct {
	device  *Device
	targets []target
	points  []*profile.Point
	index   map[*profile.Point]int // of points
	parts   [][]int                // of each target, indices of points
	byPart  [][]int                // of each point, indices of targets
	wake    chan struct{}

	mu      sync.Mutex
	values  []value     // of each point
	handed  []time.Time // of each target, the latest time of its readings
	scratch []value
	pending []drivers.Reading
	last    int       // readings that were passed at once
	told    time.Time // last sign of life of the subscription, by the monotonic clock
	ended   error     // set when the server ended the subscription
	seeded  bool      // every point was read in this session
	held    [][]change
}

func newFeed(d *Device, targets []target, points []*profile.Point) *feed {
	f := &feed{device: d, targets: targets, points: points, index: make(map[*profile.Point]int, len(points)), parts: make([][]int, len(targets)),
		byPart: make([][]int, len(points)), values: make([]value, len(points)), handed: make([]time.Time, len(targets)), wake: make(chan struct{}, 1)}
	for i, p := range points {
		f.index[p] = i
	}
	for i, t := range targets {
		for _, p := range t.parts {
			k := f.index[p]
			f.parts[i], f.byPart[k] = append(f.parts[i], k), append(f.byPart[k], i)
		}
	}
	return f
}

// pass hands readings to the receiver, from its own goroutine, so that a slow one holds up nobody else.
func (f *feed) pass(ctx context.Context, deliver func([]drivers.Reading)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		}
		if batch := f.take(); len(batch) > 0 {
			deliver(batch)
		}
	}
}

// take returns the readings that wait.
func (f *feed) take() []drivers.Reading {
	f.mu.Lock()
	defer f.mu.Unlock()
	batch := f.pending
	f.pending, f.last = nil, len(f.pending)
	return batch
}

// accept takes a new value of a point. One that is known already, by source time, status and number, is not taken, unless it is told again.
// mu is held.
func (f *feed) accept(point int, v *value, again bool) bool {
	old := &f.values[point]
	same := old.known && !v.source.IsZero() && v.source.Equal(old.source) && v.quality == old.quality && (v.v == old.v || v.bad() && old.bad())
	late := old.known && v.source.Before(old.source) && old.source.Sub(v.source) < maxSkew // read already; further back the clock was set
	if (same || late) && !again {
		return false
	}
	*old = *v
	return true
}

// update takes new values of points and queues the readings that follow from them, each once. mu is held.
func (f *feed) update(news map[*profile.Point]value, again bool) {
	touched := make([]bool, len(f.targets))
	for p, v := range news {
		k, ok := f.index[p]
		if !ok || !f.accept(k, &v, again) {
			continue
		}
		for _, i := range f.byPart[k] {
			touched[i] = true
		}
	}
	for i, t := range touched {
		if t {
			f.queue(i, false)
		}
	}
	f.tell()
}

// change takes one new value of a point and queues the readings that follow from it. mu is held.
func (f *feed) change(point int, v *value, recorded bool) {
	if f.accept(point, v, false) {
		for _, i := range f.byPart[point] {
			f.queue(i, recorded)
		}
	}
}

// tick is by how much a reading is moved that would come before one of its point that was handed on: the resolution of what is recorded.
const tick = time.Microsecond

// queue adds the reading of a target, and leaves none behind one that was handed on: its server's clock may be a little slow, or it is told of a change late. What comes from
// the server's record keeps its own time, which may lie before the mark of the gap that it fills. mu is held.
func (f *feed) queue(i int, recorded bool) {
	f.scratch = f.scratch[:0]
	for _, k := range f.parts[i] {
		f.scratch = append(f.scratch, f.values[k])
	}
	if r, ok := f.device.reading(&f.targets[i], f.scratch); ok {
		switch last := f.handed[i]; {
		case !r.Time.Before(last):
			f.handed[i] = r.Time
		case recorded:
		case last.After(f.device.link.config.Now()): // our own clock was set back: its times begin anew
			f.handed[i] = r.Time
		default:
			r.Time = last.Add(tick)
			f.handed[i] = r.Time
		}
		if f.pending == nil {
			f.pending = make([]drivers.Reading, 0, max(f.last, 8))
		}
		f.pending = append(f.pending, r)
	}
}

// tell wakes the receiver. What is more than may wait is dropped, the oldest first. mu is held.
func (f *feed) tell() {
	if extra := len(f.pending) - f.device.link.config.Keep; extra > 0 {
		f.pending = append(f.pending[:0:0], f.pending[extra:]...)
		f.device.link.dropped.Add(uint64(extra))
	}
	if len(f.pending) > 0 {
		select {
		case f.wake <- struct{}{}:
		default:
		}
	}
}

// doubt tells each value once more as uncertain: the connection is gone, and what follows is not known.
func (f *feed) doubt() {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.device.link.config.Now().UTC()
	news := make(map[*profile.Point]value)
	for i, v := range f.values {
		if v.known && v.quality == district.Good {
			v.quality, v.at = district.Uncertain, now
			news[f.points[i]] = v
		}
	}
	if len(news) > 0 {
		f.update(news, true)
	}
}

// follow subscribes in one session and stays until the session, the subscription or ctx ends. lived tells that it came about.
func (f *feed) follow(ctx context.Context, s *session, interval time.Duration) (lived bool, err error) {
	d := f.device
	f.mu.Lock()
	f.told, f.ended, f.seeded, f.held = time.Now(), nil, false, nil
	f.mu.Unlock()
	sub, err := s.subscribe(ctx, interval, func(p *publication) { f.notified(s, p) })
	if err != nil {
		return false, err
	}
	defer s.unsubscribe(sub.SubscriptionID)
	missing, err := f.monitor(ctx, s, sub.SubscriptionID, f.points, true)
	if err != nil {
		return false, err
	}
	f.recall(ctx, s)
	values, err := d.fetchOn(ctx, s, f.points)
	if err != nil {
		if !errors.Is(err, drivers.ErrRejected) {
			return false, err
		}
		d.link.config.Log.Warn("opc ua points cannot be read", "device", d.dev.ID, "err", err)
	}
	f.mu.Lock()
	f.update(values, true)
	f.seeded = true
	for _, c := range f.held { // what changed after the read; what the read had already is dropped
		f.changed(s, c)
	}
	f.held = nil
	f.mu.Unlock()

	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	looked := time.Now()
	published := time.Duration(sub.RevisedPublishingInterval * float64(time.Millisecond))
	silence := max(silentFor, min(2*published*time.Duration(sub.RevisedMaxKeepAliveCount), 2*time.Minute)) + 3*published
	for {
		select {
		case <-ctx.Done():
			return true, nil
		case <-s.ctx.Done():
			return true, context.Cause(s.ctx)
		case <-beat.C:
		}
		f.mu.Lock()
		quiet, ended := time.Since(f.told), f.ended
		f.mu.Unlock()
		switch {
		case ended != nil: // what else the session holds may be in doubt, too
			s.kill(ended)
			return true, ended
		case quiet > silence:
			err := fmt.Errorf("subscription silent for %v", quiet.Round(time.Second))
			s.kill(err)
			return true, err
		case len(missing) > 0 && time.Since(looked) > lookAgain:
			looked = time.Now()
			if missing, err = f.monitor(ctx, s, sub.SubscriptionID, missing, false); err != nil {
				return true, err
			}
		}
	}
}

// recall fills the gap since the newest known values, or those that were recorded before this process, from the server's history, as far as it has one.
func (f *feed) recall(ctx context.Context, s *session) {
	since := make(map[*profile.Point]time.Time)
	f.device.mu.Lock()
	maps.Copy(since, f.device.recorded)
	f.device.mu.Unlock()
	f.mu.Lock()
	for i, v := range f.values {
		if v.known {
			since[f.points[i]] = v.source
		}
	}
	f.mu.Unlock()
	if len(since) == 0 { // nothing is known or recorded: there is no gap
		return
	}
	values, err := f.device.recall(ctx, s, f.points, since)
	if err != nil {
		f.device.link.config.Log.Warn("opc ua history not read", "device", f.device.dev.ID, "err", err)
	}
	if len(values) == 0 {
		return
	}
	f.mu.Lock()
	for _, h := range values {
		f.change(f.index[h.point], &h.value, true)
	}
	f.tell()
	f.mu.Unlock()
	f.device.link.config.Log.Info("opc ua gap filled from the server's history", "device", f.device.dev.ID, "values", len(values))
}

// monitor asks for the changes of points and returns those that the server refused: one that is missing does not hold up the others.
func (f *feed) monitor(ctx context.Context, s *session, sub uint32, points []*profile.Point, clock bool) (missing []*profile.Point, err error) {
	nodes, err := f.device.resolve(ctx, s, points)
	if err != nil {
		return nil, err
	}
	handle := make(map[*profile.Point]uint32, len(f.points))
	for i, p := range f.points {
		handle[p] = uint32(i + 1)
	}
	var items []*ua.MonitoredItemCreateRequest
	var of []*profile.Point
	add := func(node *ua.NodeID, handle uint32, sampling float64, queue uint32, p *profile.Point) {
		filter := ua.NewExtensionObject(nil)
		if p != nil && p.Node.DeadBand > 0 {
			filter = ua.NewExtensionObject(&ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: uint32(ua.DeadbandTypeAbsolute), DeadbandValue: p.Node.DeadBand})
		}
		of = append(of, p)
		items = append(items, &ua.MonitoredItemCreateRequest{
			ItemToMonitor:  &ua.ReadValueID{NodeID: node, AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
			MonitoringMode: ua.MonitoringModeReporting,
			RequestedParameters: &ua.MonitoringParameters{ClientHandle: handle, SamplingInterval: sampling, Filter: filter,
				QueueSize: queue, DiscardOldest: true},
		})
	}
	if clock {
		add(serverClock, clockHandle, 1000, 1, nil)
	}
	for _, p := range points {
		switch {
		case nodes[p] != nil:
			add(nodes[p], handle[p], -1, 100, p) // sampled as the subscription publishes
		case p.Node != nil:
			missing = append(missing, p)
		}
	}
	for from := 0; from < len(items); { // items grows by those that are asked for again
		size := int(s.items.Load())
		part := items[from:min(from+size, len(items))]
		resp, err := ask[*ua.CreateMonitoredItemsResponse](ctx, s, &ua.CreateMonitoredItemsRequest{SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth, ItemsToCreate: part})
		if tooMuch(err) && len(part) > 1 {
			s.items.Store(int32(len(part) / 2))
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(resp.Results) != len(part) {
			return nil, fmt.Errorf("%w: %d results for %d items", drivers.ErrGarbage, len(resp.Results), len(part))
		}
		for i, r := range resp.Results {
			p := of[from+i]
			switch {
			case r == nil || p == nil || severity(r.StatusCode) != severityBad:
			case part[i].RequestedParameters.Filter.Value != nil: // a server without dead bands, or for such a node: then every change is told
				again := *part[i]
				parameters := *part[i].RequestedParameters
				parameters.Filter, again.RequestedParameters = ua.NewExtensionObject(nil), &parameters
				items, of = append(items, &again), append(of, p)
			default:
				missing = append(missing, p)
			}
		}
		from += len(part)
	}
	return missing, nil
}

// notified takes one message of the server; it does not block.
func (f *feed) notified(s *session, p *publication) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = time.Now()
	if f.seeded {
		f.changed(s, p.changes)
	} else if len(p.changes) > 0 {
		if f.held = append(f.held, p.changes); len(f.held) > 1000 {
			f.held = f.held[1:]
		}
	}
	if p.over {
		f.ended = fmt.Errorf("subscription ended by the server: %w", p.status)
	}
}

// changed takes values in order: an item may have several. mu is held.
func (f *feed) changed(s *session, changes []change) {
	now, skewed := f.device.link.config.Now().UTC(), s.skewed.Load()
	for i := range changes {
		c := &changes[i]
		if c.handle == clockHandle || int(c.handle) > len(f.points) {
			continue
		}
		at := now
		if !c.datum.source.IsZero() && !skewed && !c.datum.source.After(now) {
			at = c.datum.source.UTC()
		}
		k := int(c.handle - 1)
		if overflowed(c.datum.status) {
			f.device.link.overflows.Add(1)
		}
		if v := c.datum.decode(f.points[k], at); v.known {
			f.change(k, &v, false)
		}
	}
	f.tell()
}
