package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"
)

// maxRTU is the longest RTU frame, checksum included, in bytes.
const maxRTU = 256

// rtuFramed is RTU framing over a stream: of a gateway that passes the bytes of a serial line on as they are, and itself keeps the pauses of the line. It does what simonvetter/modbus does not: a
// time-out for each request, a connection that outlives a unit's silence while others are asked, exceptions of gateways in whatever name they speak, a frame found behind bytes that a line
// makes when its direction turns, and no pauses of a line that is not there.
//
// Frames carry no transaction. An answer that comes too late is known by its unit alone: a unit that owes an answer is not asked on this connection again before it came.
type rtuFramed struct {
	stream
	owing map[uint8]bool // units whose answer may still come
	torn  bool           // the last answer did not come whole
	out   [maxRTU]byte
	in    [2 * maxRTU]byte
	n     int // bytes of in
}

func newRTUFramed(conn net.Conn) *rtuFramed {
	return &rtuFramed{stream: newStream(conn), owing: map[uint8]bool{}}
}

// inStep is true while no part of an answer came: what comes later is then whole, and known by its unit.
func (w *rtuFramed) inStep() bool { return !w.torn }

// owes reports whether an answer of a unit may still come on this connection.
func (w *rtuFramed) owes(unit uint8) bool { return w.owing[unit] }

func (w *rtuFramed) send(x exchange, timeout time.Duration) error {
	if err := w.limit(timeout); err != nil {
		return err
	}
	w.n, w.torn = 0, false
	b := x.encode(append(w.out[:0], x.unit))
	if _, err := w.conn.Write(binary.LittleEndian.AppendUint16(b, crc16(b))); err != nil {
		w.torn = true
		return deadline(err)
	}
	w.owing[x.unit] = true
	return nil
}

func (w *rtuFramed) receiveFor(ctx context.Context, x exchange) (values []uint16, err error, left bool) {
	return w.receiveWhile(ctx, func() ([]uint16, error) { return w.receive(x) })
}

func (w *rtuFramed) receive(x exchange) ([]uint16, error) {
	w.torn = false
	var foreign error
	for skipped := 0; skipped < maxStale; {
		switch f, state := scanRTU(w.in[:w.n], x); {
		case state == rtuFrame && w.answers(f, x):
			rest := w.in[f.end:w.n]
			if next, state := scanRTU(rest, x); state == rtuFrame && next.unit == x.unit {
				w.torn = true
				return nil, fmt.Errorf("%w: two answers of unit %d", errGarbage, x.unit)
			}
			delete(w.owing, x.unit)
			return x.decode(f.pdu)
		case state == rtuFrame: // too late, or of somebody else on the line
			if !w.owing[f.unit] {
				foreign = fmt.Errorf("%w: unit %d, asked %d", errGarbage, f.unit, x.unit)
			}
			delete(w.owing, f.unit)
			w.n = copy(w.in[:], w.in[f.end:w.n])
			skipped++
			continue
		case state == rtuNone || w.n == len(w.in):
			w.torn = true
			return nil, fmt.Errorf("%w: no frame in % x", errGarbage, w.in[:min(w.n, 32)])
		}
		n, err := w.conn.Read(w.in[w.n:])
		if w.n += n; err != nil && n == 0 {
			err = deadline(err)
			w.torn = w.n > 0 || !errors.Is(err, errTimedOut)
			if foreign != nil && errors.Is(err, errTimedOut) && !time.Now().Before(w.deadline) {
				err = foreign
			}
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: %d answers of other units", errGarbage, maxStale)
}

// answers reports whether a frame answers a request: in the name of its unit, or as a gateway that speaks for itself or for any unit but one whose answer is late.
func (w *rtuFramed) answers(f rtuFound, x exchange) bool {
	return f.unit == x.unit || !w.owing[f.unit] && (f.unit == 255 && f.pdu[0]&0x80 != 0 || ofGateway(f.pdu))
}

// rtuState is what bytes amount to.
type rtuState int

const (
	rtuMore  rtuState = iota // the beginning of a frame
	rtuFrame                 // one is there
	rtuNone                  // none can begin in them
)

// rtuFound is a frame in bytes.
type rtuFound struct {
	unit uint8
	pdu  []byte // function and what follows, without the checksum
	end  int    // where the next one would begin
}

// scanRTU looks for the first whole frame with a right checksum that may answer a request to the unit or to another. Bytes before it are none: a line makes some when its direction turns.
func scanRTU(b []byte, x exchange) (rtuFound, rtuState) {
	state := rtuNone
	if len(b) < 5 { // than which no frame is shorter
		return rtuFound{}, rtuMore
	}
	for i := range b {
		ours := b[i] == x.unit && (len(b) == i+1 || b[i+1]&0x7F == x.function || b[i+1] == 0x80)
		length, known := rtuLength(b[i:])
		switch {
		case known && length == 0:
		case known && length <= len(b)-i:
			f := b[i : i+length]
			if crc16(f[:length-2]) == binary.LittleEndian.Uint16(f[length-2:]) {
				return rtuFound{f[0], f[1 : length-2], i + length}, rtuFrame
			}
		case ours:
			return rtuFound{}, rtuMore
		case i == 0:
			state = rtuMore
		}
	}
	return rtuFound{}, state
}

// rtuLength is the length of the answer that begins with the bytes, checksum included, once it is known; 0: no function that we ask for begins so.
func rtuLength(b []byte) (length int, known bool) {
	if len(b) < 2 {
		return 0, false
	}
	switch b[1] {
	case 1, 2, 3, 4:
		if len(b) < 3 {
			return 0, false
		}
		if length = 5 + int(b[2]); length > maxRTU {
			return 0, true
		}
		return length, true
	case 5, 6, 15, 16:
		return 8, true
	}
	if b[1]&0x80 != 0 {
		return 5, true
	}
	return 0, true
}

// crc16 is the checksum of RTU frames (Modbus over serial line V1.02, 6.2.2).
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc = crc>>8 ^ crcTable[byte(crc)^x]
	}
	return crc
}

// crcTable is what a byte makes of the checksum.
var crcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i)
		for range 8 {
			odd := crc&1 != 0
			if crc >>= 1; odd {
				crc ^= 0xA001
			}
		}
		table[i] = crc
	}
	return table
}()
