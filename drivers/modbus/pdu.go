package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// exchange is one request, as data.
type exchange struct {
	unit     uint8
	function uint8    // 1 to 6, 15 or 16
	address  uint16   // 0-based
	quantity uint16   // of registers or bits
	values   []uint16 // of a write; of bits, 0 or 1
}

func (x exchange) write() bool { return x.function > 4 }
func (x exchange) bits() bool {
	return x.function == 1 || x.function == 2 || x.function == 5 || x.function == 15
}

// errGarbage marks an answer that is none to the request.
var errGarbage = errors.New("no answer to the request")

// exceptionError is what a device or gateway says instead of an answer.
type exceptionError uint8

// The exceptions that only gateways make: there is no way to the unit, or it is silent.
const (
	noPathBehind   exceptionError = 10
	noAnswerBehind exceptionError = 11
)

// ofGateway reports whether an answer is a gateway's word about the unit behind it. Some give it in a name of their own, and as an exception to function 0, since to
// them the request was never decoded (pymodbus up to 3.8 does).
func ofGateway(pdu []byte) bool {
	return len(pdu) == 2 && pdu[0]&0x80 != 0 && (exceptionError(pdu[1]) == noPathBehind || exceptionError(pdu[1]) == noAnswerBehind)
}

// passing reports whether an exception says nothing of the request: the device works on something else, or the gateway has no room.
func (e exceptionError) passing() bool { return e == 5 || e == 6 || e == noPathBehind }

// ofRequest reports whether an exception is about what was asked, and will come again.
func (e exceptionError) ofRequest() bool { return e >= 1 && e <= 3 }

// noSuchAddress is the exception of a device that does not have an address.
const noSuchAddress exceptionError = 2

var exceptionTexts = map[exceptionError]string{1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "server device failure", 5: "acknowledge",
	6: "server device busy", 7: "negative acknowledge", 8: "memory parity error", 10: "gateway path unavailable", 11: "gateway target device failed to respond"}

func (e exceptionError) Error() string {
	text, known := exceptionTexts[e]
	if !known {
		text = "unknown"
	}
	return fmt.Sprintf("exception %d, %s", uint8(e), text)
}

// encode appends the request's protocol data unit.
func (x exchange) encode(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(append(b, x.function), x.address)
	switch x.function {
	case 5:
		if x.values[0] != 0 {
			return append(b, 0xFF, 0)
		}
		return append(b, 0, 0)
	case 6:
		return binary.BigEndian.AppendUint16(b, x.values[0])
	case 15:
		packed := make([]byte, (len(x.values)+7)/8)
		for i, v := range x.values {
			if v != 0 {
				packed[i/8] |= 1 << (i % 8)
			}
		}
		b = binary.BigEndian.AppendUint16(b, x.quantity)
		return append(append(b, byte(len(packed))), packed...)
	case 16:
		b = binary.BigEndian.AppendUint16(b, x.quantity)
		b = append(b, byte(2*len(x.values)))
		for _, v := range x.values {
			b = binary.BigEndian.AppendUint16(b, v)
		}
		return b
	}
	return binary.BigEndian.AppendUint16(b, x.quantity)
}

// decode returns what the protocol data unit of an answer says: the registers, or bits as 0 and 1, of a read. The error is an exceptionError or errGarbage.
func (x exchange) decode(pdu []byte) ([]uint16, error) {
	if len(pdu) < 2 {
		return nil, fmt.Errorf("%w: %d bytes", errGarbage, len(pdu))
	}
	if len(pdu) == 2 && (pdu[0] == x.function|0x80 || pdu[0] == 0x80 && ofGateway(pdu)) {
		return nil, exceptionError(pdu[1])
	}
	if pdu[0] != x.function {
		return nil, fmt.Errorf("%w: function %d, asked %d", errGarbage, pdu[0], x.function)
	}
	if x.write() {
		if want := x.encode(nil)[:5]; string(pdu) != string(want) {
			return nil, fmt.Errorf("%w: the echo of the write is % x, want % x", errGarbage, pdu, want)
		}
		return nil, nil
	}
	size := 2 * int(x.quantity)
	if x.bits() {
		size = (int(x.quantity) + 7) / 8
	}
	if int(pdu[1]) != size || len(pdu) != 2+size {
		return nil, fmt.Errorf("%w: %d bytes that say to be %d, want %d", errGarbage, len(pdu)-2, pdu[1], size)
	}
	out := make([]uint16, x.quantity)
	if x.bits() {
		for i := range out {
			out[i] = uint16(pdu[2+i/8] >> (i % 8) & 1)
		}
		return out, nil
	}
	for i, b := 0, pdu[2:]; i < len(out); i, b = i+1, b[2:] {
		out[i] = binary.BigEndian.Uint16(b)
	}
	return out, nil
}
