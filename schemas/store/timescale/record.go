package timescale

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

const balanceColumns = `district, site, start, step_us, import_wh, export_wh, production_wh, charge_wh, discharge_wh, heat_wh, cars_wh, other_wh,
	residual_wh, shared_wh, station_residual_wh, cost_eur, carbon_kg, baseline_cost_eur, baseline_carbon_kg, coverage, substituted, methods`

const upsertBalance = "insert into balances(" + balanceColumns + `) values($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19,$20,$21,$22)
	on conflict (district, start, site) do update set step_us=excluded.step_us, import_wh=excluded.import_wh, export_wh=excluded.export_wh,
	production_wh=excluded.production_wh, charge_wh=excluded.charge_wh, discharge_wh=excluded.discharge_wh, heat_wh=excluded.heat_wh,
	cars_wh=excluded.cars_wh, other_wh=excluded.other_wh, residual_wh=excluded.residual_wh, shared_wh=excluded.shared_wh, station_residual_wh=excluded.station_residual_wh,
	cost_eur=excluded.cost_eur, carbon_kg=excluded.carbon_kg, baseline_cost_eur=excluded.baseline_cost_eur,
	baseline_carbon_kg=excluded.baseline_carbon_kg, coverage=excluded.coverage, substituted=excluded.substituted, methods=excluded.methods
	where balances is distinct from excluded`

// SaveBalances writes rows; a row of the same district, site and start is replaced.
func (s *Store) SaveBalances(ctx context.Context, rows []balance.Row) error {
	if err := store.CheckBalances(rows); err != nil {
		return fmt.Errorf("store: save %d balance rows: %w", len(rows), err)
	}
	if len(rows) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("save %d balance rows", len(rows)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		touch(b, rows, func(r *balance.Row) (string, time.Time) { return r.District, r.Start })
		for i := range rows {
			r := &rows[i]
			b.Queue(upsertBalance, r.District, r.Site, store.Instant(r.Start), r.Step.Microseconds(),
				int64(r.ImportWh), int64(r.ExportWh), int64(r.ProductionWh), int64(r.ChargeWh), int64(r.DischargeWh), int64(r.HeatWh), int64(r.CarsWh),
				int64(r.OtherWh), int64(r.ResidualWh), int64(r.SharedWh), int64(r.StationResidualWh), r.CostEUR, r.CarbonKg, r.BaselineCostEUR, r.BaselineCarbonKg,
				r.Coverage, r.Substituted, int16(r.Method))
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// Balances returns the rows of a site ("": all) that start in sp, by start, then site.
func (s *Store) Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	return s.balances(ctx, s.pool, districtID, site, sp)
}

func (s *Store) balances(ctx context.Context, q querier, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	if !storable(districtID + site) {
		return []balance.Row{}, ctx.Err()
	}
	rows, err := q.Query(ctx, "select "+balanceColumns+" from balances where district=$1 and start>=$2 and start<$3 and ($4='' or site=$4)"+
		" order by start, site", districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)), site)
	if err != nil {
		return nil, s.fail("read balances of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, scanBalance)
	return out, s.fail("read balances of "+districtID, err)
}

func scanBalance(row pgx.CollectableRow) (r balance.Row, err error) {
	var step int64
	var method int16
	var wh [11]int64
	err = row.Scan(&r.District, &r.Site, &r.Start, &step, &wh[0], &wh[1], &wh[2], &wh[3], &wh[4], &wh[5], &wh[6], &wh[7], &wh[8], &wh[9], &wh[10],
		&r.CostEUR, &r.CarbonKg, &r.BaselineCostEUR, &r.BaselineCarbonKg, &r.Coverage, &r.Substituted, &method)
	r.Start, r.Step, r.Method = r.Start.UTC(), time.Duration(step)*time.Microsecond, balance.Method(method)
	for i, f := range []*units.WattHours{&r.ImportWh, &r.ExportWh, &r.ProductionWh, &r.ChargeWh, &r.DischargeWh, &r.HeatWh, &r.CarsWh,
		&r.OtherWh, &r.ResidualWh, &r.SharedWh, &r.StationResidualWh} {
		*f = units.WattHours(wh[i])
	}
	return r, err
}

// BalanceSpan returns the span from the first row of a district to the end of its last.
func (s *Store) BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error) {
	var from, to *time.Time
	if storable(districtID) {
		err := s.pool.QueryRow(ctx, `select (select min(start) from balances where district=$1),
			(select max(start + step_us * interval '1 microsecond') from balances where district=$1 and start=(select max(start) from balances where district=$1))`,
			districtID).Scan(&from, &to)
		if err != nil {
			return timegrid.Span{}, s.fail("read the span of balances of "+districtID, err)
		}
	}
	if from == nil || to == nil {
		return timegrid.Span{}, fmt.Errorf("balances of %s: %w", districtID, store.ErrNotFound)
	}
	return timegrid.Span{Start: from.UTC(), End: to.UTC()}, nil
}

// SavePlan stores p and returns its new id. p itself is not changed.
func (s *Store) SavePlan(ctx context.Context, p *district.Plan) (id int64, err error) {
	if err := store.CheckPlan(p); err != nil {
		return 0, fmt.Errorf("store: save plan: %w", err)
	}
	kept, body, err := planBody(p)
	if err != nil {
		return 0, err
	}
	err = s.write(ctx, "save plan of "+p.District, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, "insert into plans(district, created_at, body) values($1, $2, $3) returning id", kept.District, kept.CreatedAt, body).Scan(&id)
	})
	return id, err
}

// planBody returns a plan as it is kept, and its JSON without the id, which has a column.
func planBody(p *district.Plan) (kept district.Plan, body string, err error) {
	kept = *p
	kept.ID = 0
	kept.CreatedAt = store.Instant(p.CreatedAt)
	text, err := json.Marshal(&kept)
	if err != nil {
		return kept, "", fmt.Errorf("store: save plan of %s at %s: %w: %w", p.District, kept.CreatedAt.Format(time.RFC3339), store.ErrInvalid, err)
	}
	return kept, string(text), nil
}

// applyPlans writes plans that have their ids.
func (s *Store) applyPlans(ctx context.Context, plans []*district.Plan) error {
	return s.write(ctx, fmt.Sprintf("save %d plans", len(plans)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for _, p := range plans {
			kept, body, err := planBody(p)
			if err != nil {
				return err
			}
			b.Queue("insert into plans(id, district, created_at, body) values($1, $2, $3, $4) on conflict do nothing", p.ID, kept.District, kept.CreatedAt, body)
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

func scanPlan(row pgx.CollectableRow) (*district.Plan, error) {
	var id int64
	var body string
	if err := row.Scan(&id, &body); err != nil {
		return nil, err
	}
	p := &district.Plan{}
	if err := json.Unmarshal([]byte(body), p); err != nil {
		return nil, fmt.Errorf("plan %d: %w", id, err)
	}
	p.ID = id
	return p, nil
}

func (s *Store) plans(ctx context.Context, op, where string, args ...any) ([]*district.Plan, error) {
	rows, err := s.pool.Query(ctx, "select id, body::text from plans where "+where, args...)
	if err != nil {
		return nil, s.fail(op, err)
	}
	out, err := pgx.CollectRows(rows, scanPlan)
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
	return s.plan(ctx, "read the latest plan of "+districtID, "district=$1 and created_at<=$2 order by created_at desc, id desc",
		store.CleanText(districtID), store.Instant(asOf))
}

// Plan returns a plan by id.
func (s *Store) Plan(ctx context.Context, id int64) (*district.Plan, error) {
	return s.plan(ctx, fmt.Sprintf("read plan %d", id), "id=$1", id)
}

// PlansBetween returns the plans of a district created in sp, oldest first.
func (s *Store) PlansBetween(ctx context.Context, districtID string, sp timegrid.Span) ([]*district.Plan, error) {
	return s.plans(ctx, "read plans of "+districtID, "district=$1 and created_at>=$2 and created_at<$3 order by created_at, id",
		store.CleanText(districtID), store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)))
}

// AppendSetpoints writes lines of the ledger.
func (s *Store) AppendSetpoints(ctx context.Context, sps []district.Setpoint) error {
	if err := store.CheckSetpoints(sps); err != nil {
		return fmt.Errorf("store: append %d set-points: %w", len(sps), err)
	}
	lines := make([]batch.Setpoint, 0, len(sps))
	for _, sp := range sps {
		lines = append(lines, batch.Setpoint{Setpoint: store.CleanSetpoint(sp)})
	}
	return s.writeSetpoints(ctx, lines)
}

// writeSetpoints writes lines; those with an id at most once.
func (s *Store) writeSetpoints(ctx context.Context, lines []batch.Setpoint) error {
	if len(lines) == 0 {
		return ctx.Err()
	}
	return s.write(ctx, fmt.Sprintf("append %d set-points", len(lines)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for i := range lines {
			l := &lines[i]
			columns, values := "time, district, site, device, wanted_kw, command, sent_kw, reason, plan_id, outcome, read_back, detail", "$1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12"
			args := []any{l.Time, l.District, l.Site, l.Device, l.WantedKW, l.Command, l.SentKW, l.Reason, l.PlanID, string(l.Outcome), l.ReadBack, l.Detail}
			if l.ID != 0 {
				columns, values, args = columns+", id", values+",$13", append(args, l.ID)
			}
			b.Queue("insert into setpoints("+columns+") values("+values+") on conflict do nothing", args...)
		}
		return tx.SendBatch(ctx, b).Close()
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

// LedgerLines is [Store.Setpoints] with the id of each line.
func (s *Store) LedgerLines(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]batch.Setpoint, error) {
	if !storable(districtID + site + device) {
		return []batch.Setpoint{}, ctx.Err()
	}
	rows, err := s.pool.Query(ctx, `select id, time, district, site, device, wanted_kw, command, sent_kw, reason, plan_id, outcome, read_back, detail from setpoints
		where district=$1 and time>=$2 and time<$3 and ($4='' or site=$4) and ($5='' or device=$5) order by time desc, id desc limit $6`,
		districtID, store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)), site, device, limitOf(limit))
	if err != nil {
		return nil, s.fail("read set-points of "+districtID, err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (l batch.Setpoint, err error) {
		err = row.Scan(&l.ID, &l.Time, &l.District, &l.Site, &l.Device, &l.WantedKW, &l.Command, &l.SentKW, &l.Reason, &l.PlanID, &l.Outcome, &l.ReadBack, &l.Detail)
		l.Time = l.Time.UTC()
		return l, err
	})
	return out, s.fail("read set-points of "+districtID, err)
}

// AppendEvent writes e.
func (s *Store) AppendEvent(ctx context.Context, e store.Event) error {
	if err := store.CheckEvent(e); err != nil {
		return fmt.Errorf("store: append event: %w", err)
	}
	e = store.CleanEvent(e)
	return s.write(ctx, "append event "+e.Action, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "insert into events(time, kind, actor, action, object, detail, remote, severity) values($1,$2,$3,$4,$5,$6,$7,$8)",
			e.Time, string(e.Kind), e.Actor, e.Action, e.Object, e.Detail, e.Remote, e.Severity)
		return err
	})
}

// applyEvents writes events that have their ids.
func (s *Store) applyEvents(ctx context.Context, events []store.Event) error {
	return s.write(ctx, fmt.Sprintf("append %d events", len(events)), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		for _, e := range events {
			b.Queue(`insert into events(id, time, kind, actor, action, object, detail, remote, severity) values($1,$2,$3,$4,$5,$6,$7,$8,$9)
				on conflict do nothing`, e.ID, e.Time, string(e.Kind), e.Actor, e.Action, e.Object, e.Detail, e.Remote, e.Severity)
		}
		return tx.SendBatch(ctx, b).Close()
	})
}

// Events returns events with time in sp, newest first.
func (s *Store) Events(ctx context.Context, kinds []store.EventKind, sp timegrid.Span, limit int) ([]store.Event, error) {
	names := make([]string, 0, len(kinds))
	for _, k := range kinds {
		names = append(names, store.CleanText(string(k)))
	}
	rows, err := s.pool.Query(ctx, `select id, time, kind, actor, action, object, detail, remote, severity from events
		where time>=$1 and time<$2 and (cardinality($3::text[])=0 or kind=any($3)) order by time desc, id desc limit $4`,
		store.FromMicro(store.CeilMicro(sp.Start)), store.FromMicro(store.CeilMicro(sp.End)), names, limitOf(limit))
	if err != nil {
		return nil, s.fail("read events", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e store.Event, err error) {
		err = row.Scan(&e.ID, &e.Time, &e.Kind, &e.Actor, &e.Action, &e.Object, &e.Detail, &e.Remote, &e.Severity)
		e.Time = e.Time.UTC()
		return e, err
	})
	return out, s.fail("read events", err)
}

// limitOf is the limit for SQL, where null means none.
func limitOf(limit int) *int {
	if limit <= 0 {
		return nil
	}
	return &limit
}

// notFound turns the driver's word for no row into ours.
func notFound(what string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("store: %s: %w", what, store.ErrNotFound)
	}
	return err
}
