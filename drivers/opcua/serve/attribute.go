package serve

import (
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

func (ses *session) read(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		MaxAge             float64
		TimestampsToReturn ua.TimestampsToReturn
		NodesToRead        []*ua.ReadValueID
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	switch {
	case len(req.NodesToRead) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(req.NodesToRead) > maxOperations:
		return nil, ua.StatusBadTooManyOperations
	case req.TimestampsToReturn > ua.TimestampsToReturnNeither:
		return nil, ua.StatusBadTimestampsToReturnInvalid
	case req.MaxAge < 0:
		return nil, ua.StatusBadMaxAgeInvalid
	}
	results := make([]*ua.DataValue, len(req.NodesToRead))
	now := ses.srv.cfg.Now().UTC()
	for i, r := range req.NodesToRead {
		results[i] = stamps(ses.attribute(r.NodeID, r.AttributeID, r.IndexRange), r.AttributeID, req.TimestampsToReturn, now)
	}
	return &ua.ReadResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// stamps returns a copy of the value with the timestamps that the client wants.
func stamps(dv *ua.DataValue, attribute ua.AttributeID, want ua.TimestampsToReturn, now time.Time) *ua.DataValue {
	out := *dv
	if attribute != ua.AttributeIDValue || want == ua.TimestampsToReturnServer || want == ua.TimestampsToReturnNeither {
		out.EncodingMask &^= ua.DataValueSourceTimestamp
	}
	if want == ua.TimestampsToReturnServer || want == ua.TimestampsToReturnBoth {
		out.EncodingMask |= ua.DataValueServerTimestamp
		out.ServerTimestamp = now
	}
	return &out
}

func bad(status ua.StatusCode) *ua.DataValue {
	return &ua.DataValue{EncodingMask: ua.DataValueStatusCode, Status: status}
}

// current returns the value of a variable. The data value is never changed afterwards.
func (n *node) current() *ua.DataValue {
	if n.live != nil {
		return n.live()
	}
	return n.value.Load()
}

func (ses *session) attribute(nid *ua.NodeID, a ua.AttributeID, indexRange string) *ua.DataValue {
	n := ses.srv.space.get(nid)
	if n == nil {
		return bad(ua.StatusBadNodeIDUnknown)
	}
	if a == ua.AttributeIDValue && n.class == ua.NodeClassVariable {
		if indexRange != "" {
			return bad(ua.StatusBadIndexRangeInvalid)
		}
		return n.current()
	}
	if indexRange != "" {
		return bad(ua.StatusBadIndexRangeInvalid)
	}
	if v := ses.property(n, a); v != nil {
		return constant(v)
	}
	return bad(ua.StatusBadAttributeIDInvalid)
}

// property returns an attribute other than the value, as this session's user and language have it.
func (ses *session) property(n *node, a ua.AttributeID) any {
	switch a {
	case ua.AttributeIDUserAccessLevel:
		if n.writable && !ses.mayWrite(n) {
			return n.access() &^ byte(ua.AccessLevelTypeCurrentWrite)
		}
	case ua.AttributeIDDisplayName, ua.AttributeIDDescription:
		if ses.french() {
			if a == ua.AttributeIDDisplayName && n.french.display != nil {
				return n.french.display
			}
			if a == ua.AttributeIDDescription && n.french.description != nil {
				return n.french.description
			}
		}
	}
	return n.property(a)
}

func (ses *session) french() bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.locale == "fr"
}

// access is the access level of a variable.
func (n *node) access() byte {
	level := byte(ua.AccessLevelTypeCurrentRead)
	if n.writable {
		level |= byte(ua.AccessLevelTypeCurrentWrite)
	}
	if n.history {
		level |= byte(ua.AccessLevelTypeHistoryRead)
	}
	return level
}

// property returns an attribute other than the value, nil for one that nodes of this class have not.
func (n *node) property(a ua.AttributeID) any {
	variable, object := n.class == ua.NodeClassVariable, n.class == ua.NodeClassObject
	isType := !variable && !object
	switch {
	case a == ua.AttributeIDNodeID:
		return n.id
	case a == ua.AttributeIDNodeClass:
		return int32(n.class)
	case a == ua.AttributeIDBrowseName:
		return n.browse
	case a == ua.AttributeIDDisplayName:
		return n.display
	case a == ua.AttributeIDDescription:
		return n.description
	case a == ua.AttributeIDWriteMask, a == ua.AttributeIDUserWriteMask:
		return uint32(0)
	case a == ua.AttributeIDEventNotifier && object:
		return byte(0)
	case a == ua.AttributeIDIsAbstract && isType:
		return n.abstract
	case a == ua.AttributeIDSymmetric && n.class == ua.NodeClassReferenceType:
		return false
	case a == ua.AttributeIDInverseName && n.class == ua.NodeClassReferenceType && n.inverse != "":
		return ua.NewLocalizedText(n.inverse)
	case a == ua.AttributeIDDataType && variable:
		return n.dataType
	case a == ua.AttributeIDDataType && n.class == ua.NodeClassVariableType:
		return nodeID(id.BaseDataType)
	case a == ua.AttributeIDValueRank && variable:
		return n.rank
	case a == ua.AttributeIDValueRank && n.class == ua.NodeClassVariableType:
		return int32(-2)
	case a == ua.AttributeIDArrayDimensions && variable && n.rank == 1:
		return []uint32{0}
	case (a == ua.AttributeIDAccessLevel || a == ua.AttributeIDUserAccessLevel) && variable:
		return n.access()
	case a == ua.AttributeIDMinimumSamplingInterval && variable:
		if n.live != nil {
			return milliseconds(minInterval)
		}
		return 0.0
	case a == ua.AttributeIDHistorizing && variable:
		return n.history
	}
	return nil
}
