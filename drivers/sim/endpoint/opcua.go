package endpoint

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	opcserve "quartier/drivers/opcua/serve"
	"quartier/drivers/profile"
	"quartier/drivers/sim"
	"quartier/schemas/district"
)

// station is one OPC UA server with the nodes of one or several devices.
type station struct {
	world     *sim.World
	server    *opcserve.Server
	namespace string
	url       string
	nodes     []stationNode
}

type stationNode struct {
	ref   sim.Ref
	point *profile.Point
	id    string
}

func (s *station) add(ref sim.Ref, p *profile.Profile) error {
	if p.Namespace != s.namespace {
		return fmt.Errorf("profile %s: namespace %s beside %s on one server", p.Name, p.Namespace, s.namespace)
	}
	for _, pt := range p.Points {
		if pt.Node == nil {
			continue
		}
		id := pt.Node.ID
		path := pt.Node.Path
		if len(path) == 0 {
			path = strings.Split(strings.TrimPrefix(id, "s="), ".")
		}
		if id == "" {
			id = "s=" + strings.Join(path, ".")
		}
		if err := s.server.AddVariable(opcserve.Variable{Path: path, NodeID: id, Type: opcserve.Double, Description: pt.Title, Unit: pt.DeviceUnit}); err != nil {
			return err
		}
		s.nodes = append(s.nodes, stationNode{ref, pt, id})
	}
	return nil
}

// run starts the server and waits until it listens.
func (s *station) run(ctx context.Context, wg *sync.WaitGroup) error {
	failed := make(chan error, 1)
	wait, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	wg.Go(func() {
		if err := s.server.Run(ctx); err != nil {
			failed <- err
			cancel()
		}
	})
	addr, err := s.server.Addr(wait)
	if err != nil {
		select {
		case ran := <-failed:
			err = ran
		default:
		}
		return fmt.Errorf("simulated station: %w", err)
	}
	s.url = "opc.tcp://" + addr
	return nil
}

// refresh sets every node to the world's value. A silent or failing device has bad quality: its server goes on.
func (s *station) refresh(at time.Time, log *slog.Logger) {
	for _, n := range s.nodes {
		q := district.Good
		switch s.world.Fault(n.ref) {
		case sim.Silent, sim.Exceptions, sim.Garbage:
			q = district.Bad
		}
		v, ok := s.world.Value(n.ref, n.point.Name)
		if !ok {
			q = district.Bad
		}
		raw, err := n.point.ToDevice(v)
		if err == nil {
			err = s.server.Set(n.id, raw, q, at)
		}
		if err != nil {
			log.Warn("simulated value", "device", n.ref.String(), "point", n.point.Name, "err", err)
		}
	}
}
