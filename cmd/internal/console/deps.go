package console

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/sharing"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// Deps is everything that the console uses of the rest of Quartier.
type Deps struct {
	Store     Store
	Live      Live
	Districts []district.District
	// DeviceStatus returns how every device of every district is reached at the moment; nil: no device is polled by this process.
	DeviceStatus func() []DeviceStatus
	// Learned returns what its measurements show of a device; nil: nothing is learned.
	Learned func(districtID, site, device string) []Learned
	// Conditions returns what is wrong with a district at present beside what the console sees itself; names may be empty. Each is in the record too, as an alarm event of [WatchActor]. Nil: nobody looks.
	Conditions func(districtID string) []Alarm
	// Alarms keeps who knows of which alarm; nil: nobody does.
	Alarms Alarms
	// Told returns how telling people and systems of alarms goes; nil: nobody is told.
	Told func() []Told
	// Feeds returns how the sources outside are doing; nil: there are none.
	Feeds func() []Feed
	// History tells how far the loading of recorded history is; nil: nothing is loaded.
	History func() HistoryProgress
	// Profiles returns the calculation profiles by which a district's positive-energy balance is computed, the first one before the others; nil: none.
	Profiles func(districtID string) []*ped.Profile
	// Reports makes members' monthly reports; nil: none are offered.
	Reports Reports
	// Overrides takes devices out of Quartier's control and back; nil: not offered.
	Overrides Overrides
	// Orders takes what people ask of the control; nil: not offered.
	Orders Orders
	// Now is the clock of measurements and plans; nil: time.Now.
	Now func() time.Time
	// Speed is how many seconds of Now pass in one second; 0 means 1.
	Speed float64
	// PlanLateAfter is the age of a plan, in the time of Now, from which it counts as late; 0: 40 minutes.
	PlanLateAfter time.Duration
	// Version is shown in the console and the API document.
	Version string
	// Demo says that the districts are simulated; the console shows it.
	Demo bool
	// Logger gets refused and broken requests; nil: nothing is logged.
	Logger *slog.Logger
	// Registry gets the console's own metrics and is served at /metrics; nil: a new one.
	Registry *prometheus.Registry
	// SecureCookie marks the session cookie Secure and names it __Host-…; set it wherever the console is reached by TLS.
	SecureCookie bool
	// MetricsToken, when not empty, is the bearer token with which a caller from beyond loopback may read /metrics; without it only loopback may.
	MetricsToken string
}

// Store is the part of [store.Store] that the console uses.
type Store interface {
	store.Accounts
	Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error
	Series(ctx context.Context, prefix string) ([]district.SeriesID, error)
	Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error)
	Figures(ctx context.Context, districtID string, sp timegrid.Span, kinds ...string) ([]ledger.Figure, error)
	ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error)
	BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error)
	BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error)
	ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error)
	LatestPlan(ctx context.Context, districtID string, asOf time.Time) (*district.Plan, error)
	Plan(ctx context.Context, id int64) (*district.Plan, error)
	Setpoints(ctx context.Context, districtID, site, device string, sp timegrid.Span, limit int) ([]district.Setpoint, error)
	Orders(ctx context.Context, districtID string, sp timegrid.Span) ([]order.Order, error)
	AppendEvent(ctx context.Context, e store.Event) error
	Events(ctx context.Context, kinds []store.EventKind, sp timegrid.Span, limit int) ([]store.Event, error)
	Ping(ctx context.Context) error
	Stats(ctx context.Context) (store.Stats, error)
}

// Live is the newest value of every series, see package live.
type Live interface {
	Latest(id district.SeriesID) (district.Sample, bool)
	Snapshot(prefix string) []district.Sample
}

// DeviceStatus is how a device is reached at the moment.
type DeviceStatus struct {
	District, Site, Device string
	Online                 bool
	Since                  time.Time     // when it came online or was lost; zero when neither happened yet
	LastSeen               time.Time     // of the last good answer; zero without one
	LastError              string        // of the last failed request; may stand beside Online
	Period                 time.Duration // how often it is read, on the wall clock
	Latency                time.Duration // of the last answer
}

// HistoryProgress tells how far the loading of recorded history is.
type HistoryProgress struct {
	Loading bool
	Share   float64 // in [0, 1]
	Detail  string  // in words: "fontaine 2025-03"
}

// Reports makes a member's monthly report.
type Reports interface {
	// Report returns the report of a month ("2026-01") as "html" or "pdf" in "fr" or "en". It returns an error that wraps [store.ErrNotFound] when the
	// month has no data.
	Report(ctx context.Context, districtID, memberID, month, format, language string) ([]byte, error)
	// Parts returns the member's part of each of its site's rows, as the report counts it; whole are the district's rows of the same time.
	Parts(districtID string, m *district.Member, rows, whole []balance.Row) ([]sharing.Part, error)
	// Shares returns the members' shares of the shared production, in their order, where a static key shares it; nil elsewhere.
	Shares(districtID string) []float64
	// Comparison returns what the report of a month says of the member's consumption against a baseline of twelve months; nil without one.
	Comparison(ctx context.Context, districtID, memberID, month string) (*Comparison, error)
	// Bill returns what shared energy changed on the member's bill of a month, by tariff period, from its site's rows and the district's; nil where no energy is shared on bills. It is an error where a price is not known.
	Bill(districtID string, m *district.Member, month timegrid.Span, rows, whole []balance.Row) (*MemberBill, error)
}

// MemberBill is what shared energy changed on a member's bill, by contract.
type MemberBill struct {
	Tariff     string       `json:"tariff" doc:"name of the supply contract"`
	AvoidedEUR float64      `json:"avoided_eur" doc:"what the supplier no longer bills"`
	PaidEUR    float64      `json:"paid_eur" doc:"for the shared energy"`
	EffectEUR  float64      `json:"effect_eur" doc:"how much lower the bill is; below zero it is higher"`
	Lines      []BillLine   `json:"lines" doc:"by tariff period, while its prices held"`
	Sources    []BillSource `json:"sources" doc:"of the dated rows of prices and charges"`
}

// BillLine is the bill in one tariff period.
type BillLine struct {
	Period         string    `json:"period" enum:"base,hp,hc,blue_hp,blue_hc,white_hp,white_hc,red_hp,red_hc,market"`
	From           time.Time `json:"from" doc:"first slot with shared energy"`
	SharedKWh      float64   `json:"shared_kwh"`
	PriceEURPerKWh float64   `json:"price_eur_per_kwh" doc:"of the contract; of market prices the mean by energy"`
	AvoidedEUR     float64   `json:"avoided_eur"`
	NetworkEUR     float64   `json:"network_eur" doc:"that stays due"`
	ExciseEUR      float64   `json:"excise_eur" doc:"that stays due"`
	PaidEUR        float64   `json:"paid_eur"`
	EffectEUR      float64   `json:"effect_eur"`
}

// BillSource is the publication, law or contract of a row.
type BillSource struct {
	What string  `json:"what" enum:"price,network,excise,vat,sharing"`
	Rate float64 `json:"rate" doc:"of vat, a share"`
	Text string  `json:"text"`
}

// Comparison is what may be said of the energy that a member avoided. The figures are those of the outcome: none when it is refused.
type Comparison struct {
	Verdict    string   `json:"verdict" enum:"refused,not_significant,less,more" doc:"less alone may be called saved; not_significant: zero lies in the interval"`
	AvoidedKWh *float64 `json:"avoided_kwh" doc:"what the baseline would have used less what was measured; null when refused"`
	LowKWh     *float64 `json:"low_kwh" doc:"of the interval"`
	HighKWh    *float64 `json:"high_kwh" doc:"of the interval"`
	Confidence *float64 `json:"confidence" doc:"of the interval, such as 0.8"`
	FR         []string `json:"fr" doc:"in French sentences, as on the report"`
	EN         []string `json:"en" doc:"in English sentences, as on the report"`
}

// Override is a device that an operator took out of Quartier's control.
type Override struct {
	District string    `json:"district"`
	Site     string    `json:"site"`
	Device   string    `json:"device"`
	Reason   string    `json:"reason"`
	Actor    string    `json:"actor"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
}

// Overrides takes devices out of Quartier's control and back. Times are on the district's clock.
type Overrides interface {
	// Pause gives a device back its own control until the given time.
	Pause(ctx context.Context, districtID, site, device, reason string, until time.Time, actor string) error
	// Resume ends a pause; it is no error when there is none.
	Resume(ctx context.Context, districtID, site, device, reason, actor string) error
	// Paused lists the pauses that hold now.
	Paused() []Override
}
