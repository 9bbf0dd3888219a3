package modbus

import (
	"context"
	"errors"
	"fmt"

	"quartier/drivers/profile"
)

// errLocal marks a request that was refused before it was sent.
var errLocal = errors.New("refused before sending")

// Read reads quantity registers, or bits as 0 and 1, of a unit.
func (l *Link) Read(ctx context.Context, unit uint8, table profile.Table, address, quantity uint16) ([]uint16, error) {
	return l.read(ctx, unit, pauses{}, table, address, quantity)
}

// readFunctions are the functions that read the tables.
var readFunctions = map[profile.Table]uint8{profile.Coil: 1, profile.Discrete: 2, profile.Holding: 3, profile.Input: 4}

// String says what is asked.
func (x exchange) String() string {
	for table, function := range readFunctions {
		if x.function == function {
			return fmt.Sprintf("read %s %d+%d", table, x.address, x.quantity)
		}
	}
	return fmt.Sprintf("write function %d at %d+%d", x.function, x.address, x.quantity)
}

func (l *Link) read(ctx context.Context, unit uint8, p pauses, table profile.Table, address, quantity uint16) ([]uint16, error) {
	r := &request{ctx: ctx, pauses: p,
		exchange: exchange{unit: unit, function: readFunctions[table], address: address, quantity: quantity}}
	limit := uint16(125)
	if table.Bits() {
		limit = maxBits
	}
	if r.function == 0 || quantity == 0 || quantity > limit || int(address)+int(quantity) > 65536 {
		return nil, l.wrap(r, fmt.Errorf("%w: want 1 to %d within 65536", errLocal, limit))
	}
	return l.do(r)
}

// Write writes registers with function 6 or 16, or bits with 5 or 15. It is sent at most once.
func (l *Link) Write(ctx context.Context, unit uint8, function uint8, address uint16, values []uint16) error {
	return l.write(ctx, unit, pauses{}, function, address, values)
}

// writeLimits are how many values the writing functions take.
var writeLimits = map[uint8]int{5: 1, 6: 1, 15: 1968, 16: 123}

func (l *Link) write(ctx context.Context, unit uint8, p pauses, function uint8, address uint16, values []uint16) error {
	n := len(values)
	r := &request{ctx: ctx, pauses: p, exchange: exchange{unit: unit, function: function, address: address, quantity: uint16(n), values: append([]uint16(nil), values...)}}
	if n == 0 || n > writeLimits[function] || int(address)+n > 65536 {
		return l.wrap(r, fmt.Errorf("%w: function %d writes 1 to %d values within 65536", errLocal, function, writeLimits[function]))
	}
	_, err := l.do(r)
	return err
}
