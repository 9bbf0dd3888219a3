package timescale

import (
	"testing"

	"quartier/schemas/store/storetest"
)

// TestRetire: old samples go once their rollups are made, which stay: from rows, from packs, and from a plain table.
func TestRetire(t *testing.T) {
	for name, open := range map[string]func() *Store{
		"hypertable": func() *Store { return openAt(t, storetest.Database(t)) },
		"plain":      func() *Store { return openAt(t, storetest.Schema(t, storetest.PlainDatabase(t))) },
	} {
		t.Run(name, func(t *testing.T) { storetest.Retire(t, open()) })
		t.Run(name+" packed", func(t *testing.T) { storetest.Retire(t, packing{open()}) })
	}
}
