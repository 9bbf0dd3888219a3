package outbox

import (
	"context"
	"errors"

	"quartier/schemas/ledger"
	"quartier/schemas/timegrid"
)

// AppendFigures writes sealed figures to the local disk.
func (s *Store) AppendFigures(ctx context.Context, figures []ledger.Figure) error {
	return s.wrote(s.local.AppendFigures(ctx, figures))
}

// Figures returns every version of the figures of a district whose period lies in sp, of some kinds (none: all), the file's and the database's. Of two with one version the file's comes, which
// this installation published.
func (s *Store) Figures(ctx context.Context, districtID string, sp timegrid.Span, kinds ...string) ([]ledger.Figure, error) {
	ours, err := s.local.Figures(ctx, districtID, sp, kinds...)
	if err != nil {
		return nil, err
	}
	db, _ := s.database()
	if db == nil {
		return ours, nil
	}
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	theirs, err := db.Figures(bounded, districtID, sp, kinds...)
	if err != nil {
		return ours, errors.Join(s.judge(ctx, err), ctx.Err())
	}
	have := map[ledger.Key]map[int]bool{}
	for i := range ours {
		k := ours[i].Key()
		if have[k] == nil {
			have[k] = map[int]bool{}
		}
		have[k][ours[i].Version] = true
	}
	for i := range theirs {
		if !have[theirs[i].Key()][theirs[i].Version] {
			ours = append(ours, theirs[i])
		}
	}
	ledger.Sort(ours)
	return ours, nil
}
