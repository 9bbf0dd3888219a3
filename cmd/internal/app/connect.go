package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/modbus"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/pki"
	"quartier/drivers/profile"
	"quartier/schemas/district"
	"quartier/schemas/store"
)

// connections are the drivers of all devices of a process, with the links that they share.
type connections struct {
	modbus  *modbus.Pool
	opcua   *opcua.Pool
	drivers map[[3]string]drivers.Driver // district, site, device
}

// commandsPerMinute is how often a device may be commanded whatever dispatch wants: twice its shortest rhythm of one second would wear out what keeps set-points.
const commandsPerMinute = 60

// beforeFile keeps, in the data folder, what stood in devices before our first command.
const beforeFile = "before.json"

// connect makes the driver of every device; nothing is dialled before the first read. memory keeps what stood in them before; nil: nothing does.
func connect(cfg *config.Config, opt Options, now func() time.Time, memory command.Memory) (*connections, error) {
	commands := commandsPerMinute
	if opt.Demo {
		commands = 0 // its clock runs faster than a device's would
	}
	oc := opcua.Config{Now: now, Log: opt.Log, Commands: commands, Memory: memory}
	if needsPKI(cfg, opt) {
		var err error
		if oc.Identity, oc.Trust, err = OpenPKI(cfg, time.Now()); err != nil {
			return nil, fmt.Errorf("app: %w", err)
		}
	}
	c := &connections{modbus: modbus.NewPool(modbus.Config{Now: now, Log: opt.Log, Commands: commands, Memory: memory, Dial: opt.Dial}), opcua: opcua.NewPool(oc), drivers: map[[3]string]drivers.Driver{}}
	var faults []error
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		for site, dev := range d.AllDevices {
			drv, err := c.open(*dev, cfg.Device(d.ID, site, dev.ID), opt)
			if err != nil {
				faults = append(faults, fmt.Errorf("app: device %s/%s/%s: %w", d.ID, site, dev.ID, err))
				continue
			}
			c.drivers[[3]string{d.ID, site, dev.ID}] = drv
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(append(faults, c.close())...)
	}
	return c, nil
}

// needsPKI reports whether a device may be entered by a secured connection.
func needsPKI(cfg *config.Config, opt Options) bool {
	for i := range cfg.Districts {
		for site, dev := range cfg.Districts[i].AllDevices {
			a := opcua.Access{}
			if f := cfg.Device(cfg.Districts[i].ID, site, dev.ID); f != nil && f.OPCUA != nil {
				a.Policy = f.OPCUA.Policy
			}
			if address := opt.Reach(dev.Address); strings.HasPrefix(address, "opc.tcp://") && !a.Open(address) {
				return true
			}
		}
	}
	return false
}

// OpenPKI opens our OPC UA certificate and the trust list of a configuration, and makes them at the first use.
func OpenPKI(cfg *config.Config, now time.Time) (*pki.Identity, *pki.Store, error) {
	id, err := pki.OpenIdentity(cfg.PKIDir(), pki.Application{Name: cfg.File.OPCUA.Name, URI: cfg.File.OPCUA.URI}, now)
	if err != nil {
		return nil, nil, err
	}
	store, err := pki.Open(cfg.PKIDir())
	return id, store, err
}

// accessOf is how a device's OPC UA server is entered, with the secrets that its configuration names.
func accessOf(f *config.Device) (opcua.Access, error) {
	if f == nil || f.OPCUA == nil {
		return opcua.Access{}, nil
	}
	x := f.OPCUA
	a := opcua.Access{Policy: x.Policy, Mode: x.Mode, User: x.User, NoHistory: !x.History}
	var err error
	if a.Password, err = x.Password(); err == nil && x.UserCert != "" {
		a.UserIdentity, err = pki.LoadIdentity(x.UserCert, x.UserKey)
	}
	return a, err
}

func (c *connections) open(dev district.Device, as *config.Device, opt Options) (drivers.Driver, error) {
	prof, err := profile.Load(dev.Profile)
	if err != nil {
		return nil, err
	}
	dev.Address = opt.Reach(dev.Address)
	if err := checkAddress(prof, dev.Address); err != nil {
		return nil, err
	}
	if prof.Protocol == profile.Modbus {
		return c.modbus.Device(dev, prof)
	}
	access, err := accessOf(as)
	if err != nil {
		return nil, err
	}
	return c.opcua.Device(dev, prof, access)
}

// doubtful is how long before a sample that is not good the last good one may have been taken: when a connection is lost, what is known is told once more as uncertain when the
// loss is noticed.
const doubtful = 10 * time.Second

// resume tells the drivers that can fill a gap from their server's record when each of their points was recorded last, at now.
func (c *connections) resume(ctx context.Context, cfg *config.Config, record store.Samples, now time.Time) error {
	type resumer interface {
		Resume(last func(point string) time.Time)
	}
	each := func(do func(r resumer, drv drivers.Driver, series func(point string) district.SeriesID)) {
		for i := range cfg.Districts {
			d := &cfg.Districts[i]
			for site, dev := range d.AllDevices {
				drv, _ := c.driver(d.ID, site, dev.ID)
				if r, ok := drv.(resumer); ok {
					do(r, drv, func(point string) district.SeriesID { return dev.Series(d.ID, site, point) })
				}
			}
		}
	}
	var ids []district.SeriesID
	each(func(_ resumer, drv drivers.Driver, series func(string) district.SeriesID) {
		for _, p := range drv.Points() {
			if p.Readable {
				ids = append(ids, series(p.Name))
			}
		}
	})
	if len(ids) == 0 {
		return nil
	}
	latest, err := record.Latest(ctx, ids, now)
	if err != nil {
		return fmt.Errorf("app: newest samples of the record: %w", err)
	}
	each(func(r resumer, _ drivers.Driver, series func(string) district.SeriesID) {
		r.Resume(func(point string) time.Time {
			s, ok := latest[series(point)]
			if ok && s.Quality != district.Good {
				return s.Time.Add(-doubtful)
			}
			return s.Time
		})
	})
	return nil
}

// checkAddress says why the driver of a profile cannot reach an address, or nil.
func checkAddress(prof *profile.Profile, address string) error {
	var err error
	switch opc := strings.HasPrefix(address, "opc.tcp://"); {
	case opc != (prof.Protocol == profile.OPCUA):
		return fmt.Errorf("%s does not fit profile %s, which speaks %s", address, prof.Name, prof.Protocol)
	case opc:
		err = opcua.CheckAddress(address)
	default:
		err = modbus.CheckAddress(address)
	}
	return err
}

// CheckCertificates reads the certificates for the devices behind TLS, and returns an error for each device that cannot be reached with them.
func CheckCertificates(districts []district.District, now time.Time) error {
	var faults []error
	for i := range districts {
		for site, dev := range districts[i].AllDevices {
			if dev.TLS == nil {
				continue
			}
			if err := modbus.CheckTLS(dev.Address, dev.TLS, now); err != nil {
				faults = append(faults, fmt.Errorf("device %s/%s/%s: %w", districts[i].ID, site, dev.ID, err))
			}
		}
	}
	return errors.Join(faults...)
}

func (c *connections) driver(districtID, site, device string) (drivers.Driver, bool) {
	d, ok := c.drivers[[3]string{districtID, site, device}]
	return d, ok
}

// close closes every driver, then the links, all at the same time: a dead device must not hold up the others.
func (c *connections) close() error {
	errs := make(chan error, len(c.drivers))
	for _, d := range c.drivers {
		go func() { errs <- d.Close() }()
	}
	var all []error
	for range c.drivers {
		all = append(all, <-errs)
	}
	return errors.Join(append(all, c.modbus.Close(), c.opcua.Close())...)
}

// Devices are connected devices, for a command that asks them once.
type Devices struct{ c *connections }

// Connect makes the driver of every device of a configuration; nothing is dialled before the first read.
func Connect(cfg *config.Config, opt Options) (*Devices, error) {
	if opt.Reach == nil {
		opt.Reach = func(a string) string { return a }
	}
	c, err := connect(cfg, opt, time.Now, nil)
	if err != nil {
		return nil, err
	}
	return &Devices{c}, nil
}

// Count returns how many devices there are.
func (d *Devices) Count() int { return len(d.c.drivers) }

// All yields every device by district/site/device, sorted.
func (d *Devices) All(yield func(name string, drv drivers.Driver) bool) {
	names := map[string]drivers.Driver{}
	for k, drv := range d.c.drivers {
		names[strings.Join(k[:], "/")] = drv
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !yield(name, names[name]) {
			return
		}
	}
}

// Close releases every connection.
func (d *Devices) Close() error { return d.c.close() }
