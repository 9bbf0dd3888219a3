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

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/serve"
	"quartier/schemas/district"
)

// Subcommand is the hidden subcommand of the executable that runs [RunChild].
const Subcommand = "face-opcua"

// The two processes speak JSON, a line each. The parent says hello once, then update for ever; the child answers with listening once, then a beat for each update. In between the child asks
// what only the parent knows or may do: who signs in, what becomes of a request, what the record holds. It has no password and no way to the record of its own.
type hello struct {
	Listen    string          `json:"listen"`
	Host      string          `json:"host,omitempty"`
	PKI       *childPKI       `json:"pki,omitempty"` // none: security policy None alone
	Unsecured bool            `json:"unsecured,omitempty"`
	Anonymous bool            `json:"anonymous,omitempty"`
	Now       int64           `json:"now"`   // Unix milliseconds of the districts' clock
	Speed     float64         `json:"speed"` // by which it is faster than real
	Types     []objectType    `json:"types,omitempty"`
	Folders   []folder        `json:"folders,omitempty"`
	Variables []childVariable `json:"variables"`
}

// childPKI are the folders of certificates.
type childPKI struct {
	Identity string `json:"identity"` // holds own/
	Clients  string `json:"clients"`  // applications
	Users    string `json:"users"`
	URI      string `json:"uri"`
	Name     string `json:"name"`
}

type childVariable struct {
	Path          []string `json:"path"`
	NodeID        string   `json:"node_id"`
	Unit          string   `json:"unit"`
	Name          string   `json:"name"`
	NameFR        string   `json:"name_fr"`
	Description   string   `json:"description"`
	DescriptionFR string   `json:"description_fr"`
	Low           float64  `json:"low"`
	High          float64  `json:"high"`
	Writable      bool     `json:"writable,omitempty"`
	History       bool     `json:"history,omitempty"`
}

// update carries the values that changed, or the answer to what the child asked. One with neither says that the parent lives.
type update struct {
	Number uint64        `json:"n,omitempty"` // 0 of an answer, which gets no beat
	Values []childUpdate `json:"values,omitempty"`
	Answer *childAnswer  `json:"answer,omitempty"`
}

type childUpdate struct {
	Index   int      `json:"i"` // of hello's variables
	Value   *float64 `json:"v"` // null: not available, or no request
	Quality uint8    `json:"q"`
	Millis  int64    `json:"t"` // Unix time
}

type answer struct {
	Addr  string    `json:"addr,omitempty"`  // once, when listening
	Error string    `json:"error,omitempty"` // why it cannot
	Beat  uint64    `json:"beat,omitempty"`  // the number of the update that is shown
	Ask   *childAsk `json:"ask,omitempty"`
}

// childAsk is a question to the parent; one of the fields after Remote is set.
type childAsk struct {
	ID      uint64        `json:"id"`
	Remote  string        `json:"remote"`
	Login   *childLogin   `json:"login,omitempty"`
	Write   *childWrite   `json:"write,omitempty"`
	History *childHistory `json:"history,omitempty"`
}

type childLogin struct {
	Name        string `json:"name"`
	Password    string `json:"password"`
	Certificate bool   `json:"certificate"`
}

type childWrite struct {
	User  string   `json:"user"`
	Index int      `json:"i"`
	Value *float64 `json:"v"` // null withdraws
}

type childHistory struct {
	Index int   `json:"i"`
	From  int64 `json:"from"` // Unix nanoseconds
	To    int64 `json:"to"`
	Limit int   `json:"limit"`
}

// childAnswer is the answer to a question.
type childAnswer struct {
	ID     uint64        `json:"id"`
	Error  string        `json:"error,omitempty"` // a failure of the parent's own
	Denied bool          `json:"denied,omitempty"`
	User   string        `json:"user,omitempty"`
	Write  bool          `json:"write,omitempty"`
	Range  bool          `json:"range,omitempty"` // the request is out of its range
	Busy   bool          `json:"busy,omitempty"`
	Past   []childSample `json:"past,omitempty"`
}

type childSample struct {
	Nanos   int64   `json:"t"`
	Value   float64 `json:"v"`
	Quality uint8   `json:"q"`
}

const (
	maxLine   = 64 << 20
	askPeriod = 8 * time.Second // that the parent may take to answer
)

// RunChild is the OPC UA process: it reads what to serve from stdin, tells its address on stdout, and shows what follows until stdin ends or ctx
// does. When the parent is silent for a minute, every value becomes unavailable. It logs to standard error.
func RunChild(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	lines := bufio.NewScanner(stdin)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	c := &child{out: json.NewEncoder(stdout), waiting: map[uint64]chan childAnswer{}, heard: time.Now()}
	var h hello
	if !lines.Scan() {
		return fmt.Errorf("face: no description of what to serve: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
	}
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
		return fmt.Errorf("face: description of what to serve: %w", err)
	}
	if err := c.build(&h, log); err != nil {
		c.tell(answer{Error: err.Error()})
		return err
	}
	done := make(chan error, 1)
	go func() { done <- c.server.Run(ctx) }()
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
	addr, err := c.server.Addr(listening)
	stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		c.tell(answer{Error: err.Error()})
		return err
	}
	if err := c.tell(answer{Addr: addr}); err != nil {
		return err
	}
	go c.watch(ctx)
	go func() {
		cancel(c.follow(lines))
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
	index     map[string]int // by node id

	outMu sync.Mutex
	out   *json.Encoder

	mu      sync.Mutex
	heard   time.Time
	stale   bool
	asked   uint64
	waiting map[uint64]chan childAnswer
}

func (c *child) tell(a answer) error {
	c.outMu.Lock()
	defer c.outMu.Unlock()
	return c.out.Encode(a)
}

// build makes the server that hello describes.
func (c *child) build(h *hello, log *slog.Logger) error {
	began, base := time.Now(), time.UnixMilli(h.Now)
	cfg := serve.Config{Addr: h.Listen, Host: h.Host, NamespaceURI: NamespaceURI, Name: "Quartier", Log: log, Unsecured: h.Unsecured, Anonymous: h.Anonymous, Write: c.write, History: c.history}
	if h.Now != 0 {
		cfg.Now = func() time.Time { return base.Add(time.Duration(float64(time.Since(began)) * max(h.Speed, 1))) }
	}
	if p := h.PKI; p != nil {
		var err error
		app := pki.Application{Name: p.Name, URI: p.URI}
		if h.Host != "" {
			app.Hosts = []string{h.Host, "localhost"}
		}
		if cfg.Identity, err = pki.OpenIdentity(p.Identity, app, time.Now()); err != nil {
			return err
		}
		if cfg.Trust, err = pki.Open(p.Clients); err != nil {
			return err
		}
		if cfg.Users, err = pki.Open(p.Users); err != nil {
			return err
		}
		cfg.Authenticate = c.signIn
	}
	c.server, c.variables, c.index = serve.New(cfg), h.Variables, make(map[string]int, len(h.Variables))
	for _, t := range h.Types {
		o := serve.ObjectType{Name: t.Name, Of: t.Of, Abstract: t.Abstract, Description: t.Description, French: serve.Text{Name: t.NameFR}}
		for _, v := range t.Variables {
			o.Variables = append(o.Variables, serve.TypeVariable{Path: v.Path, Type: serve.Double, Name: v.Name, French: serve.Text{Name: v.NameFR}, Unit: v.Unit, Optional: v.Optional})
		}
		if err := c.server.AddObjectType(o); err != nil {
			return err
		}
	}
	for _, f := range h.Folders {
		if f.Type == "" {
			continue
		}
		if err := c.server.AddObject(f.Type, f.Path...); err != nil {
			return err
		}
	}
	for i, v := range h.Variables {
		c.index[v.NodeID] = i
		err := c.server.AddVariable(serve.Variable{Path: v.Path, NodeID: v.NodeID, Type: serve.Double, Name: v.Name, Description: v.Description, French: serve.Text{Name: v.NameFR, Description: v.DescriptionFR},
			Unit: v.Unit, Low: v.Low, High: v.High, Writable: v.Writable, History: v.History})
		if err != nil {
			return err
		}
	}
	for _, f := range h.Folders {
		if err := c.server.NameFolder(f.Path, f.Name, serve.Text{Name: f.French}); err != nil {
			return err
		}
	}
	return nil
}

// ask puts a question to the parent and waits for its answer.
func (c *child) ask(ctx context.Context, q childAsk) (childAnswer, error) {
	got := make(chan childAnswer, 1)
	c.mu.Lock()
	c.asked++
	q.ID = c.asked
	c.waiting[q.ID] = got
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, q.ID)
		c.mu.Unlock()
	}()
	if err := c.tell(answer{Ask: &q}); err != nil {
		return childAnswer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, askPeriod)
	defer cancel()
	select {
	case a := <-got:
		if a.Error != "" {
			return a, errors.New(a.Error)
		}
		return a, nil
	case <-ctx.Done():
		return childAnswer{}, fmt.Errorf("face: the main process does not answer: %w", ctx.Err())
	}
}

func (c *child) signIn(ctx context.Context, l serve.Login) (serve.User, error) {
	a, err := c.ask(ctx, childAsk{Remote: l.Remote, Login: &childLogin{l.Name, l.Password, l.Certificate}})
	switch {
	case err != nil:
		return serve.User{}, err
	case a.Denied:
		return serve.User{}, serve.ErrLogin
	}
	return serve.User{Name: a.User, Write: a.Write}, nil
}

func (c *child) write(ctx context.Context, by serve.Writer, values []serve.Written) []ua.StatusCode {
	out := make([]ua.StatusCode, len(values))
	for i, w := range values {
		n, known := c.index[w.NodeID]
		q := childWrite{User: by.Name, Index: n}
		if !math.IsNaN(w.Value) {
			q.Value = &values[i].Value
		}
		var a childAnswer
		err := error(nil)
		if known {
			a, err = c.ask(ctx, childAsk{Remote: by.Remote, Write: &q})
		}
		switch {
		case !known:
			out[i] = ua.StatusBadNodeIDUnknown
		case err != nil:
			out[i] = ua.StatusBadInternalError
		case a.Range:
			out[i] = ua.StatusBadOutOfRange
		case a.Busy:
			out[i] = ua.StatusBadTooManyOperations
		default:
			c.server.Set(w.NodeID, w.Value, district.Good, time.Now())
		}
	}
	return out
}

func (c *child) history(ctx context.Context, q serve.HistoryQuery) ([]serve.HistoryValue, error) {
	n, known := c.index[q.NodeID]
	if !known {
		return nil, serve.ErrUnknownNode
	}
	a, err := c.ask(ctx, childAsk{History: &childHistory{n, q.From.UnixNano(), q.To.UnixNano(), q.Limit}})
	if err != nil {
		return nil, err
	}
	out := make([]serve.HistoryValue, len(a.Past))
	for i, s := range a.Past {
		out[i] = serve.HistoryValue{Time: time.Unix(0, s.Nanos), Value: s.Value, Quality: district.Quality(s.Quality)}
	}
	return out, nil
}

// follow shows updates until the parent's end is closed, then returns io.EOF.
func (c *child) follow(lines *bufio.Scanner) error {
	for lines.Scan() {
		var u update
		if err := json.Unmarshal(lines.Bytes(), &u); err != nil {
			return fmt.Errorf("face: update: %w", err)
		}
		c.mu.Lock()
		c.heard, c.stale = time.Now(), false
		if u.Answer != nil {
			if w := c.waiting[u.Answer.ID]; w != nil {
				w <- *u.Answer
				delete(c.waiting, u.Answer.ID)
			}
		}
		c.mu.Unlock()
		for _, v := range u.Values {
			if v.Index < 0 || v.Index >= len(c.variables) {
				return fmt.Errorf("face: update of variable %d of %d", v.Index, len(c.variables))
			}
			value, q := math.NaN(), district.Bad
			switch {
			case v.Value != nil:
				value, q = *v.Value, district.Quality(v.Quality)
			case c.variables[v.Index].Writable: // no request is in force
				q = district.Good
			}
			if err := c.server.Set(c.variables[v.Index].NodeID, value, q, time.UnixMilli(v.Millis)); err != nil {
				return err
			}
		}
		if u.Number == 0 {
			continue
		}
		if err := c.tell(answer{Beat: u.Number}); err != nil {
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
