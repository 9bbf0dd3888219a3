package sim

import (
	"math"

	"quartier/schemas/district"
)

const (
	heatingLimitC = 16.0 // outdoor temperature above which a building is not heated
	gasKWhPerM3   = 11.2 // what a cubic metre holds, gross
)

// boiler is the heat that a building takes from a network, or from gas, as its meter counts it: a base for hot water that follows the hours of the day, and heating by the outdoor temperature,
// lowered at night. The counter is the machine's import, in kWh.
type boiler struct {
	machine
	passive
	baseKW, kwPerK float64
}

func (b *boiler) advance(e *env) {
	hour := float64(e.local.Hour()) + float64(e.local.Minute())/60
	draw := 0.3 + 1.4*math.Exp(-(hour-7.5)*(hour-7.5)/3) + 1.2*math.Exp(-(hour-19.5)*(hour-19.5)/5) // mean of about 0.8
	night := 1.0
	if hour < 5 || hour >= 22 {
		night = 0.65
	}
	b.sub = e.substituted
	b.count(b.baseKW*draw+b.kwPerK*night*math.Max(0, heatingLimitC-e.outdoorC), e)
}

func (b *boiler) value(point string) (float64, bool) {
	gas := b.dev.Kind == district.GasMeter
	switch point {
	case district.HeatKW:
		return b.powerKW, !gas
	case district.HeatKWh:
		return b.importKWh, !gas
	case district.GasM3:
		return b.importKWh / gasKWhPerM3, gas
	case district.SupplyC:
		return 82, !gas
	case district.ReturnC:
		return 48, !gas
	}
	return 0, false
}

// counted sets the counter to what its meter showed.
func (b *boiler) counted(point string, v float64) {
	if point == district.GasM3 {
		v *= gasKWhPerM3
	}
	b.importKWh = v
}

// yearlyKWh is about what it takes in a year.
func (b *boiler) yearlyKWh() float64 { return 7000*b.baseKW + 55_000*b.kwPerK }
