package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Found is a unit that answered a scan.
type Found struct {
	Unit    uint8
	SunSpec []uint16 // models of its chain, in its order; nil without one
	Matches []Match  // profiles whose points it has, the best first
}

// Match says how far a unit fits a profile. Plain maps of numbers fit many devices: a match is a hint, the name plate decides.
type Match struct {
	Profile string
	Good    int // points with a value
	Telling int // of these, points with another value than 0: many devices answer 0 for registers that they do not have
	Points  int // readable points of the profile
}

// Fit orders matches, the best one having the largest: how many values say something, and how much of the profile they are.
func (m Match) Fit() float64 {
	if m.Points == 0 {
		return 0
	}
	return float64(m.Good) / float64(m.Points) * (float64(m.Telling) + float64(m.Good)/1000)
}

// Reach makes a connection to the address of a device, and closes it. The error is drivers.ErrUnreachable, beside drivers.ErrConfiguration for certificates.
func Reach(ctx context.Context, dev district.Device) error {
	e, err := parseAddress(dev.Address)
	if err != nil {
		return err
	}
	w, err := dial(ctx, e, Config{TLS: dev.TLS}, time.Second, time.Now())
	if err != nil {
		return fmt.Errorf("modbus %s: %w: %w", dev.Address, drivers.ErrUnreachable, err)
	}
	return w.close()
}

// Scan asks each of the units behind the address of a device whether it is there, and which of the profiles it could be. It only reads. found is called for
// each unit that answers, and for a unit that does not, with ok false; the error is that of the context or of the address.
func Scan(ctx context.Context, at district.Device, units []uint8, profiles []*profile.Profile, config Config, found func(f Found, ok bool)) error {
	config.Silent = -1 // each unit is asked once: no pause is wanted
	pool := NewPool(config)
	defer pool.Close()
	// Held open, so that the whole scan is one connection.
	keep, err := pool.Device(district.Device{ID: "scan", Address: at.Address, TLS: at.TLS}, &profile.Profile{Name: "scan", Protocol: profile.Modbus})
	if err != nil {
		return err
	}
	defer keep.Close()
	for _, unit := range units {
		f, err := scanUnit(ctx, pool, at, unit, profiles)
		if ctx.Err() != nil {
			return fmt.Errorf("scan %s: %w", at.Address, context.Cause(ctx))
		}
		if err != nil && !errors.Is(err, drivers.ErrUnreachable) && !errors.Is(err, drivers.ErrGarbage) {
			return fmt.Errorf("scan %s unit %d: %w", at.Address, unit, err)
		}
		found(f, err == nil)
	}
	return nil
}

func scanUnit(ctx context.Context, pool *Pool, at district.Device, unit uint8, profiles []*profile.Profile) (Found, error) {
	f := Found{Unit: unit}
	dev := district.Device{ID: fmt.Sprintf("unit %d", unit), Address: at.Address, TLS: at.TLS, Unit: unit}
	layout, err := look(ctx, pool, dev)
	if err != nil {
		return f, err
	}
	f.SunSpec = layout.Models()
	for _, p := range profiles {
		if p.Protocol != profile.Modbus {
			continue
		}
		d, err := pool.Device(dev, p)
		if err != nil {
			return f, err
		}
		d.assume(layout)
		m := match(ctx, d)
		d.Close()
		if m.Good > 0 && m.Good*2 >= m.Points {
			f.Matches = append(f.Matches, m)
		}
	}
	slices.SortStableFunc(f.Matches, func(a, b Match) int { return cmp.Compare(b.Fit(), a.Fit()) })
	return f, nil
}

// look asks whether anybody is there, and walks the chain of SunSpec models once for all profiles. It is empty where there is none.
func look(ctx context.Context, pool *Pool, dev district.Device) (profile.Layout, error) {
	d, err := pool.Device(dev, &profile.Profile{Name: "scan", Protocol: profile.Modbus})
	if err != nil {
		return nil, err
	}
	defer d.Close()
	if _, err := d.link.Read(ctx, dev.Unit, profile.Holding, 0, 1); err != nil && !errors.Is(err, drivers.ErrRejected) {
		return nil, err
	}
	layout, err := d.walk(ctx)
	if err != nil { // no chain, or one that cannot be followed: the plain maps may fit yet
		return profile.Layout{}, nil
	}
	return layout, nil
}

// match counts the points that have a value.
func match(ctx context.Context, d *Device) Match {
	m := Match{Profile: d.profile.Name}
	for _, pt := range d.profile.Points {
		if pt.Readable() && pt.Register != nil {
			m.Points++
		}
	}
	readings, _ := d.Read(ctx) // what it rejects counts as missing
	for _, r := range readings {
		if pt := d.profile.Point(r.Point); pt != nil && pt.Register != nil && r.Quality == district.Good {
			if m.Good++; r.Value != 0 {
				m.Telling++
			}
		}
	}
	return m
}
