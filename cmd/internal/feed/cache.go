package feed

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// cached is the last document of a source, as it is kept on disk.
type cached struct {
	Place    string    `json:"place"`   // of the source: a document about another one is not taken
	Address  string    `json:"address"` // SHA-256 of the address that it came from, hex: its marks are sent to the same address alone
	Fetched  time.Time `json:"fetched"`
	Renewed  time.Time `json:"renewed"` // when a document said something new; zero: that is not known
	ETag     string    `json:"etag,omitempty"`
	Modified string    `json:"last_modified,omitempty"`
	Body     []byte    `json:"body"`
}

// digest is how an address, which may hold a token, is remembered.
func digest(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:])
}

// load reads the document that is kept about a place; the zero value when there is none. One of another place, or longer than maxBytes, is none.
func load(file, place string, maxBytes int64) (cached, error) {
	info, err := os.Stat(file)
	if errors.Is(err, os.ErrNotExist) {
		return cached{}, nil
	}
	if err != nil {
		return cached{}, fmt.Errorf("feed: %w", err)
	}
	if info.Size() > 3*maxBytes/2+4096 { // base64 and the rest
		return cached{}, fmt.Errorf("feed: %s has %d bytes: it is not ours", file, info.Size())
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return cached{}, fmt.Errorf("feed: %w", err)
	}
	var c cached
	if err := json.Unmarshal(data, &c); err != nil {
		return cached{}, fmt.Errorf("feed: %s: %w", file, err)
	}
	if c.Place != place {
		return cached{}, nil
	}
	return c, nil
}

// save writes a document so that after a crash the old or the new one is there.
func (c cached) save(file string) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return fmt.Errorf("feed: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("feed: keep %s: %w", file, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
