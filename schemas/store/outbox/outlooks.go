package outbox

import (
	"context"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// SaveOutlooks writes outlooks to the local disk.
func (s *Store) SaveOutlooks(ctx context.Context, rows []district.Outlook) error {
	return s.wrote(s.local.SaveOutlooks(ctx, rows))
}

// Outlooks returns the outlooks of a district at instants in sp, by time.
func (s *Store) Outlooks(ctx context.Context, districtID string, sp timegrid.Span) ([]district.Outlook, error) {
	ours, err := s.local.Outlooks(ctx, districtID, sp)
	if err != nil {
		return nil, err
	}
	db, err := s.older(ctx, "read outlooks of "+districtID, sp.Start)
	if db == nil {
		return ours, err
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.Outlooks(bounded, districtID, sp)
	if err != nil {
		return nil, s.judge(ctx, err)
	}
	all := union(ours, theirs, func(a, b district.Outlook) int { return a.At.Compare(b.At) })
	return all[max(0, len(all)-store.KeptOutlooks):], nil // the database may not have heard yet of what went
}
