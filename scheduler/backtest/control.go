package backtest

import (
	"context"
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/scheduler/answer"
)

// resting leaves the stores alone.
type resting struct{ *thermostats }

func (resting) power(context.Context, now) (float64, error) { return 0, nil }

// rules are self-consumption first.
type rules struct {
	market
	*thermostats
}

func (r rules) power(_ context.Context, n now) (float64, error) {
	return r.pool.Within(n.stored, -n.netKW, r.c.Hours()), nil
}

// planner is Quartier's own control.
type planner struct {
	market
	set            Settings
	net            *forecast.Spread
	load, sun      forecaster
	tariff, carbon forecaster
	heard          *Published // nil: nothing is published
	values         *answer.Values
	made           int // slot of the newest plan
	seen           int // slots that the spread has been told of
	steps          int
	between        int
	flexible       *flexiblePlan // nil where there are no flexible devices
}

// knownDays is how much of the past a forecast must rest on for its errors to tell anything of those of later ones.
const knownDays = 2

// forecaster gives the expected values of the slots from the past's end on.
type forecaster interface {
	Forecast(past forecast.Past) []float64
}

// probable plans on the mean of a distribution.
type probable struct{ *forecast.Probabilistic }

func (p probable) Forecast(past forecast.Past) []float64 { return p.Probabilistic.Forecast(past).Mean }

// signal foresees the carbon intensity of the grid so many slots ahead.
type signal int

func (lead signal) Forecast(past forecast.Past) []float64 {
	out := forecast.Course(past, int(lead))
	for k, v := range out {
		out[k] = math.Max(0, v)
	}
	return out
}

func newPlanner(m market, set Settings) *planner {
	p := &planner{market: m, set: set, made: -1, steps: int(set.Horizon / m.c.Step), between: int(set.Replan / m.c.Step)}
	if !set.Deaf {
		p.heard = m.c.Published
	}
	p.net = forecast.NewSpread(m.c.Step, p.steps, 0)
	positive := forecast.Settings{Max: math.Inf(1)}
	load := forecast.NewProbabilistic(m.c.Step, p.steps, time.UTC, positive)
	sun := forecast.NewProbabilistic(m.c.Step, p.steps, time.UTC, forecast.Settings{Max: math.Inf(1), Ratio: true})
	if p.heard != nil {
		if weather := p.heard.weather(m.c); weather != nil {
			load.Under(weather)
			sun.Under(weather)
		}
	}
	p.load, p.sun = probable{load}, probable{sun}
	p.carbon = signal(p.steps)
	p.tariff = forecast.NewAdaptive(m.c.Step, p.steps, time.UTC, forecast.Settings{})
	if !m.fleet.empty() {
		p.flexible = newFlexiblePlan(m.fleet, p.steps)
	}
	return p
}

// devices plans where that is due, and has flexible devices do as planned.
func (p *planner) devices(ctx context.Context, n now, kw flexKW) error {
	if err := p.renew(ctx, n); err != nil {
		return err
	}
	p.hold(n, kw, p.flexible.follow(n, n.step-p.made, kw))
	return nil
}

// renew plans where that is due: after a while, and where a car came.
func (p *planner) renew(ctx context.Context, n now) error {
	if p.made < 0 {
		p.warmUp(n)
	}
	p.measured(n)
	if p.made >= 0 && n.step-p.made < p.between && (p.flexible == nil || n.step == p.made || !p.flexible.f.arrives(n.step)) {
		return nil
	}
	return p.plan(ctx, n)
}

func (p *planner) power(ctx context.Context, n now) (float64, error) {
	if p.pool.CapacityKWh <= 0 {
		return 0, nil
	}
	if p.flexible == nil {
		if err := p.renew(ctx, n); err != nil {
			return 0, err
		}
	}
	return p.values.Power(answer.Now{At: p.c.at(n.step), StoredKWh: n.stored, NetKW: n.netKW, ImportPrice: n.tariff[n.step] + p.set.CarbonPrice*n.carbon[n.step], ExportPrice: p.sell})
}

// warmUp makes the forecasts that would have been made before the first slot, so that their errors are known.
func (p *planner) warmUp(n now) {
	perDay := int(24 * time.Hour / p.c.Step)
	for t := max(knownDays*perDay, n.step-p.net.Days()*perDay-p.steps); t < n.step; t++ {
		if (n.step-t)%p.between == 0 {
			p.net.Made(p.c.at(t), p.forecast(n.load[:t], n.sun[:t]))
		}
	}
}

// measured tells the spread what came since.
func (p *planner) measured(n now) {
	for ; p.seen < n.step; p.seen++ {
		p.net.Measured(p.c.at(p.seen), n.load[p.seen]-n.sun[p.seen])
	}
}

// forecast is the expected net power of the next steps, from the past alone.
func (p *planner) forecast(load, sun []float64) []float64 {
	out := p.load.Forecast(p.past(load))
	for k, kw := range p.sun.Forecast(p.past(sun)) {
		out[k] -= kw
	}
	return out
}

func (p *planner) past(v []float64) forecast.Past {
	return forecast.Past{Start: p.c.Start, Step: p.c.Step, Values: v}
}

// ahead forecasts a series of which the present slot, the last value, is known, from there on.
func (p *planner) ahead(v []float64, by forecaster) []float64 {
	return append(v[len(v)-1:len(v):len(v)], by.Forecast(p.past(v))...)
}

// tariffs are those of import from the present slot on: as they are published, and else as a calendar or the last days have them.
func (p *planner) tariffs(n now) []float64 {
	out, known := p.ahead(n.tariff, p.tariff), n.tariff
	told := (*Told)(nil)
	if p.heard != nil && p.heard.Tariff != nil {
		told = p.heard.Tariff
		known = told.Known(n.step)
	}
	if beyond := len(known) - n.step; beyond < len(out) {
		if repeated, ok := forecast.Repeats(p.past(known), len(out)-beyond, time.UTC); ok {
			copy(out[beyond:], repeated)
		}
	}
	if told != nil {
		told.over(n.step, out)
	}
	return out
}

// plan works out what is stored is worth, from now to the horizon or to the end of the run, after which it is worth nothing.
func (p *planner) plan(ctx context.Context, n now) error {
	steps := min(p.steps, p.set.FromStep+p.set.Steps-n.step)
	from := p.c.at(n.step)
	expected := p.forecast(n.load, n.sun)
	if n.step >= knownDays*int(24*time.Hour/p.c.Step) {
		p.net.Made(from, expected)
	}
	tariff, carbon := p.tariffs(n), p.ahead(n.carbon, p.carbon)
	if p.heard != nil && p.heard.Carbon != nil {
		p.heard.Carbon.over(n.step, carbon)
	}
	// a tariff that is fixed beforehand
	for k := range min(steps, int(p.set.TariffKnown/p.c.Step)) {
		tariff[k] = p.c.ImportPrice[n.step+k]
	}
	price := make([]float64, steps)
	for k := range price {
		price[k] = tariff[k] + p.set.CarbonPrice*carbon[k]
	}
	p.made = n.step
	outlook := answer.Outlook{Start: from, Step: p.c.Step, NetKW: expected[:steps], ImportLimitKW: p.limits(expected[:steps]), ImportPrice: price, ExportPrice: flat(p.sell, steps), Ends: n.step+steps >= p.set.FromStep+p.set.Steps}
	if p.flexible != nil {
		if err := p.flexible.renew(ctx, p.set, n, &outlook, p.pool); err != nil {
			return err
		}
	}
	if p.pool.CapacityKWh <= 0 {
		return nil
	}
	var err error
	p.values, err = answer.New(p.pool, outlook, func(k int, out []float64) { p.net.Errors(from, k, out) })
	return err
}
