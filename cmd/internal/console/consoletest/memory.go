// Package consoletest holds what the console's tests and the work on its web application stand on: a store in memory, and an invented district whose
// values follow the hour of the day. The numbers are made up and prove nothing about energy; they have the shape that the pages must show.
package consoletest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// Memory is a store in memory with just what the console uses.
type Memory struct {
	mu        sync.Mutex
	samples   map[district.SeriesID][]district.Sample
	rows      []balance.Row
	plans     []*district.Plan
	setpoints []district.Setpoint
	events    []store.Event
	users     map[string]store.User
	sessions  map[string]store.Session
	orders    map[string]order.Order
	down      error

	Forecasts []district.ForecastError // set before it is used by several goroutines
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{samples: map[district.SeriesID][]district.Sample{}, users: map[string]store.User{}, sessions: map[string]store.Session{}, orders: map[string]order.Order{}}
}

// SetDown makes every call answer err; nil ends that.
func (m *Memory) SetDown(err error) {
	defer m.lock()()
	m.down = err
}

func (m *Memory) lock() func() { m.mu.Lock(); return m.mu.Unlock }

// Append adds samples, which must come in order of time.
func (m *Memory) Append(_ context.Context, samples []district.Sample) error {
	defer m.lock()()
	for _, s := range samples {
		m.samples[s.Series] = append(m.samples[s.Series], s)
	}
	return m.down
}

// Read is as the contract says.
func (m *Memory) Read(_ context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	unlock := m.lock()
	var out []district.Sample
	for _, id := range series {
		for _, s := range m.samples[id] {
			if sp.Contains(s.Time) {
				out = append(out, s)
			}
		}
	}
	down := m.down
	unlock()
	for _, s := range out {
		if err := yield(s); err != nil {
			return err
		}
	}
	return down
}

// Latest is as the contract says.
func (m *Memory) Latest(_ context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error) {
	defer m.lock()()
	out := map[district.SeriesID]district.Sample{}
	for _, id := range series {
		for _, s := range m.samples[id] {
			if !s.Time.After(asOf) {
				out[id] = s
			}
		}
	}
	return out, m.down
}

// Rollup is as the contract says.
func (m *Memory) Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	return rollup.Compute(ctx, m, series, sp, step, zone, yield)
}

// Series is as the contract says.
func (m *Memory) Series(_ context.Context, prefix string) ([]district.SeriesID, error) {
	defer m.lock()()
	var out []district.SeriesID
	for id := range m.samples {
		if strings.HasPrefix(string(id), prefix) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out, m.down
}

// SaveBalances adds rows, which must come in order of time.
func (m *Memory) SaveBalances(_ context.Context, rows []balance.Row) error {
	defer m.lock()()
	m.rows = append(m.rows, rows...)
	return m.down
}

// Balances is as the contract says.
func (m *Memory) Balances(_ context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	defer m.lock()()
	var out []balance.Row
	for _, r := range m.rows {
		if r.District == districtID && (site == "" || r.Site == site) && sp.Contains(r.Start) {
			out = append(out, r)
		}
	}
	return out, m.down
}

// Carriers is as the contract says; the invented districts have electricity alone.
func (m *Memory) Carriers(context.Context, string, string, balance.Carrier, timegrid.Span) ([]balance.CarrierRow, error) {
	defer m.lock()()
	return nil, m.down
}

// BalanceDays is as the contract says.
func (m *Memory) BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error) {
	return daily.FromRows(ctx, m, districtID, site, sp, zone)
}

// ObservedDays is as the contract says.
func (m *Memory) ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error) {
	return o.Sum(ctx, m, slices.Collect(sp.Days(zone)))
}

// Figures is as the contract says: none was published.
func (m *Memory) Figures(context.Context, string, timegrid.Span, ...string) ([]ledger.Figure, error) {
	return nil, nil
}

// ForecastErrors is as the contract says.
func (m *Memory) ForecastErrors(_ context.Context, districtID string, sp timegrid.Span) (out []district.ForecastError, err error) {
	defer m.lock()()
	for _, r := range m.Forecasts {
		if r.District == districtID && sp.Contains(r.Day) {
			out = append(out, r)
		}
	}
	return out, m.down
}

// BalanceSpan is as the contract says.
func (m *Memory) BalanceSpan(_ context.Context, districtID string) (timegrid.Span, error) {
	defer m.lock()()
	var sp timegrid.Span
	for _, r := range m.rows {
		if r.District != districtID {
			continue
		}
		if sp.Start.IsZero() {
			sp.Start = r.Start
		}
		sp.End = r.Start.Add(r.Step)
	}
	if sp.Start.IsZero() {
		return sp, cmp.Or(m.down, store.ErrNotFound)
	}
	return sp, m.down
}

// SavePlan is as the contract says.
func (m *Memory) SavePlan(_ context.Context, p *district.Plan) (int64, error) {
	defer m.lock()()
	p.ID = int64(len(m.plans) + 1)
	m.plans = append(m.plans, p)
	return p.ID, m.down
}

// LatestPlan is as the contract says.
func (m *Memory) LatestPlan(_ context.Context, districtID string, asOf time.Time) (*district.Plan, error) {
	defer m.lock()()
	for _, p := range slices.Backward(m.plans) {
		if p.District == districtID && !p.CreatedAt.After(asOf) {
			return p, m.down
		}
	}
	return nil, cmp.Or(m.down, store.ErrNotFound)
}

// Plan is as the contract says.
func (m *Memory) Plan(_ context.Context, id int64) (*district.Plan, error) {
	defer m.lock()()
	if id < 1 || id > int64(len(m.plans)) {
		return nil, cmp.Or(m.down, store.ErrNotFound)
	}
	return m.plans[id-1], m.down
}

// AppendSetpoints is as the contract says.
func (m *Memory) AppendSetpoints(_ context.Context, sps []district.Setpoint) error {
	defer m.lock()()
	m.setpoints = append(m.setpoints, sps...)
	return m.down
}

// Setpoints is as the contract says.
func (m *Memory) Setpoints(_ context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]district.Setpoint, error) {
	defer m.lock()()
	var out []district.Setpoint
	for _, s := range m.setpoints {
		if s.District == districtID && (site == "" || s.Site == site) && (device == "" || s.Device == device) && sp.Contains(s.Time) {
			out = append(out, s)
		}
	}
	slices.SortStableFunc(out, func(a, b district.Setpoint) int { return b.Time.Compare(a.Time) })
	if limit > 0 {
		out = out[:min(limit, len(out))]
	}
	return out, m.down
}

// AppendEvent is as the contract says.
func (m *Memory) AppendEvent(_ context.Context, e store.Event) error {
	defer m.lock()()
	e.ID = int64(len(m.events) + 1)
	m.events = append(m.events, e)
	return m.down
}

// Events is as the contract says.
func (m *Memory) Events(_ context.Context, kinds []store.EventKind, sp timegrid.Span, limit int) ([]store.Event, error) {
	defer m.lock()()
	var out []store.Event
	for _, e := range slices.Backward(m.events) {
		if (len(kinds) == 0 || slices.Contains(kinds, e.Kind)) && sp.Contains(e.Time) && len(out) < limit {
			out = append(out, e)
		}
	}
	return out, m.down
}

// SaveOrders is as [store.Orders] says.
func (m *Memory) SaveOrders(_ context.Context, orders []order.Order) error {
	defer m.lock()()
	for _, o := range orders {
		if o.Revision > m.orders[o.ID].Revision {
			m.orders[o.ID] = o
		}
	}
	return m.down
}

// Orders is as [store.Orders] says.
func (m *Memory) Orders(_ context.Context, districtID string, sp timegrid.Span) ([]order.Order, error) {
	defer m.lock()()
	var out []order.Order
	for _, o := range m.orders {
		if until := o.Until(); o.District == districtID && o.Start.Before(sp.End) && (until.IsZero() || until.After(sp.Start)) {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, order.Compare)
	return out, m.down
}

// CreateUser is as the contract says.
func (m *Memory) CreateUser(_ context.Context, u store.User) error {
	defer m.lock()()
	if _, ok := m.users[u.Name]; ok {
		return store.ErrExists
	}
	m.users[u.Name] = u
	return m.down
}

// UpdateUser is as the contract says.
func (m *Memory) UpdateUser(_ context.Context, u store.User) error {
	defer m.lock()()
	if _, ok := m.users[u.Name]; !ok {
		return store.ErrNotFound
	}
	m.users[u.Name] = u
	return m.down
}

// User is as the contract says.
func (m *Memory) User(_ context.Context, name string) (store.User, error) {
	defer m.lock()()
	u, ok := m.users[name]
	if m.down == nil && !ok {
		return u, store.ErrNotFound
	}
	return u, m.down
}

// Users is as the contract says.
func (m *Memory) Users(context.Context) ([]store.User, error) {
	defer m.lock()()
	var out []store.User
	for _, u := range m.users {
		out = append(out, u)
	}
	slices.SortFunc(out, func(a, b store.User) int { return strings.Compare(a.Name, b.Name) })
	return out, m.down
}

// SaveSession is as the contract says.
func (m *Memory) SaveSession(_ context.Context, s store.Session) error {
	defer m.lock()()
	m.sessions[s.TokenHash] = s
	return m.down
}

// Session is as the contract says.
func (m *Memory) Session(_ context.Context, tokenHash string) (store.Session, error) {
	defer m.lock()()
	s, ok := m.sessions[tokenHash]
	if m.down == nil && !ok {
		return s, store.ErrNotFound
	}
	return s, m.down
}

// DeleteSession is as the contract says.
func (m *Memory) DeleteSession(_ context.Context, tokenHash string) error {
	defer m.lock()()
	delete(m.sessions, tokenHash)
	return m.down
}

// DeleteSessions is as the contract says.
func (m *Memory) DeleteSessions(_ context.Context, user string) error {
	defer m.lock()()
	for k, s := range m.sessions {
		if s.User == user {
			delete(m.sessions, k)
		}
	}
	return m.down
}

// Ping is as the contract says.
func (m *Memory) Ping(context.Context) error {
	defer m.lock()()
	return m.down
}

// Stats is as the contract says.
func (m *Memory) Stats(context.Context) (store.Stats, error) {
	defer m.lock()()
	n := 0
	for _, s := range m.samples {
		n += len(s)
	}
	return store.Stats{Kind: "sqlite", Version: "3.50", Samples: int64(n), Bytes: int64(n) * 24, DatabaseUp: true}, m.down
}
