package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"quartier": main})
}

// TestScripts runs every command line in testdata/script against the built program.
func TestScripts(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			p := profile.MustLoad("eastron-sdm630")
			dev, err := serve.NewDevice(p, nil)
			if err != nil {
				return err
			}
			for name, v := range map[string]float64{district.PowerKW: 1.5, district.ImportKWh: 1234.5, district.ExportKWh: 10} {
				if err := dev.Set(name, v); err != nil {
					return err
				}
			}
			srv, err := serve.Listen("127.0.0.1:0", serve.Config{})
			if err != nil {
				return err
			}
			srv.Handle(1, dev)
			env.Defer(func() { srv.Close() })
			env.Setenv("METER", srv.URL())
			env.Setenv("PROBLEMS", filepath.Join(root, "testdata", "problems"))
			env.Setenv("CONFIGS", filepath.Join(root, "testdata", "config"))
			env.Setenv("DISTRICTS", filepath.Join(root, "testdata", "districts"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			// code N command…: the command ends with exit code N
			"code": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) < 2 {
					ts.Fatalf("usage: code N command…")
				}
				got := "0"
				if err := ts.Exec(args[1], args[2:]...); err != nil {
					got = strings.TrimPrefix(err.Error(), "exit status ")
				}
				if got != args[0] {
					ts.Fatalf("exit code %s, want %s", got, args[0])
				}
			},
		},
	})
}

// TestHelp: every command tells what it does without being run, and the overview lists all of them.
func TestHelp(t *testing.T) {
	var over strings.Builder
	if code := run(t.Context(), []string{"help"}, strings.NewReader(""), &over, &over); code != exitDone {
		t.Errorf("help ends with %d, want 0", code)
	}
	for _, cmd := range commands() {
		var out, errs strings.Builder
		if code := run(t.Context(), []string{cmd.name, "-h"}, strings.NewReader(""), &out, &errs); code != exitDone || !strings.Contains(out.String(), "Usage:") {
			t.Errorf("%s -h ends with %d and says %q %q", cmd.name, code, out.String(), errs.String())
		}
		if !cmd.hidden && !strings.Contains(over.String(), "  "+cmd.name) {
			t.Errorf("help does not list %s", cmd.name)
		}
	}
}
