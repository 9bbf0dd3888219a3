package serve

import (
	"context"
	"math"

	"github.com/gopcua/opcua/ua"
)

// Written is a value that a user writes.
type Written struct {
	NodeID string // as the variable was added, without namespace
	Value  float64
}

// writeItem is one node of a Write request.
type writeItem struct {
	node      *ua.NodeID
	attribute ua.AttributeID
	ranged    bool // of an array
	more      bool // status or times beside the value
	typ       byte // built-in type of the value, 0 for none
	array     bool
	value     float64 // of a number
	broken    bool    // its value could not be stepped over, so nothing after it is known
}

// Built-in types of Part 6, 5.1.2, and their sizes; 0 where it is not fixed.
const (
	typeFloat, typeDouble = 10, 11
)

var fixedSize = [26]int{1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4}

// decodeWrites reads a Write request without recursion: values that can hold values end the reading, and whatever follows them is not written.
func decodeWrites(body []byte) ([]writeItem, error) {
	buf := ua.NewBuffer(body)
	n := length(buf, 11) // node id 2, attribute 4, range 4, value 1
	if buf.Error() != nil {
		return nil, errShape
	}
	items := make([]writeItem, n)
	for i := range items {
		it := &items[i]
		it.node = new(ua.NodeID)
		buf.ReadStruct(it.node)
		it.attribute = ua.AttributeID(buf.ReadUint32())
		it.ranged = buf.ReadString() != ""
		mask := buf.ReadByte()
		if buf.Error() != nil {
			return nil, errShape
		}
		it.more = mask&^ua.DataValueValue != 0
		if mask&ua.DataValueValue != 0 && !it.variant(buf) {
			for k := i; k < len(items); k++ {
				items[k].broken = true
			}
			return items, nil
		}
		for _, field := range []struct {
			bit  byte
			size int
		}{{ua.DataValueStatusCode, 4}, {ua.DataValueSourceTimestamp, 8}, {ua.DataValueSourcePicoseconds, 2}, {ua.DataValueServerTimestamp, 8}, {ua.DataValueServerPicoseconds, 2}} {
			if mask&field.bit != 0 {
				buf.ReadN(field.size)
			}
		}
		if buf.Error() != nil {
			return nil, errShape
		}
	}
	return items, nil
}

// variant reads a value; false when it is of a type that can hold others, or cut off.
func (it *writeItem) variant(buf *ua.Buffer) bool {
	encoding := buf.ReadByte()
	it.typ, it.array = encoding&0x3F, encoding&0xC0 != 0
	n := 1
	if encoding&0x80 != 0 {
		n = length(buf, 1)
	}
	if int(it.typ) >= len(fixedSize) || it.typ == 0 {
		return it.typ == 0 && buf.Error() == nil
	}
	switch size := fixedSize[it.typ]; {
	case size > 0 && !it.array && it.typ == typeDouble:
		it.value = buf.ReadFloat64()
	case size > 0 && !it.array && it.typ == typeFloat:
		it.value = float64(buf.ReadFloat32())
	case size > 0:
		if int64(n)*int64(size) > int64(buf.Len()) {
			return false
		}
		buf.ReadN(n * size)
	case it.typ == 12 || it.typ == 15 || it.typ == 16: // String, ByteString, XmlElement
		for range n {
			if buf.ReadBytes(); buf.Error() != nil {
				return false
			}
		}
	default:
		return false
	}
	if encoding&0x40 != 0 {
		for range length(buf, 4) {
			buf.ReadUint32()
		}
	}
	return buf.Error() == nil
}

// write hands the values that a user may write on, and answers for each node.
func (ses *session) write(ctx context.Context, hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	items, err := decodeWrites(body)
	switch {
	case err != nil:
		return nil, err
	case len(items) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(items) > maxOperations:
		return nil, ua.StatusBadTooManyOperations
	}
	by := ses.writer()
	results := make([]ua.StatusCode, len(items))
	var values []Written
	var at []int
	for i := range items {
		n := ses.srv.space.get(items[i].node)
		if results[i] = items[i].check(n, by); results[i] == ua.StatusOK {
			values, at = append(values, Written{n.text, items[i].value}), append(at, i)
		}
	}
	if len(values) > 0 {
		for k, status := range ses.srv.cfg.Write(ctx, by, values) {
			results[at[k]] = status
		}
	}
	return &ua.WriteResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// check says why a value is not written, or StatusOK. What is not writable is said first, so that it is told alike to everybody.
func (it *writeItem) check(n *node, by Writer) ua.StatusCode {
	switch {
	case it.node == nil:
		return ua.StatusBadDecodingError // what stands before it could not be read
	case n == nil || !n.writable || it.attribute != ua.AttributeIDValue:
		return ua.StatusBadNotWritable
	case !by.Write:
		return ua.StatusBadUserAccessDenied
	case it.broken, it.array, it.typ != typeDouble:
		return ua.StatusBadTypeMismatch
	case it.ranged, it.more:
		return ua.StatusBadWriteNotSupported
	case !math.IsNaN(it.value) && (it.value < n.low || it.value > n.high):
		return ua.StatusBadOutOfRange
	}
	return ua.StatusOK
}

func (ses *session) writer() Writer {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	w := Writer{User: ses.user}
	if ses.conn != nil {
		w.Remote = ses.conn.nc.RemoteAddr().String()
	}
	return w
}

// mayWrite reports whether a node takes values of this session's user.
func (ses *session) mayWrite(n *node) bool { return n.writable && ses.writer().Write }
