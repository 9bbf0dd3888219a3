package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Before is what stood in a device before our first command, in the stored units of its points, and our last commands.
type Before struct {
	Points map[string]float64 `json:"points"`
	Ours   []float64          `json:"ours"`
}

// Memory keeps what stood before beyond the end of the process. Its methods may be called from several goroutines.
type Memory interface {
	Recall(device string) (Before, bool, error)
	Keep(device string, b Before) error
	Forget(device string) error
}

// forgetful is a memory for tests and single commands: nothing outlives the process.
type forgetful struct{}

func (forgetful) Recall(string) (Before, bool, error) { return Before{}, false, nil }
func (forgetful) Keep(string, Before) error           { return nil }
func (forgetful) Forget(string) error                 { return nil }

// slow is how long a call waits for the disk. Control waits with it.
const slow = time.Second

// File is a memory in one file, a JSON object by device, that is replaced as a whole and on the disk before a call returns. A disk that does not answer within a second is an error; while it
// still does not, calls fail at once.
type File struct {
	path    string
	put     func(path string, data []byte) error // replaces the file
	writing chan struct{}                        // holds one token: the right to write
	hangs   atomic.Bool                          // whoever has it is past its time

	mu  sync.Mutex
	all map[string]Before // what is in the file
}

// OpenFile reads the memory in path, or begins one. put replaces the file as a whole, durably, under a disk of the caller's own; nil: [Replace].
func OpenFile(path string, put func(path string, data []byte) error) (*File, error) {
	if put == nil {
		put = Replace
	}
	f := &File{path: path, put: put, writing: make(chan struct{}, 1), all: map[string]Before{}}
	f.writing <- struct{}{}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &f.all)
	}
	if err != nil {
		return nil, fmt.Errorf("what stood in devices before, %s: %w", path, err)
	}
	if f.all == nil {
		f.all = map[string]Before{}
	}
	return f, nil
}

// Recall returns what was kept of a device.
func (f *File) Recall(device string) (Before, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b, ok := f.all[device]
	return Before{Points: maps.Clone(b.Points), Ours: append([]float64(nil), b.Ours...)}, ok, nil
}

// Keep replaces what is kept of a device. After an error it may be kept all the same, when the disk answers late.
func (f *File) Keep(device string, b Before) error {
	kept := Before{Points: maps.Clone(b.Points), Ours: append([]float64(nil), b.Ours...)}
	return f.change(func(all map[string]Before) bool {
		all[device] = kept
		return true
	})
}

// Forget drops what is kept of a device.
func (f *File) Forget(device string) error {
	return f.change(func(all map[string]Before) bool {
		_, ok := all[device]
		delete(all, device)
		return ok
	})
}

var errSlow = fmt.Errorf("the disk does not answer within %v", slow)

// change writes what edit makes of what is kept, unless it returns false: then nothing changes.
func (f *File) change(edit func(map[string]Before) bool) error {
	timer := time.NewTimer(slow)
	defer timer.Stop()
	select {
	case <-f.writing:
	default:
		if f.hangs.Load() {
			return fmt.Errorf("keep what stood before: %w", errSlow)
		}
		select {
		case <-f.writing:
		case <-timer.C:
			return fmt.Errorf("keep what stood before: %w", errSlow)
		}
	}
	f.hangs.Store(false)
	done := make(chan error, 1)
	go func() { // a disk that hangs, hangs this goroutine alone
		f.mu.Lock()
		next := maps.Clone(f.all)
		f.mu.Unlock()
		var err error
		if edit(next) {
			err = f.write(next)
		}
		f.writing <- struct{}{}
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		f.hangs.Store(true)
		return fmt.Errorf("keep what stood before: %w", errSlow)
	}
}

// write makes next what is in the file.
func (f *File) write(next map[string]Before) error {
	data, err := json.MarshalIndent(next, "", "  ")
	if err == nil {
		err = f.put(f.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep what stood before: %w", err)
	}
	f.mu.Lock()
	f.all = next
	f.mu.Unlock()
	return nil
}

// Replace writes a file anew beside the old one and puts it in its place; it is on the disk when it returns.
func Replace(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is none
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(path))
	}
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
