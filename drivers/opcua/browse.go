package opcua

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
)

// Node is a node of a server's address space as a scan finds it.
type Node struct {
	Depth     int    // 0 below the Objects folder
	Name      string // browse name
	ID        string // as a profile writes it, without a namespace index: i=, s=, g= or b=
	Namespace string // URI
	Variable  bool   // with a value; otherwise an object
	Type      string // of a variable's value, such as Double; empty when unknown
	Value     string // of a variable, cut at 60 characters; empty when it cannot be read
	Quality   string // good, uncertain, substituted or bad
	Writable  bool   // by whom the session is for
}

// Bounds of a scan, against address spaces without end.
const (
	scanNodes = 20_000
	scanDepth = 25
	scanPage  = 500 // references of a node at once
)

// Scan walks the objects and variables of the server at an address, depth first, and shows each to visit until that returns false. The
// server's description of itself (the Server object) is left out. more tells that the scan ended at its bounds.
func Scan(ctx context.Context, address string, access Access, config Config, visit func(Node) bool) (more bool, err error) {
	l, err := NewLink(address, access, config)
	if err != nil {
		return false, err
	}
	defer l.Close()
	s, err := l.current(ctx)
	if err != nil {
		return false, fmt.Errorf("opcua: scan %s: %w", address, err)
	}
	w := walk{s: s, visit: visit, seen: map[string]bool{}}
	err = w.below(ctx, ua.NewNumericNodeID(0, id.ObjectsFolder), 0)
	if err != nil {
		return w.more, fmt.Errorf("opcua: scan %s: %w", address, err)
	}
	return w.more, nil
}

type walk struct {
	s       *session
	visit   func(Node) bool
	seen    map[string]bool
	shown   int
	stopped bool
	more    bool
}

func (w *walk) below(ctx context.Context, of *ua.NodeID, depth int) error {
	if depth > scanDepth {
		w.more = true
		return nil
	}
	refs, err := w.s.browse(ctx, of, uint32(ua.NodeClassObject|ua.NodeClassVariable), nil)
	if err != nil {
		return err
	}
	var variables []*ua.ReferenceDescription
	var nodes []*ua.NodeID
	for _, r := range refs {
		node := ua.NewNodeIDFromExpandedNodeID(r.NodeID)
		if r.NodeID.ServerIndex != 0 || w.seen[node.String()] || node.Namespace() == 0 && node.IntID() == id.Server {
			continue
		}
		w.seen[node.String()] = true
		variables, nodes = append(variables, r), append(nodes, node)
	}
	told, err := w.tell(ctx, variables, nodes, depth)
	if err != nil {
		return err
	}
	for i, n := range told {
		if w.shown++; w.shown > scanNodes {
			w.more, w.stopped = true, true
		}
		if w.stopped || !w.visit(n) {
			w.stopped = true
			return nil
		}
		if err := w.below(ctx, nodes[i], depth+1); err != nil || w.stopped {
			return err
		}
	}
	return nil
}

// tell reads what is to be known of nodes.
func (w *walk) tell(ctx context.Context, refs []*ua.ReferenceDescription, nodes []*ua.NodeID, depth int) ([]Node, error) {
	out := make([]Node, len(refs))
	var reads []*ua.ReadValueID
	var of []int
	for i, r := range refs {
		n := &out[i]
		n.Depth, n.Variable = depth, r.NodeClass == ua.NodeClassVariable
		if r.BrowseName != nil {
			n.Name = r.BrowseName.Name
		}
		n.ID = nodes[i].String()
		if _, rest, ok := strings.Cut(n.ID, ";"); ok && strings.HasPrefix(n.ID, "ns=") {
			n.ID = rest
		}
		if at := int(nodes[i].Namespace()); at < len(w.s.uris) {
			n.Namespace = w.s.uris[at]
		}
		if n.Variable {
			reads = append(reads, &ua.ReadValueID{NodeID: nodes[i]}, &ua.ReadValueID{NodeID: nodes[i], AttributeID: ua.AttributeIDUserAccessLevel})
			of = append(of, i)
		}
	}
	values, err := w.s.readNodes(ctx, reads)
	if err != nil {
		return nil, err
	}
	for k, i := range of {
		n, dv := &out[i], values[2*k]
		if level, ok := valueOf(values[2*k+1]).(uint8); ok {
			n.Writable = level&2 != 0 // CurrentWrite
		}
		if dv == nil {
			continue
		}
		n.Quality = qualityOf(dv.Status).String()
		if dv.Value != nil && dv.Value.Value() != nil {
			n.Type = strings.TrimPrefix(dv.Value.Type().String(), "TypeID")
			n.Value = valueText(dv.Value.Value())
		}
	}
	return out, nil
}

// valueText writes a value on one line, cut at 60 characters.
func valueText(v any) string {
	var text string
	switch x := v.(type) {
	case time.Time:
		text = x.UTC().Format(time.RFC3339)
	case *ua.LocalizedText:
		text = x.Text
	case *ua.ExtensionObject:
		switch s := x.Value.(type) {
		case *ua.EUInformation:
			if s.DisplayName != nil {
				text = s.DisplayName.Text
			}
		case *ua.Range:
			text = fmt.Sprintf("%g to %g", s.Low, s.High)
		default:
			text = "structure"
		}
	case float64, float32, string, bool, int8, uint8, int16, uint16, int32, uint32, int64, uint64:
		text = fmt.Sprint(x)
	default:
		text = fmt.Sprintf("%T", v)
		if strings.HasPrefix(text, "[]") {
			text = fmt.Sprint(v)
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 60 {
		text = string(r[:59]) + "…"
	}
	return text
}

const maxPages = 1000 // of one Browse, against a server that never ends

// browse returns the hierarchical references of a node, of the given classes (0: all). Where stop is given, browsing ends with the first
// reference that it takes, which comes last.
func (s *session) browse(ctx context.Context, of *ua.NodeID, classes uint32, stop func(*ua.ReferenceDescription) bool) ([]*ua.ReferenceDescription, error) {
	resp, err := ask[*ua.BrowseResponse](ctx, s, &ua.BrowseRequest{
		View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: scanPage,
		NodesToBrowse: []*ua.BrowseDescription{{
			NodeID: of, BrowseDirection: ua.BrowseDirectionForward, ReferenceTypeID: ua.NewNumericNodeID(0, id.HierarchicalReferences), IncludeSubtypes: true,
			NodeClassMask: classes, ResultMask: uint32(ua.BrowseResultMaskAll),
		}},
	})
	if err != nil {
		return nil, err
	}
	var out []*ua.ReferenceDescription
	results := resp.Results
	for range maxPages {
		if len(results) != 1 || results[0] == nil {
			return nil, fmt.Errorf("%w: %d results of browsing one node", drivers.ErrGarbage, len(results))
		}
		r := results[0]
		if severity(r.StatusCode) == severityBad {
			return out, nil // no such node, or none of ours to see
		}
		for _, ref := range r.References {
			if ref == nil || ref.NodeID == nil || ref.NodeID.NodeID == nil {
				continue
			}
			out = append(out, ref)
			if stop != nil && stop(ref) {
				if len(r.ContinuationPoint) > 0 {
					ask[*ua.BrowseNextResponse](ctx, s, &ua.BrowseNextRequest{ReleaseContinuationPoints: true, ContinuationPoints: [][]byte{r.ContinuationPoint}})
				}
				return out, nil
			}
		}
		if len(r.ContinuationPoint) == 0 {
			return out, nil
		}
		next, err := ask[*ua.BrowseNextResponse](ctx, s, &ua.BrowseNextRequest{ContinuationPoints: [][]byte{r.ContinuationPoint}})
		if err != nil {
			return nil, err
		}
		results = next.Results
	}
	return nil, fmt.Errorf("%w: browsing %s does not end", drivers.ErrGarbage, of)
}
