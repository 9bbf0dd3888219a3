package balance

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"quartier/schemas/timegrid"
)

// joint stands between the sites of a boundary in its name; no id of a site holds it.
const joint = "+"

// Together returns the name of the boundary that holds some sites and nothing else: ids in order, joined by "+". That of one site is its id.
func Together(sites ...string) string {
	sites = slices.Clone(sites)
	slices.Sort(sites)
	return strings.Join(slices.Compact(sites), joint)
}

// Apart returns the sites of a boundary that [Together] has named.
func Apart(boundary string) []string { return strings.Split(boundary, joint) }

// JointDays adds the rows of the sites of a boundary up as [Days] does those of one site, netted with each other as a district's are: what one of them feeds in a slot while another draws passes no boundary. Cost and carbon are
// the sum of those of the sites, as each is billed. Coverage is the mean of the sites that have rows of the carrier on the day, and Sites says how many those are.
func JointDays(boundary string, rows []Row, others []CarrierRow, zone *time.Location) []Day {
	m := meterings{zone: zone, seen: map[meteringKey]bool{}, sites: map[meteringKey]int{}}
	for i := range rows {
		m.note(rows[i].Start, Electricity, rows[i].Site)
	}
	for i := range others {
		m.note(others[i].Start, others[i].Carrier, others[i].Site)
	}
	whole := joinRows(boundary, rows, &m)
	out := Days(whole, joinCarriers(boundary, others, &m), zone)
	for i := range out {
		out[i].Sites = m.of(out[i].Start, out[i].Carrier)
	}
	return out
}

func joinRows(boundary string, rows []Row, m *meterings) []Row {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b Row) int { return a.Start.Compare(b.Start) })
	var out []Row
	for i := range rows {
		r := &rows[i]
		if n := len(out); n == 0 || !out[n-1].Start.Equal(r.Start) {
			out = append(out, Row{District: r.District, Site: boundary, Start: r.Start, Step: r.Step})
		}
		o := &out[len(out)-1]
		in, fed := o.ImportWh+o.SharedWh+r.ImportWh, o.ExportWh+o.SharedWh+r.ExportWh
		o.SharedWh = min(in, fed)
		o.ImportWh, o.ExportWh = in-o.SharedWh, fed-o.SharedWh
		o.ProductionWh += r.ProductionWh
		o.ChargeWh += r.ChargeWh
		o.DischargeWh += r.DischargeWh
		o.HeatWh += r.HeatWh
		o.CarsWh += r.CarsWh
		o.OtherWh += r.OtherWh
		o.ResidualWh += r.ResidualWh
		o.CostEUR += r.CostEUR
		o.CarbonKg += r.CarbonKg
		o.BaselineCostEUR += r.BaselineCostEUR
		o.BaselineCarbonKg += r.BaselineCarbonKg
		o.Coverage += r.Coverage / float64(m.of(r.Start, Electricity))
		e := r.Electric()
		o.Method |= e.Method
		o.Substituted = o.Substituted || r.Substituted
	}
	return out
}

func joinCarriers(boundary string, rows []CarrierRow, m *meterings) []CarrierRow {
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, func(a, b CarrierRow) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Carrier, b.Carrier))
	})
	var out []CarrierRow
	for i := range rows {
		r := &rows[i]
		if n := len(out); n == 0 || !out[n-1].Start.Equal(r.Start) || out[n-1].Carrier != r.Carrier {
			out = append(out, CarrierRow{District: r.District, Site: boundary, Carrier: r.Carrier, Start: r.Start, Step: r.Step})
		}
		o := &out[len(out)-1]
		o.Add(r)
		o.Coverage += r.Coverage / float64(m.of(r.Start, r.Carrier))
	}
	for i := range out {
		o := &out[i]
		both := min(o.DeliveredWh, o.ExportedWh)
		o.DeliveredWh, o.ExportedWh = o.DeliveredWh-both, o.ExportedWh-both
	}
	return out
}

// meterings counts the sites that meter a carrier on a day.
type meterings struct {
	zone  *time.Location
	day   timegrid.Span // of the last question
	seen  map[meteringKey]bool
	sites map[meteringKey]int
}

type meteringKey struct {
	day     int64
	carrier Carrier
	site    string // in seen
}

func (m *meterings) key(at time.Time, c Carrier) meteringKey {
	if !m.day.Contains(at) {
		m.day = timegrid.Day(at, m.zone)
	}
	return meteringKey{day: m.day.Start.Unix(), carrier: c}
}

func (m *meterings) note(at time.Time, c Carrier, site string) {
	k := m.key(at, c)
	one := k
	one.site = site
	if !m.seen[one] {
		m.seen[one] = true
		m.sites[k]++
	}
}

func (m *meterings) of(at time.Time, c Carrier) int { return m.sites[m.key(at, c)] }
