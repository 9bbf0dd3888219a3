//go:build unix

package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// lockFolder makes a folder and keeps it for this process until release or the process's end, however that comes: one record has one writer, and one field one
// controller.
func lockFolder(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("app: data_dir: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "quartier.lock"), os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, fmt.Errorf("app: data_dir: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		return nil, fmt.Errorf("app: %s is in use by another Quartier, process %s: stop it first, or name another folder", dir, strings.TrimSpace(string(pid)))
	} else if err != nil {
		f.Close()
		return nil, fmt.Errorf("app: lock %s: %w", f.Name(), err)
	}
	if err := errors.Join(f.Truncate(0), func() error { _, err := fmt.Fprintln(f, os.Getpid()); return err }()); err != nil {
		f.Close()
		return nil, fmt.Errorf("app: data_dir: %w", err)
	}
	return func() { f.Close() }, nil
}
