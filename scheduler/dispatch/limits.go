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
	Reason       string
	Changed      bool // a limit changed WantedKW
}

// shedOrder says who gives way first when a site would draw too much: comfort last.
var shedOrder = []district.Kind{district.EVCharger, district.Battery, district.WaterHeater, district.HeatPump}

// Hold changes the wishes of one site so that its net power stays within [-exportLimitKW, importLimitKW] as far as its devices can.
//
// netKW is the measured net power, which holds what the devices do now; the rest is taken to stay as it is. Too much draw is met by charging cars, then
// batteries (down to full discharge), then water heaters and heat pumps; too much feed by charging batteries more, then by limiting the
// sun. It returns by how much the limit would still be passed, kW, 0 when it is kept.
func Hold(wishes []*Wish, netKW, importLimitKW, exportLimitKW float64) (overKW float64) {
	expected := netKW
	for _, w := range wishes {
		expected += w.WantedKW - w.MeasuredKW
	}
	if over := expected - importLimitKW; over > 1e-9 {
		for _, kind := range shedOrder {
			for _, w := range wishes {
				if w.Kind != kind || over <= 1e-9 {
					continue
				}
				low := 0.0
				if kind == district.Battery {
					low = w.MinKW
				}
				cut := math.Min(over, math.Max(0, w.WantedKW-low))
				if cut > 0 {
					w.WantedKW -= cut
					w.Changed = true
					w.Reason = fmt.Sprintf("import limit %.1f kW", importLimitKW)
					over -= cut
				}
			}
		}
		return math.Max(0, over)
	}
	if over := -expected - exportLimitKW; over > 1e-9 {
		for _, kind := range []district.Kind{district.Battery, district.PV} {
			for _, w := range wishes {
				if w.Kind != kind || over <= 1e-9 {
					continue
				}
				high := w.MaxKW
				if kind == district.PV {
					high = 0
				}
				add := math.Min(over, math.Max(0, high-w.WantedKW))
				if add > 0 {
					w.WantedKW += add
					w.Changed = true
					w.Reason = fmt.Sprintf("export limit %.1f kW", exportLimitKW)
					over -= add
				}
			}
		}
		return math.Max(0, over)
	}
	return 0
}
