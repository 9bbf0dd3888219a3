package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// stream is a wire over a connection of the network, without its framing.
type stream struct {
	conn     net.Conn
	deadline time.Time     // of the answer to the last request
	hurry    func()        // ends a receive before its time, once
	hurried  chan struct{} // holds one when it has
}

func newStream(conn net.Conn) stream {
	hurried := make(chan struct{}, 1)
	return stream{conn: conn, hurried: hurried, hurry: func() {
		conn.SetReadDeadline(time.Unix(1, 0)) // where that fails, the read fails as well
		hurried <- struct{}{}
	}}
}

func (s *stream) close() error { return s.conn.Close() }

func (s *stream) interrupt() { s.conn.Close() }

// limit lets a request and its answer take until timeout has passed.
func (s *stream) limit(timeout time.Duration) error {
	s.deadline = time.Now().Add(timeout)
	return s.conn.SetDeadline(s.deadline)
}

// receiveWhile receives for a caller who may stop waiting: left says that ctx has ended before the answer came, for which somebody else is to wait now.
func (s *stream) receiveWhile(ctx context.Context, receive func() ([]uint16, error)) (values []uint16, err error, left bool) {
	if ctx.Done() == nil {
		values, err = receive()
		return values, err, false
	}
	stop := context.AfterFunc(ctx, s.hurry)
	if values, err = receive(); stop() {
		return values, err, false
	}
	<-s.hurried
	if !errors.Is(err, errTimedOut) || !time.Now().Before(s.deadline) || s.conn.SetReadDeadline(s.deadline) != nil {
		return values, err, false
	}
	return nil, nil, true
}

// moment is how long a connection that is not the system's own is asked for what it holds.
const moment = 100 * time.Microsecond

// arrived takes what has come already, without waiting for more: n is 0 where nothing has.
func (s *stream) arrived(b []byte) (n int, err error) {
	if c, ok := s.conn.(syscall.Conn); ok {
		if n, err, known := readArrived(c, b); known {
			return n, err
		}
	}
	if err := s.conn.SetReadDeadline(time.Now().Add(moment)); err != nil {
		return 0, err
	}
	if n, err = s.conn.Read(b); n > 0 || os.IsTimeout(err) {
		err = nil
	}
	return n, err
}

// deadline names a time-out as such.
func deadline(err error) error {
	if os.IsTimeout(err) {
		return fmt.Errorf("%w: %w", errTimedOut, err)
	}
	return err
}
