package scheduler

import (
	"math"
	"slices"

	"quartier/schemas/district"
)

// The digits after the point that the record keeps of a plan: a tenth of a watt, of a watt-hour, of a thousandth of a degree; and a ten-thousandth of a cent.
const (
	keptDigits      = 4
	keptPriceDigits = 6
)

// forRecord is a plan as the record has it: plans are kept for years, every few minutes one, and what a solver leaves beyond these digits is noise that takes most of their room. The plan itself, which
// is followed, is not changed, nor are its sums of money.
func forRecord(p *district.Plan) *district.Plan {
	out := *p
	out.ImportKW, out.ExportKW, out.CarbonGPerKWh = keepDigits(p.ImportKW, keptDigits), keepDigits(p.ExportKW, keptDigits), keepDigits(p.CarbonGPerKWh, keptDigits)
	out.Price, out.ImportPrice, out.ExportPrice = keepDigits(p.Price, keptPriceDigits), keepDigits(p.ImportPrice, keptPriceDigits), keepDigits(p.ExportPrice, keptPriceDigits)
	out.Sites = slices.Clone(p.Sites)
	for i := range out.Sites {
		s := &out.Sites[i]
		s.LoadKW, s.NetKW, s.Price = keepDigits(s.LoadKW, keptDigits), keepDigits(s.NetKW, keptDigits), keepDigits(s.Price, keptPriceDigits)
		s.Devices = slices.Clone(s.Devices)
		for k := range s.Devices {
			d := &s.Devices[k]
			d.PowerKW, d.EnergyKWh, d.TemperatureC = keepDigits(d.PowerKW, keptDigits), keepDigits(d.EnergyKWh, keptDigits), keepDigits(d.TemperatureC, keptDigits)
		}
	}
	return &out
}

// keepDigits rounds values to digits after the point, none to a zero with a sign; nil stays nil.
func keepDigits(list []float64, digits int) []float64 {
	if list == nil {
		return nil
	}
	out, scale := make([]float64, len(list)), math.Pow10(digits)
	for i, v := range list {
		if out[i] = math.Round(v*scale) / scale; out[i] == 0 {
			out[i] = 0
		}
	}
	return out
}
