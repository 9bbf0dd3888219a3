package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// DistrictInfo describes a district.
type DistrictInfo struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	TimeZone      string   `json:"time_zone"`
	Latitude      float64  `json:"latitude"`
	Longitude     float64  `json:"longitude"`
	StepMinutes   float64  `json:"step_minutes" doc:"metering and settlement step"`
	ImportLimitKW *float64 `json:"import_limit_kw" doc:"null without a limit"`
	ExportLimitKW *float64 `json:"export_limit_kw" doc:"null without a limit"`
	Sites         int      `json:"sites"`
	Devices       int      `json:"devices"`
	Members       int      `json:"members"`
}

func finite(v float64) *float64 {
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return nil
	}
	return &v
}

func describeDistrict(d *district.District) DistrictInfo {
	devices := 0
	for range d.AllDevices {
		devices++
	}
	return DistrictInfo{ID: d.ID, Name: d.Name, TimeZone: d.Zone.String(), Latitude: d.Latitude, Longitude: d.Longitude, StepMinutes: d.Step.Minutes(),
		ImportLimitKW: finite(d.ImportLimitKW), ExportLimitKW: finite(d.ExportLimitKW), Sites: len(d.Sites), Devices: devices, Members: len(d.Members)}
}

// Summary is what everybody of a district may know of it: sums over the whole district only.
type Summary struct {
	District       string    `json:"district"`
	Name           string    `json:"name"`
	TimeZone       string    `json:"time_zone"`
	Time           time.Time `json:"time"`
	SunKW          *float64  `json:"sun_kw"`
	ConsumptionKW  *float64  `json:"consumption_kw"`
	GridKW         *float64  `json:"grid_kw" doc:"positive drawn, negative fed"`
	CarbonGPerKWh  *float64  `json:"carbon_g_per_kwh"`
	Today          Totals    `json:"today"`
	LoadingHistory bool      `json:"loading_history"`
}

// PlanSummary says what a plan is worth.
type PlanSummary struct {
	ID           int64            `json:"id"`
	CreatedAt    time.Time        `json:"created_at"`
	Start        time.Time        `json:"start"`
	End          time.Time        `json:"end"`
	Status       string           `json:"status" enum:"optimal,feasible,infeasible,unknown"`
	ObjectiveEUR float64          `json:"objective_eur"`
	BoundEUR     float64          `json:"bound_eur" doc:"no plan can cost less"`
	Gap          *float64         `json:"gap" doc:"null when it is not finite"`
	SolveSeconds float64          `json:"solve_seconds"`
	Basis        []district.Basis `json:"basis" doc:"on what it rests of what comes from outside"`
	Binding      []string         `json:"binding"`
	Conflict     []string         `json:"conflict"`
	Hash         string           `json:"problem_sha256"`
}

func summarise(p *district.Plan) PlanSummary {
	return PlanSummary{ID: p.ID, CreatedAt: p.CreatedAt, Start: p.Start, End: planEnd(p), Status: p.Status, ObjectiveEUR: p.ObjectiveEUR, BoundEUR: p.BoundEUR,
		Gap: finite(p.Gap), SolveSeconds: p.SolveSeconds, Basis: append([]district.Basis{}, p.Basis...), Binding: append([]string{}, p.Binding...), Conflict: append([]string{}, p.Conflict...), Hash: p.ProblemSHA256}
}

func planEnd(p *district.Plan) time.Time {
	return p.Start.Add(time.Duration(float64(p.Steps) * p.StepMinutes * float64(time.Minute)))
}

// History is how far the loading of recorded history is.
type History struct {
	Loading bool    `json:"loading"`
	Share   float64 `json:"share" doc:"in 0 to 1"`
	Detail  string  `json:"detail"`
}

func (s *Server) history() History {
	h := s.deps.History()
	return History(h)
}

// Overview is all that the overview page shows of a district.
type Overview struct {
	District  DistrictInfo `json:"district"`
	Live      LiveView     `json:"live"`
	Today     Totals       `json:"today"`
	Decisions []Decision   `json:"decisions"`
	Alarms    []Alarm      `json:"alarms"`
	Plan      *PlanSummary `json:"plan,omitempty" doc:"absent without a plan"`
	Paused    []Override   `json:"paused"`
	History   History      `json:"history"`
}

// SiteInfo describes a site.
type SiteInfo struct {
	ID            string   `json:"id"`
	Name          string   `json:"name"`
	ImportLimitKW *float64 `json:"import_limit_kw"`
	ExportLimitKW *float64 `json:"export_limit_kw"`
	Devices       int      `json:"devices"`
	Live          Flows    `json:"live"`
}

// Status is the state of this Quartier.
type Status struct {
	Version       string    `json:"version"`
	Time          time.Time `json:"time"`
	Speed         float64   `json:"speed"`
	History       History   `json:"history"`
	Store         string    `json:"store" doc:"software and version"`
	Samples       int64     `json:"samples" doc:"about how many are stored"`
	Bytes         int64     `json:"bytes"`
	OutboxRows    int64     `json:"outbox_rows" doc:"samples that wait for the database"`
	DatabaseUp    bool      `json:"database_up" doc:"what holds the record answers; without a database, the file does"`
	DevicesOnline int       `json:"devices_online"`
	Devices       int       `json:"devices"`
	Feeds         []Feed    `json:"feeds" doc:"sources outside"`
	Told          []Told    `json:"told" doc:"who is told of alarms, for administrators"`
}

// Told is how telling somebody of alarms goes.
type Told struct {
	To       string     `json:"to"`
	Waiting  int        `json:"waiting" doc:"changes of alarms that wait to be told"`
	Dropped  int        `json:"dropped" doc:"changes that were lost since the start"`
	Last     *time.Time `json:"last"`
	Failures int        `json:"failures" doc:"in a row"`
	Error    string     `json:"error" doc:"of the last failure"`
}

// Feed is how a source outside is doing.
type Feed struct {
	ID        string     `json:"id"`
	Kind      string     `json:"kind" enum:"open_meteo,entso_e,eco2mix"`
	Districts []string   `json:"districts" doc:"names of the districts that use it"`
	State     string     `json:"state" enum:"waiting,sound,failing,silent,stuck" doc:"waiting: not asked yet; failing: the last answer was not sound; silent: for longer than it may; stuck: it answers, and says nothing new"`
	Answered  *time.Time `json:"answered" doc:"its last sound answer"`
	Issued    *time.Time `json:"issued" doc:"what its last document says of itself"`
	Published *time.Time `json:"published_until" doc:"end of what is published"`
	Next      *time.Time `json:"next" doc:"when it is asked again"`
	Failures  int        `json:"failures" doc:"in a row"`
	Error     string     `json:"error" doc:"of the last failure"`
	Refused   int        `json:"refused" doc:"pieces of the last document that could not be taken"`
	Beyond    string     `json:"beyond" enum:"similar-days,constant" doc:"what holds where nothing is published"`
}

// DistrictPath names a district.
type DistrictPath struct {
	District string `path:"district" maxLength:"100"`
}

func (s *Server) districtRoutes() {
	register(s, SignedInAccess, get("list-districts", "/api/districts", "districts", "The districts that the account may see"), s.listDistricts)
	register(s, DistrictAccess, get("get-summary", "/api/districts/{district}/summary", "districts", "Sums of a district, for everybody in it"), s.getSummary)
	register(s, ViewerAccess, get("get-overview", "/api/districts/{district}/overview", "districts", "Live flows, today, next decisions and alarms"), s.getOverview)
	register(s, ViewerAccess, get("list-sites", "/api/districts/{district}/sites", "districts", "Sites with their live flows"), s.listSites)
	register(s, ViewerAccess, get("get-status", "/api/status", "system", "Store, history and devices of this Quartier"), s.getStatus)
}

func (s *Server) listDistricts(ctx context.Context, _ *struct{}) (*struct{ Body []DistrictInfo }, error) {
	p := who(ctx)
	out := []DistrictInfo{}
	for i := range s.deps.Districts {
		if DistrictAccess.allows(p.user, s.deps.Districts[i].ID, "") {
			out = append(out, describeDistrict(&s.deps.Districts[i]))
		}
	}
	return &struct{ Body []DistrictInfo }{out}, nil
}

func (s *Server) getSummary(ctx context.Context, in *DistrictPath) (*struct{ Body Summary }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	v := s.live(d)
	today, err := s.todayTotals(ctx, d)
	if err != nil {
		return nil, s.broken(ctx, "reading today's balance", err)
	}
	return &struct{ Body Summary }{Summary{District: d.ID, Name: d.Name, TimeZone: d.Zone.String(), Time: v.Time, SunKW: v.Flows.SunKW,
		ConsumptionKW: v.Flows.ConsumptionKW(), GridKW: v.Flows.GridKW, CarbonGPerKWh: v.CarbonGPerKWh, Today: today, LoadingHistory: s.history().Loading}}, nil
}

// rows returns the balance rows of a site in a span, kept for some seconds.
func (s *Server) rows(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	key := fmt.Sprintf("rows/%s/%s/%d/%d", districtID, site, sp.Start.Unix(), sp.End.Unix())
	ttl := 3 * time.Second
	if sp.Duration() > 48*time.Hour {
		ttl = 30 * time.Second
	}
	return cached(s.cache, key, ttl, func() ([]balance.Row, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return s.deps.Store.Balances(ctx, districtID, site, sp)
	})
}

func (s *Server) todayTotals(ctx context.Context, d *district.District) (Totals, error) {
	sp := s.today(d)
	rows, err := s.rows(ctx, d.ID, district.DistrictSite, sp)
	if err != nil {
		return Totals{}, err
	}
	t := balance.Sum(rows)
	out := totals(&t, sp, d.Step, s.deps.Now())
	out.StoredKWh = s.storedChange(ctx, d, district.DistrictSite, sp, &t)
	return out, nil
}

func (s *Server) getOverview(ctx context.Context, in *DistrictPath) (*struct{ Body Overview }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	o := Overview{District: describeDistrict(d), Live: s.live(d), Decisions: []Decision{}, Paused: s.paused(d.ID), History: s.history()}
	if o.Today, err = s.todayTotals(ctx, d); err != nil {
		return nil, s.broken(ctx, "reading today's balance", err)
	}
	if o.Alarms, err = s.alarms(ctx, d); err != nil {
		return nil, s.broken(ctx, "reading alarms", err)
	}
	plan, err := s.latestPlan(ctx, d.ID)
	if err == nil {
		summary := summarise(plan)
		o.Plan = &summary
		o.Decisions = next(d, plan, s.deps.Now(), 8)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, s.broken(ctx, "reading the plan", err)
	}
	return &struct{ Body Overview }{o}, nil
}

// paused returns the pauses that hold in a district.
func (s *Server) paused(districtID string) []Override {
	out := []Override{}
	if s.deps.Overrides == nil {
		return out
	}
	for _, o := range s.deps.Overrides.Paused() {
		if o.District == districtID {
			out = append(out, o)
		}
	}
	return out
}

func (s *Server) listSites(ctx context.Context, in *DistrictPath) (*struct{ Body []SiteInfo }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	v := s.live(d)
	out := make([]SiteInfo, len(d.Sites))
	for i := range d.Sites {
		site := &d.Sites[i]
		out[i] = SiteInfo{ID: site.ID, Name: site.Name, ImportLimitKW: finite(site.ImportLimitKW), ExportLimitKW: finite(site.ExportLimitKW),
			Devices: len(site.Devices), Live: v.Sites[i].Flows}
	}
	return &struct{ Body []SiteInfo }{out}, nil
}

func (s *Server) getStatus(ctx context.Context, _ *struct{}) (*struct{ Body Status }, error) {
	st, err := s.stats(ctx)
	if err != nil {
		return nil, s.broken(ctx, "reading the store's state", err)
	}
	out := Status{Version: s.deps.Version, Time: s.deps.Now().UTC(), Speed: s.deps.Speed, History: s.history(), Store: st.Version,
		Samples: st.Samples, Bytes: st.Bytes, OutboxRows: st.OutboxRows, DatabaseUp: st.DatabaseUp}
	if out.Feeds = []Feed{}; s.deps.Feeds != nil {
		out.Feeds = append(out.Feeds, s.deps.Feeds()...)
	}
	if out.Told = []Told{}; s.deps.Told != nil && who(ctx).user.Role == store.Administrator {
		out.Told = append(out.Told, s.deps.Told()...)
	}
	for _, dev := range s.deps.DeviceStatus() {
		out.Devices++
		if dev.Online {
			out.DevicesOnline++
		}
	}
	return &struct{ Body Status }{out}, nil
}
