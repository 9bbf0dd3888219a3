// Package units holds the physical and monetary quantities that every other package speaks of, and their conversions.
//
// Power is kW, energy kWh, temperature °C, money EUR, carbon intensity gCO2e/kWh, carbon mass kg CO2e. Power is positive into
// a device (load convention): a battery charges at +, a solar inverter produces at −. Accounts that must close exactly are kept in
// integer watt-hours ([WattHours]); everything else is float64.
//
// A defined type for each quantity makes swapping two of them a compile error. It does not catch adding a shared energy to a
// metered one: names do that. The package does no I/O and imports nothing of Quartier.
package units

import (
	"math"
	"time"
)

// Power is a mean or instantaneous power in kW, positive into a device.
type Power float64

// Energy is an amount of energy in kWh.
type Energy float64

// WattHours is an exact amount of energy in whole watt-hours, the unit in which balances are kept and closed.
type WattHours int64

// Celsius is a temperature in °C.
type Celsius float64

// Money is an amount in EUR.
type Money float64

// Price is a price in EUR per kWh; it may be negative.
type Price float64

// CarbonIntensity is in gCO2e per kWh.
type CarbonIntensity float64

// CarbonMass is in kg CO2e.
type CarbonMass float64

// Share is a dimensionless share in [0, 1], such as a state of charge.
type Share float64

// Over returns the energy moved by p held constant for d. No other line multiplies kW by hours.
func (p Power) Over(d time.Duration) Energy { return Energy(float64(p) * d.Hours()) }

// Mean returns the constant power that moves e in d; d must be above zero.
func (e Energy) Mean(d time.Duration) Power { return Power(float64(e) / d.Hours()) }

// WattHours rounds e to the nearest whole watt-hour, halves away from zero.
func (e Energy) WattHours() WattHours { return WattHours(math.Round(float64(e) * 1000)) }

// Energy returns w in kWh.
func (w WattHours) Energy() Energy { return Energy(w) / 1000 }

// KWh returns w as a plain number of kWh.
func (w WattHours) KWh() float64 { return float64(w) / 1000 }

// Cost returns what energy e costs at price p; it is negative for a credit.
func (e Energy) Cost(p Price) Money { return Money(float64(e) * float64(p)) }

// Emission returns the carbon that energy e carries at intensity c.
func (e Energy) Emission(c CarbonIntensity) CarbonMass {
	return CarbonMass(float64(e) * float64(c) / 1000)
}

// Kelvin returns the absolute temperature of c in K.
func (c Celsius) Kelvin() float64 { return float64(c) + 273.15 }
