package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// kept is what a file of what was learned holds; empty without one.
func kept(t *testing.T, l learned) string {
	t.Helper()
	in, err := l.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

// TestLearnedFileFaults: whatever the disk does, what was kept before is there or nothing is, the error names the file once, nothing is left beside it, and the next attempt on a disk that works keeps the new one.
func TestLearnedFileFaults(t *testing.T) {
	for _, tt := range []struct {
		name    string
		breaks  func(t *testing.T, l learned)
		mends   func(t *testing.T, l learned)
		lost    bool // what was kept before went with the folder
		says    string
		onlyOn  string
		writing int // bytes
	}{
		{name: "the disk is full", onlyOn: "linux", says: "no space left on device", writing: 1 << 20,
			breaks: func(t *testing.T, l learned) { noError(t, os.Symlink("/dev/full", l.path+".new")) }},
		{name: "the disk is full at the last bytes", onlyOn: "linux", says: "no space left on device", writing: 10,
			breaks: func(t *testing.T, l learned) { noError(t, os.Symlink("/dev/full", l.path+".new")) }},
		{name: "it cannot be put in its place", says: "file exists", writing: 10, lost: true,
			breaks: func(t *testing.T, l learned) {
				noError(t, os.Remove(l.path))
				noError(t, os.MkdirAll(filepath.Join(l.path, "somebody's"), 0o750))
			},
			mends: func(t *testing.T, l learned) { noError(t, os.RemoveAll(l.path)) }},
		{name: "the folder is a file", says: "not a directory", writing: 10, lost: true,
			breaks: func(t *testing.T, l learned) {
				noError(t, os.RemoveAll(filepath.Dir(l.path)))
				noError(t, os.WriteFile(filepath.Dir(l.path), nil, 0o640))
			},
			mends: func(t *testing.T, l learned) { noError(t, os.Remove(filepath.Dir(l.path))) }},
		{name: "the file beside it is a folder", says: "is a directory", writing: 10,
			breaks: func(t *testing.T, l learned) {
				noError(t, os.MkdirAll(filepath.Join(l.path+".new", "somebody's"), 0o750))
			},
			mends: func(t *testing.T, l learned) { noError(t, os.RemoveAll(l.path+".new")) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.onlyOn != "" && runtime.GOOS != tt.onlyOn {
				return
			}
			l, err := openLearned(t.TempDir(), "fontaine")
			noError(t, err)
			noError(t, l.Replace(write("before")))
			tt.breaks(t, l)
			err = l.Replace(write(strings.Repeat("x", tt.writing)))
			if err == nil || strings.Count(err.Error(), tt.says) != 1 || !strings.Contains(err.Error(), "fontaine") && !strings.Contains(err.Error(), learnedFolder) {
				t.Errorf("error %v, want one that says %q once and names the file", err, tt.says)
			}
			if tt.mends != nil {
				tt.mends(t, l)
			}
			if got, want := kept(t, l), map[bool]string{false: "before"}[tt.lost]; got != want {
				t.Errorf("%d bytes %.20q are kept, want %q", len(got), got, want)
			}
			noError(t, l.Replace(write("after")))
			files, err := os.ReadDir(filepath.Dir(l.path))
			if got := kept(t, l); got != "after" || err != nil || len(files) != 1 {
				t.Errorf("on a disk that works again %q is kept, in the folder are %v, %v", got, files, err)
			}
		})
	}
}

// TestLearnedFileOfAReadOnlyDisk: nothing is kept and nothing panics; reading finds none.
func TestLearnedFileOfAReadOnlyDisk(t *testing.T) {
	if runtime.GOOS != "linux" { // which has a folder that not even root may write to
		return
	}
	l, err := openLearned("/proc/self", "fontaine")
	noError(t, err)
	if err := l.Replace(write("x")); err == nil {
		t.Error("something is kept in /proc")
	}
	if _, err := l.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading it: %v, want that there is none", err)
	}
}

// TestLearnedFileAfterAKill: a process that is killed at any time while it keeps what it learned leaves the old or the new file whole, and what it left beside that is in nobody's way.
func TestLearnedFileAfterAKill(t *testing.T) {
	const env = "QUARTIER_TEST_KEEPS_LEARNED"
	body := func(n int) []byte { return bytes.Repeat([]byte(fmt.Sprintf("%09d\n", n)), 20_000) }
	if dir := os.Getenv(env); dir != "" { // the process that is killed
		l, err := openLearned(dir, "fontaine")
		noError(t, err)
		for n := 1; ; n++ {
			noError(t, l.Replace(func(w io.Writer) error {
				text := body(n)
				for len(text) > 0 {
					k := min(len(text), 4096)
					if _, err := w.Write(text[:k]); err != nil {
						return err
					}
					text = text[k:]
				}
				return nil
			}))
			fmt.Println(n)
		}
	}
	dir := t.TempDir()
	l, err := openLearned(dir, "fontaine")
	noError(t, err)
	last := 0
	for range 12 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestLearnedFileAfterAKill$")
		cmd.Env = append(os.Environ(), env+"="+dir)
		out, err := cmd.StdoutPipe()
		noError(t, err)
		noError(t, cmd.Start())
		var n int
		for range 2 + last%3 { // it keeps something, again and again
			if _, err := fmt.Fscanln(out, &n); err != nil {
				t.Fatalf("the process said nothing: %v", err)
			}
		}
		time.Sleep(time.Duration(last%7) * time.Millisecond) // at some time of the next one
		noError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
		last++
		text := kept(t, l)
		var got int
		if _, err := fmt.Sscanf(text, "%d", &got); err != nil || got < n || text != string(body(got)) {
			t.Fatalf("after a kill %d bytes of number %d are kept, %d was told to be kept, %v", len(text), got, n, err)
		}
	}
	noError(t, l.Replace(write("after")))
	files, err := os.ReadDir(filepath.Dir(l.path))
	noError(t, err)
	if names := slices.Collect(func(yield func(string) bool) {
		for _, f := range files {
			if !yield(f.Name()) {
				return
			}
		}
	}); kept(t, l) != "after" || len(names) != 1 {
		t.Errorf("afterwards there are %v", names)
	}
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
