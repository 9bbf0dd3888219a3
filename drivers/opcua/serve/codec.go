package serve

import (
	"errors"
	"strings"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

var errShape = errors.New("malformed request")

// splitRequest reads the type and the header of a request and returns the bytes after it. The additional header, which could nest
// structures without end, is stepped over.
func splitRequest(b []byte) (typeID uint32, hdr *ua.RequestHeader, body []byte, err error) {
	buf := ua.NewBuffer(b)
	var t ua.ExpandedNodeID
	buf.ReadStruct(&t)
	if buf.Error() != nil || t.NodeID.Namespace() != 0 {
		return 0, nil, nil, errShape
	}
	hdr = &ua.RequestHeader{AuthenticationToken: new(ua.NodeID)}
	buf.ReadStruct(hdr.AuthenticationToken)
	hdr.Timestamp = buf.ReadTime()
	hdr.RequestHandle = buf.ReadUint32()
	buf.ReadUint32() // diagnostics are never returned
	buf.ReadString() // audit entry
	hdr.TimeoutHint = buf.ReadUint32()
	skipExtension(buf)
	if buf.Error() != nil {
		return 0, nil, nil, errShape
	}
	return t.NodeID.IntID(), hdr, buf.Bytes(), nil
}

// skipExtension steps over an extension object and returns its type and its undecoded body.
func skipExtension(buf *ua.Buffer) (typeID uint32, body []byte) {
	var t ua.ExpandedNodeID
	buf.ReadStruct(&t)
	if mask := buf.ReadByte(); buf.Error() == nil {
		if mask != ua.ExtensionObjectEmpty {
			body = buf.ReadBytes()
		}
		if t.NodeID.Namespace() == 0 {
			typeID = t.NodeID.IntID()
		}
	}
	return typeID, body
}

// decode reads the body of a request whose type holds no structure that could nest.
func decode(body []byte, v any) error {
	n, err := ua.Decode(body, v)
	if err != nil || n > len(body) {
		return errShape
	}
	return nil
}

// length reads the length of an array whose elements take at least size bytes each.
func length(buf *ua.Buffer, size int) int {
	n := buf.ReadUint32()
	if n == 0xFFFFFFFF || buf.Error() != nil {
		return 0
	}
	if int64(n)*int64(size) > int64(buf.Len()) {
		buf.ReadN(buf.Len() + 1) // sets the buffer's error
		return 0
	}
	return int(n)
}

// activation is what matters of an ActivateSession request.
type activation struct {
	signature     []byte // of the client
	locale        string // the first of the client's that is spoken here
	tokenType     uint32 // encoding id of the user identity token, 0 for none
	policyID      string
	user          string // of a user name token
	password      []byte // encrypted
	algorithm     string // of that
	certificate   []byte // of a certificate token
	userSignature []byte
}

func decodeActivation(body []byte) (a activation, err error) {
	buf := ua.NewBuffer(body)
	buf.ReadString() // the algorithm is that of the channel's policy
	a.signature = buf.ReadBytes()
	for range length(buf, 8) { // software certificates
		buf.ReadBytes()
		buf.ReadBytes()
	}
	for range length(buf, 4) {
		if l, _, _ := strings.Cut(buf.ReadString(), "-"); a.locale == "" && (l == "en" || l == "fr") {
			a.locale = l
		}
	}
	var token []byte
	a.tokenType, token = skipExtension(buf)
	buf.ReadString()
	a.userSignature = buf.ReadBytes()
	if buf.Error() != nil {
		return a, errShape
	}
	t := ua.NewBuffer(token)
	switch a.tokenType {
	case id.AnonymousIdentityToken_Encoding_DefaultBinary:
		a.policyID = t.ReadString()
	case id.UserNameIdentityToken_Encoding_DefaultBinary:
		a.policyID, a.user, a.password, a.algorithm = t.ReadString(), t.ReadString(), t.ReadBytes(), t.ReadString()
	case id.X509IdentityToken_Encoding_DefaultBinary:
		a.policyID, a.certificate = t.ReadString(), t.ReadBytes()
	}
	if len(token) > 0 && t.Error() != nil {
		return a, errShape
	}
	return a, nil
}

// itemRequest is one item of CreateMonitoredItems or ModifyMonitoredItems.
type itemRequest struct {
	id            uint32 // of ModifyMonitoredItems
	node          *ua.NodeID
	attribute     ua.AttributeID
	indexRange    string
	mode          ua.MonitoringMode
	handle        uint32
	sampling      float64
	filterType    uint32 // encoding id, 0 without a filter
	trigger       uint32 // of a data change filter
	deadband      uint32 // 0 none, 1 absolute, 2 percent of the range
	deadbandValue float64
	queue         uint32
	discardOldest bool
}

func decodeItems(body []byte, create bool) (subscription uint32, stamps ua.TimestampsToReturn, items []itemRequest, err error) {
	buf := ua.NewBuffer(body)
	subscription = buf.ReadUint32()
	stamps = ua.TimestampsToReturn(buf.ReadUint32())
	n := length(buf, 24)
	if buf.Error() != nil {
		return 0, 0, nil, errShape
	}
	items = make([]itemRequest, n)
	for i := range items {
		it := &items[i]
		if create {
			it.node = new(ua.NodeID)
			buf.ReadStruct(it.node)
			it.attribute = ua.AttributeID(buf.ReadUint32())
			it.indexRange = buf.ReadString()
			buf.ReadUint16() // data encoding: name
			buf.ReadString()
			it.mode = ua.MonitoringMode(buf.ReadUint32())
		} else {
			it.id = buf.ReadUint32()
		}
		it.handle = buf.ReadUint32()
		it.sampling = buf.ReadFloat64()
		var filter []byte
		it.filterType, filter = skipExtension(buf)
		if it.filterType == id.DataChangeFilter_Encoding_DefaultBinary {
			f := ua.NewBuffer(filter)
			it.trigger, it.deadband, it.deadbandValue = f.ReadUint32(), f.ReadUint32(), f.ReadFloat64()
			if f.Error() != nil {
				return 0, 0, nil, errShape
			}
		}
		it.queue = buf.ReadUint32()
		it.discardOldest = buf.ReadBool()
		if buf.Error() != nil {
			return 0, 0, nil, errShape
		}
	}
	return subscription, stamps, items, nil
}

// header is the header of a response to a request.
func header(hdr *ua.RequestHeader, status ua.StatusCode) *ua.ResponseHeader {
	return &ua.ResponseHeader{
		Timestamp: time.Now(), RequestHandle: hdr.RequestHandle, ServiceResult: status,
		ServiceDiagnostics: &ua.DiagnosticInfo{}, StringTable: []string{}, AdditionalHeader: ua.NewExtensionObject(nil),
	}
}

func fault(hdr *ua.RequestHeader, status ua.StatusCode) ua.Response {
	return &ua.ServiceFault{ResponseHeader: header(hdr, status)}
}

func encodeResponse(resp ua.Response) ([]byte, error) {
	buf := ua.NewBuffer(nil)
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(resp)))
	buf.WriteStruct(resp)
	if err := buf.Error(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}
