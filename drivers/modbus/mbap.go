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
	stream
	r              *bufio.Reader
	transaction    uint16
	anyUnit        bool
	anyTransaction bool
	torn           bool // the last answer ended in the middle of a frame
	out, in        [maxFrame]byte
}

func newFramed(conn net.Conn, e endpoint) *framed {
	return &framed{stream: newStream(conn), r: bufio.NewReaderSize(conn, maxFrame), anyUnit: e.anyUnit, anyTransaction: e.anyTransaction}
}

// inStep is true while frames are whole and carry their transaction: a late answer is then known by it and skipped.
func (w *framed) inStep() bool { return !w.torn && !w.anyTransaction }

// owes is false: a late answer is known by its transaction.
func (w *framed) owes(uint8) bool { return false }

func (w *framed) send(x exchange, timeout time.Duration) error {
	if err := w.limit(timeout); err != nil {
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

func (w *framed) receiveFor(ctx context.Context, x exchange) (values []uint16, err error, left bool) {
	return w.receiveWhile(ctx, func() ([]uint16, error) { return w.receive(x) })
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
