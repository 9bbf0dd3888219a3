package scheduler

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

var noon = time.Date(2026, 1, 15, 11, 0, 0, 0, time.UTC)

// town is a district of one site with every controllable kind, and fakes around it that keep what the scheduler does.
type town struct {
	mu       sync.Mutex
	now      time.Time
	live     map[district.SeriesID]district.Sample
	writes   map[string][]float64
	lines    []district.Setpoint
	errors   []district.ForecastError
	outlooks []district.Outlook
	slots    []rollup.Row // of the record, by series and time
	plans    []*district.Plan
	solve    func(p *problem.Problem) (*problem.Solution, error)
	asked    []*problem.Problem
	hold     time.Duration // of the heat pump
	wear     time.Duration // between writes of the heat pump's register
	d        *district.District
	s        *Scheduler
}

func newTown(t testing.TB) *town {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	w := &town{now: noon, live: map[district.SeriesID]district.Sample{}, writes: map[string][]float64{}}
	w.d = &district.District{ID: "d", Zone: loc, Step: 15 * time.Minute, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1), Sites: []district.Site{{ID: "s", ImportLimitKW: 30, ExportLimitKW: 40, Devices: []district.Device{
		{ID: "grid", Kind: district.GridMeter},
		{ID: "pv", Kind: district.PV, Control: true, PV: &district.PVParams{PeakKW: 20, Curtailable: true}},
		{ID: "bat", Kind: district.Battery, Control: true, Battery: &district.BatteryParams{CapacityKWh: 40, MinSOC: 0.1, MaxSOC: 0.9, ChargeKW: 10, DischargeKW: 10, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95}},
		{ID: "ev", Kind: district.EVCharger, Control: true, EVCharger: &district.EVChargerParams{MaxKW: 11, MinKW: 4.14, Phases: 3, CapacityKWh: 50, TargetKWh: 20}},
		{ID: "hp", Kind: district.HeatPump, Control: true, HeatPump: &district.HeatPumpParams{MaxKW: 4, MinKW: 1, COPNominal: 3.5, COPPerK: 0.06, CapacityKWhPerK: 8, ResistanceKPerKW: 5, MinC: 19, MaxC: 22}},
		{ID: "tank", Kind: district.WaterHeater, Control: true, WaterHeater: &district.WaterHeaterParams{MaxKW: 2.2, CapacityKWh: 12, LossPerHour: 0.01, MinC: 50, MaxC: 62}},
	}}}}
	w.measure("grid", district.PowerKW, 5)
	w.measure("pv", district.PowerKW, -6)
	for _, dev := range []string{"bat", "ev", "hp", "tank"} {
		w.measure(dev, district.PowerKW, 0)
	}
	w.measure("bat", district.SOC, 0.5)
	w.measure("ev", district.Connected, 1)
	w.measure("ev", district.SessionKWh, 2)
	w.measure("hp", district.IndoorC, 20.5)
	w.measure("tank", district.TankC, 55)
	w.solve = func(p *problem.Problem) (*problem.Solution, error) { return idlePlan(p), nil }
	w.s, err = New(Config{District: w.d, Live: w, Store: w, Prices: flat{}, Driver: w.driver, Now: func() time.Time { return w.now }, Log: slog.New(slog.DiscardHandler),
		Plan: func(_ context.Context, p *problem.Problem, _ *problem.Solution) (*problem.Solution, error) {
			w.asked = append(w.asked, p)
			return w.solve(p)
		}})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *town) measure(device, quantity string, v float64) {
	id := district.NewSeriesID("d", "s", device, quantity)
	w.live[id] = district.Sample{Series: id, Time: w.now, Value: v}
}

// refresh gives every measurement the present time.
func (w *town) refresh() {
	for id, s := range w.live {
		s.Time = w.now
		w.live[id] = s
	}
}

func (w *town) Latest(id district.SeriesID) (district.Sample, bool) {
	s, ok := w.live[id]
	return s, ok
}
func (w *town) Balances(context.Context, string, string, timegrid.Span) ([]balance.Row, error) {
	return nil, nil
}
func (w *town) Read(context.Context, []district.SeriesID, timegrid.Span, func(district.Sample) error) error {
	return nil
}
func (w *town) Rollup(_ context.Context, series []district.SeriesID, sp timegrid.Span, _ rollup.Step, _ *time.Location, yield func(rollup.Row) error) error {
	for _, id := range series {
		for _, r := range w.slots {
			if r.Series == id && sp.Contains(r.Start) {
				if err := yield(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
func (w *town) SavePlan(_ context.Context, p *district.Plan) (int64, error) {
	w.plans = append(w.plans, p)
	return int64(len(w.plans)), nil
}
func (w *town) SaveForecastErrors(_ context.Context, rows []district.ForecastError) error {
	w.errors = append(w.errors, rows...)
	return nil
}
func (w *town) ForecastErrors(context.Context, string, timegrid.Span) ([]district.ForecastError, error) {
	return w.errors, nil
}
func (w *town) SaveOutlooks(_ context.Context, rows []district.Outlook) error {
	w.outlooks = append(w.outlooks, rows...)
	return nil
}
func (w *town) Outlooks(_ context.Context, _ string, sp timegrid.Span) (out []district.Outlook, _ error) {
	for _, o := range w.outlooks {
		if sp.Contains(o.At) {
			out = append(out, o)
		}
	}
	return out, nil
}
func (w *town) AppendSetpoints(_ context.Context, l []district.Setpoint) error {
	w.lines = append(w.lines, l...)
	return nil
}

type flat struct{}

func (flat) Import(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return constant(0.2, sp.Count(step)), nil
}
func (flat) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return constant(0.04, sp.Count(step)), nil
}

// idlePlan lets every device do nothing, the sun apart.
func idlePlan(p *problem.Problem) *problem.Solution {
	sol := problem.NewSolution(p, problem.Optimal)
	sol.Grid = &problem.GridSolution{ImportKW: make([]float64, p.Steps), ExportKW: make([]float64, p.Steps)}
	for _, s := range p.Sites {
		ss := problem.SiteSolution{ID: s.ID, NetKW: make([]float64, p.Steps)}
		for _, dev := range s.Devices {
			ds := problem.DeviceSolution{ID: dev.ID(), PowerKW: make([]float64, p.Steps)}
			if pv, ok := dev.(*problem.PV); ok {
				for t, kw := range pv.AvailableKW {
					ds.PowerKW[t] = -kw
				}
			}
			ss.Devices = append(ss.Devices, ds)
		}
		sol.Sites = append(sol.Sites, ss)
	}
	return sol
}

// machine is a device that takes every command.
type machine struct {
	drivers.Driver
	w   *town
	id  string
	ctl drivers.Control
}

func (m machine) Control() (drivers.Control, bool) { return m.ctl, true }
func (m machine) Write(_ context.Context, name string, v float64) (drivers.Reading, error) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.w.writes[m.id] = append(m.w.writes[m.id], v)
	return drivers.Reading{Point: name, Value: v}, nil
}

func (w *town) driver(_, id string) (drivers.Driver, bool) {
	zero := 0.0
	ctl, ok := map[string]drivers.Control{
		"pv":   {Point: "limit_share", Quantity: drivers.ControlShare, Max: 1, Step: 0.01, Safe: 1, RatedKW: 20},
		"bat2": {Point: "setpoint_kw", Quantity: drivers.ControlKW, Min: -10, Max: 10, Step: 0.1},
		"bat":  {Point: "setpoint_kw", Quantity: drivers.ControlKW, Min: -10, Max: 10, Step: 0.1},
		"ev":   {Point: "limit_a", Quantity: drivers.ControlAmpere, Min: 6, Max: 16, Step: 1, Pause: &zero, Safe: 16, Phases: 3, VoltageV: 230},
		"hp":   {Point: "sg_ready", Quantity: drivers.ControlSGReady, Min: 1, Max: 4, Safe: 2, MinHold: w.hold, MinInterval: w.wear},
		"tank": {Point: "on", Quantity: drivers.ControlOnOff, Max: 1, Safe: 1},
	}[id]
	return machine{w: w, id: id, ctl: ctl}, ok
}

func (w *town) last(t *testing.T, id string) float64 {
	t.Helper()
	if len(w.writes[id]) == 0 {
		t.Fatalf("%s was never written", id)
	}
	return w.writes[id][len(w.writes[id])-1]
}
