// Package live holds the newest sample of every series in memory and tells subscribers of changes. It is the fast way from a device to
// the scheduler and the console; the store is the lasting one and is written first.
package live

import (
	"context"
	"sort"
	"strings"
	"sync"
	"time"

	"quartier/schemas/district"
)

// Hub keeps the newest sample of each series. The zero value is not usable; make one with [NewHub].
type Hub struct {
	now    func() time.Time
	mu     sync.RWMutex
	latest map[district.SeriesID]district.Sample
	subs   map[*subscriber]struct{}
}

type subscriber struct {
	prefix string
	mu     sync.Mutex
	wait   map[district.SeriesID]district.Sample // changed since the last delivery, newest only
	wake   chan struct{}
}

// ahead is how far a sample may be ahead of the clock and still count as newer than those of the present.
const ahead = time.Second

// NewHub returns an empty hub; now is the clock that stamps samples.
func NewHub(now func() time.Time) *Hub {
	return &Hub{now: now, latest: map[district.SeriesID]district.Sample{}, subs: map[*subscriber]struct{}{}}
}

// Publish takes samples in any order; one older than what is held for its series is ignored. What is held of a time to come gives way to what is of the present: a clock that is set back while a
// device answers leaves a reading of before, and nothing newer would be believed until it is that late again.
func (h *Hub) Publish(samples []district.Sample) {
	h.mu.Lock()
	latest := h.now().Add(ahead)
	fresh := make([]district.Sample, 0, len(samples))
	for _, s := range samples {
		if old, ok := h.latest[s.Series]; ok && old.Time.After(s.Time) && (!old.Time.After(latest) || s.Time.After(latest)) {
			continue
		}
		h.latest[s.Series] = s
		fresh = append(fresh, s)
	}
	subs := make([]*subscriber, 0, len(h.subs))
	for s := range h.subs {
		subs = append(subs, s)
	}
	h.mu.Unlock()
	for _, s := range subs {
		s.offer(fresh)
	}
}

func (s *subscriber) offer(samples []district.Sample) {
	s.mu.Lock()
	any := false
	for _, v := range samples {
		if strings.HasPrefix(string(v.Series), s.prefix) {
			s.wait[v.Series], any = v, true
		}
	}
	s.mu.Unlock()
	if any {
		select {
		case s.wake <- struct{}{}:
		default: // a wake-up is pending already
		}
	}
}

// Forget forgets the samples of times to come, when the clock was set back.
func (h *Hub) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	latest := h.now().Add(ahead)
	for id, s := range h.latest {
		if s.Time.After(latest) {
			delete(h.latest, id)
		}
	}
}

// Latest returns the newest sample of a series.
func (h *Hub) Latest(id district.SeriesID) (district.Sample, bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	s, ok := h.latest[id]
	return s, ok
}

// Snapshot returns the newest sample of every series whose name starts with prefix, sorted by name.
func (h *Hub) Snapshot(prefix string) []district.Sample {
	h.mu.RLock()
	out := make([]district.Sample, 0, 64)
	for id, s := range h.latest {
		if strings.HasPrefix(string(id), prefix) {
			out = append(out, s)
		}
	}
	h.mu.RUnlock()
	sort.Slice(out, func(i, j int) bool { return out[i].Series < out[j].Series })
	return out
}

// Subscribe delivers changes of series whose name starts with prefix until ctx ends, then closes the channel. A slow reader delays nobody and loses
// only intermediate values: it gets the newest of each series.
func (h *Hub) Subscribe(ctx context.Context, prefix string) <-chan []district.Sample {
	s := &subscriber{prefix: prefix, wait: map[district.SeriesID]district.Sample{}, wake: make(chan struct{}, 1)}
	h.mu.Lock()
	h.subs[s] = struct{}{}
	h.mu.Unlock()
	out := make(chan []district.Sample)
	go func() {
		defer close(out)
		defer func() {
			h.mu.Lock()
			delete(h.subs, s)
			h.mu.Unlock()
		}()
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
			}
			s.mu.Lock()
			batch := make([]district.Sample, 0, len(s.wait))
			for _, v := range s.wait {
				batch = append(batch, v)
			}
			clear(s.wait)
			s.mu.Unlock()
			sort.Slice(batch, func(i, j int) bool { return batch[i].Series < batch[j].Series })
			select {
			case out <- batch:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out
}
