package scheduler

import (
	"context"
	"math"
	"sync"
	"time"

	"quartier/optimizer/forecast"
	"quartier/optimizer/problem"
	"quartier/scheduler/foresee"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// carDays is how many days of a charging point's record are looked at.
const carDays = 42

// point is what is known of a charging point, slot by slot: the mean power drawn, and whether a car was plugged in.
type point struct {
	power     timegrid.Series // kW
	connected []float64
}

// points are the charging points of a district.
type points struct {
	mu sync.Mutex
	by map[observe.Key]*point
}

// carsToCome foresees what cars will draw at each charging point, from what they drew, and returns what a plan counts with of those that are not there yet: where such forecasts were nearer to what came of late than to
// expect nothing.
func (s *Scheduler) carsToCome(ctx context.Context, in *inputs) map[observe.Key][]float64 {
	out := map[observe.Key][]float64{}
	if s.cfg.KeepToPlan {
		return out
	}
	s.points.mu.Lock()
	defer s.points.mu.Unlock()
	may := in.learn.atLeastOne()
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		for k := range site.Devices {
			dev := &site.Devices[k]
			if dev.EVCharger == nil {
				continue
			}
			key := observe.Key{Site: site.ID, Device: dev.ID}
			p := s.points.by[key]
			if p == nil || setBack(p.power.Span().End, in) {
				if !may() {
					continue
				}
				p = &point{power: timegrid.Series{Start: in.start.Add(-carDays * 24 * time.Hour).Truncate(24 * time.Hour), Step: in.step}}
				s.points.by[key] = p
			}
			if err := s.takePoint(ctx, site.ID, dev, p, in); err != nil {
				s.cfg.Log.Warn("cars to come are foreseen from what was known before", "district", s.cfg.District.ID, "site", site.ID, "device", dev.ID, "err", err)
			}
			came := upTo(p.power, in)
			n := int(in.start.Sub(came.Span().End)/in.step) + in.steps
			said := forecast.Said{Mean: forecast.Visits(came, p.connected[:min(len(p.connected), len(came.Values))], n, s.cfg.District.Zone)}
			for t := range said.Mean {
				said.Mean[t] = math.Min(said.Mean[t], dev.EVCharger.MaxKW)
			}
			k := foresee.Key{Site: site.ID, Device: dev.ID, Quantity: district.ForecastCar}
			if untaken(p.power) {
				unheard(in, k, said.Mean)
			} else if f, j := s.hear(in, k, came, said, false); j != nil && j.Telling() {
				out[key] = f.Mean
			}
		}
	}
	return out
}

// takePoint takes the slots of a charging point that the record knows since.
func (s *Scheduler) takePoint(ctx context.Context, site string, dev *district.Device, p *point, in *inputs) error {
	if !p.power.Span().End.Before(in.start) {
		return nil
	}
	span := timegrid.NewSpan(p.power.Span().End, in.start)
	n := span.Count(in.step)
	power, connected := dev.Series(s.cfg.District.ID, site, district.PowerKW), dev.Series(s.cfg.District.ID, site, district.Connected)
	got, err := s.readSlots(ctx, []district.SeriesID{power, connected}, span, in.step)
	if err != nil {
		return err
	}
	kw, there, last := make([]float64, n), make([]float64, n), -1
	for i := range n {
		kw[i], there[i] = math.Max(0, meanOf(&got[power][i], in.step)), meanOf(&got[connected][i], in.step)
		if !math.IsNaN(kw[i]) || !math.IsNaN(there[i]) {
			last = i
		}
	}
	came := cameBy(last, n, signalSlack, in.step)
	p.power.Values, p.connected = append(p.power.Values, kw[:came]...), append(p.connected, there[:came]...)
	perDay := int(24 * time.Hour / in.step)
	if over := (len(p.connected) - carDays*perDay) / perDay * perDay; over >= 7*perDay {
		p.power.Start = p.power.Start.Add(time.Duration(over) * in.step)
		p.power.Values, p.connected = append([]float64(nil), p.power.Values[over:]...), append([]float64(nil), p.connected[over:]...)
	}
	return nil
}

// addCars puts cars that are still to come into the loads of a problem, as far as the limits of site and district leave room for them beside what machines may draw: a forecast must not make a plan infeasible.
func (s *Scheduler) addCars(p *problem.Problem, st observe.State, in inputs, asked wishes) {
	if len(in.carsKW) == 0 {
		return
	}
	room := func(limitKW, needKW []float64, machinesKW float64) []float64 {
		out := make([]float64, in.steps)
		for t := range out {
			if out[t] = math.Inf(1); t < len(limitKW) {
				out[t] = math.Max(0, limitKW[t]-needKW[t]-machinesKW)
			}
		}
		return out
	}
	need, all := make([]float64, in.steps), 0.0
	machines := map[string]float64{}
	for i := range p.Sites {
		for t, kw := range p.Sites[i].LoadKW {
			need[t] += kw
		}
		for _, dev := range s.cfg.District.Sites[i].Devices {
			switch {
			case dev.HeatPump != nil:
				machines[p.Sites[i].ID] += dev.HeatPump.MaxKW
			case dev.WaterHeater != nil:
				machines[p.Sites[i].ID] += dev.WaterHeater.MaxKW
			}
		}
		all += machines[p.Sites[i].ID]
	}
	ofAll := room(p.Grid.ImportLimitKW, need, all)
	for i := range p.Sites {
		ps := &p.Sites[i]
		of := room(ps.ImportLimitKW, ps.LoadKW, machines[ps.ID])
		for k := range s.cfg.District.Sites[i].Devices {
			dev := &s.cfg.District.Sites[i].Devices[k]
			key := observe.Key{Site: ps.ID, Device: dev.ID}
			kw, ok := in.carsKW[key]
			now := st.Devices[key]
			if !ok || !dev.Control || !asked.free(ps.ID, dev) || !now.Connected.OK || now.Connected.V >= 0.5 {
				continue // a car that is there is planned by what it wants
			}
			for t, v := range kw {
				v = math.Max(0, math.Min(v, math.Min(of[t], ofAll[t])))
				ps.LoadKW[t] += v
				of[t], ofAll[t] = of[t]-v, ofAll[t]-v
			}
		}
	}
}
