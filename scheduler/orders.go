package scheduler

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"quartier/schemas/order"
)

// ErrNoOrder is the error of an order that is not there or has ended.
var ErrNoOrder = errors.New("scheduler: no such order")

// ErrStanding is the error of ending what the configuration says.
var ErrStanding = errors.New("scheduler: what the configuration says stands until that is changed")

// Keep is what the scheduler does with orders beyond obeying them. Every field may be nil.
type Keep struct {
	// Save makes revisions of orders durable. Of an order that a person gives it is called first, and an error refuses the order.
	Save func(ctx context.Context, orders []order.Order) error
	// Changed is told of each order that began, ended or was replaced, after it holds; by whom is in the order.
	Changed func(o order.Order, what Change)
}

// Change is what became of an order.
type Change string

// The changes of orders that are told.
const (
	OrderGiven Change = "given"
	OrderBegan Change = "began"
	OrderOver  Change = "over"
)

// Order puts an order in force from its start on: it is checked, saved and then obeyed at the next round of dispatch; the next plan goes around it. It takes the place of
// others of its slot that hold at the same time, but limits stay beside each other: the tightest holds. The error of a bad order is [order.Faults].
func (s *Scheduler) Order(ctx context.Context, o order.Order) (order.Order, error) {
	now := s.cfg.Now()
	if o.Start.IsZero() || o.Start.Before(now) {
		o.Start = now
	}
	o.ID, o.District, o.Created, o.Revision, o.Outcome = newID(), s.cfg.District.ID, now, 1, order.Open
	if o.Source == "" {
		o.Source = order.FromConsole
	}
	if faults := order.Check(&o, s.cfg.District, now); len(faults) > 0 {
		return o, faults
	}
	s.mu.Lock()
	revised := replaced(s.orders, &o, now)
	s.mu.Unlock()
	if s.cfg.Keep.Save != nil {
		if err := s.cfg.Keep.Save(ctx, append(slices.Clone(revised), o)); err != nil {
			return o, fmt.Errorf("scheduler: order %s of %s/%s/%s: %w", o.Kind, o.District, o.Site, o.Device, err)
		}
	}
	s.mu.Lock()
	s.put(append(revised, o)...)
	s.mu.Unlock()
	s.told(revised, OrderOver)
	s.told([]order.Order{o}, OrderGiven)
	s.Wake()
	return o, nil
}

// replaced are the revisions of the orders whose place a new one takes: ended now, or when the new one begins.
func replaced(all []order.Order, o *order.Order, now time.Time) (out []order.Order) {
	if o.Kind == order.ImportLimit || o.Kind == order.ExportLimit {
		return nil
	}
	for _, old := range all {
		if old.Slot() != o.Slot() || old.Source != o.Source || old.State(now) == order.Ended || !old.Overlaps(o) {
			continue
		}
		old.Revision++
		if old.Start.Before(o.Start) && o.Start.After(now) {
			old.End = o.Start
		} else {
			old.Outcome, old.EndedAt, old.EndedWho, old.EndedWhy = order.Replaced, now, o.Author, o.Reason
		}
		out = append(out, old)
	}
	return out
}

// EndOrder ends an order before its time; why is the reason of who ends it.
func (s *Scheduler) EndOrder(ctx context.Context, id, who, why string) (order.Order, error) {
	now := s.cfg.Now()
	s.mu.Lock()
	i := slices.IndexFunc(s.orders, func(o order.Order) bool { return o.ID == id })
	if i < 0 || s.orders[i].State(now) == order.Ended {
		s.mu.Unlock()
		return order.Order{}, ErrNoOrder
	}
	o := s.orders[i]
	s.mu.Unlock()
	if o.Source == order.FromConfig {
		return o, ErrStanding
	}
	o.Revision++
	o.Outcome, o.EndedAt, o.EndedWho, o.EndedWhy = order.EndedBy, now, who, why
	if s.cfg.Keep.Save != nil {
		if err := s.cfg.Keep.Save(ctx, []order.Order{o}); err != nil {
			return o, fmt.Errorf("scheduler: end order %s: %w", id, err)
		}
	}
	s.mu.Lock()
	if o.Source == order.FromSystem {
		s.forget(o.ID)
	}
	s.put(o)
	s.mu.Unlock()
	s.told([]order.Order{o}, OrderOver)
	s.Wake()
	return o, nil
}

// Orders lists the orders that hold or are to hold, those of building systems among them, by start.
func (s *Scheduler) Orders() []order.Order {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []order.Order
	for _, o := range s.orders {
		if o.State(now) != order.Ended {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, order.Compare)
	return out
}

// Restore takes up orders of the record when the process begins, before Run. What a building system asked for holds on until the given instant of the machine's clock, as if it had just been
// repeated: if it is not repeated by then it lapses.
func (s *Scheduler) Restore(orders []order.Order, until time.Time) {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range orders {
		if o.Outcome != order.Open {
			continue
		}
		s.orders = append(s.orders, o) // one whose time is over is completed by the next round
		if o.Source != order.FromSystem || o.State(now) == order.Ended {
			continue
		}
		kind, value := RequestKind(o.Kind), o.Value
		switch o.Kind {
		case order.OwnControl:
			kind, value = RequestAvailable, 0
		case order.LockOut:
			value = 1
		}
		r := Request{Kind: kind, Site: o.Site, Device: o.Device, Value: value, Actor: o.Author, Since: s.cfg.Wall(), Until: until, order: o.ID}
		r.Until = r.until()
		s.requests[r.key()] = r
	}
}

// put places revisions into the list; those that ended leave it. The caller holds the lock.
func (s *Scheduler) put(revised ...order.Order) {
	for _, o := range revised {
		i := slices.IndexFunc(s.orders, func(x order.Order) bool { return x.ID == o.ID })
		switch {
		case i < 0 && o.Outcome == order.Open:
			s.orders = append(s.orders, o)
		case i >= 0 && o.Outcome == order.Open:
			s.orders[i] = o
		case i >= 0:
			s.orders = slices.Delete(s.orders, i, i+1)
			delete(s.costs, o.ID)
			delete(s.began, o.ID)
		}
	}
}

// forget drops the request of an order. The caller holds the lock.
func (s *Scheduler) forget(id string) {
	for k, r := range s.requests {
		if r.order == id {
			delete(s.requests, k)
		}
	}
}

func (s *Scheduler) told(orders []order.Order, what Change) {
	for _, o := range orders {
		if s.cfg.Keep.Changed != nil {
			s.cfg.Keep.Changed(o, what)
		}
	}
}

func newID() string {
	var b [12]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// inForce returns the orders of a kind and target that ask for something at now.
func (s *Scheduler) inForce(kind order.Kind, site, device string, now time.Time) (out []order.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.orders {
		if o.Kind == kind && o.Site == site && o.Device == device && o.At(now, s.cfg.District.Zone) {
			out = append(out, o)
		}
	}
	return out
}

// quiet returns the quiet hours in which a device is now, the lowest power of all.
func (s *Scheduler) quiet(site, device string, now time.Time) (order.Order, bool) {
	return lowest(s.inForce(order.Quiet, site, device, now))
}

// lowest is the order with the lowest value.
func lowest(orders []order.Order) (order.Order, bool) {
	if len(orders) == 0 {
		return order.Order{}, false
	}
	return slices.MinFunc(orders, func(a, b order.Order) int { return cmp.Compare(a.Value, b.Value) }), true
}

// inForceOne returns the newest order of a kind and target that asks for something now.
func (s *Scheduler) inForceOne(kind order.Kind, site, device string, now time.Time) (order.Order, bool) {
	all := s.inForce(kind, site, device, now)
	if len(all) == 0 {
		return order.Order{}, false
	}
	return slices.MaxFunc(all, func(a, b order.Order) int { return a.Created.Compare(b.Created) }), true
}

// lockedOut reports whether a device is being worked on: nothing may be written to it.
func (s *Scheduler) lockedOut(site, device string, now time.Time) bool {
	return len(s.inForce(order.LockOut, site, device, now)) > 0
}

// apart reports whether somebody else decides what a device does: an order, or its own control.
func (s *Scheduler) apart(site, device string, now time.Time) bool {
	out, _ := s.paused(site, device, now)
	_, told := s.inForceOne(order.Power, site, device, now)
	return out || told || s.lockedOut(site, device, now)
}

// obey puts what is ordered of one device in the place of what the plan or the device itself would do. known says that its connection is measured, or has no limit.
func (s *Scheduler) obey(j *job, now time.Time, known bool) {
	w := j.wish
	if o, ok := s.inForceOne(order.Power, w.Site, w.Device, now); ok && !j.own && !j.blind && known {
		w.WantedKW, w.Reason, j.planID = min(max(o.Value, w.MinKW), w.MaxKW), ReasonOrder+": "+o.Reason, 0
		j.ordered, j.loose, j.sun = true, false, false
	}
	if !j.own && !j.blind && !j.loose {
		s.spare(w, now)
	}
	if o, ok := s.quiet(w.Site, w.Device, now); ok && !j.own && (w.WantedKW > o.Value || j.loose || j.blind) {
		if j.blind || w.WantedKW > o.Value {
			w.WantedKW = o.Value
		}
		w.Reason, w.Changed = fmt.Sprintf("%s: %s", ReasonQuiet, o.Reason), true
		j.ordered, j.loose, j.blind = true, false, j.blind && !known // its share of a limit holds in quiet hours too
	}
}

// orderLoop completes the orders whose time is over, tells when one begins, saves what the record did not take yet, and reckons what orders cost, beside control.
func (s *Scheduler) orderLoop(ctx context.Context) {
	for sleep(ctx, time.Second) {
		s.lapse(s.cfg.Wall())
		s.watch()
		s.flush(ctx)
		s.cost(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	s.flush(last)
}

// watch completes the orders whose time is over, and asks for a new plan whenever what is asked for changes.
func (s *Scheduler) watch() {
	now := s.cfg.Now()
	var over, began []order.Order
	changed := false
	s.mu.Lock()
	for _, o := range slices.Clone(s.orders) {
		if o.State(now) == order.Ended {
			o.Revision++
			o.Outcome, o.EndedAt, o.EndedWho = order.Completed, o.End, "quartier"
			o.Cost = s.costOf(o.ID)
			over = append(over, o)
			s.forget(o.ID)
			continue
		}
		on := o.At(now, s.cfg.District.Zone)
		was, seen := s.began[o.ID]
		s.began[o.ID] = on
		if on != was {
			changed = true
			if on && seen {
				began = append(began, o)
			}
		}
	}
	s.put(over...)
	s.unsaved = append(s.unsaved, over...)
	s.mu.Unlock()
	s.told(over, OrderOver)
	s.told(began, OrderBegan)
	if changed || len(over) > 0 {
		s.Wake()
	}
}

// flush saves what is not saved yet; what the record refuses waits for the next round.
func (s *Scheduler) flush(ctx context.Context) {
	select {
	case s.saving <- struct{}{}:
		defer func() { <-s.saving }()
	case <-ctx.Done():
		return
	}
	s.mu.Lock()
	todo := s.unsaved
	s.unsaved = nil
	s.mu.Unlock()
	if len(todo) == 0 || s.cfg.Keep.Save == nil {
		return
	}
	newest := map[string]order.Order{}
	for _, o := range todo {
		if had, ok := newest[o.ID]; !ok || had.Revision < o.Revision {
			newest[o.ID] = o
		}
	}
	var list []order.Order
	for _, o := range newest {
		list = append(list, o)
	}
	slices.SortFunc(list, order.Compare)
	if err := s.cfg.Keep.Save(ctx, list); err != nil {
		s.cfg.Log.Warn("orders not saved", "district", s.cfg.District.ID, "count", len(list), "err", err)
		s.mu.Lock()
		s.unsaved = append(list, s.unsaved...)
		s.mu.Unlock()
	}
}

// asked keeps the order of a building system's request: one for each value. The caller holds the lock and tells of the result afterwards.
func (s *Scheduler) asked(r *Request, now time.Time) (given, over []order.Order) {
	withdrawn, how := r.Kind == RequestAvailable && r.Value != 0 || r.Kind == RequestLockOut && r.Value == 0, order.Replaced
	if withdrawn {
		how = order.EndedBy
	}
	if old, ok := s.requests[r.key()]; ok && old.order != "" {
		over = append(over, s.finish(old.order, how, r.Actor, now)...)
	}
	over = append(over, s.unsilence(r.Kind, r.Site, r.Actor, now)...)
	kind := order.Kind(r.Kind)
	switch {
	case withdrawn:
		return nil, over
	case r.Kind == RequestAvailable:
		kind = order.OwnControl
	}
	o := order.Order{ID: newID(), District: s.cfg.District.ID, Site: r.Site, Device: r.Device, Kind: kind, Author: r.Actor, Source: order.FromSystem,
		Reason: "asked for by a building system", Created: now, Start: now, Revision: 1}
	if kind.Unit() != "" {
		o.Value = r.Value
	}
	r.order = o.ID
	s.put(o)
	s.unsaved = append(s.unsaved, o)
	return []order.Order{o}, over
}

// finish ends an order in the list. The caller holds the lock.
func (s *Scheduler) finish(id string, how order.Outcome, who string, now time.Time) []order.Order {
	i := slices.IndexFunc(s.orders, func(o order.Order) bool { return o.ID == id })
	if i < 0 {
		return nil
	}
	o := s.orders[i]
	o.Revision++
	o.Outcome, o.EndedAt, o.EndedWho, o.Cost = how, now, who, s.costOf(id)
	s.put(o)
	s.unsaved = append(s.unsaved, o)
	return []order.Order{o}
}

// silence puts the fall-back in force after the signal of a limit fell silent. The caller holds the lock.
func (s *Scheduler) silence(r Request, now time.Time) []order.Order {
	fall := s.cfg.District.Silence
	if r.Site != "" {
		site := s.cfg.District.Site(r.Site)
		if site == nil {
			return nil // it was asked for before the site was taken out of the configuration
		}
		fall = site.Silence
	}
	if fall == nil {
		return nil
	}
	limit := fall.ImportLimitKW
	switch r.Kind {
	case RequestImportLimit:
	case RequestExportLimit:
		limit = fall.ExportLimitKW
	default:
		return nil
	}
	if limit == nil {
		return nil
	}
	o := order.Order{ID: newID(), District: s.cfg.District.ID, Site: r.Site, Kind: order.Kind(r.Kind), Value: *limit, Author: "quartier", Source: order.FromSilence,
		Reason: fmt.Sprintf("the signal of %s fell silent at %g kW", r.Actor, r.Value), Created: now, Start: now, End: now.Add(fall.For), Revision: 1}
	s.put(o)
	s.unsaved = append(s.unsaved, o)
	return []order.Order{o}
}

// unsilence ends a fall-back once the signal speaks again. The caller holds the lock.
func (s *Scheduler) unsilence(kind RequestKind, site, who string, now time.Time) (over []order.Order) {
	for _, o := range slices.Clone(s.orders) {
		if o.Source == order.FromSilence && o.Kind == order.Kind(kind) && o.Site == site {
			over = append(over, s.finish(o.ID, order.Replaced, who, now)...)
		}
	}
	return over
}
