package backtest

import (
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/optimizer/storage"
)

// resting leaves the stores alone.
type resting struct{}

func (resting) power(now) (float64, error) { return 0, nil }

// rules are self-consumption first.
type rules struct{ market }

func (r rules) power(n now) (float64, error) {
	return r.pool.Within(n.stored, -n.netKW, r.c.Hours()), nil
}

// planner is Quartier's own control.
type planner struct {
	market
	set     Settings
	net     *forecast.Spread
	values  *storage.Values
	made    int // slot of the newest plan
	seen    int // slots that the spread has been told of
	steps   int
	between int
}

// outcomes is how many values of the net power a plan counts with in each slot.
const outcomes = 5

func newPlanner(m market, set Settings) *planner {
	p := &planner{market: m, set: set, made: -1, steps: int(set.Horizon / m.c.Step), between: int(set.Replan / m.c.Step)}
	p.net = forecast.NewSpread(m.c.Step, p.steps, 0)
	return p
}

func (p *planner) power(n now) (float64, error) {
	if p.made < 0 {
		p.warmUp(n)
	}
	p.measured(n)
	if p.made < 0 || n.step-p.made >= p.between {
		if err := p.plan(n); err != nil {
			return 0, err
		}
	}
	return p.values.At(n.step-p.made, n.stored, n.netKW, n.tariff[n.step]+p.set.CarbonPrice*n.carbon[n.step], p.sell), nil
}

// warmUp makes the forecasts that would have been made before the first slot, so that their errors are known.
func (p *planner) warmUp(n now) {
	perDay := int(24 * time.Hour / p.c.Step)
	for t := max(perDay, n.step-p.net.Days()*perDay-p.steps); t < n.step; t++ {
		if (n.step-t)%p.between == 0 {
			p.net.Made(p.at(t), p.forecast(n.load[:t], n.sun[:t], t))
		}
	}
}

// measured tells the spread what came since.
func (p *planner) measured(n now) {
	for ; p.seen < n.step; p.seen++ {
		p.net.Measured(p.at(p.seen), n.load[p.seen]-n.sun[p.seen])
	}
}

func (p *planner) at(t int) time.Time { return p.c.Start.Add(time.Duration(t) * p.c.Step) }

// forecast is the expected net power of the next steps, from the past alone.
func (p *planner) forecast(load, sun []float64, t int) []float64 {
	from := p.at(t)
	past := func(v []float64) forecast.Past { return forecast.Past{Start: p.c.Start, Step: p.c.Step, Values: v} }
	out := forecast.Similar(past(load), from, from, p.steps, time.UTC, loadForecast)
	for k, kw := range forecast.Similar(past(sun), from, from, p.steps, time.UTC, sunForecast) {
		out[k] -= kw
	}
	return out
}

// ahead forecasts a series of which the present slot is known.
func (p *planner) ahead(v []float64, from time.Time, steps int, set forecast.Settings) []float64 {
	return forecast.Similar(forecast.Past{Start: p.c.Start, Step: p.c.Step, Values: v}, from.Add(p.c.Step), from, steps, time.UTC, set)
}

var (
	loadForecast   = forecast.Settings{Days: 7, LookBack: 28, AllDays: true, Max: math.Inf(1)}
	sunForecast    = forecast.Settings{Days: 7, LookBack: 28, AllDays: true, Max: math.Inf(1)}
	tariffForecast = forecast.Settings{Days: 3, LookBack: 28, Fade: time.Hour, Min: math.Inf(-1), Max: math.Inf(1)}
	carbonForecast = forecast.Settings{Days: 3, LookBack: 28, AllDays: true, Fade: 30 * time.Hour, Max: math.Inf(1)}
)

// plan works out what is stored is worth, from now to the horizon or to the end of the run, after which it is worth nothing.
func (p *planner) plan(n now) error {
	steps := min(p.steps, p.set.FromStep+p.set.Steps-n.step)
	from := p.at(n.step)
	expected := p.forecast(n.load, n.sun, n.step)
	p.net.Made(from, expected)
	tariff, carbon := p.ahead(n.tariff, from, steps, tariffForecast), p.ahead(n.carbon, from, steps, carbonForecast)
	// of the tariff so much is published beforehand
	for k := range min(steps, int(p.set.TariffKnown/p.c.Step)) {
		tariff[k] = p.c.ImportPrice[n.step+k]
	}
	slots := make([]storage.Slot, steps)
	mean := 0.0
	for k := range slots {
		net := make([]float64, outcomes)
		p.net.Errors(from, k, net)
		for i := range net {
			net[i] += expected[k]
		}
		slots[k] = storage.Slot{Hours: p.c.Hours(), ImportPrice: tariff[k] + p.set.CarbonPrice*carbon[k], ExportPrice: p.sell, NetKW: net}
		mean += slots[k].ImportPrice / float64(steps)
	}
	final := 0.0
	if n.step+steps < p.set.FromStep+p.set.Steps {
		final = math.Max(0, lastWorth*mean*p.pool.DischargeEfficiency-p.pool.WearCostPerKWh)
	}
	var err error
	p.values, err = storage.Value(p.pool, slots, final)
	p.made = n.step
	return err
}

// lastWorth is the share of the mean import price that what is stored at the horizon saves later.
const lastWorth = 0.75
