package modbus

import (
	"context"
	"fmt"
	"sync"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Pool shares links by address. Its methods may be called from several goroutines.
type Pool struct {
	config Config
	mu     sync.Mutex
	links  map[place]*shared
	closed bool
}

// place is what devices share a link by.
type place struct {
	address string
	tls     district.TLSFiles
}

func placeOf(dev district.Device) place {
	p := place{address: dev.Address}
	if dev.TLS != nil {
		p.tls = *dev.TLS
	}
	return p
}

type shared struct {
	link *Link
	uses int
}

// NewPool returns a pool whose links have the given configuration.
func NewPool(config Config) *Pool {
	return &Pool{config: config.withDefaults(), links: map[place]*shared{}}
}

// Device returns the driver of a device of the configuration, by its address, unit and profile. It does no I/O: the connection comes about with
// the first read. Close the device to give its link back.
func (p *Pool) Device(dev district.Device, prof *profile.Profile) (*Device, error) {
	if prof.Protocol != profile.Modbus {
		return nil, fmt.Errorf("modbus: %s: profile %s is for %s", dev.ID, prof.Name, prof.Protocol)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("modbus: %s: %w", dev.ID, drivers.ErrClosed)
	}
	at := placeOf(dev)
	s := p.links[at]
	if s == nil {
		config := p.config
		config.TLS = dev.TLS
		link, err := NewLink(dev.Address, config)
		if err != nil {
			return nil, fmt.Errorf("modbus: %s: %w", dev.ID, err)
		}
		s = &shared{link: link}
		p.links[at] = s
	}
	s.uses++
	d := newDevice(s.link, dev, prof, p.config)
	d.release = func() error { return p.giveBack(at, s) }
	return d, nil
}

func (p *Pool) giveBack(at place, s *shared) error {
	p.mu.Lock()
	s.uses--
	last := s.uses == 0 && p.links[at] == s
	if last {
		delete(p.links, at)
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
	for at, s := range p.links {
		out[at.address] = s.link.Stats()
	}
	return out
}

// Close ends every link, all at the same time, within 2 s. Devices of the pool then return drivers.ErrClosed.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	links := p.links
	p.links = map[place]*shared{}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for _, s := range links {
		wg.Go(func() { s.link.Close() })
	}
	wg.Wait()
	return nil
}

// Open returns the driver of one device with a link of its own, for commissioning. Closing the device closes the link.
func Open(dev district.Device, prof *profile.Profile, config Config) (*Device, error) {
	return NewPool(config).Device(dev, prof)
}

var _ drivers.Driver = (*Device)(nil)

// life is a context that ends with its device.
type life struct {
	ctx context.Context
	end context.CancelCauseFunc
}

func newLife() life {
	ctx, end := context.WithCancelCause(context.Background())
	return life{ctx, end}
}

// bind returns ctx ended also by the end of the device.
func (l life) bind(ctx context.Context) (context.Context, func()) {
	out, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(drivers.ErrClosed) })
	return out, func() { stop(); cancel(nil) }
}
