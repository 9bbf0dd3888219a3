package drivertest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Path names a file of this module from its root. It looks for the root above the working directory, which of a running test is the package's own folder: where a
// source stood is not known to programs that were built with -trimpath. Elsewhere than in a checkout it is an error.
func Path(elem ...string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(append([]string{dir}, elem...)...), nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = up
	}
}
