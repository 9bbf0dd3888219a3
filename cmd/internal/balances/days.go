package balances

import (
	"context"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// Days returns what the rows of a site in a span sum to by civil day: the whole days from what the record keeps of them, and those that the span cuts from their slots. In zones whose midnights cut
// clock hours all is read slot by slot, since an hour is of both days.
func Days(ctx context.Context, st Store, d *district.District, site string, sp timegrid.Span) ([]balance.Day, error) {
	if !sp.Start.Before(sp.End) {
		return nil, ctx.Err()
	}
	if !balance.WholeHours(sp, d.Zone) {
		return slots(ctx, st, d, site, sp)
	}
	parts, err := parted(ctx, st, d, site, sp, nil)
	if err != nil {
		return nil, err
	}
	var out []balance.Day
	for i := range parts {
		if parts[i].days == nil {
			parts[i].days = balance.Days(parts[i].rows, parts[i].others, d.Zone)
		}
		out = append(out, parts[i].days...)
	}
	return out, nil
}

func slots(ctx context.Context, st Store, d *district.District, site string, sp timegrid.Span) ([]balance.Day, error) {
	p := part{}
	if err := p.read(ctx, st, d, site, sp); err != nil {
		return nil, err
	}
	return balance.Days(p.rows, p.others, d.Zone), nil
}

// part is a part of a span: whole days by their sums, or a day that is cut by its slots.
type part struct {
	days   []balance.Day
	rows   []balance.Row
	others []balance.CarrierRow
}

func (p *part) read(ctx context.Context, st Store, d *district.District, site string, sp timegrid.Span) (err error) {
	if p.rows, err = st.Balances(ctx, d.ID, site, sp); err != nil {
		return err
	}
	p.others, err = st.Carriers(ctx, d.ID, site, "", sp)
	return err
}

// pieces returns what passed the boundary in the part.
func (p *part) pieces(netting ped.Netting, frame ped.Frame, cuts []time.Time) []ped.Piece {
	if p.days != nil {
		return ped.PiecesOf(p.days, netting)
	}
	return ped.Gather(together(p.rows, p.others, nil), netting, frame, cuts...)
}

// parted reads a span of a site, in order of time: the days that an end of the span or a cut falls into slot by slot, the others by their sums.
func parted(ctx context.Context, st Store, d *district.District, site string, sp timegrid.Span, cuts []time.Time) ([]part, error) {
	var cut []timegrid.Span
	for _, t := range append([]time.Time{sp.Start, sp.End}, cuts...) {
		if day := timegrid.Day(t, d.Zone); !day.Start.Equal(t) && day.Start.Before(sp.End) && day.End.After(sp.Start) {
			cut = append(cut, day.Overlap(sp))
		}
	}
	slices.SortFunc(cut, func(a, b timegrid.Span) int { return a.Start.Compare(b.Start) })
	cut = slices.CompactFunc(cut, func(a, b timegrid.Span) bool { return a.Start.Equal(b.Start) })
	var out []part
	whole := func(from, to time.Time) error {
		if !from.Before(to) {
			return nil
		}
		days, err := st.BalanceDays(ctx, d.ID, site, timegrid.Span{Start: from, End: to}, d.Zone)
		if len(days) > 0 {
			out = append(out, part{days: days})
		}
		return err
	}
	at := sp.Start
	for _, c := range cut {
		if err := whole(at, c.Start); err != nil {
			return nil, err
		}
		p := part{}
		if err := p.read(ctx, st, d, site, c); err != nil {
			return nil, err
		}
		out = append(out, p)
		at = c.End
	}
	return out, whole(at, sp.End)
}

// together returns electricity and the other carriers in the same terms, by start.
func together(rows []balance.Row, others []balance.CarrierRow, without []ped.Use) []balance.CarrierRow {
	out := make([]balance.CarrierRow, 0, len(rows)+len(others))
	k := 0
	for i := range rows {
		for ; k < len(others) && others[k].Start.Before(rows[i].Start); k++ {
			out = append(out, others[k])
		}
		if slices.Contains(without, ped.Mobility) {
			out = append(out, rows[i].WithoutCars())
		} else {
			out = append(out, rows[i].Electric())
		}
	}
	return append(out, others[k:]...)
}

// boundary returns the rows of several sites inside a boundary by start, or of the whole district where none is named, which [ped.Gather] nets with each other, without the uses that are left out of it. A site that meters a carrier counts for its coverage as much as each of the others.
func boundary(ctx context.Context, st Store, d *district.District, sites []string, without []ped.Use, sp timegrid.Span) ([]balance.CarrierRow, error) {
	if len(sites) == 0 {
		sites = []string{district.DistrictSite}
	}
	var out []balance.CarrierRow
	metering := map[balance.Carrier]int{} // sites that meter a carrier
	for _, site := range sites {
		p := part{}
		if err := p.read(ctx, st, d, site, sp); err != nil {
			return nil, err
		}
		rows := together(p.rows, p.others, without)
		here := map[balance.Carrier]bool{}
		for i := range rows {
			here[rows[i].Carrier] = true
		}
		for c := range here {
			metering[c]++
		}
		out = append(out, rows...)
	}
	for i := range out {
		out[i].Coverage /= float64(metering[out[i].Carrier])
	}
	slices.SortStableFunc(out, func(a, b balance.CarrierRow) int { return a.Start.Compare(b.Start) })
	return out, nil
}
