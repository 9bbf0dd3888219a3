package app

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"testing"
)

// TestLearnedFile: what is kept is replaced as a whole or not at all, and nothing else is left in the folder.
func TestLearnedFile(t *testing.T) {
	dir := t.TempDir()
	l, err := openLearned(dir, "fontaine")
	if err != nil || len(l.Build()) != 64 {
		t.Fatalf("build %q, %v", l.Build(), err)
	}
	if _, err := l.Open(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before anything is kept: %v", err)
	}
	refused := errors.New("no more")
	for i, fails := range []bool{false, true, false, true} {
		err := l.Replace(func(w io.Writer) error {
			if _, err := fmt.Fprint(w, i); err != nil || !fails {
				return err
			}
			return refused
		})
		if errors.Is(err, refused) != fails || !fails && err != nil {
			t.Errorf("round %d: %v", i, err)
		}
		in, err := l.Open()
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(in)
		if want := fmt.Sprint(i / 2 * 2); err != nil || string(got) != want {
			t.Errorf("round %d: %q is kept, want %q, %v", i, got, want, err)
		}
		in.Close()
	}
	if files, err := os.ReadDir(dir + "/" + learnedFolder); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
}
