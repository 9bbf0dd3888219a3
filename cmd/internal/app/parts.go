package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Whoever stops Quartier waits no longer than this for each step of it, whatever the disk does. Control gives the devices back before, within bounds of its own.
const (
	partsWithin = 15 * time.Second // for the parts beside control to end
	entryWithin = 2 * time.Second  // for the last entries in the record
	closeWithin = 10 * time.Second // for connections and record to be closed, after what the record's memory takes
)

// parts are what runs at the same time, by name.
type parts struct {
	mu      sync.Mutex
	running map[string]int
	errs    []error
	all     sync.WaitGroup
}

// start runs a part.
func (p *parts) start(name string, run func() error) {
	p.mu.Lock()
	if p.running == nil {
		p.running = map[string]int{}
	}
	p.running[name]++
	p.mu.Unlock()
	p.all.Go(func() {
		err := run()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.running[name]--; p.running[name] == 0 {
			delete(p.running, name)
		}
		if err != nil {
			p.errs = append(p.errs, err)
		}
	})
}

// wait waits for all parts, but no longer than d. The error has those of the parts, and names who has not ended; all says whether none is left.
func (p *parts) wait(d time.Duration) (all bool, err error) {
	_ = within(d, "", func() error { p.all.Wait(); return nil })
	p.mu.Lock()
	defer p.mu.Unlock()
	err = errors.Join(p.errs...)
	if len(p.running) == 0 {
		return true, err
	}
	var names []string
	for name := range p.running {
		names = append(names, name)
	}
	slices.Sort(names)
	return false, errors.Join(err, fmt.Errorf("app: stopped without waiting any longer for %s: not ended within %v, as on a disk that does not answer", strings.Join(names, ", "), d))
}

// within does something and waits for it no longer than d; what hangs goes on by itself until the process ends, and the error says what it is.
func within(d time.Duration, what string, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return fmt.Errorf("app: %s: not done within %v, as on a disk that does not answer", what, d)
	}
}
