package modbus

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
	"time"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/poll"
	"quartier/drivers/profile"
	"quartier/schemas/district"
	"quartier/schemas/store/sqlite"
)

// The benchmark of polling compares processes: the devices in one, and in others, one after the other, what polls them. Each is this test binary with a role, but for
// Telegraf, which is built from its module outside of ours.
const (
	roleVariable    = "QUARTIER_MODBUS_BENCH"
	profileVariable = "QUARTIER_MODBUS_PROFILE" // a file for the processor profile of what polls, when set
	settle          = 5 * time.Second           // before anything is measured
	benchDevices    = 200
	benchRegisters  = 100
	telegrafVersion = "v1.37.2"
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "devices":
		serveDevices()
	case "poll":
		pollDevices()
	default:
		os.Exit(m.Run())
	}
}

// serveDevices serves the devices, each at its own port, until its standard input ends. It tells their ports.
func serveDevices() {
	var ports []int
	for range benchDevices {
		s, err := serve.Listen("127.0.0.1:0", serve.Config{})
		if err != nil {
			panic(err)
		}
		table := &serve.Table{}
		for a := range uint16(benchRegisters) {
			table.Set(profile.Holding, a, 1000+a)
		}
		s.Handle(1, table)
		_, port, _ := net.SplitHostPort(s.Addr())
		n, _ := strconv.Atoi(port)
		ports = append(ports, n)
	}
	json.NewEncoder(os.Stdout).Encode(ports)
	io.Copy(io.Discard, os.Stdin)
}

// job is what pollDevices is told.
type job struct {
	Ports []int
	Store string // file of the record; empty: values are dropped
}

func benchProfile() (*profile.Profile, error) {
	doc := "name: bench\ntitle: Bench\nkinds: [load_meter]\nprotocol: modbus\nstate: generic\nsource: {document: this benchmark}\npoints:\n"
	for a := range benchRegisters {
		doc += fmt.Sprintf("  - {name: register_%d, unit: \"1\", address: %d, type: u16}\n", a, a)
	}
	return profile.Parse("bench.yaml", []byte(doc))
}

// pollDevices polls each device once a second and writes every value to the record, as quartier run does, until its standard input ends.
func pollDevices() {
	if path := os.Getenv(profileVariable); path != "" {
		out, err := os.Create(path)
		if err != nil {
			panic(err)
		}
		time.AfterFunc(settle, func() { pprof.StartCPUProfile(out) })
	}
	in := json.NewDecoder(os.Stdin)
	var j job
	if err := in.Decode(&j); err != nil {
		panic(err)
	}
	p, err := benchProfile()
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	sink, closeRecord := func(context.Context, []district.Sample) error { return nil }, func() error { return nil }
	if j.Store != "" {
		record, err := sqlite.Open(ctx, j.Store, sqlite.Options{})
		if err != nil {
			panic(err)
		}
		sink, closeRecord = record.Append, record.Close
	}
	pool := NewPool(Config{})
	var polled []poll.Device
	for i, port := range j.Ports {
		dev := district.Device{ID: fmt.Sprint("device-", i), Kind: district.LoadMeter, Address: fmt.Sprint("tcp://127.0.0.1:", port), Unit: 1, Poll: time.Second}
		d, err := pool.Device(dev, p)
		if err != nil {
			panic(err)
		}
		polled = append(polled, poll.Device{District: "bench", Site: "site", Device: dev, Driver: d})
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	poller := poll.New(polled, poll.Config{Sink: sink, Gather: 50 * time.Millisecond})
	poller.Run(ctx)
	pprof.StopCPUProfile() // nothing without one
	pool.Close()
	total := uint64(0)
	for _, st := range poller.Status() {
		total += st.Samples
	}
	if err := closeRecord(); err != nil {
		panic(err)
	}
	fmt.Println(total)
}

// process is a child of the benchmark.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func child(b *testing.B, cmd *exec.Cmd, role string) *process {
	b.Helper()
	if role != "" {
		cmd.Env = append(os.Environ(), roleVariable+"="+role)
	}
	p := &process{Cmd: cmd}
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		p.in.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return p
}

// startDevices starts the devices.
func startDevices(b *testing.B) (p *process, ports []int) {
	b.Helper()
	p = child(b, exec.Command(os.Args[0]), "devices")
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(line, &ports); err != nil {
		b.Fatal(err)
	}
	return p, ports
}

// cost is what a process used.
type cost struct {
	cpu    time.Duration
	peakMB float64 // of resident memory
}

// spent reads the cost of a process so far from /proc.
func (p *process) spent(b *testing.B) cost {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	var ticks int64
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(peak)[0], 64)
	return cost{time.Duration(ticks) * 10 * time.Millisecond, kb / 1024}
}

// telegraf builds Telegraf from its own module, with the versions that it asks for: it is no dependency of ours.
func telegraf(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(b.Context(), "go", args...)
		cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off"), b.Output()
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("go %s: %v", args[0], err)
		}
		return out
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(run("mod", "download", "-json", "github.com/influxdata/telegraf@"+telegrafVersion), &module); err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(dir, "telegraf")
	run("build", "-C", module.Dir, "-tags", "custom,inputs.modbus,inputs.opcua,outputs.postgresql,outputs.file", "-o", program, "./cmd/telegraf")
	return program
}

// telegrafConfig reads the same registers in the same rhythm, and writes them to a file.
func telegrafConfig(dir string, ports []int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "[agent]\n  interval = \"1s\"\n  flush_interval = \"1s\"\n  metric_batch_size = 5000\n  metric_buffer_limit = 50000\n  omit_hostname = true\n[[outputs.file]]\n  files = [%q]\n", filepath.Join(dir, "out"))
	for i, port := range ports {
		fmt.Fprintf(&s, "[[inputs.modbus]]\n  name = \"device-%d\"\n  slave_id = 1\n  timeout = \"1s\"\n  controller = \"tcp://127.0.0.1:%d\"\n  configuration_type = \"register\"\n  holding_registers = [\n", i, port)
		for a := range benchRegisters {
			fmt.Fprintf(&s, "    { name = \"register_%d\", byte_order = \"AB\", data_type = \"UINT16\", scale = 1.0, address = [%d] },\n", a, a)
		}
		s.WriteString("  ]\n")
	}
	return s.String()
}

// BenchmarkPoll polls 200 devices of 100 registers each second, for 20 s after 5 s to settle: decoding, quality and a durable write of each value included, then
// without that write, and by Telegraf, which writes to a file that it does not sync. It reports processor time per register and peak memory.
func BenchmarkPoll(b *testing.B) {
	_, ports := startDevices(b)
	const span = 20 * time.Second
	measure := func(b *testing.B, p *process) {
		time.Sleep(settle)
		begin := p.spent(b)
		b.ResetTimer()
		time.Sleep(span)
		end := p.spent(b)
		b.StopTimer()
		n := benchDevices * benchRegisters * span.Seconds()
		b.ReportMetric(float64((end.cpu-begin.cpu).Nanoseconds())/n, "cpu-ns/register")
		b.ReportMetric(end.peakMB, "peak-MB")
		b.ReportMetric(0, "ns/op")
	}
	for _, way := range []string{"quartier", "quartier without record"} {
		b.Run("way="+way, func(b *testing.B) {
			j := job{Ports: ports}
			if way == "quartier" {
				j.Store = filepath.Join(b.TempDir(), "record.db")
			}
			p := child(b, exec.Command(os.Args[0]), "poll")
			if err := json.NewEncoder(p.in).Encode(j); err != nil {
				b.Fatal(err)
			}
			measure(b, p)
			p.in.Close()
			text, err := p.out.ReadString('\n')
			if n, _ := strconv.Atoi(strings.TrimSpace(text)); err != nil || n < benchDevices*benchRegisters*int(span.Seconds()) {
				b.Errorf("%q values were passed on, %v, want %d each second", text, err, benchDevices*benchRegisters)
			}
		})
	}
	b.Run("way=telegraf", func(b *testing.B) {
		program := telegraf(b)
		dir := b.TempDir()
		conf := filepath.Join(dir, "telegraf.conf")
		if err := os.WriteFile(conf, []byte(telegrafConfig(dir, ports)), 0o600); err != nil {
			b.Fatal(err)
		}
		cmd := exec.Command(program, "--config", conf)
		p := child(b, cmd, "")
		measure(b, p)
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		out, err := os.ReadFile(filepath.Join(dir, "out"))
		if n := strings.Count(string(out), "\n"); err != nil || n < benchDevices*int(span.Seconds()) {
			b.Errorf("%d lines were written, %v, want %d each second", n, err, benchDevices)
		}
	})
}
