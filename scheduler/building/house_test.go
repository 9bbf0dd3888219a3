package building

import (
	"math"
	"math/rand/v2"
	"time"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
)

var begin = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

const quarter = 15 * time.Minute

// truth is a house of two masses, which no plan knows: air with furniture, and walls. Power in kW, temperatures in °C, capacities in kWh/K.
type truth struct {
	air, walls         float64 // capacities
	vent, inner, outer float64 // air to outside, air to walls, walls to outside, kW/K
	people, sun        float64 // kW in the mean, kW at full sun
	cop                float64

	airC, wallsC float64
}

// dwelling loses 0.2 kW/K in all and holds 8.5 kWh/K, of which the air is 1.2.
func dwelling() *truth {
	t := &truth{air: 1.2, walls: 7.3, vent: 0.07, inner: 1.4, people: 0.4, sun: 1.5, cop: 3.2, airC: 20.5, wallsC: 19.8}
	t.outer = 1 / (1/0.13 - 1/t.inner)
	return t
}

// resistance is that of both ways out, K/kW.
func (h *truth) resistance() float64 { return 1 / (h.vent + 1/(1/h.inner+1/h.outer)) }

// pass lets a slot pass with so much power of the pump.
func (h *truth) pass(kw, outdoorC, sun, people float64, windows bool) {
	vent := h.vent
	if windows {
		vent += 1.5
	}
	const steps = 15
	dt := quarter.Hours() / steps
	for range steps {
		heat, gains := kw*h.cop, people+h.sun*sun
		a := vent*(outdoorC-h.airC) + h.inner*(h.wallsC-h.airC) + 0.7*heat + 0.6*gains
		w := h.inner*(h.airC-h.wallsC) + h.outer*(outdoorC-h.wallsC) + 0.3*heat + 0.4*gains
		h.airC += dt * a / h.air
		h.wallsC += dt * w / h.walls
	}
}

// life is how a house is lived in.
type life struct {
	days     int
	sensorK  float64 // resolution
	heat     func(h *truth, at time.Time, outdoorC float64) float64
	gaps     bool
	windows  bool
	noSun    bool
	outdoorC func(at time.Time) float64
	constant bool // people give the same at all hours
}

// thermostat heats by its set-point, which is lower at night, as heat pumps do that modulate: with a power that follows the weather.
func thermostat(h *truth, at time.Time, outdoorC float64) float64 {
	set := 20.5
	if at.Hour() >= 22 || at.Hour() < 5 {
		set = 19
	}
	kw := (h.resistanceLoss(set, outdoorC)-0.6*h.people)/h.cop + 2*(set-h.airC)
	if kw < 0.4 {
		return 0
	}
	return math.Min(3, kw)
}

func (h *truth) resistanceLoss(c, outdoorC float64) float64 { return (c - outdoorC) / h.resistance() }

// winter is a temperature outside with days, and weather that comes and goes.
func winter(at time.Time) float64 {
	d := at.Sub(begin).Hours() / 24
	return 4 + 4*math.Sin(2*math.Pi*d/9.3) + 2.5*math.Sin(2*math.Pi*d/3.7) + 3*math.Sin(2*math.Pi*(d-0.375))
}

// lived are the slots that a house gives that is lived in so, with what its sensors make of them.
func (h *truth) lived(l life) []Slot {
	r := rand.New(rand.NewPCG(3, 5))
	if l.heat == nil {
		l.heat = thermostat
	}
	if l.outdoorC == nil {
		l.outdoorC = winter
	}
	var out []Slot
	cloud := 1.0
	for i := range l.days * 96 {
		at := begin.Add(time.Duration(i) * quarter)
		hour := float64(at.Hour()) + float64(at.Minute())/60
		if i%96 == 0 {
			cloud = 0.15 + 0.85*r.Float64()
		}
		sun := math.Max(0, math.Sin(math.Pi*(hour-8)/9)) * cloud * 0.7
		if hour < 8 || hour > 17 || l.noSun {
			sun = 0
		}
		people := h.people * (0.6 + 0.4*math.Sin(2*math.Pi*(hour-13)/24)) / 0.6
		if l.constant {
			people = h.people
		}
		outdoorC := l.outdoorC(at)
		kw := l.heat(h, at, outdoorC)
		h.pass(kw, outdoorC, sun, people, l.windows && i%96 == 33 && r.Float64() < 0.5)
		c := h.airC
		if l.sensorK > 0 {
			c = math.Round((c+0.02*r.NormFloat64())/l.sensorK) * l.sensorK
		}
		s := Slot{IndoorC: c, PowerKW: kw, OutdoorC: outdoorC + 0.2*r.NormFloat64(), Sun: sun}
		if l.noSun {
			s.Sun = math.NaN()
		}
		if day := i / 96; l.gaps && (day%9 == 4 || day%5 == 2 && i%96 < 30) {
			s = Slot{math.NaN(), math.NaN(), s.OutdoorC, s.Sun}
		}
		out = append(out, s)
	}
	return out
}

// pump is the heat pump of a dwelling, of which somebody states a resistance and a capacity.
func pump(r, c float64) *district.HeatPumpParams {
	return &district.HeatPumpParams{MaxKW: 3, MinKW: 0.4, COPNominal: 3.2, ResistanceKPerKW: r, CapacityKWhPerK: c, GainsKW: 0.2, MinC: 19, MaxC: 23}
}

// measured is what slots are of the rooms of a pump.
func measured(p *district.HeatPumpParams, slots []Slot) *Measured {
	m := &Measured{Start: begin, Step: quarter}
	for _, s := range slots {
		sun := s.Sun
		if math.IsNaN(sun) {
			sun = 0
		}
		m.IndoorC, m.OutdoorC, m.Sun, m.HeatKW = append(m.IndoorC, s.IndoorC), append(m.OutdoorC, s.OutdoorC), append(m.Sun, sun), append(m.HeatKW, s.PowerKW*devices.COP(p, s.OutdoorC))
	}
	return m
}
