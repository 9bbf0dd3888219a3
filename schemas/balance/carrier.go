package balance

import (
	"strings"
	"time"

	"quartier/schemas/units"
)

// Carrier is an energy carrier, by the name of configuration, API and exports. A carrier that is not named here needs no new column anywhere.
type Carrier string

// The carriers of a district.
const (
	Electricity Carrier = "electricity"
	Heat        Carrier = "heat"      // of a heat network or made on the spot, for rooms
	Cold        Carrier = "cold"      // of a cold network or made on the spot
	Gas         Carrier = "gas"       // by its calorific value
	HotWater    Carrier = "hot_water" // heat for hot water, where it is metered apart
)

// Carriers lists the named carriers in the order in which tables show them.
func Carriers() []Carrier { return []Carrier{Electricity, Heat, Cold, Gas, HotWater} }

// Method says how values that are no measurement of their slot were estimated, several at once in a row of several meters. The numbers are stored.
type Method uint8

// The methods of estimation.
const (
	Interpolated Method = 1 << iota // a counter's difference over a gap, spread evenly
	SimilarDays                     // a counter's difference over a long gap, or what a device usually moves, by days of the same kind before
	Estimate                        // rests on a reading that was itself substituted
	Missing                         // not measured and not estimated: counted as zero
)

var methodWords = []string{"interpolated", "similar_days", "estimate", "missing"}

// String returns the words of API and exports, joined by "+"; empty for a measurement.
func (m Method) String() string {
	var words []string
	for i, w := range methodWords {
		if m&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, "+")
}

// CarrierRow is the balance of one carrier of one site, or of a whole district (site "_"), over one slot. Energies are whole watt-hours and never negative
// but for ResidualWh; over any row, exactly:
//
//	Delivered + Generated + Converted + Discharge + Residual = Exported + Charge + Consumed
//
// What was converted was made inside the boundary out of another carrier of the same balance, such as a heat pump's heat, and is so neither generation nor delivery.
type CarrierRow struct {
	District, Site string
	Carrier        Carrier
	Start          time.Time // UTC
	Step           time.Duration

	DeliveredWh units.WattHours // through the boundary, into it
	ExportedWh  units.WattHours // through the boundary, out of it
	GeneratedWh units.WattHours // on the spot, from sun, wind or ground
	ConvertedWh units.WattHours // on the spot, out of another carrier
	ChargeWh    units.WattHours // into storage
	DischargeWh units.WattHours // out of storage
	ConsumedWh  units.WattHours
	ResidualWh  units.WattHours // what the meters do not explain; shown, never hidden

	Coverage float64 // share in [0, 1] of the meters of the row that measured the whole slot
	Method   Method  // how its estimates were made; 0: everything was measured
}

// Substituted reports whether at least one value is an estimate.
func (r *CarrierRow) Substituted() bool { return r.Method != 0 }

// Unexplained returns the two sides of the identity apart; it is zero for every row that this package makes.
func (r *CarrierRow) Unexplained() units.WattHours {
	return r.DeliveredWh + r.GeneratedWh + r.ConvertedWh + r.DischargeWh + r.ResidualWh - r.ExportedWh - r.ChargeWh - r.ConsumedWh
}

// Add adds the energies of another row and its methods; coverage is left to the caller, who knows what each row weighs.
func (r *CarrierRow) Add(o *CarrierRow) {
	r.DeliveredWh += o.DeliveredWh
	r.ExportedWh += o.ExportedWh
	r.GeneratedWh += o.GeneratedWh
	r.ConvertedWh += o.ConvertedWh
	r.ChargeWh += o.ChargeWh
	r.DischargeWh += o.DischargeWh
	r.ConsumedWh += o.ConsumedWh
	r.ResidualWh += o.ResidualWh
	r.Method |= o.Method
}

// WithoutCars returns the row as a row of electricity with the charging of cars outside its boundary: what passes it is netted again without them, so that sun which charged a car is exported.
func (r *Row) WithoutCars() CarrierRow {
	out := r.Electric()
	net := r.NetWh() - r.CarsWh
	out.DeliveredWh, out.ExportedWh, out.ConsumedWh = max(0, net), max(0, -net), out.ConsumedWh-r.CarsWh
	return out
}

// Electric returns an electrical row in the terms of every carrier.
func (r *Row) Electric() CarrierRow {
	method := r.Method
	if r.Substituted && method == 0 {
		method = Estimate
	}
	return CarrierRow{District: r.District, Site: r.Site, Carrier: Electricity, Start: r.Start, Step: r.Step, DeliveredWh: r.ImportWh, ExportedWh: r.ExportWh,
		GeneratedWh: r.ProductionWh, ChargeWh: r.ChargeWh, DischargeWh: r.DischargeWh, ConsumedWh: r.ConsumptionWh(), ResidualWh: r.ResidualWh,
		Coverage: r.Coverage, Method: method}
}
