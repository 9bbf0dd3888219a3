package opcua

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// publication is what a Publish answer says that matters here.
type publication struct {
	subscription uint32
	sequence     uint32
	tells        bool // it is no keep-alive, and has to be acknowledged
	changes      []change
	over         bool // the subscription is, for the reason of status
	status       ua.StatusCode
}

// change is a new value of a monitored item.
type change struct {
	handle uint32
	datum  datum
}

// publicationOf takes what matters out of an answer that the library decoded.
func publicationOf(resp *ua.PublishResponse) publication {
	p := publication{subscription: resp.SubscriptionID}
	msg := resp.NotificationMessage
	if msg == nil {
		return p
	}
	p.sequence, p.tells = msg.SequenceNumber, len(msg.NotificationData) > 0
	for _, data := range msg.NotificationData {
		if data == nil {
			continue
		}
		switch n := data.Value.(type) {
		case *ua.DataChangeNotification:
			for _, m := range n.MonitoredItems {
				if m != nil && m.Value != nil {
					p.changes = append(p.changes, change{m.ClientHandle, datumOf(m.Value)})
				}
			}
		case *ua.StatusChangeNotification:
			p.over, p.status = true, n.Status
		}
	}
	return p
}

// decodePublication decodes a Publish answer that tells nothing but scalar values, as nearly all do: the library's reflection takes most of a
// subscription's time otherwise. ok is false for every other message, and for one that is malformed; the library has to see those.
func decodePublication(b []byte) (p publication, ok bool) {
	w := &walker{b: b}
	if w.four() != id.PublishResponse_Encoding_DefaultBinary {
		return p, false
	}
	w.take(12) // time and handle of the request
	status := ua.StatusCode(w.u32())
	if w.u8() != 0 || w.count(1) != 0 || w.u8() != 0 || w.u8() != 0 || w.u8() != 0 || severity(status) == severityBad { // diagnostics, their texts, and a header
		return p, false
	}
	p.subscription = w.u32()
	w.take(4 * w.count(4)) // numbers of messages that are kept
	w.take(1)
	p.sequence = w.u32()
	w.take(8)
	n := w.count(8)
	p.tells = n > 0
	for ; n > 0 && !w.bad; n-- {
		if w.four() != id.DataChangeNotification_Encoding_DefaultBinary || w.u8() != ua.ExtensionObjectBinary {
			return p, false
		}
		size := w.count(1)
		if w.bad || size == 0 {
			return p, false
		}
		body := &walker{b: w.b[:w.pos+size], pos: w.pos}
		if p.changes, ok = body.changes(p.changes); !ok {
			return p, false
		}
		w.pos += size
	}
	w.take(4 * w.count(4))
	return p, w.count(1) == 0 && !w.bad && w.pos == len(b)
}

// four returns a numeric id of namespace 0 in its encoding of four bytes; 0 for every other.
func (v *walker) four() uint32 {
	if b := v.take(4); b != nil && b[0] == 1 && b[1] == 0 {
		return uint32(binary.LittleEndian.Uint16(b[2:]))
	}
	return 0
}

func (v *walker) u64() uint64 {
	if b := v.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// changes adds the values of a notification that reaches to the end of the message.
func (v *walker) changes(out []change) ([]change, bool) {
	n := v.count(5)
	if out == nil {
		out = make([]change, 0, n)
	}
	for ; n > 0; n-- {
		c := change{handle: v.u32()}
		if !v.datum(&c.datum) {
			return out, false
		}
		out = append(out, c)
	}
	return out, v.count(1) == 0 && !v.bad && v.pos == len(v.b)
}

// epoch is 1970 in the 100 ns since 1601 that times are told in.
const epoch = 116444736000000000

// datum reads a data value that is a scalar.
func (v *walker) datum(d *datum) bool {
	mask := v.u8()
	if mask&0xC0 != 0 {
		return false
	}
	d.known = true
	if mask&ua.DataValueValue != 0 && !v.scalar(d) {
		return false
	}
	if mask&ua.DataValueStatusCode != 0 {
		d.status = ua.StatusCode(v.u32())
	}
	if mask&ua.DataValueSourceTimestamp != 0 {
		if t := v.u64(); t != 0 {
			d.source = time.Unix(0, int64((t-epoch)*100)).UTC()
		}
	}
	if mask&ua.DataValueSourcePicoseconds != 0 {
		v.take(2)
	}
	if mask&ua.DataValueServerTimestamp != 0 {
		v.take(8)
	}
	if mask&ua.DataValueServerPicoseconds != 0 {
		v.take(2)
	}
	return !v.bad
}

// scalar reads a variant that holds a number, a boolean, a text, a time, which is none of these, or nothing.
func (v *walker) scalar(d *datum) bool {
	number := func(x float64) { d.kind, d.number = datumNumber, x }
	switch ua.TypeID(v.u8()) {
	case ua.TypeIDNull:
	case ua.TypeIDBoolean:
		number(0)
		if v.u8() > 0 {
			number(1)
		}
	case ua.TypeIDSByte:
		number(float64(int8(v.u8())))
	case ua.TypeIDByte:
		number(float64(v.u8()))
	case ua.TypeIDInt16:
		number(float64(int16(v.u16())))
	case ua.TypeIDUint16:
		number(float64(v.u16()))
	case ua.TypeIDInt32:
		number(float64(int32(v.u32())))
	case ua.TypeIDUint32:
		number(float64(v.u32()))
	case ua.TypeIDInt64:
		number(float64(int64(v.u64())))
	case ua.TypeIDUint64:
		number(float64(v.u64()))
	case ua.TypeIDFloat:
		number(float64(math.Float32frombits(v.u32())))
	case ua.TypeIDDouble:
		number(math.Float64frombits(v.u64()))
	case ua.TypeIDString:
		d.kind, d.text = datumText, string(v.take(v.count(1)))
	case ua.TypeIDDateTime:
		v.take(8)
	default:
		return false
	}
	return !v.bad
}

func (v *walker) u16() uint16 {
	if b := v.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}
