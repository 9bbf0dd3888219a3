package modbus

import (
	"context"
	"errors"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// hasty is a built-in profile without its pauses.
func hasty(name string) *profile.Profile {
	p := *profile.MustLoad(name)
	p.Limits.ConnectDelay, p.Limits.Delay = 0, 0
	return &p
}

// stand is a device on a socket that outlives the runs of the product against it.
type stand struct {
	t    *testing.T
	p    *profile.Profile
	bank *serve.Device
	url  string
	path string // of the memory
}

func newStand(t *testing.T, p *profile.Profile) *stand {
	t.Helper()
	bank, err := serve.NewDevice(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Handle(1, bank)
	return &stand{t, p, bank, s.URL(), filepath.Join(t.TempDir(), "before.json")}
}

// run is a run of the product, with what the runs before it kept on the disk.
func (s *stand) run() *Device {
	s.t.Helper()
	memory, err := command.OpenFile(s.path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := Open(district.Device{ID: "dev", Address: s.url, Unit: 1}, s.p, Config{Memory: memory})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { d.Close() })
	return d
}

func (s *stand) set(values map[string]float64) {
	s.t.Helper()
	if err := s.bank.SetAll(values); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stand) values(points ...string) map[string]float64 {
	out := map[string]float64{}
	for _, p := range points {
		v, err := s.bank.Value(p)
		if err != nil {
			s.t.Error(err)
		}
		out[p] = v
	}
	return out
}

func (s *stand) write(d *Device, v float64) {
	s.t.Helper()
	if _, err := d.Write(s.t.Context(), s.p.Control.Point, v); err != nil {
		s.t.Fatal(err)
	}
}

// TestRestorePrevious: what stood before our first command stands again after release, also when the run that found it was killed; what somebody else put there meanwhile is kept in its place.
func TestRestorePrevious(t *testing.T) {
	for name, tt := range map[string]struct {
		before, foreign map[string]float64
		first, second   float64
	}{
		"sunspec-inverter": {map[string]float64{"limit_reversion": 0, "limit_share": 0.9, "limit_enable": 1}, map[string]float64{"limit_share": 0.7, "limit_enable": 1}, 0.5, 0.4},
		"huawei-sun2000":   {map[string]float64{"limit_share": 0.9}, map[string]float64{"limit_share": 0.7}, 0.5, 0.4},
		"stiebel-isg":      {map[string]float64{"sg_active": 0, "sg_input_1": 0, "sg_input_2": 0}, map[string]float64{"sg_active": 1, "sg_input_1": 1, "sg_input_2": 1}, 3, 1},
		"luxtronik-shi":    {map[string]float64{"power_limit_mode": 1, "heating_offset": -15, "heating_mode": 2}, map[string]float64{"power_limit_mode": 0, "heating_offset": 20, "heating_mode": 2}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, hasty(name))
			points := slices.Collect(maps.Keys(tt.before))
			release := func(d *Device, want map[string]float64) {
				t.Helper()
				if _, err := d.Release(t.Context()); err != nil && !errors.Is(err, drivers.ErrReadBack) {
					t.Fatal(err)
				}
				if got := s.values(points...); !near(got, want) {
					t.Errorf("after release: %v, before the first command: %v", got, want)
				}
			}
			s.set(tt.before)
			d := s.run()
			if r, err := d.Release(t.Context()); err != nil || !math.IsNaN(r.Value) {
				t.Errorf("release of a device that was never commanded: %+v, %v; want nothing written", r, err)
			}
			command := func(d *Device, v float64) { // what the machine shows elsewhere does not follow here
				t.Helper()
				if _, err := d.Write(t.Context(), s.p.Control.Point, v); err != nil && !errors.Is(err, drivers.ErrReadBack) {
					t.Fatal(err)
				}
			}
			command(d, tt.first)
			command(d, tt.second)
			if near(s.values(points...), tt.before) {
				t.Fatal("nothing was commanded")
			}
			release(d, tt.before)
			if r, err := d.Release(t.Context()); err != nil || !math.IsNaN(r.Value) {
				t.Errorf("a second release: %+v, %v; want nothing written", r, err)
			}

			command(d, tt.first) // and the run is killed
			d = s.run()
			command(d, tt.second)
			d = s.run() // killed again
			release(d, tt.before)

			if tt.first == tt.second {
				return
			}
			command(d, tt.first) // killed, and somebody else commands the device before the next run
			for k, v := range tt.foreign {
				s.set(map[string]float64{k: v})
			}
			theirs := s.values(points...)
			d = s.run()
			if r, err := d.Release(t.Context()); err != nil || !math.IsNaN(r.Value) || !near(s.values(points...), theirs) {
				t.Errorf("release after somebody else's command: %+v, %v, %v; want it kept", r, err, s.values(points...))
			}
			command(d, tt.second)
			release(d, theirs)
		})
	}
}

func near(a, b map[string]float64) bool {
	for k, v := range a {
		if math.Abs(v-b[k]) > 1e-6 {
			return false
		}
	}
	return true
}

// TestOwnersLimit: a limit of production that stood before our first command is not exceeded by ours.
func TestOwnersLimit(t *testing.T) {
	s := newStand(t, hasty("sunspec-inverter"))
	s.set(map[string]float64{"limit_share": 0.7, "limit_enable": 1})
	d := s.run()
	for _, v := range []struct{ sent, stands float64 }{{1, 0.7}, {0.9, 0.7}, {0.3, 0.3}, {1, 0.7}} {
		r, err := d.Write(t.Context(), "limit_share", v.sent)
		if got := s.values("limit_share")["limit_share"]; err != nil || math.Abs(r.Value-v.stands) > 1e-6 || math.Abs(got-v.stands) > 1e-6 {
			t.Errorf("commanded %g: read back %+v, %v, the device is at %g; want %g", v.sent, r, err, got, v.stands)
		}
	}
}

// TestReleaseIsNoConquest: when somebody else has changed the value, giving the device back writes nothing.
func TestReleaseIsNoConquest(t *testing.T) {
	for name, foreign := range map[string]map[string]float64{
		"sunspec-inverter": {"limit_share": 0.2, "limit_reversion": 60}, // with a timer of its own
		"alfen-eve":        {"limit_a": 8},
		"sunspec-storage":  {"setpoint_kw": -3},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, hasty(name))
			d := s.run()
			s.write(d, map[string]float64{"sunspec-inverter": 0.5, "alfen-eve": 16, "sunspec-storage": 2}[name])
			s.set(foreign)
			if _, err := d.Release(t.Context()); !errors.Is(err, drivers.ErrConflict) {
				t.Errorf("release over another's command: %v, want ErrConflict", err)
			}
			for k, v := range foreign {
				if got := s.values(k)[k]; math.Abs(got-v) > 1e-6 {
					t.Errorf("%s is %g, the other had set %g", k, got, v)
				}
			}
		})
	}
}

// TestRestoreReversion: nothing is written when the device lets go by itself.
func TestRestoreReversion(t *testing.T) {
	for _, name := range []string{"kostal-plenticore-battery", "victron-multi"} {
		d, _, rec, _ := rendered(t, hasty(name), Config{})
		var writes atomic.Int64
		rec.write = func(uint16, []uint16) (bool, error) { writes.Add(1); return false, nil }
		if _, err := d.Write(t.Context(), "setpoint_kw", 2); err != nil {
			t.Fatal(err)
		}
		before := writes.Load()
		r, err := d.Release(t.Context())
		if err != nil || !math.IsNaN(r.Value) || r.Quality != district.Uncertain || writes.Load() != before {
			t.Errorf("%s: release %+v, %v, %d writes; want none", name, r, err, writes.Load()-before)
		}
	}
}

// TestZeroOfBatteries: every battery profile says what 0 does; where it holds, the device understands it as a command, and where there is a release that is another state.
func TestZeroOfBatteries(t *testing.T) {
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Control == nil || !slices.Contains(p.Kinds, district.Battery) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			if p.Control.Zero == "" {
				t.Fatal("the profile does not say what a command of 0 does")
			}
			s := newStand(t, hasty(name))
			d := s.run()
			s.write(d, p.Control.Max/2)
			s.write(d, 0)
			v, ok := s.bank.Command()
			if released := s.bank.Released(); !ok || v != 0 || released != (p.Control.Zero == profile.ZeroReleases) {
				t.Errorf("after 0: command %g (%v), released %v; the profile says zero: %s", v, ok, released, p.Control.Zero)
			}
			s.write(d, p.Control.Min/2)
			if _, err := d.Release(t.Context()); err != nil {
				t.Fatal(err)
			}
			if released := s.bank.Released(); !released && p.Control.Restore == drivers.RestoreSafe {
				t.Error("after release the device still stands under command")
			}
		})
	}
}

// TestMinInterval: over an hour a register that is worn by writes gets no more of them than its interval allows, but for the safe value.
func TestMinInterval(t *testing.T) {
	p := parse(t, `points: [{name: limit_a, address: 1, type: u16, unit: A, access: read_write, write: {min: 0, max: 32}}]
control: {point: limit_a, quantity: a, min: 6, max: 32, pause: 0, safe: 6, phases: 1, voltage_v: 230, min_interval_s: 600, writes: [{point: limit_a, from: command}]}
`)
	d, _, rec, _ := rendered(t, p, Config{})
	var writes atomic.Int64
	rec.write = func(uint16, []uint16) (bool, error) { writes.Add(1); return false, nil }
	refused := 0
	for i := range 20 {
		if _, err := d.Write(t.Context(), "limit_a", float64(10+i%3)); errors.Is(err, drivers.ErrTooOften) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if writes.Load() != 6 || refused != 14 {
		t.Errorf("%d writes, %d refused; want 6 in an hour at 600 s, and 14", writes.Load(), refused)
	}
	if _, err := d.Write(t.Context(), "limit_a", 6); err != nil {
		t.Errorf("the safe value: %v", err)
	}
}

// TestReversionIsArmed: a device that lets go by itself is told to, with every command, before the command is in force; without a new one it is under its own control after that time.
func TestReversionIsArmed(t *testing.T) {
	for name, tt := range map[string]struct {
		timer   string
		seconds float64
		enable  string
		command float64
	}{
		"sunspec-inverter":       {"limit_reversion", 900, "limit_enable", 0.5},
		"sunspec-inverter-float": {"limit_reversion", 900, "limit_enable", 0.5},
		"sunspec-inverter-der":   {"limit_reversion", 900, "limit_enable", 0.5},
		"sunspec-storage":        {"set_reversion", 900, "set_enable", 2},
		"sunspec-storage-basic":  {"rate_reversion", 900, "storage_mode", 0.5},
		"huawei-luna2000":        {"forced_minutes", 15, "forced_mode", 3},
	} {
		t.Run(name, func(t *testing.T) {
			p := hasty(name)
			if want := p.Control.Reversion; want != 15*time.Minute {
				t.Errorf("reversion %v, the timer is armed with %v", want, 15*time.Minute)
			}
			var order []string
			var bank *serve.Device
			bank, err := serve.NewDevice(p, func(points map[string]float64) {
				order = append(order, slices.Collect(maps.Keys(points))...)
			})
			if err != nil {
				t.Fatal(err)
			}
			srv, err := serve.Listen("127.0.0.1:0", serve.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer srv.Close()
			srv.Handle(1, bank)
			d, err := Open(district.Device{ID: "dev", Address: srv.URL(), Unit: 1}, p, Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for range 2 { // the renewal arms it again
				order = nil
				if _, err := d.Write(context.Background(), p.Control.Point, tt.command); err != nil {
					t.Fatal(err)
				}
				armed, enabled := slices.Index(order, tt.timer), slices.Index(order, tt.enable)
				if v, err := bank.Value(tt.timer); err != nil || v != tt.seconds || armed < 0 || enabled < armed {
					t.Errorf("%s is %g, %v, writes %v; want %g before %s", tt.timer, v, err, order, tt.seconds, tt.enable)
				}
				if v, _ := bank.Value(tt.enable); v == 0 {
					t.Errorf("%s is 0 after a command", tt.enable)
				}
			}
		})
	}
}
