package command

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFile: what is kept is there for the next process, whole or as it was before; a damaged file is an error and no empty memory.
func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "before.json")
	open := func() *File {
		t.Helper()
		f, err := OpenFile(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	f := open()
	if _, ok, err := f.Recall("a"); ok || err != nil {
		t.Errorf("an empty memory knows a: %v, %v", ok, err)
	}
	a := Before{Points: map[string]float64{"limit_share": 0.7, "limit_enable": 1}, Ours: []float64{0.5}}
	for device, b := range map[string]Before{"a": a, "b": {Points: map[string]float64{"x": -1}}} {
		if err := f.Keep(device, b); err != nil {
			t.Fatal(err)
		}
	}
	a.Points["limit_share"] = 0.1 // the caller's own
	got, ok, err := open().Recall("a")
	if want := (Before{Points: map[string]float64{"limit_share": 0.7, "limit_enable": 1}, Ours: []float64{0.5}}); err != nil || !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("the next process recalls %+v, %v, %v; want %+v", got, ok, err, want)
	}
	f = open()
	if err := f.Forget("a"); err != nil {
		t.Fatal(err)
	}
	if _, ok, _ := open().Recall("a"); ok {
		t.Error("a is still known after it was forgotten")
	}
	if _, ok, _ := open().Recall("b"); !ok {
		t.Error("b was forgotten with a")
	}
	if rest, err := filepath.Glob(path + ".*"); err != nil || len(rest) > 0 {
		t.Errorf("left behind: %v, %v", rest, err)
	}
	if err := os.WriteFile(path, []byte(`{"a": {`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, nil); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a damaged file: %v, want an error with its name", err)
	}
}

// TestKeepFails: a memory that cannot be written keeps what it had.
func TestKeepFails(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := OpenFile(filepath.Join(folder, "before.json"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Keep("a", Before{Ours: []float64{1}}); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := f.Keep("a", Before{Ours: []float64{2}}); err == nil {
		t.Error("kept in a folder that is gone")
	}
	if b, _, _ := f.Recall("a"); len(b.Ours) != 1 || b.Ours[0] != 1 {
		t.Errorf("after a failed keep: %+v", b)
	}
}

// TestKeepOnADiskThatHangs: a call waits for a second and fails, those after it fail at once, what was kept is still known, and once the disk answers all is as if it had only been slow.
func TestKeepOnADiskThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenFile(filepath.Join(t.TempDir(), "before.json"), nil)
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan struct{})
		f.put = func(string, []byte) error { <-answers; return nil }
		for k, wait := range []time.Duration{slow, 0, 0} {
			begun := time.Now()
			if err := f.Keep("a", Before{Ours: []float64{float64(k)}}); !errors.Is(err, errSlow) {
				t.Errorf("call %d: %v, want that the disk does not answer", k, err)
			}
			if took := time.Since(begun); took != wait {
				t.Errorf("call %d took %v, want %v", k, took, wait)
			}
		}
		if err := f.Forget("b"); !errors.Is(err, errSlow) {
			t.Errorf("forget: %v, want that the disk does not answer", err)
		}
		if _, ok, err := f.Recall("a"); ok || err != nil {
			t.Errorf("known before it is on the disk: %v, %v", ok, err)
		}
		close(answers)
		synctest.Wait()
		if b, ok, _ := f.Recall("a"); !ok || b.Ours[0] != 0 {
			t.Errorf("what the disk took late is %+v, %v; want the first", b, ok)
		}
		if err := f.Keep("a", Before{Ours: []float64{9}}); err != nil {
			t.Errorf("once it answers: %v", err)
		}
		if b, _, _ := f.Recall("a"); b.Ours[0] != 9 {
			t.Errorf("kept %+v", b)
		}
	})
}
