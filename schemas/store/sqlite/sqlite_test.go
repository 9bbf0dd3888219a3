package sqlite

import (
	"path/filepath"
	"testing"

	"quartier/schemas/store"
	"quartier/schemas/store/storetest"
)

func openAt(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestStore: the store keeps its contract, with and without an outbox.
func TestStore(t *testing.T) {
	for name, outbox := range map[string]bool{"alone": false, "with outbox": true} {
		t.Run(name, func(t *testing.T) {
			storetest.Run(t, func(t *testing.T) store.Store {
				return openAt(t, filepath.Join(t.TempDir(), "quartier é %20?#.db"), Options{Outbox: outbox})
			})
		})
	}
}
