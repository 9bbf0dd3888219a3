package opcua_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// quick is the configuration of the tests: the same supervisor with shorter times.
func quick(t testing.TB) opcua.Config {
	return opcua.Config{
		Timeout: 3 * time.Second, Heartbeat: 200 * time.Millisecond, MinBackoff: 50 * time.Millisecond, MaxBackoff: 500 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

// station serves a profile's nodes and returns the server with its address; it ends with the test.
func station(t testing.TB, p *profile.Profile, cfg serve.Config) (s *serve.Server, addr string, stop func()) {
	t.Helper()
	cfg.NamespaceURI = p.Namespace
	s = serve.New(cfg)
	for i, pt := range p.Points {
		path := pt.Node.Path
		id := pt.Node.ID
		if id == "" {
			id = "i=" + string(rune('1'+i))
		} else {
			path = []string{"Station", pt.Name}
		}
		if err := s.AddVariable(serve.Variable{Path: path, NodeID: id, Type: serve.Double, Unit: pt.DeviceUnit}); err != nil {
			t.Fatal(err)
		}
		if err := s.Set(id, float64(10+i), district.Good, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	}
	t.Cleanup(stop)
	addr, err := s.Addr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, addr, stop
}

func openDevice(t testing.TB, addr string, p *profile.Profile) *opcua.Device {
	t.Helper()
	d, err := opcua.Open(district.Device{ID: "under-test", Address: "opc.tcp://" + addr}, p, opcua.Access{}, quick(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestConformance holds the driver against the contract, read-only on our own server and writable on the library's.
func TestConformance(t *testing.T) {
	t.Run("substation", func(t *testing.T) {
		t.Parallel()
		p := profile.MustLoad("quartier-substation-opcua")
		drivertest.Run(t, func(t *testing.T) drivertest.Subject {
			_, addr, _ := station(t, p, serve.Config{})
			line := drivertest.NewProxy(t, addr)
			return drivertest.Subject{Open: func(t *testing.T) drivers.Driver { return openDevice(t, line.Addr(), p) }, Line: line, ReadOnly: "power_kw"}
		})
	})
	t.Run("writable", func(t *testing.T) {
		t.Parallel()
		p := writableProfile(t)
		addr := writableServer(t)
		drivertest.Run(t, func(t *testing.T) drivertest.Subject {
			line := drivertest.NewProxy(t, addr)
			return drivertest.Subject{Open: func(t *testing.T) drivers.Driver { return openDevice(t, line.Addr(), p) }, Line: line,
				ReadOnly: "power_kw", Writable: "setpoint_kw", Value: -4, Other: 2.5, TooHigh: 5000}
		})
	})
}
