package main

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"

	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/modbus/serve"
	opcuaserve "quartier/drivers/opcua/serve"
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
	garbage, silent, exception := modbustest.New(t), modbustest.New(t), modbustest.New(t)
	garbage.Behave(modbustest.Raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...))
	silent.Behave(modbustest.Silence)
	exception.Behave(modbustest.Exception(4))
	station := substation(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			srv, err := serve.Listen("127.0.0.1:0", serve.Config{})
			if err != nil {
				return err
			}
			env.Defer(func() { srv.Close() })
			for unit, dev := range map[uint8]struct {
				profile string
				values  map[string]float64
			}{
				1: {"eastron-sdm630", map[string]float64{district.PowerKW: 1.5, district.ImportKWh: 1234.5, district.ExportKWh: 10, district.VoltageV: 231, district.FrequencyHz: 50, "current_l1_a": 2, "current_l2_a": 2, "current_l3_a": 2.5}},
				2: {"alfen-eve", map[string]float64{district.PowerKW: 7, district.ImportKWh: 310, district.VoltageV: 230, "current_l1_a": 10, district.Charging: 1, district.Connected: 1, district.LimitA: 16}},
			} {
				d, err := serve.NewDevice(profile.MustLoad(dev.profile), nil)
				if err != nil {
					return err
				}
				if err := d.SetAll(dev.values); err != nil {
					return err
				}
				srv.Handle(unit, d)
			}
			env.Setenv("GORACE", "atexit_sleep_ms=0") // a second for each program that ends, under -race
			env.Setenv("STATION", station)
			env.Setenv("GARBAGE", garbage.URL())
			env.Setenv("SILENT", silent.URL())
			env.Setenv("EXCEPTION", exception.URL())
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
			// sql FILE STATEMENT: somebody alters the record behind Quartier's back
			"sql": func(ts *testscript.TestScript, neg bool, args []string) {
				if neg || len(args) != 2 {
					ts.Fatalf("usage: sql FILE STATEMENT")
				}
				db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
				ts.Check(err)
				res, err := db.Exec(args[1])
				ts.Check(errors.Join(err, db.Close()))
				if n, err := res.RowsAffected(); err != nil || n != 1 {
					ts.Fatalf("%d rows were altered, %v; want 1", n, err)
				}
			},
			// expand FILE: $NAME in the file becomes the value of the variable
			"expand": func(ts *testscript.TestScript, _ bool, args []string) {
				for _, name := range args {
					text := os.Expand(ts.ReadFile(name), ts.Getenv)
					ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
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

// substation starts a transformer station behind OPC UA and returns its address; it ends with the test.
func substation(t *testing.T) string {
	t.Helper()
	p := profile.MustLoad("quartier-substation-opcua")
	srv := opcuaserve.New(opcuaserve.Config{NamespaceURI: p.Namespace})
	for i, pt := range p.Points {
		if err := srv.AddVariable(opcuaserve.Variable{Path: []string{"Station", pt.Name}, NodeID: pt.Node.ID, Type: opcuaserve.Double, Unit: pt.DeviceUnit}); err != nil {
			t.Fatal(err)
		}
		if err := srv.Set(pt.Node.ID, float64(10+i), district.Good, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("station: %v", err)
		}
	})
	addr, err := srv.Addr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return "opc.tcp://" + addr
}
