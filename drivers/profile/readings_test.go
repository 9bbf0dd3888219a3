package profile_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// reading is a second reading of a device's source, made without a look at its profile: what stands on the wire and what it means. The files are testdata/readings/PROFILE.yaml.
type reading struct {
	Profile string
	Source  struct{ Document, Revision, Project, File, Commit, Note string }
	// Table is the table of the rows that name none. Numbers is the number that the source gives to wire address 0 of a table, such as 30001; 0 where absent.
	Table   string
	Numbers map[string]int
	// Namespace is the URI of the nodes of an OPC UA device.
	Namespace string
	// Most is how many registers one request may read of this device; 0: 125.
	Most     int
	Every    []row // of every case
	Cases    []situation
	Commands []command
}

// situation is one state of the device: its rows replace those of every case.
type situation struct {
	What string
	Rows []row
}

// row is a value on the wire: Words in hexadecimal from the source's number At on, where 0000*66 stands for 66 words. Is, Times and Plus say what the words are by themselves:
// a type and which word comes first, a factor and a summand to the stored unit. Point, Value and Unit say what Quartier must make of them; value none: not implemented.
type row struct {
	At     string
	Table  string
	Words  string
	Node   string // of OPC UA, with its value Number in place of Words
	Number float64
	Sum    bool // computed of other points: nothing on the wire
	Is     string
	Times  float64
	Plus   float64
	Point  string
	Value  string
	Unit   string
}

// command is a set-point and what the device must receive: "FUNCTION NUMBER WORDS" each, in order. Then are registers that the device changes by itself when the last has come.
type command struct {
	What    string
	Command float64
	Writes  []string
	Then    []row
	Point   string // that is written, where it is not the control point
}

// image is the content of a device's tables by wire address.
type image map[profile.Table]map[uint16]uint16

func (m image) get(t profile.Table, a uint16) (uint16, bool) { v, ok := m[t][a]; return v, ok }

func (m image) regs(t profile.Table, a, n uint16) ([]uint16, bool) {
	out := make([]uint16, n)
	for i := range out {
		v, ok := m.get(t, a+uint16(i))
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func loadReading(t testing.TB, name string) *reading {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata/readings", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := &reading{}
	if err := yaml.UnmarshalWithOptions(data, r, yaml.Strict()); err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	if r.Profile != name {
		t.Errorf("reading %s is of profile %q", name, r.Profile)
	}
	return r
}

// readings lists the second readings.
func readings(t testing.TB) []string {
	t.Helper()
	files, err := fs.Glob(os.DirFS("testdata/readings"), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = strings.TrimSuffix(files[i], ".yaml")
	}
	return files
}

// place turns the source's number into a wire address.
func (r *reading) place(table, number string) (profile.Table, uint16, error) {
	if table == "" {
		table = r.Table
	}
	if table == "" {
		table = string(profile.Holding)
	}
	n, err := strconv.ParseInt(number, 0, 32)
	if err != nil {
		return "", 0, fmt.Errorf("number %q: %w", number, err)
	}
	a := n - int64(r.Numbers[table])
	if a < 0 || a > 65535 {
		return "", 0, fmt.Errorf("number %q of table %s is address %d", number, table, a)
	}
	return profile.Table(table), uint16(a), nil
}

func words(text string) ([]uint16, error) {
	var out []uint16
	for _, w := range strings.Fields(text) {
		w, times, _ := strings.Cut(w, "*")
		n := 1
		if times != "" {
			var err error
			if n, err = strconv.Atoi(times); err != nil {
				return nil, err
			}
		}
		v, err := strconv.ParseUint(w, 16, 16)
		if err != nil || len(w) != 4 {
			return nil, fmt.Errorf("word %q: want four hexadecimal digits", w)
		}
		for range n {
			out = append(out, uint16(v))
		}
	}
	return out, nil
}

// put writes rows into the image.
func (r *reading) put(m image, rows []row) error {
	for _, row := range rows {
		if row.Sum {
			continue
		}
		t, a, err := r.place(row.Table, row.At)
		if err != nil {
			return err
		}
		ws, err := words(row.Words)
		if err != nil {
			return fmt.Errorf("number %s: %w", row.At, err)
		}
		if m[t] == nil {
			m[t] = map[uint16]uint16{}
		}
		for i, w := range ws {
			m[t][a+uint16(i)] = w
		}
	}
	return nil
}

func (r *reading) image(t testing.TB, c situation) image {
	t.Helper()
	m := image{}
	if err := errors.Join(r.put(m, r.Every), r.put(m, c.Rows)); err != nil {
		t.Fatalf("%s, %s: %v", r.Profile, c.What, err)
	}
	return m
}

// expected are the values of a case by point: the later of two rows of a point holds.
func (r *reading) expected(c situation) map[string]row {
	out := map[string]row{}
	for _, row := range slices.Concat(r.Every, c.Rows) {
		if row.Point != "" {
			out[row.Point] = row
		}
	}
	return out
}

// value is the number that Quartier must make of the row; ok is false for a value that is not implemented.
func (w row) value() (v float64, ok bool, err error) {
	if w.Value == "none" {
		return math.NaN(), false, nil
	}
	v, err = strconv.ParseFloat(w.Value, 64)
	return v, true, err
}

// alone computes the value from the row's own type, order and factor, by other code than the profile's.
func (w row) alone() (float64, error) {
	ws, err := words(w.Words)
	if err != nil {
		return 0, err
	}
	kind, order, _ := strings.Cut(w.Is, " ")
	if order == "lsw" {
		ws = slices.Clone(ws)
		slices.Reverse(ws)
	} else if order != "" && order != "msw" {
		return 0, fmt.Errorf("order %q", order)
	}
	b := []byte{}
	for _, x := range ws {
		b = binary.BigEndian.AppendUint16(b, x)
	}
	var n float64
	switch {
	case kind == "u16" && len(b) == 2:
		n = float64(binary.BigEndian.Uint16(b))
	case kind == "i16" && len(b) == 2:
		n = float64(int16(binary.BigEndian.Uint16(b)))
	case kind == "u32" && len(b) == 4:
		n = float64(binary.BigEndian.Uint32(b))
	case kind == "i32" && len(b) == 4:
		n = float64(int32(binary.BigEndian.Uint32(b)))
	case kind == "u64" && len(b) == 8:
		n = float64(binary.BigEndian.Uint64(b))
	case kind == "i64" && len(b) == 8:
		n = float64(int64(binary.BigEndian.Uint64(b)))
	case kind == "f32" && len(b) == 4:
		n = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case kind == "f64" && len(b) == 8:
		n = math.Float64frombits(binary.BigEndian.Uint64(b))
	default:
		return 0, fmt.Errorf("%d words are no %q", len(ws), kind)
	}
	times := w.Times
	if times == 0 {
		times = 1
	}
	return n*times + w.Plus, nil
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(b)) }

// TestReadingsAreConsistent: what a row says of itself is what it says Quartier must read.
func TestReadingsAreConsistent(t *testing.T) {
	for _, name := range readings(t) {
		r := loadReading(t, name)
		if r.Source.Document == "" && r.Source.Project == "" {
			t.Errorf("%s: the reading names no source", name)
		}
		for _, c := range append(r.Cases, situation{What: "every case", Rows: r.Every}) {
			for _, w := range c.Rows {
				if w.Point == "" {
					continue
				}
				v, ok, err := w.value()
				if err != nil {
					t.Errorf("%s, %s: %s: %v", name, c.What, w.Point, err)
				}
				if !ok || w.Unit == "state" || w.Node != "" || w.Sum {
					continue
				}
				if got, err := w.alone(); err != nil || !near(got, v) {
					t.Errorf("%s, %s: %s: words %s as %s times %g are %g (%v), the row says %g %s", name, c.What, w.Point, w.Words, w.Is, w.Times, got, err, v, w.Unit)
				}
			}
		}
	}
}

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
	_, err := d.Write(ctx, point, cmd.Command)
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
