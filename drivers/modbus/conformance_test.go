package modbus_test

import (
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/modbus"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// values are what the rendered devices of the conformance test show, by quantity.
var values = map[string]float64{
	"power_kw": -3.2, "import_kwh": 1234, "export_kwh": 5678, "soc": 0.42, "voltage_v": 231, "frequency_hz": 50.01, "status": 4, "rated_kw": 10,
	"limit_share": 1, "capacity_kwh": 20, "outdoor_c": -4.5, "supply_c": 41, "return_c": 35, "tank_c": 52, "indoor_c": 20.5, "buffer_c": 38,
	"sg_ready": 2, "connected": 1, "charging": 1, "session_kwh": 7, "limit_a": 10, "on_off": 1, "current_l1_a": 4,
}

func subject(t *testing.T, name, readOnly, writable string, value, other, tooHigh float64) drivertest.Subject {
	t.Helper()
	fast := *profile.MustLoad(name)
	fast.Limits.ConnectDelay, fast.Limits.Timeout = 0, 0 // a rendered device needs no second to think
	p := &fast
	var bank *serve.Device
	bank, err := serve.NewDevice(p, func(written map[string]float64) {
		if v, ok := written["limit_command_a"]; ok { // this charger shows its limit in another register
			bank.Set("limit_a", v)
		}
		if _, ok := written["sg_input_2"]; ok {
			if v, ok := bank.Command(); ok {
				bank.Set("sg_ready", v)
			}
		}
		if _, ok := written["sg_aux"]; ok {
			if v, ok := bank.Command(); ok {
				bank.Set("sg_ready", v)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for point, v := range values {
		if pt := p.Point(point); pt != nil && pt.Register != nil {
			if point == "power_kw" && (name != "sunspec-storage" && name != "huawei-luna2000") {
				v = -v
			}
			if point == "power_kw" && len(p.Kinds) == 1 && p.Kinds[0] == district.PV {
				v = -v
			}
			if err := bank.Set(point, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	s, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Handle(5, bank)
	line := drivertest.NewProxy(t, s.Addr())
	return drivertest.Subject{
		Open: func(t *testing.T) drivers.Driver {
			d, err := modbus.Open(district.Device{ID: "under-test", Address: "tcp://" + line.Addr(), Unit: 5}, p, modbus.Config{Timeout: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			return d
		},
		Line: line, ReadOnly: readOnly, Writable: writable, Value: value, Other: other, TooHigh: tooHigh,
	}
}

// TestConformance holds the driver against the contract for one profile of each way of commanding.
func TestConformance(t *testing.T) {
	for _, tt := range []struct {
		profile, readOnly, writable string
		value, other, tooHigh       float64
	}{
		{"eastron-sdm630", "power_kw", "", 0, 0, 0},
		{"sunspec-inverter", "power_kw", "limit_share", 0.5, 0.25, 1.2},
		{"sunspec-storage", "power_kw", "setpoint_kw", -4, 2.5, 5000},
		{"huawei-luna2000", "power_kw", "setpoint_kw", -4, 2.5, 5000},
		{"nibe-s", "power_kw", "sg_ready", 3, 1, 4},
		{"abb-terra-ac", "power_kw", "limit_a", 16, 0, 40},
		{"generic-relay", "power_kw", "on_off", 1, 0, 2},
	} {
		t.Run(tt.profile, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, func(t *testing.T) drivertest.Subject {
				return subject(t, tt.profile, tt.readOnly, tt.writable, tt.value, tt.other, tt.tooHigh)
			})
		})
	}
}
