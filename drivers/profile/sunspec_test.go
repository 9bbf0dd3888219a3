package profile_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"quartier/drivers/modbus"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestSunSpecTable compares the table of models with what the SunSpec information model reference, and notes of makers that print its register numbers, say of the points that an
// energy management system uses: lengths, offsets from the ID register and types.
func TestSunSpecTable(t *testing.T) {
	lengths := map[uint16]uint16{1: 66, 101: 50, 102: 50, 103: 50, 111: 60, 112: 60, 113: 60, 120: 26, 121: 30, 122: 44, 123: 24, 124: 24, 160: 8, 201: 105, 202: 105, 203: 105, 204: 105,
		211: 124, 212: 124, 213: 124, 214: 124, 701: 153, 702: 50, 703: 17, 704: 65, 713: 7, 714: 18, 802: 62, 803: 26}
	for id, want := range lengths {
		if got, ok := profile.SunSpecLength(id); !ok || got != want {
			t.Errorf("model %d has length %d (%v), want %d", id, got, ok, want)
		}
	}
	for id := uint16(701); id <= 714; id++ {
		if _, ok := profile.SunSpecLength(id); !ok {
			t.Errorf("model %d is not known", id)
		}
	}
	for _, tt := range []struct {
		model  uint16
		point  string
		index  int
		offset uint16
		kind   profile.Type
		scale  uint16 // offset of the scale factor, 0: none
	}{
		{103, "A", 0, 2, profile.U16, 6}, {103, "PhVphA", 0, 10, profile.U16, 13}, {103, "W", 0, 14, profile.I16, 15}, {103, "Hz", 0, 16, profile.U16, 17}, {103, "WH", 0, 24, profile.Acc32, 26},
		{103, "DCW", 0, 31, profile.I16, 32}, {103, "St", 0, 38, profile.U16, 0}, {113, "W", 0, 22, profile.F32, 0}, {113, "Hz", 0, 24, profile.F32, 0}, {113, "WH", 0, 32, profile.F32, 0},
		{113, "DCW", 0, 38, profile.F32, 0}, {113, "St", 0, 48, profile.U16, 0}, {120, "WRtg", 0, 3, profile.U16, 4}, {120, "WHRtg", 0, 19, profile.U16, 20},
		{121, "WMax", 0, 2, profile.U16, 22}, {122, "ActWh", 0, 5, profile.Acc64, 0}, {123, "Conn", 0, 4, profile.U16, 0}, {123, "WMaxLimPct", 0, 5, profile.U16, 23},
		{123, "WMaxLimPct_RvrtTms", 0, 7, profile.U16, 0}, {123, "WMaxLim_Ena", 0, 9, profile.U16, 0},
		{124, "WChaMax", 0, 2, profile.U16, 18}, {124, "StorCtl_Mod", 0, 5, profile.U16, 0}, {124, "MinRsvPct", 0, 7, profile.U16, 21}, {124, "ChaState", 0, 8, profile.U16, 22},
		{124, "ChaSt", 0, 11, profile.U16, 0}, {124, "OutWRte", 0, 12, profile.I16, 25}, {124, "InWRte", 0, 13, profile.I16, 25}, {124, "InOutWRte_RvrtTms", 0, 15, profile.U16, 0},
		{124, "ChaGriSet", 0, 17, profile.U16, 0},
		{160, "N", 0, 8, profile.U16, 0}, {160, "module.DCW", 1, 21, profile.U16, 4}, {160, "module.DCWH", 1, 22, profile.Acc32, 5}, {160, "module.DCW", 3, 61, profile.U16, 4},
		{160, "module.DCW", 4, 81, profile.U16, 4},
		{203, "W", 0, 18, profile.I16, 22}, {203, "TotWhExp", 0, 38, profile.Acc32, 54}, {203, "TotWhImp", 0, 46, profile.Acc32, 54}, {203, "PhVphA", 0, 8, profile.I16, 15},
		{213, "W", 0, 28, profile.F32, 0}, {213, "PhVphA", 0, 12, profile.F32, 0}, {213, "Hz", 0, 26, profile.F32, 0}, {213, "TotWhExp", 0, 60, profile.F32, 0}, {213, "TotWhImp", 0, 68, profile.F32, 0},
		{701, "InvSt", 0, 4, profile.U16, 0}, {701, "W", 0, 10, profile.I16, 116}, {701, "Hz", 0, 17, profile.U32, 115}, {701, "TotWhInj", 0, 19, profile.U64, 120}, {701, "TotWhAbs", 0, 23, profile.U64, 120},
		{702, "WMaxRtg", 0, 2, profile.U16, 45}, {702, "WChaRteMaxRtg", 0, 10, profile.U16, 45}, {702, "WMax", 0, 26, profile.U16, 45}, {703, "ES", 0, 2, profile.U16, 0},
		{704, "WMaxLimPctEna", 0, 14, profile.U16, 0}, {704, "WMaxLimPct", 0, 15, profile.U16, 54}, {704, "WMaxLimPctRvrtTms", 0, 18, profile.U32, 0}, {704, "WSetEna", 0, 22, profile.U16, 0},
		{704, "WSetMod", 0, 23, profile.U16, 0}, {704, "WSet", 0, 24, profile.I32, 55}, {704, "WSetPct", 0, 28, profile.I16, 56}, {704, "WSetRvrtTms", 0, 31, profile.U32, 0},
		{713, "WHRtg", 0, 2, profile.U16, 7}, {713, "SoC", 0, 4, profile.U16, 8}, {714, "NPrt", 0, 4, profile.U16, 0}, {714, "DCW", 0, 6, profile.I16, 17}, {714, "Prt.DCW", 1, 32, profile.I16, 17},
		{802, "SoC", 0, 11, profile.U16, 56}, {802, "State", 0, 22, profile.U16, 0}, {802, "V", 0, 34, profile.U16, 59}, {802, "A", 0, 44, profile.I16, 61}, {802, "W", 0, 47, profile.I16, 63},
		{803, "NStr", 0, 2, profile.U16, 0}, {803, "ModTmpMax", 0, 4, profile.I16, 23}, {803, "string.StrSoC", 1, 32, profile.U16, 26},
	} {
		index := ""
		if tt.index > 0 {
			index = fmt.Sprintf(", index: %d", tt.index)
		}
		pt := parse(t, fmt.Sprintf(`points: [{name: x, sunspec: {models: [%d], point: %s%s}, unit: "1"}]`, tt.model, tt.point, index)).Points[0]
		var scale uint16
		if pt.Register.ScaleFactor != nil {
			scale = pt.Register.ScaleFactor.Address
		}
		if pt.Register.SunSpec.Offset != tt.offset || pt.Type != tt.kind || scale != tt.scale {
			t.Errorf("model %d %s %d is %s at %d with its scale factor at %d, want %s at %d and %d", tt.model, tt.point, tt.index, pt.Type, pt.Register.SunSpec.Offset, scale, tt.kind, tt.offset, tt.scale)
		}
	}
}

func parse(t testing.TB, rest string) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("test.yaml", []byte("name: test\ntitle: Test\nkinds: [pv]\nprotocol: modbus\nstate: generic\nsource: {document: this test}\n"+rest+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// models serves a chain of models from a base; each is its id and its body.
func models(t *testing.T, base uint16, chain ...[]uint16) (*serve.Table, string, func(p *profile.Profile) *modbus.Device) {
	t.Helper()
	bank := &serve.Table{}
	at := base
	put := func(v ...uint16) { bank.Set(profile.Holding, at, v...); at += uint16(len(v)) }
	put(0x5375, 0x6E53)
	for _, m := range chain {
		put(m[0], uint16(len(m)-1))
		put(m[1:]...)
	}
	put(0xFFFF, 0)
	url, open := serveTable(t, bank)
	return bank, url, open
}

// serveTable serves registers as unit 1, and opens devices on them.
func serveTable(t *testing.T, bank serve.Bank) (url string, open func(p *profile.Profile) *modbus.Device) {
	t.Helper()
	s, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Handle(1, bank)
	return s.URL(), func(p *profile.Profile) *modbus.Device {
		d, err := modbus.Open(district.Device{ID: "sunspec", Address: s.URL(), Unit: 1}, p, modbus.Config{Timeout: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
}

// model is a model's id and length registers of body, some of them set, by their offset from the id register.
func model(id uint16, length int, set map[int]uint16) []uint16 {
	m := make([]uint16, length+1)
	m[0] = id
	for offset, v := range set {
		m[offset-1] = v
	}
	return m
}

func readOne(t *testing.T, d *modbus.Device, point string) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := d.Read(ctx, point)
	if err != nil || len(r) != 1 {
		t.Fatalf("read %s: %v, %v", point, r, err)
	}
	if r[0].Quality != district.Good {
		return math.NaN()
	}
	return r[0].Value
}

// TestSunSpecBases: the chain is found wherever the specification lets it start, past models of which nothing is known. The order 1, 129 with 210 registers is that of the device
// image of sunspec/pysunspec2, sunspec2/tests/test_data/inverter_123.json, commit f2ece9a.
func TestSunSpecBases(t *testing.T) {
	for _, base := range []uint16{40000, 50000, 0} {
		t.Run(fmt.Sprint(base), func(t *testing.T) {
			_, _, open := models(t, base, model(1, 66, nil), model(129, 210, map[int]uint16{2: 1, 8: 10, 9: 0xFFFE, 10: 0xFFFF}), model(103, 50, map[int]uint16{14: 321, 15: 1}))
			if got := readOne(t, open(profile.MustLoad("sunspec-inverter")), "power_kw"); math.Abs(got+3.21) > 1e-9 {
				t.Errorf("power is %g kW, want -3.21: the inverter delivers", got)
			}
		})
	}
}

// TestSunSpecScaleFactorMoves: a device may change a scale factor at any time; each value is read with the one of its moment.
func TestSunSpecScaleFactorMoves(t *testing.T) {
	bank, _, open := models(t, 40000, model(1, 66, nil), model(103, 50, map[int]uint16{14: 9999, 15: 0xFFFF}))
	d := open(profile.MustLoad("sunspec-inverter"))
	const w, sf = 40002 + 68 + 14, 40002 + 68 + 15
	for _, tt := range []struct {
		w, sf uint16
		want  float64
	}{{9999, 0xFFFF, -0.9999}, {1000, 0, -1}, {1100, 1, -11}, {12, 3, -12}, {12, 0x8000, math.NaN()}, {12, 11, math.NaN()}, {1200, 0, -1.2}} {
		bank.Set(profile.Holding, w, tt.w)
		bank.Set(profile.Holding, sf, tt.sf)
		if got := readOne(t, d, "power_kw"); !(math.Abs(got-tt.want) < 1e-9 || math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("W %d with scale factor %d is %g kW, want %g", tt.w, int16(tt.sf), got, tt.want)
		}
	}
}

// TestSunSpecShortModels: what a device's edition of a model does not reach is no value, and never the registers of the model behind it.
func TestSunSpecShortModels(t *testing.T) {
	strange := make(map[int]uint16)
	for i := range 50 {
		strange[2+i] = 0x1111
	}
	_, _, open := models(t, 40000, model(1, 65, nil), model(160, 8+2*20, map[int]uint16{4: 0, 8: 2, 21: 1500, 41: 700}), model(103, 50, strange))
	d := open(parse(t, `points:
  - {name: first_kw, sunspec: {models: [160], point: module.DCW, index: 1}, unit: W}
  - {name: second_kw, sunspec: {models: [160], point: module.DCW, index: 2}, unit: W}
  - {name: third_kw, sunspec: {models: [160], point: module.DCW, index: 3}, unit: W}
  - {name: missing_kw, sunspec: {models: [701], point: W}, unit: W}`))
	for point, want := range map[string]float64{"first_kw": 1.5, "second_kw": 0.7, "third_kw": math.NaN(), "missing_kw": math.NaN()} {
		if got := readOne(t, d, point); !(near(got, want) || math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %g kW, want %g", point, got, want)
		}
	}
}

// TestSunSpecMarks: every type of SunSpec has its own mark for a value that is not there.
func TestSunSpecMarks(t *testing.T) {
	for _, tt := range []struct {
		model uint16
		point string
		mark  []uint16
	}{
		{103, "W", []uint16{0x8000}}, {103, "PhVphA", []uint16{0xFFFF}}, {103, "WH", []uint16{0, 0}}, {122, "ActWh", []uint16{0, 0, 0, 0}}, {704, "WSet", []uint16{0x8000, 0}},
		{701, "Hz", []uint16{0xFFFF, 0xFFFF}}, {701, "TotWhInj", []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}}, {113, "W", []uint16{0x7FC0, 0}},
	} {
		pt := parse(t, fmt.Sprintf(`points: [{name: x, sunspec: {models: [%d], point: %s}, unit: "1"}]`, tt.model, tt.point)).Points[0]
		if v, err := pt.Decode(tt.mark, 0); err == nil {
			t.Errorf("model %d %s: %04X is %g, want no value", tt.model, tt.point, tt.mark, v)
		}
	}
}

// TestSunSpecOccurrences: of several meters behind one unit each is read by its place in the chain, whatever its model, also of a simulated device that was rendered from the profile.
func TestSunSpecOccurrences(t *testing.T) {
	p := parse(t, `points:
  - {name: first_kw, sunspec: {models: [203, 201], point: W}, unit: W}
  - {name: second_kw, sunspec: {models: [203, 201], point: W, occurrence: 2}, unit: W}
  - {name: third_kw, sunspec: {models: [203, 201], point: W, occurrence: 3}, unit: W}
  - {name: second_of_203_kw, sunspec: {models: [203], point: W, occurrence: 2}, unit: W}
  - {name: fourth_kw, sunspec: {models: [203, 201], point: W, occurrence: 4}, unit: W}`)
	meter := func(id uint16, watt int16) []uint16 { return model(id, 105, map[int]uint16{18: uint16(watt)}) }
	_, _, open := models(t, 40000, model(1, 66, nil), model(103, 50, nil), model(1, 66, nil), meter(203, 1500), model(1, 66, nil), meter(201, -200), model(1, 66, nil), meter(203, 3000))
	d := open(p)
	for point, want := range map[string]float64{"first_kw": 1.5, "second_kw": -0.2, "third_kw": 3, "second_of_203_kw": 3, "fourth_kw": math.NaN()} {
		if got := readOne(t, d, point); !(near(got, want) || math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %g kW, want %g", point, got, want)
		}
	}
	rendered, err := serve.NewDevice(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for point, v := range map[string]float64{"first_kw": 1, "second_kw": 2, "third_kw": 3, "fourth_kw": 4} {
		if err := rendered.Set(point, v); err != nil {
			t.Fatal(err)
		}
	}
	_, open = serveTable(t, rendered)
	d = open(p)
	for point, want := range map[string]float64{"first_kw": 1, "second_kw": 2, "third_kw": 3, "second_of_203_kw": 2, "fourth_kw": 4} {
		if got := readOne(t, d, point); !near(got, want) {
			t.Errorf("rendered: %s is %g kW, want %g", point, got, want)
		}
	}
}
