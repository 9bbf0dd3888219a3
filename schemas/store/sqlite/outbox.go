package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// batchRows is how many samples one batch of the outbox holds at most, so that the database gets pieces of a bounded size.
const batchRows = 20_000

// Keys of the table meta beside "outbox", which is there while every row of the file is or was in the outbox.
const (
	keptFrom = "kept_from_us" // every row from this time on is in this file
	agedTo   = "aged_to_us"   // rows before this time may be in the database alone: removed here, or written by another file
	writer   = "writer"       // the name of this file among those that write to the database
)

// enqueue writes b into the outbox, if there is one, in the transaction under way.
func (s *Store) enqueue(ctx context.Context, b *batch.Batch) error {
	if !s.outbox {
		return nil
	}
	rows := b.Samples.Rows
	for len(rows) > batchRows {
		part := &batch.Batch{Kind: b.Kind, Samples: part(b.Samples.Names, rows[:batchRows])}
		if err := s.enqueueOne(ctx, part); err != nil {
			return err
		}
		rows = rows[batchRows:]
	}
	if len(rows) < len(b.Samples.Rows) {
		b = &batch.Batch{Kind: b.Kind, Samples: part(b.Samples.Names, rows)}
	}
	return s.enqueueOne(ctx, b)
}

// part returns rows with the names that they use; rows are sorted by series.
func part(names []district.SeriesID, rows []batch.Row) batch.Samples {
	first, last := rows[0].Series, rows[len(rows)-1].Series
	out := batch.Samples{Names: names[first : last+1], Rows: make([]batch.Row, len(rows))}
	for i, r := range rows {
		r.Series -= first
		out.Rows[i] = r
	}
	return out
}

func (s *Store) enqueueOne(ctx context.Context, b *batch.Batch) error {
	// the sequence is inside of the checksum, so it is chosen before the row is written; nobody else writes now
	var last sql.NullInt64
	if err := s.conn.QueryRowContext(ctx, "select max(seq) from sqlite_sequence where name='outbox'").Scan(&last); err != nil {
		return err
	}
	b.Seq = last.Int64 + 1
	from, _ := b.Span()
	body, err := batch.Encode(b)
	if err != nil {
		return fmt.Errorf("%w: %w", store.ErrInvalid, err)
	}
	_, err = s.conn.ExecContext(ctx, "insert into outbox(seq, kind, row_count, from_us, written_us, body) values(?,?,?,?,?,?)",
		b.Seq, int64(b.Kind), b.Len(), store.Micro(from), store.Micro(time.Now()), body)
	return err
}

// startOutbox compares what the file says of its outbox with the option: switched on now, everything that is here goes into it; switched off,
// the first write notes that it is no longer whole.
func (s *Store) startOutbox(ctx context.Context) error {
	var whole string
	err := s.conn.QueryRowContext(ctx, "select value from meta where key='outbox'").Scan(&whole)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	has := err == nil
	if !s.outbox {
		s.stale = has
		return nil
	}
	if has {
		return nil
	}
	if _, err := s.conn.ExecContext(ctx, "begin immediate"); err != nil {
		return err
	}
	err = s.enqueueAll(ctx)
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "insert into meta(key, value) values('outbox', 'whole')")
	}
	if err == nil {
		_, err = s.conn.ExecContext(ctx, "commit")
	}
	if err != nil {
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "rollback")
		return fmt.Errorf("switch the outbox on: %w", err)
	}
	return nil
}

// enqueueAll puts every row of the file into the outbox, in place of what waited there.
func (s *Store) enqueueAll(ctx context.Context) error {
	if _, err := s.conn.ExecContext(ctx, "delete from outbox where refused is null"); err != nil {
		return err
	}
	for _, k := range []batch.Kind{batch.OfUsers, batch.OfSamples, batch.OfBalances, batch.OfCarriers, batch.OfForecasts, batch.OfOutlooks, batch.OfPlans, batch.OfSetpoints, batch.OfEvents, batch.OfFigures, batch.OfOrders} {
		if err := s.enqueueKind(ctx, k, math.MinInt64); err != nil {
			return fmt.Errorf("%v: %w", k, err)
		}
	}
	// rows from before this moment may also be in the database: from an earlier file of this installation
	for _, key := range []string{keptFrom, agedTo} {
		if _, err := s.conn.ExecContext(ctx, "insert into meta(key, value) values(?, ?) on conflict do nothing", key,
			map[string]int64{keptFrom: store.Micro(time.Now()), agedTo: math.MinInt64}[key]); err != nil {
			return err
		}
	}
	return nil
}

// enqueueKind puts the rows of one kind from a time on into the outbox. It reads what is committed, which is all, since it has the right to write.
func (s *Store) enqueueKind(ctx context.Context, k batch.Kind, from int64) error {
	switch k {
	case batch.OfSamples:
		return s.enqueueSamples(ctx, from)
	case batch.OfBalances:
		return enqueueRows(ctx, s, 5000, scanBalance, func(b *batch.Batch) *[]balance.Row { return &b.Balances }, k,
			"select "+balanceColumns+" from balances where start_us>=? order by start_us, district, site", from)
	case batch.OfCarriers:
		return enqueueRows(ctx, s, 5000, scanCarrier, func(b *batch.Batch) *[]balance.CarrierRow { return &b.Carriers }, k,
			"select "+carrierColumns+" from carrier_balances where start_us>=? order by start_us, district, site, carrier", from)
	case batch.OfForecasts:
		return enqueueRows(ctx, s, 5000, scanForecast, func(b *batch.Batch) *[]district.ForecastError { return &b.Forecasts }, k,
			"select "+forecastColumns+" from forecast_errors where day_us>=? order by day_us, district, site, device, quantity, lead_min, replayed", from)
	case batch.OfOutlooks:
		return enqueueRows(ctx, s, 500, scanOutlook, func(b *batch.Batch) *[]district.Outlook { return &b.Outlooks }, k, "select district, at_us, body from outlooks where at_us>=? order by at_us, district", from)
	case batch.OfPlans:
		return enqueueRows(ctx, s, 10, scanPlan, func(b *batch.Batch) *[]*district.Plan { return &b.Plans }, k,
			"select id, body from plans where created_us>=? order by id", from)
	case batch.OfSetpoints:
		return enqueueRows(ctx, s, 5000, scanLine, func(b *batch.Batch) *[]batch.Setpoint { return &b.Setpoints }, k,
			"select "+lineColumns+" from setpoints where time_us>=? order by id", from)
	case batch.OfEvents:
		return enqueueRows(ctx, s, 5000, scanEvent, func(b *batch.Batch) *[]store.Event { return &b.Events }, k,
			"select "+eventColumns+" from events where time_us>=? order by id", from)
	case batch.OfFigures:
		return enqueueRows(ctx, s, 500, scanFigure, func(b *batch.Batch) *[]ledger.Figure { return &b.Figures }, k,
			"select "+figureColumns+" from figures where created_us>=? order by created_us", from)
	case batch.OfOrders:
		return enqueueRows(ctx, s, 500, scanOrder, func(b *batch.Batch) *[]order.Order { return &b.Orders }, k, "select body from orders where created_us>=? order by created_us", from)
	case batch.OfUsers:
		return enqueueRows(ctx, s, 1000, func(rows *sql.Rows) (batch.User, error) {
			u, err := scanUser(rows)
			return batch.User{User: u, PasswordHash: u.PasswordHash}, err
		}, func(b *batch.Batch) *[]batch.User { return &b.Users }, k, "select "+userColumns+" from users order by name")
	}
	return fmt.Errorf("unknown %v", k)
}

func enqueueRows[T any](ctx context.Context, s *Store, size int, scan func(*sql.Rows) (T, error), field func(*batch.Batch) *[]T,
	k batch.Kind, query string, args ...any) error {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	b := &batch.Batch{Kind: k}
	list := field(b)
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return err
		}
		if *list = append(*list, v); len(*list) == size {
			if err := s.enqueueOne(ctx, b); err != nil {
				return err
			}
			*list = (*list)[:0]
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(*list) == 0 {
		return nil
	}
	return s.enqueueOne(ctx, b)
}

func (s *Store) enqueueSamples(ctx context.Context, from int64) error {
	names, err := s.Series(ctx, "")
	if err != nil {
		return err
	}
	for _, name := range names {
		id, ok, err := s.lookup(ctx, name)
		if err != nil || !ok {
			return errors.Join(err, ctx.Err())
		}
		for next := from; ; {
			page, more, err := s.readPage(ctx, nil, id, next, math.MaxInt64)
			if err != nil {
				return err
			}
			if len(page) > 0 {
				b := &batch.Batch{Kind: batch.OfSamples, Samples: batch.Samples{Names: []district.SeriesID{name}, Rows: page}}
				if err := s.enqueueOne(ctx, b); err != nil {
					return err
				}
			}
			if !more {
				break
			}
			next = page[len(page)-1].Micro + 1
		}
	}
	return nil
}
