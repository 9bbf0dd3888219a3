package consoletest

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/sharing"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// World is two invented districts with a store, live values and everything else that a console wants.
type World struct {
	Store     *Memory
	Hub       *Latest
	Districts []district.District
	Users     []console.DemoUser

	mu      sync.Mutex
	now     time.Time
	paused  []console.Override
	Loading bool
	Static  []float64 // shares of a static key, by member; nil: the default key
}

var sites = []struct {
	id, name string
	kinds    []district.Kind
}{
	{"ecole", "École Jean Macé", []district.Kind{district.PV, district.Battery, district.HeatPump}},
	{"gymnase", "Gymnase", []district.Kind{district.PV, district.HeatPump}},
	{"residence-a", "Résidence des Tilleuls", []district.Kind{district.PV, district.WaterHeater, district.EVCharger}},
	{"residence-b", "Résidence du Canal", []district.Kind{district.PV, district.Battery, district.WaterHeater, district.EVCharger}},
	{"mediatheque", "Médiathèque", []district.Kind{district.PV, district.HeatPump}},
	{"parking", "Parking Nord", []district.Kind{district.PV, district.Battery, district.EVCharger, district.EVCharger}},
}

// New returns a world at now, with days of history before it.
func New(ctx context.Context, now time.Time, days int) (*World, error) {
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	w := &World{Store: NewMemory(), Hub: NewLatest(), now: now.UTC()}
	w.Districts = []district.District{makeDistrict("fontaine", "Fontaine Nord", zone, len(sites)), makeDistrict("lac", "Bord du Lac", zone, 3)}
	if err := w.Record(ctx, w.Store, days); err != nil {
		return nil, err
	}
	w.Store.Forecasts = w.forecasts(days)
	w.Tick()
	hash, err := demoHash()
	if err != nil {
		return nil, err
	}
	for _, u := range console.DemoUsers(w.Districts) { // with one hash for all, so that a world is made quickly
		lang := "en"
		if u.Role == store.Resident {
			lang = "fr"
		}
		if err := w.Store.CreateUser(ctx, store.User{Name: u.Name, PasswordHash: hash, Role: u.Role, District: u.District, Member: u.Member, Language: lang, CreatedAt: now}); err != nil {
			return nil, err
		}
	}
	if w.Users, err = console.EnsureDemoUsers(ctx, w.Store, w.Districts, now); err != nil {
		return nil, err
	}
	return w, nil
}

// demoHash is the hash of the password that all demo accounts share.
var demoHash = sync.OnceValues(func() (string, error) { return console.HashPassword(console.DemoUsers(nil)[0].Password) })

// Deps returns what the console needs, from the world.
func (w *World) Deps() console.Deps {
	return console.Deps{Store: w.Store, Live: w.Hub, Districts: w.Districts, DeviceStatus: w.status, Learned: learned, Now: w.Now, Version: "test", Demo: true,
		History: func() console.HistoryProgress {
			return console.HistoryProgress{Loading: w.Loading, Share: 0.42, Detail: "fontaine 2025-06"}
		},
		Overrides: w, Orders: w, Reports: w, Profiles: profiles, Alarms: &keeper{}, Feeds: w.feeds, Told: w.told}
}

// profiles are two that differ in the factor of electricity alone.
func profiles(string) []*ped.Profile {
	one := func(id string, factor float64) *ped.Profile {
		return &ped.Profile{ID: id, Version: 1, NameFR: "Facteur " + id, NameEN: "Factor " + id, Boundary: "geographical", Kind: ped.Total, Netting: ped.NetStep, KExp: 1, MinCoverage: 0.95, Basis: "average", Calorific: "gross",
			Carriers: []ped.Carrier{{Carrier: balance.Electricity, Factors: []ped.Factor{{Delivered: factor, Exported: factor, Source: "invented"}}}}}
	}
	return []*ped.Profile{one("high", 2.3), one("low", 1.9)}
}

// Now is the clock of the world.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// Advance moves the clock and publishes live values.
func (w *World) Advance(d time.Duration) {
	w.AdvanceSilently(d)
	w.Tick()
}

// AdvanceSilently moves the clock while no device says anything.
func (w *World) AdvanceSilently(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
}

func makeDistrict(id, name string, zone *time.Location, n int) district.District {
	d := district.District{ID: id, Name: name, Latitude: 45.19, Longitude: 5.68, Zone: zone, Step: 15 * time.Minute, ImportLimitKW: 400, ExportLimitKW: math.Inf(1),
		Devices: []district.Device{
			{ID: "substation", Name: "Poste de transformation", Kind: district.Substation, Profile: "opcua-substation", Address: "opc.tcp://127.0.0.1:4840", Poll: 5 * time.Second},
			{ID: "weather", Name: "Station météo", Kind: district.Weather, Profile: "weather", Address: "tcp://127.0.0.1:5021", Poll: time.Minute},
		}}
	for i, s := range sites[:n] {
		site := district.Site{ID: s.id, Name: s.name, ImportLimitKW: 120, ExportLimitKW: math.Inf(1), Devices: []district.Device{
			{ID: "meter", Name: "Compteur général", Kind: district.GridMeter, Profile: "janitza-umg96", Address: fmt.Sprintf("tcp://127.0.0.1:%d", 5100+i), Unit: 1, Poll: 5 * time.Second}}}
		count := map[district.Kind]int{}
		for _, k := range s.kinds {
			count[k]++
			dev := district.Device{ID: fmt.Sprintf("%s-%d", k, count[k]), Kind: k, Control: true, Poll: 5 * time.Second, Address: fmt.Sprintf("tcp://127.0.0.1:%d", 5200+i)}
			switch k {
			case district.PV:
				dev.Name, dev.Profile, dev.PV = "Toiture solaire", "sunspec-inverter", &district.PVParams{PeakKW: 60 + 10*float64(i), Curtailable: true, TiltDeg: 20, AzimuthDeg: 180}
			case district.Battery:
				dev.Name, dev.Profile, dev.Battery = "Batterie", "generic-bess", &district.BatteryParams{CapacityKWh: 120, MinSOC: 0.1, MaxSOC: 0.95, ChargeKW: 50, DischargeKW: 50, ChargeEfficiency: 0.96, DischargeEfficiency: 0.96}
			case district.HeatPump:
				dev.Name, dev.Profile, dev.HeatPump = "Pompe à chaleur", "nibe-s", &district.HeatPumpParams{MaxKW: 25, COPNominal: 3.4, ResistanceKPerKW: 0.28, CapacityKWhPerK: 330, GainsKW: 9, MinC: 19, MaxC: 22}
			case district.WaterHeater:
				dev.Name, dev.Profile, dev.WaterHeater = "Ballon d'eau chaude", "relay", &district.WaterHeaterParams{MaxKW: 12, CapacityKWh: 60, VolumeL: 1500, MinC: 55, MaxC: 65}
			case district.EVCharger:
				dev.Name, dev.Profile, dev.EVCharger = fmt.Sprintf("Borne %d", count[k]), "keba-p30", &district.EVChargerParams{MaxKW: 11, MinKW: 4.1, Phases: 3, CapacityKWh: 52}
			}
			site.Devices = append(site.Devices, dev)
		}
		d.Sites = append(d.Sites, site)
	}
	since := time.Date(2025, 9, 1, 0, 0, 0, 0, zone)
	d.Members = []district.Member{
		{ID: "m-001", Name: "Camille Durand", Site: "residence-a", DeliveryPoint: "07612345678901", Language: "fr", ShareOfSite: 0.05, Consent: district.Consent{LoadCurve: true, Report: true, Since: since}},
		{ID: "m-002", Name: "Ines Moreau", Site: "residence-a", DeliveryPoint: "07612345678902", Language: "fr", ShareOfSite: 0.06, Consent: district.Consent{Report: true, Since: since}},
		{ID: "m-003", Name: "Ville de Fontaine", Site: "ecole", DeliveryPoint: "07612345678903", Language: "fr", ShareOfSite: 1},
	}
	return d
}

// sun is the share of its peak that a roof gives.
func sun(t time.Time, zone *time.Location) float64 {
	l := t.In(zone)
	h := float64(l.Hour()) + float64(l.Minute())/60
	day := 0.55 + 0.35*math.Sin(float64(l.YearDay())*1.7) // clouds, by the day
	return max(0, day*math.Pow(max(0, math.Sin((h-7)/12*math.Pi)), 1.3)*(1-0.25*math.Max(0, math.Sin(h*9+float64(l.YearDay())))))
}

// power is what a device does at t, kW into it.
func power(dev *district.Device, t time.Time, zone *time.Location) float64 {
	l := t.In(zone)
	h := float64(l.Hour()) + float64(l.Minute())/60
	switch dev.Kind {
	case district.PV:
		return -dev.PV.PeakKW * sun(t, zone)
	case district.Battery:
		switch {
		case h >= 11 && h < 15:
			return 30 * sun(t, zone) / 0.8
		case h >= 18 && h < 22:
			return -22
		case h >= 3 && h < 5:
			return 15
		}
	case district.HeatPump:
		return math.Round((8+6*math.Cos((h-5)/12*math.Pi))*10) / 10
	case district.WaterHeater:
		if h >= 12 && h < 15 {
			return 10
		}
	case district.EVCharger:
		if h >= 12 && h < 15 || h >= 1 && h < 4 {
			return 7.4
		}
	}
	return 0
}

func load(i int, t time.Time, zone *time.Location) float64 {
	l := t.In(zone)
	h := float64(l.Hour()) + float64(l.Minute())/60
	return (14 + 4*float64(i%3)) * (0.35 + 0.5*math.Exp(-math.Pow((h-8.5)/2.5, 2)) + 0.8*math.Exp(-math.Pow((h-19.5)/2.2, 2)) + 0.05*math.Sin(h*7+float64(i)))
}

func soc(t time.Time, zone *time.Location) float64 {
	l := t.In(zone)
	h := float64(l.Hour()) + float64(l.Minute())/60
	switch {
	case h < 5:
		return 0.22 + 0.02*h
	case h < 11:
		return 0.32
	case h < 15:
		return 0.32 + (h-11)*0.13
	case h < 18:
		return 0.84
	case h < 22:
		return 0.84 - (h-18)*0.15
	}
	return 0.24
}

func price(t time.Time, zone *time.Location) float64 {
	if h := t.In(zone).Hour(); h >= 22 || h < 6 || h >= 12 && h < 15 {
		return 0.1579
	}
	return 0.2065
}

func carbon(t time.Time, zone *time.Location) float64 {
	h := float64(t.In(zone).Hour())
	return 48 + 22*math.Cos((h-19)/12*math.Pi)
}

// Tick publishes what every device measures now. One charger of Parking Nord is silent.
func (w *World) Tick() {
	now := w.Now()
	var out []district.Sample
	add := func(id district.SeriesID, v float64, q district.Quality) {
		out = append(out, district.Sample{Series: id, Time: now, Value: v, Quality: q})
	}
	for i := range w.Districts {
		d := &w.Districts[i]
		total := 0.0
		for si := range d.Sites {
			s := &d.Sites[si]
			net := load(si, now, d.Zone)
			for di := range s.Devices {
				dev := &s.Devices[di]
				if dev.Kind == district.GridMeter || silent(s.ID, dev.ID) {
					continue
				}
				p := power(dev, now, d.Zone) * (1 + 0.01*math.Sin(float64(now.Unix())))
				net += p
				q := district.Good
				if dev.Kind == district.WaterHeater {
					q = district.Uncertain
				}
				add(dev.Series(d.ID, s.ID, district.PowerKW), p, q)
				switch dev.Kind {
				case district.Battery:
					add(dev.Series(d.ID, s.ID, district.SOC), soc(now, d.Zone), district.Good)
				case district.HeatPump:
					add(dev.Series(d.ID, s.ID, district.IndoorC), 20.4, district.Good)
					add(dev.Series(d.ID, s.ID, district.SupplyC), 38.5, district.Good)
				case district.WaterHeater:
					add(dev.Series(d.ID, s.ID, district.TankC), 58.2, district.Good)
				case district.EVCharger:
					add(dev.Series(d.ID, s.ID, district.Connected), 1, district.Good)
				}
			}
			add(s.Devices[0].Series(d.ID, s.ID, district.PowerKW), net, district.Good)
			add(s.Devices[0].Series(d.ID, s.ID, district.ImportKWh), 41234.5+float64(now.Unix()%100000)/3600, district.Good)
			add(s.Devices[0].Series(d.ID, s.ID, district.VoltageV), 231.4, district.Good)
			total += net
		}
		add(d.Devices[0].Series(d.ID, "_", district.PowerKW), total, district.Good)
		add(d.Devices[1].Series(d.ID, "_", district.OutdoorC), 7.3, district.Good)
		add(district.NewSeriesID(d.ID, "_", "tariff", district.ImportPrice), price(now, d.Zone), district.Good)
		add(district.NewSeriesID(d.ID, "_", "tariff", district.ExportPrice), 0.06, district.Good)
		add(district.NewSeriesID(d.ID, "_", "carbon", district.CarbonIntensity), carbon(now, d.Zone), district.Good)
	}
	w.Hub.Publish(out)
}

func silent(site, device string) bool { return site == "parking" && device == "ev_charger-2" }

func (w *World) status() []console.DeviceStatus {
	now := w.Now()
	var out []console.DeviceStatus
	for i := range w.Districts {
		for site, dev := range w.Districts[i].AllDevices {
			st := console.DeviceStatus{District: w.Districts[i].ID, Site: site, Device: dev.ID, Online: true, Since: now.Add(-5 * time.Hour), LastSeen: now, Period: dev.Poll, Latency: 3 * time.Millisecond}
			if silent(site, dev.ID) {
				st.Online, st.Since, st.LastSeen, st.LastError = false, now.Add(-42*time.Minute), now.Add(-43*time.Minute), "modbus "+dev.Address+" unit 1: read holding 1000+4: request timed out after 1s"
			}
			out = append(out, st)
		}
	}
	return out
}

// Around is a span with the world's now and everything recorded before it.
func (w *World) Around() timegrid.Span {
	now := w.Now()
	return timegrid.NewSpan(now.AddDate(-2, 0, 0), now.AddDate(0, 0, 1))
}

// Writer takes what a world records.
type Writer interface {
	Append(ctx context.Context, samples []district.Sample) error
	SaveBalances(ctx context.Context, rows []balance.Row) error
	SavePlan(ctx context.Context, p *district.Plan) (int64, error)
	AppendSetpoints(ctx context.Context, sps []district.Setpoint) error
	AppendEvent(ctx context.Context, e store.Event) error
}

// Record writes days of history before now into another store.
func (w *World) Record(ctx context.Context, to Writer, days int) error {
	for i := range w.Districts {
		if err := w.fill(ctx, to, &w.Districts[i], days); err != nil {
			return err
		}
	}
	return nil
}

// fill writes rows, plans, samples and set-points of the days before now.
func (w *World) fill(ctx context.Context, to Writer, d *district.District, days int) error {
	start := timegrid.Day(w.now.AddDate(0, 0, -days), d.Zone).Start
	end := timegrid.Floor(w.now, d.Step)
	var rows []balance.Row
	for slot := range (timegrid.Span{Start: start, End: end}).Slots(d.Step) {
		if slot.End.After(end) {
			break
		}
		rows = append(rows, slotRows(d, slot.Start)...)
	}
	if err := to.SaveBalances(ctx, rows); err != nil {
		return err
	}
	for t := timegrid.Day(w.now, d.Zone).Start.Add(-time.Minute); !t.After(w.now); t = t.Add(time.Hour) {
		if _, err := to.SavePlan(ctx, makePlan(d, t)); err != nil {
			return err
		}
	}
	if _, err := to.SavePlan(ctx, makePlan(d, w.now.Add(-4*time.Minute))); err != nil {
		return err
	}
	var samples []district.Sample
	for t := timegrid.Floor(w.now.Add(-36*time.Hour), 5*time.Minute); t.Before(w.now); t = t.Add(5 * time.Minute) {
		for site, dev := range d.AllDevices {
			if dev.Kind == district.GridMeter || dev.Kind == district.Substation || dev.Kind == district.Weather || silent(site, dev.ID) {
				continue
			}
			samples = append(samples, district.Sample{Series: dev.Series(d.ID, site, district.PowerKW), Time: t, Value: power(dev, t, d.Zone)})
			if dev.Kind == district.Battery {
				samples = append(samples, district.Sample{Series: dev.Series(d.ID, site, district.SOC), Time: t, Value: soc(t, d.Zone)})
			}
		}
		samples = append(samples, district.Sample{Series: district.NewSeriesID(d.ID, "_", "tariff", district.ImportPrice), Time: t, Value: price(t, d.Zone)},
			district.Sample{Series: district.NewSeriesID(d.ID, "_", "carbon", district.CarbonIntensity), Time: t, Value: carbon(t, d.Zone)})
	}
	if err := to.Append(ctx, samples); err != nil {
		return err
	}
	var sps []district.Setpoint
	for i := range 40 {
		t := w.now.Add(-time.Duration(i) * 15 * time.Minute)
		sps = append(sps, district.Setpoint{Time: t, District: d.ID, Site: "ecole", Device: "battery-1", WantedKW: power(&d.Sites[0].Devices[2], t, d.Zone), SentKW: power(&d.Sites[0].Devices[2], t, d.Zone),
			Command: "setpoint_kw", Reason: "sun: district feeds 12.4 kW", PlanID: 3, Outcome: []district.Outcome{district.Applied, district.Held, district.Clipped}[i%3]})
	}
	if err := to.AppendSetpoints(ctx, sps); err != nil {
		return err
	}
	return to.AppendEvent(ctx, store.Event{Time: w.now.Add(-42 * time.Minute), Kind: store.AlarmEvent, Actor: "quartier", Action: "device-lost",
		Object: d.ID + "/parking/ev_charger-2", Detail: "request timed out after 1s", Severity: "error"})
}

func slotRows(d *district.District, t time.Time) []balance.Row {
	all := balance.Row{District: d.ID, Site: "_", Start: t, Step: d.Step, Coverage: 1}
	wh := func(kw float64) units.WattHours { return units.Power(max(0, kw)).Over(d.Step).WattHours() }
	var rows []balance.Row
	var imports, exports units.WattHours
	for si := range d.Sites {
		s := &d.Sites[si]
		r := balance.Row{District: d.ID, Site: s.ID, Start: t, Step: d.Step, OtherWh: wh(load(si, t, d.Zone)), Coverage: 1}
		for di := range s.Devices {
			dev := &s.Devices[di]
			p := power(dev, t, d.Zone)
			switch dev.Kind {
			case district.PV:
				r.ProductionWh += wh(-p)
			case district.Battery:
				r.ChargeWh, r.DischargeWh = r.ChargeWh+wh(p), r.DischargeWh+wh(-p)
			case district.HeatPump, district.WaterHeater:
				r.HeatWh += wh(p)
			case district.EVCharger:
				r.CarsWh += wh(p)
			}
		}
		if net := r.ConsumptionWh() + r.ChargeWh - r.ProductionWh - r.DischargeWh; net > 0 {
			r.ImportWh = net
		} else {
			r.ExportWh = -net
		}
		imports, exports = imports+r.ImportWh, exports+r.ExportWh
		all.ProductionWh, all.ChargeWh, all.DischargeWh = all.ProductionWh+r.ProductionWh, all.ChargeWh+r.ChargeWh, all.DischargeWh+r.DischargeWh
		all.HeatWh, all.CarsWh, all.OtherWh = all.HeatWh+r.HeatWh, all.CarsWh+r.CarsWh, all.OtherWh+r.OtherWh
		rows = append(rows, r)
	}
	all.SharedWh = min(imports, exports)
	all.ImportWh, all.ExportWh = imports-all.SharedWh, exports-all.SharedWh
	for i := range rows {
		if imports > 0 {
			rows[i].SharedWh = all.SharedWh * rows[i].ImportWh / imports
		}
	}
	all.CostEUR = all.ImportWh.KWh()*price(t, d.Zone) - all.ExportWh.KWh()*0.06
	all.CarbonKg = all.ImportWh.KWh() * carbon(t, d.Zone) / 1000
	all.BaselineCostEUR, all.BaselineCarbonKg = all.CostEUR*1.14+0.02, all.CarbonKg*1.2+0.01
	return append([]balance.Row{all}, rows...)
}

func makePlan(d *district.District, at time.Time) *district.Plan {
	start := timegrid.Floor(at, d.Step)
	const n = 48 * 4
	p := &district.Plan{District: d.ID, CreatedAt: at, Start: start, StepMinutes: d.Step.Minutes(), Steps: n, Status: "optimal", ObjectiveEUR: 61.32, BoundEUR: 61.27,
		Gap: 0.0008, SolveSeconds: 0.84, ProblemSHA256: "9c1185a5c5e9fc54612808977ee8f548b2258d31", Binding: []string{"ecole/battery-1: full from 14:45", "import limit of residence-b at 19:15"}}
	p.ImportKW, p.ExportKW = make([]float64, n), make([]float64, n)
	for si := range d.Sites {
		s := &d.Sites[si]
		sp := district.SitePlan{ID: s.ID, LoadKW: make([]float64, n), NetKW: make([]float64, n)}
		for k := range n {
			t := start.Add(time.Duration(k) * d.Step)
			sp.LoadKW[k] = load(si, t, d.Zone) * (1 + 0.06*math.Sin(float64(at.Hour()+si)+float64(k)/9))
			sp.NetKW[k] = sp.LoadKW[k]
		}
		for di := range s.Devices {
			dev := &s.Devices[di]
			if dev.Kind == district.GridMeter {
				continue
			}
			dp := district.DevicePlan{ID: dev.ID, Kind: dev.Kind, PowerKW: make([]float64, n), Reason: make([]string, n)}
			for k := range n {
				t := start.Add(time.Duration(k) * d.Step)
				v := power(dev, t, d.Zone)
				dp.PowerKW[k], dp.Reason[k] = v, "idle"
				sp.NetKW[k] += v
				h := t.In(d.Zone).Hour()
				switch {
				case dev.Kind == district.PV:
					dp.Reason[k] = "sun"
				case v == 0:
				case dev.Kind == district.HeatPump:
					dp.Reason[k] = "need"
				case v < 0:
					dp.Reason[k] = "dear"
				case h >= 9 && h < 17:
					dp.Reason[k] = "sun"
				default:
					dp.Reason[k] = "cheap"
				}
			}
			sp.Devices = append(sp.Devices, dp)
		}
		p.Sites = append(p.Sites, sp)
	}
	for k := range n {
		t := start.Add(time.Duration(k) * d.Step)
		net := 0.0
		for i := range p.Sites {
			net += p.Sites[i].NetKW[k]
		}
		p.ImportKW[k], p.ExportKW[k] = max(0, net), max(0, -net)
		p.ImportPrice, p.ExportPrice = append(p.ImportPrice, price(t, d.Zone)), append(p.ExportPrice, 0.06)
		p.CarbonGPerKWh, p.Price = append(p.CarbonGPerKWh, carbon(t, d.Zone)), append(p.Price, price(t, d.Zone)*0.9)
	}
	foresee(d, p)
	return p
}

// Pause is as [console.Overrides] says.
func (w *World) Pause(_ context.Context, districtID, site, device, reason string, until time.Time, actor string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paused = append(w.paused, console.Override{District: districtID, Site: site, Device: device, Reason: reason, Actor: actor, Since: w.now, Until: until})
	return nil
}

// Resume is as [console.Overrides] says.
func (w *World) Resume(_ context.Context, districtID, site, device, _, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := w.paused[:0:0]
	for _, o := range w.paused {
		if o.District != districtID || o.Site != site || o.Device != device {
			kept = append(kept, o)
		}
	}
	w.paused = kept
	return nil
}

// Paused is as [console.Overrides] says.
func (w *World) Paused() []console.Override {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]console.Override(nil), w.paused...)
}

// Parts is as [console.Reports] says, by the default key.
func (w *World) Parts(_ string, m *district.Member, rows, _ []balance.Row) ([]sharing.Part, error) {
	return sharing.Parts(rows, m.ShareOfSite), nil
}

// Shares is as [console.Reports] says.
func (w *World) Shares(string) []float64 { return w.Static }

// Comparison is as [console.Reports] says: an estimate that is not significant, for January alone.
func (w *World) Comparison(_ context.Context, _, _, month string) (*console.Comparison, error) {
	if month != "2026-01" {
		return nil, nil
	}
	avoided, low, high, confidence := 12.0, -20.0, 44.0, 0.8
	return &console.Comparison{Verdict: "not_significant", AvoidedKWh: &avoided, LowKWh: &low, HighKWh: &high, Confidence: &confidence,
		FR: []string{"Par rapport à ce que votre logement aurait probablement consommé par ce temps : environ 12 kWh de moins (entre −20 et +44 kWh, intervalle à 80 %). Pas encore significatif."},
		EN: []string{"Compared with what your home would probably have used in this weather: an estimated 12 kWh less (between −20 and +44 kWh, 80% interval). Not yet significant."}}, nil
}

// Bill is as [console.Reports] says: peak and off-peak hours, for January alone.
func (w *World) Bill(_ string, _ *district.Member, month timegrid.Span, _, _ []balance.Row) (*console.MemberBill, error) {
	if !month.Contains(time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)) {
		return nil, fmt.Errorf("bill: tariff spot: no price in its series at %s", month.Start.Format(time.RFC3339))
	}
	return &console.MemberBill{Tariff: "Tarif Bleu HP/HC", AvoidedEUR: 8.43, PaidEUR: 6.20, EffectEUR: 2.23, Lines: []console.BillLine{
		{Period: "hp", From: month.Start, SharedKWh: 40, PriceEURPerKWh: 0.2081, AvoidedEUR: 6, NetworkEUR: 2.324, PaidEUR: 4, EffectEUR: 2},
		{Period: "hc", From: month.Start, SharedKWh: 22, PriceEURPerKWh: 0.1635, AvoidedEUR: 2.43, NetworkEUR: 1.167, PaidEUR: 2.2, EffectEUR: 0.23}},
		Sources: []console.BillSource{{What: "price", Text: "arrêté tarifaire"}, {What: "vat", Rate: 0.2, Text: "CGI art. 278"}}}, nil
}

// Report is as [console.Reports] says, with a page that holds its arguments alone.
func (w *World) Report(_ context.Context, districtID, memberID, month, format, language string) ([]byte, error) {
	if month < "2020-01" {
		return nil, fmt.Errorf("report of %s: %w", month, store.ErrNotFound)
	}
	return []byte(fmt.Sprintf("<!doctype html><title>%s %s %s %s %s</title>", districtID, memberID, month, format, language)), nil
}

// forecasts are errors that grow with the lead, the older half of the days made again from the record.
func (w *World) forecasts(days int) (out []district.ForecastError) {
	for i := range w.Districts {
		d := &w.Districts[i]
		row := func(site, device, quantity string, scale float64) {
			for day := range min(days, 14) {
				for _, lead := range []int{60, 180, 360, 720, 1440} {
					grow := 0.06 + 0.03*math.Sqrt(float64(lead)/60)
					out = append(out, district.ForecastError{District: d.ID, Site: site, Device: device, Quantity: quantity, Day: w.now.Truncate(24*time.Hour).AddDate(0, 0, -day), LeadMinutes: lead, Replayed: day > 6,
						Count: 24, Absolute: 24 * grow * scale, Persistence: 27 * grow * scale, Measured: 24 * scale, Banded: 24, Covered: 19, Pinball: 8 * grow * scale})
				}
			}
		}
		row(district.DistrictSite, "", district.ForecastNet, 60)
		row(district.DistrictSite, "", district.ForecastOutdoor, 9)
		row(district.DistrictSite, "", district.ForecastPrice, 0.18)
		row(district.DistrictSite, "", district.ForecastCarbon, 50)
		for k := range d.Sites {
			row(d.Sites[k].ID, "", district.ForecastLoad, 12)
			row(d.Sites[k].ID, "", district.ForecastSun, 20)
			for _, dev := range d.Sites[k].Devices {
				switch dev.Kind {
				case district.HeatPump:
					row(d.Sites[k].ID, dev.ID, district.ForecastHeat, 15)
				case district.WaterHeater:
					row(d.Sites[k].ID, dev.ID, district.ForecastHotWater, 3)
				case district.EVCharger:
					row(d.Sites[k].ID, dev.ID, district.ForecastCar, 2)
				}
			}
		}
	}
	return out
}
