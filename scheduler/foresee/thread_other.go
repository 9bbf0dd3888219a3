//go:build !linux

package foresee

import "time"

// threadTime is the processor time that the calling thread has had; false where the system does not tell.
func threadTime() (time.Duration, bool) { return 0, false }
