package console

import (
	"sync"
	"time"
)

// cache keeps answers that several readers ask for at the same time, for some seconds. One caller computes, the others wait for it.
type cache struct {
	mu      sync.Mutex
	entries map[string]*entry
}

type entry struct {
	once    sync.Once
	expires time.Time
	value   any
	err     error
}

const cacheEntries = 512

func newCache() *cache { return &cache{entries: map[string]*entry{}} }

// cached returns the value of key that compute made less than ttl ago, or makes it. An error is not kept.
func cached[T any](c *cache, key string, ttl time.Duration, compute func() (T, error)) (T, error) {
	now := time.Now()
	c.mu.Lock()
	e := c.entries[key]
	if e == nil || now.After(e.expires) {
		if len(c.entries) >= cacheEntries {
			for k, old := range c.entries {
				if now.After(old.expires) {
					delete(c.entries, k)
				}
			}
			if len(c.entries) >= cacheEntries {
				clear(c.entries)
			}
		}
		e = &entry{expires: now.Add(ttl)}
		c.entries[key] = e
	}
	c.mu.Unlock()
	e.once.Do(func() {
		v, err := compute()
		e.value, e.err = v, err
		if err != nil {
			c.mu.Lock()
			if c.entries[key] == e {
				delete(c.entries, key)
			}
			c.mu.Unlock()
		}
	})
	if e.err != nil {
		var zero T
		return zero, e.err
	}
	return e.value.(T), nil
}

// forget drops what is kept under a key.
func (c *cache) forget(key string) {
	c.mu.Lock()
	delete(c.entries, key)
	c.mu.Unlock()
}
