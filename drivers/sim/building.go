package sim

import "math"

// building has two masses: the air with furniture, and the structure. Sun and people warm the air first; most of the heat leaves
// through the structure, some directly with the air.
type building struct {
	airC, structureC    float64
	airKWhPerK          float64
	structureKWhPerK    float64
	ventilationKWPerK   float64 // air to outside
	exchangeKWPerK      float64 // air to structure
	envelopeKWPerK      float64 // structure to outside
	solarKWPerWm2       float64 // solar gain per irradiance
	enteredKWh, leftKWh float64 // since the beginning, for the closing of its balance
}

// newBuilding divides a thermal resistance and capacity, as a survey would state them for the whole house, over the two masses.
func newBuilding(resistanceKPerKW, capacityKWhPerK float64) building {
	h := 1 / resistanceKPerKW
	b := building{airKWhPerK: 0.14 * capacityKWhPerK, structureKWhPerK: 0.92 * capacityKWhPerK, ventilationKWPerK: 0.35 * h, exchangeKWPerK: 7 * h}
	b.envelopeKWPerK = 1 / (1/(0.65*h) - 1/b.exchangeKWPerK)
	b.solarKWPerWm2 = h * 0.0035
	b.airC, b.structureC = 20.5, 19.5
	return b
}

// advance moves both temperatures by a step with heat of the emitters, internal gains (kW) and sun (W/m²). It is an implicit step: stable
// at any length, and what flows at its end is what is counted.
func (b *building) advance(heatKW, gainsKW, ghi, outdoorC, hours float64) {
	vent := b.ventilationKWPerK
	if b.airC > 25 && outdoorC < b.airC { // windows are opened
		vent *= 5
	}
	sun := b.solarKWPerWm2 * ghi
	qa := 0.7*heatKW + 0.8*gainsKW + 0.4*sun
	qs := 0.3*heatKW + 0.2*gainsKW + 0.6*sun
	a11 := b.airKWhPerK/hours + vent + b.exchangeKWPerK
	a22 := b.structureKWhPerK/hours + b.exchangeKWPerK + b.envelopeKWPerK
	a12 := -b.exchangeKWPerK
	r1 := b.airKWhPerK/hours*b.airC + vent*outdoorC + qa
	r2 := b.structureKWhPerK/hours*b.structureC + b.envelopeKWPerK*outdoorC + qs
	det := a11*a22 - a12*a12
	b.airC, b.structureC = (r1*a22-a12*r2)/det, (a11*r2-a12*r1)/det
	b.enteredKWh += (heatKW + gainsKW + sun) * hours
	b.leftKWh += (vent*(b.airC-outdoorC) + b.envelopeKWPerK*(b.structureC-outdoorC)) * hours
}

// lossKW is the steady loss at an indoor temperature.
func (b *building) lossKW(indoorC, outdoorC float64) float64 {
	h := b.ventilationKWPerK + 1/(1/b.exchangeKWPerK+1/b.envelopeKWPerK)
	return math.Max(0, h*(indoorC-outdoorC))
}

func (b *building) storedKWh() float64 {
	return b.airKWhPerK*b.airC + b.structureKWhPerK*b.structureC
}
