package scheduler

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quartier/scheduler/building"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// roomSlack is how late a slot of rooms may be known.
const roomSlack = 2 * time.Hour

// fullSunWm2 is the irradiance of a full sun.
const fullSunWm2 = 1000

// roomOutlook is the rooms of a heat pump as a plan takes them.
type roomOutlook struct {
	params  *district.HeatPumpParams
	gainsKW []float64 // of people and sun, in each step
}

// rooms learn what the heat pumps of a district warm.
type rooms struct {
	mu    sync.Mutex                        // a plan holds it while it learns
	by    map[observe.Key]*building.Learner // nil: no plan can be made for them
	known atomic.Pointer[[]Room]            // as the newest plan has it: who asks does not wait
}

// roomOutlooks takes what was measured of the rooms of each heat pump since, and says how a plan is to take them. What the record does not give leaves them as they were known before.
func (s *Scheduler) roomOutlooks(ctx context.Context, in inputs) map[observe.Key]roomOutlook {
	out := map[observe.Key]roomOutlook{}
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	var known []Room
	may := in.learn.atLeastOne()
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		for k := range site.Devices {
			dev := &site.Devices[k]
			if dev.HeatPump == nil {
				continue
			}
			key := observe.Key{Site: site.ID, Device: dev.ID}
			l, ok := s.rooms.by[key]
			if !ok || l != nil && setBack(l.End(), &in) {
				var err error
				if l, err = building.NewLearner(dev.HeatPump, in.start.Add(-building.KeepDays*24*time.Hour).Truncate(24*time.Hour), in.step, s.cfg.District.Zone); err != nil {
					s.cfg.Log.Warn("rooms are taken as they are configured", "district", s.cfg.District.ID, "site", site.ID, "device", dev.ID, "err", err)
					l = nil
				}
				s.rooms.by[key] = l
			}
			if l == nil {
				continue
			}
			sun := s.sunOf(site)
			if l.Due(in.start) && !may() {
				// as they were known before, as where the record does not answer
			} else if err := s.takeRooms(ctx, site.ID, dev, l, sun, in); err != nil {
				s.cfg.Log.Warn("rooms are taken as they were known before", "district", s.cfg.District.ID, "site", site.ID, "device", dev.ID, "err", err)
			}
			l.Expect(in.start, s.sunAhead(sun, in))
			out[key] = roomOutlook{params: l.Params(), gainsKW: l.GainsKW(in.start, in.steps)}
			known = append(known, Room{site.ID, dev.ID, l.Identified(), l.Trial()})
		}
	}
	s.rooms.known.Store(&known)
	return out
}

// sunSource is what tells of the sun on rooms: the inverters of their site, else those of the district, else the weather that is published.
type sunSource struct {
	series []district.SeriesID
	eachKW []float64 // installed power of each inverter
	sites  []string  // whose inverters they are
	peakKW float64   // of these sites; 0: series are irradiances
}

// mostInverters is from how many inverters on no site more is asked about the sun.
const mostInverters = 4

// sunOf is what tells of the sun on the rooms of a site. Only what is foreseen as well does.
func (s *Scheduler) sunOf(site *district.Site) (out sunSource) {
	for _, all := range []bool{false, true} {
		for i := range s.cfg.District.Sites {
			one := &s.cfg.District.Sites[i]
			if !all && one.ID != site.ID || peakKW(one) == 0 || len(out.series) >= mostInverters {
				continue
			}
			out.sites = append(out.sites, one.ID)
			out.peakKW += peakKW(one)
			for k := range one.Devices {
				if dev := &one.Devices[k]; dev.Kind == district.PV && dev.PV != nil {
					out.series, out.eachKW = append(out.series, dev.Series(s.cfg.District.ID, one.ID, district.PowerKW)), append(out.eachKW, dev.PV.PeakKW)
				}
			}
		}
		if out.peakKW > 0 {
			return out
		}
	}
	if s.cfg.Weather != nil {
		out.series = append(out.series, s.weatherSeries(district.IrradianceWm2))
		if id, ok := s.station(district.IrradianceWm2); ok && !slices.Contains(out.series, id) {
			out.series = append(out.series, id)
		}
	}
	return out
}

// sunAhead is what is expected of the sun, as a share of a full one.
func (s *Scheduler) sunAhead(from sunSource, in inputs) []float64 {
	out := make([]float64, in.steps)
	for _, site := range from.sites {
		for t, kw := range in.sunKW[site] {
			out[t] += kw / from.peakKW
		}
	}
	if from.peakKW == 0 {
		for t, wm2 := range s.published(district.IrradianceWm2, in) {
			if !math.IsNaN(wm2) {
				out[t] = wm2 / fullSunWm2
			}
		}
	}
	return out
}

// takeRooms has rooms learn the slots that the record knows since.
func (s *Scheduler) takeRooms(ctx context.Context, site string, dev *district.Device, l *building.Learner, sun sunSource, in inputs) error {
	if !l.End().Before(in.start) {
		return nil
	}
	span := timegrid.NewSpan(l.End(), in.start)
	n := span.Count(in.step)
	indoor, power := dev.Series(s.cfg.District.ID, site, district.IndoorC), dev.Series(s.cfg.District.ID, site, district.PowerKW)
	outdoor := []district.SeriesID{s.weatherSeries(district.OutdoorC)} // the one before goes first
	if id, ok := s.station(district.OutdoorC); ok && !slices.Contains(outdoor, id) {
		outdoor = append(outdoor, id)
	}
	outdoor = append(outdoor, dev.Series(s.cfg.District.ID, site, district.OutdoorC))
	got, err := s.readSlots(ctx, append(append([]district.SeriesID{indoor, power}, outdoor...), sun.series...), span, in.step)
	if err != nil {
		return err
	}
	slots, last := make([]building.Slot, n), -1
	first := func(ids []district.SeriesID, i int) float64 {
		for _, id := range ids {
			if r := &got[id][i]; r.Samples > 0 || r.Held > 0 {
				if v, ok := r.Mean(); ok {
					return v
				}
			}
		}
		return math.NaN()
	}
	for i := range slots {
		x := building.Slot{IndoorC: math.NaN(), PowerKW: math.NaN(), OutdoorC: first(outdoor, i)}
		if r := &got[indoor][i]; says(r, in.step) {
			x.IndoorC, last = r.Last, i
		}
		if r := &got[power][i]; says(r, in.step) {
			x.PowerKW, last = meanOf(r, in.step), i
		}
		if sun.peakKW == 0 {
			x.Sun = first(sun.series, i) / fullSunWm2
		} else {
			kw, of := 0.0, 0.0
			for k, id := range sun.series {
				r := &got[id][i]
				if says(r, in.step) {
					kw, of = kw+math.Max(0, -meanOf(r, in.step)), of+sun.eachKW[k]
				}
			}
			x.Sun = kw / of // NaN where no inverter tells
		}
		slots[i] = x
	}
	if l.Take(slots[:cameBy(last, n, roomSlack, in.step)]) {
		if x, t := l.Identified(), l.Trial(); x.Known > 0 {
			s.cfg.Log.Info("rooms learned", "district", s.cfg.District.ID, "site", site, "device", dev.ID, "resistance_k_per_kw", x.ResistanceKPerKW, "resistance_deviation", x.Deviation.ResistanceKPerKW,
				"capacity_kwh_per_k", x.CapacityKWhPerK, "capacity_deviation", x.Deviation.CapacityKWhPerK, "days", x.Days, "configured_error_k", t.DayK.Stated, "identified_error_k", t.DayK.Identified, "use", t.Use, "reason", t.Reason)
		}
	}
	return nil
}

// Room is what is known of the rooms of a heat pump.
type Room struct {
	Site, Device string
	building.Identified
	Trial building.Trial
}

// Rooms says what was learned of the rooms of each heat pump, how sure that is, and whether plans go by it, as of the newest plan.
func (s *Scheduler) Rooms() []Room {
	if known := s.rooms.known.Load(); known != nil {
		return slices.Clone(*known)
	}
	return nil
}
