package profile_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// fake serves a reading with the strictness of a small controller: an address that the reading does not have is exception 2, a request for too many registers is exception 3, and
// every write is kept as it came.
type fake struct {
	r        *reading
	mu       sync.Mutex // of what follows
	image    image
	writable image // addresses that the commands may write
	writes   []string
	most     int
	then     []row
	last     string
}

func (f *fake) answer(pdu []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn := pdu[0]
	a := binary.BigEndian.Uint16(pdu[1:])
	n := binary.BigEndian.Uint16(pdu[3:])
	fail := func(code byte) []byte { return []byte{fn | 0x80, code} }
	table := map[byte]profile.Table{1: profile.Coil, 2: profile.Discrete, 3: profile.Holding, 4: profile.Input, 5: profile.Coil, 6: profile.Holding, 15: profile.Coil, 16: profile.Holding}[fn]
	switch fn {
	case 1, 2, 3, 4:
		f.most = max(f.most, int(n))
		if f.r.Most > 0 && int(n) > f.r.Most {
			return fail(3)
		}
		regs, ok := f.image.regs(table, a, n)
		if !ok {
			return fail(2)
		}
		if table.Bits() {
			out := append([]byte{fn, byte((n + 7) / 8)}, make([]byte, (n+7)/8)...)
			for i, v := range regs {
				if v != 0 {
					out[2+i/8] |= 1 << (i % 8)
				}
			}
			return out
		}
		out := []byte{fn, byte(2 * n)}
		for _, v := range regs {
			out = binary.BigEndian.AppendUint16(out, v)
		}
		return out
	case 5, 6, 16:
		values := []uint16{n}
		if fn == 16 {
			values = nil
			for i := range n {
				values = append(values, binary.BigEndian.Uint16(pdu[6+2*i:]))
			}
		}
		text := fmt.Sprintf("%d %d", fn, a)
		for i, v := range values {
			text += fmt.Sprintf(" %04X", v)
			if fn == 5 && v != 0 {
				v = 1
			}
			if _, ok := f.writable.get(table, a+uint16(i)); !ok {
				return fail(2)
			}
			if f.image[table] != nil {
				if _, ok := f.image.get(table, a+uint16(i)); ok {
					f.image[table][a+uint16(i)] = v
				}
			}
		}
		f.writes = append(f.writes, text)
		if text == f.last {
			if err := f.r.put(f.image, f.then); err != nil {
				return fail(4)
			}
		}
		return pdu[:5]
	}
	return fail(1)
}

// write turns "FUNCTION NUMBER WORDS" of the source into the same with a wire address.
func (r *reading) write(text string) (wire string, t profile.Table, a uint16, n int, err error) {
	parts := strings.Fields(text)
	if len(parts) < 3 {
		return "", "", 0, 0, fmt.Errorf("write %q: want FUNCTION NUMBER WORDS", text)
	}
	table := string(profile.Holding)
	if parts[0] == "5" || parts[0] == "15" {
		table = string(profile.Coil)
	}
	t, a, err = r.place(table, parts[1])
	return fmt.Sprintf("%s %d %s", parts[0], a, strings.Join(parts[2:], " ")), t, a, len(parts) - 2, err
}

// serveReading serves one case over Modbus TCP and opens the driver with the profile on it.
func serveReading(t *testing.T, r *reading, p *profile.Profile, c situation) (*fake, *modbus.Device) {
	t.Helper()
	f := &fake{r: r, image: r.image(t, c), writable: image{}}
	for _, cmd := range r.Commands {
		for _, text := range cmd.Writes {
			_, table, a, n, err := r.write(text)
			if err != nil {
				t.Fatal(err)
			}
			if f.writable[table] == nil {
				f.writable[table] = map[uint16]uint16{}
			}
			for i := range n {
				f.writable[table][a+uint16(i)] = 0
			}
		}
	}
	s := modbustest.New(t)
	s.Behave(func(s *modbustest.Server, c net.Conn, q modbustest.Request) bool {
		_, err := c.Write(s.Frame(q, f.answer(q.PDU)))
		return err == nil
	})
	fast := *p
	fast.Limits.Delay, fast.Limits.ConnectDelay, fast.Limits.Timeout = 0, 0, 0
	d, err := modbus.Open(district.Device{ID: r.Profile, Address: s.URL(), Unit: 1}, &fast, modbus.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return f, d
}

// TestReadings: every Modbus profile, through the product's driver and a socket, makes of the words of its second reading what that reading says they mean, and its commands arrive
// there as the words that it says.
func TestReadings(t *testing.T) {
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Protocol != profile.Modbus {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := loadReading(t, name)
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			for _, c := range r.Cases {
				checkCase(ctx, t, r, p, c)
			}
			for _, cmd := range r.Commands {
				checkCommand(ctx, t, r, p, cmd)
			}
			if p.Control != nil && len(r.Commands) == 0 {
				t.Error("the profile has a control, its reading no commands")
			}
		})
	}
}

func checkCase(ctx context.Context, t *testing.T, r *reading, p *profile.Profile, c situation) {
	t.Helper()
	f, d := serveReading(t, r, p, c)
	want := r.expected(c)
	var names []string
	for name, w := range want {
		pt := p.Point(name)
		if pt == nil {
			t.Errorf("%s: the profile has no point %s", c.What, name)
			continue
		}
		if string(pt.Unit) != w.Unit {
			t.Errorf("%s: %s is in %s, the reading says %s", c.What, name, pt.Unit, w.Unit)
		}
		names = append(names, name)
	}
	got, err := d.Read(ctx, names...)
	if err != nil {
		t.Errorf("%s: %v", c.What, err)
	}
	if len(got) != len(names) {
		t.Errorf("%s: %d of %d points read", c.What, len(got), len(names))
	}
	for _, g := range got {
		v, ok, _ := want[g.Point].value()
		switch {
		case !ok && g.Quality != district.Bad:
			t.Errorf("%s: %s is %g, want no value", c.What, g.Point, g.Value)
		case ok && (g.Quality != district.Good || !near(g.Value, v)):
			t.Errorf("%s: %s is %g %s (%s), the reading says %g", c.What, g.Point, g.Value, want[g.Point].Unit, g.Quality, v)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Most > 0 && f.most > r.Most {
		t.Errorf("%s: a request read %d registers, the device allows %d", c.What, f.most, r.Most)
	}
}

func checkCommand(ctx context.Context, t *testing.T, r *reading, p *profile.Profile, cmd command) {
	t.Helper()
	f, d := serveReading(t, r, p, situation{What: cmd.What})
	var want []string
	for _, text := range cmd.Writes {
		wire, _, _, _, err := r.write(text)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, wire)
	}
	f.then, f.last = cmd.Then, want[len(want)-1]
	point := cmd.Point
	if point == "" {
		if p.Control == nil {
			t.Fatalf("command %q: the profile has no control", cmd.What)
		}
		point = p.Control.Point
	}
	var err error
	if cmd.Release {
		_, err = d.Release(ctx)
	} else {
		_, err = d.Write(ctx, point, cmd.Command)
	}
	if err != nil {
		t.Errorf("command %g, %s: %v", cmd.Command, cmd.What, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Equal(f.writes, want) {
		t.Errorf("command %g, %s: the device received\n%s\nthe reading says\n%s", cmd.Command, cmd.What, strings.Join(f.writes, "\n"), strings.Join(want, "\n"))
	}
	if errors.Is(err, drivers.ErrReadBack) {
		t.Logf("read back differs: the reading may lack a row of then")
	}
}
