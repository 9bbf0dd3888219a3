package modbus

import (
	"bufio"
	"context"
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

// framed is Modbus TCP framing over any stream, and over datagrams as over a stream. It does what simonvetter/modbus does not: a time-out for each request, answers in the name of another unit
// or transaction where the address allows them, a connection that is kept after a time-out, a stream that we opened ourselves (TLS), an answer in one
// system call where that reads its head and its body by themselves, and exceptions of gateways in whatever name they speak.
type framed struct {
	conn           net.Conn
	r              *bufio.Reader
	transaction    uint16
	deadline       time.Time // of the answer to the last request
	anyUnit        bool
	anyTransaction bool
	torn           bool          // the last answer ended in the middle of a frame
	hurry          func()        // ends a receive before its time, once
	hurried        chan struct{} // holds one when it has
	out, in        [maxFrame]byte
}

func newFramed(conn net.Conn, e endpoint) *framed {
	w := &framed{conn: conn, r: bufio.NewReaderSize(conn, maxFrame), anyUnit: e.anyUnit, anyTransaction: e.anyTransaction, hurried: make(chan struct{}, 1)}
	w.hurry = func() {
		w.conn.SetReadDeadline(time.Unix(1, 0)) // where that fails, the read fails as well
		w.hurried <- struct{}{}
	}
	return w
}

func (w *framed) close() error { return w.conn.Close() }

// interrupt ends a request that waits; it may be called from another goroutine.
func (w *framed) interrupt() { w.conn.Close() }

// inStep is true while frames are whole and carry their transaction: a late answer is then known by it and skipped.
func (w *framed) inStep() bool { return !w.torn && !w.anyTransaction }

func (w *framed) do(x exchange, timeout time.Duration) ([]uint16, error) {
	if err := w.send(x, timeout); err != nil {
		return nil, err
	}
	return w.receive(x)
}

// send sends a request, whose answer may take until timeout has passed.
func (w *framed) send(x exchange, timeout time.Duration) error {
	w.deadline = time.Now().Add(timeout)
	if err := w.conn.SetDeadline(w.deadline); err != nil {
		return err
	}
	w.transaction++
	b := binary.BigEndian.AppendUint16(w.out[:0], w.transaction)
	b = append(b, 0, 0, 0, 0, x.unit)
	b = x.encode(b)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-6))
	if _, err := w.conn.Write(b); err != nil {
		w.torn = true // TLS streams are unusable after a write that timed out
		return deadline(err)
	}
	return nil
}

// receive waits for the answer to the request that was sent last. After a time-out it may be called again: nothing of the answer is lost.
func (w *framed) receive(x exchange) ([]uint16, error) {
	w.torn = false
	for range maxStale {
		f, err := readFrame(w.r, w.in[:])
		if err != nil {
			w.torn = !errors.Is(err, os.ErrDeadlineExceeded) || f.begun
			return nil, deadline(err)
		}
		if f.transaction != w.transaction && !w.anyTransaction {
			continue // the answer to a request that nobody waits for any more
		}
		if f.unit != x.unit && !w.anyUnit && !(f.unit == 255 && f.pdu[0]&0x80 != 0) && !ofGateway(f.pdu) { // a gateway may speak for itself
			return nil, fmt.Errorf("%w: unit %d, asked %d", errGarbage, f.unit, x.unit)
		}
		return x.decode(f.pdu)
	}
	return nil, fmt.Errorf("%w: %d answers to other requests", errGarbage, maxStale)
}

// receiveFor is receive for a caller who may stop waiting: left says that ctx has ended before the answer came, for which somebody else is to wait now.
func (w *framed) receiveFor(ctx context.Context, x exchange) (values []uint16, err error, left bool) {
	if ctx.Done() == nil {
		values, err = w.receive(x)
		return values, err, false
	}
	stop := context.AfterFunc(ctx, w.hurry)
	if values, err = w.receive(x); stop() {
		return values, err, false
	}
	<-w.hurried
	if !errors.Is(err, errTimedOut) || !time.Now().Before(w.deadline) || w.conn.SetReadDeadline(w.deadline) != nil {
		return values, err, false
	}
	return nil, nil, true
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
	pdu         []byte // not empty; it holds until the next frame is read
	begun       bool   // on error: a part of it was read
}

// readFrame reads one frame, its protocol data unit into room for maxFrame bytes, from a reader that has as much. What it could not read whole stays to be read. A header that is none is errGarbage: where the next frame begins is not known then.
func readFrame(r *bufio.Reader, room []byte) (frame, error) {
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
	whole, err := r.Peek(6 + length)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return f, err
	}
	f.pdu = room[:copy(room, whole[7:])]
	_, err = r.Discard(len(whole))
	f.begun = false
	return f, err
}
