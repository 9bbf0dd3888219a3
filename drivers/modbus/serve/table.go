package serve

import (
	"sync"

	"quartier/drivers/profile"
)

// Table is a bank of registers that its owner publishes and clients may only read; an address that was never set is exception 2, a
// write exception 1. The zero value is empty and ready. It may be used from several goroutines.
type Table struct {
	mu     sync.RWMutex
	values map[profile.Table]map[uint16]uint16
}

// Set publishes consecutive values from an address, all at once: a read sees either none or all of them.
func (t *Table) Set(table profile.Table, address uint16, values ...uint16) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.values == nil {
		t.values = map[profile.Table]map[uint16]uint16{}
	}
	m := t.values[table]
	if m == nil {
		m = map[uint16]uint16{}
		t.values[table] = m
	}
	for i, v := range values {
		m[address+uint16(i)] = v
	}
}

// Read returns published values.
func (t *Table) Read(table profile.Table, address, quantity uint16) ([]uint16, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	out := make([]uint16, quantity)
	for i := range out {
		v, ok := t.values[table][address+uint16(i)]
		if !ok {
			return nil, IllegalAddress
		}
		out[i] = v
	}
	return out, nil
}

// Write refuses: the table is read-only.
func (t *Table) Write(profile.Table, uint16, []uint16) error { return IllegalFunction }
