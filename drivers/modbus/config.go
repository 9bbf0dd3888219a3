package modbus

import (
	"context"
	"log/slog"
	"net"
	"time"

	"quartier/drivers/command"
	"quartier/schemas/district"
)

// Config of a link; the zero value of each field means its default.
type Config struct {
	Timeout    time.Duration      // of one request; 1 s
	Queue      int                // requests that may wait for one unit; 64
	MinBackoff time.Duration      // first pause after a failed connection or a silent unit; 250 ms
	MaxBackoff time.Duration      // longest pause; 30 s
	Silent     int                // time-outs in a row after which a unit that answered before counts as silent; 2; below 0: never, nor is an address that closes connections
	Commands   int                // to one device in any minute; 0: however many
	Memory     command.Memory     // of what stood in a device before our first command; nil: forgotten with the process
	Now        func() time.Time   // stamps readings; time.Now
	Log        *slog.Logger       // nil: no log
	TLS        *district.TLSFiles // of a modbus+tls address of NewLink; a pool takes those of its devices
	// Dial opens the stream to host:port of an address over TCP, for a network of the caller's own; nil: the machine's.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = time.Second
	}
	if c.Queue <= 0 {
		c.Queue = 64
	}
	if c.MinBackoff <= 0 {
		c.MinBackoff = 250 * time.Millisecond
	}
	if c.MaxBackoff <= 0 {
		c.MaxBackoff = 30 * time.Second
	}
	if c.Silent == 0 {
		c.Silent = 2
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}
