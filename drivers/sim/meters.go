package sim

import (
	"math"

	"quartier/schemas/district"
)

// meter is a grid, load or substation meter: it counts what it is given.
type meter struct {
	machine
	passive
	kw float64
}

func (m *meter) advance(e *env) { m.count(m.kw, e) }

func (m *meter) value(point string) (float64, bool) {
	if point == district.StatusState {
		return 1, true
	}
	return m.common(point)
}

// substation adds what the cables and the transformer between the sites and its meter lose.
type substation struct {
	meter
	t                  Transformer
	importKW, exportKW float64 // contracted limits that its controller shows; +Inf without
	lossKWh            float64
}

func (s *substation) advance(e *env) {
	loss := s.t.NoLoadKW
	if s.t.RatedKVA > 0 {
		x := s.kw / s.t.RatedKVA
		loss += s.t.LoadKW * x * x
	}
	s.lossKWh += loss * e.hours
	s.kw += loss
	s.meter.advance(e)
}

func (s *substation) value(point string) (float64, bool) {
	switch point {
	case "transformer_c":
		if s.t.RatedKVA == 0 {
			return 0, false
		}
		x := s.powerKW / s.t.RatedKVA
		return 28 + 40*x*x, true
	case "import_limit_kw":
		return s.importKW, !math.IsInf(s.importKW, 0)
	case "export_limit_kw":
		return s.exportKW, !math.IsInf(s.exportKW, 0)
	}
	return s.meter.value(point)
}

// heatMeter counts the heat of a heat pump.
type heatMeter struct {
	machine
	passive
	of *heatPump
}

func (h *heatMeter) advance(*env) {}

func (h *heatMeter) value(point string) (float64, bool) {
	switch point {
	case district.HeatKW, district.HeatKWh, district.SupplyC, district.ReturnC:
		return h.of.value(point)
	}
	return 0, false
}

// weatherStation reports the weather of the district.
type weatherStation struct {
	machine
	passive
	outdoorC, ghi float64
}

func (w *weatherStation) advance(e *env) { w.outdoorC, w.ghi = e.outdoorC, e.ghi }

func (w *weatherStation) value(point string) (float64, bool) {
	switch point {
	case district.OutdoorC:
		return math.Round(w.outdoorC*10) / 10, true
	case district.IrradianceWm2:
		return math.Round(w.ghi), true
	}
	return 0, false
}

var _ = []physics{&inverter{}, &battery{}, &heatPump{}, &tank{}, &charger{}, &meter{}, &substation{}, &heatMeter{}, &boiler{}, &weatherStation{}}
