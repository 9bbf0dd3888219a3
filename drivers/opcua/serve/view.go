package serve

import (
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

func (ses *session) browse(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		View                          *ua.ViewDescription
		RequestedMaxReferencesPerNode uint32
		NodesToBrowse                 []*ua.BrowseDescription
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	switch {
	case len(req.NodesToBrowse) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(req.NodesToBrowse) > maxBrowse:
		return nil, ua.StatusBadTooManyOperations
	case req.View.ViewID.String() != "i=0":
		return nil, ua.StatusBadViewIDUnknown
	}
	limit := int(min(req.RequestedMaxReferencesPerNode, maxReferences))
	if limit == 0 {
		limit = maxReferences
	}
	results := make([]*ua.BrowseResult, len(req.NodesToBrowse))
	room := maxReferences
	for i, d := range req.NodesToBrowse {
		results[i] = ses.page(continuation{d, 0, limit}, &room)
	}
	return &ua.BrowseResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// continuation is where a Browse goes on. References are only ever appended, so a position stays right.
type continuation struct {
	what   *ua.BrowseDescription
	offset int // in the node's list of references
	limit  int // references per page
}

// page returns the next references of a Browse and keeps the place for BrowseNext. room is what the whole answer may still hold.
func (ses *session) page(c continuation, room *int) *ua.BrowseResult {
	refs, next, status := ses.srv.space.browse(c.what, c.offset, min(c.limit, *room))
	if ses.french() {
		ses.srv.space.translated(refs, c.what.ResultMask)
	}
	*room -= len(refs)
	out := &ua.BrowseResult{StatusCode: status, References: refs}
	if next < 0 {
		return out
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if len(ses.continuations) >= maxContinuation {
		return &ua.BrowseResult{StatusCode: ua.StatusBadNoContinuationPoints, References: []*ua.ReferenceDescription{}}
	}
	out.ContinuationPoint = randomBytes(8)
	ses.continuations[string(out.ContinuationPoint)] = continuation{c.what, next, c.limit}
	return out
}

func (ses *session) browseNext(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		ReleaseContinuationPoints bool
		ContinuationPoints        [][]byte
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	switch {
	case len(req.ContinuationPoints) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(req.ContinuationPoints) > maxBrowse:
		return nil, ua.StatusBadTooManyOperations
	}
	results := make([]*ua.BrowseResult, len(req.ContinuationPoints))
	room := maxReferences
	for i, p := range req.ContinuationPoints {
		ses.mu.Lock()
		c, ok := ses.continuations[string(p)]
		delete(ses.continuations, string(p))
		ses.mu.Unlock()
		switch {
		case !ok:
			results[i] = &ua.BrowseResult{StatusCode: ua.StatusBadContinuationPointInvalid, References: []*ua.ReferenceDescription{}}
		case req.ReleaseContinuationPoints:
			results[i] = &ua.BrowseResult{References: []*ua.ReferenceDescription{}}
		default:
			results[i] = ses.page(c, &room)
		}
	}
	return &ua.BrowseNextResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// Bits of BrowseDescription.ResultMask (Part 4, 5.8.2.2).
const (
	resultReference = 1 << iota
	resultForward
	resultClass
	resultBrowseName
	resultDisplayName
	resultType
)

// browse returns up to most references of a node from offset on, and the offset to go on from, -1 at the end.
func (sp *space) browse(d *ua.BrowseDescription, offset, most int) (out []*ua.ReferenceDescription, next int, status ua.StatusCode) {
	out = []*ua.ReferenceDescription{}
	n := sp.get(d.NodeID)
	if n == nil {
		return out, -1, ua.StatusBadNodeIDUnknown
	}
	if d.BrowseDirection > ua.BrowseDirectionBoth {
		return out, -1, ua.StatusBadBrowseDirectionInvalid
	}
	wanted, ok := sp.referenceTypes(d.ReferenceTypeID, d.IncludeSubtypes)
	if !ok {
		return out, -1, ua.StatusBadReferenceTypeIDInvalid
	}
	refs := sp.references(n)
	for i := offset; i < len(refs); i++ {
		r := refs[i]
		if r.IsForward && d.BrowseDirection == ua.BrowseDirectionInverse || !r.IsForward && d.BrowseDirection == ua.BrowseDirectionForward ||
			wanted != nil && !wanted[r.ReferenceTypeID.IntID()] || d.NodeClassMask != 0 && d.NodeClassMask&uint32(r.NodeClass) == 0 {
			continue
		}
		if len(out) == most {
			return out, i, ua.StatusOK
		}
		out = append(out, masked(r, d.ResultMask))
	}
	return out, -1, ua.StatusOK
}

// translated shows names in French where there are any.
func (sp *space) translated(refs []*ua.ReferenceDescription, mask uint32) {
	if mask&resultDisplayName == 0 {
		return
	}
	for i, r := range refs {
		if n := sp.get(r.NodeID.NodeID); n != nil && n.french.display != nil {
			m := *r
			m.DisplayName = n.french.display
			refs[i] = &m
		}
	}
}

// masked leaves the fields that the client did not ask for empty.
func masked(r *ua.ReferenceDescription, mask uint32) *ua.ReferenceDescription {
	const all = resultReference | resultForward | resultClass | resultBrowseName | resultDisplayName | resultType
	if mask&all == all {
		return r
	}
	m := *r
	if mask&resultReference == 0 {
		m.ReferenceTypeID = nodeID(0)
	}
	if mask&resultForward == 0 {
		m.IsForward = false
	}
	if mask&resultClass == 0 {
		m.NodeClass = 0
	}
	if mask&resultBrowseName == 0 {
		m.BrowseName = &ua.QualifiedName{}
	}
	if mask&resultDisplayName == 0 {
		m.DisplayName = ua.NewLocalizedText("")
	}
	if mask&resultType == 0 {
		m.TypeDefinition = ua.NewTwoByteExpandedNodeID(0)
	}
	return &m
}

// referenceTypes returns the set of reference types that a request names, nil for any; ok is false for one that does not exist.
func (sp *space) referenceTypes(t *ua.NodeID, subtypes bool) (set map[uint32]bool, ok bool) {
	if t.String() == "i=0" {
		return nil, true
	}
	n := sp.get(t)
	if n == nil || n.class != ua.NodeClassReferenceType {
		return nil, false
	}
	set = map[uint32]bool{}
	var walk func(n *node)
	walk = func(n *node) { // the tree of reference types is this package's own and four levels deep
		set[n.id.IntID()] = true
		if !subtypes {
			return
		}
		for _, r := range sp.references(n) {
			if r.IsForward && r.ReferenceTypeID.IntID() == id.HasSubtype {
				if c := sp.get(r.NodeID.NodeID); c != nil {
					walk(c)
				}
			}
		}
	}
	walk(n)
	return set, true
}

func (ses *session) translate(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct{ BrowsePaths []*ua.BrowsePath }
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	elements := 0
	for _, p := range req.BrowsePaths {
		elements += len(p.RelativePath.Elements)
	}
	switch {
	case len(req.BrowsePaths) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(req.BrowsePaths) > maxBrowse || elements > 20*maxBrowse:
		return nil, ua.StatusBadTooManyOperations
	}
	results := make([]*ua.BrowsePathResult, len(req.BrowsePaths))
	for i, p := range req.BrowsePaths {
		results[i] = ses.srv.space.follow(p)
	}
	return &ua.TranslateBrowsePathsToNodeIDsResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

func (sp *space) follow(p *ua.BrowsePath) *ua.BrowsePathResult {
	fail := func(s ua.StatusCode) *ua.BrowsePathResult {
		return &ua.BrowsePathResult{StatusCode: s, Targets: []*ua.BrowsePathTarget{}}
	}
	at := sp.get(p.StartingNode)
	switch {
	case at == nil:
		return fail(ua.StatusBadNodeIDUnknown)
	case len(p.RelativePath.Elements) == 0:
		return fail(ua.StatusBadNothingToDo)
	}
	for _, e := range p.RelativePath.Elements {
		if e.TargetName.Name == "" {
			return fail(ua.StatusBadBrowseNameInvalid)
		}
		wanted, ok := sp.referenceTypes(e.ReferenceTypeID, e.IncludeSubtypes)
		if !ok {
			return fail(ua.StatusBadNoMatch)
		}
		var next *node
		for _, r := range sp.references(at) {
			if r.IsForward != e.IsInverse && (wanted == nil || wanted[r.ReferenceTypeID.IntID()]) && *r.BrowseName == *e.TargetName {
				next = sp.get(r.NodeID.NodeID)
				break
			}
		}
		if next == nil {
			return fail(ua.StatusBadNoMatch)
		}
		at = next
	}
	return &ua.BrowsePathResult{Targets: []*ua.BrowsePathTarget{{TargetID: &ua.ExpandedNodeID{NodeID: at.id}, RemainingPathIndex: 0xFFFFFFFF}}}
}

func (ses *session) registerNodes(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct{ NodesToRegister []*ua.NodeID }
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	switch {
	case len(req.NodesToRegister) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(req.NodesToRegister) > maxOperations:
		return nil, ua.StatusBadTooManyOperations
	}
	return &ua.RegisterNodesResponse{ResponseHeader: header(hdr, ua.StatusOK), RegisteredNodeIDs: req.NodesToRegister}, nil
}
