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

// File is a memory in one file, a JSON object by device, that is replaced as a whole and on the disk before a call returns.
type File struct {
	path string
	mu   sync.Mutex
	all  map[string]Before
}

// OpenFile reads the memory in path, or begins one.
func OpenFile(path string) (*File, error) {
	f := &File{path: path, all: map[string]Before{}}
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

// Keep replaces what is kept of a device.
func (f *File) Keep(device string, b Before) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := maps.Clone(f.all)
	next[device] = Before{Points: maps.Clone(b.Points), Ours: append([]float64(nil), b.Ours...)}
	return f.replace(next)
}

// Forget drops what is kept of a device.
func (f *File) Forget(device string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.all[device]; !ok {
		return nil
	}
	next := maps.Clone(f.all)
	delete(next, device)
	return f.replace(next)
}

// replace writes the whole file anew beside the old one and puts it in its place.
func (f *File) replace(next map[string]Before) error {
	data, err := json.MarshalIndent(next, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.path), filepath.Base(f.path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // after the rename there is none
	_, err = tmp.Write(append(data, '\n'))
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), f.path)
	}
	if err == nil {
		err = syncFolder(filepath.Dir(f.path))
	}
	if err != nil {
		return fmt.Errorf("keep what stood before: %w", err)
	}
	f.all = next
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
