package backtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/optimizer/storage"
)

// Settings of a backtest. Prices are in the currency of the data.
type Settings struct {
	CarbonPrice float64 // per kg CO2e of what is drawn
	ExportPrice float64 // per kWh given
	Wear        float64 // per kWh charged or discharged
	// ImportLimitKW is the most that the neighbourhood may draw, which rules, plans and the fast loop keep as far as what cannot be moved leaves room; 0: no limit.
	ImportLimitKW float64
	FromStep      int           // the first slot that counts; those before it are the past that forecasts begin with
	Steps         int           // how many count; 0: to the end
	Horizon       time.Duration // of a plan; default 36 h
	Replan        time.Duration // between two plans; default 1 h, at least a slot
	TariffKnown   time.Duration // how far ahead the import tariff is published; 0: not at all, it is forecast like everything else
	Deaf          bool          // what the data publish ahead is not heard
	Workers       int           // of the perfect run's solver; 0: as many as there are processors
	// Progress is told now and then how far a run is, a share in [0, 1]; nil: nobody.
	Progress func(run string, share float64)
}

// Complete returns the settings with what was left out; its error names every fault.
func (s Settings) Complete(c *Case) (Settings, error) {
	if s.Horizon == 0 {
		s.Horizon = 36 * time.Hour
	}
	s.Replan = max(s.Replan, c.Step)
	if s.Steps == 0 {
		s.Steps = c.Steps() - s.FromStep
	}
	var errs []error
	if s.FromStep < 0 || s.Steps <= 0 || s.FromStep+s.Steps > c.Steps() {
		errs = append(errs, fmt.Errorf("backtest: steps %d to %d, the data have %d", s.FromStep, s.FromStep+s.Steps, c.Steps()))
	}
	if s.Horizon < c.Step || s.Replan > s.Horizon {
		errs = append(errs, fmt.Errorf("backtest: a horizon of %v with a plan every %v", s.Horizon, s.Replan))
	}
	for _, v := range []struct {
		what string
		v    float64
	}{{"carbon price", s.CarbonPrice}, {"export price", s.ExportPrice}, {"wear", s.Wear}, {"largest import in kW", s.ImportLimitKW}} {
		if math.IsNaN(v.v) || math.IsInf(v.v, 0) || v.v < 0 {
			errs = append(errs, fmt.Errorf("backtest: a %s of %g", v.what, v.v))
		}
	}
	return s, errors.Join(errs...)
}

// Run is what one way of control came to.
type Run struct {
	Cost            float64 `json:"cost"`      // import at tariff and carbon price, less the revenue of export, plus wear
	CarbonKg        float64 `json:"carbon_kg"` // of what was drawn
	PeakKW          float64 `json:"peak_kw"`   // highest import of a slot
	RampingKW       float64 `json:"ramping_kw"`
	LoadFactor      float64 `json:"load_factor"`      // mean over peak import
	SelfConsumption float64 `json:"self_consumption"` // share of the solar energy that was not given; what stores lose is used
	SelfSufficiency float64 `json:"self_sufficiency"` // share of the load that was not drawn
	DiscomfortKH    float64 `json:"discomfort_kh"`    // of rooms outside their band, and of water at the tap
	BatteryCycles   float64 `json:"battery_cycles"`

	ImportKWh float64 `json:"import_kwh"`
	ExportKWh float64 `json:"export_kwh"`

	// Comfort is that of flexible devices; nil where there are none.
	Comfort *Comfort `json:"comfort,omitempty"`

	// Monthly are the costs of the calendar months in their order.
	Monthly []Month `json:"monthly"`

	net, power, stored []float64 // by slot: kW, kW, kWh at its end
	flexible           []devicePowers
	gap                float64 // of the perfect run: by how much its windows' plans may cost more than the best, together
}

// Comfort is what people had of tanks, heat pumps and cars, and the electricity that these drew.
type Comfort struct {
	RoomsKH            float64 `json:"rooms_kh"`              // outside their band
	HotWaterKH         float64 `json:"hot_water_kh"`          // water at the tap below a tank's lowest temperature
	HotWaterLackingKWh float64 `json:"hot_water_lacking_kwh"` // heat that was not there when it was drawn
	CarsLackingKWh     float64 `json:"cars_lacking_kwh"`      // at departure
	CarsShort          int     `json:"cars_short"`            // how many left with less than they wanted
	Cost               float64 `json:"cost"`                  // of all that, as plans price it; not in the run's cost
	TanksKWh           float64 `json:"tanks_kwh"`             // drawn
	HeatPumpsKWh       float64 `json:"heat_pumps_kwh"`        // drawn
	CarsKWh            float64 `json:"cars_kwh"`              // drawn
	TankHeatKWh        float64 `json:"tank_heat_kwh"`         // given to tanks
	RoomHeatKWh        float64 `json:"room_heat_kwh"`         // given to rooms
}

// devicePowers are the powers of all devices of a kind in a slot, and how warm rooms and how full tanks are at its end.
type devicePowers struct{ tanksKW, roomsKW, carsKW, roomC, tankKWh float64 }

// whole is the cost with that of discomfort: a run that saves by leaving people in the cold has not saved.
func (r *Run) whole() float64 {
	if r.Comfort == nil {
		return r.Cost
	}
	return r.Cost + r.Comfort.Cost
}

// Month is the cost of a calendar month.
type Month struct {
	Month string  `json:"month"` // 2026-01
	Cost  float64 `json:"cost"`
	// Discomfort is its cost, as plans price it; not in Cost.
	Discomfort float64 `json:"discomfort_cost,omitempty"`
}

func (m Month) whole() float64 { return m.Cost + m.Discomfort }

// Result is a whole backtest.
type Result struct {
	Runs     map[string]*Run `json:"runs"`
	Captured *float64        `json:"captured"` // share of the attainable saving; null where nothing was attainable
	Settings map[string]any  `json:"settings"`

	c   *Case
	set Settings
}

// Names are the runs in the order of reports.
var Names = []string{"none", "rules", "quartier", "perfect"}

// now is what a controller is shown: the past, and of the present slot what is being measured. Slices end with the present slot.
type now struct {
	step      int
	load, sun []float64 // of the neighbourhood, kW, before the present slot
	netKW     float64   // without stores, in the present slot
	tariff    []float64 // of import, with the present slot
	carbon    []float64 // kg per kWh drawn, with the present slot
	stored    float64   // kWh in all stores
	have      state     // of the flexible devices
}

// controller decides what flexible devices do, and then the power of all stores together, to which these are part of the net power.
type controller interface {
	devices(ctx context.Context, n now, kw flexKW) error
	power(ctx context.Context, n now) (float64, error)
}

// Backtest makes the four runs.
func Backtest(ctx context.Context, c *Case, set Settings) (*Result, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("backtest of %s: %w", c.Name, err)
	}
	set, err := set.Complete(c)
	if err != nil {
		return nil, err
	}
	if set.Progress == nil {
		set.Progress = func(string, float64) {}
	}
	priced := c.priced(set)
	r := &Result{Runs: map[string]*Run{}, c: c, set: set}
	for _, name := range Names {
		var run *Run
		switch name {
		case "none":
			run, err = c.simulate(ctx, set, name, resting{newThermostats(priced.fleet)})
		case "rules":
			run, err = c.simulate(ctx, set, name, rules{priced, newThermostats(priced.fleet)})
		case "quartier":
			run, err = c.simulate(ctx, set, name, newPlanner(priced, set))
		case "perfect":
			run, err = c.perfect(ctx, set)
		}
		if err != nil {
			return nil, fmt.Errorf("backtest of %s, run %s: %w", c.Name, name, err)
		}
		r.Runs[name] = run
	}
	if none := r.Runs["none"].whole(); none-r.Runs["perfect"].whole() > 1e-9*math.Max(1, math.Abs(none)) {
		share := r.share("quartier")
		r.Captured = &share
	}
	r.Settings = r.describe()
	return r, nil
}

// market is what the controllers know of the money and of the stores.
type market struct {
	limitKW float64 // of import; 0: none
	c       *Case
	pool    storage.Store
	price   []float64 // import with carbon
	sell    float64
	fleet   fleet
}

// hold cuts what devices are to draw to what the import limit leaves room for with all that stores can give.
func (m *market) hold(n now, kw, need flexKW) {
	if m.limitKW > 0 {
		m.fleet.cut(kw, need, n.netKW+kw.total()+m.pool.Within(n.stored, math.Inf(-1), m.c.Hours())-m.limitKW)
	}
}

// limits are those of import for so many slots, as wide as the net power that cannot be moved needs; nil: none.
func (m *market) limits(netKW []float64) []float64 {
	if m.limitKW <= 0 {
		return nil
	}
	out := make([]float64, len(netKW))
	for k, kw := range netKW {
		out[k] = math.Max(m.limitKW, kw)
	}
	return out
}

func (c *Case) priced(set Settings) market {
	m := market{c: c, price: make([]float64, c.Steps()), sell: set.ExportPrice, limitKW: set.ImportLimitKW, fleet: c.fleet(set.FromStep, set.FromStep+set.Steps)}
	for t := range m.price {
		m.price[t] = c.ImportPrice[t] + set.CarbonPrice*c.Carbon[t]
	}
	m.pool = storage.Pool(c.stores(set.Wear))
	return m
}

// simulate lets a controller decide slot after slot.
func (c *Case) simulate(ctx context.Context, set Settings, name string, by controller) (*Run, error) {
	p := c.pool()
	stores := c.stores(set.Wear)
	stored, powers := make([]float64, len(stores)), make([]float64, len(stores))
	out := newTally(c, set)
	f := out.fleet
	have, flexible := f.begin(set.FromStep), f.off()
	for t := set.FromStep; t < set.FromStep+set.Steps; t++ {
		if t%256 == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			set.Progress(name, float64(t-set.FromStep)/float64(set.Steps))
		}
		total := 0.0
		for _, s := range stored {
			total += s
		}
		net := p.load[t] - p.sun[t]
		n := now{step: t, load: p.load[:t:t], sun: p.sun[:t:t], netKW: net, tariff: c.ImportPrice[: t+1 : t+1], carbon: c.Carbon[: t+1 : t+1], stored: total, have: have}
		if !f.empty() {
			if err := by.devices(ctx, n, flexible); err != nil {
				return nil, err
			}
			f.within(have, t, flexible)
			n.netKW += flexible.total()
		}
		kw, err := by.power(ctx, n)
		if err != nil {
			return nil, err
		}
		storage.Share(stores, stored, kw, c.Hours(), powers)
		out.slot(t, p, powers, stored, stores, have, flexible)
	}
	return out.run(), nil
}

// tally adds up a run.
type tally struct {
	c         *Case
	set       Settings
	fleet     fleet
	r         Run
	capacity  float64
	out       float64 // kWh discharged
	load, sun float64 // kWh
	last      float64
	ramp      float64
	n         int
}

func newTally(c *Case, set Settings) *tally {
	y := &tally{c: c, set: set, fleet: c.fleet(set.FromStep, set.FromStep+set.Steps)}
	if !y.fleet.empty() {
		y.r.Comfort = &Comfort{}
	}
	stores := c.stores(set.Wear)
	for _, s := range stores {
		y.capacity += s.CapacityKWh
	}
	return y
}

// slot takes the powers of the stores and of the flexible devices in a slot, and changes what is stored and their state.
func (y *tally) slot(t int, p pooled, powers, stored []float64, stores []storage.Store, have state, flexible flexKW) {
	h, r := y.c.Hours(), &y.r
	net, power, moved, held := p.load[t]-p.sun[t], 0.0, 0.0, 0.0
	for i, kw := range powers {
		power += kw
		moved += math.Abs(kw)
		y.out += h * math.Max(0, -kw)
		stored[i] = math.Max(0, math.Min(stores[i].CapacityKWh, stores[i].After(stored[i], kw, h)))
		held += stored[i]
	}
	drawn := flexible.total()
	net += power + drawn
	bought, sold := math.Max(0, net), math.Max(0, -net)
	cost := h * (bought*(y.c.ImportPrice[t]+y.set.CarbonPrice*y.c.Carbon[t]) - sold*y.set.ExportPrice + y.set.Wear*moved)
	r.Cost += cost
	r.CarbonKg += h * bought * y.c.Carbon[t]
	r.PeakKW = math.Max(r.PeakKW, bought)
	r.ImportKWh += h * bought
	r.ExportKWh += h * sold
	y.load += h * (p.load[t] + drawn)
	y.sun += h * p.sun[t]
	if y.n > 0 {
		y.ramp += math.Abs(net - y.last)
	}
	for _, s := range y.c.Sites {
		if s.DiscomfortK != nil {
			r.DiscomfortKH += h * s.DiscomfortK[t]
		}
	}
	discomfort := 0.0
	if r.Comfort != nil {
		discomfort = y.comfort(t, have, flexible)
	}
	if name := y.c.at(t).Format("2006-01"); len(r.Monthly) == 0 || r.Monthly[len(r.Monthly)-1].Month != name {
		r.Monthly = append(r.Monthly, Month{Month: name})
	}
	r.Monthly[len(r.Monthly)-1].Cost += cost
	r.Monthly[len(r.Monthly)-1].Discomfort += discomfort
	r.net, r.power, r.stored = append(r.net, net), append(r.power, power), append(r.stored, held)
	y.last = net
	y.n++
}

// comfort carries a slot of the flexible devices out, and returns what discomfort cost.
func (y *tally) comfort(t int, have state, kw flexKW) float64 {
	h, c := y.c.Hours(), y.r.Comfort
	o := y.fleet.advance(have, t, kw)
	c.RoomsKH += o.roomsKH
	c.HotWaterKH += o.waterKH
	y.r.DiscomfortKH += o.roomsKH + o.waterKH
	c.HotWaterLackingKWh += o.waterLacksKWh
	c.CarsLackingKWh += o.carsLackKWh
	c.CarsShort += o.carsShort
	c.Cost += o.cost
	d := devicePowers{tanksKW: total(kw.tanks), roomsKW: total(kw.rooms), carsKW: total(kw.chargers), roomC: total(have.roomC) / math.Max(1, float64(len(have.roomC))), tankKWh: total(have.tankKWh)}
	c.TanksKWh += h * d.tanksKW
	c.HeatPumpsKWh += h * d.roomsKW
	c.CarsKWh += h * d.carsKW
	c.TankHeatKWh += o.tapHeat
	c.RoomHeatKWh += o.roomHeat
	y.r.flexible = append(y.r.flexible, d)
	return o.cost
}

func (y *tally) run() *Run {
	r := y.r
	hours := float64(y.n) * y.c.Hours()
	if y.n > 1 {
		r.RampingKW = y.ramp / float64(y.n-1)
	}
	if r.PeakKW > 0 {
		r.LoadFactor = r.ImportKWh / hours / r.PeakKW
	}
	if y.sun > 0 {
		r.SelfConsumption = math.Max(0, 1-r.ExportKWh/y.sun)
	}
	if y.load > 0 {
		r.SelfSufficiency = math.Max(0, 1-r.ImportKWh/y.load)
	}
	if y.capacity > 0 {
		r.BatteryCycles = y.out / y.capacity
	}
	return &r
}
