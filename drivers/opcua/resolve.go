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

const maxPages = 1000 // of one Browse, against a server that never ends

// child browses the hierarchical references of a node for a browse name.
func (s *session) child(ctx context.Context, of *ua.NodeID, name ua.QualifiedName) (*ua.NodeID, error) {
	resp, err := ask[*ua.BrowseResponse](ctx, s, &ua.BrowseRequest{
		View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: 1000,
		NodesToBrowse: []*ua.BrowseDescription{{
			NodeID: of, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true,
			ResultMask: uint32(ua.BrowseResultMaskAll),
		}},
	})
	if err != nil {
		return nil, err
	}
	results := resp.Results
	for range maxPages {
		if len(results) != 1 {
			return nil, fmt.Errorf("%w: %d results of browsing one node", drivers.ErrGarbage, len(results))
		}
		for _, r := range results[0].References {
			if r.BrowseName != nil && *r.BrowseName == name && r.NodeID != nil && r.NodeID.NodeID != nil {
				if len(results[0].ContinuationPoint) > 0 {
					ask[*ua.BrowseNextResponse](ctx, s, &ua.BrowseNextRequest{ReleaseContinuationPoints: true, ContinuationPoints: [][]byte{results[0].ContinuationPoint}})
				}
				return ua.NewNodeIDFromExpandedNodeID(r.NodeID), nil
			}
		}
		if len(results[0].ContinuationPoint) == 0 {
			return nil, nil
		}
		next, err := ask[*ua.BrowseNextResponse](ctx, s, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{results[0].ContinuationPoint}})
		if err != nil {
			return nil, err
		}
		results = next.Results
	}
	return nil, fmt.Errorf("%w: browsing %s does not end", drivers.ErrGarbage, of)
}
