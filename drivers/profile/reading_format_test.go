package profile_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"quartier/drivers/profile"
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
	Release bool // in place of a command: the device is given back
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
