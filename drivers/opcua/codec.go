package opcua

import (
	"context"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
)

// encodeRequest makes the message of a request.
func encodeRequest(ctx context.Context, req ua.Request, id uint32, session *ua.NodeID) (b []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // a request with a hole in it
			b, err = nil, fmt.Errorf("encode %T: %v", req, p)
		}
	}()
	if session == nil {
		session = ua.NewTwoByteNodeID(0)
	}
	h := &ua.RequestHeader{AuthenticationToken: session, Timestamp: time.Now(), RequestHandle: id}
	if t, ok := ctx.Deadline(); ok {
		h.TimeoutHint = uint32(max(time.Until(t)/time.Millisecond, 1))
	}
	req.SetHeader(h)
	buf := ua.NewBuffer(nil)
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(req)))
	if r, ok := req.(*ua.ReadRequest); ok {
		encodeRead(buf, r)
	} else {
		buf.WriteStruct(req)
	}
	return buf.Bytes(), buf.Error()
}

// encodeRead writes the body of a Read request as the library does, without its reflection, which takes most of a poll's time.
func encodeRead(buf *ua.Buffer, r *ua.ReadRequest) {
	buf.WriteStruct(r.RequestHeader)
	buf.WriteFloat64(r.MaxAge)
	buf.WriteUint32(uint32(r.TimestampsToReturn))
	buf.WriteUint32(uint32(len(r.NodesToRead)))
	for _, n := range r.NodesToRead {
		node, err := n.NodeID.Encode()
		if err != nil {
			buf.WriteStruct(n.NodeID) // keeps the error
			return
		}
		buf.Write(node)
		buf.WriteUint32(uint32(n.AttributeID))
		buf.WriteString(n.IndexRange)
		buf.WriteUint16(n.DataEncoding.NamespaceIndex)
		buf.WriteString(n.DataEncoding.Name)
	}
}

// decodeAnswer decodes a message; a service that failed is its status as an error.
func decodeAnswer(b []byte) (resp ua.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			resp, err = nil, fmt.Errorf("%w: %v", drivers.ErrGarbage, p)
		}
	}()
	if err := vet(b); err != nil {
		return nil, err
	}
	_, v, err := ua.DecodeService(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", drivers.ErrGarbage, err)
	}
	resp, ok := v.(ua.Response)
	if !ok || resp.Header() == nil {
		return nil, fmt.Errorf("%w: %T is no answer", drivers.ErrGarbage, v)
	}
	if status := resp.Header().ServiceResult; severity(status) == severityBad {
		return nil, status
	}
	return resp, nil
}
