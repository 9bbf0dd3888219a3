package config

import (
	"cmp"
	"fmt"
	"time"

	"quartier/schemas/district"
)

// carrierMeter checks what a heat or gas meter counts and builds it. The days of gas contents are those of UTC: a change in the night moves nothing that a bill could tell.
func (b *builder) carrierMeter(f *Device, path string) *district.MeterParams {
	m, gas := f.Meter, f.Kind == string(district.GasMeter)
	out := &district.MeterParams{Carrier: m.Carrier, Role: district.Role(m.Role)}
	out.Carrier = cmp.Or(m.Carrier, map[bool]string{true: "gas", false: "heat"}[gas])
	if m.MaxKW != nil {
		out.MaxKW = *m.MaxKW
	}
	if out.Carrier == "electricity" {
		b.say(path+".carrier", "electricity has meters of its own kinds, such as load_meter")
	}
	if !gas && len(m.Contents) > 0 {
		b.say(path+".gas_contents", "a %s counts kWh itself", f.Kind)
	}
	if gas && len(m.Contents) == 0 {
		b.say(path, "gas_contents is missing: the energy of a cubic metre, which the supplier's bills tell")
	}
	for i := range m.Contents {
		x, at := &m.Contents[i], fmt.Sprintf("%s.gas_contents[%d]", path, i)
		c := district.GasContent{From: day(x.From, time.UTC), KWhPerM3: x.KWhPerM3, Net: x.Calorific == "net", Source: x.Source}
		if i > 0 && !c.From.After(out.Gas[i-1].From) && !c.From.IsZero() {
			b.say(at+".from", "%s is not after the row before it: rows are in order of time", x.From)
		}
		if i > 0 && c.Net != out.Gas[i-1].Net && (c.Net || x.Calorific == "gross") {
			b.say(at+".calorific", "%s, and the row before it is not: one meter has one", x.Calorific)
		}
		out.Gas = append(out.Gas, c)
	}
	return out
}
