package district

import "time"

// Plan is what was decided for a district at an instant: a certified schedule of every controllable device. It is stored as JSON.
type Plan struct {
	ID            int64     `json:"id"` // given by the store, growing
	District      string    `json:"district"`
	CreatedAt     time.Time `json:"created_at"`
	Start         time.Time `json:"start"`
	StepMinutes   float64   `json:"step_minutes"`
	Steps         int       `json:"steps"`
	Status        string    `json:"status"` // optimal, feasible, infeasible or unknown
	ObjectiveEUR  float64   `json:"objective_eur"`
	BoundEUR      float64   `json:"bound_eur"` // no plan can cost less
	Gap           float64   `json:"gap"`
	SolveSeconds  float64   `json:"solve_seconds"`
	ProblemSHA256 string    `json:"problem_sha256"`

	ImportKW      []float64  `json:"import_kw"` // district boundary
	ExportKW      []float64  `json:"export_kw"`
	Price         []float64  `json:"price"`            // EUR/kWh, the worth of one more kWh in the district
	ImportPrice   []float64  `json:"import_price"`     // EUR/kWh, of the tariff
	ExportPrice   []float64  `json:"export_price"`     // EUR/kWh
	CarbonGPerKWh []float64  `json:"carbon_g_per_kwh"` // forecast
	Sites         []SitePlan `json:"sites"`
	Foreseen      []Foreseen `json:"foreseen,omitempty"` // the forecasts under it, with their bands
	Basis         []Basis    `json:"basis,omitempty"`    // on what it rests of what comes from outside
	Binding       []string   `json:"binding,omitempty"`  // the limits that bind, in words
	Conflict      []string   `json:"conflict,omitempty"` // when infeasible: what would have to give way, in words
}

// Basis is on what a plan rests of what one source outside publishes.
type Basis struct {
	Input     string    `json:"input"`              // prices, carbon or weather
	Source    string    `json:"source"`             // the feed
	Issued    time.Time `json:"issued,omitzero"`    // of its last document; zero: there was none
	Published time.Time `json:"published,omitzero"` // end of what is published; zero: nothing is
	Beyond    string    `json:"beyond,omitempty"`   // what holds after that: similar-days or constant; empty: nothing of the plan lies there
	Silent    bool      `json:"silent,omitempty"`   // the source does not answer any more, or says nothing new
}

// SitePlan is the part of a plan that concerns one site.
type SitePlan struct {
	ID      string       `json:"id"`
	LoadKW  []float64    `json:"load_kw"` // forecast of what cannot be moved
	NetKW   []float64    `json:"net_kw"`
	Price   []float64    `json:"price,omitempty"`
	Devices []DevicePlan `json:"devices"`
}

// DevicePlan is the schedule of one device.
type DevicePlan struct {
	ID           string    `json:"id"`
	Kind         Kind      `json:"kind"`
	PowerKW      []float64 `json:"power_kw"`                // per step, positive into the device
	EnergyKWh    []float64 `json:"energy_kwh,omitempty"`    // steps+1 values
	TemperatureC []float64 `json:"temperature_c,omitempty"` // steps+1 values
	Reason       []string  `json:"reason,omitempty"`        // per step, why: a key such as "sun", "cheap", "clean", "comfort", "idle"
}

// Index returns the step of the plan that holds now, and whether the plan covers it.
func (p *Plan) Index(now time.Time) (int, bool) {
	step := time.Duration(p.StepMinutes * float64(time.Minute))
	if step <= 0 || now.Before(p.Start) {
		return 0, false
	}
	i := int(now.Sub(p.Start) / step)
	return i, i < p.Steps
}

// Site returns the plan of a site, or nil.
func (p *Plan) Site(id string) *SitePlan {
	for i := range p.Sites {
		if p.Sites[i].ID == id {
			return &p.Sites[i]
		}
	}
	return nil
}

// Device returns the plan of a device, or nil.
func (s *SitePlan) Device(id string) *DevicePlan {
	for i := range s.Devices {
		if s.Devices[i].ID == id {
			return &s.Devices[i]
		}
	}
	return nil
}

// Outcome is what became of a set-point.
type Outcome string

// The outcomes of a set-point.
const (
	Applied  Outcome = "applied"   // written and read back as written
	Clipped  Outcome = "clipped"   // changed by a limit, then written and read back
	Held     Outcome = "held"      // kept back by a minimum hold time or because it did not differ
	Refused  Outcome = "refused"   // the device or a guard refused it
	Failed   Outcome = "failed"    // no connection, or not read back as written
	SafeMode Outcome = "safe_mode" // the documented safe state was commanded in place of a plan
)

// Setpoint is one line of the ledger of commands: what was wanted, what was sent, why, and what became of it.
type Setpoint struct {
	Time     time.Time `json:"time"`
	District string    `json:"district"`
	Site     string    `json:"site"`
	Device   string    `json:"device"`
	WantedKW float64   `json:"wanted_kw"` // positive into the device
	Command  string    `json:"command"`   // what holds, in the device's own terms: "limit_a 16 A"
	SentKW   float64   `json:"sent_kw"`   // the power that the command stands for
	Reason   string    `json:"reason"`    // a key with its numbers: "sun: district feeds 3.2 kW", "cheap: 0.1579 EUR/kWh"
	PlanID   int64     `json:"plan_id"`   // 0 without a plan
	Outcome  Outcome   `json:"outcome"`
	ReadBack float64   `json:"read_back"`        // in the command's own unit
	Detail   string    `json:"detail,omitempty"` // why it was refused, failed or held: the error, or "hold: 15 s, until 2026-01-15T12:00:30Z"; then WantedKW is what waits
}
