package drivertest

import (
	"io"
	"net"
	"sync"
	"testing"
)

// Mode is the state of a line.
type Mode int

// The states of a line.
const (
	Through Mode = iota // bytes pass
	Silent              // connections stand, and no byte of the device arrives
	Cut                 // connections are closed, new ones at once
)

// Proxy is a TCP line that a test can silence, cut and restore. Its address stays the same.
type Proxy struct {
	target   string
	listener net.Listener

	mu    sync.Mutex
	cond  *sync.Cond
	mode  Mode
	pairs map[net.Conn]net.Conn // driver's side to device's side
	ended bool
}

// NewProxy opens a line to a host:port; it ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: l, pairs: map[net.Conn]net.Conn{}}
	p.cond = sync.NewCond(&p.mu)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.mu.Lock()
		p.ended = true
		p.mu.Unlock()
		p.Set(Cut)
		wg.Wait()
	})
	return p
}

// Addr is the driver's end of the line, host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes the state of the line. Cut closes what stands, and what was sent while it was Silent never arrives.
func (p *Proxy) Set(mode Mode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.mode
	p.mode = mode
	if mode == Cut || was == Silent && mode == Through {
		for a, b := range p.pairs {
			a.Close()
			b.Close()
		}
	}
	p.cond.Broadcast()
}

func (p *Proxy) serve(c net.Conn) {
	defer c.Close()
	device, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer device.Close()
	p.mu.Lock()
	if p.mode == Cut || p.ended {
		p.mu.Unlock()
		return
	}
	p.pairs[c] = device
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.pairs, c)
		p.mu.Unlock()
	}()
	go func() {
		io.Copy(device, c)
		device.Close()
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := device.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for p.mode == Silent && !p.ended {
			p.cond.Wait()
		}
		through := p.mode == Through
		p.mu.Unlock()
		if !through {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
