package modbus

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"
)

// maxFrame is the longest frame of Modbus TCP, header included, in bytes.
const maxFrame = 260

// maxStale is how many answers to other requests are skipped for one: more are a flood.
const maxStale = 1000

// framed is Modbus TCP framing over any stream. It does what simonvetter/modbus does not: a time-out for each request, answers in the name of another unit
// or transaction where the address allows them, a connection that is kept after a time-out, and a stream that we opened ourselves (TLS).
type framed struct {
	conn           net.Conn
	r              *bufio.Reader
	transaction    uint16
	anyUnit        bool
	anyTransaction bool
	torn           bool // the last answer ended in the middle of a frame
}

func newFramed(conn net.Conn, e endpoint) *framed {
	return &framed{conn: conn, r: bufio.NewReaderSize(conn, maxFrame), anyUnit: e.anyUnit, anyTransaction: e.anyTransaction}
}

func (w *framed) close() error { return w.conn.Close() }

// interrupt ends a request that waits; it may be called from another goroutine.
func (w *framed) interrupt() { w.conn.Close() }

// inStep is true while frames are whole and carry their transaction: a late answer is then known by it and skipped.
func (w *framed) inStep() bool { return !w.torn && !w.anyTransaction }

func (w *framed) do(x exchange, timeout time.Duration) ([]uint16, error) {
	if err := w.conn.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	w.transaction++
	pdu := x.encode()
	b := make([]byte, 0, maxFrame)
	b = binary.BigEndian.AppendUint16(b, w.transaction)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(len(pdu)+1))
	b = append(append(b, x.unit), pdu...)
	if _, err := w.conn.Write(b); err != nil {
		w.torn = true // TLS streams are unusable after a write that timed out
		return nil, deadline(err)
	}
	for range maxStale {
		f, err := readFrame(w.r)
		if err != nil {
			w.torn = !errors.Is(err, os.ErrDeadlineExceeded) || f.begun
			return nil, deadline(err)
		}
		if f.transaction != w.transaction && !w.anyTransaction {
			continue // the answer to a request that nobody waits for any more
		}
		if f.unit != x.unit && !w.anyUnit && !(f.unit == 255 && f.pdu[0]&0x80 != 0) { // a gateway may speak for itself
			return nil, fmt.Errorf("%w: unit %d, asked %d", errGarbage, f.unit, x.unit)
		}
		return x.decode(f.pdu)
	}
	return nil, fmt.Errorf("%w: %d answers to other requests", errGarbage, maxStale)
}

// deadline names a time-out as such.
func deadline(err error) error {
	if os.IsTimeout(err) {
		return fmt.Errorf("%w: %w", errTimedOut, err)
	}
	return err
}

// frame is one Modbus TCP frame.
type frame struct {
	transaction uint16
	unit        uint8
	pdu         []byte // not empty
	begun       bool   // on error: a part of it was read
}

// readFrame reads one frame. A header that is none is errGarbage: where the next frame begins is not known then.
func readFrame(r *bufio.Reader) (frame, error) {
	head, err := r.Peek(7)
	if err != nil {
		if len(head) > 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return frame{begun: len(head) > 0}, err
	}
	f := frame{transaction: binary.BigEndian.Uint16(head), unit: head[6], begun: true}
	protocol, length := binary.BigEndian.Uint16(head[2:]), int(binary.BigEndian.Uint16(head[4:]))
	if protocol != 0 || length < 2 || length > maxFrame-6 {
		return f, fmt.Errorf("%w: frame of protocol %d and %d bytes", errGarbage, protocol, length)
	}
	if _, err := r.Discard(7); err != nil {
		return f, err
	}
	f.pdu = make([]byte, length-1)
	if _, err := io.ReadFull(r, f.pdu); err != nil {
		return f, err
	}
	f.begun = false
	return f, nil
}
