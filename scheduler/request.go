package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// RequestKind is what a building system may ask for from outside.
type RequestKind string

// The kinds of requests.
const (
	RequestImportLimit RequestKind = "import_limit" // of a site or the district: largest power drawn, kW
	RequestExportLimit RequestKind = "export_limit" // of a site or the district: largest power fed, kW
	RequestComfort     RequestKind = "comfort"      // of a site: shift of its comfort bands, K
	RequestAway        RequestKind = "away"         // of a site: nobody is there, zones may be so many K colder
	RequestAvailable   RequestKind = "available"    // of a device under control: 0 gives it its own control back
	RequestLockOut     RequestKind = "lock_out"     // of a device under control: 1 has nothing written to it, until it is withdrawn
)

// RequestHorizon is how long planning takes a request to go on: who makes one refreshes it, and nobody says until when.
const RequestHorizon = time.Hour

// Request is what somebody outside asks for until it lapses. Of a limit, the smaller of request and configuration holds.
type Request struct {
	Kind   RequestKind
	Site   string // empty: the district itself
	Device string // of RequestAvailable and RequestLockOut
	Value  float64
	Actor  string
	Since  time.Time // the first of its refreshes; both on the machine's clock
	Until  time.Time

	order string // id of the order that it is in the list
}

type requestKey struct {
	kind         RequestKind
	site, device string
}

func (r Request) key() requestKey { return requestKey{r.Kind, r.Site, r.Device} }

// check says why a request cannot be, or nil.
func (s *Scheduler) check(r Request) error {
	d := s.cfg.District
	what := fmt.Sprintf("scheduler: request %s of %s/%s/%s", r.Kind, d.ID, r.Site, r.Device)
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return fmt.Errorf("%s: %v is no value", what, r.Value)
	}
	site := d.Site(r.Site)
	if r.Site != "" && site == nil {
		return fmt.Errorf("%s: no such site", what)
	}
	switch r.Kind {
	case RequestImportLimit, RequestExportLimit:
		if r.Device != "" || r.Value < 0 {
			return fmt.Errorf("%s: %v kW is no limit of a site or district", what, r.Value)
		}
	case RequestComfort:
		if site == nil || r.Device != "" || math.Abs(r.Value) > 5 {
			return fmt.Errorf("%s: %v K is no shift of a site's comfort within 5 K", what, r.Value)
		}
	case RequestAway:
		if site == nil || r.Device != "" || r.Value < 0 || r.Value > 10 {
			return fmt.Errorf("%s: %v K is no absence of a site, 0 to 10 K colder", what, r.Value)
		}
	case RequestAvailable, RequestLockOut:
		if dev := d.Device(r.Site, r.Device); dev == nil || !dev.Control || r.Value != 0 && r.Value != 1 {
			return fmt.Errorf("%s: want 0 or 1 of a device under control, got %v", what, r.Value)
		}
	default:
		return fmt.Errorf("%s: unknown kind", what)
	}
	return nil
}

// Request puts requests in force, all or none, and returns the values that they replace, NaN where none was in force. The next round of dispatch obeys them.
// One that repeats the value in force refreshes it.
func (s *Scheduler) Request(rs ...Request) (before []float64, err error) {
	for _, r := range rs {
		if err := s.check(r); err != nil {
			return nil, err
		}
	}
	changed := false
	var given, over []order.Order
	s.mu.Lock()
	for _, r := range rs {
		r.Until = r.until()
		old, ok := s.requests[r.key()]
		ok = ok && old.Until.After(s.cfg.Wall())
		if ok && old.Value == r.Value {
			r.Since, r.order = old.Since, old.order
		} else {
			changed = true
			g, o := s.asked(&r, s.cfg.Now())
			given, over = append(given, g...), append(over, o...)
		}
		before = append(before, valueOr(old, ok))
		s.requests[r.key()] = r
	}
	s.mu.Unlock()
	s.kept(given, over)
	s.told(over, OrderOver)
	s.told(given, OrderGiven)
	if changed {
		s.Wake()
	}
	return before, nil
}

// keptWithin is how long a request that is not repeated waits for the record. It holds from before that on, and is saved later where the disk takes longer.
const keptWithin = 2 * time.Second

// kept saves orders of requests that nobody repeats before who asked hears that they hold: others are asked for again after a crash.
func (s *Scheduler) kept(orders ...[]order.Order) {
	if slices.ContainsFunc(slices.Concat(orders...), func(o order.Order) bool { return o.Kind == order.LockOut }) {
		ctx, cancel := context.WithTimeout(context.Background(), keptWithin)
		defer cancel()
		s.flush(ctx)
	}
}

// until is when a request lapses: a lock-out does not. Somebody works on the device whether their building system speaks or not.
func (r Request) until() time.Time {
	if r.Kind == RequestLockOut && r.Value != 0 {
		return r.Since.AddDate(100, 0, 0)
	}
	return r.Until
}

// Withdraw ends a request and returns its value, NaN when none was in force.
func (s *Scheduler) Withdraw(kind RequestKind, site, device string) float64 {
	s.mu.Lock()
	k := requestKey{kind, site, device}
	old, ok := s.requests[k]
	delete(s.requests, k)
	over := s.finish(old.order, order.EndedBy, old.Actor, s.cfg.Now())
	over = append(over, s.unsilence(kind, site, old.Actor, s.cfg.Now())...)
	s.mu.Unlock()
	s.kept(over)
	s.told(over, OrderOver)
	if ok || len(over) > 0 {
		s.Wake()
	}
	return valueOr(old, ok && old.Until.After(s.cfg.Wall()))
}

func valueOr(r Request, ok bool) float64 {
	if !ok {
		return math.NaN()
	}
	return r.Value
}

// Requests lists the requests in force, in a fixed order.
func (s *Scheduler) Requests() []Request {
	now := s.cfg.Wall()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Request
	for _, r := range s.requests {
		if r.Until.After(now) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b Request) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Kind, b.Kind))
	})
	return out
}

// lapse forgets the requests that nobody refreshed, tells of each, and asks for a plan without them.
func (s *Scheduler) lapse(wall time.Time) {
	var gone []Request
	var over, given []order.Order
	s.mu.Lock()
	for k, r := range s.requests {
		if !r.Until.After(wall) {
			delete(s.requests, k)
			gone = append(gone, r)
			over = append(over, s.finish(r.order, order.Lapsed, r.Actor, s.cfg.Now())...)
			given = append(given, s.silence(r, s.cfg.Now())...)
		}
	}
	s.mu.Unlock()
	if len(gone) == 0 {
		return
	}
	for _, r := range gone {
		if s.cfg.Lapsed != nil {
			s.cfg.Lapsed(r)
		}
	}
	s.told(over, OrderOver)
	s.told(given, OrderGiven)
	s.Wake()
}

// limits are what holds now of a site, or of the district for an empty id: the tightest of the configured limits and of those that are ordered.
func (s *Scheduler) limits(siteID string) (importKW, exportKW float64) {
	importKW, exportKW = s.cfg.District.ImportLimitKW, s.cfg.District.ExportLimitKW
	if site := s.cfg.District.Site(siteID); site != nil {
		importKW, exportKW = site.ImportLimitKW, site.ExportLimitKW
	}
	now := s.cfg.Now()
	for _, o := range s.inForce(order.ImportLimit, siteID, "", now) {
		importKW = math.Min(importKW, o.Value)
	}
	for _, o := range s.inForce(order.ExportLimit, siteID, "", now) {
		exportKW = math.Min(exportKW, o.Value)
	}
	return importKW, exportKW
}

// unlimitedKW is above what any district draws or feeds.
const unlimitedKW = 1e5

// districtPowerKW is the net power of the whole district: what its transformer station meters, else the sum of its sites.
func districtPowerKW(d *district.District, st observe.State) observe.Value {
	sum, n := observe.Value{OK: true}, 0
	for _, dev := range d.Devices {
		if dev.Kind == district.Substation {
			p := st.Devices[observe.Key{Site: district.DistrictSite, Device: dev.ID}].PowerKW
			sum.V, sum.OK, n = sum.V+p.V, sum.OK && p.OK, n+1
		}
	}
	if n > 0 {
		return sum
	}
	for i := range d.Sites {
		p := st.SitePowerKW(&d.Sites[i])
		sum.V, sum.OK = sum.V+p.V, sum.OK && p.OK
	}
	return sum
}
