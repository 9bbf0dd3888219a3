package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// network is a network in memory, so that real clients and servers run under a test's clock: listeners by address, and what happens to what passes between.
type network struct {
	mu    sync.Mutex
	gates map[string]*gate
}

// gate is one address.
type gate struct {
	address string
	queue   chan net.Conn
	closed  chan struct{}
	once    sync.Once

	mu    sync.Mutex
	state weather
	open  map[*cable]bool
	wrote map[byte]int // Modbus frames that write, by unit
}

// weather is what happens on the way to an address.
type weather struct {
	refused bool          // nobody listens: connections are refused, and those that are there are reset
	dark    bool          // nothing comes back: neither a connection nor an answer
	delay   time.Duration // of each answer
	loss    int           // every loss-th answer never comes
}

func newNetwork() *network { return &network{gates: map[string]*gate{}} }

func (n *network) listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	g := &gate{address: address, queue: make(chan net.Conn), closed: make(chan struct{}), open: map[*cable]bool{}, wrote: map[byte]int{}}
	n.gates[address] = g
	return g, nil
}

// at changes what happens on the way to an address; connections that cannot be there any more are reset.
func (n *network) at(address string, w weather) {
	n.mu.Lock()
	g := n.gates[address]
	n.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = w
	if w.refused {
		for c := range g.open {
			c.Conn.Close()
		}
		clear(g.open)
	}
}

// writes is how many frames that write were sent to a unit behind an address.
func (n *network) writes(address string, unit byte) int {
	n.mu.Lock()
	g := n.gates[address]
	n.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.wrote[unit]
}

// reset ends every connection to an address, as a server that is started anew does.
func (n *network) reset(address string) {
	n.mu.Lock()
	g := n.gates[address]
	n.mu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	for c := range g.open {
		c.Conn.Close()
	}
	clear(g.open)
}

// hide takes an address from the name server and ends what connections there are; show brings it back.
func (n *network) hide(address string) {
	n.reset(address)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gates["hidden "+address] = n.gates[address]
	delete(n.gates, address)
}

func (n *network) show(address string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gates[address] = n.gates["hidden "+address]
}

func (n *network) dial(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	g := n.gates[address]
	n.mu.Unlock()
	if g == nil {
		return nil, fmt.Errorf("dial %s: no such host", address)
	}
	g.mu.Lock()
	w := g.state
	g.mu.Unlock()
	switch {
	case w.refused:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case w.dark:
		<-ctx.Done()
		return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
	}
	here, there := net.Pipe()
	select {
	case g.queue <- there:
	case <-g.closed:
		return nil, fmt.Errorf("dial %s: connection refused", address)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c := &cable{Conn: here, gate: g}
	g.mu.Lock()
	g.open[c] = true
	g.mu.Unlock()
	return c, nil
}

func (g *gate) Accept() (net.Conn, error) {
	select {
	case c := <-g.queue:
		return c, nil
	case <-g.closed:
		return nil, net.ErrClosed
	}
}

func (g *gate) Close() error { g.once.Do(func() { close(g.closed) }); return nil }

type memoryAddress string

func (memoryAddress) Network() string  { return "memory" }
func (a memoryAddress) String() string { return string(a) }

func (g *gate) Addr() net.Addr { return memoryAddress(g.address) }

// cable is a client's end of a connection.
type cable struct {
	net.Conn
	gate *gate

	mu       sync.Mutex
	deadline time.Time
	answers  int
}

func (c *cable) SetDeadline(t time.Time) error {
	c.mu.Lock()
	c.deadline = t
	c.mu.Unlock()
	return c.Conn.SetDeadline(t)
}

func (c *cable) Write(b []byte) (int, error) {
	c.mu.Lock()
	c.answers++
	c.mu.Unlock()
	if len(b) > 7 && (b[7] == 5 || b[7] == 6 || b[7] == 15 || b[7] == 16) {
		c.gate.mu.Lock()
		c.gate.wrote[b[6]]++
		c.gate.mu.Unlock()
	}
	return c.Conn.Write(b)
}

// Read passes on what the server answers, as the weather lets it.
func (c *cable) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		c.gate.mu.Lock()
		w := c.gate.state
		c.gate.mu.Unlock()
		c.mu.Lock()
		lost := w.dark || w.loss > 0 && c.answers%w.loss == 0
		left := time.Until(c.deadline)
		c.mu.Unlock()
		switch {
		case err != nil:
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				return n, fmt.Errorf("read %s: connection reset by peer", c.gate.address)
			}
			return n, err
		case lost:
			continue
		case w.delay > 0 && w.delay < left:
			time.Sleep(w.delay)
		case w.delay > 0: // too late: the connection has nothing more to say within this deadline
			continue
		}
		return n, nil
	}
}

func (c *cable) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.open, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// buffered lets a server write without anybody who reads, as sockets do: TLS needs that where both sides have something to say at once.
type buffered struct {
	net.Conn
	mu     sync.Mutex
	out    chan []byte
	closed bool
}

func newBuffered(c net.Conn) *buffered {
	b := &buffered{Conn: c, out: make(chan []byte, 64)}
	go func() {
		for p := range b.out {
			if _, err := c.Write(p); err != nil {
				break
			}
		}
		c.Close()
		for range b.out { // nobody reads it any more
		}
	}()
	return b
}

func (b *buffered) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, net.ErrClosed
	}
	b.out <- append([]byte(nil), p...)
	return len(p), nil
}

func (b *buffered) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.out)
	}
	return nil
}

// secured is a listener behind TLS.
type secured struct {
	net.Listener
	config *tls.Config
}

func (s secured) Accept() (net.Conn, error) {
	c, err := s.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(newBuffered(c), s.config), nil
}
