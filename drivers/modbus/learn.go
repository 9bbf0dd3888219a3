package modbus

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"quartier/drivers"
	"quartier/drivers/profile"
)

// sunspecBases are the addresses at which a SunSpec chain may start, in the order of the specification's advice.
var sunspecBases = []uint16{40000, 50000, 0}

// maxModels bounds the walk along a chain; devices have about ten.
const maxModels = 64

// learn returns what is known of the device for the present connection, walking the chain of SunSpec models first where it is needed.
func (d *Device) learn(ctx context.Context, sunspec bool) (learned, error) {
	var k learned
	select {
	case k = <-d.learned:
	case <-ctx.Done():
		return k, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(ctx))
	}
	defer func() { d.learned <- k }()
	if epoch := d.link.Epoch(); k.epoch != epoch {
		k = learned{epoch: epoch, alone: k.alone}
	}
	if !sunspec || k.layout != nil {
		return k, nil
	}
	layout, err := d.walk(ctx)
	if err != nil {
		return k, err
	}
	k.epoch, k.layout, k.plan = d.link.Epoch(), layout, nil
	return k, nil
}

// assume takes a layout for the device's that was learned through another one of the same unit, while the connection lasts.
func (d *Device) assume(layout profile.Layout) {
	k := <-d.learned
	k.epoch, k.layout, k.plan = d.link.Epoch(), layout, nil
	d.learned <- k
}

// forget makes the next read learn anew.
func (d *Device) forget() {
	select {
	case k := <-d.learned:
		k.layout, k.plan = nil, nil
		d.learned <- k
	default: // another read learns at this moment
	}
}

// split remembers that the device rejects these wants of a plan when they are read together.
func (d *Device) split(p *plan, wants []int) {
	select {
	case k := <-d.learned:
		alone := maps.Clone(k.alone)
		if alone == nil {
			alone = map[Span]bool{}
		}
		for _, i := range wants {
			alone[p.wants[i]] = true
		}
		k.alone, k.plan = alone, nil
		d.learned <- k
	default: // learned again next time
	}
}

// errNoChain says that a device is none of SunSpec.
var errNoChain = fmt.Errorf("no SunSpec chain at %v: %w", sunspecBases, drivers.ErrGarbage)

// walk finds the SunSpec chain and where each model starts. The chain ends with the model id 0xFFFF, or, behind its first model, where the device says that there is no such address.
func (d *Device) walk(ctx context.Context) (profile.Layout, error) {
	read := func(address uint16) ([]uint16, error) {
		return d.link.read(ctx, d.dev.Unit, d.pauses(), profile.Holding, address, 2)
	}
	for _, base := range sunspecBases {
		regs, err := read(base)
		if errors.Is(err, drivers.ErrRejected) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if regs[0] != 0x5375 || regs[1] != 0x6E53 {
			continue
		}
		layout := profile.Layout{}
		at := int(base) + 2
		for range maxModels {
			if at+2 > 65536 {
				return nil, fmt.Errorf("SunSpec chain from %d runs past 65535: %w", base, drivers.ErrGarbage)
			}
			regs, err := read(uint16(at))
			if code, is := errors.AsType[exceptionError](err); is && code == noSuchAddress && len(layout) > 0 {
				return layout, nil
			}
			if err != nil {
				return nil, err
			}
			if regs[0] == 0xFFFF {
				return layout, nil
			}
			layout = append(layout, profile.Extent{Model: regs[0], Address: uint16(at), Length: regs[1]})
			at += 2 + int(regs[1])
		}
		return nil, fmt.Errorf("SunSpec chain from %d has no end within %d models: %w", base, maxModels, drivers.ErrGarbage)
	}
	return nil, errNoChain
}
