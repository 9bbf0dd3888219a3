package scheduler

import (
	"fmt"
	"math"
	"time"

	"quartier/optimizer/problem"
	"quartier/optimizer/storage"
	"quartier/scheduler/answer"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// Reason keys of a battery that does something else than the plan foresaw, because the net power turned out otherwise.
const (
	ReasonCover  = "cover"  // more is discharged than was planned
	ReasonAbsorb = "absorb" // more is charged
	ReasonKeep   = "keep"   // less is discharged: what is stored is worth more later
	ReasonSpare  = "spare"  // less is charged
)

// following is what the batteries of a district answer by until the next plan: what is stored in all of them is worth, with everything else as planned.
type following struct {
	plan      *district.Plan
	values    *answer.Values
	stores    map[observe.Key]storage.Store // the batteries that were planned; of each, what lies above its lowest level
	floor     map[observe.Key]float64       // kWh, that level
	withoutKW map[string][]float64          // by site: its planned net power without these batteries
	netKW     []float64                     // of all sites
	// importPrice is EUR per kWh drawn, carbon and the fee of a withdrawal in it
	importPrice, exportPrice []float64
}

// value works out what is stored is worth beside a plan: by its tariff, carbon price, wear and limits, and by how wrong the forecasts of net power were.
func (s *Scheduler) value(p *problem.Problem, sol *problem.Solution, plan *district.Plan, errs answer.Errors) (*following, error) {
	f := &following{plan: plan, stores: map[observe.Key]storage.Store{}, floor: map[observe.Key]float64{}, withoutKW: map[string][]float64{}, netKW: make([]float64, p.Steps)}
	var all []storage.Store
	fee := make([]float64, p.Steps) // of a withdrawal, by the capacity that may avoid it
	capacity, curtails := 0.0, false
	for i := range sol.Sites {
		ss := &sol.Sites[i]
		without := append([]float64(nil), ss.NetKW...)
		ps, err := p.Site(ss.ID)
		if err != nil {
			return nil, err
		}
		for _, dev := range ps.Devices {
			if pv, ok := dev.(*problem.PV); ok && pv.Curtailable {
				curtails = true
			}
			b, ok := dev.(*problem.Battery)
			if !ok {
				continue
			}
			k := observe.Key{Site: ss.ID, Device: b.DeviceID}
			f.floor[k] = b.MinKWh
			f.stores[k] = storage.Store{CapacityKWh: math.Max(0, b.CapacityKWh-b.MinKWh), ChargeKW: b.ChargeKW, DischargeKW: b.DischargeKW, ChargeEfficiency: b.ChargeEfficiency,
				DischargeEfficiency: b.DischargeEfficiency, LossPerHour: b.SelfDischargePerHour, WearCostPerKWh: b.WearCostPerKWh}
			all = append(all, f.stores[k])
			capacity += f.stores[k].CapacityKWh
			for t := range fee {
				fee[t] += f.stores[k].CapacityKWh * value(ps.WithdrawalFee, t)
			}
			if ds := sol.Device(ss.ID, b.DeviceID); ds != nil {
				for t := range without {
					without[t] -= value(ds.PowerKW, t)
				}
			}
		}
		f.withoutKW[ss.ID] = without
		for t := range f.netKW {
			f.netKW[t] += value(without, t)
		}
	}
	if capacity <= 0 {
		return nil, nil
	}
	f.importPrice, f.exportPrice = make([]float64, p.Steps), plan.ExportPrice
	for t := range f.importPrice {
		f.importPrice[t] = value(plan.ImportPrice, t) + value(plan.CarbonGPerKWh, t)*p.CarbonPrice/1e6 + fee[t]/capacity
	}
	var err error
	f.values, err = answer.New(storage.Pool(all), answer.Outlook{Start: plan.Start, Step: time.Duration(p.StepMinutes * float64(time.Minute)), NetKW: f.netKW, ImportPrice: f.importPrice, ExportPrice: f.exportPrice,
		ImportLimitKW: p.Grid.ImportLimitKW, ExportLimitKW: p.Grid.ExportLimitKW, Curtails: curtails}, errs)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// told is what a battery answers, with its reason.
type told struct {
	kw     float64
	reason string
}

// answered is the newest answer of each battery, and when it last changed.
type answered struct {
	said    map[observe.Key]told
	changed map[observe.Key]time.Time
}

// answers are the powers of the batteries for what is measured now, beside a plan. It is empty where there is nothing to answer by; a battery without an answer does as planned.
//
// While a battery's last change does not show in what its site's meters and itself measured, its answer stands: the net power without batteries cannot be told from measurements of different
// moments.
func (s *Scheduler) answers(st observe.State, plan *district.Plan, step int) map[observe.Key]told {
	s.mu.Lock()
	f := s.following
	s.mu.Unlock()
	if f == nil || f.plan != plan {
		return nil
	}
	var keys []observe.Key
	var stores []answer.Store
	room := map[string]answer.Room{}
	net, stored := 0.0, 0.0
	settled := true
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		measured := st.SitePowerKW(site)
		if !measured.OK { // whatever it does, it is taken to do as planned
			net += value(f.withoutKW[site.ID], step)
			continue
		}
		own := measured.V
		for k := range site.Devices {
			key := observe.Key{Site: site.ID, Device: site.Devices[k].ID}
			store, ok := f.stores[key]
			now := st.Devices[key]
			if _, reached := s.cfg.Driver(site.ID, key.Device); !ok || !reached || !now.SOC.OK || !now.PowerKW.OK || s.apart(site.ID, key.Device, st.Now) {
				continue // it is in what the meter shows
			}
			own -= now.PowerKW.V
			if at, ok := s.answered.changed[key]; ok && (!now.PowerAt.After(at) || !st.SitePowerAt(site).After(at)) {
				settled = false
			}
			kwh := math.Max(0, math.Min(store.CapacityKWh, now.SOC.V*site.Devices[k].Battery.CapacityKWh-f.floor[key]))
			keys, stores, stored = append(keys, key), append(stores, answer.Store{Store: store, Site: site.ID, StoredKWh: kwh}), stored+kwh
		}
		importKW, exportKW := s.limits(site.ID)
		room[site.ID] = answer.RoomOf(own, importKW, exportKW)
		net += own
	}
	if len(keys) == 0 {
		return nil
	}
	if !settled && len(s.answered.said) > 0 {
		return s.answered.said
	}
	kw, err := f.values.Power(answer.Now{At: st.Now, StoredKWh: stored, NetKW: net, ImportPrice: value(f.importPrice, step), ExportPrice: value(f.exportPrice, step)})
	if err != nil { // the plan still holds and its values do not: it is followed
		return nil
	}
	worth := f.values.Worth(st.Now, stored)
	said := map[observe.Key]told{}
	for i, b := range answer.Share(stores, room, kw, f.values.Hours(st.Now)) {
		key := keys[i]
		rated := math.Max(stores[i].ChargeKW, stores[i].DischargeKW)
		if was, ok := s.answered.said[key]; !ok || math.Abs(was.kw-b) > 0.01*rated {
			s.answered.changed[key] = st.Now
		}
		planned := b
		if sp := plan.Site(key.Site); sp != nil {
			if dp := sp.Device(key.Device); dp != nil {
				planned = value(dp.PowerKW, step)
			}
		}
		one := told{kw: b}
		if math.Abs(b-planned) > math.Max(0.05, 0.01*rated) {
			one.reason = fmt.Sprintf("%s: %.1f kW planned, %.1f kW net without storage, %.1f kW expected, worth %.4f EUR/kWh, price %.4f EUR/kWh",
				deviation(b, planned), planned, net, value(f.netKW, step), worth, value(f.importPrice, step))
		}
		said[key] = one
	}
	s.answered.said = said
	return said
}

// deviation is the reason key of a battery that does kw where planned was foreseen.
func deviation(kw, planned float64) string {
	switch {
	case kw > planned && kw > 0:
		return ReasonAbsorb
	case kw > planned:
		return ReasonKeep
	case kw < 0:
		return ReasonCover
	}
	return ReasonSpare
}
