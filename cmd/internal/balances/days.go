package balances

import (
	"context"
	"iter"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
)

// Days returns what the rows of a site in a span sum to by civil day: the whole days from what the record keeps of them, and those that the span cuts from their slots. In zones whose midnights cut
// clock hours all is read slot by slot, since an hour is of both days.
func Days(ctx context.Context, st Store, d *district.District, site string, sp timegrid.Span) ([]balance.Day, error) {
	switch {
	case !sp.Start.Before(sp.End):
		return nil, ctx.Err()
	case !balance.WholeHours(sp, d.Zone):
		return daily.FromRows(ctx, st, d.ID, site, sp, d.Zone)
	}
	return parted(ctx, st, d, site, sp, nil)
}

// parted returns the days of a site, or of several netted with each other, in a span, in order of time. A day that an end of the span or a cut falls into comes in parts, each summed from its slots with its own start and length.
func parted(ctx context.Context, st Store, d *district.District, site string, sp timegrid.Span, cuts []time.Time) ([]balance.Day, error) {
	var out []balance.Day
	for part, whole := range stretches(sp, d.Zone, cuts...) {
		if whole {
			days, err := st.BalanceDays(ctx, d.ID, site, part, d.Zone)
			if err != nil {
				return nil, err
			}
			out = append(out, days...)
			continue
		}
		days, err := daily.FromRows(ctx, st, d.ID, site, part, d.Zone)
		if err != nil {
			return nil, err
		}
		for k := range days {
			x := &days[k]
			x.Start, x.Step = part.Start, part.Duration()
			x.Coverage = x.CoveredHours / x.Step.Hours()
		}
		out = append(out, days...)
	}
	return out, nil
}

// stretches yields a span in parts, in order of time: whole civil days that follow one another together, and the parts of the days that an end of the span or a cut falls into.
func stretches(sp timegrid.Span, zone *time.Location, cuts ...time.Time) iter.Seq2[timegrid.Span, bool] {
	ends := []time.Time{sp.Start, sp.End} // of the parts of days that are cut, in order
	for _, t := range append([]time.Time{sp.Start, sp.End}, cuts...) {
		if day := timegrid.Day(t, zone); !day.Start.Equal(t) && day.Start.Before(sp.End) && day.End.After(sp.Start) {
			part := day.Overlap(sp)
			ends = append(ends, part.Start, part.End)
			if sp.Contains(t) {
				ends = append(ends, t)
			}
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	ends = slices.CompactFunc(ends, time.Time.Equal)
	return func(yield func(timegrid.Span, bool) bool) {
		for i := range len(ends) - 1 {
			part := timegrid.NewSpan(ends[i], ends[i+1])
			whole := timegrid.Day(part.Start, zone).Start.Equal(part.Start) && timegrid.Day(part.End, zone).Start.Equal(part.End)
			if !yield(part, whole) {
				return
			}
		}
	}
}
