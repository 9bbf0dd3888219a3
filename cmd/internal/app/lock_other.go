//go:build !unix

package app

import (
	"fmt"
	"os"
)

// lockFolder makes a folder. Where there is no lock that ends with its process, nothing keeps another process from it.
func lockFolder(dir string) (release func(), err error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("app: data_dir: %w", err)
	}
	return func() {}, nil
}
