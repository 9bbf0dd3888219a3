package serve

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"quartier/drivers/profile"
)

// Device renders a device from its profile: its values are set and read by point, in stored units and signs, and clients see them in the
// registers, types and units of the profile. Points that the profile lets be written accept values of their range; anything else is
// refused as a real device would (exception 2 for an address, 3 for a value). It may be used from several goroutines.
type Device struct {
	profile *profile.Profile
	layout  profile.Layout
	onWrite func(map[string]float64)

	mu       sync.RWMutex
	values   map[profile.Table]map[uint16]uint16
	readable map[profile.Table]map[uint16]bool
	writable map[profile.Table]map[uint16]*profile.Point
}

// sunspecBase is where the chain of SunSpec models of a rendered device starts.
const sunspecBase = 40000

// NewDevice returns a device with every point marked as not implemented where its type can say so, 0 elsewhere. onWrite, which may be nil, is
// called after each accepted write with the points that it set, in stored units; it runs on the client's goroutine.
func NewDevice(p *profile.Profile, onWrite func(written map[string]float64)) (*Device, error) {
	if p.Protocol != profile.Modbus {
		return nil, fmt.Errorf("profile %s: is for %s, not modbus", p.Name, p.Protocol)
	}
	d := &Device{profile: p, onWrite: onWrite,
		values:   map[profile.Table]map[uint16]uint16{},
		readable: map[profile.Table]map[uint16]bool{},
		writable: map[profile.Table]map[uint16]*profile.Point{}}
	for _, t := range []profile.Table{profile.Holding, profile.Input, profile.Coil, profile.Discrete} {
		d.values[t], d.readable[t], d.writable[t] = map[uint16]uint16{}, map[uint16]bool{}, map[uint16]*profile.Point{}
	}
	d.models()
	for _, pt := range p.Points {
		if pt.Register == nil {
			continue
		}
		address, scale, hasScale, ok := pt.Locate(d.layout)
		if !ok {
			return nil, fmt.Errorf("profile %s: point %s has no place", p.Name, pt.Name)
		}
		t := pt.Register.Table
		for i := range pt.Register.Length {
			d.readable[t][address+i] = d.readable[t][address+i] || pt.Readable()
			if pt.Writable() {
				d.writable[t][address+i] = pt
			}
		}
		if hasScale {
			d.readable[t][scale] = true
			d.values[t][scale] = uint16(pt.Register.ScaleFactor.Simulated)
		}
		if pt.Readable() && !pt.Writable() && len(pt.States) == 0 {
			if regs, err := pt.Encode(math.NaN(), 0); err == nil {
				d.store(t, address, regs)
			}
		}
	}
	d.fillGaps()
	return d, nil
}

// models lays out the SunSpec chain: the common model, then every model of the profile, the first of alternatives only, as often as the profile asks for it.
func (d *Device) models() {
	times := map[uint16]int{}
	for _, pt := range d.profile.Points {
		if pt.Register != nil && pt.Register.SunSpec != nil {
			id := pt.Register.SunSpec.Models[0]
			times[id] = max(times[id], pt.Register.SunSpec.Occurrence)
		}
	}
	if len(times) == 0 {
		return
	}
	ids := []uint16{1}
	for _, id := range slices.Sorted(maps.Keys(times)) {
		ids = append(ids, slices.Repeat([]uint16{id}, times[id])...)
	}
	at := uint16(sunspecBase)
	put := func(values ...uint16) {
		for _, v := range values {
			d.values[profile.Holding][at], d.readable[profile.Holding][at] = v, true
			at++
		}
	}
	put(0x5375, 0x6E53) // "SunS"
	for _, id := range ids {
		length := d.profile.SunSpecNeeds(id)
		d.layout = append(d.layout, profile.Extent{Model: id, Address: at, Length: length})
		put(id, length)
		body := make([]uint16, length)
		if id == 1 {
			text(body[0:16], "Quartier")
			text(body[16:32], d.profile.Name)
		}
		put(body...)
	}
	put(0xFFFF, 0)
}

func text(regs []uint16, s string) {
	for i := range regs {
		for j := range 2 {
			if 2*i+j < len(s) {
				regs[i] |= uint16(s[2*i+j]) << (8 * (1 - j))
			}
		}
	}
}

// fillGaps makes the addresses between two points readable where a client that merges requests by the profile's limit would read them.
func (d *Device) fillGaps() {
	for t, known := range d.readable {
		addresses := slices.Sorted(maps.Keys(known))
		for i := 1; i < len(addresses); i++ {
			if gap := addresses[i] - addresses[i-1]; gap > 1 && gap-1 <= d.profile.Limits.MaxGap {
				for a := addresses[i-1] + 1; a < addresses[i]; a++ {
					if !d.forbidden(t, a) {
						known[a] = true
					}
				}
			}
		}
	}
}

func (d *Device) forbidden(t profile.Table, a uint16) bool {
	for _, r := range d.profile.Limits.Forbidden {
		if r.Table == t && r.From <= a && a <= r.To {
			return true
		}
	}
	return false
}

// Profile is the type of the device.
func (d *Device) Profile() *profile.Profile { return d.profile }

// Has reports whether the point has registers that [Device.Set] can set.
func (d *Device) Has(point string) bool {
	pt := d.profile.Point(point)
	return pt != nil && pt.Register != nil
}

// Set puts a value, in its stored unit and sign, into the point's registers; NaN marks it as not implemented. Where the registers already
// say the same they stay as they are, so that two points that share a code do not undo each other.
func (d *Device) Set(point string, value float64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.set(point, value)
}

// SetAll sets several points at once: a request sees none or all of them. Points without registers are passed over.
func (d *Device) SetAll(values map[string]float64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, pt := range d.profile.Points {
		v, ok := values[pt.Name]
		if !ok || pt.Register == nil {
			continue
		}
		if err := d.set(pt.Name, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *Device) set(point string, value float64) error {
	pt := d.profile.Point(point)
	if pt == nil || pt.Register == nil {
		return fmt.Errorf("profile %s: point %q has no registers", d.profile.Name, point)
	}
	if len(pt.States) > 0 {
		if v, err := d.value(pt); err == nil && v == value {
			return nil
		}
	}
	address, scale, hasScale, _ := pt.Locate(d.layout)
	var sf int16
	if hasScale {
		sf = int16(d.values[pt.Register.Table][scale])
	}
	regs, err := pt.Encode(value, sf)
	if err != nil {
		return fmt.Errorf("profile %s: %w", d.profile.Name, err)
	}
	if m := pt.Register.Mask; m != 0 {
		d.storeMasked(pt, address, regs)
		return nil
	}
	d.store(pt.Register.Table, address, regs)
	return nil
}

// storeMasked changes the bits of the mask alone. The mask is laid out as the value is, so it is encoded through the same word order.
func (d *Device) storeMasked(pt *profile.Point, address uint16, regs []uint16) {
	mask := pt.MaskRegisters()
	m := d.values[pt.Register.Table]
	for i, v := range regs {
		a := address + uint16(i)
		m[a] = m[a]&^mask[i] | v&mask[i]
	}
}

func (d *Device) store(t profile.Table, address uint16, regs []uint16) {
	for i, v := range regs {
		d.values[t][address+uint16(i)] = v
	}
}

// Value returns the present value of a point, in its stored unit and sign.
func (d *Device) Value(point string) (float64, error) {
	pt := d.profile.Point(point)
	if pt == nil || pt.Register == nil {
		return math.NaN(), fmt.Errorf("profile %s: point %q has no registers", d.profile.Name, point)
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.value(pt)
}

func (d *Device) value(pt *profile.Point) (float64, error) {
	return d.decode(pt, func(t profile.Table, a uint16) uint16 { return d.values[t][a] })
}

func (d *Device) decode(pt *profile.Point, at func(profile.Table, uint16) uint16) (float64, error) {
	address, scale, hasScale, _ := pt.Locate(d.layout)
	t := pt.Register.Table
	regs := make([]uint16, pt.Register.Length)
	for i := range regs {
		regs[i] = at(t, address+uint16(i))
	}
	var sf int16
	if hasScale {
		sf = int16(at(t, scale))
	}
	return pt.Decode(regs, sf)
}

// Command returns the command that the control registers stand for, in the profile's control quantity; ok is false when they stand for none.
func (d *Device) Command() (value float64, ok bool) {
	return d.profile.Command(func(point string) (float64, bool) {
		v, err := d.Value(point)
		return v, err == nil
	})
}

// Released reports whether the control registers stand as they do when the device is given back, see [profile.Profile.Released].
func (d *Device) Released() bool {
	return d.profile.Released(func(point string) (float64, bool) {
		v, err := d.Value(point)
		return v, err == nil
	})
}

// Read serves a client.
func (d *Device) Read(t profile.Table, address, quantity uint16) ([]uint16, error) {
	if max := d.profile.Limits.MaxRegisters; !t.Bits() && quantity > max {
		return nil, IllegalValue
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]uint16, quantity)
	for i := range out {
		a := address + uint16(i)
		if !d.readable[t][a] {
			return nil, IllegalAddress
		}
		out[i] = d.values[t][a]
	}
	return out, nil
}

// Write serves a client. The points written must be whole, writable and within their ranges, or nothing is changed.
func (d *Device) Write(t profile.Table, address uint16, values []uint16) error {
	written, err := d.accept(t, address, values)
	if err != nil {
		return err
	}
	if d.onWrite != nil {
		d.onWrite(written)
	}
	return nil
}

func (d *Device) accept(t profile.Table, address uint16, values []uint16) (map[string]float64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	points := map[*profile.Point]bool{}
	for i := range values {
		pt := d.writable[t][address+uint16(i)]
		if pt == nil {
			return nil, IllegalAddress
		}
		points[pt] = true
	}
	end := int(address) + len(values)
	at := func(tt profile.Table, a uint16) uint16 {
		if tt == t && a >= address && int(a) < end {
			return values[a-address]
		}
		return d.values[tt][a]
	}
	written := map[string]float64{}
	for pt := range points {
		first, _, _, _ := pt.Locate(d.layout)
		if first < address || int(first)+int(pt.Register.Length) > end {
			return nil, IllegalAddress // half a value
		}
		v, err := d.decode(pt, at)
		if err != nil || v < pt.Min-slack(pt) || v > pt.Max+slack(pt) {
			return nil, IllegalValue
		}
		written[pt.Name] = v
	}
	d.store(t, address, values)
	return written, nil
}

// slack is half a step of the register: a limit of 13.8 A in whole amperes may be sent as 14 A.
func slack(pt *profile.Point) float64 {
	var sf int16
	if pt.Register.ScaleFactor != nil {
		sf = pt.Register.ScaleFactor.Simulated
	}
	return 1e-9 + pt.Resolution(sf)/2
}
