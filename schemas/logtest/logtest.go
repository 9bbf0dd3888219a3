// Package logtest collects what is logged or printed, for tests that read it while it goes on.
package logtest

import (
	"strings"
	"sync"
)

// Buffer takes writes of several goroutines and can be read meanwhile; its zero value is empty.
type Buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends p; it never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
