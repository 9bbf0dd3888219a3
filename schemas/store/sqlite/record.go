package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

const balanceColumns = `district, site, start_us, step_us, import_wh, export_wh, production_wh, charge_wh, discharge_wh, heat_wh, cars_wh, other_wh,
	residual_wh, shared_wh, station_residual_wh, cost_eur, carbon_kg, baseline_cost_eur, baseline_carbon_kg, coverage, substituted, methods`

// SaveBalances writes rows; a row of the same district, site and start is replaced.
func (s *Store) SaveBalances(ctx context.Context, rows []balance.Row) error {
	if err := store.CheckBalances(rows); err != nil {
		return fmt.Errorf("store: save %d balance rows: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d balance rows", len(rows)), len(rows), func(ctx context.Context) (func(), error) {
		st, err := s.conn.PrepareContext(ctx, "insert or replace into balances("+balanceColumns+") values(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
		if err != nil {
			return nil, err
		}
		defer st.Close()
		for i := range rows {
			r := &rows[i]
			if _, err := st.ExecContext(ctx, r.District, r.Site, store.Micro(r.Start), r.Step.Microseconds(),
				int64(r.ImportWh), int64(r.ExportWh), int64(r.ProductionWh), int64(r.ChargeWh), int64(r.DischargeWh), int64(r.HeatWh), int64(r.CarsWh),
				int64(r.OtherWh), int64(r.ResidualWh), int64(r.SharedWh), int64(r.StationResidualWh), r.CostEUR, r.CarbonKg, r.BaselineCostEUR, r.BaselineCarbonKg,
				r.Coverage, r.Substituted, int64(r.Method)); err != nil {
				return nil, err
			}
		}
		if err := touch(ctx, s.conn, rows, func(r *balance.Row) (string, time.Time) { return r.District, r.Start }); err != nil {
			return nil, err
		}
		return nil, s.enqueue(ctx, &batch.Batch{Kind: batch.OfBalances, Balances: rows})
	})
}

// Balances returns the rows of a site ("": all) that start in sp, by start, then site.
func (s *Store) Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	return s.balances(ctx, s.readers, districtID, site, sp)
}

func (s *Store) balances(ctx context.Context, q querier, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	rows, err := q.QueryContext(ctx, "select "+balanceColumns+" from balances"+
		" where district=? and start_us>=? and start_us<? and (?4='' or site=?4) order by start_us, site",
		districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End), site)
	if err != nil {
		return nil, s.fail("read balances of "+districtID, err)
	}
	out, err := collect(rows, scanBalance)
	return out, s.fail("read balances of "+districtID, err)
}

func scanBalance(rows *sql.Rows) (r balance.Row, err error) {
	var start, step int64
	var wh [11]int64
	err = rows.Scan(&r.District, &r.Site, &start, &step, &wh[0], &wh[1], &wh[2], &wh[3], &wh[4], &wh[5], &wh[6], &wh[7], &wh[8], &wh[9], &wh[10],
		&r.CostEUR, &r.CarbonKg, &r.BaselineCostEUR, &r.BaselineCarbonKg, &r.Coverage, &r.Substituted, &r.Method)
	r.Start, r.Step = store.FromMicro(start), time.Duration(step)*time.Microsecond
	for i, f := range []*units.WattHours{&r.ImportWh, &r.ExportWh, &r.ProductionWh, &r.ChargeWh, &r.DischargeWh, &r.HeatWh, &r.CarsWh,
		&r.OtherWh, &r.ResidualWh, &r.SharedWh, &r.StationResidualWh} {
		*f = units.WattHours(wh[i])
	}
	return r, err
}

// BalanceSpan returns the span from the first row of a district to the end of its last.
func (s *Store) BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error) {
	var from, to sql.NullInt64
	err := s.readers.QueryRowContext(ctx, `select
		(select start_us from balances where district=?1 order by start_us limit 1),
		(select max(start_us+step_us) from balances where district=?1 and start_us=(select max(start_us) from balances where district=?1))`, districtID).
		Scan(&from, &to)
	if err != nil {
		return timegrid.Span{}, s.fail("read the span of balances of "+districtID, err)
	}
	if !from.Valid || !to.Valid {
		return timegrid.Span{}, fmt.Errorf("balances of %s: %w", districtID, store.ErrNotFound)
	}
	return timegrid.Span{Start: store.FromMicro(from.Int64), End: store.FromMicro(to.Int64)}, nil
}

// planRows is how many rows of samples a plan takes as much time as, about.
const planRows = 100

// SavePlan stores p and returns its new id. p itself is not changed.
func (s *Store) SavePlan(ctx context.Context, p *district.Plan) (int64, error) {
	if err := store.CheckPlan(p); err != nil {
		return 0, fmt.Errorf("store: save plan: %w", err)
	}
	kept := *p
	kept.ID = 0
	kept.CreatedAt = store.Instant(p.CreatedAt)
	body, err := planBody(&kept)
	if err != nil {
		return 0, fmt.Errorf("store: save plan of %s at %s: %w: %w", p.District, kept.CreatedAt.Format(time.RFC3339), store.ErrInvalid, err)
	}
	err = s.write(ctx, "save plan of "+p.District, planRows, func(ctx context.Context) (func(), error) {
		res, err := s.conn.ExecContext(ctx, "insert into plans(district, created_us, body) values(?,?,?)", kept.District, store.Micro(kept.CreatedAt), body)
		if err != nil {
			return nil, err
		}
		if kept.ID, err = res.LastInsertId(); err != nil {
			return nil, err
		}
		return nil, s.enqueue(ctx, &batch.Batch{Kind: batch.OfPlans, Plans: []*district.Plan{&kept}})
	})
	if err != nil {
		return 0, err
	}
	return kept.ID, nil
}

// planBody is a plan without its id, which has a column, as the table holds it: compressed JSON, in a blob. Earlier versions wrote the JSON itself, as text.
func planBody(p *district.Plan) ([]byte, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return batch.Squeeze(nil, text), nil
}

func scanPlan(rows *sql.Rows) (*district.Plan, error) {
	var id int64
	var body []byte
	if err := rows.Scan(&id, &body); err != nil {
		return nil, err
	}
	text, err := batch.Text(body)
	if err != nil {
		return nil, fmt.Errorf("plan %d: %w", id, err)
	}
	p := &district.Plan{}
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("plan %d: %w", id, err)
	}
	p.ID = id
	return p, nil
}

func (s *Store) plans(ctx context.Context, op, where string, args ...any) ([]*district.Plan, error) {
	rows, err := s.readers.QueryContext(ctx, "select id, body from plans where "+where, args...)
	if err != nil {
		return nil, s.fail(op, err)
	}
	out, err := collect(rows, scanPlan)
	return out, s.fail(op, err)
}

func (s *Store) plan(ctx context.Context, op, where string, args ...any) (*district.Plan, error) {
	ps, err := s.plans(ctx, op, where+" limit 1", args...)
	if err != nil {
		return nil, err
	}
	if len(ps) == 0 {
		return nil, fmt.Errorf("store: %s: %w", op, store.ErrNotFound)
	}
	return ps[0], nil
}

// LatestPlan returns the newest plan of a district created at or before asOf.
func (s *Store) LatestPlan(ctx context.Context, districtID string, asOf time.Time) (*district.Plan, error) {
	return s.plan(ctx, "read the latest plan of "+districtID, "district=? and created_us<=? order by created_us desc, id desc", districtID, store.Micro(asOf))
}

// Plan returns a plan by id.
func (s *Store) Plan(ctx context.Context, id int64) (*district.Plan, error) {
	return s.plan(ctx, fmt.Sprintf("read plan %d", id), "id=?", id)
}

// PlansBetween returns the plans of a district created in sp, oldest first.
func (s *Store) PlansBetween(ctx context.Context, districtID string, sp timegrid.Span) ([]*district.Plan, error) {
	return s.plans(ctx, "read plans of "+districtID, "district=? and created_us>=? and created_us<? order by created_us, id",
		districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End))
}

// AppendSetpoints writes lines of the ledger.
func (s *Store) AppendSetpoints(ctx context.Context, sps []district.Setpoint) error {
	if err := store.CheckSetpoints(sps); err != nil {
		return fmt.Errorf("store: append %d set-points: %w", len(sps), err)
	}
	if len(sps) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("append %d set-points", len(sps)), len(sps), func(ctx context.Context) (func(), error) {
		b := &batch.Batch{Kind: batch.OfSetpoints}
		for _, sp := range sps {
			sp = store.CleanSetpoint(sp)
			res, err := s.conn.ExecContext(ctx, "insert into setpoints(time_us, district, site, device, wanted_kw, command, sent_kw, reason, plan_id, outcome,"+
				" read_back, detail) values(?,?,?,?,?,?,?,?,?,?,?,?)", store.Micro(sp.Time), sp.District, sp.Site, sp.Device, sp.WantedKW, sp.Command, sp.SentKW,
				sp.Reason, sp.PlanID, string(sp.Outcome), sp.ReadBack, sp.Detail)
			if err != nil {
				return nil, err
			}
			id, err := res.LastInsertId()
			if err != nil {
				return nil, err
			}
			b.Setpoints = append(b.Setpoints, batch.Setpoint{ID: id, Setpoint: sp})
		}
		return nil, s.enqueue(ctx, b)
	})
}

// Setpoints returns set-points with time in sp, newest first.
func (s *Store) Setpoints(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]district.Setpoint, error) {
	lines, err := s.LedgerLines(ctx, districtID, site, device, sp, limit)
	out := make([]district.Setpoint, 0, len(lines))
	for _, l := range lines {
		out = append(out, l.Setpoint)
	}
	return out, err
}

const lineColumns = "id, time_us, district, site, device, wanted_kw, command, sent_kw, reason, plan_id, outcome, read_back, detail"

func scanLine(rows *sql.Rows) (l batch.Setpoint, err error) {
	var us int64
	err = rows.Scan(&l.ID, &us, &l.District, &l.Site, &l.Device, &l.WantedKW, &l.Command, &l.SentKW, &l.Reason, &l.PlanID, &l.Outcome, &l.ReadBack, &l.Detail)
	l.Time = store.FromMicro(us)
	return l, err
}

// LedgerLines is [Store.Setpoints] with the id of each line.
func (s *Store) LedgerLines(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]batch.Setpoint, error) {
	rows, err := s.readers.QueryContext(ctx, "select "+lineColumns+" from setpoints where district=?1 and time_us>=?2 and time_us<?3 and (?4='' or site=?4) and (?5='' or device=?5)"+
		" order by time_us desc, id desc limit ?6", districtID, store.CeilMicro(sp.Start), store.CeilMicro(sp.End), site, device, limitOf(limit))
	if err != nil {
		return nil, s.fail("read set-points of "+districtID, err)
	}
	out, err := collect(rows, scanLine)
	return out, s.fail("read set-points of "+districtID, err)
}

// AppendEvent writes e.
func (s *Store) AppendEvent(ctx context.Context, e store.Event) error {
	if err := store.CheckEvent(e); err != nil {
		return fmt.Errorf("store: append event: %w", err)
	}
	e = store.CleanEvent(e)
	return s.write(ctx, "append event "+e.Action, 1, func(ctx context.Context) (func(), error) { return nil, s.appendEvent(ctx, e) })
}

// appendEvent writes a clean event in the transaction under way.
func (s *Store) appendEvent(ctx context.Context, e store.Event) error {
	res, err := s.conn.ExecContext(ctx, "insert into events(time_us, kind, actor, action, object, detail, remote, severity) values(?,?,?,?,?,?,?,?)",
		store.Micro(e.Time), string(e.Kind), e.Actor, e.Action, e.Object, e.Detail, e.Remote, e.Severity)
	if err != nil {
		return err
	}
	if e.ID, err = res.LastInsertId(); err != nil {
		return err
	}
	return s.enqueue(ctx, &batch.Batch{Kind: batch.OfEvents, Events: []store.Event{e}})
}

// Events returns events with time in sp, newest first.
func (s *Store) Events(ctx context.Context, kinds []store.EventKind, sp timegrid.Span, limit int) ([]store.Event, error) {
	where, args := "time_us>=? and time_us<?", []any{store.CeilMicro(sp.Start), store.CeilMicro(sp.End)}
	if len(kinds) > 0 {
		where += " and kind in (?" + strings.Repeat(",?", len(kinds)-1) + ")"
		for _, k := range kinds {
			args = append(args, string(k))
		}
	}
	rows, err := s.readers.QueryContext(ctx, "select "+eventColumns+" from events where "+where+
		" order by time_us desc, id desc limit ?", append(args, limitOf(limit))...)
	if err != nil {
		return nil, s.fail("read events", err)
	}
	out, err := collect(rows, scanEvent)
	return out, s.fail("read events", err)
}

const eventColumns = "id, time_us, kind, actor, action, object, detail, remote, severity"

func scanEvent(rows *sql.Rows) (e store.Event, err error) {
	var us int64
	err = rows.Scan(&e.ID, &us, &e.Kind, &e.Actor, &e.Action, &e.Object, &e.Detail, &e.Remote, &e.Severity)
	e.Time = store.FromMicro(us)
	return e, err
}

// limitOf is the limit for SQL, where a negative one means none.
func limitOf(limit int) int {
	if limit <= 0 {
		return -1
	}
	return limit
}

// collect reads all rows and closes them; the result is never nil.
func collect[T any](rows *sql.Rows, scan func(*sql.Rows) (T, error)) (out []T, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	out = []T{}
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
