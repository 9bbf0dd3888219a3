package balance

import (
	"math"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// CarrierMeter is the energy of one meter of a carrier over consecutive slots, never negative, and what it counts.
type CarrierMeter struct {
	Role  district.Role
	Slots []SlotEnergy
}

// Scale turns what a meter counted in thousandths of its unit, as [CounterEnergy] gives it, into energy: litres of gas into watt-hours by the kWh of a cubic metre at the begin of each slot. Each slot
// is rounded by itself, so that it has the same energy in whatever span it is computed. Where content is not known the slot is missing.
func Scale(slots []SlotEnergy, sp timegrid.Span, step time.Duration, content func(time.Time) (perUnit float64, ok bool)) {
	first := timegrid.Ceil(sp.Start, step)
	for i := range slots {
		per, ok := content(first.Add(time.Duration(i) * step))
		if !ok {
			slots[i] = SlotEnergy{}
			continue
		}
		slots[i].Wh = units.WattHours(math.Round(float64(slots[i].Wh) * per))
	}
}

// add puts what the meters counted in slot i into a row. It returns how many there are and how many of them measured the whole slot, and whether one of them counts consumption.
func (r *CarrierRow) add(meters []CarrierMeter, i int) (all, covered int, consumption bool) {
	for _, m := range meters {
		e := &m.Slots[i]
		all++
		if e.Covered {
			covered++
		} else if e.Method == 0 {
			r.Method |= Missing
		}
		r.Method |= e.Method
		switch m.Role {
		case district.DeliveredRole:
			r.DeliveredWh += e.Wh
		case district.ExportedRole:
			r.ExportedWh += e.Wh
		case district.GeneratedRole:
			r.GeneratedWh += e.Wh
		case district.ConvertedRole:
			r.ConvertedWh += e.Wh
		case district.ChargedRole:
			r.ChargeWh += e.Wh
		case district.DischargedRole:
			r.DischargeWh += e.Wh
		case district.ConsumedRole:
			r.ConsumedWh += e.Wh
			consumption = true
		}
	}
	return all, covered, consumption
}

// close makes the identity hold: what is left is consumption where no meter counts that, and the residual otherwise or where it would make consumption negative.
func (r *CarrierRow) close(metered bool) {
	left := r.Unexplained()
	if !metered && left > 0 {
		r.ConsumedWh += left
		return
	}
	r.ResidualWh -= left
}

// CarrierSite computes the rows of one carrier of one site over the slots of sp from its meters. Consumption is what meters of it say where there are any, and what the others leave
// otherwise.
func CarrierSite(districtID, site string, carrier Carrier, meters []CarrierMeter, sp timegrid.Span, step time.Duration) []CarrierRow {
	rows := make([]CarrierRow, sp.Count(step))
	first := timegrid.Ceil(sp.Start, step)
	for i := range rows {
		r := &rows[i]
		*r = CarrierRow{District: districtID, Site: site, Carrier: carrier, Start: first.Add(time.Duration(i) * step), Step: step}
		all, covered, consumption := r.add(meters, i)
		if all > 0 {
			r.Coverage = float64(covered) / float64(all)
		}
		r.close(consumption)
	}
	return rows
}

// CarrierDistrict sums the rows of one carrier of its sites, which must all cover the slots of sp, with the district's own meters. Where one of those counts what is delivered to or exported from the
// district, it is the boundary, and what the sites receive is inside; what is then lost between is the residual. Otherwise delivery and export of the sites are
// netted in each slot: what one site feeds while another draws has passed no boundary.
func CarrierDistrict(districtID string, carrier Carrier, sites [][]CarrierRow, own []CarrierMeter, sp timegrid.Span, step time.Duration) []CarrierRow {
	rows := make([]CarrierRow, sp.Count(step))
	first := timegrid.Ceil(sp.Start, step)
	bounded := false
	for _, m := range own {
		bounded = bounded || m.Role == district.DeliveredRole || m.Role == district.ExportedRole
	}
	for i := range rows {
		r := &rows[i]
		*r = CarrierRow{District: districtID, Site: district.DistrictSite, Carrier: carrier, Start: first.Add(time.Duration(i) * step), Step: step}
		for _, s := range sites {
			r.Add(&s[i])
			r.Coverage += s[i].Coverage
		}
		if bounded {
			r.DeliveredWh, r.ExportedWh = 0, 0
		} else {
			both := min(r.DeliveredWh, r.ExportedWh)
			r.DeliveredWh, r.ExportedWh = r.DeliveredWh-both, r.ExportedWh-both
		}
		all, covered, consumption := r.add(own, i)
		if parts := float64(len(sites) + all); parts > 0 {
			r.Coverage = (r.Coverage + float64(covered)) / parts
		}
		r.close(consumption || bounded && len(sites) > 0)
	}
	return rows
}
