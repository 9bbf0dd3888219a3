package console

import (
	"context"
	"fmt"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// near is how far from an instant a state of charge may have been read to stand for it.
const near = 10 * time.Minute

// battery is a battery with its place.
type battery struct {
	site string
	dev  *district.Device
}

// batteries lists those of a site, or of all sites for [district.DistrictSite].
func batteries(d *district.District, site string) []battery {
	var out []battery
	for at, dev := range d.AllDevices {
		if dev.Kind == district.Battery && dev.Battery != nil && (at == site || site == district.DistrictSite) {
			out = append(out, battery{at, dev})
		}
	}
	return out
}

// storedChange returns how much more the batteries of a site or district hold at the end of the last of the rows of a span, which are added up in sum, than at its begin, in kWh: over the
// time that the other figures of the span are of. It is nil where that is not known of every battery, and where there is none.
func (s *Server) storedChange(ctx context.Context, d *district.District, site string, sp timegrid.Span, sum *balance.Total) *float64 {
	list := batteries(d, site)
	if len(list) == 0 || sum.Slots == 0 {
		return nil
	}
	begin, err := s.charges(ctx, d, sp.Start)
	if err != nil {
		return nil // a record that does not answer now: the figure it goes with says so itself
	}
	end, err := s.charges(ctx, d, sum.Start.Add(sum.Step))
	if err != nil {
		return nil
	}
	change := 0.0
	for _, b := range list {
		id := b.dev.Series(d.ID, b.site, district.SOC)
		from, known := begin[id]
		to, both := end[id]
		if !known || !both {
			return nil
		}
		change += (to - from) * b.dev.Battery.CapacityKWh
	}
	return &change
}

// charges returns the state of charge of a district's batteries at an instant: for each the value that was read nearest to it, of those within [near].
func (s *Server) charges(ctx context.Context, d *district.District, at time.Time) (map[district.SeriesID]float64, error) {
	key := fmt.Sprintf("charges/%s/%d", d.ID, at.Unix())
	return cached(s.cache, key, time.Minute, func() (map[district.SeriesID]float64, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		var ids []district.SeriesID
		for _, b := range batteries(d, district.DistrictSite) {
			ids = append(ids, b.dev.Series(d.ID, b.site, district.SOC))
		}
		out, distance := map[district.SeriesID]float64{}, map[district.SeriesID]time.Duration{}
		err := s.deps.Store.Read(ctx, ids, timegrid.Span{Start: at.Add(-near), End: at.Add(near)}, func(v district.Sample) error {
			apart := v.Time.Sub(at).Abs()
			if best, seen := distance[v.Series]; v.Quality != district.Bad && (!seen || apart < best) {
				out[v.Series], distance[v.Series] = v.Value, apart
			}
			return nil
		})
		return out, err
	})
}
