package dispatch

import (
	"fmt"
	"math"
	"time"

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
	Tight        bool // as far as what may be drawn leaves room: its command must not end above it
	Safe         bool // WantedKW is a safe state in place of a plan
	Follows      bool // WantedKW answers what is measured, anew in every round
	Stubborn     bool // the device does not do what it was told: a command is repeated although it stands already

	// Of a device that goes on for the sake of its machine or of a register, see Keep: why, what is wanted in place of it and what it goes on with, and how long that takes at least and is left.
	Keeps                 string
	MeantKW, KeptKW       float64
	KeepsLeast, KeepsLeft time.Duration

	StepKW float64 // of a consumer, between its commands; 0: it takes any power, or is on or off

	// Of a charging point that is steered at a limit of import, what is kept below that for its steps and those of the meters, and the least at which it charges: it is not stopped for a reserve, and keeps none
	// where either is 0. No other kind of device keeps one: a building's comfort and a battery's plan do not give way to what may be.
	ReserveKW, RunsKW float64
	SparedKW          float64 // by how much WantedKW was lowered for a reserve, of its site's limit or the district's

	// Of a consumer, what it may take of a feed that nothing else takes up, and the least at which it runs; 0: it may take nothing, by its comfort, its temperature, its car or its quiet hours.
	TakeKW, LeastKW float64
	Sated           bool    // it has not done what it may for a while, and counts with what it does: a full car, a heat pump that its own control holds back
	StaysFor        string  // the limit for which it took a feed until lately, see TookFor: it goes on at its least for that, so that no machine is switched to and fro
	TakenKW         float64 // by how much WantedKW was lifted so
	TookFor         string  // the limit that asked for that, whatever its value
}

// Group are the wishes of one site, with its measured net power and its limits.
type Group struct {
	Wishes                       []*Wish
	NetKW                        float64 // positive when the site draws; it holds what the devices do now
	RiseKW                       float64 // by which it will be higher, beside its wishes, before a command that is sent now shows
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

// unmet is what of its wishes is not drawn: it must find room under a limit of import, and relieves no limit of export.
func (g Group) unmet() (kw float64) {
	for _, w := range g.Wishes {
		kw += w.WantedKW - w.draws(w.WantedKW)
	}
	return kw
}

// draws is what comes of a power that a device is told.
func (w *Wish) draws(kw float64) float64 {
	if w.Sated {
		return math.Min(kw, math.Max(0, w.MeasuredKW))
	}
	return kw
}

// together is the net power of sites behind one boundary once their wishes are fulfilled; now it is netKW.
func together(sites []Group, netKW float64) float64 {
	for _, g := range sites {
		netKW += g.expected() - g.NetKW
	}
	return netKW
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
// sun, at last by cars, water heaters and heat pumps that may take it, which then go on for a while. It returns by how much the limit would still be passed, kW, 0 when it is kept.
func Hold(wishes []*Wish, netKW, importLimitKW, exportLimitKW float64) (overKW float64) {
	alone := Group{Wishes: wishes, NetKW: netKW, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}
	return HoldTogether([]Group{alone}, netKW, importLimitKW, exportLimitKW, "")
}

// HoldTogether does the same for several sites behind one boundary, whose measured net power netKW is: no site is brought over a limit of its own by it. of
// says whose limit it is in the reasons, such as " of the district".
func HoldTogether(sites []Group, netKW, importLimitKW, exportLimitKW float64, of string) (overKW float64) {
	urge(sites, netKW-importLimitKW, limitText("import", importLimitKW, of))
	expected := together(sites, netKW)
	if over := expected - importLimitKW; over > 1e-9 {
		reason := limitText("import", importLimitKW, of)
		for _, kind := range shedOrder {
			for _, g := range sites {
				over -= g.move(kind, -1, over, reason)
			}
		}
		spare(sites, netKW, importLimitKW, exportLimitKW, reason)
		return math.Max(0, over)
	}
	spare(sites, netKW, importLimitKW, exportLimitKW, limitText("import", importLimitKW, of))
	expected = together(sites, netKW)
	for _, g := range sites {
		expected -= g.unmet()
	}
	reason := limitText("export", exportLimitKW, of)
	over := -expected - exportLimitKW
	for _, kind := range absorbOrder {
		for _, g := range sites {
			over -= g.move(kind, 1, over, reason)
		}
	}
	over -= giveBack(sites, over, reason)
	over = take(sites, math.Max(0, over), netKW, importLimitKW, reason, "export"+of)
	if !math.IsInf(exportLimitKW, 1) {
		over -= stay(sites, netKW, importLimitKW, reason, "export"+of)
	}
	return math.Max(0, over)
}

// riseShare is the share of what cars are about to draw that they keep below a limit at most for what else rises: a wrong foresight costs no more than that.
const riseShare = 0.25

// spare lowers cars that are steered at a limit of import to a reserve below it: what the steps of commands and meters hide, and what else is about to be drawn until a command shows. What is wished and not
// drawn is a reserve already. Where the limit has room nobody is lowered, and nobody so far that more would be fed than may be.
func spare(sites []Group, netKW, importLimitKW, exportLimitKW float64, reason string) {
	rise, charging := 0.0, 0.0
	for _, g := range sites {
		rise += g.RiseKW
		for _, w := range g.Wishes {
			if w.spares() {
				charging += w.draws(w.WantedKW)
			}
		}
	}
	rise = math.Max(0, math.Min(rise, riseShare*charging))
	for _, g := range sites {
		for _, w := range g.Wishes {
			if !w.spares() {
				continue
			}
			drawn := together(sites, netKW)
			for _, one := range sites {
				drawn -= one.unmet()
			}
			reserve := w.ReserveKW + rise
			less := drawn + reserve - importLimitKW
			if less <= 1e-9 {
				continue
			}
			draws, most := w.draws(w.WantedKW), math.Min(drawn+exportLimitKW, g.expected()-g.unmet()+g.ExportLimitKW) // by which it may be lowered
			told := math.Max(w.RunsKW, math.Max(w.down(draws-less), w.up(draws-math.Max(0, most))))
			if told < w.draws(w.down(w.WantedKW))-1e-9 {
				w.WantedKW, w.SparedKW = told, w.SparedKW+w.WantedKW-told
				w.Changed, w.Reason = true, fmt.Sprintf("%s, %.2f kW in reserve", reason, reserve)
			}
		}
	}
}

// giveBack has cars that were lowered for a reserve draw it where over kW more would be fed than may be, and returns by how much less is fed: a site that keeps a reserve below its own limit knows
// nothing of the district's, and what may be passed comes after what is.
func giveBack(sites []Group, over float64, reason string) (less float64) {
	for _, g := range sites {
		for _, w := range g.Wishes {
			if w.SparedKW <= 0 || over-less <= 1e-9 {
				continue
			}
			told := math.Min(w.WantedKW+w.SparedKW, w.up(w.WantedKW+over-less))
			gain := w.draws(told) - w.draws(w.WantedKW)
			if gain <= 1e-9 {
				continue
			}
			w.WantedKW, w.SparedKW = told, w.SparedKW-(told-w.WantedKW)
			w.Changed, w.Reason = true, reason
			less += gain
		}
	}
	return less
}

// spares reports whether a wish is of a car that keeps a reserve.
func (w *Wish) spares() bool {
	return w.Kind == district.EVCharger && w.ReserveKW > 0 && w.RunsKW > 0 && !w.Raised
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
	room, tight := kw, false
	if sign < 0 {
		room = math.Min(room, g.expected()+g.ExportLimitKW)
	}
	if left := g.ImportLimitKW - g.expected(); sign > 0 && left < room {
		room, tight = left, true
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
			w.Tight = tight // who is not the last of them is at its end
		}
	}
	return moved
}
