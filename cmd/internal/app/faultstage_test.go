package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/sim"
	"quartier/drivers/sim/endpoint"
	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// The devices of testdata/faults.yaml and their gateways.
const (
	faultDistrict = "lotissement"
	faultSite     = "maison"
	gridGate      = "tableau.maison.example:502"
	roofGate      = "toit.maison.example:502"
	garageHost    = "garage.maison.example"
	garageGate    = garageHost + ":502"
	cellarGate    = "cave.maison.example:502"
)

// stage is the whole of Quartier on the house of testdata/faults.yaml, in a bubble of simulated time: the wiring of [New] with the real store, drivers, planner and console over a
// network in memory, against the physics of package sim behind its own Modbus servers.
type stage struct {
	setting
	t       *testing.T
	dir     string
	cfg     *config.Config
	world   *sim.World
	net     *network
	ends    *endpoint.Endpoints
	app     *App
	stop    context.CancelFunc
	done    chan error
	plan    func(next planner) planner // changes the planner; nil: as it is
	planner sync.Mutex
	prices  *priceFeed
	skew    time.Duration // of the machine's clock against the bubble's
	token   string
	log     *logtest.Buffer // shown when a test fails
	disk    *hangingDisk
	source  *publisher // of a feed, where there is one
	renewed atomic.Bool
	ca      *authority // of the garage's gateway, where that is behind TLS

	truth     []moment
	watchFrom int // begin of what is judged in truth
}

type planner func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error)

// moment is what the physics does in one second.
type moment struct {
	at                time.Time
	netKW             float64
	indoorC, tankC    float64
	importKW          float64 // limits in force
	exportKW          float64
	carKWh            float64
	importWh, exprtWh units.WattHours
	devicesKW         [5]string
}

func ref(device string) sim.Ref {
	return sim.Ref{District: faultDistrict, Site: faultSite, Device: device}
}

// setting is how a stage is found.
type setting struct {
	at      time.Time     // zero: in the evening
	planned bool          // batteries keep to the plan, so that the house is in the state that is meant
	full    bool          // the battery is full
	secure  bool          // the garage's gateway is behind TLS
	fed     string        // a kind of feed whose source has said nothing new for as long as it may, but for six minutes
	planAge time.Duration // after which a plan does not count any more; 0: as always
}

// newStage starts everything. It runs within a bubble.
func newStage(t *testing.T, dir string, set setting) *stage {
	t.Helper()
	if set.at.IsZero() {
		set.at = evening
	}
	at, charging := set.at, 75*time.Minute // at 2.5 kW, so that it is neither full nor empty
	if set.full {
		charging *= 3
	}
	time.Sleep(time.Until(at))
	s := &stage{t: t, dir: dir, setting: set, net: newNetwork(), log: &logtest.Buffer{}}
	text, err := os.ReadFile("testdata/faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if s.cfg, err = config.Parse("faults.yaml", feedsOf(t, dir, string(text), set.fed), ConfigOptions()); err != nil {
		t.Fatal(err)
	}
	s.cfg.File.DataDir = dir
	if set.fed != "" {
		s.publishYesterday()
	}
	about, err := os.ReadFile("testdata/faults.sim.yaml")
	if err != nil {
		t.Fatal(err)
	}
	desc, err := sim.ParseDescription("faults.sim.yaml", about)
	if err != nil {
		t.Fatal(err)
	}
	if s.world, err = sim.New(sim.WorldConfig{Districts: s.cfg.Districts, Description: desc, Traces: testdata.Traces(), Start: at.Add(-charging), Step: time.Second,
		Counters: func(_ sim.Ref, quantity string) (float64, bool) { return 100, quantity != district.GasM3 }}); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Command(ref("battery"), drivers.ControlKW, 2.5, 0, nil); err != nil {
		t.Fatal(err)
	}
	s.world.Advance(at)
	if err := s.world.Release(ref("battery")); err != nil {
		t.Fatal(err)
	}
	if err := s.world.PlugIn(ref("charger"), 30, at.Add(20*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s.ends, err = endpoint.Start(context.Background(), s.world, s.cfg.Districts, nil, endpoint.WithListen(func(address string) (net.Listener, error) {
		address = strings.TrimPrefix(address, "tcp://")
		l, err := s.net.listen(address)
		if err == nil && set.secure && address == garageGate {
			s.ca = newAuthority(s)
			s.ca.show(garageHost, at.AddDate(0, 0, 30))
			l = secured{l, s.ca.config()}
		}
		return l, err
	})); err != nil {
		t.Fatal(err)
	}
	if set.secure {
		dev := s.cfg.Districts[0].Device(faultSite, "charger")
		dev.Address, dev.TLS = "modbus+tls://"+garageGate, &district.TLSFiles{CAFile: s.ca.file}
	}
	s.prices = &priceFeed{of: s.cfg.Tariffs["bleu"]}
	s.start()
	return s
}

// start begins a process of Quartier; [stage.end] ends it.
func (s *stage) start() {
	s.t.Helper()
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	consoleListener, err := s.net.listen("console:80")
	if err != nil {
		s.t.Fatal(err)
	}
	clock := NewClock(s.machine(), 1)
	s.app, err = New(context.Background(), s.cfg, Options{Log: log, Clock: clock, Version: "test", Listen: "127.0.0.1:0", Listener: consoleListener, Dial: s.net.dial, machine: s.machine, feeds: s.feedClient(),
		beneath: func(st store.Store) store.Store { s.disk = &hangingDisk{Store: st}; return s.disk },
		replace: func(path string, data []byte) error { s.disk.wait(); return command.Replace(path, data) },
		adjust: func(c *scheduler.Config) {
			own := func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
				// a bubble's time stands still while the search thinks: it ends by rounds
				return optimizer.Plan(ctx, p, optimizer.Settings{Rounds: 2, Gap: 0.03, Previous: previous, Workers: 1})
			}
			c.Plan = func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
				s.planner.Lock()
				change := s.plan
				s.planner.Unlock()
				if change != nil {
					return change(own)(ctx, p, previous)
				}
				return own(ctx, p, previous)
			}
			c.Reckon = func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) { return own(ctx, p, nil) }
			if c.KeepToPlan = s.planned; s.fed != config.Entsoe {
				c.Prices = s.prices
			}
			if s.planAge > 0 {
				c.PlanMaxAge = s.planAge
			}
		}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.signIn()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop, s.done = cancel, make(chan error, 1)
	app := s.app
	go func() { s.done <- app.Run(ctx) }()
}

// machine is what the machine's clock shows.
func (s *stage) machine() time.Time {
	s.planner.Lock()
	defer s.planner.Unlock()
	return time.Now().Add(s.skew).Round(0)
}

// setClock sets the machine's clock by so much off.
func (s *stage) setClock(skew time.Duration) {
	s.planner.Lock()
	s.skew = skew
	s.planner.Unlock()
}

// planWith changes the planner, nil: as it was.
func (s *stage) planWith(change func(next planner) planner) {
	s.planner.Lock()
	s.plan = change
	s.planner.Unlock()
}

func (s *stage) signIn() {
	s.t.Helper()
	s.token = "a token of the fault campaign"
	sum := sha256.Sum256([]byte(s.token))
	ctx := context.Background()
	now := time.Now().UTC()
	err := s.app.record.CreateUser(ctx, store.User{Name: "campaign", PasswordHash: "none", Role: store.Operator, Language: "en", CreatedAt: now})
	if err != nil && !strings.Contains(err.Error(), "exists") {
		s.t.Fatal(err)
	}
	if err := s.app.record.SaveSession(ctx, store.Session{TokenHash: hex.EncodeToString(sum[:]), User: "campaign", CSRF: "x", CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)}); err != nil {
		s.t.Fatal(err)
	}
}

// get asks the console.
func (s *stage) get(path string, into any) error {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.AddCookie(&http.Cookie{Name: "quartier_session", Value: s.token})
	w := httptest.NewRecorder()
	s.app.console.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		return fmt.Errorf("GET %s: %d %s", path, w.Code, w.Body)
	}
	return json.Unmarshal(w.Body.Bytes(), into)
}

// alarms are those that a manager sees now.
func (s *stage) alarms() []console.Alarm {
	var out []console.Alarm
	if err := s.get("/api/districts/"+faultDistrict+"/alarms", &out); err != nil {
		s.t.Logf("%s: %v", time.Now().Format(time.TimeOnly), err)
	}
	return out
}

// run lets time pass second by second and keeps what the physics does.
func (s *stage) run(d time.Duration) {
	value := func(device, point string) float64 {
		v, _ := s.world.Truth(ref(device), point)
		return v
	}
	site := &s.cfg.Districts[0].Sites[0]
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(time.Second)
		s.world.Advance(time.Now())
		m := moment{at: time.Now(), netKW: value("grid", district.PowerKW), indoorC: value("heatpump", district.IndoorC), tankC: value("tank", district.TankC),
			carKWh: value("charger", district.SessionKWh), importKW: site.ImportLimitKW, exportKW: site.ExportLimitKW,
			importWh: units.Energy(value("grid", district.ImportKWh)).WattHours(), exprtWh: units.Energy(value("grid", district.ExportKWh)).WattHours()}
		for i, device := range []string{"pv", "battery", "charger", "heatpump", "tank"} {
			m.devicesKW[i] = fmt.Sprintf("%s %.2f", device, value(device, district.PowerKW))
		}
		for _, r := range s.app.schedulers[faultDistrict].Requests() {
			switch r.Kind {
			case scheduler.RequestImportLimit:
				m.importKW = math.Min(m.importKW, r.Value)
			case scheduler.RequestExportLimit:
				m.exportKW = math.Min(m.exportKW, r.Value)
			}
		}
		s.truth = append(s.truth, m)
	}
}

// end stops the process, waits for it and returns its error.
func (s *stage) end() error {
	s.stop()
	return <-s.done
}

func (s *stage) close() {
	if err := s.end(); err != nil {
		s.t.Errorf("Quartier ended with %v", err)
	}
	s.ends.Close()
}

// excess is how long and by how much the limits of the connection were passed at a stretch, in the physics.
func (s *stage) excess() (longest time.Duration, most float64) {
	const tolerance = 0.1 // kW, of meters and steps of commands
	run := time.Duration(0)
	for _, m := range s.truth[s.watchFrom:] {
		over := math.Max(m.netKW-m.importKW, -m.netKW-m.exportKW)
		if over <= tolerance {
			run = 0
			continue
		}
		run += time.Second
		longest, most = max(longest, run), math.Max(most, over)
	}
	return longest, most
}

// recorded compares the accounts of whole slots with the counters of the physics, Wh.
func (s *stage) recorded() (got, want units.WattHours, err error) {
	st, err := sqlite.Open(context.Background(), filepath.Join(s.dir, recordFile), sqlite.Options{})
	if err != nil {
		return 0, 0, err
	}
	defer st.Close()
	step := s.cfg.Districts[0].Step
	sp := timegrid.NewSpan(timegrid.Ceil(s.truth[0].at.Add(-time.Second), step), timegrid.Floor(s.truth[len(s.truth)-1].at.Add(-10*time.Second), step))
	acc, err := NewAccountant(s.cfg, &s.cfg.Districts[0], st)
	if err != nil {
		return 0, 0, err
	}
	if err := acc.Close(context.Background(), sp); err != nil {
		return 0, 0, err
	}
	rows, err := st.Balances(context.Background(), faultDistrict, faultSite, sp)
	if err != nil {
		return 0, 0, err
	}
	sum := balance.Sum(rows)
	from, to := s.truth[0], moment{}
	for _, m := range s.truth {
		if !m.at.After(sp.Start) {
			from = m
		}
		if !m.at.After(sp.End) {
			to = m
		}
	}
	return sum.ImportWh + sum.ExportWh, to.importWh - from.importWh + to.exprtWh - from.exprtWh, nil
}

// priceFeed is the tariff, until it fails.
type priceFeed struct {
	of interface {
		Import(sp timegrid.Span, step time.Duration) ([]float64, error)
		Export(sp timegrid.Span, step time.Duration) ([]float64, error)
	}
	mu     sync.Mutex
	change func(prices []float64) ([]float64, error)
}

func (f *priceFeed) with(change func([]float64) ([]float64, error)) {
	f.mu.Lock()
	f.change = change
	f.mu.Unlock()
}

func (f *priceFeed) Import(sp timegrid.Span, step time.Duration) ([]float64, error) {
	p, err := f.of.Import(sp, step)
	f.mu.Lock()
	change := f.change
	f.mu.Unlock()
	if err != nil || change == nil {
		return p, err
	}
	return change(p)
}

func (f *priceFeed) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return f.of.Export(sp, step)
}

// story is what was flowing and what devices were told, for the reader of a failure.
func (s *stage) story() string {
	var b strings.Builder
	st, err := sqlite.Open(context.Background(), filepath.Join(s.dir, recordFile), sqlite.Options{})
	if err != nil {
		return err.Error()
	}
	defer st.Close()
	lines, err := st.Setpoints(context.Background(), faultDistrict, "", "", timegrid.NewSpan(s.truth[0].at, s.truth[len(s.truth)-1].at), 500)
	if err != nil {
		return err.Error()
	}
	slices.Reverse(lines)
	for i, m := range s.truth {
		for len(lines) > 0 && lines[0].Time.Before(m.at) {
			fmt.Fprintf(&b, "%s %s wants %.2f, told %s (%.2f kW): %s %s; %s\n", lines[0].Time.Format(time.TimeOnly), lines[0].Device, lines[0].WantedKW, lines[0].Command, lines[0].SentKW, lines[0].Outcome, lines[0].Detail, lines[0].Reason)
			lines = lines[1:]
		}
		if i%10 == 0 && i > s.watchFrom {
			fmt.Fprintf(&b, "%s %.2f kW of [%.1f, %.1f]: %v\n", m.at.Format(time.TimeOnly), m.netKW, -m.exportKW, m.importKW, m.devicesKW)
		}
	}
	return b.String()
}
