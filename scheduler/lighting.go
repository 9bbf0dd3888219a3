package scheduler

import (
	"math"
	"time"

	"quartier/drivers"
	"quartier/optimizer/forecast"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/lighting"
)

// lightingKW is what all street lighting of a site draws by its schedules in each of n slots; nil without any.
func (s *Scheduler) lightingKW(site *district.Site, start time.Time, step time.Duration, n int) []float64 {
	var out []float64
	for k := range site.Devices {
		p := site.Devices[k].Lighting
		if p == nil {
			continue
		}
		if out == nil {
			out = make([]float64, n)
		}
		for t := range out {
			out[t] += lighting.MeanKW(p, lighting.At(s.cfg.District), start.Add(time.Duration(t)*step), step)
		}
	}
	return out
}

// withoutLighting takes out of the past of a site's consumption what its street lighting drew by its schedule, which is known and need not be foreseen from similar days: those end at another
// time of the day than today.
func (s *Scheduler) withoutLighting(site *district.Site, past forecast.Past) forecast.Past {
	lit := s.lightingKW(site, past.Start, past.Step, len(past.Values))
	for t := range lit {
		if !math.IsNaN(past.Values[t]) {
			past.Values[t] = math.Max(0, past.Values[t]-lit[t])
		}
	}
	return past
}

// addLighting puts the lighting of the horizon on the forecast of the rest.
func (s *Scheduler) addLighting(site *district.Site, loadKW []float64, in inputs) {
	for t, kw := range s.lightingKW(site, in.start, in.step, in.steps) {
		loadKW[t] += kw
	}
}

// lightingPlans are the schedules of a site's street lighting as devices of a plan: what they draw is in the site's load already.
func (s *Scheduler) lightingPlans(site *district.Site, start time.Time, step time.Duration, n int) (out []district.DevicePlan) {
	for k := range site.Devices {
		dev := &site.Devices[k]
		if dev.Lighting == nil {
			continue
		}
		dp := district.DevicePlan{ID: dev.ID, Kind: dev.Kind, PowerKW: make([]float64, n)}
		for t := range dp.PowerKW {
			dp.PowerKW[t] = lighting.MeanKW(dev.Lighting, lighting.At(s.cfg.District), start.Add(time.Duration(t)*step), step)
		}
		out = append(out, dp)
	}
	return out
}

// lightingJob tells a cabinet how bright its lamps are to be: by the clock, or as somebody ordered, with a plan or without one and whatever the limits are, since streets are
// not darkened to keep them. Whether the lamps burn is the cabinet's own twilight switch's to say.
func (s *Scheduler) lightingJob(site *district.Site, dev *district.Device, st observe.State, drv drivers.Driver) *job {
	p := dev.Lighting
	w := &dispatch.Wish{Site: site.ID, Device: dev.ID, Kind: dev.Kind, MeasuredKW: st.Devices[observe.Key{Site: site.ID, Device: dev.ID}].PowerKW.Or(0), MaxKW: p.RatedKW,
		WantedKW: p.RatedKW * lighting.Level(p, lighting.At(s.cfg.District), st.Now), Reason: ReasonLight}
	j := &job{wish: w, drv: drv, maxKW: p.RatedKW, ordered: true}
	if paused, bySystem := s.paused(site.ID, dev.ID, st.Now); paused {
		j.own, w.Reason = true, ReasonPaused
		if bySystem {
			w.Reason += ": a building system asks for it"
		}
	}
	s.obey(j, st.Now, true)
	return j
}
