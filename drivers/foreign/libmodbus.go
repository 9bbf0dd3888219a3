package foreign

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Libmodbus builds and starts a device made with libmodbus, the C library under mbpoll, with the arguments of libmodbus/device.c; it ends with the test.
func Libmodbus(t testing.TB, args ...string) {
	t.Helper()
	source, err := inFolder("libmodbus", "device.c")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "libmodbus")
	if out, err := exec.Command("gcc", "-O", "-o", program, source, "-l:libmodbus.so.5").CombinedOutput(); err != nil {
		t.Fatalf("libmodbus or a C compiler is not installed (mbpoll brings the one, make setup the other): %v\n%s", err, out)
	}
	cmd := exec.Command(program, args...)
	cmd.Stderr = t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- line
	}()
	select {
	case line := <-ready:
		if !strings.Contains(line, "ready") {
			t.Fatalf("libmodbus %v did not start", args)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("libmodbus %v does not start", args)
	}
}
