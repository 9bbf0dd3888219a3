package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"

	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

const figureColumns = "district, subject, kind, start_us, end_us, version, value, unit, method, method_version, inputs, created_us, supersedes, reason, seal"

// AppendFigures writes sealed figures, all or none; one that is there with the same seal changes nothing.
func (s *Store) AppendFigures(ctx context.Context, figures []ledger.Figure) error {
	if err := store.CheckFigures(figures); err != nil {
		return fmt.Errorf("store: append %d figures: %w", len(figures), err)
	}
	if len(figures) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("append %d figures", len(figures)), len(figures), func(ctx context.Context) (func(), error) {
		b := &batch.Batch{Kind: batch.OfFigures}
		for i := range figures {
			f := &figures[i]
			inputs, err := json.Marshal(f.Inputs)
			if err != nil {
				return nil, err
			}
			res, err := s.conn.ExecContext(ctx, "insert into figures("+figureColumns+") values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) on conflict do nothing",
				f.District, f.Subject, f.Kind, store.Micro(f.Period.Start), store.Micro(f.Period.End), f.Version, f.Value, f.Unit, f.Method, f.MethodVersion,
				string(inputs), store.Micro(f.CreatedAt), f.Supersedes, f.Reason, f.Seal)
			if err != nil {
				return nil, err
			}
			if n, err := res.RowsAffected(); err != nil {
				return nil, err
			} else if n > 0 {
				b.Figures = append(b.Figures, *f)
				continue
			}
			var seal string
			err = s.conn.QueryRowContext(ctx, "select seal from figures where district=? and start_us=? and end_us=? and subject=? and kind=? and version=?",
				f.District, store.Micro(f.Period.Start), store.Micro(f.Period.End), f.Subject, f.Kind, f.Version).Scan(&seal)
			if err != nil {
				return nil, err
			}
			if seal != f.Seal {
				return nil, fmt.Errorf("store: figure %s: %w", f, store.ErrExists)
			}
		}
		if len(b.Figures) == 0 {
			return nil, nil
		}
		return nil, s.enqueue(ctx, b)
	})
}

// Figures returns every version of the figures of a district whose period lies in sp, of some kinds (none: all).
func (s *Store) Figures(ctx context.Context, districtID string, sp timegrid.Span, kinds ...string) ([]ledger.Figure, error) {
	query, args := "select "+figureColumns+" from figures where district=? and start_us>=? and end_us<=?", []any{districtID, store.CeilMicro(sp.Start), store.Micro(sp.End)}
	if len(kinds) > 0 {
		query += " and kind in (?" + strings.Repeat(",?", len(kinds)-1) + ")"
		for _, k := range kinds {
			args = append(args, k)
		}
	}
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, s.fail("read figures of "+districtID, err)
	}
	out, err := collect(rows, scanFigure)
	ledger.Sort(out)
	return out, s.fail("read figures of "+districtID, err)
}

func scanFigure(rows *sql.Rows) (f ledger.Figure, err error) {
	var start, end, created int64
	var inputs string
	err = rows.Scan(&f.District, &f.Subject, &f.Kind, &start, &end, &f.Version, &f.Value, &f.Unit, &f.Method, &f.MethodVersion, &inputs, &created, &f.Supersedes,
		&f.Reason, &f.Seal)
	if err != nil {
		return f, err
	}
	f.Period, f.CreatedAt = timegrid.Span{Start: store.FromMicro(start), End: store.FromMicro(end)}, store.FromMicro(created)
	if err := json.Unmarshal([]byte(inputs), &f.Inputs); err != nil {
		return f, fmt.Errorf("inputs of figure %s: %w", &f, err)
	}
	return f, nil
}
