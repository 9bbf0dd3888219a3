package app

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/opcua"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// connections are the drivers of all devices of a process, with the links that they share.
type connections struct {
	modbus  *modbus.Pool
	opcua   *opcua.Pool
	drivers map[[3]string]drivers.Driver // district, site, device
}

// connect makes the driver of every device; nothing is dialled before the first read.
func connect(districts []district.District, opt Options, now func() time.Time) (*connections, error) {
	c := &connections{modbus: modbus.NewPool(modbus.Config{Now: now, Log: opt.Log}), opcua: opcua.NewPool(opcua.Config{Now: now, Log: opt.Log}),
		drivers: map[[3]string]drivers.Driver{}}
	var faults []error
	for i := range districts {
		d := &districts[i]
		for site, dev := range d.AllDevices {
			drv, err := c.open(*dev, opt)
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

func (c *connections) open(dev district.Device, opt Options) (drivers.Driver, error) {
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
	return c.opcua.Device(dev, prof)
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

// Connect makes the driver of every device of the districts; nothing is dialled before the first read.
func Connect(districts []district.District, opt Options) (*Devices, error) {
	if opt.Reach == nil {
		opt.Reach = func(a string) string { return a }
	}
	c, err := connect(districts, opt, time.Now)
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
