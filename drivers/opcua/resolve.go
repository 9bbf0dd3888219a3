package opcua

import (
	"context"
	"fmt"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/profile"
)

// find returns the node id of a profile's node on this server, nil when the server has no such namespace or path.
func (s *session) find(ctx context.Context, n *profile.Node) (*ua.NodeID, error) {
	index, ok := s.namespaces[n.Namespace]
	if !ok {
		return nil, nil
	}
	if len(n.Path) == 0 {
		node, err := ua.ParseNodeID(fmt.Sprintf("ns=%d;%s", index, n.ID))
		if err != nil {
			return nil, fmt.Errorf("%w: node id %q: %w", drivers.ErrRejected, n.ID, err)
		}
		return node, nil
	}
	at := ua.NewNumericNodeID(0, id.ObjectsFolder)
	for _, name := range n.Path {
		next, err := s.child(ctx, at, ua.QualifiedName{NamespaceIndex: index, Name: name})
		if err != nil || next == nil {
			return nil, err
		}
		at = next
	}
	return at, nil
}

// child browses the hierarchical references of a node for a browse name; nil when there is none.
func (s *session) child(ctx context.Context, of *ua.NodeID, name ua.QualifiedName) (*ua.NodeID, error) {
	var found *ua.NodeID
	_, err := s.browse(ctx, of, 0, func(r *ua.ReferenceDescription) bool {
		if r.BrowseName == nil || *r.BrowseName != name {
			return false
		}
		found = ua.NewNodeIDFromExpandedNodeID(r.NodeID)
		return true
	})
	return found, err
}
