package modbus

import (
	"context"
	"errors"
	"fmt"
	"strings"

	mb "github.com/simonvetter/modbus"

	"quartier/drivers"
	"quartier/drivers/profile"
)

// errLocal marks a request that was refused before it was sent.
var errLocal = errors.New("refused before sending")

// mapError turns the library's errors that stand for a Modbus exception of the device into drivers.ErrRejected. Exception 11, by which a
// gateway says that the unit behind it did not answer, stays what it is: see noUnit.
func mapError(err error) error {
	var e mb.Error
	if errors.As(err, &e) {
		switch e {
		case mb.ErrIllegalFunction, mb.ErrIllegalDataAddress, mb.ErrIllegalDataValue, mb.ErrServerDeviceFailure, mb.ErrAcknowledge,
			mb.ErrServerDeviceBusy, mb.ErrMemoryParityError, mb.ErrGWPathUnavailable:
			return fmt.Errorf("%w: exception %s", drivers.ErrRejected, string(e))
		}
		return err
	}
	if err != nil && strings.HasPrefix(err.Error(), "unknown exception code") {
		return fmt.Errorf("%w: %w", drivers.ErrRejected, err)
	}
	return err
}

// Read reads quantity registers, or bits as 0 and 1, of a unit.
func (l *Link) Read(ctx context.Context, unit uint8, table profile.Table, address, quantity uint16) ([]uint16, error) {
	return l.read(ctx, unit, pauses{}, table, address, quantity)
}

func (l *Link) read(ctx context.Context, unit uint8, p pauses, table profile.Table, address, quantity uint16) ([]uint16, error) {
	r := &request{ctx: ctx, unit: unit, pauses: p, what: fmt.Sprintf("read %s %d+%d", table, address, quantity)}
	limit := uint16(125)
	if table.Bits() {
		limit = 2000
	}
	if quantity == 0 || quantity > limit || int(address)+int(quantity) > 65536 {
		return nil, l.wrap(r, fmt.Errorf("%w: want 1 to %d within 65536", errLocal, limit))
	}
	got := make(chan []uint16, 1)
	r.op = func(c *mb.ModbusClient) error {
		values, err := readTable(c, table, address, quantity)
		if err != nil {
			return mapError(err)
		}
		if len(values) != int(quantity) {
			return mb.ErrProtocolError
		}
		got <- values
		return nil
	}
	if err := l.do(r); err != nil {
		return nil, err
	}
	return <-got, nil
}

func readTable(c *mb.ModbusClient, table profile.Table, address, quantity uint16) ([]uint16, error) {
	switch table {
	case profile.Holding:
		return c.ReadRegisters(address, quantity, mb.HOLDING_REGISTER)
	case profile.Input:
		return c.ReadRegisters(address, quantity, mb.INPUT_REGISTER)
	}
	read := c.ReadCoils
	if table == profile.Discrete {
		read = c.ReadDiscreteInputs
	}
	bits, err := read(address, quantity)
	if err != nil {
		return nil, err
	}
	out := make([]uint16, len(bits))
	for i, b := range bits {
		if b {
			out[i] = 1
		}
	}
	return out, nil
}

// Write writes registers with function 6 or 16, or bits with 5 or 15. It is sent at most once.
func (l *Link) Write(ctx context.Context, unit uint8, function uint8, address uint16, values []uint16) error {
	return l.write(ctx, unit, pauses{}, function, address, values)
}

func (l *Link) write(ctx context.Context, unit uint8, p pauses, function uint8, address uint16, values []uint16) error {
	r := &request{ctx: ctx, unit: unit, pauses: p, write: true, what: fmt.Sprintf("write function %d at %d+%d", function, address, len(values))}
	limits := map[uint8]int{5: 1, 6: 1, 15: 1968, 16: 123}
	if n := len(values); n == 0 || n > limits[function] || int(address)+n > 65536 {
		return l.wrap(r, fmt.Errorf("%w: function %d writes 1 to %d values within 65536", errLocal, function, limits[function]))
	}
	values = append([]uint16(nil), values...)
	r.op = func(c *mb.ModbusClient) error {
		switch function {
		case 6:
			return mapError(c.WriteRegister(address, values[0]))
		case 16:
			return mapError(c.WriteRegisters(address, values))
		case 5:
			return mapError(c.WriteCoil(address, values[0] != 0))
		}
		bits := make([]bool, len(values))
		for i, v := range values {
			bits[i] = v != 0
		}
		return mapError(c.WriteCoils(address, bits))
	}
	return l.do(r)
}
