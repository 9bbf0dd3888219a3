package face

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"sync"
	"time"

	"quartier/drivers/opcua/serve"
	"quartier/schemas/district"
)

// Subcommand is the hidden subcommand of the executable that runs [RunChild].
const Subcommand = "face-opcua"

// The two processes speak JSON, a line each: hello once, then update for ever; the child answers with listening once, then a beat for each update.
type hello struct {
	Listen    string          `json:"listen"`
	Variables []childVariable `json:"variables"`
}

type childVariable struct {
	Path        []string `json:"path"`
	NodeID      string   `json:"node_id"`
	Unit        string   `json:"unit"`
	Description string   `json:"description"`
}

// update carries the values that changed. One without values says that the parent lives.
type update struct {
	Number uint64        `json:"n"`
	Values []childUpdate `json:"values,omitempty"`
}

type childUpdate struct {
	Index   int      `json:"i"` // of hello's variables
	Value   *float64 `json:"v"` // null: not available
	Quality uint8    `json:"q"`
	Millis  int64    `json:"t"` // Unix time
}

type answer struct {
	Addr  string `json:"addr,omitempty"`  // once, when listening
	Error string `json:"error,omitempty"` // why it cannot
	Beat  uint64 `json:"beat,omitempty"`  // the number of the update that is shown
}

const maxLine = 64 << 20

// RunChild is the OPC UA process: it reads what to serve from stdin, tells its address on stdout, and shows what follows until stdin ends or ctx
// does. When the parent is silent for a minute, every value becomes unavailable. It logs to standard error.
func RunChild(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := json.NewEncoder(stdout)

	lines := bufio.NewScanner(stdin)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	var h hello
	if !lines.Scan() {
		return fmt.Errorf("face: no description of what to serve: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		return fmt.Errorf("face: description of what to serve: %w", err)
	}
	s := serve.New(serve.Config{Addr: h.Listen, NamespaceURI: NamespaceURI, Name: "Quartier", Log: log})
	for _, v := range h.Variables {
		if err := s.AddVariable(serve.Variable{Path: v.Path, NodeID: v.NodeID, Type: serve.Double, Description: v.Description, Unit: v.Unit}); err != nil {
			out.Encode(answer{Error: err.Error()})
			return err
		}
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	listening, stop := context.WithTimeout(ctx, 10*time.Second)
	go func() {
		select {
		case err := <-done: // before it listened, or later: either way there is nothing to serve any more
			done <- err
			cancel(err)
			stop()
		case <-ctx.Done():
		}
	}()
	addr, err := s.Addr(listening)
	stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		out.Encode(answer{Error: err.Error()})
		return err
	}
	if err := out.Encode(answer{Addr: addr}); err != nil {
		return err
	}
	c := &child{server: s, variables: h.Variables, heard: time.Now()}
	go c.watch(ctx)
	go func() {
		cancel(c.follow(lines, out))
	}()
	err = <-done
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, io.EOF) {
		err = cause
	}
	return err
}

type child struct {
	server    *serve.Server
	variables []childVariable

	mu    sync.Mutex
	heard time.Time
	stale bool
}

// follow shows updates until the parent's end is closed, then returns io.EOF.
func (c *child) follow(lines *bufio.Scanner, out *json.Encoder) error {
	for lines.Scan() {
		var u update
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			return fmt.Errorf("face: update: %w", err)
		}
		c.mu.Lock()
		c.heard, c.stale = time.Now(), false
		c.mu.Unlock()
		for _, v := range u.Values {
			if v.Index < 0 || v.Index >= len(c.variables) {
				return fmt.Errorf("face: update of variable %d of %d", v.Index, len(c.variables))
			}
			value, q := math.NaN(), district.Bad
			if v.Value != nil {
				value, q = *v.Value, district.Quality(v.Quality)
			}
			if err := c.server.Set(c.variables[v.Index].NodeID, value, q, time.UnixMilli(v.Millis)); err != nil {
				return err
			}
		}
		if err := out.Encode(answer{Beat: u.Number}); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

// watch takes all values back when the parent is silent.
func (c *child) watch(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		c.mu.Lock()
		stale := !c.stale && time.Since(c.heard) > staleAfter
		if stale {
			c.stale = true
		}
		c.mu.Unlock()
		if stale {
			for _, v := range c.variables {
				c.server.Set(v.NodeID, math.NaN(), district.Bad, time.Now())
			}
		}
	}
}
