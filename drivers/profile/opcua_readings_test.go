package profile_test

import (
	"context"
	"math"
	"testing"
	"time"

	"quartier/drivers/opcua"
	"quartier/drivers/opcua/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestNodeReadings does for OPC UA what TestReadings does for Modbus: a server with the nodes of the second reading, under its namespace, is read through the product's driver.
func TestNodeReadings(t *testing.T) {
	for _, name := range profile.Names() {
		p := profile.MustLoad(name)
		if p.Protocol != profile.OPCUA {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := loadReading(t, name)
			seen := map[string]bool{}
			for _, c := range r.Cases {
				for _, w := range c.Rows {
					seen[w.Point] = true
				}
				checkNodes(t, r, p, c)
			}
			for _, pt := range p.Points {
				if pt.Node != nil && !seen[pt.Name] {
					t.Errorf("%s: the reading has no value of it", pt.Name)
				}
			}
		})
	}
}

func checkNodes(t *testing.T, r *reading, p *profile.Profile, c situation) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s := serve.New(serve.Config{NamespaceURI: r.Namespace, OtherNamespaces: []string{"urn:another"}})
	var names []string
	for _, w := range c.Rows {
		if err := s.AddVariable(serve.Variable{Path: []string{"Station", w.Node}, NodeID: w.Node, Type: serve.Double}); err != nil {
			t.Fatal(err)
		}
		quality := district.Good
		if w.Value == "none" {
			quality = district.Bad
		}
		if err := s.Set(w.Node, w.Number, quality, time.Now()); err != nil {
			t.Fatal(err)
		}
		names = append(names, w.Point)
	}
	running, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(running) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	addr, err := s.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d, err := opcua.Open(district.Device{ID: r.Profile, Address: "opc.tcp://" + addr}, p, opcua.Access{}, opcua.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.Read(ctx, names...)
	if err != nil || len(got) != len(names) {
		t.Fatalf("%s: %d of %d points read, %v", c.What, len(got), len(names), err)
	}
	want := r.expected(c)
	for _, g := range got {
		w := want[g.Point]
		v, ok, err := w.value()
		switch {
		case err != nil:
			t.Fatal(err)
		case string(p.Point(g.Point).Unit) != w.Unit:
			t.Errorf("%s: %s is in %s, the reading says %s", c.What, g.Point, p.Point(g.Point).Unit, w.Unit)
		case !ok && g.Quality != district.Bad, ok && (g.Quality != district.Good || math.IsNaN(g.Value) || !near(g.Value, v)):
			t.Errorf("%s: %s is %g (%s), the reading says %s", c.What, g.Point, g.Value, g.Quality, w.Value)
		}
	}
}
