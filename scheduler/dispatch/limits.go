package dispatch

import (
	"fmt"
	"math"

	"quartier/schemas/district"
)

// Wish is what the plan wants of one controllable device now, and what it could do instead.
type Wish struct {
	Site, Device string
	Kind         district.Kind
	WantedKW     float64 // positive into the device
	MeasuredKW   float64 // what it does now
	MinKW, MaxKW float64 // what it can do, positive into the device; MinKW <= 0 <= MaxKW
	RatedKW      float64 // of a solar inverter, the power that it can deliver at most, positive
	Reason       string
	Changed      bool // a limit changed WantedKW
	Raised       bool // it was lifted by that: less is fed
	Safe         bool // WantedKW is a safe state in place of a plan
	Follows      bool // WantedKW answers what is measured, anew in every round
	Stubborn     bool // the device does not do what it was told: a command is repeated although it stands already

	// Of a consumer, what it may take of a feed that nothing else takes up, and the least at which it runs; 0: it may take nothing, by its comfort, its temperature, its car or its quiet hours.
	TakeKW, LeastKW float64
	TakenKW         float64 // by how much WantedKW was lifted so
}

// Group are the wishes of one site, with its measured net power and its limits.
type Group struct {
	Wishes                       []*Wish
	NetKW                        float64 // positive when the site draws; it holds what the devices do now
	ImportLimitKW, ExportLimitKW float64
}

// expected is the site's net power once its wishes are fulfilled; the rest is taken to stay as it is.
func (g Group) expected() float64 {
	kw := g.NetKW
	for _, w := range g.Wishes {
		kw += w.WantedKW - w.MeasuredKW
	}
	return kw
}

// Who gives way first when too much is drawn, comfort last, and when too much is fed; who takes what is fed all the same, such as by an inverter that does not hear.
var (
	shedOrder   = []district.Kind{district.EVCharger, district.Battery, district.WaterHeater, district.HeatPump}
	absorbOrder = []district.Kind{district.Battery, district.PV}
	takeOrder   = []district.Kind{district.EVCharger, district.WaterHeater, district.HeatPump}
)

// Hold changes the wishes of one site so that its net power stays within [-exportLimitKW, importLimitKW] as far as its devices can.
//
// netKW is the measured net power, which holds what the devices do now; the rest is taken to stay as it is. Too much draw is met by charging cars, then
// batteries (down to full discharge), then water heaters and heat pumps; too much feed by charging batteries more, then by limiting the
// sun, at last by cars, water heaters and heat pumps that may take it. It returns by how much the limit would still be passed, kW, 0 when it is kept.
func Hold(wishes []*Wish, netKW, importLimitKW, exportLimitKW float64) (overKW float64) {
	alone := Group{Wishes: wishes, NetKW: netKW, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}
	return HoldTogether([]Group{alone}, netKW, importLimitKW, exportLimitKW, "")
}

// HoldTogether does the same for several sites behind one boundary, whose measured net power netKW is: no site is brought over a limit of its own by it. of
// says whose limit it is in the reasons, such as " of the district".
func HoldTogether(sites []Group, netKW, importLimitKW, exportLimitKW float64, of string) (overKW float64) {
	urge(sites, netKW-importLimitKW, limitText("import", importLimitKW, of))
	expected := netKW
	for _, g := range sites {
		expected += g.expected() - g.NetKW
	}
	if over := expected - importLimitKW; over > 1e-9 {
		reason := limitText("import", importLimitKW, of)
		for _, kind := range shedOrder {
			for _, g := range sites {
				over -= g.move(kind, -1, over, reason)
			}
		}
		return math.Max(0, over)
	}
	if over := -expected - exportLimitKW; over > 1e-9 {
		reason := limitText("export", exportLimitKW, of)
		for _, kind := range absorbOrder {
			for _, g := range sites {
				over -= g.move(kind, 1, over, reason)
			}
		}
		return take(sites, math.Max(0, over), importLimitKW+exportLimitKW, reason)
	}
	return 0
}

// urge marks wishes that lower what is drawn, in the order in which devices give way, while more is drawn than a limit allows: a minimum hold, which spares a machine, would otherwise keep them
// from what the plan wants anyway, and the limit would be passed as long.
func urge(sites []Group, overKW float64, reason string) {
	for _, kind := range shedOrder {
		for _, g := range sites {
			for _, w := range g.Wishes {
				if less := w.MeasuredKW - w.WantedKW; overKW > 1e-9 && w.Kind == kind && !w.Changed && less > 0.05 {
					w.Changed, w.Reason = true, reason
					overKW -= less
				}
			}
		}
	}
}

func limitText(direction string, kw float64, of string) string {
	return fmt.Sprintf("%s limit %.1f kW%s", direction, kw, of)
}

// move lowers (sign -1) or lifts (1) the devices of a kind by up to kw, within what they can do and within the site's limit in that direction, and returns by how much.
func (g Group) move(kind district.Kind, sign, kw float64, reason string) (moved float64) {
	room := kw
	if sign < 0 && !math.IsInf(g.ExportLimitKW, 1) {
		room = math.Min(room, g.expected()+g.ExportLimitKW)
	}
	if sign > 0 && !math.IsInf(g.ImportLimitKW, 1) {
		room = math.Min(room, g.ImportLimitKW-g.expected())
	}
	for _, w := range g.Wishes {
		if w.Kind != kind || room <= 1e-9 {
			continue
		}
		end := 0.0 // a load is switched off, the sun limited to nothing; a battery goes the whole way
		switch {
		case kind == district.Battery && sign < 0:
			end = w.MinKW
		case kind == district.Battery:
			end = w.MaxKW
		}
		step := math.Min(room, math.Max(0, sign*(end-w.WantedKW)))
		if step > 0 {
			w.WantedKW += sign * step
			w.Changed, w.Raised, w.Reason = true, sign > 0, reason
			moved, room = moved+step, room-step
		}
	}
	return moved
}

// worthTaking is the power beyond a limit, kW, for which no consumer is switched on: less than steps of commands and meters tell.
const worthTaking = 0.05

// take has consumers take what is fed by over kW beyond the export limit, none more than it may nor less than it can, and no site nor all together more than may be drawn, which is betweenKW above that limit. Who
// runs already comes first, so that none is switched to and fro; then those that fit; where none can run so low, the one that draws least beyond. It returns by how much the limit is still passed.
func take(sites []Group, over, betweenKW float64, reason string) float64 {
	for over > worthTaking {
		var best *Wish
		more, fits := math.Inf(1), false
		for _, kind := range takeOrder {
			for _, g := range sites {
				for _, w := range g.Wishes {
					if w.Kind != kind || w.TakeKW < w.LeastKW || w.TakeKW <= w.WantedKW {
						continue
					}
					step := math.Max(w.LeastKW, math.Min(w.TakeKW, w.WantedKW+over)) - w.WantedKW
					if step <= 1e-9 || step > math.Min(betweenKW+over, g.ImportLimitKW-g.expected()) {
						continue
					}
					fit := step <= over+1e-9
					better := best == nil
					switch {
					case better:
					case w.runs() != best.runs():
						better = w.runs()
					case fit != fits:
						better = fit
					default:
						better = !fit && step < more
					}
					if better {
						best, more, fits = w, step, fit
					}
				}
			}
		}
		if best == nil {
			return over
		}
		best.WantedKW, best.TakenKW = best.WantedKW+more, best.TakenKW+more
		best.Changed, best.Raised, best.Reason = true, true, reason
		over -= more
	}
	return math.Max(0, over)
}

func (w *Wish) runs() bool { return w.MeasuredKW > 0.05 }
