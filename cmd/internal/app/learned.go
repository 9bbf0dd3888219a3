package app

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// learnedFolder is where what forecasts have learned is, in data_dir.
const learnedFolder = "forecasts"

// learned is a file of what the forecasts of a district have learned, see [scheduler.Learned].
type learned struct{ path, build string }

func openLearned(dataDir, districtID string) (learned, error) {
	build, err := program()
	return learned{filepath.Join(dataDir, learnedFolder, districtID), build}, err
}

// program is the SHA-256 of the program that runs, hex: no version of its own tells one build from another.
var program = sync.OnceValues(func() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("app: find the program: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("app: read the program: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("app: read the program: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
})

// Build names the program.
func (l learned) Build() string { return l.build }

// Open returns what was kept.
func (l learned) Open() (io.ReadCloser, error) { return os.Open(l.path) }

// Replace writes beside what was kept and puts it in its place, so that after a crash the old or the new one is there.
func (l learned) Replace(write func(io.Writer) error) error {
	dir := filepath.Dir(l.path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("app: keep what was learned: %w", err)
	}
	f, err := os.OpenFile(l.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640) // one process at a time has the folder
	if err != nil {
		return fmt.Errorf("app: keep what was learned: %w", err)
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err = write(w); err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), l.path)
	}
	if err != nil {
		return fmt.Errorf("app: keep %s: %w", l.path, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
