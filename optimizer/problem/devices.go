package problem

import "math"

// Kind names a kind of device, as in the document.
type Kind string

// The kinds of device.
const (
	KindPV          Kind = "pv"
	KindBattery     Kind = "battery"
	KindEV          Kind = "ev"
	KindHeatPump    Kind = "heat_pump"
	KindWaterHeater Kind = "water_heater"
	KindShiftable   Kind = "shiftable"
	KindFlexible    Kind = "flexible"
)

// Device is one of *[PV], *[Battery], *[EV], *[HeatPump], *[WaterHeater], *[Shiftable] and *[Flexible]; no other type implements it.
type Device interface {
	ID() string // unique in its site
	Kind() Kind

	fields() []field
	cross(c *checker, at *path, p *Problem)
}

// PV is a solar generator. Its power lies in [-available, 0]; one that cannot be curtailed makes exactly -available.
type PV struct {
	DeviceID    string
	AvailableKW []float64 // from 0
	Curtailable bool      // default true
}

// Battery stores energy:
//
//	e[t+1] = (1 - self_discharge*dt)*e[t] + dt*(charge_eff*charge - discharge/discharge_eff),  min <= e[t+1] <= capacity,  e[T] >= final_min
//
// Its power is charge - discharge, and it never does both in one step. Wear falls on charged and on discharged energy at the terminals.
type Battery struct {
	DeviceID             string
	CapacityKWh          float64
	MinKWh               float64 // default 0
	InitialKWh           float64 // in [MinKWh, CapacityKWh]
	FinalMinKWh          float64 // default 0
	ChargeKW             float64
	DischargeKW          float64
	ChargeEfficiency     float64 // (0, 1], default 1
	DischargeEfficiency  float64 // (0, 1], default 1
	SelfDischargePerHour float64 // share lost per hour, default 0; times dt at most 1
	WearCostPerKWh       float64 // EUR, default 0
	FinalValuePerKWh     float64 // EUR credited for energy left at the end, any sign, default 0
}

// EV is a charging point with its sessions. In a session its power is 0, in [MinKW, MaxKW], or in [-DischargeKW, 0), and the car's energy,
//
//	e[t+1] = e[t] + dt*(charge_eff*charge - discharge/discharge_eff),
//
// stays in [0, capacity]; what lacks to the target at departure costs ShortfallCostPerKWh. Outside all sessions the power is 0.
type EV struct {
	DeviceID            string
	CapacityKWh         float64
	MaxKW               float64
	MinKW               float64 // lowest charging power other than 0, default 0
	DischargeKW         float64 // default 0
	ChargeEfficiency    float64 // (0, 1], default 1
	DischargeEfficiency float64 // (0, 1], default 1
	WearCostPerKWh      float64 // EUR per kWh discharged, default 0
	ShortfallCostPerKWh float64 // EUR, default 10
	Sessions            []Session
}

// Session is the stay of one car, in the steps [ArriveStep, DepartStep). An empty one can only fall short.
type Session struct {
	ArriveStep int
	DepartStep int     // exclusive
	InitialKWh float64 // in [0, capacity]
	TargetKWh  float64 // in [0, capacity]
}

// HeatPump heats its zone. Its power is 0 or in [MinKW, MaxKW]. One that starts stays on for MinOnSteps, one that stops stays off for
// MinOffSteps, both cut by the horizon and both counting the steps before it. With a minimum power, on means power above 0;
// without one it may be on at zero power.
type HeatPump struct {
	DeviceID     string
	MaxKW        float64
	MinKW        float64   // default 0
	COP          []float64 // heat per electricity, above 0
	InitialOn    bool      // default false
	InitialSteps int       // steps it has been in that state; default LongEnough
	MinOnSteps   int       // default 1; 0: none, not even the step that InitialSteps 0 asks for
	MinOffSteps  int       // default 1; 0: none
	StartCost    float64   // EUR, default 0
	Zone         Zone
}

// Zone is the heated space. With a = exp(-dt/(R*C)):
//
//	temp[t+1] = a*temp[t] + (1-a)*(outdoor[t] + R*(cop[t]*power[t] + gains[t]))
//
// Each K·h outside [MinC[t], MaxC[t]] at the end of step t costs DiscomfortCostPerKH.
type Zone struct {
	CapacityKWhPerK     float64 // C, above 0
	ResistanceKPerKW    float64 // R, above 0
	InitialC            float64
	OutdoorC            []float64
	GainsKW             []float64 // any sign, default 0
	MinC                []float64
	MaxC                []float64
	DiscomfortCostPerKH float64 // EUR, default 1
}

// WaterHeater is a tank:
//
//	e[t+1] = (1 - loss*dt)*e[t] + dt*(cop*power - draw) + unmet,  0 <= e[t+1] <= capacity[t]
//
// Its power is 0 or in [MinKW, MaxKW]. What the tank cannot give (unmet, at most dt*draw) and what lacks to FinalMinKWh at the end cost
// ShortfallCostPerKWh.
type WaterHeater struct {
	DeviceID            string
	MaxKW               float64
	MinKW               float64   // default 0
	COP                 []float64 // above 0, default 1
	CapacityKWh         float64
	CapacityByStepKWh   []float64 // at the end of each step, at most CapacityKWh; nil, the default: that throughout, and no word of it in the document. It falls no faster than a tank without power does
	InitialKWh          float64   // in [0, CapacityKWh]
	FinalMinKWh         float64   // default 0
	LossPerHour         float64   // share lost per hour, default 0; times dt at most 1
	DrawKW              []float64
	ShortfallCostPerKWh float64 // EUR, default 1
}

// Shiftable runs its profile once, unbroken, from a start in [EarliestStep, LatestStep], and ends within the horizon.
type Shiftable struct {
	DeviceID     string
	ProfileKW    []float64 // at least one value, each from 0
	EarliestStep int
	LatestStep   int // inclusive
}

// Flexible takes at least EnergyKWh in the steps [EarliestStep, LatestStep), at a power in [0, MaxKW]; what lacks costs ShortfallCostPerKWh.
type Flexible struct {
	DeviceID            string
	EnergyKWh           float64
	MaxKW               float64
	EarliestStep        int
	LatestStep          int     // exclusive
	ShortfallCostPerKWh float64 // EUR, default 10
}

// NewPV returns a PV with the document's defaults.
func NewPV(id string) *PV { return &PV{DeviceID: id, Curtailable: true} }

// NewBattery returns a battery with the document's defaults.
func NewBattery(id string) *Battery {
	return &Battery{DeviceID: id, ChargeEfficiency: 1, DischargeEfficiency: 1}
}

// NewEV returns a charging point with the document's defaults.
func NewEV(id string) *EV {
	return &EV{DeviceID: id, ChargeEfficiency: 1, DischargeEfficiency: 1, ShortfallCostPerKWh: 10}
}

// NewHeatPump returns a heat pump and its zone with the document's defaults.
func NewHeatPump(id string) *HeatPump {
	return &HeatPump{DeviceID: id, InitialSteps: LongEnough, MinOnSteps: 1, MinOffSteps: 1, Zone: Zone{DiscomfortCostPerKH: 1}}
}

// NewWaterHeater returns a water heater with the document's defaults.
func NewWaterHeater(id string) *WaterHeater {
	return &WaterHeater{DeviceID: id, ShortfallCostPerKWh: 1}
}

// NewShiftable returns a shiftable appliance.
func NewShiftable(id string) *Shiftable { return &Shiftable{DeviceID: id} }

// NewFlexible returns a flexible load with the document's defaults.
func NewFlexible(id string) *Flexible { return &Flexible{DeviceID: id, ShortfallCostPerKWh: 10} }

func newDevice(k Kind) Device {
	switch k {
	case KindPV:
		return NewPV("")
	case KindBattery:
		return NewBattery("")
	case KindEV:
		return NewEV("")
	case KindHeatPump:
		return NewHeatPump("")
	case KindWaterHeater:
		return NewWaterHeater("")
	case KindShiftable:
		return NewShiftable("")
	case KindFlexible:
		return NewFlexible("")
	}
	return nil
}

// ID returns the device's id.
func (d *PV) ID() string { return d.DeviceID }

// ID returns the device's id.
func (d *Battery) ID() string { return d.DeviceID }

// ID returns the device's id.
func (d *EV) ID() string { return d.DeviceID }

// ID returns the device's id.
func (d *HeatPump) ID() string { return d.DeviceID }

// ID returns the device's id.
func (d *WaterHeater) ID() string { return d.DeviceID }

// ID returns the device's id.
func (d *Shiftable) ID() string { return d.DeviceID }

// ID returns the device's id.
func (d *Flexible) ID() string { return d.DeviceID }

// Kind returns KindPV.
func (d *PV) Kind() Kind { return KindPV }

// Kind returns KindBattery.
func (d *Battery) Kind() Kind { return KindBattery }

// Kind returns KindEV.
func (d *EV) Kind() Kind { return KindEV }

// Kind returns KindHeatPump.
func (d *HeatPump) Kind() Kind { return KindHeatPump }

// Kind returns KindWaterHeater.
func (d *WaterHeater) Kind() Kind { return KindWaterHeater }

// Kind returns KindShiftable.
func (d *Shiftable) Kind() Kind { return KindShiftable }

// Kind returns KindFlexible.
func (d *Flexible) Kind() Kind { return KindFlexible }

// CapacityAt is the most that the tank holds at the end of step t, kWh.
func (d *WaterHeater) CapacityAt(t int) float64 {
	if d.CapacityByStepKWh == nil {
		return d.CapacityKWh
	}
	return d.CapacityByStepKWh[t]
}

// MostInitialKWh is the most that the tank may hold at the begin: what its capacity is then, and leaves it within that of the first step without power.
func (d *WaterHeater) MostInitialKWh(hours float64) float64 {
	kept := 1 - d.LossPerHour*hours
	if len(d.CapacityByStepKWh) == 0 || kept <= 0 {
		return d.CapacityKWh
	}
	return math.Min(d.CapacityKWh, (d.CapacityByStepKWh[0]+hours*d.DrawKW[0])/kept)
}

// HeldSteps returns for how many of the first steps of a horizon of T = steps the machine must keep its initial state.
func (d *HeatPump) HeldSteps(steps int) int {
	least := d.MinOffSteps
	if d.InitialOn {
		least = d.MinOnSteps
	}
	return min(steps, max(0, least-d.InitialSteps))
}
