package app

import (
	"context"
	"maps"
	"path/filepath"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/face"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// serveFace serves building systems until ctx ends, where the configuration asks for it. Its OPC UA process may take seconds to begin, for which nothing else waits, and control
// and record go on without it.
func (a *App) serveFace(ctx context.Context) error {
	c := a.cfg.File.Face
	if c.ModbusListen == "" && c.ModbusTLS == "" && c.OPCUAListen == "" {
		return nil
	}
	cfg, err := a.faceConfig()
	var f *face.Face
	if err == nil {
		f, err = face.Start(ctx, cfg)
	}
	if err != nil {
		if ctx.Err() == nil {
			a.log.Error("building systems are not served", "err", err)
		}
		return nil
	}
	a.log.Info("building systems", "modbus", f.Addresses().Modbus, "modbus_tls", f.Addresses().ModbusTLS, "opcua", f.Addresses().OPCUA)
	if a.opt.Faced != nil {
		a.opt.Faced(f.Addresses())
	}
	a.faceLoop(ctx, f)
	return f.Close()
}

// faceConfig says what the face serves; the places of the Modbus map are kept in the data folder.
func (a *App) faceConfig() (face.Config, error) {
	c := a.cfg.File.Face
	path := filepath.Join(a.cfg.File.DataDir, face.SlotsFile)
	slots, err := face.LoadSlots(path)
	if err != nil {
		return face.Config{}, err
	}
	if slots.Assign(a.cfg.Districts) {
		if err := slots.Save(path); err != nil {
			return face.Config{}, err
		}
	}
	out := face.Config{
		ModbusListen: c.ModbusListen, ModbusTLS: face.ModbusTLS{Listen: c.ModbusTLS, CertFile: c.ModbusCert, KeyFile: c.ModbusKey, ClientCA: c.ModbusCA},
		OPCUA: face.OPCUA{Listen: c.OPCUAListen, Host: c.OPCUAHost, PKI: a.cfg.PKIDir(), URI: a.cfg.File.OPCUA.URI, Name: a.cfg.File.OPCUA.Name, Unsecured: c.OPCUAUnsecured, Anonymous: c.OPCUAAnonymous,
			SignIn: a.asks.signIn, History: a.asks.history, Now: a.clock.Now, Speed: a.clock.Speed()},
		RequestTimeout: time.Duration(c.RequestTimeout * float64(time.Second)), Districts: a.cfg.Districts, Slots: slots, Log: a.log,
	}
	if a.cfg.File.Control.Enabled { // otherwise nothing would come of a request
		out.Requests = a.asks
	}
	for _, known := range c.ModbusClients {
		one := face.Client{Certificate: known.Certificate, Role: known.Role, Requests: known.Requests}
		if known.Network != "" {
			if one.Network, err = config.Network(known.Network); err != nil {
				return face.Config{}, err
			}
		}
		out.ModbusClients = append(out.ModbusClients, one)
	}
	return out, nil
}

// faceLoop shows the present to building systems every second.
func (a *App) faceLoop(ctx context.Context, f *face.Face) {
	days := map[string]*face.Day{}
	var asked time.Time
	for {
		now := a.clock.Now()
		if wall := time.Now(); wall.Sub(asked) > 10*time.Second {
			asked = wall
			for i := range a.cfg.Districts {
				d := &a.cfg.Districts[i]
				if day, err := a.today(ctx, d, now); err == nil {
					days[d.ID] = day
				}
			}
		}
		values := map[string]face.Value{}
		for i := range a.cfg.Districts {
			d := &a.cfg.Districts[i]
			var plan *district.Plan
			if s := a.schedulers[d.ID]; s != nil {
				plan, _ = s.Plan()
			}
			maps.Copy(values, face.SnapshotWithin(max(face.MaxAge, a.clock.District(30*time.Second)), now, d, a.hub.Latest, plan, days[d.ID]))
		}
		f.Update(values)
		if !wait(ctx, time.Second) {
			return
		}
	}
}

// today sums the district's balance since local midnight.
func (a *App) today(ctx context.Context, d *district.District, now time.Time) (*face.Day, error) {
	rows, err := a.record.Balances(ctx, d.ID, district.DistrictSite, timegrid.NewSpan(timegrid.Day(now, d.Zone).Start, now))
	if err != nil {
		return nil, err
	}
	sum := balance.Sum(rows)
	day := &face.Day{ImportKWh: sum.ImportWh.KWh(), ExportKWh: sum.ExportWh.KWh(), ProductionKWh: sum.ProductionWh.KWh(), ConsumptionKWh: sum.ConsumptionWh().KWh()}
	if v, ok := sum.SelfConsumption(); ok {
		day.SelfConsumption = &v
	}
	if v, ok := sum.SelfSufficiency(); ok {
		day.SelfSufficiency = &v
	}
	return day, nil
}
