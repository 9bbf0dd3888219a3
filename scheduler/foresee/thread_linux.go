package foresee

import (
	"syscall"
	"time"
)

// rusageThread asks for what the calling thread has used, see getrusage(2).
const rusageThread = 1

// threadTime is the processor time that the calling thread has had; false where the system does not tell.
func threadTime() (time.Duration, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(rusageThread, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
