package serve

import (
	"encoding/binary"
	"errors"
	"fmt"

	"quartier/drivers/profile"
)

// Sizes of the Modbus application protocol specification V1.1b3.
const (
	maxPDU            = 253
	maxReadRegisters  = 125
	maxWriteRegisters = 123
	maxReadBits       = 2000
	maxWriteBits      = 1968
)

// pduLength checks an MBAP header and returns the length of the request that follows it.
func pduLength(header [7]byte) (int, error) {
	if id := binary.BigEndian.Uint16(header[2:]); id != 0 {
		return 0, fmt.Errorf("protocol id %d, want 0", id)
	}
	n := int(binary.BigEndian.Uint16(header[4:])) - 1 // without the unit id
	if n < 1 || n > maxPDU {
		return 0, fmt.Errorf("frame of %d bytes, want 2 to %d", n+1, maxPDU+1)
	}
	return n, nil
}

func exception(function byte, code Exception) []byte { return []byte{function | 0x80, byte(code)} }

// respond answers one request; it never returns nil. request has at least the function code.
func respond(bank Bank, request []byte) []byte {
	response, err := execute(bank, request)
	if err != nil {
		code := DeviceFailure
		if e, ok := errors.AsType[Exception](err); ok && e != 0 {
			code = e
		}
		return exception(request[0], code)
	}
	return response
}

var reads = map[byte]struct {
	table profile.Table
	limit uint16
}{
	1: {profile.Coil, maxReadBits}, 2: {profile.Discrete, maxReadBits}, 3: {profile.Holding, maxReadRegisters}, 4: {profile.Input, maxReadRegisters},
}

func execute(bank Bank, request []byte) ([]byte, error) {
	fn, body := request[0], request[1:]
	if r, ok := reads[fn]; ok {
		return read(bank, fn, r.table, r.limit, body)
	}
	switch fn {
	case 5, 6:
		return writeOne(bank, fn, body)
	case 15, 16:
		return writeMany(bank, fn, body)
	}
	return nil, IllegalFunction
}

func read(bank Bank, fn byte, table profile.Table, limit uint16, body []byte) ([]byte, error) {
	if len(body) != 4 {
		return nil, IllegalValue
	}
	address, quantity := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	if quantity == 0 || quantity > limit {
		return nil, IllegalValue
	}
	if int(address)+int(quantity) > 65536 {
		return nil, IllegalAddress
	}
	values, err := bank.Read(table, address, quantity)
	if err != nil {
		return nil, err
	}
	if len(values) != int(quantity) {
		return nil, DeviceFailure
	}
	if table.Bits() {
		out := make([]byte, 2+(len(values)+7)/8)
		out[0], out[1] = fn, byte(len(out)-2)
		for i, v := range values {
			if v != 0 {
				out[2+i/8] |= 1 << (i % 8)
			}
		}
		return out, nil
	}
	out := make([]byte, 2, 2+2*len(values))
	out[0], out[1] = fn, byte(2*len(values))
	for _, v := range values {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out, nil
}

func writeOne(bank Bank, fn byte, body []byte) ([]byte, error) {
	if len(body) != 4 {
		return nil, IllegalValue
	}
	address, value := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:])
	table := profile.Holding
	if fn == 5 {
		table = profile.Coil
		switch value {
		case 0xFF00:
			value = 1
		case 0:
		default:
			return nil, IllegalValue
		}
	}
	if err := bank.Write(table, address, []uint16{value}); err != nil {
		return nil, err
	}
	return append([]byte{fn}, body...), nil
}

func writeMany(bank Bank, fn byte, body []byte) ([]byte, error) {
	if len(body) < 5 {
		return nil, IllegalValue
	}
	address, quantity, count := binary.BigEndian.Uint16(body), binary.BigEndian.Uint16(body[2:]), int(body[4])
	data := body[5:]
	table, limit, want := profile.Holding, uint16(maxWriteRegisters), 2*int(quantity)
	if fn == 15 {
		table, limit, want = profile.Coil, maxWriteBits, (int(quantity)+7)/8
	}
	if quantity == 0 || quantity > limit || count != want || len(data) != want {
		return nil, IllegalValue
	}
	if int(address)+int(quantity) > 65536 {
		return nil, IllegalAddress
	}
	values := make([]uint16, quantity)
	for i := range values {
		if fn == 15 {
			values[i] = uint16(data[i/8] >> (i % 8) & 1)
		} else {
			values[i] = binary.BigEndian.Uint16(data[2*i:])
		}
	}
	if err := bank.Write(table, address, values); err != nil {
		return nil, err
	}
	return append([]byte{fn}, body[:4]...), nil
}
