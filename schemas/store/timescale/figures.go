package timescale

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

const figureColumns = `district, subject, kind, start, "end", version, value, unit, method, method_version, inputs, created_at, supersedes, reason, seal`

// AppendFigures writes sealed figures, all or none; one that is there with the same seal changes nothing.
func (s *Store) AppendFigures(ctx context.Context, figures []ledger.Figure) error {
	if err := store.CheckFigures(figures); err != nil {
		return fmt.Errorf("store: append %d figures: %w", len(figures), err)
	}
	return s.writeFigures(ctx, figures, func(f *ledger.Figure) error { return fmt.Errorf("store: figure %s: %w", f, store.ErrExists) })
}

// applyFigures writes the figures of an installation. Of two installations that published the same version, the first stays.
func (s *Store) applyFigures(ctx context.Context, figures []ledger.Figure) error {
	return s.writeFigures(ctx, figures, func(f *ledger.Figure) error {
		s.log.Warn("two installations published a figure; the first stays", "figure", f.String(), "database", s.where)
		return nil
	})
}

// writeFigures calls other for a figure that is there with another seal.
func (s *Store) writeFigures(ctx context.Context, figures []ledger.Figure, other func(*ledger.Figure) error) error {
	if len(figures) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("append %d figures", len(figures)), func(tx pgx.Tx) error {
		for i := range figures {
			f := &figures[i]
			inputs, err := json.Marshal(f.Inputs)
			if err != nil {
				return err
			}
			tag, err := tx.Exec(ctx, "insert into figures("+figureColumns+") values($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15) on conflict do nothing",
				f.District, f.Subject, f.Kind, f.Period.Start, f.Period.End, f.Version, f.Value, f.Unit, f.Method, f.MethodVersion, string(inputs), f.CreatedAt,
				f.Supersedes, f.Reason, f.Seal)
			if err != nil {
				return err
			}
			if tag.RowsAffected() > 0 {
				continue
			}
			var seal string
			err = tx.QueryRow(ctx, `select seal from figures where district=$1 and start=$2 and "end"=$3 and subject=$4 and kind=$5 and version=$6`,
				f.District, f.Period.Start, f.Period.End, f.Subject, f.Kind, f.Version).Scan(&seal)
			if err == nil && seal != f.Seal {
				err = other(f)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Figures returns every version of the figures of a district whose period lies in sp, of some kinds (none: all).
func (s *Store) Figures(ctx context.Context, districtID string, sp timegrid.Span, kinds ...string) ([]ledger.Figure, error) {
	if !storable(districtID) {
		return []ledger.Figure{}, ctx.Err()
	}
	rows, err := s.pool.Query(ctx, "select "+figureColumns+` from figures where district=$1 and start>=$2 and "end"<=$3 and ($4::text[] is null or kind = any($4))`,
		districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.Instant(sp.End), kinds)
	if err != nil {
		return nil, s.fail("read figures of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, scanFigure)
	ledger.Sort(out)
	return out, s.fail("read figures of "+districtID, err)
}

func scanFigure(row pgx.CollectableRow) (f ledger.Figure, err error) {
	var inputs []byte
	err = row.Scan(&f.District, &f.Subject, &f.Kind, &f.Period.Start, &f.Period.End, &f.Version, &f.Value, &f.Unit, &f.Method, &f.MethodVersion, &inputs,
		&f.CreatedAt, &f.Supersedes, &f.Reason, &f.Seal)
	if err != nil {
		return f, err
	}
	f.Period, f.CreatedAt = timegrid.Span{Start: f.Period.Start.UTC(), End: f.Period.End.UTC()}, f.CreatedAt.UTC()
	if err := json.Unmarshal(inputs, &f.Inputs); err != nil {
		return f, fmt.Errorf("inputs of figure %s: %w", &f, err)
	}
	return f, nil
}
