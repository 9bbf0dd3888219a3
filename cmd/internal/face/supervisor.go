package face

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"quartier/schemas/district"
)

// childConfig is what tests change of the child process.
type childConfig struct {
	args        []string
	env         []string
	minBackoff  time.Duration
	hangTimeout time.Duration
}

const (
	memoryLimit  = "256MiB" // of the child, for its garbage collector; the server bounds what clients can make it hold far below
	startTimeout = 10 * time.Second
	stopTimeout  = 2 * time.Second
	maxBackoff   = 30 * time.Second
	steady       = time.Minute // a child that ran so long starts the back-off anew
)

// Supervisor keeps the OPC UA process running and feeds it.
type Supervisor struct {
	exe    string
	child  childConfig
	listen string
	model  *Model
	opcua  OPCUA
	asks   *asker
	names  []folder
	log    *slog.Logger
	ready  chan struct{} // closed when the first child listens
	done   chan struct{} // closed when the supervisor has ended
	wake   chan struct{}

	mu       sync.Mutex
	addr     string
	values   map[string]Value
	restarts int
	pid      int
	failure  error
}

func newSupervisor(cfg Config, m *Model, asks *asker) (*Supervisor, error) {
	s := &Supervisor{exe: cfg.Exe, child: cfg.child, listen: cfg.OPCUA.Listen, model: m, opcua: cfg.OPCUA, asks: asks, names: folders(cfg.Districts), log: cfg.Log,
		ready: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1)}
	if s.exe == "" {
		exe, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("face: executable of the opc ua process: %w", err)
		}
		s.exe = exe
	}
	if s.child.args == nil {
		s.child.args = []string{Subcommand}
	}
	if s.child.minBackoff <= 0 {
		s.child.minBackoff = 200 * time.Millisecond
	}
	if s.child.hangTimeout <= 0 {
		s.child.hangTimeout = 15 * time.Second
	}
	return s, nil
}

// start runs the supervisor until ctx ends, and returns when the first child listens or has said why it cannot.
func (s *Supervisor) start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	go s.run(ctx)
	t := time.NewTimer(startTimeout)
	defer t.Stop()
	var err error
	for err == nil {
		select {
		case <-s.ready:
			context.AfterFunc(ctx, cancel)
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-t.C:
			err = fmt.Errorf("face: the opc ua process did not listen within %v", startTimeout)
		case <-time.After(20 * time.Millisecond):
			s.mu.Lock()
			err = s.failure
			s.mu.Unlock()
		}
	}
	cancel()
	<-s.done
	return err
}

// wait returns when the child process is gone, after the end of start's context.
func (s *Supervisor) wait() { <-s.done }

// Addr is host:port of the server, empty before it listens. It stays the same over restarts.
func (s *Supervisor) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Restarts is how often the process was started again.
func (s *Supervisor) Restarts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.restarts
}

// PID is the process id of the present child, 0 while there is none.
func (s *Supervisor) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid
}

// Update shows values; the map is not changed afterwards.
func (s *Supervisor) Update(values map[string]Value) {
	s.mu.Lock()
	s.values = values
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Supervisor) run(ctx context.Context) {
	defer close(s.done)
	failures := 0
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > steady {
			failures = 0
		}
		failures++
		pause := min(s.child.minBackoff<<min(failures-1, 20), maxBackoff)
		s.log.Warn("opc ua process ended, it is started again", "err", err, "ran", time.Since(began).Round(time.Millisecond), "pause", pause)
		s.mu.Lock()
		s.failure = err
		s.restarts++
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// once runs one child from start to end.
func (s *Supervisor) once(ctx context.Context) error {
	cmd := exec.Command(s.exe, s.child.args...)
	cmd.Env = append([]string{"GOMEMLIMIT=" + memoryLimit}, s.child.env...) // nothing of ours: it may hold secrets
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("face: opc ua process: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("face: opc ua process: %w", err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("face: opc ua process: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("face: opc ua process: %w", err)
	}
	s.setPID(cmd.Process.Pid)
	defer s.setPID(0)

	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { s.passLog(stderr) })
	beats := &pulse{at: time.Now()}
	answers := make(chan childAnswer)
	wg.Go(func() { cancel(s.listenTo(ctx, stdout, beats, answers)) }) // ends with the child
	wg.Go(func() { cancel(s.feed(ctx, stdin, answers)) })
	wg.Go(func() { cancel(s.checkPulse(ctx, beats)) })

	<-ctx.Done()
	cause := context.Cause(ctx)
	stdin.Close() // the child ends by itself
	force := time.AfterFunc(stopTimeout, func() { cmd.Process.Kill() })
	if errors.Is(cause, errHangs) {
		cmd.Process.Kill()
	}
	wg.Wait() // reads both pipes to their end before Wait closes them
	err = cmd.Wait()
	force.Stop()
	if errors.Is(cause, io.EOF) { // it left first: how says more
		cause = errors.New("face: opc ua process ended")
	}
	return errors.Join(cause, err)
}

func (s *Supervisor) setPID(pid int) {
	s.mu.Lock()
	s.pid = pid
	s.mu.Unlock()
}

// pulse is when the child last answered.
type pulse struct {
	mu sync.Mutex
	at time.Time
}

func (p *pulse) beat() { p.mu.Lock(); p.at = time.Now(); p.mu.Unlock() }

func (p *pulse) age() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.at)
}

var errHangs = errors.New("face: the opc ua process does not answer")

func (s *Supervisor) checkPulse(ctx context.Context, p *pulse) error {
	t := time.NewTicker(min(time.Second, s.child.hangTimeout/4))
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if p.age() > s.child.hangTimeout {
				return errHangs
			}
		}
	}
}

// listenTo reads the child's answers until its output ends, which is io.EOF.
func (s *Supervisor) listenTo(ctx context.Context, stdout io.Reader, beats *pulse, answers chan<- childAnswer) error {
	lines := bufio.NewScanner(stdout)
	places := make(chan struct{}, maxQuestions)
	var questions sync.WaitGroup
	defer questions.Wait()
	for lines.Scan() {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return fmt.Errorf("face: opc ua process says %.80q: %w", lines.Text(), err)
		}
		beats.beat()
		switch {
		case a.Ask != nil:
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
				continue
			}
			questions.Go(func() {
				defer func() { <-places }()
				reply := s.answerTo(ctx, a.Ask)
				select {
				case answers <- reply:
				case <-ctx.Done():
				}
			})
		case a.Error != "":
			return fmt.Errorf("face: opc ua process: %s", a.Error)
		case a.Addr != "":
			s.mu.Lock()
			first := s.addr == ""
			s.addr, s.listen, s.failure = a.Addr, a.Addr, nil // the same port after a restart
			s.mu.Unlock()
			s.log.Info("opc ua face listens", "addr", a.Addr)
			if first {
				close(s.ready)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (s *Supervisor) passLog(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		s.log.Info("opc ua process", "says", lines.Text())
	}
	io.Copy(io.Discard, stderr) // after a line that is too long
}

// feed tells the child what to serve, then what changed, at least once a second.
func (s *Supervisor) feed(ctx context.Context, stdin io.Writer, answers <-chan childAnswer) error {
	h := s.hello()
	enc := json.NewEncoder(stdin)
	if err := enc.Encode(h); err != nil {
		return fmt.Errorf("face: opc ua process: %w", err)
	}
	sent := make([]Value, len(s.model.Variables))
	for i := range sent {
		sent[i] = absent
	}
	known := make([]bool, len(sent))
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for n := uint64(1); ; n++ {
		s.mu.Lock()
		values := s.values
		s.mu.Unlock()
		u := update{Number: n}
		inForce := s.asks.inForce()
		if values != nil || n > 1 {
			for i := range s.model.Variables {
				name := s.model.Variables[i].Name
				v, ok := values[name]
				if s.model.Variables[i].Writable {
					v.V, ok = inForce[name]
					v.Time, v.Quality = time.Time{}, district.Good
				}
				if !ok || !v.ok() {
					v = absent
				}
				same := v.ok() == sent[i].ok() && (!v.ok() || v == sent[i])
				if same && known[i] {
					continue
				}
				c := childUpdate{Index: i, Quality: uint8(v.Quality), Millis: v.Time.UnixMilli()}
				if v.ok() {
					number := v.V
					c.Value = &number
				}
				if v.Time.IsZero() {
					c.Millis = time.Now().UnixMilli()
				}
				u.Values = append(u.Values, c)
				sent[i], known[i] = v, true
			}
		}
		if err := enc.Encode(u); err != nil {
			return fmt.Errorf("face: opc ua process: %w", err)
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case a := <-answers:
				if err := enc.Encode(update{Answer: &a}); err != nil {
					return fmt.Errorf("face: opc ua process: %w", err)
				}
			case <-t.C:
				waiting = false
			case <-s.wake:
				waiting = false
			}
		}
	}
}

// hello describes what the child serves.
func (s *Supervisor) hello() hello {
	s.mu.Lock()
	h := hello{Listen: s.listen, Host: s.opcua.Host, Unsecured: s.opcua.Unsecured || s.opcua.PKI == "", Anonymous: s.opcua.Anonymous, Now: s.now().UnixMilli(), Speed: s.opcua.Speed, Types: objectTypes(), Folders: s.names}
	s.mu.Unlock()
	if s.opcua.PKI != "" {
		h.PKI = &childPKI{Identity: s.opcua.PKI, Clients: filepath.Join(s.opcua.PKI, "clients"), Users: filepath.Join(s.opcua.PKI, "users"), URI: s.opcua.URI, Name: s.opcua.Name}
	}
	for _, v := range s.model.Variables {
		l := labels[v.Quantity]
		h.Variables = append(h.Variables, childVariable{Path: v.Path, NodeID: v.NodeID, Unit: string(v.Unit), Name: l.en, NameFR: l.fr, Description: v.Description, DescriptionFR: v.DescriptionFR,
			Low: v.Min, High: v.Max, Writable: v.Writable && s.asks.requests != nil, History: v.Series != "" && s.opcua.History != nil})
	}
	return h
}
