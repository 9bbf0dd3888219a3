package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"testing"
	"time"

	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestScan: the units behind an address are found, a SunSpec device with its models, each with the profile it was made from among the best.
func TestScan(t *testing.T) {
	s, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	made := map[uint8]string{2: "sunspec-storage", 5: "eastron-sdm630", 7: "abb-terra-ac"}
	for unit, name := range made {
		bank, err := serve.NewDevice(profile.MustLoad(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, pt := range bank.Profile().Points {
			if pt.Register != nil && len(pt.States) == 0 {
				bank.Set(pt.Name, 0.25) // what does not fit stays as it is
			}
		}
		s.Handle(unit, bank)
	}
	var profiles []*profile.Profile
	for _, name := range profile.Names() {
		profiles = append(profiles, profile.MustLoad(name))
	}
	for i, p := range profiles { // a rendered device needs no second to think
		fast := *p
		fast.Limits.ConnectDelay, fast.Limits.Timeout = 0, 0
		profiles[i] = &fast
	}
	var there []uint8
	err = Scan(t.Context(), district.Device{Address: s.URL()}, []uint8{1, 2, 3, 4, 5, 6, 7, 8}, profiles, Config{}, func(f Found, ok bool) {
		if !ok {
			return
		}
		there = append(there, f.Unit)
		if !slices.ContainsFunc(f.Matches, func(m Match) bool { return m.Profile == made[f.Unit] && m.Good > 0 }) {
			t.Errorf("unit %d is a %s, found %+v", f.Unit, made[f.Unit], f.Matches)
		}
		if f.Unit == 2 && !slices.Equal(f.SunSpec, []uint16{1, 701, 702, 704, 713}) {
			t.Errorf("SunSpec models %v", f.SunSpec)
		}
	})
	if err != nil || !slices.Equal(there, []uint8{2, 5, 7}) {
		t.Errorf("Scan found %v, %v, want 2, 5 and 7", there, err)
	}
	if n := s.Stats().Accepted; n != 1 {
		t.Errorf("the scan made %d connections, want 1", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	if err := Scan(ctx, district.Device{Address: s.URL()}, []uint8{1}, profiles, Config{}, func(Found, bool) {}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Scan with an ended context: %v", err)
	}
}

// TestScanWalksOnce: the chain of SunSpec models is walked once for all profiles, and shown with every model that occurs again.
func TestScanWalksOnce(t *testing.T) {
	bank := &serve.Table{}
	bank.Set(profile.Holding, 40000, 0x5375, 0x6E53)
	at := uint16(40002)
	chain := []uint16{1, 103, 1, 203, 1, 203}
	for _, id := range chain {
		length, _ := profile.SunSpecLength(id)
		bank.Set(profile.Holding, at, append([]uint16{id, length}, make([]uint16, length)...)...)
		at += 2 + length
	} // and no mark of its end
	s := modbustest.New(t)
	s.Behave(func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
		regs, err := bank.Read(profile.Holding, r.Address(), r.Quantity())
		answer := []byte{r.PDU[0], byte(2 * len(regs))}
		for _, v := range regs {
			answer = binary.BigEndian.AppendUint16(answer, v)
		}
		if err != nil || r.PDU[0] != 3 {
			answer = []byte{r.PDU[0] | 0x80, 2}
		}
		_, err = c.Write(s.Frame(r, answer))
		return err == nil
	})
	var profiles []*profile.Profile
	for _, name := range profile.Names() {
		if p := *profile.MustLoad(name); p.Protocol == profile.Modbus {
			p.Limits.ConnectDelay, p.Limits.Delay, p.Limits.Timeout = 0, 0, 0
			profiles = append(profiles, &p)
		}
	}
	var found []Found
	err := Scan(t.Context(), district.Device{Address: s.URL()}, []uint8{1}, profiles, Config{}, func(f Found, ok bool) { found = append(found, f) })
	if err != nil || len(found) != 1 || !slices.Equal(found[0].SunSpec, chain) {
		t.Fatalf("Scan found %+v, %v, want the chain %v", found, err, chain)
	}
	if !slices.ContainsFunc(found[0].Matches, func(m Match) bool { return m.Profile == "sunspec-meter" }) {
		t.Errorf("sunspec-meter is not among %+v", found[0].Matches)
	}
	headers := 0
	for _, r := range s.Requests() {
		if r.Address() == 40000 {
			headers++
		}
	}
	if headers != 1 {
		t.Errorf("the begin of the chain was read %d times", headers)
	}
}

// TestWalkEnds: a chain ends at the address that the device does not have, and at no other exception or silence.
func TestWalkEnds(t *testing.T) {
	for _, tt := range []struct {
		name  string
		first uint8 // exception in place of the first model, 0: none
		then  uint8 // in place of the second
		want  []uint16
	}{{"no such address", 0, 2, []uint16{1}}, {"busy", 0, 6, nil}, {"failure", 0, 4, nil}, {"nothing behind the mark", 2, 0, nil}} {
		t.Run(tt.name, func(t *testing.T) {
			s := modbustest.New(t)
			s.Behave(func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
				answer := []byte{3, 4, 0x53, 0x75, 0x6E, 0x53}
				switch a := r.Address(); {
				case a == 40002 && tt.first != 0, a > 40002:
					answer = []byte{0x83, max(tt.first, tt.then)}
				case a == 40002:
					answer = []byte{3, 4, 0, 1, 0, 66}
				}
				_, err := c.Write(s.Frame(r, answer))
				return err == nil
			})
			d, err := Open(district.Device{ID: "dev", Address: s.URL(), Unit: 1}, parse(t, twoMeters), Config{Timeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			layout, err := d.walk(t.Context())
			if !slices.Equal(layout.Models(), tt.want) || (err == nil) != (tt.want != nil) {
				t.Errorf("the chain is %v, %v, want %v", layout, err, tt.want)
			}
		})
	}
}

// TestScanOfZeros: a device that answers 0 for every register that it does not have is the one whose values it tells, and not each for which zeros are good.
func TestScanOfZeros(t *testing.T) {
	s, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	bank, err := serve.NewDevice(profile.MustLoad("webasto-next"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := bank.SetAll(map[string]float64{"power_kw": 11, "import_kwh": 1234, "current_l1_a": 16, "current_l2_a": 16, "current_l3_a": 16, "connected": 1, "charging": 1}); err != nil {
		t.Fatal(err)
	}
	s.Handle(1, zeros{bank})
	var profiles []*profile.Profile
	for _, name := range profile.Names() {
		if p := *profile.MustLoad(name); p.Protocol == profile.Modbus {
			p.Limits.ConnectDelay, p.Limits.Delay, p.Limits.Timeout = 0, 0, 0
			profiles = append(profiles, &p)
		}
	}
	var found Found
	if err := Scan(t.Context(), district.Device{Address: s.URL()}, []uint8{1}, profiles, Config{}, func(f Found, _ bool) { found = f }); err != nil {
		t.Fatal(err)
	}
	if len(found.Matches) < 2 || found.Matches[0].Profile != "webasto-next" {
		t.Errorf("the best are %+v", found.Matches[:min(3, len(found.Matches))])
	}
}

// zeros is a bank that answers 0 for what it does not have.
type zeros struct{ serve.Bank }

func (z zeros) Read(t profile.Table, a, n uint16) ([]uint16, error) {
	out := make([]uint16, n)
	for i := range out {
		if regs, err := z.Bank.Read(t, a+uint16(i), 1); err == nil {
			out[i] = regs[0]
		}
	}
	return out, nil
}

// TestScanOfClosingGateway: a gateway that closes the connection for units that it does not have hides none of those that it has.
func TestScanOfClosingGateway(t *testing.T) {
	s := modbustest.New(t)
	s.Behave(modbustest.ForUnit(3, modbustest.Good, modbustest.Close))
	var there []uint8
	err := Scan(t.Context(), district.Device{Address: s.URL()}, []uint8{1, 2, 3, 4}, []*profile.Profile{parse(t, twoMeters)}, Config{}, func(f Found, ok bool) {
		if ok {
			there = append(there, f.Unit)
		}
	})
	if err != nil || !slices.Equal(there, []uint8{3}) {
		t.Errorf("Scan found %v, %v, want 3", there, err)
	}
}
