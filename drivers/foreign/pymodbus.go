package foreign

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// StartPymodbus runs a program of the folder pymodbus with the Python of the Debian 13 tree and its package of pymodbus, and ends it with the test. It fails the test when they are not there.
func StartPymodbus(t testing.TB, script string, args ...string) *Process {
	t.Helper()
	root := debian13()
	if _, err := os.Stat(filepath.Join(root, "usr/lib/python3/dist-packages/pymodbus")); err != nil {
		t.Fatalf("pymodbus is not in the Debian 13 tree, run make setup: %v", err)
	}
	path, err := inFolder("pymodbus", script)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(root, "lib64/ld-linux-x86-64.so.2"), append([]string{"--library-path", filepath.Join(root, "usr/lib/x86_64-linux-gnu"), filepath.Join(root, "usr/bin/python3"),
		"-B", path}, args...)...)
	cmd.Env = []string{"PYTHONHOME=" + filepath.Join(root, "usr"), "PYTHONUTF8=1"} // the tree's own library, whatever Python this machine has
	return run(t, cmd)
}
