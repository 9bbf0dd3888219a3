package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	mb "github.com/simonvetter/modbus"
)

// wire is one open connection. Its owner alone uses it.
type wire interface {
	// inStep reports whether the connection may be used again after a time-out: no late answer can be taken for another.
	inStep() bool
	close() error
}

// serialPort is a wire that sends a request and waits for its answer in one step. Its errors are those of a network.
type serialPort interface {
	wire
	do(x exchange, timeout time.Duration) ([]uint16, error)
}

// network is a wire on which a request and its answer are two steps, and which can be interrupted. An error is an exceptionError, or wraps errTimedOut, errGarbage or errConfiguration; any
// other means that the connection is broken.
type network interface {
	wire
	// send sends a request, whose answer may take until timeout has passed. An error that wraps errUnsent says that nothing went out.
	send(x exchange, timeout time.Duration) error
	// receive waits for the answer to the request that was sent last: the registers, or bits as 0 and 1, of a read. After a time-out it may be called again: nothing of the answer is lost.
	receive(x exchange) ([]uint16, error)
	// receiveFor is receive for a caller who may stop waiting: left says that ctx has ended before the answer came, for which somebody else is to wait now.
	receiveFor(ctx context.Context, x exchange) (values []uint16, err error, left bool)
	// owes reports whether an answer of a unit may still come that could be taken for one to another request: it must not be asked on this connection.
	owes(unit uint8) bool
	// interrupt ends a request that waits; it may be called from another goroutine.
	interrupt()
}

// errTimedOut marks a request without an answer in its time.
var errTimedOut = errors.New("no answer in time")

// errUnsent marks a request that was not sent, for its connection cannot be used for it.
var errUnsent = errors.New("not sent")

// library is a serial line by simonvetter/modbus. It knows one time-out, set when it is made, and cannot be interrupted.
type library struct{ client *mb.ModbusClient }

// dialLibrary connects within 5 s. timeout holds for every request.
func dialLibrary(e endpoint, timeout time.Duration) (*library, error) {
	conf := &mb.ClientConfiguration{URL: e.scheme + "://" + e.target, Timeout: timeout, Logger: log.New(io.Discard, "", 0),
		Speed: e.baud, DataBits: e.dataBits, Parity: e.parity, StopBits: e.stopBits}
	client, err := mb.NewClient(conf)
	if err == nil {
		err = client.Open()
	}
	if err != nil {
		return nil, err
	}
	return &library{client}, nil
}

func (w *library) close() error { return w.client.Close() }

// inStep is false: the library does not tell a time-out with half an answer from one with none.
func (w *library) inStep() bool { return false }

// do runs the library under recover: it panics when used at the wrong moment.
func (w *library) do(x exchange, _ time.Duration) (out []uint16, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("modbus library: %v", p)
		}
	}()
	if err := w.client.SetUnitId(x.unit); err != nil {
		return nil, err
	}
	out, err = w.call(x)
	if err != nil {
		return nil, mapError(err)
	}
	if !x.write() && len(out) != int(x.quantity) {
		return nil, fmt.Errorf("%w: %d values, want %d", errGarbage, len(out), x.quantity)
	}
	return out, nil
}

func (w *library) call(x exchange) ([]uint16, error) {
	switch x.function {
	case 1:
		bits, err := w.client.ReadCoils(x.address, x.quantity)
		return fromBits(bits), err
	case 2:
		bits, err := w.client.ReadDiscreteInputs(x.address, x.quantity)
		return fromBits(bits), err
	case 3:
		return w.client.ReadRegisters(x.address, x.quantity, mb.HOLDING_REGISTER)
	case 4:
		return w.client.ReadRegisters(x.address, x.quantity, mb.INPUT_REGISTER)
	case 5:
		return nil, w.client.WriteCoil(x.address, x.values[0] != 0)
	case 6:
		return nil, w.client.WriteRegister(x.address, x.values[0])
	case 15:
		bits := make([]bool, len(x.values))
		for i, v := range x.values {
			bits[i] = v != 0
		}
		return nil, w.client.WriteCoils(x.address, bits)
	}
	return nil, w.client.WriteRegisters(x.address, x.values)
}

func fromBits(bits []bool) []uint16 {
	out := make([]uint16, len(bits))
	for i, b := range bits {
		if b {
			out[i] = 1
		}
	}
	return out
}

// libraryExceptions are the exceptions that the library has errors for.
var libraryExceptions = map[mb.Error]exceptionError{mb.ErrIllegalFunction: 1, mb.ErrIllegalDataAddress: 2, mb.ErrIllegalDataValue: 3, mb.ErrServerDeviceFailure: 4,
	mb.ErrAcknowledge: 5, mb.ErrServerDeviceBusy: 6, mb.ErrMemoryParityError: 8, mb.ErrGWPathUnavailable: 10, mb.ErrGWTargetFailedToRespond: 11}

// mapError brings the library's errors to those of a wire.
func mapError(err error) error {
	var e mb.Error
	if errors.As(err, &e) {
		if code, ok := libraryExceptions[e]; ok {
			return code
		}
		switch e {
		case mb.ErrRequestTimedOut:
			return fmt.Errorf("%w: %w", errTimedOut, err)
		case mb.ErrProtocolError, mb.ErrBadUnitId, mb.ErrShortFrame, mb.ErrBadCRC, mb.ErrUnknownProtocolId, mb.ErrBadTransactionId:
			return fmt.Errorf("%w: %w", errGarbage, err)
		}
		return err
	}
	var code uint8
	if n, _ := fmt.Sscanf(err.Error(), "unknown exception code (%d)", &code); n == 1 {
		return exceptionError(code)
	}
	if os.IsTimeout(err) {
		return fmt.Errorf("%w: %w", errTimedOut, err)
	}
	return err
}
