package dispatch

import (
	"math"
	"sync"
	"time"

	"quartier/schemas/district"
)

// ReleaseAfter is for how long, on the district's clock, a limit must have needed nothing of a device before that gets its own control back.
const ReleaseAfter = 5 * time.Minute

// Guard remembers which devices a limit holds back, and what they would take without it. Its methods may be called from several goroutines.
type Guard struct {
	mu   sync.Mutex
	held map[string]*heldBack // by site/device
}

type heldBack struct {
	freeKW float64   // what the device would take without the limit, positive into it
	kw     float64   // what it was told last
	bound  time.Time // when the limit last held it back
	tight  time.Time // when it last did about as much as it was told
}

// NewGuard returns a guard that holds nothing back.
func NewGuard() *Guard { return &Guard{held: map[string]*heldBack{}} }

func (w *Wish) key() string { return w.Site + "/" + w.Device }

// Free returns what a device would do on its own: what it does now, or while it is held back what it would take without the limit. held says which.
func (g *Guard) Free(w *Wish, now time.Time) (kw float64, held bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.held[w.key()]
	if h == nil {
		return w.MeasuredKW, false
	}
	if slack := math.Max(0.2, 0.05*math.Max(math.Abs(w.MinKW), w.MaxKW)); math.Abs(w.MeasuredKW) >= math.Abs(h.kw)-slack {
		h.tight = now
	}
	if now.Sub(h.bound).Abs() >= ReleaseAfter || now.Sub(h.tight).Abs() >= ReleaseAfter { // also when the clock was set
		delete(g.held, w.key())
		return w.MeasuredKW, false
	}
	return clamp(h.freeKW, w.MinKW, w.MaxKW), true
}

// Told notes what a device was told, and whether a limit held it back by that. freeKW is what it would take without the limit, positive into it.
func (g *Guard) Told(w *Wish, freeKW float64, bound bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.held[w.key()]
	if h == nil {
		if !bound {
			return
		}
		h = &heldBack{freeKW: freeKW, tight: now}
		g.held[w.key()] = h
	}
	if math.Abs(w.WantedKW-h.kw) > 1e-9 {
		h.tight = now // it takes a moment to follow
	}
	h.kw = w.WantedKW
	if bound {
		h.bound = now
	}
}

// Blind notes a device that is held back by a limit of which nobody can measure whether it is in need: when measurements come back it is not let go at once.
func (g *Guard) Blind(w *Wish, freeKW float64, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held[w.key()] = &heldBack{freeKW: freeKW, kw: w.WantedKW, bound: now, tight: now}
}

// Blind changes the wishes behind a connection of which nobody knows what it carries to what its limits allow in any case, see the table of the package; +Inf is
// no limit. The wishes of chargers are first what their safe current stands for. reason says why, of whose limit it is.
func Blind(wishes []*Wish, importLimitKW, exportLimitKW float64, reason, of string) {
	cars, sun := 0.0, 0.0
	for _, w := range wishes {
		switch w.Kind {
		case district.EVCharger:
			cars += w.MaxKW
		case district.PV:
			sun += w.RatedKW
		}
	}
	for _, w := range wishes {
		before := w.WantedKW
		limitKW, what := importLimitKW, "import"
		switch {
		case w.Kind == district.EVCharger && !math.IsInf(importLimitKW, 1):
			w.WantedKW = math.Min(before, share(importLimitKW/2, w.MaxKW, cars))
		case w.Kind == district.Battery && !math.IsInf(importLimitKW, 1) && before > 0:
			w.WantedKW = 0
		case w.Kind == district.Battery && !math.IsInf(exportLimitKW, 1) && before < 0:
			w.WantedKW = 0
			limitKW, what = exportLimitKW, "export"
		case w.Kind == district.PV && !math.IsInf(exportLimitKW, 1):
			w.WantedKW, w.Raised = math.Max(before, -share(exportLimitKW, w.RatedKW, sun)), true
			limitKW, what = exportLimitKW, "export"
		case w.Kind == district.Battery && !math.IsInf(importLimitKW, 1):
		case w.Kind == district.Battery && !math.IsInf(exportLimitKW, 1):
			limitKW, what = exportLimitKW, "export"
		default:
			continue
		}
		w.Safe, w.Reason = true, reason+", "+limitText(what, limitKW, of)
	}
}

func share(kw, of, sum float64) float64 {
	if sum <= 0 {
		return 0
	}
	return kw * of / sum
}
