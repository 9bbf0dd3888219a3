package serve

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/schemas/district"
)

// Type is the data type of a variable.
type Type uint8

// The types of variables.
const (
	Double Type = iota
	Float
	Int16
	UInt16
	Int32
	UInt32
	Int64
	UInt64
	Boolean
	String
)

var dataTypes = [...]uint32{Double: id.Double, Float: id.Float, Int16: id.Int16, UInt16: id.UInt16, Int32: id.Int32, UInt32: id.UInt32,
	Int64: id.Int64, UInt64: id.UInt64, Boolean: id.Boolean, String: id.String}

// Variable describes a node with a value.
type Variable struct {
	Path        []string // browse names from the Objects folder, the last one the variable's own; missing folders are made
	NodeID      string   // identifier in the server's namespace, without index: "s=Power.Active" or "i=17"
	Type        Type
	Name        string // shown to people, in English; empty: the last of Path
	Description string
	French      Text    // the same for clients that prefer French
	Unit        string  // shown as its engineering unit; empty for none
	Low, High   float64 // range in which values are expected, and, of a writable variable, taken; equal: none is told
	Writable    bool    // values go to [Config.Write]
	History     bool    // [Config.History] knows its record
}

// Text is what people read of a node. What is empty is as in English.
type Text struct{ Name, Description string }

// node is one node of the address space. All but its value and its references is fixed when it is added.
type node struct {
	id          *ua.NodeID
	class       ua.NodeClass
	browse      *ua.QualifiedName
	display     *ua.LocalizedText
	description *ua.LocalizedText
	typeDef     *ua.NodeID // of objects and variables
	dataType    *ua.NodeID // of variables
	rank        int32      // of variables: -1 scalar, 1 array
	kind        Type       // of added variables
	abstract    bool       // of types
	inverse     string     // of reference types
	text        string     // of added variables: their id as it was given
	low, high   float64    // of added variables, equal without a range
	writable    bool
	history     bool
	french      struct{ display, description *ua.LocalizedText } // nil: as in English

	watching sync.Mutex
	items    map[*item]struct{} // guarded by watching

	refs  []*ua.ReferenceDescription // guarded by space.mu
	value atomic.Pointer[ua.DataValue]
	live  func() *ua.DataValue // values that follow the clock
}

// space is the address space.
type space struct {
	srv *Server
	ns  uint16 // index of the server's own namespace

	mu    sync.RWMutex
	nodes map[string]*node // by NodeID.String
}

// Errors of [Server.AddVariable] and [Server.Set].
var (
	ErrDuplicate   = errors.New("node exists already")
	ErrUnknownNode = errors.New("unknown node")
	ErrType        = errors.New("value does not fit the variable's type")
)

func (sp *space) get(n *ua.NodeID) *node {
	if n == nil {
		return nil
	}
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return sp.nodes[n.String()]
}

// references returns the references of n; the slice is never changed afterwards.
func (sp *space) references(n *node) []*ua.ReferenceDescription {
	sp.mu.RLock()
	defer sp.mu.RUnlock()
	return slices.Clip(n.refs)
}

// add puts a node below its parent; mu is held.
func (sp *space) add(n *node, parent *node, reference uint32) {
	sp.nodes[n.id.String()] = n
	if n.typeDef != nil {
		if t := sp.nodes[n.typeDef.String()]; t != nil {
			n.refs = append(n.refs, describe(t, id.HasTypeDefinition, true))
		}
	}
	if parent != nil {
		parent.refs = append(parent.refs, describe(n, reference, true))
		n.refs = append(n.refs, describe(parent, reference, false))
	}
}

// describe is a reference to a node as Browse returns it.
func describe(n *node, reference uint32, forward bool) *ua.ReferenceDescription {
	typeDef := ua.NewTwoByteExpandedNodeID(0)
	if n.typeDef != nil {
		typeDef = &ua.ExpandedNodeID{NodeID: n.typeDef}
	}
	return &ua.ReferenceDescription{
		ReferenceTypeID: nodeID(reference), IsForward: forward, NodeID: &ua.ExpandedNodeID{NodeID: n.id},
		BrowseName: n.browse, DisplayName: n.display, NodeClass: n.class, TypeDefinition: typeDef,
	}
}

// nodeID is a numeric id of namespace 0 in its shortest encoding.
func nodeID(n uint32) *ua.NodeID {
	if n < 256 {
		return ua.NewTwoByteNodeID(uint8(n))
	}
	if n < 1<<16 {
		return ua.NewFourByteNodeID(0, uint16(n))
	}
	return ua.NewNumericNodeID(0, n)
}

// NameFolder says how a folder is shown to people, before Run; the folder is made when it is not there.
func (s *Server) NameFolder(path []string, name string, french Text) error {
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	n, err := s.space.folder(path)
	if err != nil {
		return err
	}
	if name != "" {
		n.display.Text = name // the references to it share the text
	}
	n.setFrench(french)
	return nil
}

func localized(locale, text string) *ua.LocalizedText {
	l := &ua.LocalizedText{Text: text, Locale: locale}
	l.UpdateMask()
	return l
}

func (n *node) setFrench(t Text) {
	if t.Name != "" {
		n.french.display = localized("fr", t.Name)
	}
	if t.Description != "" {
		n.french.description = localized("fr", t.Description)
	}
}

// watch tells an item of new values; unwatch no longer does.
func (n *node) watch(it *item) {
	n.watching.Lock()
	defer n.watching.Unlock()
	if n.items == nil {
		n.items = map[*item]struct{}{}
	}
	n.items[it] = struct{}{}
}

func (n *node) unwatch(it *item) {
	n.watching.Lock()
	delete(n.items, it)
	n.watching.Unlock()
}

// set stores a value and offers it to the items; their locks are taken while the node's is not held.
func (n *node) set(dv *ua.DataValue) {
	n.value.Store(dv)
	n.watching.Lock()
	if len(n.items) == 0 {
		n.watching.Unlock()
		return
	}
	items := make([]*item, 0, len(n.items))
	for it := range n.items {
		items = append(items, it)
	}
	n.watching.Unlock()
	now := time.Now()
	for _, it := range items {
		it.sub.mu.Lock()
		if it.attribute == ua.AttributeIDValue {
			it.offer(dv, now)
		}
		it.sub.mu.Unlock()
	}
}

// AddFolder adds the folder named by its path from the Objects folder, with those above it that are missing.
func (s *Server) AddFolder(path ...string) error {
	s.space.mu.Lock()
	defer s.space.mu.Unlock()
	_, err := s.space.folder(path)
	return err
}

func (sp *space) folder(path []string) (*node, error) {
	at := sp.nodes[nodeID(id.ObjectsFolder).String()]
	for i := range path {
		next := sp.nodes[sp.objectID(path[:i+1]).String()]
		if next == nil {
			var err error
			if next, err = sp.object(at, path[:i+1], nodeID(id.FolderType)); err != nil {
				return nil, err
			}
		} else if next.class != ua.NodeClassObject {
			return nil, fmt.Errorf("opc ua server: path %q: %q is no folder: %w", path, path[i], ErrDuplicate)
		}
		at = next
	}
	return at, nil
}

// AddVariable adds a variable; until the first [Server.Set] its status is BadWaitingForInitialData.
func (s *Server) AddVariable(v Variable) error {
	if len(v.Path) == 0 {
		return fmt.Errorf("opc ua server: variable %q has no path", v.NodeID)
	}
	sp := s.space
	nid, err := sp.parse(v.NodeID)
	if err != nil {
		return err
	}
	if int(v.Type) >= len(dataTypes) {
		return fmt.Errorf("opc ua server: variable %q: type %d is unknown", v.NodeID, v.Type)
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if sp.nodes[nid.String()] != nil {
		return fmt.Errorf("opc ua server: variable %q: %w", v.NodeID, ErrDuplicate)
	}
	parent, err := sp.folder(v.Path[:len(v.Path)-1])
	if err != nil {
		return err
	}
	name := v.Path[len(v.Path)-1]
	n := &node{
		id: nid, class: ua.NodeClassVariable, typeDef: nodeID(id.BaseDataVariableType), dataType: nodeID(dataTypes[v.Type]), rank: -1, kind: v.Type,
		browse: &ua.QualifiedName{NamespaceIndex: sp.ns, Name: name}, display: ua.NewLocalizedText(name), description: ua.NewLocalizedText(v.Description),
		text: v.NodeID, low: v.Low, high: v.High, writable: v.Writable && s.cfg.Write != nil, history: v.History && s.cfg.History != nil,
	}
	if v.Name != "" {
		n.display = localized("en", v.Name)
	}
	n.setFrench(v.French)
	if v.Unit != "" {
		n.typeDef = nodeID(id.AnalogUnitType)
		if v.High > v.Low {
			n.typeDef = nodeID(id.AnalogUnitRangeType)
		}
	}
	n.value.Store(&ua.DataValue{EncodingMask: ua.DataValueStatusCode, Status: ua.StatusBadWaitingForInitialData})
	sp.add(n, parent, id.HasComponent)
	if v.Unit != "" {
		sp.property(n, "EngineeringUnits", "/unit/", id.EUInformation, engineeringUnit(v.Unit))
	}
	if v.High > v.Low {
		sp.property(n, "EURange", "/range/", id.Range, &ua.Range{Low: v.Low, High: v.High})
	}
	return nil
}

// property adds a property with a constant structure to a variable; mu is held.
func (sp *space) property(n *node, name, prefix string, dataType uint32, value any) *node {
	u := &node{
		id: ua.NewStringNodeID(sp.ns, prefix+n.text), class: ua.NodeClassVariable, typeDef: nodeID(id.PropertyType), dataType: nodeID(dataType), rank: -1,
		browse: &ua.QualifiedName{Name: name}, display: ua.NewLocalizedText(name), description: ua.NewLocalizedText(""),
	}
	u.value.Store(constant(ua.NewExtensionObject(value)))
	sp.add(u, n, id.HasProperty)
	return u
}

func (sp *space) parse(text string) (*ua.NodeID, error) {
	if !strings.HasPrefix(text, "s=") && !strings.HasPrefix(text, "i=") && !strings.HasPrefix(text, "g=") && !strings.HasPrefix(text, "b=") || len(text) < 3 {
		return nil, fmt.Errorf("opc ua server: node id %q, want s=…, i=…, g=… or b=… without namespace", text)
	}
	n, err := ua.ParseNodeID(fmt.Sprintf("ns=%d;%s", sp.ns, text))
	if err != nil {
		return nil, fmt.Errorf("opc ua server: node id %q: %w", text, err)
	}
	return n, nil
}

// Set gives a variable its value, quality and the time at which the source took it. value is a float64, bool, string or an integer, and is
// brought to the variable's type; NaN, or a number that the type cannot hold, is [ErrType] unless the quality is bad, where it is no value. Of a writable double NaN is
// a value like any other.
func (s *Server) Set(nodeID string, value any, q district.Quality, at time.Time) error {
	nid, err := s.space.parse(nodeID)
	if err != nil {
		return err
	}
	n := s.space.get(nid)
	if n == nil || n.dataType == nil {
		return fmt.Errorf("opc ua server: %s: %w", nodeID, ErrUnknownNode)
	}
	dv := &ua.DataValue{EncodingMask: ua.DataValueStatusCode | ua.DataValueSourceTimestamp, Status: statusOf(q), SourceTimestamp: at.UTC()}
	v, err := variant(n.kind, value)
	if f, ok := value.(float64); ok && math.IsNaN(f) && n.writable && n.kind == Double && q == district.Good {
		v, err = ua.NewVariant(f) // nothing is asked for
	}
	switch {
	case err == nil:
		dv.Value, dv.EncodingMask = v, dv.EncodingMask|ua.DataValueValue
	case q != district.Bad:
		return fmt.Errorf("opc ua server: %s: %v: %w", nodeID, value, err)
	}
	n.set(dv)
	return nil
}

// statusOf is the OPC UA status of a quality; package opcua reads it back.
func statusOf(q district.Quality) ua.StatusCode {
	switch q {
	case district.Good:
		return ua.StatusGood
	case district.Uncertain:
		return ua.StatusUncertain
	case district.Substituted:
		return ua.StatusUncertainSubstituteValue
	}
	return ua.StatusBad
}

// variant brings a value to a type.
func variant(t Type, value any) (*ua.Variant, error) {
	switch v := value.(type) {
	case string:
		if t == String {
			return ua.NewVariant(v)
		}
		return nil, ErrType
	case bool:
		if t == Boolean {
			return ua.NewVariant(v)
		}
		f := 0.0
		if v {
			f = 1
		}
		return variant(t, f)
	case int:
		return variant(t, float64(v))
	case int32:
		return variant(t, float64(v))
	case int64:
		switch {
		case t == Int64:
			return ua.NewVariant(v)
		case t == UInt64 && v >= 0:
			return ua.NewVariant(uint64(v))
		}
		return variant(t, float64(v))
	case uint64:
		switch {
		case t == UInt64:
			return ua.NewVariant(v)
		case t == Int64 && v <= math.MaxInt64:
			return ua.NewVariant(int64(v))
		}
		return variant(t, float64(v))
	case float32:
		return variant(t, float64(v))
	case float64:
		return number(t, v)
	}
	return nil, ErrType
}

func number(t Type, f float64) (*ua.Variant, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, ErrType
	}
	n := math.Round(f)
	within := func(lo, hi float64) bool { return n >= lo && n < hi }
	switch {
	case t == Double:
		return ua.NewVariant(f)
	case t == Float && math.Abs(f) <= math.MaxFloat32:
		return ua.NewVariant(float32(f))
	case t == Int16 && within(-1<<15, 1<<15):
		return ua.NewVariant(int16(n))
	case t == UInt16 && within(0, 1<<16):
		return ua.NewVariant(uint16(n))
	case t == Int32 && within(-1<<31, 1<<31):
		return ua.NewVariant(int32(n))
	case t == UInt32 && within(0, 1<<32):
		return ua.NewVariant(uint32(n))
	case t == Int64 && within(-1<<63, 1<<63):
		return ua.NewVariant(int64(n))
	case t == UInt64 && within(0, 1<<64):
		return ua.NewVariant(uint64(n))
	case t == Boolean && (n == 0 || n == 1):
		return ua.NewVariant(n == 1)
	}
	return nil, ErrType
}

func constant(v any) *ua.DataValue {
	return &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(v)}
}
