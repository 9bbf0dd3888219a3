package modbus

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/drivers"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// recording is a bank that notes what is asked of it and may interfere.
type recording struct {
	serve.Bank
	mu     sync.Mutex
	spans  []Span
	before func(Span) error
	write  func(address uint16, values []uint16) (handled bool, err error)
}

func (r *recording) Read(t profile.Table, address, quantity uint16) ([]uint16, error) {
	s := Span{t, address, quantity}
	r.mu.Lock()
	r.spans = append(r.spans, s)
	r.mu.Unlock()
	if r.before != nil {
		if err := r.before(s); err != nil {
			return nil, err
		}
	}
	return r.Bank.Read(t, address, quantity)
}

func (r *recording) Write(t profile.Table, address uint16, values []uint16) error {
	if r.write != nil {
		if handled, err := r.write(address, values); handled {
			return err
		}
	}
	return r.Bank.Write(t, address, values)
}

func (r *recording) asked() []Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.spans
	r.spans = nil
	return out
}

// rendered serves a device of a profile and opens its driver.
func rendered(t *testing.T, p *profile.Profile, config Config) (*Device, *serve.Device, *recording, *serve.Server) {
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
	rec := &recording{Bank: bank}
	s.Handle(1, rec)
	d, err := Open(district.Device{ID: "dev", Address: s.URL(), Unit: 1}, p, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, bank, rec, s
}

func parse(t *testing.T, doc string) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("test.yaml", []byte("name: test\ntitle: Test\nkinds: [load_meter]\nprotocol: modbus\nstate: generic\nsource: {document: this test}\n"+doc))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMerge: for any wanted spans and limits, every span lies in one request, and no request breaks a limit.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := profile.Limits{MaxRegisters: uint16(rapid.IntRange(4, 125).Draw(t, "max")), MaxGap: uint16(rapid.IntRange(0, 30).Draw(t, "gap")),
			OneValue: rapid.Bool().Draw(t, "one")}
		for range rapid.IntRange(0, 3).Draw(t, "nforbidden") {
			from := uint16(rapid.IntRange(0, 300).Draw(t, "from"))
			limits.Forbidden = append(limits.Forbidden, profile.Range{Table: profile.Holding, From: from, To: from + uint16(rapid.IntRange(0, 5).Draw(t, "len"))})
		}
		forbidden := func(tb profile.Table, a int) bool {
			return slices.ContainsFunc(limits.Forbidden, func(r profile.Range) bool { return r.Table == tb && int(r.From) <= a && a <= int(r.To) })
		}
		var wants []Span
		wanted := map[profile.Table]map[int]bool{profile.Holding: {}, profile.Input: {}, profile.Coil: {}}
		for range rapid.IntRange(0, 30).Draw(t, "n") {
			w := Span{rapid.SampledFrom([]profile.Table{profile.Holding, profile.Input, profile.Coil}).Draw(t, "table"),
				uint16(rapid.IntRange(0, 300).Draw(t, "address")), uint16(rapid.IntRange(1, 4).Draw(t, "quantity"))}
			clear := true
			for a := int(w.Address); a < w.end(); a++ {
				clear = clear && !forbidden(w.Table, a)
			}
			if !clear {
				continue
			}
			wants = append(wants, w)
			for a := int(w.Address); a < w.end(); a++ {
				wanted[w.Table][a] = true
			}
		}
		alone := func(s Span) bool { return s.Address%17 == 0 }
		requests := Merge(wants, limits, alone)
		for _, w := range wants {
			if !slices.ContainsFunc(requests, func(r Span) bool { return r.covers(w) }) {
				t.Fatalf("%v is in none of %v", w, requests)
			}
			if (alone(w) || limits.OneValue) && !slices.Contains(requests, w) {
				t.Fatalf("%v is not read by itself in %v", w, requests)
			}
		}
		for _, r := range requests {
			if limit := map[bool]uint16{false: limits.MaxRegisters, true: maxBits}[r.Table.Bits()]; r.Quantity > limit {
				t.Fatalf("%v is longer than %d", r, limit)
			}
			gap := 0
			for a := int(r.Address); a < r.end(); a++ {
				if forbidden(r.Table, a) {
					t.Fatalf("%v touches the forbidden %d", r, a)
				}
				gap++
				if wanted[r.Table][a] {
					gap = 0
				}
				if gap > int(limits.MaxGap) {
					t.Fatalf("%v reads %d unwanted addresses in a row, at most %d", r, gap, limits.MaxGap)
				}
			}
		}
	})
}

// TestFewRequests: a meter is read in as few requests as its limits allow.
func TestFewRequests(t *testing.T) {
	d, bank, rec, _ := rendered(t, profile.MustLoad("eastron-sdm630"), Config{})
	for _, pt := range d.profile.Points {
		if err := bank.Set(pt.Name, 1); err != nil {
			t.Fatal(err)
		}
	}
	got, err := d.Read(t.Context())
	if err != nil || len(got) != len(d.profile.Points) {
		t.Fatalf("Read = %v, %v", got, err)
	}
	if n := len(rec.asked()); n > 2 {
		t.Errorf("%d requests for %d points, want at most 2", n, len(got))
	}
}

// TestOneValuePerRequest: a device that wants it is asked for each value by itself.
func TestOneValuePerRequest(t *testing.T) {
	p := parse(t, "limits: {one_value_per_request: true, delay_ms: 5}\npoints:\n  - {name: power_kw, address: 10, type: i32, unit: W}\n  - {name: import_kwh, address: 12, type: u32, unit: Wh}\n")
	d, _, rec, _ := rendered(t, p, Config{})
	start := time.Now()
	if _, err := d.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := rec.asked(); len(got) != 2 || got[0].Quantity != 2 || got[1].Quantity != 2 {
		t.Errorf("requests %v, want two of 2 registers", got)
	}
	if time.Since(start) < 5*time.Millisecond {
		t.Error("no pause between two requests")
	}
}

// TestRejectedPoint: one register that the device rejects costs that point alone, and later reads ask for it by itself.
func TestRejectedPoint(t *testing.T) {
	p := parse(t, "points:\n  - {name: power_kw, address: 10, type: i16, unit: W}\n  - {name: voltage_v, address: 11, type: u16, unit: V}\n  - {name: soc, address: 12, type: u16, unit: \"%\"}\n")
	d, bank, rec, _ := rendered(t, p, Config{})
	bank.SetAll(map[string]float64{"power_kw": 1.5, "voltage_v": 230, "soc": 0.5})
	rec.before = func(s Span) error {
		if s.Address <= 11 && s.end() > 11 {
			return serve.IllegalAddress
		}
		return nil
	}
	for range 3 {
		got, err := d.Read(t.Context())
		if !errors.Is(err, drivers.ErrRejected) {
			t.Errorf("error %v, want ErrRejected", err)
		}
		if len(got) != 3 || got[0].Value != 1.5 || got[0].Quality != district.Good || got[1].Quality != district.Bad || !math.IsNaN(got[1].Value) || got[2].Value != 0.5 {
			t.Fatalf("readings %+v, want the middle one bad", got)
		}
	}
	if n := len(rec.asked()); n != 4+3+3 {
		t.Errorf("%d requests in three reads, want 4, then 3 each", n)
	}
	if got, err := d.Read(t.Context(), "power_kw", "soc"); err != nil || len(got) != 2 {
		t.Errorf("reading the others: %v, %v", got, err)
	}
}

// TestNotImplemented: a mark is a bad reading without an error.
func TestNotImplemented(t *testing.T) {
	d, bank, _, _ := rendered(t, profile.MustLoad("sunspec-inverter"), Config{})
	if err := bank.Set("power_kw", math.NaN()); err != nil {
		t.Fatal(err)
	}
	got, err := d.Read(t.Context(), "power_kw")
	if err != nil || len(got) != 1 || got[0].Quality != district.Bad || !math.IsNaN(got[0].Value) {
		t.Errorf("Read = %+v, %v, want one bad reading", got, err)
	}
}

// chain is a bank with a SunSpec chain of its own making.
func chain(base uint16, models map[uint16][]uint16, order ...uint16) *serve.Table {
	tb := &serve.Table{}
	at := base
	put := func(v ...uint16) { tb.Set(profile.Holding, at, v...); at += uint16(len(v)) }
	put(0x5375, 0x6E53)
	for _, id := range order {
		put(id, uint16(len(models[id])))
		put(models[id]...)
	}
	put(0xFFFF, 0)
	return tb
}

// TestSunSpecChains: models are found wherever the chain starts, whatever stands before them and however long model 1 is; and anew after the
// device was replaced by another.
func TestSunSpecChains(t *testing.T) {
	inverter := make([]uint16, 50)
	inverter[12], inverter[13] = 420, 1       // W 420 × 10^1
	inverter[22], inverter[23] = 0x12, 0xD687 // WH 1234567
	d, _, rec, s := rendered(t, profile.MustLoad("sunspec-inverter"), Config{MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond})
	for _, tt := range []struct {
		name string
		bank *serve.Table
	}{
		{"at 40000, model 1 of 65", chain(40000, map[uint16][]uint16{1: make([]uint16, 65), 103: inverter}, 1, 103)},
		{"at 50000", chain(50000, map[uint16][]uint16{1: make([]uint16, 66), 103: inverter}, 1, 103)},
		{"at 0, single phase", chain(0, map[uint16][]uint16{1: make([]uint16, 66), 101: inverter}, 1, 101)},
		{"behind foreign models", chain(40000, map[uint16][]uint16{1: make([]uint16, 66), 64001: make([]uint16, 300), 102: inverter}, 1, 64001, 102)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rec.Bank = tt.bank
			s.DropClients() // as after a restart
			var got []drivers.Reading
			var err error
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
				if got, err = d.Read(t.Context(), "power_kw", "export_kwh", "limit_share"); err == nil && len(got) == 3 && got[0].Quality == district.Good {
					break
				}
			}
			if err != nil || len(got) != 3 || got[0].Value != -4.2 || got[1].Value != 1234.567 {
				t.Fatalf("Read = %+v, %v, want -4.2 kW and 1234.567 kWh", got, err)
			}
			if got[2].Quality != district.Bad {
				t.Errorf("a point of a model that the device lacks: %+v, want bad", got[2])
			}
		})
	}
	t.Run("no chain", func(t *testing.T) {
		rec.Bank = &serve.Table{}
		s.DropClients()
		var err error
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && !errors.Is(err, drivers.ErrGarbage); time.Sleep(5 * time.Millisecond) {
			_, err = d.Read(t.Context(), "power_kw")
		}
		if !errors.Is(err, drivers.ErrGarbage) || !strings.Contains(err.Error(), "no SunSpec chain") {
			t.Errorf("Read = %v, want that there is no chain", err)
		}
	})
	t.Run("a chain without end", func(t *testing.T) {
		tb := &serve.Table{}
		tb.Set(profile.Holding, 40000, 0x5375, 0x6E53)
		for a := 40002; a < 65534; a += 2 {
			tb.Set(profile.Holding, uint16(a), 7, 0)
		}
		rec.Bank = tb
		s.DropClients()
		var err error
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && (err == nil || !strings.Contains(err.Error(), "no end")); time.Sleep(5 * time.Millisecond) {
			_, err = d.Read(t.Context(), "power_kw")
		}
		if !errors.Is(err, drivers.ErrGarbage) {
			t.Errorf("Read = %v, want ErrGarbage", err)
		}
	})
}

// TestReadBack: a device that accepts a write and keeps another value is told; one that takes its time is waited for.
func TestReadBack(t *testing.T) {
	p := parse(t, "points:\n  - {name: limit_a, address: 10, type: u16, scale: 0.1, unit: A, access: read_write, write: {min: 0, max: 32}}\n")
	d, bank, rec, _ := rendered(t, p, Config{})
	rec.write = func(uint16, []uint16) (bool, error) { return true, nil } // accepted and forgotten
	r, err := d.Write(t.Context(), "limit_a", 16)
	if !errors.Is(err, drivers.ErrReadBack) || r.Value != 0 {
		t.Errorf("Write = %+v, %v, want ErrReadBack with the 0 A that stands", r, err)
	}
	rec.write = func(_ uint16, values []uint16) (bool, error) {
		time.AfterFunc(50*time.Millisecond, func() { bank.Set("limit_a", 16) })
		return true, nil
	}
	if r, err := d.Write(t.Context(), "limit_a", 16); err != nil || r.Value != 16 {
		t.Errorf("a slow device: %+v, %v, want 16 A", r, err)
	}
	rec.write = func(uint16, []uint16) (bool, error) { return true, serve.DeviceBusy }
	if _, err := d.Write(t.Context(), "limit_a", 10); !errors.Is(err, drivers.ErrRejected) {
		t.Errorf("a device that says no: %v, want ErrRejected", err)
	}
	rec.write = nil
	if r, err := d.Write(t.Context(), "limit_a", 13.84); err != nil || math.Abs(r.Value-13.8) > 1e-9 {
		t.Errorf("Write(13.84 A) = %+v, %v, want the 13.8 A that the register can hold", r, err)
	}
}

// TestCommands: a command reaches the registers in the order of the profile, in the device's unit and sign, and is read back as a command.
func TestCommands(t *testing.T) {
	fast := *profile.MustLoad("huawei-luna2000")
	fast.Limits.ConnectDelay = 0
	for _, tt := range []struct {
		p       *profile.Profile
		command float64
		want    map[string]float64
	}{
		{profile.MustLoad("sunspec-storage"), -4, map[string]float64{"setpoint_kw": -4, "set_enable": 1, "set_mode": 1, "set_reversion": 900}},
		{profile.MustLoad("sunspec-inverter"), 0.4, map[string]float64{"limit_share": 0.4, "limit_enable": 1, "limit_reversion": 900}},
		{profile.MustLoad("sunspec-inverter"), 1, map[string]float64{"limit_share": 1, "limit_enable": 0}},
		{&fast, -2.5, map[string]float64{"forced_mode": 2, "forced_discharge_kw": 2.5, "forced_charge_kw": 0}},
		{&fast, 2.5, map[string]float64{"forced_mode": 1, "forced_charge_kw": 2.5}},
		{profile.MustLoad("nibe-s"), 3, map[string]float64{"sg_request": 3, "sg_aux": 1, "sg_by_modbus": 1}},
		{profile.MustLoad("stiebel-isg"), 4, map[string]float64{"sg_input_1": 1, "sg_input_2": 1}},
		{profile.MustLoad("alfen-eve"), 0, map[string]float64{"limit_a": 0}},
		{profile.MustLoad("generic-relay"), 1, map[string]float64{"on_off": 1}},
		{profile.MustLoad("sma-inverter"), 0.6, map[string]float64{"limit_percent": 0.6}},
	} {
		t.Run(fmt.Sprintf("%s %g", tt.p.Name, tt.command), func(t *testing.T) {
			d, bank, _, _ := rendered(t, tt.p, Config{})
			c, ok := d.Control()
			if !ok {
				t.Fatal("no control")
			}
			r, err := d.Write(t.Context(), c.Point, tt.command)
			if err != nil || math.Abs(r.Value-tt.command) > 1e-6 || r.Point != c.Point {
				t.Fatalf("Write(%g) = %+v, %v", tt.command, r, err)
			}
			for point, want := range tt.want {
				if got, err := bank.Value(point); err != nil || math.Abs(got-want) > 1e-6 {
					t.Errorf("%s = %g, %v, want %g", point, got, err, want)
				}
			}
			if got, ok := bank.Command(); !ok || math.Abs(got-tt.command) > 1e-6 {
				t.Errorf("the device understands %g, %v, want %g", got, ok, tt.command)
			}
		})
	}
}

// TestHalfCommand: when a write of a sequence is refused, the one that brings the command into force is not sent, and the error names the step.
func TestHalfCommand(t *testing.T) {
	d, bank, rec, _ := rendered(t, profile.MustLoad("sunspec-storage"), Config{})
	if _, err := d.Read(t.Context(), "setpoint_kw"); err != nil {
		t.Fatal(err)
	}
	n := 0
	rec.write = func(uint16, []uint16) (bool, error) { n++; return n == 4, serve.DeviceFailure }
	_, err := d.Write(t.Context(), "setpoint_kw", -3)
	if !errors.Is(err, drivers.ErrRejected) || !strings.Contains(err.Error(), "step 4 of 5, setpoint_kw") {
		t.Errorf("Write = %v, want the fourth step named", err)
	}
	if v, err := bank.Value("set_enable"); err != nil || v != 0 {
		t.Errorf("set_enable %g, %v: the broken command came into force", v, err)
	}
}

// TestDeviceLimits: the configuration's own limits narrow those of the type, and name point, value and unit.
func TestDeviceLimits(t *testing.T) {
	p := profile.MustLoad("sunspec-storage")
	d, err := Open(district.Device{ID: "bess-1", Address: "tcp://127.0.0.1:1", Battery: &district.BatteryParams{ChargeKW: 50, DischargeKW: 40}}, p, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	c, _ := d.Control()
	if c.Min != -40 || c.Max != 50 {
		t.Errorf("control %+v, want -40 to 50 kW", c)
	}
	_, err = d.Write(t.Context(), "setpoint_kw", 80)
	if le, ok := errors.AsType[*drivers.LimitError](err); !ok || le.Min != -40 || le.Max != 50 || !strings.Contains(err.Error(), "80 kW outside [-40, 50] kW") {
		t.Errorf("Write = %v", err)
	}
}

// TestSums: a computed point follows its summands, and is bad when one of them is.
func TestSums(t *testing.T) {
	d, bank, _, _ := rendered(t, profile.MustLoad("victron-gx"), Config{})
	bank.SetAll(map[string]float64{"grid_l1_kw": 1, "grid_l2_kw": -0.25, "grid_l3_kw": 0.5})
	got, err := d.Read(t.Context(), "grid_kw")
	if err != nil || len(got) != 1 || math.Abs(got[0].Value-1.25) > 1e-9 {
		t.Errorf("Read = %+v, %v, want 1.25 kW", got, err)
	}
}

// TestSharedLink: devices of one address share a connection, which ends with the last of them.
func TestSharedLink(t *testing.T) {
	p := profile.MustLoad("generic-weather")
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
	s.Handle(2, bank)
	pool := NewPool(Config{})
	defer pool.Close()
	var devices []*Device
	for unit := uint8(1); unit <= 2; unit++ {
		d, err := pool.Device(district.Device{ID: fmt.Sprint("w", unit), Address: s.URL(), Unit: unit}, p)
		if err != nil {
			t.Fatal(err)
		}
		devices = append(devices, d)
		if _, err := d.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Accepted != 1 {
		t.Errorf("%d connections for two units, want 1", st.Accepted)
	}
	devices[0].Close()
	if _, err := devices[1].Read(t.Context()); err != nil {
		t.Errorf("closing one device broke the other: %v", err)
	}
	devices[1].Close()
	for end := time.Now().Add(10 * time.Second); s.Stats().Clients > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the connection outlives its last device")
		}
	}
}
