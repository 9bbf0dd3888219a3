package ped

import (
	"cmp"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Piece is what passed the boundary in a civil day, or in the part of one that a cut leaves, of one carrier: netted at a step, and then summed.
type Piece struct {
	Start       time.Time
	Carrier     balance.Carrier
	DeliveredWh units.WattHours
	ExportedWh  units.WattHours
	GeneratedWh units.WattHours
	ConsumedWh  units.WattHours
	Covered     float64 // hours that were measured
	Slots       int
	Substituted int // slots with an estimate
}

// fine is the step at which pieces are netted for a profile that nets at n: factors change at midnights, so that days are enough for what is coarser.
func (n Netting) fine() Netting {
	if n == NetMonth || n == NetYear {
		return NetDay
	}
	return n
}

// Gather nets rows at a step, as any profile with that netting needs them, and sums them by day; cuts are the ends of periods that lie inside a day. Several rows of a carrier at one start, such as those of the
// sites inside a boundary, are netted with each other. The pieces are in order of time; what they are made from is read once, whatever the number of profiles and periods.
func Gather(rows []balance.CarrierRow, netting Netting, frame Frame, cuts ...time.Time) []Piece {
	byStart := func(a, b balance.CarrierRow) int { return a.Start.Compare(b.Start) }
	if !slices.IsSortedFunc(rows, byStart) {
		rows = slices.Clone(rows)
		slices.SortStableFunc(rows, byStart)
	}
	cuts = slices.Clone(cuts)
	slices.SortFunc(cuts, time.Time.Compare)
	open := map[balance.Carrier]*gatherer{}
	var order []*gatherer // as tables show the carriers
	var out []Piece
	var begin, end time.Time // of the piece, of every carrier
	flush := func() {
		for _, g := range order {
			out = g.flush(out)
		}
	}
	for i := range rows {
		r := &rows[i]
		if !r.Start.Before(end) {
			flush()
			day := timegrid.Day(r.Start, frame.Zone)
			begin, end = day.Start, day.End
			for _, c := range cuts {
				if c.After(begin) && !c.After(r.Start) {
					begin = c
				}
				if c.After(r.Start) && c.Before(end) {
					end = c
				}
			}
		}
		g := open[r.Carrier]
		if g == nil {
			g = &gatherer{netting: netting.fine(), piece: Piece{Carrier: r.Carrier}}
			open[r.Carrier] = g
			order = append(order, g)
			slices.SortFunc(order, func(a, b *gatherer) int { return compare(a.piece.Carrier, b.piece.Carrier) })
		}
		g.piece.Start = begin
		g.add(r)
	}
	flush()
	return out
}

// gatherer is the open piece of one carrier, with the netting group that is open in it.
type gatherer struct {
	netting Netting
	piece   Piece
	group   time.Time
	net     units.WattHours
}

func (g *gatherer) add(r *balance.CarrierRow) {
	group := r.Start
	switch g.netting {
	case NetHour:
		group = timegrid.Floor(r.Start, time.Hour)
	case NetDay:
		group = g.piece.Start
	}
	if !group.Equal(g.group) {
		g.settle()
		g.group = group
	}
	g.net += r.DeliveredWh - r.ExportedWh
	g.piece.GeneratedWh += r.GeneratedWh
	g.piece.ConsumedWh += r.ConsumedWh
	g.piece.Covered += r.Coverage * r.Step.Hours()
	g.piece.Slots++
	if r.Substituted() {
		g.piece.Substituted++
	}
}

// settle closes the netting group.
func (g *gatherer) settle() {
	if g.net > 0 {
		g.piece.DeliveredWh += g.net
	} else {
		g.piece.ExportedWh -= g.net
	}
	g.net = 0
}

// flush closes the piece and appends it where it holds anything.
func (g *gatherer) flush(out []Piece) []Piece {
	g.settle()
	g.group = time.Time{}
	if g.piece.Slots > 0 {
		out = append(out, g.piece)
	}
	g.piece = Piece{Carrier: g.piece.Carrier}
	return out
}

// PiecesOf returns the pieces of civil days whose sums are known, as [Gather] makes them of their rows, with some uses left out of the boundary; days are in order of time and of one boundary. Of several sites that are
// netted with each other, one that meters a carrier counts for its coverage as much as each of the others, on the days as well on which it has no rows.
func PiecesOf(days []balance.Day, netting Netting, without ...Use) []Piece {
	most := map[balance.Carrier]int{} // sites that meter a carrier
	for i := range days {
		most[days[i].Carrier] = max(most[days[i].Carrier], days[i].Sites)
	}
	out := make([]Piece, len(days))
	for i := range days {
		d := &days[i]
		out[i] = Piece{Start: d.Start, Carrier: d.Carrier, GeneratedWh: d.GeneratedWh, ConsumedWh: d.ConsumedWh, Covered: d.CoveredHours, Slots: d.Slots, Substituted: d.Estimated}
		if all := most[d.Carrier]; d.Sites < all {
			out[i].Covered *= float64(d.Sites) / float64(all)
		}
		passed, hour, net := d.Netted, d.NettedHour, d.DeliveredWh-d.ExportedWh
		if e := d.Electric; e != nil && slices.Contains(without, Mobility) {
			passed, hour, net = e.WithoutCars, e.WithoutCarsHour, net-e.Total.CarsWh
			out[i].ConsumedWh -= e.Total.CarsWh
		}
		switch netting.fine() {
		case NetHour:
			passed = hour
		case NetDay:
			passed = balance.Passed{DeliveredWh: max(0, net), ExportedWh: max(0, -net)}
		}
		out[i].DeliveredWh, out[i].ExportedWh = passed.DeliveredWh, passed.ExportedWh
	}
	slices.SortStableFunc(out, func(a, b Piece) int { return cmp.Or(a.Start.Compare(b.Start), compare(a.Carrier, b.Carrier)) })
	return out
}
