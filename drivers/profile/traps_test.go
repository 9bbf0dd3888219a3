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
			if _, twice := out[head[0]]; !twice {
				out[head[0]] = profile.Extent{Address: at, Length: head[1]}
			}
			at += 2 + head[1]
		}
	}
	return out
}

// TestMistakesShow holds the readings themselves to account: for every point of every profile, each mistake of the list makes at least one case of the second reading come out
// wrong. A reading that does not tell 1 from -1, or the high word from the low one, fails here.
func TestMistakesShow(t *testing.T) {
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Protocol != profile.Modbus {
			continue
		}
		t.Run(name, func(t *testing.T) {
			r := loadReading(t, name)
			for _, pt := range p.Points {
				if pt.Register == nil || !pt.Readable() {
					continue
				}
				wrong, seen := outcome(t, r, pt)
				if !seen {
					t.Errorf("%s: the reading has no value of it", pt.Name)
					continue
				}
				if wrong != "" {
					t.Errorf("%s: %s", pt.Name, wrong)
				}
				for _, m := range mistakes {
					bad := *pt
					reg := *pt.Register
					bad.Register = &reg
					if !m.make(&bad) {
						continue
					}
					if wrong, _ := outcome(t, r, &bad); wrong == "" {
						t.Errorf("%s with %s: every case of the reading comes out as before", pt.Name, m.name)
					}
				}
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
