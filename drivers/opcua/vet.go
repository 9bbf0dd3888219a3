package opcua

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
)

// The library's decoder believes a peer: it recurses as deep as a message nests, makes arrays of any dimensions that the message claims, of
// negative length too, and decodes every structure that it knows wherever one stands. A few bytes end the process. So a message is walked
// first, by the types that it must have, and only then decoded.

const (
	vetDepth = 50    // of structures within each other
	vetArray = 65535 // elements of an array in a variant, as the library bounds it
)

// answers are the types of messages that are asked for, by their encoding id.
var answers = func() map[uint32]reflect.Type {
	out := map[uint32]reflect.Type{}
	for _, r := range []ua.Response{&ua.ServiceFault{}, &ua.OpenSecureChannelResponse{}, &ua.GetEndpointsResponse{}, &ua.CreateSessionResponse{},
		&ua.ActivateSessionResponse{}, &ua.CloseSessionResponse{}, &ua.ReadResponse{}, &ua.WriteResponse{}, &ua.BrowseResponse{}, &ua.BrowseNextResponse{},
		&ua.HistoryReadResponse{}, &ua.CreateSubscriptionResponse{}, &ua.DeleteSubscriptionsResponse{}, &ua.CreateMonitoredItemsResponse{}, &ua.PublishResponse{}} {
		out[uint32(ua.ServiceTypeID(r))] = reflect.TypeOf(r).Elem()
	}
	return out
}()

// structures are the types that are decoded where a message has a structure of any type; others are passed over.
var structures = func() map[uint32]reflect.Type {
	out := map[uint32]reflect.Type{}
	for _, s := range []any{&ua.DataChangeNotification{}, &ua.StatusChangeNotification{}, &ua.HistoryData{}, &ua.EUInformation{}, &ua.Range{}} {
		out[ua.NewExtensionObject(s).TypeID.NodeID.IntID()] = reflect.TypeOf(s).Elem()
	}
	return out
}()

// vet checks that a message can be decoded. It makes the types of structures that are to be passed over unknown, in place.
func vet(message []byte) error {
	v := &walker{b: message}
	id, _ := v.nodeID(true)
	t, known := answers[id]
	switch {
	case v.bad:
	case !known:
		return fmt.Errorf("%w: a message of type %d", drivers.ErrGarbage, id)
	default:
		v.value(t)
	}
	if v.bad {
		return fmt.Errorf("%w: a message that is malformed at byte %d", drivers.ErrGarbage, v.pos)
	}
	return nil
}

type walker struct {
	b     []byte
	pos   int
	depth int
	bad   bool
}

// take steps over n bytes and returns them; nil when there are fewer, or the message is bad already.
func (v *walker) take(n int) []byte {
	if v.bad || n < 0 || n > len(v.b)-v.pos {
		v.bad = true
		return nil
	}
	v.pos += n
	return v.b[v.pos-n : v.pos]
}

func (v *walker) u8() byte {
	if b := v.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (v *walker) u32() uint32 {
	if b := v.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// count reads the length of an array or string of elements of at least size bytes; null has none.
func (v *walker) count(size int) int {
	n := v.u32()
	if n == 0xFFFFFFFF {
		return 0
	}
	if int64(n)*int64(size) > int64(len(v.b)-v.pos) {
		v.bad = true
		return 0
	}
	return int(n)
}

func (v *walker) bytes() { v.take(v.count(1)) }

// nodeID returns a numeric id of namespace 0, and the bytes that it stands in; id 0 for every other.
func (v *walker) nodeID(expanded bool) (id uint32, at []byte) {
	from := v.pos
	mask := v.u8()
	switch mask & 0xF {
	case 0:
		id = uint32(v.u8())
	case 1:
		if b := v.take(3); b != nil && b[0] == 0 {
			id = uint32(binary.LittleEndian.Uint16(b[1:]))
		}
	case 2:
		if b := v.take(6); b != nil && b[0] == 0 && b[1] == 0 {
			id = binary.LittleEndian.Uint32(b[2:])
		}
	case 3, 5:
		v.take(2)
		v.bytes()
	case 4:
		v.take(18)
	default:
		v.bad = true
	}
	if v.bad {
		return 0, nil
	}
	at = v.b[from:v.pos]
	if expanded && mask&0x80 != 0 {
		v.bytes()
	}
	if expanded && mask&0x40 != 0 {
		v.take(4)
	}
	return id, at
}

// enter counts a structure within another one.
func (v *walker) enter() bool {
	if v.depth++; v.depth > vetDepth {
		v.bad = true
	}
	return !v.bad
}

func (v *walker) leave() { v.depth-- }

var (
	typeNodeID     = reflect.TypeFor[ua.NodeID]()
	typeExpanded   = reflect.TypeFor[ua.ExpandedNodeID]()
	typeGUID       = reflect.TypeFor[ua.GUID]()
	typeText       = reflect.TypeFor[ua.LocalizedText]()
	typeVariant    = reflect.TypeFor[ua.Variant]()
	typeDataValue  = reflect.TypeFor[ua.DataValue]()
	typeDiagnostic = reflect.TypeFor[ua.DiagnosticInfo]()
	typeExtension  = reflect.TypeFor[ua.ExtensionObject]()
	typeTime       = reflect.TypeFor[time.Time]()
)

// value steps over a value of a type.
func (v *walker) value(t reflect.Type) {
	if v.bad {
		return
	}
	switch t {
	case typeNodeID:
		v.nodeID(false)
	case typeExpanded:
		v.nodeID(true)
	case typeGUID:
		v.take(16)
	case typeText:
		v.text()
	case typeVariant:
		v.variant()
	case typeDataValue:
		v.dataValue()
	case typeDiagnostic:
		v.diagnostic()
	case typeExtension:
		v.extension()
	case typeTime:
		v.take(8)
	default:
		v.plain(t)
	}
}

// plain steps over a value of a type that has no encoding of its own.
func (v *walker) plain(t reflect.Type) {
	switch t.Kind() {
	case reflect.Bool, reflect.Int8, reflect.Uint8:
		v.take(1)
	case reflect.Int16, reflect.Uint16:
		v.take(2)
	case reflect.Int32, reflect.Uint32, reflect.Float32:
		v.take(4)
	case reflect.Int64, reflect.Uint64, reflect.Float64:
		v.take(8)
	case reflect.String:
		v.bytes()
	case reflect.Pointer:
		v.value(t.Elem())
	case reflect.Slice:
		e := t.Elem()
		if e.Kind() == reflect.Uint8 {
			v.bytes()
			return
		}
		if e.Kind() == reflect.Pointer {
			e = e.Elem()
		}
		for n := v.count(1); n > 0 && !v.bad; n-- {
			v.value(e)
		}
	case reflect.Struct:
		if !v.enter() {
			return
		}
		defer v.leave()
		for i := 0; i < t.NumField() && !v.bad; i++ {
			v.value(t.Field(i).Type)
		}
	default:
		v.bad = true
	}
}

func (v *walker) text() {
	mask := v.u8()
	for _, bit := range []byte{1, 2} {
		if mask&bit != 0 {
			v.bytes()
		}
	}
}

func (v *walker) dataValue() {
	if !v.enter() {
		return
	}
	defer v.leave()
	mask := v.u8()
	if mask&ua.DataValueValue != 0 {
		v.variant()
	}
	for _, f := range []struct {
		bit  byte
		size int
	}{{ua.DataValueStatusCode, 4}, {ua.DataValueSourceTimestamp, 8}, {ua.DataValueSourcePicoseconds, 2}, {ua.DataValueServerTimestamp, 8}, {ua.DataValueServerPicoseconds, 2}} {
		if mask&f.bit != 0 {
			v.take(f.size)
		}
	}
}

// variantSizes are the lengths of the built-in types that have one (Part 6, 5.1.2), by their number.
var variantSizes = [26]int{1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4}

func (v *walker) variant() {
	if !v.enter() {
		return
	}
	defer v.leave()
	mask := v.u8()
	t := mask & 0x3F
	switch {
	case t == 0:
		return
	case int(t) >= len(variantSizes):
		v.bad = true
		return
	case mask&0x80 == 0:
		v.builtin(t)
		return
	}
	n := int64(int32(v.u32()))
	if n < -1 || n > vetArray || n > int64(len(v.b)-v.pos) {
		v.bad = true
		return
	}
	for i := int64(0); i < n && !v.bad; i++ {
		v.builtin(t)
	}
	if mask&0x40 == 0 {
		return
	}
	const dimensions = 8
	k := v.u32()
	if k > dimensions {
		v.bad = true
		return
	}
	product := int64(1)
	for range k {
		d := int64(int32(v.u32()))
		if d < 1 || d > vetArray {
			v.bad = true
			return
		}
		if product *= d; product > vetArray {
			v.bad = true
			return
		}
	}
	if k > 0 && product != n {
		v.bad = true
	}
}

// builtin steps over a value of a built-in type.
func (v *walker) builtin(t byte) {
	if size := variantSizes[t]; size > 0 {
		v.take(size)
		return
	}
	switch t {
	case 12, 15, 16: // strings
		v.bytes()
	case 17:
		v.nodeID(false)
	case 18:
		v.nodeID(true)
	case 20: // a qualified name
		v.take(2)
		v.bytes()
	case 21:
		v.text()
	case 22:
		v.extension()
	case 23:
		v.dataValue()
	case 24:
		v.variant()
	case 25:
		v.diagnostic()
	default:
		v.bad = true
	}
}

func (v *walker) diagnostic() {
	if !v.enter() {
		return
	}
	defer v.leave()
	mask := v.u8()
	for _, bit := range []byte{ua.DiagnosticInfoSymbolicID, ua.DiagnosticInfoNamespaceURI, ua.DiagnosticInfoLocale, ua.DiagnosticInfoLocalizedText} {
		if mask&bit != 0 {
			v.take(4)
		}
	}
	if mask&ua.DiagnosticInfoAdditionalInfo != 0 {
		v.bytes()
	}
	if mask&ua.DiagnosticInfoInnerStatusCode != 0 {
		v.take(4)
	}
	if mask&ua.DiagnosticInfoInnerDiagnosticInfo != 0 {
		v.diagnostic()
	}
}

// extension steps over a structure of any type. One that is not needed gets a type that nobody knows.
func (v *walker) extension() {
	if !v.enter() {
		return
	}
	defer v.leave()
	id, at := v.nodeID(true)
	mask := v.u8()
	if v.bad || mask == ua.ExtensionObjectEmpty {
		return
	}
	n := v.count(1)
	if n == 0 || v.bad {
		return
	}
	end := v.pos + n
	t, known := structures[id]
	if mask == ua.ExtensionObjectXML || !known {
		unknown(at)
		v.take(n)
		return
	}
	inner := &walker{b: v.b[:end], pos: v.pos, depth: v.depth}
	inner.value(t)
	v.bad = v.bad || inner.bad
	v.take(n)
}

// unknown makes a numeric node id one of a namespace that has no structures.
func unknown(id []byte) {
	switch id[0] & 0xF {
	case 0:
		id[1] = 0
	case 1:
		id[1] = 0xFF
	case 2:
		id[1], id[2] = 0xFF, 0xFF
	}
}
