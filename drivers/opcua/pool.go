package opcua

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/opcua/pki"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Config of a link; the zero value of each field means its default.
type Config struct {
	Timeout    time.Duration    // of one request; 3 s
	Heartbeat  time.Duration    // between two reads of the server's clock; 1 s. Three missed end the connection.
	MinBackoff time.Duration    // first pause after a failed connection; 250 ms
	MaxBackoff time.Duration    // longest pause; 30 s
	Batch      int              // nodes per request, if the server does not want fewer; 1,000
	Keep       int              // subscribed readings that may wait for a slow receiver, the oldest dropped first; 100,000
	Identity   *pki.Identity    // our certificate; nil: only connections without protection
	Trust      *pki.Store       // what servers' certificates are held against; nil: only connections without protection
	Commands   int              // to one device in any minute; 0: however many
	Memory     command.Memory   // of what stood in a device before our first command; nil: forgotten with the process
	Now        func() time.Time // stamps readings; time.Now
	Log        *slog.Logger     // nil: no log
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = 3 * time.Second
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = time.Second
	}
	if c.MinBackoff <= 0 {
		c.MinBackoff = 250 * time.Millisecond
	}
	if c.MaxBackoff <= 0 {
		c.MaxBackoff = 30 * time.Second
	}
	if c.Batch <= 0 {
		c.Batch = 1000
	}
	if c.Keep <= 0 {
		c.Keep = 100_000
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Pool shares links by address and access. Its methods may be called from several goroutines.
type Pool struct {
	config Config
	mu     sync.Mutex
	links  map[way]*shared
	closed bool
}

// way is what devices share a link by.
type way struct {
	address string
	access  Access
}

type shared struct {
	link *Link
	uses int
}

// NewPool returns a pool whose links have the given configuration.
func NewPool(config Config) *Pool {
	return &Pool{config: config.withDefaults(), links: map[way]*shared{}}
}

// Device returns the driver of a device of the configuration, by its address and profile. It does no I/O: the connection comes about with
// the first read. Close the device to give its link back.
func (p *Pool) Device(dev district.Device, prof *profile.Profile, access Access) (*Device, error) {
	if prof.Protocol != profile.OPCUA {
		return nil, fmt.Errorf("opcua: %s: profile %s is for %s", dev.ID, prof.Name, prof.Protocol)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("opcua: %s: %w", dev.ID, drivers.ErrClosed)
	}
	key := way{dev.Address, access}
	s := p.links[key]
	if s == nil {
		link, err := NewLink(dev.Address, access, p.config)
		if err != nil {
			return nil, fmt.Errorf("opcua: %s: %w", dev.ID, err)
		}
		s = &shared{link: link}
		p.links[key] = s
	}
	s.uses++
	d := newDevice(s.link, dev, prof)
	d.release = func() error { return p.giveBack(key, s) }
	return d, nil
}

func (p *Pool) giveBack(key way, s *shared) error {
	p.mu.Lock()
	s.uses--
	last := s.uses == 0 && p.links[key] == s
	if last {
		delete(p.links, key)
	}
	p.mu.Unlock()
	if !last {
		return nil
	}
	return s.link.Close()
}

// Stats returns the totals of each link by its address.
func (p *Pool) Stats() map[string]Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]Stats, len(p.links))
	for key, s := range p.links {
		out[key.address] = out[key.address].plus(s.link.Stats())
	}
	return out
}

// Close ends every link, all at the same time, within 2 s. Devices of the pool then return drivers.ErrClosed.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	links := p.links
	p.links = map[way]*shared{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range links {
		wg.Go(func() { s.link.Close() })
	}
	wg.Wait()
	return nil
}

// Open returns the driver of one device with a link of its own, for commissioning. Closing the device closes the link.
func Open(dev district.Device, prof *profile.Profile, access Access, config Config) (*Device, error) {
	return NewPool(config).Device(dev, prof, access)
}

var (
	_ drivers.Driver     = (*Device)(nil)
	_ drivers.Subscriber = (*Device)(nil)
)

// bind returns ctx ended also by the end of the device.
func bind(ctx, life context.Context) (context.Context, func()) {
	out, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(life, func() { cancel(context.Cause(life)) })
	return out, func() { stop(); cancel(nil) }
}
