//go:build unix

package modbus

import (
	"errors"
	"io"
	"syscall"
)

// readArrived reads what a connection's descriptor holds, which the runtime never lets wait, whatever its deadline. known is false where that cannot be found out.
func readArrived(c syscall.Conn, b []byte) (n int, err error, known bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err, true
	}
	control := raw.Control(func(fd uintptr) {
		for n, err = syscall.Read(int(fd), b); errors.Is(err, syscall.EINTR); {
			n, err = syscall.Read(int(fd), b)
		}
	})
	switch {
	case control != nil:
		return 0, control, true
	case errors.Is(err, syscall.EAGAIN):
		return 0, nil, true
	case err == nil && n == 0:
		return 0, io.EOF, true
	}
	return max(n, 0), err, true
}
