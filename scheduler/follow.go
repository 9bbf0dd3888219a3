package scheduler

import (
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/optimizer/problem"
	"quartier/optimizer/storage"
	"quartier/scheduler/answer"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
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
// What is ordered of the district for some time limits no day after the horizon in which it is over.
func (s *Scheduler) value(p *problem.Problem, sol *problem.Solution, plan *district.Plan, asked wishes, errs answer.Errors) (*following, error) {
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
		ImportLimitKW: p.Grid.ImportLimitKW, ExportLimitKW: p.Grid.ExportLimitKW,
		NextImportLimitKW: asked.nextDay(order.ImportLimit, s.cfg.District.ImportLimitKW, p.Grid.ImportLimitKW),
		NextExportLimitKW: asked.nextDay(order.ExportLimit, s.cfg.District.ExportLimitKW, p.Grid.ExportLimitKW), Curtails: curtails}, errs)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// nextDay are a plan's limits of the district as they are a day after each step: configuredKW, and what is ordered that still holds then, though not below what limitKW of the plan leaves, where it holds in the step already, to what
// is drawn or fed whatever is decided.
func (w wishes) nextDay(kind order.Kind, configuredKW float64, limitKW []float64) []float64 {
	out := constant(configuredKW, len(limitKW))
	for t := range out {
		least := 0.0
		if len(w.of(kind, "", "", t)) > 0 {
			least = limitKW[t]
		}
		for _, o := range w.of(kind, "", "", t+int(24*time.Hour/w.step)) {
			out[t] = math.Min(out[t], math.Max(o.Value, least))
		}
	}
	return out
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

// pooled is a battery that answers.
type pooled struct {
	key     observe.Key
	store   answer.Store
	doesKW  float64
	settled bool // its last change shows in what its site's meters and itself measured
	deaf    bool // it does not do what it is told
}

// pool lists the batteries of a site that can be told something and whose state is known.
func (s *Scheduler) pool(f *following, st observe.State, site *district.Site) (out []pooled) {
	for k := range site.Devices {
		key := observe.Key{Site: site.ID, Device: site.Devices[k].ID}
		store, ok := f.stores[key]
		now := st.Devices[key]
		if _, reached := s.cfg.Driver(site.ID, key.Device); !ok || !reached || !now.SOC.OK || !now.PowerKW.OK || s.apart(site.ID, key.Device, st.Now) {
			continue // it is in what the meter shows
		}
		at, changed := s.answered.changed[key]
		kwh := math.Max(0, math.Min(store.CapacityKWh, now.SOC.V*site.Devices[k].Battery.CapacityKWh-f.floor[key]))
		out = append(out, pooled{key: key, store: answer.Store{Store: store, Site: site.ID, StoredKWh: kwh}, doesKW: now.PowerKW.V, deaf: s.unheeding(key, st.Now),
			settled: !changed || now.PowerAt.After(at) && st.SitePowerAt(site).After(at)})
	}
	return out
}

// answers are the powers of the batteries for what is measured now, beside a plan. It is empty where there is nothing to answer by; a battery without an answer does as planned.
//
// While a battery's last change does not show in what its site's meters and itself measured, its answer stands: the net power without batteries cannot be told from measurements of different
// moments. One that does not do what it is told has no share in what comes, and the others answer for it; it is told what its share would be, so that it shows when it hears again.
func (s *Scheduler) answers(st observe.State, plan *district.Plan, step int) map[observe.Key]told {
	s.mu.Lock()
	f := s.following
	s.mu.Unlock()
	if f == nil || f.plan != plan {
		return nil
	}
	var all []pooled
	for i := range s.cfg.District.Sites {
		if site := &s.cfg.District.Sites[i]; st.SitePowerKW(site).OK {
			all = append(all, s.pool(f, st, site)...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	if !slices.ContainsFunc(all, func(b pooled) bool { return !b.deaf }) { // nobody answers for them
		for i := range all {
			all[i].deaf = false
		}
	}
	room := map[string]answer.Room{}
	net, stored := 0.0, 0.0
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		measured := st.SitePowerKW(site)
		if !measured.OK { // whatever it does, it is taken to do as planned
			net += value(f.withoutKW[site.ID], step)
			continue
		}
		own := measured.V
		for _, b := range all {
			if b.key.Site == site.ID && !b.deaf {
				own, stored = own-b.doesKW, stored+b.store.StoredKWh
			}
		}
		importKW, exportKW := s.limits(site.ID)
		room[site.ID] = answer.RoomOf(own, importKW, exportKW)
		net += own
	}
	if len(s.answered.said) > 0 && slices.ContainsFunc(all, func(b pooled) bool { return !b.deaf && !b.settled }) {
		return s.answered.said
	}
	kw, err := f.values.Power(answer.Now{At: st.Now, StoredKWh: stored, NetKW: net, ImportPrice: value(f.importPrice, step), ExportPrice: value(f.exportPrice, step)})
	if err != nil { // the plan still holds and its values do not: it is followed
		return nil
	}
	worth := f.values.Worth(st.Now, stored)
	said := map[observe.Key]told{}
	for i, one := range shared(all, room, kw, f.values.Hours(st.Now)) {
		b := all[i]
		rated := math.Max(b.store.ChargeKW, b.store.DischargeKW)
		if was, ok := s.answered.said[b.key]; !ok || math.Abs(was.kw-one) > 0.01*rated {
			s.answered.changed[b.key] = st.Now
		}
		planned := one
		if sp := plan.Site(b.key.Site); sp != nil {
			if dp := sp.Device(b.key.Device); dp != nil {
				planned = value(dp.PowerKW, step)
			}
		}
		t := told{kw: one}
		if math.Abs(one-planned) > math.Max(0.05, 0.01*rated) {
			t.reason = fmt.Sprintf("%s: %.1f kW planned, %.1f kW net without storage, %.1f kW expected, worth %.4f EUR/kWh, price %.4f EUR/kWh",
				deviation(one, planned), planned, net, value(f.netKW, step), worth, value(f.importPrice, step))
		}
		said[b.key] = t
	}
	s.answered.said = said
	return said
}

// shared gives each battery its share: those that do what they are told share all of it, and of one that does not it is what it would have if it did.
func shared(all []pooled, room map[string]answer.Room, kw, hours float64) []float64 {
	of := func(which func(pooled) bool, out []float64) {
		var stores []answer.Store
		var at []int
		for i, b := range all {
			if which(b) {
				stores, at = append(stores, b.store), append(at, i)
			}
		}
		for i, one := range answer.Share(stores, room, kw, hours) {
			out[at[i]] = one
		}
	}
	out := make([]float64, len(all))
	if slices.ContainsFunc(all, func(b pooled) bool { return b.deaf }) {
		of(func(pooled) bool { return true }, out)
	}
	of(func(b pooled) bool { return !b.deaf }, out)
	return out
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
