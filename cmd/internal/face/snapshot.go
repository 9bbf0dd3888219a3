package face

import (
	"math"
	"slices"
	"time"

	"quartier/schemas/district"
)

// Value is one value of an update. A NaN is not available whatever its quality.
type Value struct {
	V       float64
	Quality district.Quality
	Time    time.Time // of the measurement or of the plan
}

// Day is the energy balance of a district since local midnight, kWh.
type Day struct {
	ImportKWh, ExportKWh          float64 // at the boundary
	ProductionKWh, ConsumptionKWh float64

	SelfConsumption, SelfSufficiency *float64 // shares in [0, 1]; nil where there is none (yet), see [balance.Total]
}

// MaxAge is the age from which a sample is no present value any more.
const MaxAge = 2 * time.Minute

// Snapshot computes the values of a district at now. latest gives the newest sample of a series; plan and day may be nil. A sum of which a
// part is missing, bad or older than [MaxAge] is not available; with an uncertain part it is uncertain.
func Snapshot(now time.Time, d *district.District, latest func(district.SeriesID) (district.Sample, bool), plan *district.Plan, day *Day) map[string]Value {
	return SnapshotWithin(MaxAge, now, d, latest, plan, day)
}

// SnapshotWithin is [Snapshot] with another age up to which a sample is present, for a district whose time runs faster than the machine's.
func SnapshotWithin(age time.Duration, now time.Time, d *district.District, latest func(district.SeriesID) (district.Sample, bool), plan *district.Plan, day *Day) map[string]Value {
	s := &snapshot{age: age, now: now, d: d, latest: latest, out: make(map[string]Value)}
	s.measured()
	s.day(day)
	s.planned(plan)
	for i := range d.Sites {
		s.site(&d.Sites[i], plan)
	}
	s.devices(plan)
	return s.out
}

type snapshot struct {
	age    time.Duration
	now    time.Time
	d      *district.District
	latest func(district.SeriesID) (district.Sample, bool)
	out    map[string]Value
}

var absent = Value{V: math.NaN(), Quality: district.Bad}

func (v Value) ok() bool { return !math.IsNaN(v.V) && !math.IsInf(v.V, 0) && v.Quality != district.Bad }

// get is the present value of a quantity of a device.
func (s *snapshot) get(site, device, quantity string) Value {
	sample, ok := s.latest(district.NewSeriesID(s.d.ID, site, device, quantity))
	if !ok || sample.Quality == district.Bad || s.now.Sub(sample.Time) > s.age {
		return absent
	}
	return Value{sample.Value, sample.Quality, sample.Time}
}

// sum adds f times w to v; what is missing in either is missing in the sum.
func (v Value) plus(w Value, f float64) Value {
	if !v.ok() || !w.ok() {
		return absent
	}
	out := Value{V: v.V + f*w.V, Quality: max(v.Quality, w.Quality), Time: v.Time}
	if w.Time.After(out.Time) {
		out.Time = w.Time
	}
	return out
}

// total sums a quantity over the devices of a kind, f times each; found tells whether there are any.
func (s *snapshot) total(only string, kind district.Kind, quantity string, f float64) (v Value, found bool) {
	v = Value{Time: time.Time{}}
	for site, dev := range s.d.AllDevices {
		if dev.Kind == kind && (only == "" || only == site) {
			found = true
			v = v.plus(s.get(site, dev.ID, quantity), f)
		}
	}
	if v.ok() && v.Time.IsZero() {
		v.Time = s.now
	}
	return v, found
}

// power of a boundary: the sum over its meters, not available without one.
func (s *snapshot) boundary(only string, kind district.Kind) Value {
	v, found := s.total(only, kind, district.PowerKW, 1)
	if !found {
		return absent
	}
	return v
}

// storage is the state of charge and the energy of batteries, weighted by capacity.
func (s *snapshot) storage(only string) (soc, kwh Value) {
	kwh = Value{}
	capacity := 0.0
	for site, dev := range s.d.AllDevices {
		if dev.Kind == district.Battery && dev.Battery != nil && (only == "" || only == site) {
			capacity += dev.Battery.CapacityKWh
			kwh = kwh.plus(s.get(site, dev.ID, district.SOC), dev.Battery.CapacityKWh)
		}
	}
	if capacity <= 0 || !kwh.ok() {
		return absent, absent
	}
	soc = kwh
	soc.V /= capacity
	return soc, kwh
}

func (s *snapshot) put(quantity string, v Value) { s.out[Key(s.d.ID, quantity)] = v }

func positive(v Value, sign float64) Value {
	if v.ok() {
		v.V = math.Max(0, sign*v.V) + 0
	}
	return v
}

func (s *snapshot) measured() {
	power := s.boundary(district.DistrictSite, district.Substation)
	if !power.ok() { // without a substation, the district is the sum of its sites
		if _, has := s.total(district.DistrictSite, district.Substation, district.PowerKW, 1); !has {
			power = s.boundary("", district.GridMeter)
		}
	}
	production, _ := s.total("", district.PV, district.PowerKW, -1)
	storage, _ := s.total("", district.Battery, district.PowerKW, 1)
	soc, stored := s.storage("")
	s.put("power_kw", power)
	s.put("import_kw", positive(power, 1))
	s.put("export_kw", positive(power, -1))
	s.put("production_kw", positive(production, 1))
	s.put("consumption_kw", positive(power.plus(production, 1).plus(storage, -1), 1))
	s.put("storage_kw", storage)
	s.put("stored_kwh", stored)
	s.put("soc", soc)
	for _, q := range []string{district.ImportKWh, district.ExportKWh} {
		v, found := s.total(district.DistrictSite, district.Substation, q, 1)
		if !found {
			v = absent
		}
		s.put(q, v)
	}
	s.put("import_limit_kw", s.limit(s.d.ImportLimitKW))
	s.put("export_limit_kw", s.limit(s.d.ExportLimitKW))
}

// limit is a configured limit; without one there is no value.
func (s *snapshot) limit(kw float64) Value {
	if math.IsInf(kw, 0) || math.IsNaN(kw) {
		return absent
	}
	return Value{V: kw, Time: s.now}
}

func (s *snapshot) day(day *Day) {
	if day == nil {
		return
	}
	v := func(kwh float64) Value { return Value{V: kwh, Time: s.now} }
	s.put("today_import_kwh", v(day.ImportKWh))
	s.put("today_export_kwh", v(day.ExportKWh))
	s.put("today_production_kwh", v(day.ProductionKWh))
	s.put("today_consumption_kwh", v(day.ConsumptionKWh))
	share := func(x *float64) Value {
		if x == nil {
			return absent
		}
		return v(*x)
	}
	s.put("self_consumption", share(day.SelfConsumption))
	s.put("self_sufficiency", share(day.SelfSufficiency))
}

func (s *snapshot) planned(plan *district.Plan) {
	s.put("plan_valid", Value{V: 0, Time: s.now})
	if plan == nil {
		return
	}
	s.put("plan_age_min", Value{V: s.now.Sub(plan.CreatedAt).Minutes(), Time: s.now})
	i, covered := plan.Index(s.now)
	if !covered {
		return
	}
	s.put("plan_valid", Value{V: 1, Time: s.now})
	battery := batteryPlan(plan)
	now := func(series []float64) Value {
		if i >= len(series) {
			return absent
		}
		return Value{V: series[i], Time: plan.CreatedAt}
	}
	s.put("plan_import_kw", now(plan.ImportKW))
	s.put("plan_export_kw", now(plan.ExportKW))
	s.put("plan_storage_kw", now(battery))
	s.put("import_price", now(plan.ImportPrice))
	s.put("export_price", now(plan.ExportPrice))
	s.put("carbon_g_per_kwh", now(plan.CarbonGPerKWh))
	for name, series := range map[string][]float64{"plan_import_kw": plan.ImportKW, "plan_export_kw": plan.ExportKW, "plan_storage_kw": battery,
		"import_price": plan.ImportPrice, "export_price": plan.ExportPrice, "carbon_g_per_kwh": plan.CarbonGPerKWh} {
		for h := range Hours {
			start := s.now.UTC().Truncate(time.Hour).Add(time.Duration(h) * time.Hour)
			if mean, ok := hourMean(plan, series, start); ok {
				s.out[HourKey(s.d.ID, name, h)] = Value{V: mean, Time: plan.CreatedAt}
			}
		}
	}
}

// batteryPlan is the planned power of all batteries per step.
func batteryPlan(plan *district.Plan) []float64 {
	out := make([]float64, plan.Steps)
	for _, site := range plan.Sites {
		for _, dev := range site.Devices {
			if dev.Kind == district.Battery {
				for i := range min(len(dev.PowerKW), len(out)) {
					out[i] += dev.PowerKW[i]
				}
			}
		}
	}
	return out
}

// hourMean is the mean of the steps that overlap the hour from start, weighted by their overlap. The hour must lie within the plan, but for the
// part of it that was past when the plan began.
func hourMean(plan *district.Plan, series []float64, start time.Time) (float64, bool) {
	step := time.Duration(plan.StepMinutes * float64(time.Minute))
	end := start.Add(time.Hour)
	if step <= 0 || plan.Start.Add(step*time.Duration(min(plan.Steps, len(series)))).Before(end) {
		return 0, false
	}
	sum, weight := 0.0, 0.0
	for i := range min(plan.Steps, len(series)) {
		from, to := plan.Start.Add(step*time.Duration(i)), plan.Start.Add(step*time.Duration(i+1))
		if from.Before(start) {
			from = start
		}
		if to.After(end) {
			to = end
		}
		if w := to.Sub(from).Seconds(); w > 0 {
			sum, weight = sum+w*series[i], weight+w
		}
	}
	return sum / weight, weight > 0
}

func (s *snapshot) site(site *district.Site, plan *district.Plan) {
	put := func(quantity string, v Value) { s.out[SiteKey(s.d.ID, site.ID, quantity)] = v }
	power := s.boundary(site.ID, district.GridMeter)
	production, _ := s.total(site.ID, district.PV, district.PowerKW, -1)
	storage, _ := s.total(site.ID, district.Battery, district.PowerKW, 1)
	soc, _ := s.storage(site.ID)
	put("power_kw", power)
	put("production_kw", positive(production, 1))
	put("consumption_kw", positive(power.plus(production, 1).plus(storage, -1), 1))
	put("storage_kw", storage)
	put("soc", soc)
	put("import_limit_kw", s.limit(site.ImportLimitKW))
	put("export_limit_kw", s.limit(site.ExportLimitKW))
	if plan == nil {
		return
	}
	if i, covered := plan.Index(s.now); covered {
		if sp := plan.Site(site.ID); sp != nil && i < len(sp.NetKW) {
			put("plan_net_kw", Value{V: sp.NetKW[i], Time: plan.CreatedAt})
		}
	}
}

// devices shows what each device tells, and what is planned for it.
func (s *snapshot) devices(plan *district.Plan) {
	step, covered := 0, false
	if plan != nil {
		step, covered = plan.Index(s.now)
	}
	for site, dev := range s.d.AllDevices {
		for _, q := range deviceQuantities {
			if q.name != planPower && slices.Contains(q.kinds, dev.Kind) {
				if v := s.get(site, dev.ID, q.name); v.ok() {
					s.out[DeviceKey(s.d.ID, site, dev.ID, q.name)] = v
				}
			}
		}
		if !covered {
			continue
		}
		if sp := plan.Site(site); sp != nil {
			if dp := sp.Device(dev.ID); dp != nil && step < len(dp.PowerKW) {
				s.out[DeviceKey(s.d.ID, site, dev.ID, planPower)] = Value{V: dp.PowerKW[step], Time: plan.CreatedAt}
			}
		}
	}
}
