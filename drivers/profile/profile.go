package profile

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strings"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
	"quartier/schemas/units"
)

// Protocol is the language a device speaks.
type Protocol string

// The protocols.
const (
	Modbus Protocol = "modbus"
	OPCUA  Protocol = "opcua"
)

// State says how far a profile was verified.
type State string

// The states of a profile.
const (
	FromDocumentation State = "from documentation"    // written after the vendor's document
	FromPublicDriver  State = "from a public driver"  // written after the register numbers that a public driver uses
	Generic           State = "generic"               // Quartier's own convention, for devices without a fixed map
	Confirmed         State = "confirmed on hardware" // read, and commanded where it has a control, on a real device; none of the embedded ones is
)

// Source says where the register or node numbers come from.
type Source struct {
	Document string // the vendor's or standard's document
	Revision string // of that document; empty where it is not known
	Project  string // public repository whose driver uses the same numbers
	File     string // in that repository
	Commit   string // of that repository
	Note     string
}

// Profile is a device type. It is read-only after loading.
type Profile struct {
	Name, Title string
	Kinds       []district.Kind
	Protocol    Protocol
	Source      Source
	State       State
	Confirmed   string // device, firmware and date of the test on hardware; empty but for state Confirmed
	Limits      Limits
	Namespace   string // OPC UA: namespace URI of the nodes that name none
	Points      []*Point
	Control     *Control // nil for a device that is only read
	ReadOnly    bool     // the document says control: none

	byName map[string]*Point
}

// Limits hold for one Modbus request.
type Limits struct {
	MaxRegisters uint16 // 1 to 125
	MaxGap       uint16 // registers read for nothing to merge two points
	OneValue     bool   // one point per request
	Forbidden    []Range
	Delay        time.Duration // between two requests
	ConnectDelay time.Duration // after connecting
	Timeout      time.Duration // 0: the driver's default
}

// Range is a span of addresses that a request may not touch, both ends included.
type Range struct {
	Table    Table
	From, To uint16
}

// Table is one of the four Modbus address spaces.
type Table string

// The Modbus tables.
const (
	Holding  Table = "holding"  // function 3, written with 6 or 16
	Input    Table = "input"    // function 4
	Coil     Table = "coil"     // function 1, written with 5 or 15
	Discrete Table = "discrete" // function 2
)

// Bits reports whether the table holds single bits.
func (t Table) Bits() bool { return t == Coil || t == Discrete }

// Type is the type of a raw value.
type Type string

// The raw types.
const (
	Bool   Type = "bool"
	U16    Type = "u16"
	I16    Type = "i16"
	U32    Type = "u32"
	I32    Type = "i32"
	U64    Type = "u64"
	I64    Type = "i64"
	F32    Type = "f32"
	F64    Type = "f64"
	Acc32  Type = "acc32" // SunSpec accumulator: u32 with 0 for not implemented
	Acc64  Type = "acc64"
	String Type = "string" // two characters a register, high byte first
)

// Access says whether a point can be read and written.
type Access string

// The accesses.
const (
	ReadOnly  Access = "read"
	ReadWrite Access = "read_write"
	WriteOnly Access = "write"
)

// Point is one value of a device type. Exactly one of Register, Node, Sum and Constant is set.
type Point struct {
	Name       string
	Title      string
	Unit       units.Unit // stored
	DeviceUnit string     // what the device speaks
	Form       district.Form
	Type       Type
	Scale      float64
	Offset     float64 // device unit
	Invert     bool
	States     []StateCode
	Otherwise  *float64
	Access     Access
	Min, Max   float64 // range of a write in the stored unit, ±Inf without a limit

	Register *Register
	Node     *Node
	Sum      []Term
	Constant *float64 // stored unit

	Line int // in the profile's document

	conv units.Conversion
}

// Register is where a Modbus device keeps a point.
type Register struct {
	Table          Table
	Address        uint16 // 0-based; unused with SunSpec
	SunSpec        *SunSpec
	Length         uint16 // registers, or 1 bit
	LowWordFirst   bool
	LittleEndian   bool // bytes within each register
	Mask           uint64
	ScaleFactor    *ScaleFactor
	NotImplemented []uint64
	WriteFunction  uint8 // 5, 6, 15 or 16; 0 for a read-only point
}

// SunSpec locates a register in a chain of SunSpec models.
type SunSpec struct {
	Models     []uint16 // any one of these, in the order of the device's chain
	Occurrence int      // which of them in that order, from 1 on: 2 for the second of two meters
	Offset     uint16   // from the model's id register
	Name       string   // in the definitions; empty where the profile counts registers. NAME, or GROUP.NAME with Index
	Index      int      // of a repeated group, from 1 on; 0 outside one
}

// ScaleFactor locates the register that holds the power of ten of a value, an i16 from -10 to 10.
type ScaleFactor struct {
	Address   uint16 // holding or input as the point; with SunSpec an offset in the same model
	Simulated int16  // what a simulated device reports
}

// Node is where an OPC UA device keeps a point.
type Node struct {
	Namespace string   // URI
	ID        string   // "s=…", "i=…", "g=…" or "b=…", without the namespace index; empty when Path is set
	Path      []string // browse names from the Objects folder, in the node's namespace
	DeadBand  float64  // smallest change of the node's own number that a subscription tells; 0: every change
}

// StateCode is a device's code of a state and the number it becomes.
type StateCode struct {
	Code float64
	Text string // device text of a string point; a description otherwise
	Is   float64
}

// Term is a summand of a computed point.
type Term struct {
	Point  string
	Factor float64
}

// Point returns the point of that name, or nil.
func (p *Profile) Point(name string) *Point { return p.byName[name] }

// Readable reports whether the point can be read.
func (pt *Point) Readable() bool { return pt.Access != WriteOnly }

// Writable reports whether the point can be written by itself.
func (pt *Point) Writable() bool { return pt.Access != ReadOnly }

// DriverPoint describes the point as the driver of its device does.
func (pt *Point) DriverPoint() drivers.Point {
	out := drivers.Point{Name: pt.Name, Unit: pt.Unit, Form: pt.Form, Readable: pt.Readable(), Writable: pt.Writable(), Min: pt.Min, Max: pt.Max}
	if pt.Register != nil && pt.Register.ScaleFactor == nil {
		out.Resolution = pt.Resolution(0)
	}
	return out
}

// DriverPoints lists the points of the profile, with the control point where that stands for a sequence.
func (p *Profile) DriverPoints() []drivers.Point {
	out := make([]drivers.Point, 0, len(p.Points)+1)
	for _, pt := range p.Points {
		d := pt.DriverPoint()
		if p.Control != nil && p.Control.Point == pt.Name {
			d.Writable, d.Min, d.Max = true, p.Control.lowest(), p.Control.highest()
		}
		out = append(out, d)
	}
	if c := p.Control; c != nil && p.Point(c.Point) == nil {
		out = append(out, drivers.Point{Name: c.Point, Unit: c.Unit(), Form: c.form(), Readable: c.Readable(p), Writable: true, Min: c.lowest(), Max: c.highest()})
	}
	return out
}

//go:embed profiles/*.yaml
var embedded embed.FS

var loaded = sync.OnceValues(func() (map[string]*Profile, error) {
	entries, err := embedded.ReadDir("profiles")
	if err != nil {
		return nil, err
	}
	out := make(map[string]*Profile, len(entries))
	var faults []error
	for _, e := range entries {
		data, err := embedded.ReadFile(path.Join("profiles", e.Name()))
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(e.Name(), ".yaml")
		p, err := Parse(e.Name(), data)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		if p.Name != name {
			faults = append(faults, fmt.Errorf("%s: name is %q, want %q", e.Name(), p.Name, name))
		}
		out[name] = p
	}
	return out, errors.Join(faults...)
})

// ErrUnknown is returned by [Load] for a name that is not embedded.
var ErrUnknown = errors.New("unknown profile")

// IsFile reports whether a name is that of a user's own file and not of an embedded profile: it ends in .yaml or .yml.
func IsFile(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// Load returns the embedded profile of that name, or reads it from the user's file where [IsFile] says so.
func Load(name string) (*Profile, error) {
	if IsFile(name) {
		return LoadFile(name)
	}
	all, err := loaded()
	if err != nil {
		return nil, err
	}
	p, ok := all[name]
	if !ok {
		return nil, fmt.Errorf("profile %q: %w; there are %s", name, ErrUnknown, strings.Join(Names(), ", "))
	}
	return p, nil
}

// Document returns the YAML of an embedded profile.
func Document(name string) ([]byte, error) {
	data, err := embedded.ReadFile(path.Join("profiles", name+".yaml"))
	if err != nil {
		return nil, fmt.Errorf("profile %q: %w; there are %s", name, ErrUnknown, strings.Join(Names(), ", "))
	}
	return data, nil
}

// MustLoad is [Load] for a name that is known to exist; it panics otherwise.
func MustLoad(name string) *Profile {
	p, err := Load(name)
	if err != nil {
		panic(err)
	}
	return p
}

// LoadFile reads a profile from a file of the user.
func LoadFile(file string) (*Profile, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}
	return Parse(file, data)
}

// Names lists the embedded profiles in alphabetical order.
func Names() []string {
	entries, err := embedded.ReadDir("profiles")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	sort.Strings(out)
	return out
}
