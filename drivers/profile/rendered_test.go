package profile_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestRenderedWords: the registers into which a simulated device puts a value are the words that the second reading has for it. Where several codes mean the same state, or a scale
// factor is the device's choice, the words need only mean the same.
func TestRenderedWords(t *testing.T) {
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Protocol != profile.Modbus {
			continue
		}
		r := loadReading(t, name)
		for _, c := range r.Cases {
			m := r.image(t, c)
			layout := chain(m)
			for point, w := range r.expected(c) {
				pt := p.Point(point)
				v, some, err := w.value()
				if err != nil || pt.Register == nil || !some || len(pt.States) > 0 || pt.Register.Mask != 0 {
					continue
				}
				_, scale, hasScale, _ := pt.Locate(layout)
				var sf uint16
				if hasScale {
					sf, _ = m.get(pt.Register.Table, scale)
				}
				got, err := pt.Encode(v, int16(sf))
				want, _ := words(w.Words)
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%s, %s: %s %g becomes %04X (%v), the reading has %04X", name, c.What, point, v, got, err, want)
				}
			}
		}
	}
}

// TestRendered: every Modbus profile rendered as a device shows through the driver the values that were set, and understands each command as it was meant.
func TestRendered(t *testing.T) {
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Protocol != profile.Modbus {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bank, err := serve.NewDevice(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			s, err := serve.Listen("127.0.0.1:0", serve.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			s.Handle(1, bank)
			fast := *p
			fast.Limits.Delay, fast.Limits.ConnectDelay, fast.Limits.Timeout = 0, 0, 0
			d, err := modbus.Open(district.Device{ID: name, Address: s.URL(), Unit: 1}, &fast, modbus.Config{Timeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := show(ctx, p, bank, d); err != nil {
				t.Error(err)
			}
			if p.Control == nil {
				return
			}
			safe, err := p.Sequence(p.Control.Safe)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range safe { // nobody has commanded it before
				if err := bank.Set(w.Point, w.Value); err != nil {
					t.Fatal(err)
				}
			}
			for _, cmd := range loadReading(t, name).Commands {
				if cmd.Release {
					if _, err := d.Release(ctx); err != nil || !bank.Released() {
						t.Errorf("released: %v, the device understands so: %v", err, bank.Released())
					}
					continue
				}
				// a device that shows the command elsewhere would follow in its own time
				if _, err := d.Write(ctx, p.Control.Point, cmd.Command); err != nil && !errors.Is(err, drivers.ErrReadBack) {
					t.Errorf("command %g: %v", cmd.Command, err)
				}
				if got, ok := bank.Command(); !ok || math.Abs(got-cmd.Command) > 1e-3+p.Control.Step {
					t.Errorf("command %g: the device understands %g (%v)", cmd.Command, got, ok)
				}
			}
		})
	}
}

// show sets each point to a value of its own that fits, and reads it back through the driver.
func show(ctx context.Context, p *profile.Profile, bank *serve.Device, d *modbus.Device) error {
	for i, pt := range p.Points {
		if pt.Register == nil || !pt.Readable() {
			continue
		}
		want := float64(i%7) + 1
		switch {
		case len(pt.States) > 0:
			want = pt.States[i%len(pt.States)].Is
		case pt.Register.Mask != 0 || pt.Type == profile.Bool:
			want = float64(i % 2)
		case pt.Unit == "1":
			want = 0.25
		case pt.Invert:
			want = -want
		}
		if pt.Writable() && (want < pt.Min || want > pt.Max) {
			want = pt.Min
		}
		if err := bank.Set(pt.Name, want); err != nil {
			return err
		}
		got, err := d.Read(ctx, pt.Name)
		if err != nil || len(got) != 1 {
			return fmt.Errorf("%s: %v, %w", pt.Name, got, err)
		}
		var sf int16
		if pt.Register.ScaleFactor != nil {
			sf = pt.Register.ScaleFactor.Simulated
		}
		if math.Abs(got[0].Value-want) > pt.Resolution(sf)*0.51+1e-6 || got[0].Quality != district.Good {
			return fmt.Errorf("%s: set to %g, read %g (%s)", pt.Name, want, got[0].Value, got[0].Quality)
		}
	}
	return nil
}
