package modbus

import (
	"bytes"
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
// makes when its direction turns or an adapter sends back, and no pauses of a line that is not there.
//
// Frames carry no transaction. An answer that comes too late is known by its unit alone: a unit that owes an answer is not asked on this connection again before it came, nor is one that said something
// that it was not asked for. An exception in a gateway's own name counts only while nobody but the asked unit owes: else it may be a late word about another.
type rtuFramed struct {
	stream
	owing   map[uint8]bool // units whose answer may still come
	torn    bool           // the last answer did not come whole
	echoes  bool           // the adapter sent the last request back that tells
	echoCut bool           // it did this one, and that was taken off
	out     [maxRTU]byte
	sent    int // bytes of out
	in      [2 * maxRTU]byte
	n       int // bytes of in
}

func newRTUFramed(conn net.Conn) *rtuFramed {
	return &rtuFramed{stream: newStream(conn), owing: map[uint8]bool{}}
}

// inStep is true while no part of an answer came: what comes later is then whole, and known by its unit.
func (w *rtuFramed) inStep() bool { return !w.torn }

// owes reports whether an answer of a unit may still come on this connection.
func (w *rtuFramed) owes(unit uint8) bool { return w.owing[unit] }

func (w *rtuFramed) send(x exchange, timeout time.Duration) error {
	w.torn, w.echoCut = false, false
	if err := w.takeUnasked(x); err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	if err := w.limit(timeout); err != nil {
		return err
	}
	b := x.encode(append(w.out[:0], x.unit))
	w.sent = len(binary.LittleEndian.AppendUint16(b, crc16(b)))
	w.owing[x.unit] = true
	if _, err := w.conn.Write(w.out[:w.sent]); err != nil {
		w.torn = true
		return deadline(err)
	}
	return nil
}

// takeUnasked takes what came since the last answer: late answers, and what the line made. It returns an error where a request cannot be sent on this connection, since what its unit said unasked, or
// began to say, could be taken for the answer, or since the connection has ended.
func (w *rtuFramed) takeUnasked(x exchange) error {
	for range maxStale {
		n, err := w.arrived(w.in[w.n:])
		w.n += n
		for f, state := scanRTU(w.in[:w.n], x); state == rtuFrame; f, state = scanRTU(w.in[:w.n], x) {
			if f.unit == x.unit {
				return fmt.Errorf("unit %d answered what it was not asked", x.unit)
			}
			delete(w.owing, f.unit)
			w.n = copy(w.in[:], w.in[f.end:w.n])
		}
		if err != nil {
			return err
		}
		begun := w.n // the beginning of a late answer is kept, for its rest may follow
		for i := w.n - 1; i >= 0; i-- {
			if begins(w.in[i:w.n], x) {
				return fmt.Errorf("unit %d answers what it was not asked", x.unit)
			}
			if w.owing[w.in[i]] {
				begun = i
			}
		}
		w.n = copy(w.in[:], w.in[begun:w.n])
		if n == 0 {
			return nil
		}
		if w.n == len(w.in) {
			break
		}
	}
	return errors.New("bytes without end that nobody asked for")
}

func (w *rtuFramed) receiveFor(ctx context.Context, x exchange) (values []uint16, err error, left bool) {
	return w.receiveWhile(ctx, func() ([]uint16, error) { return w.receive(x) })
}

func (w *rtuFramed) receive(x exchange) ([]uint16, error) {
	w.torn = false
	var foreign error
	for skipped := 0; skipped < maxStale; {
		w.cutEcho(x)
		switch f, state := scanRTU(w.in[:w.n], x); {
		case state == rtuFrame && w.answers(f, x):
			if next, state := scanRTU(w.in[f.end:w.n], x); state == rtuFrame && next.unit == x.unit {
				w.torn = true
				return nil, fmt.Errorf("%w: two answers of unit %d", errGarbage, x.unit)
			}
			values, err := x.decode(f.pdu)
			w.n = copy(w.in[:], w.in[f.end:w.n])
			if !errors.Is(err, errGarbage) { // else the answer itself may still come
				delete(w.owing, x.unit)
			}
			if err == nil && !x.echoed() {
				w.echoes = w.echoCut
			}
			return values, err
		case state == rtuFrame: // too late, or of somebody else on the line
			if !w.owing[f.unit] && !byGateway(f) {
				foreign = fmt.Errorf("%w: unit %d, asked %d", errGarbage, f.unit, x.unit)
			}
			delete(w.owing, f.unit)
			w.n = copy(w.in[:], w.in[f.end:w.n])
			skipped++
			continue
		case state == rtuNone && !w.beginsEcho() || w.n == len(w.in):
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

// answers reports whether a frame answers a request: in the name of its unit, or as a gateway that speaks for itself or for any unit, while no other unit is owed an answer that this may be instead.
func (w *rtuFramed) answers(f rtuFound, x exchange) bool {
	if f.unit == x.unit {
		return true
	}
	for unit := range w.owing {
		if unit != x.unit {
			return false
		}
	}
	return byGateway(f)
}

// byGateway reports whether a frame is an exception in whatever name a gateway speaks.
func byGateway(f rtuFound) bool { return f.unit == 255 && f.pdu[0]&0x80 != 0 || ofGateway(f.pdu) }

// echoed reports whether the confirmation of a request reads like the request itself.
func (x exchange) echoed() bool { return x.function == 5 || x.function == 6 }

// cutEcho takes off the request where an adapter sends it back before the answer. Where the answer reads the same, one alone is the echo if the adapter is known to make them, and two are echo and answer.
func (w *rtuFramed) cutEcho(x exchange) {
	if w.echoCut {
		return
	}
	at := bytes.Index(w.in[:w.n], w.out[:w.sent])
	if at < 0 {
		return
	}
	rest := w.in[at+w.sent : w.n]
	if x.echoed() && !w.echoes {
		if next, state := scanRTU(rest, x); state != rtuFrame || next.unit != x.unit {
			return
		}
	}
	w.echoes, w.echoCut = true, true
	w.n = copy(w.in[:], rest)
}

// beginsEcho reports whether the last bytes may be the beginning of an echo.
func (w *rtuFramed) beginsEcho() bool {
	for i := range w.in[:w.n] {
		if !w.echoCut && bytes.HasPrefix(w.out[:w.sent], w.in[i:w.n]) {
			return true
		}
	}
	return false
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
		length, known := rtuLength(b[i:])
		switch {
		case known && length == 0:
		case known && length <= len(b)-i:
			f := b[i : i+length]
			if crc16(f[:length-2]) == binary.LittleEndian.Uint16(f[length-2:]) {
				return rtuFound{f[0], f[1 : length-2], i + length}, rtuFrame
			}
		case begins(b[i:], x):
			return rtuFound{}, rtuMore
		case i == 0:
			state = rtuMore
		}
	}
	return rtuFound{}, state
}

// begins reports whether bytes may begin an answer of the unit that was asked.
func begins(b []byte, x exchange) bool {
	return b[0] == x.unit && (len(b) == 1 || b[1]&0x7F == x.function || b[1] == 0x80)
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
