package outbox

import (
	"context"
	"errors"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
)

// BalanceDays returns what the rows of a site ("": all), or of several netted with each other, sum to in each civil day of zone that starts in sp, by start, then site, then carrier. From the file's own time on they are the file's; before, they are the database's, but for
// the days of which the file has rows as well: those are summed from the rows of both.
func (s *Store) BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error) {
	ours, err := s.local.BalanceDays(ctx, districtID, site, sp, zone)
	if err != nil {
		return nil, err
	}
	db, err := s.older(ctx, "read daily balances of "+districtID, sp.Start)
	if db == nil {
		return ours, err
	}
	h, err := s.horizon(ctx)
	if err != nil {
		return nil, err
	}
	var theirs []balance.Day
	if err := s.byParts(ctx, sp, zone, func(ctx context.Context, part timegrid.Span) error {
		more, err := db.BalanceDays(ctx, districtID, site, part, zone)
		theirs = append(theirs, more...)
		return err
	}); err != nil {
		return nil, err
	}
	here := map[int64]bool{} // days that the file knows something of
	out := make([]balance.Day, 0, len(ours)+len(theirs))
	var both []timegrid.Span
	for _, d := range ours {
		switch day := (timegrid.Span{Start: d.Start, End: d.End()}); {
		case !d.Start.Before(h.kept):
			out = append(out, d)
		case len(both) > 0 && !both[len(both)-1].End.Before(day.Start):
			both[len(both)-1].End = day.End
		default:
			both = append(both, day)
		}
		here[d.Start.UnixMicro()] = true
	}
	for _, d := range theirs {
		if !here[d.Start.UnixMicro()] {
			out = append(out, d)
		}
	}
	for _, day := range both {
		days, err := daily.FromRows(ctx, s, districtID, site, day, zone)
		if err != nil {
			return nil, err
		}
		out = append(out, days...)
	}
	balance.SortDays(out)
	return out, nil
}

// mostDays is of how many civil days at most the database is asked at once: those that it has not summed yet it sums first.
const mostDays = 31

// byParts reads the civil days that start in a span from the database, part by part, each as long as [readWithin] allows.
func (s *Store) byParts(ctx context.Context, sp timegrid.Span, zone *time.Location, read func(ctx context.Context, part timegrid.Span) error) error {
	for at := sp.Start; at.Before(sp.End); {
		part := timegrid.Span{Start: at, End: timegrid.Day(at.In(zone).AddDate(0, 0, mostDays-1), zone).End}
		if part.End.After(sp.End) {
			part.End = sp.End
		}
		bounded, cancel := context.WithTimeout(ctx, readWithin)
		err := read(bounded, part)
		cancel()
		if err != nil {
			return s.judge(ctx, err)
		}
		at = part.End
	}
	return ctx.Err()
}

// SumBalances keeps the sums of days in the file, and in the database when it answers.
func (s *Store) SumBalances(ctx context.Context, districtID string, zone *time.Location, now time.Time, boundaries ...string) error {
	err := s.local.SumBalances(ctx, districtID, zone, now, boundaries...)
	if db, _ := s.database(); db != nil {
		err = errors.Join(err, s.judge(ctx, db.SumBalances(ctx, districtID, zone, now, boundaries...)))
	}
	return err
}
