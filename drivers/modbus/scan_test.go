package modbus

import (
	"context"
	"errors"
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
