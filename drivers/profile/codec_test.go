package profile

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// parsePoint makes one register point from the inside of its YAML mapping.
func parsePoint(t testing.TB, inside string) *Point {
	t.Helper()
	p, err := Parse("test.yaml", fmt.Appendf(nil, `
name: test
title: Test
kinds: [load_meter]
protocol: modbus
state: generic
source: {document: this test}
points: [{%s}]
`, inside))
	if err != nil {
		t.Fatal(err)
	}
	return p.Points[0]
}

// TestWordOrders: the bytes 11 22 33 44 55 66 77 88 in each order of words and bytes.
func TestWordOrders(t *testing.T) {
	regs := []uint16{0x1122, 0x3344, 0x5566, 0x7788}
	for _, tt := range []struct {
		kind, words, bytes string
		want               float64
	}{
		{"u16", "msw", "big", 0x1122}, {"u16", "msw", "little", 0x2211},
		{"u32", "msw", "big", 0x11223344}, {"u32", "lsw", "big", 0x33441122}, {"u32", "msw", "little", 0x22114433}, {"u32", "lsw", "little", 0x44332211},
		{"u64", "msw", "big", 0x1122334455667788}, {"u64", "lsw", "big", 0x7788556633441122}, {"u64", "lsw", "little", 0x8877665544332211},
		{"i32", "lsw", "little", 0x44332211}, {"i64", "lsw", "little", -0x778899AABBCCDDEF},
		{"f32", "msw", "big", float64(math.Float32frombits(0x11223344))}, {"f32", "lsw", "big", float64(math.Float32frombits(0x33441122))},
		{"f64", "msw", "big", math.Float64frombits(0x1122334455667788)}, {"f64", "lsw", "big", math.Float64frombits(0x7788556633441122)},
	} {
		pt := parsePoint(t, fmt.Sprintf(`name: x, address: 0, type: %s, words: %s, bytes: %s, unit: "1"`, tt.kind, tt.words, tt.bytes))
		got, err := pt.Decode(regs, 0)
		if err != nil || got != tt.want {
			t.Errorf("%s %s %s: %g, %v, want %g", tt.kind, tt.words, tt.bytes, got, err, tt.want)
		}
	}
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct {
		name, point string
		regs        []uint16
		sf          int16
		want        float64
		err         error
	}{
		{"a watt is a thousandth of a kilowatt", `name: power_kw, address: 0, type: i16, unit: W`, []uint16{1500}, 0, 1.5, nil},
		{"production is negative", `name: power_kw, address: 0, type: i16, unit: W, invert: true`, []uint16{1500}, 0, -1.5, nil},
		{"nothing produced is 0 and not -0", `name: power_kw, address: 0, type: i16, unit: W, invert: true`, []uint16{0}, 0, 0, nil},
		{"signed", `name: power_kw, address: 0, type: i16, unit: W`, []uint16{0xFFFF}, 0, -0.001, nil},
		{"scale factor -1", `name: voltage_v, address: 0, type: u16, unit: V, scale_factor: {address: 1}`, []uint16{2301}, -1, 230.1, nil},
		{"scale factor 3", `name: power_kw, address: 0, type: u16, unit: W, scale_factor: {address: 1}`, []uint16{12}, 3, 12, nil},
		{"scale factor not implemented", `name: power_kw, address: 0, type: u16, unit: W, scale_factor: {address: 1}`, []uint16{12}, math.MinInt16, 0, ErrNotImplemented},
		{"scale factor out of reason", `name: power_kw, address: 0, type: u16, unit: W, scale_factor: {address: 1}`, []uint16{12}, 40, 0, ErrBadScale},
		{"tenths", `name: outdoor_c, address: 0, type: i16, scale: 0.1, unit: degC`, []uint16{0xFFE7}, 0, -2.5, nil},
		{"kelvin", `name: outdoor_c, address: 0, type: u16, scale: 0.01, unit: K`, []uint16{27315}, 0, 0, nil},
		{"offset in the device's unit", `name: outdoor_c, address: 0, type: u16, scale: 0.1, offset: -50, unit: degC`, []uint16{700}, 0, 20, nil},
		{"per cent is a share", `name: soc, address: 0, type: u16, unit: "%"`, []uint16{55}, 0, 0.55, nil},
		{"the mark of a missing value", `name: outdoor_c, address: 0, type: i16, unit: degC, not_implemented: [0x8000]`, []uint16{0x8000}, 0, 0, ErrNotImplemented},
		{"NaN is no value", `name: power_kw, address: 0, type: f32, unit: W`, []uint16{0x7FC0, 0}, 0, 0, ErrNotImplemented},
		{"infinity is no value", `name: power_kw, address: 0, type: f32, unit: W`, []uint16{0xFF80, 0}, 0, 0, ErrNotImplemented},
		{"SunSpec i16 has its mark by itself", `name: power_kw, sunspec: {models: [103], offset: 14}, type: i16, unit: W`, []uint16{0x8000}, 0, 0, ErrNotImplemented},
		{"a SunSpec accumulator at 0 is not implemented", `name: export_kwh, sunspec: {models: [103], offset: 24}, type: acc32, unit: Wh`, []uint16{0, 0}, 0, 0, ErrNotImplemented},
		{"bits 8 to 14", `name: x, address: 0, type: u32, mask: 0x7F00, unit: state`, []uint16{0xFFFF, 0x84FF}, 0, 4, nil},
		{"a listed code", `name: x, address: 0, type: u16, unit: state, states: [{code: 30, is: 3}]`, []uint16{30}, 0, 3, nil},
		{"an unlisted code", `name: x, address: 0, type: u16, unit: state, states: [{code: 30, is: 3}]`, []uint16{31}, 0, 0, ErrUnknownCode},
		{"an unlisted code with otherwise", `name: x, address: 0, type: u16, unit: state, states: [{code: 30, is: 3}], otherwise: 0`, []uint16{31}, 0, 0, nil},
		{"a text", `name: x, address: 0, type: string, length: 2, unit: state, states: [{text: C2, is: 1}]`, []uint16{0x4332, 0}, 0, 1, nil},
		{"a text padded with blanks", `name: x, address: 0, type: string, length: 2, unit: state, states: [{text: C2, is: 1}]`, []uint16{0x4332, 0x2020}, 0, 1, nil},
		{"a foreign text", `name: x, address: 0, type: string, length: 2, unit: state, states: [{text: C2, is: 1}]`, []uint16{0xFFFF, 0xFFFF}, 0, 0, ErrUnknownCode},
		{"too few registers", `name: power_kw, address: 0, type: u32, unit: W`, []uint16{1}, 0, 0, ErrShort},
		{"a coil", `name: x, table: coil, address: 0, type: bool, unit: state`, []uint16{1}, 0, 1, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePoint(t, tt.point).Decode(tt.regs, tt.sf)
			switch {
			case tt.err != nil && (!errors.Is(err, tt.err) || !math.IsNaN(got)):
				t.Errorf("Decode = %g, %v, want NaN, %v", got, err, tt.err)
			case tt.err == nil && (err != nil || math.Abs(got-tt.want) > 1e-12*(1+math.Abs(tt.want)) || math.Signbit(got) != math.Signbit(tt.want)):
				t.Errorf("Decode = %g, %v, want %g", got, err, tt.want)
			}
		})
	}
}

// TestSigns holds the sign of every map that counts the other way round, and of some that do not, against raw registers.
func TestSigns(t *testing.T) {
	for _, tt := range []struct {
		profile, point, what string
		regs                 []uint16
		sf                   int16
		want                 float64
	}{
		{"eastron-sdm630", "power_kw", "the site draws 2 kW", []uint16{0x44FA, 0}, 0, 2},
		{"schneider-iem3000", "power_kw", "the site draws 2 kW", []uint16{0x4000, 0}, 0, 2},
		{"schneider-iem3000", "import_kwh", "5 MWh drawn", []uint16{0, 0, 0x004C, 0x4B40}, 0, 5000},
		{"carlo-gavazzi-em24", "power_kw", "the site feeds 1 kW, low word first", []uint16{0xD8F0, 0xFFFF}, 0, -1},
		{"abb-b23", "power_kw", "the site draws 1 kW", []uint16{1, 0x86A0}, 0, 1},
		{"sunspec-inverter", "power_kw", "the inverter delivers 3 kW", []uint16{300}, 1, -3},
		{"sma-inverter", "power_kw", "the inverter delivers 3 kW", []uint16{0, 3000}, 0, -3},
		{"huawei-sun2000", "power_kw", "the inverter delivers 3 kW", []uint16{0, 3000}, 0, -3},
		{"huawei-luna2000", "power_kw", "the battery charges at 3 kW", []uint16{0, 3000}, 0, 3},
		{"sunspec-storage", "power_kw", "the battery delivers 3 kW", []uint16{300}, 1, -3},
		{"sunspec-storage", "setpoint_kw", "deliver 3 kW", []uint16{0, 3000}, 0, -3},
		{"victron-gx", "power_kw", "the battery charges at 3 kW", []uint16{3000}, 0, 3},
		{"victron-gx", "power_kw", "the battery delivers 3 kW", []uint16{0xF448}, 0, -3},
		{"victron-gx", "grid_l1_kw", "1 kW drawn", []uint16{1000}, 0, 1},
		{"nibe-s", "power_kw", "2.5 kW used, low word first", []uint16{250, 0}, 0, 2.5},
		{"abb-terra-ac", "power_kw", "the car charges at 11 kW", []uint16{0, 11000}, 0, 11},
		{"alfen-eve", "import_kwh", "1 MWh counted", []uint16{0x412E, 0x8480, 0, 0}, 0, 1000},
	} {
		got, err := MustLoad(tt.profile).Point(tt.point).Decode(tt.regs, tt.sf)
		if err != nil || math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s %s, %s: %g, %v, want %g", tt.profile, tt.point, tt.what, got, err, tt.want)
		}
	}
}

// TestEncodeDecodeIsIdentity: for every register point of every embedded profile, a value that fits comes back within half a step.
func TestEncodeDecodeIsIdentity(t *testing.T) {
	for _, name := range Names() {
		for _, pt := range MustLoad(name).Points {
			if pt.Register == nil {
				continue
			}
			t.Run(name+"/"+pt.Name, func(t *testing.T) {
				rapid.Check(t, func(t *rapid.T) {
					var sf int16
					if pt.Register.ScaleFactor != nil {
						sf = int16(rapid.IntRange(-4, 4).Draw(t, "sf"))
					}
					v := rapid.Float64Range(-100, 100).Draw(t, "v")
					if len(pt.States) > 0 {
						v = pt.States[rapid.IntRange(0, len(pt.States)-1).Draw(t, "state")].Is
					}
					regs, err := pt.Encode(v, sf)
					if err != nil {
						return // does not fit the register
					}
					if len(regs) != int(pt.Register.Length) {
						t.Fatalf("Encode(%g) gave %d registers, want %d", v, len(regs), pt.Register.Length)
					}
					got, err := pt.Decode(regs, sf)
					if (pt.Type == Acc32 || pt.Type == Acc64) && errors.Is(err, ErrNotImplemented) {
						return // 0 is how SunSpec says so
					}
					if pt.Type == Bool {
						v = map[bool]float64{true: 1}[math.Round(v) != 0]
					}
					tol := pt.Resolution(sf)/2*(1+1e-9) + 1e-6*(1+math.Abs(v))
					if err != nil || math.Abs(got-v) > tol {
						t.Fatalf("Encode(%g, sf %d) = %04x, Decode = %g, %v: more than %g apart", v, sf, regs, got, err, tol)
					}
					again, err := pt.Encode(got, sf)
					if err != nil || fmt.Sprint(again) != fmt.Sprint(regs) {
						t.Fatalf("Encode(%g) = %04x, %v, before %04x", got, again, err, regs)
					}
				})
			})
		}
	}
}

// TestEncodeRefuses: what does not fit a register, or would be read as missing, is refused and never wrapped around.
func TestEncodeRefuses(t *testing.T) {
	for _, tt := range []struct {
		point string
		value float64
	}{
		{`name: power_kw, address: 0, type: u16, unit: W`, 65.536},
		{`name: power_kw, address: 0, type: u16, unit: W`, -0.001},
		{`name: power_kw, address: 0, type: i16, unit: W`, 32.768},
		{`name: power_kw, address: 0, type: i16, unit: W, not_implemented: [0x8000]`, -32.768},
		{`name: power_kw, address: 0, type: u64, unit: W`, 1e300},
		{`name: power_kw, address: 0, type: i64, unit: W`, -1e300},
		{`name: power_kw, address: 0, type: f32, unit: W`, 1e300},
		{`name: power_kw, address: 0, type: u16, unit: W`, math.NaN()},
		{`name: power_kw, address: 0, type: u16, unit: W`, math.Inf(1)},
		{`name: x, address: 0, type: u32, mask: 0x0F, unit: state`, 16},
		{`name: x, address: 0, type: u16, unit: state, states: [{code: 30, is: 3}]`, 4},
	} {
		if regs, err := parsePoint(t, tt.point).Encode(tt.value, 0); err == nil {
			t.Errorf("%s: Encode(%g) = %04x, want an error", tt.point, tt.value, regs)
		}
	}
}

// FuzzDecode: no registers make a decoder of any embedded profile panic or return a number beside an error, or NaN without one.
func FuzzDecode(f *testing.F) {
	var all []*Point
	for _, name := range Names() {
		for _, pt := range MustLoad(name).Points {
			if pt.Register != nil {
				all = append(all, pt)
			}
		}
	}
	f.Add(uint16(0), uint16(0x8000), uint16(0), uint16(0xFFFF), uint16(1), int16(-2))
	f.Add(uint16(3), uint16(0x7FC0), uint16(0), uint16(0), uint16(0), int16(math.MinInt16))
	f.Fuzz(func(t *testing.T, which, a, b, c, d uint16, sf int16) {
		pt := all[int(which)%len(all)]
		regs := []uint16{a, b, c, d, a, b, c, d}
		v, err := pt.Decode(regs, sf)
		if (err != nil) != math.IsNaN(v) || math.IsInf(v, 0) {
			t.Errorf("%s: Decode(%04x, %d) = %g, %v", pt.Name, regs, sf, v, err)
		}
	})
}
