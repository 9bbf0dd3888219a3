package modbustest

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// Line is a serial line: a pseudo-terminal pair, of which the device has one end and the driver the other. [Line.Unplug] and [Line.Plug] are a USB adapter
// that is pulled out and put in again.
type Line struct {
	*Server
	t    testing.TB
	link string // the name by which the driver opens it
	end  *terminal
}

// NewSerial starts a device with RTU framing on a serial line.
func NewSerial(t testing.TB) *Line {
	t.Helper()
	link := filepath.Join(t.TempDir(), "tty")
	l := &Line{Server: newServer("rtu://"+link, true), t: t, link: link}
	l.Plug()
	t.Cleanup(func() {
		l.Unplug()
		l.pending.Wait()
	})
	return l
}

// Unplug ends the line: what has it open gets errors, and the name is gone.
func (l *Line) Unplug() {
	if l.end != nil {
		os.Remove(l.link)
		l.end.Close()
		l.end = nil
	}
}

// Plug makes the line anew, under the same name.
func (l *Line) Plug() {
	l.t.Helper()
	l.end = newTerminal(l.t)
	if err := os.Symlink(l.end.name, l.link); err != nil {
		l.t.Fatal(err)
	}
	l.take(l.end)
}

// Pair is a serial line between two programs: what one end sends the other receives.
type Pair struct{ Ours, Theirs string } // device files

// NewPair makes a line of two pseudo-terminals that ends with the test.
func NewPair(t testing.TB) Pair {
	t.Helper()
	a, b := newTerminal(t), newTerminal(t)
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(a.File, b.File) })
	wg.Go(func() { io.Copy(b.File, a.File) })
	t.Cleanup(func() {
		a.Close()
		b.Close()
		wg.Wait()
	})
	return Pair{a.name, b.name}
}

func newTerminal(t testing.TB) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var number, unlock uint32
	if err := control(master, syscall.TIOCSPTLCK, &unlock); err != nil {
		t.Fatal(err)
	}
	if err := control(master, syscall.TIOCGPTN, &number); err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("/dev/pts/%d", number)
	// Held open, so that the device does not see its line end with each close of the driver's.
	slave, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var raw syscall.Termios
	raw.Cflag, raw.Cc[syscall.VMIN] = syscall.CS8|syscall.CREAD|syscall.B19200, 1
	if err := control(slave, syscall.TCSETS, &raw); err != nil {
		t.Fatal(err)
	}
	return &terminal{File: master, slave: slave, name: name}
}

func control[T any](f *os.File, request uintptr, arg *T) error {
	rc, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var errno syscall.Errno
	if err := rc.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, request, uintptr(unsafe.Pointer(arg)))
	}); err != nil {
		return err
	}
	if errno != 0 {
		return errno
	}
	return nil
}

// terminal is the device's end, as a connection.
type terminal struct {
	*os.File
	slave *os.File
	name  string // of the slave
}

func (t *terminal) Close() error {
	t.slave.Close()
	return t.File.Close()
}

func (t *terminal) LocalAddr() net.Addr              { return nil }
func (t *terminal) RemoteAddr() net.Addr             { return nil }
func (t *terminal) SetDeadline(time.Time) error      { return nil }
func (t *terminal) SetReadDeadline(time.Time) error  { return nil }
func (t *terminal) SetWriteDeadline(time.Time) error { return nil }
