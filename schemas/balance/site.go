package balance

import (
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Meter is the energy of one device over consecutive slots: into it and out of it, each never negative.
type Meter struct {
	Kind    district.Kind
	In, Out []SlotEnergy
	Part    bool // of a load meter: it measures a part of what its site uses, such as street lighting, and not the whole
}

// MeterFromPower splits a power series in kW (load convention) into a meter's two directions, slot by slot.
func MeterFromPower(kind district.Kind, points []Point, sp timegrid.Span, step, maxHold time.Duration) Meter {
	in, out := make([]Point, len(points)), make([]Point, len(points))
	for i, p := range points {
		in[i], out[i] = p, p
		in[i].Value = max(0, p.Value)
		out[i].Value = max(0, -p.Value)
	}
	return Meter{Kind: kind, In: PowerEnergy(in, sp, step, maxHold), Out: PowerEnergy(out, sp, step, maxHold)}
}

// Terms are the prices and the carbon of the slots of a balance, by slot index.
type Terms struct {
	ImportPrice []float64 // EUR/kWh
	ExportPrice []float64 // EUR/kWh
	CarbonG     []float64 // gCO2e/kWh of what is drawn
}

// at returns element i of a series, zero when the series is shorter.
func at(s []float64, i int) float64 {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// Site computes the balance rows of one site over the slots of sp from its meters.
//
// The site's grid meters give import and export; PV, storage, heat and car meters give their terms. Other consumption is what load meters of the whole say when the site has any,
// and the closing difference otherwise. Whatever then remains is the residual: with load meters the whole difference; without, only the part that
// would make consumption negative. A device that is not covered in a slot counts as measured energy 0 there, lowers the coverage
// and marks the row; where it was estimated, the estimate counts.
func Site(districtID string, site string, meters []Meter, sp timegrid.Span, step time.Duration, terms Terms) []Row {
	n := sp.Count(step)
	rows := make([]Row, n)
	first := timegrid.Ceil(sp.Start, step)
	withLoad := false
	for _, m := range meters {
		withLoad = withLoad || m.Kind == district.LoadMeter && !m.Part
	}
	for i := range n {
		r := &rows[i]
		*r = Row{District: districtID, Site: site, Start: first.Add(time.Duration(i) * step), Step: step}
		all, covered := 0, 0
		for _, m := range meters {
			in, out := m.In[i], m.Out[i]
			all++
			if in.Covered && out.Covered {
				covered++
			}
			for _, e := range []*SlotEnergy{&in, &out} {
				if r.Method |= e.Method; !e.Covered && e.Method == 0 {
					r.Method |= Missing
				}
			}
			r.Substituted = r.Method != 0
			switch m.Kind {
			case district.GridMeter:
				r.ImportWh += in.Wh
				r.ExportWh += out.Wh
			case district.PV:
				r.ProductionWh += out.Wh
				r.OtherWh += in.Wh // an inverter's own consumption at night
			case district.Battery:
				r.ChargeWh += in.Wh
				r.DischargeWh += out.Wh
			case district.HeatPump, district.WaterHeater:
				r.HeatWh += in.Wh
			case district.EVCharger:
				r.CarsWh += in.Wh
				r.DischargeWh += out.Wh // a car that gives back is storage
			case district.LoadMeter:
				r.OtherWh += in.Wh
				r.ProductionWh += out.Wh
			}
		}
		if all > 0 {
			r.Coverage = float64(covered) / float64(all)
		}
		// what consumption must still be for the row to close
		left := r.ImportWh + r.ProductionWh + r.DischargeWh - r.ExportWh - r.ChargeWh - r.ConsumptionWh()
		if withLoad || left < 0 {
			r.ResidualWh = -left
		} else {
			r.OtherWh += left
		}
		r.price(terms, i)
	}
	return rows
}

// price fills cost and carbon.
func (r *Row) price(terms Terms, i int) {
	r.CostEUR = r.ImportWh.KWh()*at(terms.ImportPrice, i) - r.ExportWh.KWh()*at(terms.ExportPrice, i)
	r.CarbonKg = r.ImportWh.KWh() * at(terms.CarbonG, i) / 1000
}

// District sums the rows of its sites, which must all cover the same slots, and nets import and export at the district's boundary: in each slot, what some
// sites feed while others draw is shared, neither imported nor exported. Each site's row gets its part of the shared energy in proportion to what it
// drew, in whole watt-hours that sum exactly. The site rows are changed in place.
func District(districtID string, sites [][]Row, sp timegrid.Span, step time.Duration, terms Terms) []Row {
	n := sp.Count(step)
	first := timegrid.Ceil(sp.Start, step)
	rows := make([]Row, n)
	for i := range n {
		r := &rows[i]
		*r = Row{District: districtID, Site: district.DistrictSite, Start: first.Add(time.Duration(i) * step), Step: step}
		var in, out units.WattHours
		drawn := make([]units.WattHours, len(sites))
		for k, s := range sites {
			v := s[i]
			in += v.ImportWh
			out += v.ExportWh
			drawn[k] = v.ImportWh
			r.ProductionWh += v.ProductionWh
			r.ChargeWh += v.ChargeWh
			r.DischargeWh += v.DischargeWh
			r.HeatWh += v.HeatWh
			r.CarsWh += v.CarsWh
			r.OtherWh += v.OtherWh
			r.ResidualWh += v.ResidualWh
			r.Coverage += v.Coverage
			r.Substituted = r.Substituted || v.Substituted
			r.Method |= v.Method
		}
		if len(sites) > 0 {
			r.Coverage /= float64(len(sites)) // after the sum, so that all of everything is 1 to the last bit
		}
		r.SharedWh = min(in, out)
		r.ImportWh, r.ExportWh = in-r.SharedWh, out-r.SharedWh
		for k, wh := range units.Split(r.SharedWh, drawn) {
			sites[k][i].SharedWh = wh
		}
		r.price(terms, i)
	}
	return rows
}

// Station compares a district's rows with the meters of its transformer stations: in each slot that all of them measured, what they metered less what the sites exchanged is
// the residual of the station. The rows are changed in place; without a station nothing is.
func Station(rows []Row, stations []Meter) {
	if len(stations) == 0 {
		return
	}
	for i := range rows {
		net, covered := units.WattHours(0), true
		for _, m := range stations {
			net += m.In[i].Wh - m.Out[i].Wh
			covered = covered && m.In[i].Covered && m.Out[i].Covered
		}
		if covered {
			rows[i].StationResidualWh = net - rows[i].NetWh()
		}
	}
}
