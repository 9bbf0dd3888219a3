package profile_test

import (
	"fmt"
	"math"
	"testing"

	"quartier/drivers/profile"
)

// decode makes of an image what the profile's point says, without a driver in between; ok is false where the image does not have its registers.
func decode(pt *profile.Point, m image, layout profile.Layout) (v float64, ok bool) {
	address, scale, hasScale, ok := pt.Locate(layout)
	if !ok {
		return math.NaN(), false
	}
	regs, ok := m.regs(pt.Register.Table, address, pt.Register.Length)
	if !ok {
		return math.NaN(), false
	}
	var sf uint16
	if hasScale {
		if sf, ok = m.get(pt.Register.Table, scale); !ok {
			return math.NaN(), false
		}
	}
	v, err := pt.Decode(regs, int16(sf))
	if err != nil {
		return math.NaN(), true
	}
	return v, true
}

// mistakes are the ways in which a profile goes wrong in the field, each made on a copy of a point; false where the mistake cannot be made on it.
var mistakes = []struct {
	name string
	make func(pt *profile.Point) bool
}{
	{"address one too low", func(pt *profile.Point) bool { return shift(pt, -1) }},
	{"address one too high", func(pt *profile.Point) bool { return shift(pt, 1) }},
	{"other table", func(pt *profile.Point) bool {
		pt.Register.Table = map[profile.Table]profile.Table{profile.Holding: profile.Input, profile.Input: profile.Holding, profile.Coil: profile.Discrete,
			profile.Discrete: profile.Coil}[pt.Register.Table]
		return true
	}},
	{"other word first", func(pt *profile.Point) bool {
		pt.Register.LowWordFirst = !pt.Register.LowWordFirst
		return pt.Register.Length > 1 && pt.Type != profile.String
	}},
	{"other sign", func(pt *profile.Point) bool { pt.Invert = !pt.Invert; return len(pt.States) == 0 && pt.Unit != "state" }},
	{"unsigned for signed", func(pt *profile.Point) bool {
		to, ok := map[profile.Type]profile.Type{profile.I16: profile.U16, profile.I32: profile.U32, profile.I64: profile.U64}[pt.Type]
		pt.Type = to
		return ok && !(pt.Writable() && pt.Min >= 0) // a set-point that is never negative reads the same
	}},
	{"ten times too much", func(pt *profile.Point) bool { pt.Scale *= 10; return len(pt.States) == 0 && pt.Unit != "state" }},
	{"marks of missing values taken for values", func(pt *profile.Point) bool {
		had := len(pt.Register.NotImplemented) > 0
		pt.Register.NotImplemented = nil
		return had && pt.Register.SunSpec == nil // SunSpec's are those of the type, tested by themselves
	}},
	{"scale factor not applied", func(pt *profile.Point) bool {
		had := pt.Register.ScaleFactor != nil
		pt.Register.ScaleFactor = nil
		return had
	}},
	{"scale factor of the neighbour", func(pt *profile.Point) bool {
		if pt.Register.ScaleFactor == nil {
			return false
		}
		sf := *pt.Register.ScaleFactor
		sf.Address++
		pt.Register.ScaleFactor = &sf
		return true
	}},
	{"whole register for some of its bits", func(pt *profile.Point) bool {
		had := pt.Register.Mask != 0
		pt.Register.Mask = 0
		return had
	}},
}

func shift(pt *profile.Point, by int) bool {
	if pt.Register.SunSpec != nil {
		s := *pt.Register.SunSpec
		s.Offset = uint16(int(s.Offset) + by)
		pt.Register.SunSpec = &s
		return true
	}
	pt.Register.Address = uint16(int(pt.Register.Address) + by)
	return true
}

// chain walks the SunSpec models of an image, as an engineer with a table would.
func chain(m image) profile.Layout {
	out := profile.Layout{}
	for _, base := range []uint16{40000, 50000, 0} {
		regs, ok := m.regs(profile.Holding, base, 2)
		if !ok || regs[0] != 0x5375 || regs[1] != 0x6E53 {
			continue
		}
		for at := base + 2; ; {
			head, ok := m.regs(profile.Holding, at, 2)
			if !ok || head[0] == 0xFFFF {
				return out
			}
			out = append(out, profile.Extent{Model: head[0], Address: at, Length: head[1]})
			at += 2 + head[1]
		}
	}
	return out
}

// each yields the readable register points of every Modbus profile with the second reading of its source.
func each(t *testing.T, do func(name string, pt *profile.Point, r *reading)) {
	t.Helper()
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Protocol != profile.Modbus {
			continue
		}
		r := loadReading(t, name)
		for _, pt := range p.Points {
			if pt.Register != nil && pt.Readable() {
				do(name, pt, r)
			}
		}
	}
}

// TestReadingsAreComplete: the second reading has a value of every point of its profile, and the point decodes it.
func TestReadingsAreComplete(t *testing.T) {
	each(t, func(name string, pt *profile.Point, r *reading) {
		switch wrong, seen := outcome(t, r, pt); {
		case !seen:
			t.Errorf("%s %s: the reading has no value of it", name, pt.Name)
		case wrong != "":
			t.Errorf("%s %s: %s", name, pt.Name, wrong)
		}
	})
}

// TestTraps holds the readings themselves to account: each mistake of the list, made on any point of any profile, makes at least one case of the second reading come out wrong. A
// reading that does not tell 1 from -1, or the high word from the low one, fails here, and so does a profile that fell into the trap, in TestReadingsAreComplete.
func TestTraps(t *testing.T) {
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			tried := 0
			each(t, func(name string, pt *profile.Point, r *reading) {
				bad := *pt
				reg := *pt.Register
				bad.Register = &reg
				if !m.make(&bad) {
					return
				}
				tried++
				if wrong, _ := outcome(t, r, &bad); wrong == "" {
					t.Errorf("%s %s with %s: every case of the reading comes out as before", name, pt.Name, m.name)
				}
			})
			t.Logf("made on %d points", tried)
			if tried < 3 {
				t.Errorf("made on %d points: nothing is tested", tried)
			}
		})
	}
}

// TestKnownTraps are devices whose numbers are misread most often, each with the words on the wire, what they mean, and what a wrong profile makes of them.
func TestKnownTraps(t *testing.T) {
	for _, tt := range []struct {
		trap, profile, point string
		table                profile.Table
		address              uint16 // on the wire
		words                []uint16
		want, wrong          float64
	}{
		{"register number 30053 is address 52", "eastron-sdm630", "power_kw", profile.Input, 52, []uint16{0x44FA, 0}, 2, 0},
		{"register 3060 is address 3059", "schneider-iem3000", "power_kw", profile.Holding, 3059, []uint16{0x4000, 0}, 2, 0},
		{"register 522 is address 521", "stiebel-isg", "tank_c", profile.Input, 521, []uint16{487}, 48.7, 0},
		{"register 43 is address 42", "daikin-homehub", "tank_c", profile.Input, 42, []uint16{4850}, 48.5, 0},
		{"numbers of SMA are addresses as printed", "sma-inverter", "power_kw", profile.Holding, 30775, []uint16{0, 3000}, -3, 0},
		{"low word first, whole number", "carlo-gavazzi-em24", "power_kw", profile.Input, 0x28, []uint16{0xD8F0, 0xFFFF}, -1, -65537.5},
		{"low word first, float", "idm-navigator", "power_kw", profile.Holding, 4122, []uint16{0, 0x4020}, 2.5, 0},
		{"high word first beside it", "schneider-iem3000", "voltage_v", profile.Holding, 3027, []uint16{0x4366, 0x8000}, 230.5, 0},
		{"a yield is negative: the inverter delivers", "huawei-sun2000", "power_kw", profile.Holding, 32080, []uint16{0, 3000}, -3, 3},
		{"Huawei's meter counts what is fed", "huawei-meter", "power_kw", profile.Holding, 37113, []uint16{0, 3000}, -3, 3},
		{"Huawei's EMMA counts what is drawn", "huawei-emma-grid", "power_kw", profile.Holding, 31657, []uint16{0, 3000}, 3, -3},
		{"Huawei's battery is positive when charging", "huawei-luna2000", "power_kw", profile.Holding, 37765, []uint16{0, 3000}, 3, -3},
		{"Kostal's battery is positive when delivering", "kostal-plenticore-battery", "power_kw", profile.Holding, 582, []uint16{3000}, -3, 3},
		{"Sungrow counts what is fed", "sungrow-sh-grid", "power_kw", profile.Input, 13009, []uint16{3000, 0}, -3, 3},
		{"Sungrow's battery is positive when delivering", "sungrow-sh-battery", "power_kw", profile.Input, 5213, []uint16{3000, 0}, -3, 3},
		{"a Diris counts whole kilowatt-hours, a Countis hundredths", "socomec-diris-a10", "import_kwh", profile.Holding, 50780, []uint16{0, 1234}, 1234, 12.34},
		{"two letters in one register are the state", "phoenix-charx", "charging", profile.Holding, 1299, []uint16{0x4332}, 1, 17202},
		{"a night's power of SMA is no -2147 MW", "sma-inverter", "power_kw", profile.Holding, 30775, []uint16{0x8000, 0}, math.NaN(), 2147483.648},
		{"all bits set are no 655.35 Hz", "abb-b23", "frequency_hz", profile.Holding, 0x5B2C, []uint16{0xFFFF}, math.NaN(), 655.35},
		{"a missing sensor is no -3276.8 degrees", "nibe-s", "tank_c", profile.Input, 8, []uint16{0x8000}, math.NaN(), -3276.8},
		{"an idle charger's NaN", "alfen-eve", "power_kw", profile.Holding, 344, []uint16{0x7FC0, 0}, math.NaN(), 0},
		{"tenths of a watt-hour", "keba-p40", "import_kwh", profile.Holding, 1036, []uint16{0x0000, 38101}, 3.8101, 38.101},
		{"milliwatts", "keba-p40", "power_kw", profile.Holding, 1020, []uint16{0x0001, 0x8165}, 0.098661, 98.661},
		{"bits 8 to 14 are the state", "abb-terra-ac", "status", profile.Holding, 0x400C, []uint16{0, 0x8403}, 4, 33795},
	} {
		t.Run(tt.trap, func(t *testing.T) {
			m := image{tt.table: {}}
			for i, w := range tt.words {
				m[tt.table][tt.address+uint16(i)] = w
			}
			got, ok := decode(profile.MustLoad(tt.profile).Point(tt.point), m, nil)
			if !ok || math.IsNaN(got) != math.IsNaN(tt.want) || !math.IsNaN(got) && !near(got, tt.want) {
				t.Errorf("%s %s is %g (%v), want %g; %g is the trap", tt.profile, tt.point, got, ok, tt.want, tt.wrong)
			}
		})
	}
}

// outcome compares a point with every case of the reading and tells the first that differs; seen is false where no case has a value of the point.
func outcome(t *testing.T, r *reading, pt *profile.Point) (wrong string, seen bool) {
	t.Helper()
	for _, c := range r.Cases {
		w, ok := r.expected(c)[pt.Name]
		if !ok {
			continue
		}
		m := r.image(t, c)
		want, some, err := w.value()
		if err != nil {
			t.Fatal(err)
		}
		seen = seen || some
		got, _ := decode(pt, m, chain(m))
		switch {
		case some && !near(got, want), !some && !math.IsNaN(got):
			return fmt.Sprintf("case %q: %g, the reading says %s", c.What, got, w.Value), seen
		}
	}
	return "", seen
}
