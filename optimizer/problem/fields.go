package problem

import "math"

// fieldKind says what a field of the document holds.
type fieldKind int

const (
	numberField fieldKind = iota
	seriesField
	stepField // a whole number from 0
	boolField
	listField // numbers, of its own length
	sessionsField
	zoneField
)

// bounds is the range of a number: [low, high], without low itself when above is set.
type bounds struct {
	low, high float64
	above     bool
}

var (
	anyNumber  = bounds{low: math.Inf(-1), high: math.Inf(1)}
	fromZero   = bounds{high: math.Inf(1)}
	aboveZero  = bounds{high: math.Inf(1), above: true}
	efficiency = bounds{high: 1, above: true}
)

func (b bounds) holds(v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && v >= b.low && v <= b.high && (!b.above || v > b.low)
}

// field is one field of an object of the document: where its value lives, whether it is required, its default and range. One table of
// them per object serves reading, checking and writing.
type field struct {
	name   string
	kind   fieldKind
	need   bool
	def    float64 // of a number, a step or a series
	defOn  bool    // of a boolean
	bounds bounds
	limit  bool // a series that may be +Inf in every step
	open   bool // a series that may be nil: it says nothing then

	number   *float64
	series   *[]float64
	step     *int
	on       *bool
	sessions *[]Session
	zone     *Zone
}

func number(name string, v *float64, b bounds) field {
	return field{name: name, kind: numberField, need: true, number: v, bounds: b}
}

func series(name string, v *[]float64, b bounds) field {
	return field{name: name, kind: seriesField, need: true, series: v, bounds: b}
}

func step(name string, v *int) field { return field{name: name, kind: stepField, need: true, step: v} }

// or makes a field optional, with its default.
func (f field) or(def float64) field {
	f.need, f.def = false, def
	return f
}

func limit(name string, v *[]float64) field {
	f := series(name, v, fromZero).or(math.Inf(1))
	f.limit = true
	return f
}

// maybe is a series that may be left out and has no default.
func maybe(name string, v *[]float64, b bounds) field {
	f := series(name, v, b)
	f.need, f.open = false, true
	return f
}

func toggle(name string, v *bool, def bool) field {
	return field{name: name, kind: boolField, on: v, defOn: def}
}

func (g *Grid) fields() []field {
	return []field{
		series("import_price", &g.ImportPrice, anyNumber),
		series("export_price", &g.ExportPrice, anyNumber).or(0),
		series("carbon_intensity", &g.CarbonIntensity, fromZero).or(0),
		limit("import_limit_kw", &g.ImportLimitKW),
		limit("export_limit_kw", &g.ExportLimitKW),
		number("peak_price", &g.PeakPrice, fromZero).or(0),
		number("peak_so_far_kw", &g.PeakSoFarKW, fromZero).or(0),
	}
}

func (s *Site) fields() []field {
	return []field{
		series("load_kw", &s.LoadKW, anyNumber).or(0),
		limit("import_limit_kw", &s.ImportLimitKW),
		limit("export_limit_kw", &s.ExportLimitKW),
		series("withdrawal_fee", &s.WithdrawalFee, fromZero).or(0),
	}
}

func (d *PV) fields() []field {
	return []field{series("available_kw", &d.AvailableKW, fromZero), toggle("curtailable", &d.Curtailable, true)}
}

func (d *Battery) fields() []field {
	return []field{
		number("capacity_kwh", &d.CapacityKWh, fromZero),
		number("min_kwh", &d.MinKWh, fromZero).or(0),
		number("initial_kwh", &d.InitialKWh, fromZero),
		number("final_min_kwh", &d.FinalMinKWh, fromZero).or(0),
		number("charge_kw", &d.ChargeKW, fromZero),
		number("discharge_kw", &d.DischargeKW, fromZero),
		number("charge_efficiency", &d.ChargeEfficiency, efficiency).or(1),
		number("discharge_efficiency", &d.DischargeEfficiency, efficiency).or(1),
		number("self_discharge_per_hour", &d.SelfDischargePerHour, fromZero).or(0),
		number("wear_cost_per_kwh", &d.WearCostPerKWh, fromZero).or(0),
		number("final_value_per_kwh", &d.FinalValuePerKWh, anyNumber).or(0),
	}
}

func (d *EV) fields() []field {
	return []field{
		number("capacity_kwh", &d.CapacityKWh, fromZero),
		number("max_kw", &d.MaxKW, fromZero),
		number("min_kw", &d.MinKW, fromZero).or(0),
		number("discharge_kw", &d.DischargeKW, fromZero).or(0),
		number("charge_efficiency", &d.ChargeEfficiency, efficiency).or(1),
		number("discharge_efficiency", &d.DischargeEfficiency, efficiency).or(1),
		number("wear_cost_per_kwh", &d.WearCostPerKWh, fromZero).or(0),
		number("shortfall_cost_per_kwh", &d.ShortfallCostPerKWh, fromZero).or(10),
		{name: "sessions", kind: sessionsField, need: true, sessions: &d.Sessions},
	}
}

func (s *Session) fields() []field {
	return []field{
		step("arrive_step", &s.ArriveStep),
		step("depart_step", &s.DepartStep),
		number("initial_kwh", &s.InitialKWh, fromZero),
		number("target_kwh", &s.TargetKWh, fromZero),
	}
}

func (d *HeatPump) fields() []field {
	return []field{
		number("max_kw", &d.MaxKW, fromZero),
		number("min_kw", &d.MinKW, fromZero).or(0),
		series("cop", &d.COP, aboveZero),
		toggle("initial_on", &d.InitialOn, false),
		step("initial_steps", &d.InitialSteps).or(LongEnough),
		step("min_on_steps", &d.MinOnSteps).or(1),
		step("min_off_steps", &d.MinOffSteps).or(1),
		number("start_cost", &d.StartCost, fromZero).or(0),
		{name: "zone", kind: zoneField, need: true, zone: &d.Zone},
	}
}

func (z *Zone) fields() []field {
	return []field{
		number("capacity_kwh_per_k", &z.CapacityKWhPerK, aboveZero),
		number("resistance_k_per_kw", &z.ResistanceKPerKW, aboveZero),
		number("initial_c", &z.InitialC, anyNumber),
		series("outdoor_c", &z.OutdoorC, anyNumber),
		series("gains_kw", &z.GainsKW, anyNumber).or(0),
		series("min_c", &z.MinC, anyNumber),
		series("max_c", &z.MaxC, anyNumber),
		number("discomfort_cost_per_kh", &z.DiscomfortCostPerKH, fromZero).or(1),
	}
}

func (d *WaterHeater) fields() []field {
	return []field{
		number("max_kw", &d.MaxKW, fromZero),
		number("min_kw", &d.MinKW, fromZero).or(0),
		series("cop", &d.COP, aboveZero).or(1),
		number("capacity_kwh", &d.CapacityKWh, fromZero),
		maybe("capacity_by_step_kwh", &d.CapacityByStepKWh, fromZero),
		number("initial_kwh", &d.InitialKWh, fromZero),
		number("final_min_kwh", &d.FinalMinKWh, fromZero).or(0),
		number("loss_per_hour", &d.LossPerHour, fromZero).or(0),
		series("draw_kw", &d.DrawKW, fromZero),
		number("shortfall_cost_per_kwh", &d.ShortfallCostPerKWh, fromZero).or(1),
	}
}

func (d *Shiftable) fields() []field {
	return []field{
		{name: "profile_kw", kind: listField, need: true, series: &d.ProfileKW, bounds: fromZero},
		step("earliest_step", &d.EarliestStep),
		step("latest_step", &d.LatestStep),
	}
}

func (d *Flexible) fields() []field {
	return []field{
		number("energy_kwh", &d.EnergyKWh, fromZero),
		number("max_kw", &d.MaxKW, fromZero),
		step("earliest_step", &d.EarliestStep),
		step("latest_step", &d.LatestStep),
		number("shortfall_cost_per_kwh", &d.ShortfallCostPerKWh, fromZero).or(10),
	}
}
