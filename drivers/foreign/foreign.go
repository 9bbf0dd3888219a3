// Package foreign runs independent implementations of OPC UA and Modbus, of other authors and in another language, for the tests of our own:
// small programs of node-opcua and modbus-serial, pinned in package.json and its lock file, and of open62541 and pymodbus in the Debian 13 tree. make
// setup installs them.
package foreign

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"quartier/drivers/drivertest"
)

// Process is a running script that tells JSON, a line each.
type Process struct {
	t     testing.TB
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines chan []byte
	once  sync.Once
	done  chan struct{}
}

// inFolder names a file of this package's folder.
func inFolder(elem ...string) (string, error) {
	return drivertest.Path(append([]string{"drivers", "foreign"}, elem...)...)
}

// Start runs a script of this folder with Node.js, and ends it with the test. It fails the test when the packages are not installed.
func Start(t testing.TB, script string, args ...string) *Process {
	t.Helper()
	dir, err := inFolder()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "node-opcua")); err != nil {
		t.Fatal("the foreign OPC UA and Modbus peers are not installed: run make setup")
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("Node.js is not installed: run make setup")
	}
	cmd := exec.Command(node, append([]string{script}, args...)...)
	cmd.Dir = dir
	return run(t, cmd)
}

// open62541 are the programs of open62541, each built once.
var open62541 = map[string]func() (program string, err error){
	"server.c": sync.OnceValues(func() (string, error) { return build("server.c") }),
	"client.c": sync.OnceValues(func() (string, error) { return build("client.c") }),
}

// debian13 is the root of the Debian 13 tree.
func debian13() string {
	if root := os.Getenv("QUARTIER_DEBIAN13"); root != "" {
		return root
	}
	return "/var/lib/quartier/debian13"
}

// StartOpen62541 runs the OPC UA server of open62541, and ends it with the test. It fails the test when the Debian 13 tree does not have what it
// is built from.
func StartOpen62541(t testing.TB, args ...string) *Process {
	t.Helper()
	return startOpen62541(t, "server.c", args)
}

// StartOpen62541Client does the same with the client.
func StartOpen62541Client(t testing.TB, args ...string) *Process {
	t.Helper()
	return startOpen62541(t, "client.c", args)
}

func startOpen62541(t testing.TB, source string, args []string) *Process {
	t.Helper()
	program, err := open62541[source]()
	if err != nil {
		t.Fatalf("%s of open62541 is not built, run make setup: %v", source, err)
	}
	root := debian13()
	return run(t, exec.Command(filepath.Join(root, "lib64/ld-linux-x86-64.so.2"), append([]string{"--library-path", filepath.Join(root, "usr/lib/x86_64-linux-gnu"), program}, args...)...))
}

// build compiles a program of open62541 in the Debian 13 tree, unless that was done for this source.
func build(name string) (program string, err error) {
	root := debian13()
	path, err := inFolder("open62541", name)
	if err != nil {
		return "", err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	program = filepath.Join(root, "tmp", fmt.Sprintf("quartier-opcua-%x", sha256.Sum256(source))[:40])
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "quartier-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, name), source, 0o644); err != nil {
		return "", err
	}
	inside := "/tmp/" + filepath.Base(dir)
	if out, err := exec.Command("chroot", root, "gcc", "-O1", "-Wall", "-o", inside+"/program", inside+"/"+name, "-lopen62541").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %.2000s", err, out)
	}
	return program, os.Rename(filepath.Join(dir, "program"), program) // another process may have done the same
}

// run starts a program that tells JSON, a line each.
func run(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, cmd: cmd, lines: make(chan []byte, 100_000), done: make(chan struct{})}
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = t.Output()
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s := bufio.NewScanner(stdout)
		s.Buffer(nil, 16<<20)
		for s.Scan() {
			if len(s.Bytes()) > 0 && s.Bytes()[0] == '{' { // the packages print other things at times
				p.lines <- append([]byte(nil), s.Bytes()...)
			}
		}
		close(p.lines)
		p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.Kill)
	return p
}

// PID is the process id of the script.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Send writes a line to the script.
func (p *Process) Send(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.stdin, line+"\n"); err != nil {
		p.t.Fatalf("%s: %v", p.cmd.Path, err)
	}
}

// CloseInput ends the script's standard input; most scripts then end by themselves.
func (p *Process) CloseInput() { p.stdin.Close() }

// Kill ends the script at once and waits for it.
func (p *Process) Kill() {
	p.once.Do(func() {
		p.stdin.Close()
		p.cmd.Process.Kill()
	})
	for {
		select {
		case <-p.done:
			return
		case <-p.lines:
		}
	}
}

// Next returns the next line into v; ok is false when the script ended or told nothing for the given time.
func (p *Process) Next(v any, within time.Duration) (ok bool) {
	p.t.Helper()
	select {
	case line, open := <-p.lines:
		if !open {
			return false
		}
		if err := json.Unmarshal(line, v); err != nil {
			p.t.Fatalf("%s tells %.200q: %v", p.cmd.Args[1], line, err)
		}
		return true
	case <-time.After(within):
		return false
	}
}

// Event is a line of the OPC UA scripts. Which fields are set depends on Event.
type Event struct {
	Event     string
	Status    any
	Modes     []string
	Accepted  bool
	Index     int
	Variables int
	Objects   int
	Values    []struct {
		Value  *float64
		Status string
		Source time.Time
	}
	Value       *float64
	Name        string
	DataType    string
	Access      any
	Description string
	Text        string
	ID          int
	Connections int
	Count       int
	Line        string
}

// Await returns the first event of that name that satisfies ok (nil: any), and fails the test when it does not come.
func (p *Process) Await(name string, within time.Duration, ok func(Event) bool) Event {
	p.t.Helper()
	end := time.Now().Add(within)
	var last Event
	for time.Now().Before(end) {
		var e Event
		if !p.Next(&e, time.Until(end)) {
			break
		}
		last = e
		if e.Event == name && (ok == nil || ok(e)) {
			return e
		}
	}
	p.t.Fatalf("%s did not tell %q within %v; last %+v", p.cmd.Args[1], name, within, last)
	return Event{}
}
