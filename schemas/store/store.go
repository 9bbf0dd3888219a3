// Package store is the contract of Quartier's record: measurements, balances, plans, set-points, accounts of people and the audit log.
//
// Two stores keep it: sqlite, the embedded default and outbox, and timescale, on PostgreSQL with TimescaleDB. The suite in storetest is the meaning
// of the contract; both pass it. Every write is durable when its call returns nil, and safe to repeat: a sample, balance row or signal
// that is there already changes nothing, a corrected one replaces it.
//
// Times are kept to the microsecond, rounded down, and come back in UTC. Text that is not UTF-8 or holds control bytes is refused in names and
// mended in descriptions. Numbers are finite everywhere; what is refused is told by an error that matches [ErrInvalid] and names every fault.
package store

import (
	"context"
	"errors"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// Errors to branch on.
var (
	ErrNotFound = errors.New("store: not found")
	ErrExists   = errors.New("store: exists already")
	ErrInvalid  = errors.New("store: invalid") // what was given can never be stored; nothing was written
)

// Store is everything that a store keeps. Consumers declare the part that they use.
type Store interface {
	Samples
	Rollups
	Balances
	Plans
	Ledger
	Figures
	Forecasts
	Observations
	Orders
	Accounts
	// Ping returns nil when the store can take a write now.
	Ping(ctx context.Context) error
	// Stats describes the store for status pages and metrics.
	Stats(ctx context.Context) (Stats, error)
	// Close flushes and releases everything.
	Close() error
}

// Samples keeps measurements. All methods may be called from several goroutines.
type Samples interface {
	// Append makes the samples durable, all or none. Order and duplicates do not matter: of two samples of one series and instant, the later written
	// one stays. A sample with an invalid series name or a value that is not finite is an error that names it, and nothing is written.
	Append(ctx context.Context, samples []district.Sample) error
	// Read calls yield for every sample of the series with sp.Start <= time < sp.End, by series in the given order, then by time. An error from yield stops it.
	Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error
	// Latest returns the newest sample of each series at or before asOf; a series without one is absent.
	Latest(ctx context.Context, series []district.SeriesID, asOf time.Time) (map[district.SeriesID]district.Sample, error)
	// Series lists the known series that start with prefix, sorted.
	Series(ctx context.Context, prefix string) ([]district.SeriesID, error)
}

// Rollups keeps what series were in each minute, quarter-hour, hour, civil day and civil month, see package rollup.
type Rollups interface {
	// Rollup calls yield for every slot of the step that starts in sp and of which something is known, by series in the given order, then by time; days, months and hours are
	// those of zone. It is as new as the samples are. An error from yield stops it.
	Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error
	// Refresh brings what is kept of the rollups up to date with every sample written before the last whole hour at now. Without it reads are as right, and slower.
	Refresh(ctx context.Context, now time.Time) error
	// Retire removes samples from before cutoff, rounded down to a day of UTC, and keeps their rollups, which from then on stay what they are: a sample of that time that comes later changes
	// nothing. It does nothing, and returns false, while a rollup of that time is still to be made.
	Retire(ctx context.Context, cutoff time.Time) (done bool, err error)
	// Retired returns the time before which Retire has removed samples; zero where it never has.
	Retired(ctx context.Context) (time.Time, error)
}

// Balances keeps the balance rows, one per district, site and slot start.
type Balances interface {
	// SaveBalances writes rows; a row of the same district, site and start is replaced.
	SaveBalances(ctx context.Context, rows []balance.Row) error
	// Balances returns the rows of a site ("_": the district itself; "": all sites and the district) that start in sp, by start, then site.
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	// SaveCarriers writes rows of carriers other than electricity; a row of the same district, site, carrier and start is replaced.
	SaveCarriers(ctx context.Context, rows []balance.CarrierRow) error
	// Carriers returns the rows of a site ("_": the district itself; "": all sites and the district) and carrier ("": all) that start in sp, by start, then site, then carrier.
	Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error)
	// BalanceDays returns what the rows of a site ("_": the district itself; "": all sites and the district), or of several netted with each other (by the name that [balance.Together] gives them), sum to in each civil day
	// of zone that starts in sp, of electricity and every other carrier, by start, then site, then carrier, see [balance.Days] and [balance.JointDays]; a day without rows is left out. It is as new as the rows are.
	BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error)
	// SumBalances keeps the sums of the civil days of zone that were over at now, of each site and the district and of the boundaries of several sites. Without it BalanceDays is as right, and slower.
	SumBalances(ctx context.Context, districtID string, zone *time.Location, now time.Time, boundaries ...string) error
	// BalanceSpan returns the span from the first row of a district to the end of its last; ErrNotFound without rows.
	BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error)
}

// Plans keeps every plan that was made.
type Plans interface {
	// SavePlan stores p and returns its new id.
	SavePlan(ctx context.Context, p *district.Plan) (int64, error)
	// LatestPlan returns the newest plan of a district created at or before asOf; ErrNotFound without one.
	LatestPlan(ctx context.Context, districtID string, asOf time.Time) (*district.Plan, error)
	// Plan returns a plan by id; ErrNotFound without one.
	Plan(ctx context.Context, id int64) (*district.Plan, error)
	// PlansBetween returns the plans of a district created in sp, oldest first.
	PlansBetween(ctx context.Context, districtID string, sp timegrid.Span) ([]*district.Plan, error)
}

// Ledger keeps set-points and events; nothing in it is ever changed.
type Ledger interface {
	AppendSetpoints(ctx context.Context, sps []district.Setpoint) error
	// Setpoints returns the set-points of a district (site and device "": all) with time in sp, newest first, at most limit (0: all).
	Setpoints(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]district.Setpoint, error)
	// AppendEvent writes e; its ID is given by the store.
	AppendEvent(ctx context.Context, e Event) error
	// Events returns events of the given kinds (none: all) with time in sp, newest first, at most limit (0: all).
	Events(ctx context.Context, kinds []EventKind, sp timegrid.Span, limit int) ([]Event, error)
}

// Figures keeps published figures; nothing in it is ever changed.
type Figures interface {
	// AppendFigures writes sealed figures, all or none. One that is there already with the same seal changes nothing; one with another is [ErrExists].
	AppendFigures(ctx context.Context, figures []ledger.Figure) error
	// Figures returns every version of the figures of a district whose period lies in sp, of some kinds (none: all), in the order of [ledger.Sort].
	Figures(ctx context.Context, districtID string, sp timegrid.Span, kinds ...string) ([]ledger.Figure, error)
}

// Forecasts keeps how wrong forecasts were, and what they learn from that no other part of the record has.
type Forecasts interface {
	// SaveForecastErrors writes rows; a row of the same district, site, device, quantity, day, lead and kind of making is replaced.
	SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error
	// ForecastErrors returns the rows of a district whose day begins in sp, by day, then site, device, quantity, lead, and those that were replayed last.
	ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error)
	// SaveOutlooks writes outlooks; one of the same district and instant is replaced, and of each district the newest [KeptOutlooks] stay.
	SaveOutlooks(ctx context.Context, rows []district.Outlook) error
	// Outlooks returns the outlooks of a district at instants in sp, by time.
	Outlooks(ctx context.Context, districtID string, sp timegrid.Span) ([]district.Outlook, error)
}

// Observed is what observations are summed from.
type Observed interface {
	Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error
	ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error)
}

// Observation is what rollups and forecast errors of a district sum to by civil day.
type Observation struct {
	District string
	Name     string              // another one whenever what is summed, or how, is another
	Series   []district.SeriesID // whose rollups are read
	// Sum returns the sums of civil days that are in order of time, packed as it likes. It may run several times, with parts of a record as from.
	Sum func(ctx context.Context, from Observed, days []timegrid.Span) ([][]byte, error)
}

// Observations keeps what was observed beside the balances by day.
type Observations interface {
	// ObservedDays returns what an observation sums to in each civil day of zone that starts in sp, one for each. It is as new as rollups and forecast errors are.
	ObservedDays(ctx context.Context, o Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error)
	// SumObserved keeps the sums of the civil days of zone that have balances and were over at now. Without it ObservedDays is as right, and slower.
	SumObserved(ctx context.Context, o Observation, zone *time.Location, now time.Time) error
}

// Orders keeps what people and building systems asked of the control. An order changes by a new revision and is never removed.
type Orders interface {
	// SaveOrders writes orders, all or none; of two revisions of one order the higher one stays, and one that is there already changes nothing.
	SaveOrders(ctx context.Context, orders []order.Order) error
	// Orders returns the orders of a district that hold, held or were to hold somewhere in sp, in the order of [order.Compare].
	Orders(ctx context.Context, districtID string, sp timegrid.Span) ([]order.Order, error)
}

// EventKind sorts events.
type EventKind string

// The kinds of events.
const (
	AuditEvent  EventKind = "audit"  // somebody did something: signed in, changed a role, made a report
	AlarmEvent  EventKind = "alarm"  // a condition was raised or cleared
	SystemEvent EventKind = "system" // start, stop, migration, catch-up
)

// Event is one line of the audit log, the alarms or the system's own diary.
type Event struct {
	ID       int64     `json:"id"`
	Time     time.Time `json:"time"`
	Kind     EventKind `json:"kind"`
	Actor    string    `json:"actor"`    // user name, or "quartier"
	Action   string    `json:"action"`   // "sign-in", "device-lost", …
	Object   string    `json:"object"`   // what it concerns: a user, fontaine/ecole/pv
	Detail   string    `json:"detail"`   // in words
	Remote   string    `json:"remote"`   // address of the caller, where there is one
	Severity string    `json:"severity"` // "info", "warning", "error"
}

// Role is what a user may do.
type Role string

// The roles. Each but Resident includes the ones before it.
const (
	Resident      Role = "resident" // sees only what is his: his member's page
	Viewer        Role = "viewer"
	Operator      Role = "operator"
	Administrator Role = "administrator"
)

// User is an account.
type User struct {
	Name         string    `json:"name"`
	PasswordHash string    `json:"-"` // argon2id, PHC string format
	Role         Role      `json:"role"`
	District     string    `json:"district,omitempty"` // for a resident
	Member       string    `json:"member,omitempty"`   // for a resident
	Language     string    `json:"language"`
	CreatedAt    time.Time `json:"created_at"`
	Disabled     bool      `json:"disabled"`
}

// Session is a signed-in browser. Only a hash of its token is stored.
type Session struct {
	TokenHash string // hex SHA-256
	User      string
	CSRF      string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Accounts keeps users and their sessions.
type Accounts interface {
	// CreateUser adds a user; ErrExists when the name is taken.
	CreateUser(ctx context.Context, u User) error
	// UpdateUser replaces a user; ErrNotFound without one.
	UpdateUser(ctx context.Context, u User) error
	// User returns a user by name, exactly as written; ErrNotFound without one.
	User(ctx context.Context, name string) (User, error)
	// Users returns every user by name.
	Users(ctx context.Context) ([]User, error)
	// SaveSession stores or replaces s, and forgets the sessions that had expired at its CreatedAt: a store reads no clock.
	SaveSession(ctx context.Context, s Session) error
	// Session returns a session whether it has expired or not, which the caller judges; ErrNotFound without one.
	Session(ctx context.Context, tokenHash string) (Session, error)
	// DeleteSession ends a session; one that is not there is no error.
	DeleteSession(ctx context.Context, tokenHash string) error
	// DeleteSessions ends every session of a user.
	DeleteSessions(ctx context.Context, user string) error
}

// Stats describes a store.
type Stats struct {
	Kind           string // "sqlite" or "timescale"
	Version        string
	Samples        int64 // about how many are stored
	Bytes          int64 // on disk
	OutboxRows     int64 // samples waiting for the database; 0 without one
	OutboxSince    time.Time
	DatabaseUp     bool
	DatabaseDetail string
	Held           int64 // samples and set-points in memory alone, because the local disk takes none; they are lost with the process
	Dropped        int64 // samples and set-points lost since the start, because the memory for them was full
	HeldSince      time.Time
	HeldDetail     string // why the disk takes none; empty while it does
}
