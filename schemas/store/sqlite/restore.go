package sqlite

import (
	"context"
	"errors"
	"fmt"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// Restore writes a batch of an archive with the ids that its rows have; plans, set-points and events that are there already stay as they are.
func (s *Store) Restore(ctx context.Context, b *batch.Batch) error {
	switch b.Kind {
	case batch.OfSamples:
		samples := make([]district.Sample, len(b.Samples.Rows))
		for i := range samples {
			samples[i] = b.Samples.Sample(i)
		}
		return s.Append(ctx, samples)
	case batch.OfCarriers:
		return s.SaveCarriers(ctx, b.Carriers)
	case batch.OfBalances:
		return s.SaveBalances(ctx, b.Balances)
	case batch.OfForecasts:
		return s.SaveForecastErrors(ctx, b.Forecasts)
	case batch.OfOutlooks:
		return s.SaveOutlooks(ctx, b.Outlooks)
	case batch.OfFigures:
		return s.AppendFigures(ctx, b.Figures)
	case batch.OfOrders:
		return s.SaveOrders(ctx, b.Orders)
	case batch.OfUsers:
		for _, u := range b.Users {
			err := s.UpdateUser(ctx, u.UserOf())
			if errors.Is(err, store.ErrNotFound) {
				err = s.CreateUser(ctx, u.UserOf())
			}
			if err != nil {
				return err
			}
		}
		return ctx.Err()
	case batch.OfPlans, batch.OfSetpoints, batch.OfEvents:
		return s.write(ctx, fmt.Sprintf("restore %d %v", b.Len(), b.Kind), b.Len(), func(ctx context.Context) (func(), error) {
			if err := s.restoreLines(ctx, b); err != nil {
				return nil, err
			}
			kept := *b
			return nil, s.enqueue(ctx, &kept)
		})
	}
	return fmt.Errorf("store: restore a batch of %v: %w", b.Kind, store.ErrInvalid)
}

func (s *Store) restoreLines(ctx context.Context, b *batch.Batch) error {
	for _, p := range b.Plans {
		kept := *p
		kept.ID = 0
		body, err := planBody(&kept)
		if err != nil {
			return fmt.Errorf("%w: plan %d: %w", store.ErrInvalid, p.ID, err)
		}
		if _, err := s.conn.ExecContext(ctx, "insert into plans(id, district, created_us, body) values(?,?,?,?) on conflict do nothing",
			p.ID, p.District, store.Micro(p.CreatedAt), body); err != nil {
			return err
		}
	}
	for i := range b.Setpoints {
		l := &b.Setpoints[i]
		if _, err := s.conn.ExecContext(ctx, "insert into setpoints("+lineColumns+") values(?,?,?,?,?,?,?,?,?,?,?,?,?) on conflict do nothing", l.ID, store.Micro(l.Time), l.District,
			l.Site, l.Device, l.WantedKW, l.Command, l.SentKW, l.Reason, l.PlanID, string(l.Outcome), l.ReadBack, l.Detail); err != nil {
			return err
		}
	}
	for _, e := range b.Events {
		if _, err := s.conn.ExecContext(ctx, "insert into events("+eventColumns+") values(?,?,?,?,?,?,?,?,?) on conflict do nothing",
			e.ID, store.Micro(e.Time), string(e.Kind), e.Actor, e.Action, e.Object, e.Detail, e.Remote, e.Severity); err != nil {
			return err
		}
	}
	return nil
}
