//go:build !unix

package modbus

import "syscall"

// readArrived is known on Unix alone.
func readArrived(syscall.Conn, []byte) (n int, err error, known bool) { return 0, nil, false }
