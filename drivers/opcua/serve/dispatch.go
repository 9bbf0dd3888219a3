package serve

import (
	"context"
	"runtime/debug"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// dispatch answers one request; nil means that the answer comes later. Every service but discovery and session creation asks for an
// activated session of this connection before it looks at the rest of the request.
func (c *conn) dispatch(ctx context.Context, typeID uint32, hdr *ua.RequestHeader, body []byte, request uint32) (resp ua.Response) {
	defer func() {
		if p := recover(); p != nil {
			c.srv.log.Error("opc ua request ended by a panic", "remote", c.nc.RemoteAddr().String(), "service", typeID, "panic", p, "stack", string(debug.Stack()))
			resp = fault(hdr, ua.StatusBadInternalError)
		}
	}()
	var err error
	switch typeID {
	case id.GetEndpointsRequest_Encoding_DefaultBinary:
		return &ua.GetEndpointsResponse{ResponseHeader: header(hdr, ua.StatusOK), Endpoints: c.srv.endpoints()}
	case id.FindServersRequest_Encoding_DefaultBinary:
		return &ua.FindServersResponse{ResponseHeader: header(hdr, ua.StatusOK), Servers: []*ua.ApplicationDescription{c.srv.application()}}
	case id.CreateSessionRequest_Encoding_DefaultBinary:
		resp, err = c.createSession(hdr, body)
	case id.ActivateSessionRequest_Encoding_DefaultBinary:
		resp, err = c.activateSession(ctx, hdr, body)
	default:
		ses, serr := c.session(hdr)
		if serr != nil {
			return fault(hdr, statusCode(serr))
		}
		if typeID == id.CloseSessionRequest_Encoding_DefaultBinary {
			if len(body) > 0 && body[0] != 0 { // DeleteSubscriptions
				c.srv.endSession(ses)
			} else {
				c.srv.bequeath(ses)
			}
			return &ua.CloseSessionResponse{ResponseHeader: header(hdr, ua.StatusOK)}
		}
		if !ses.activated() {
			return fault(hdr, ua.StatusBadSessionNotActivated)
		}
		resp, err = c.service(ctx, ses, typeID, hdr, body, request)
	}
	if err != nil {
		return fault(hdr, statusCode(err))
	}
	return resp
}

// statusCode is the service result of an error: its own status, or BadDecodingError for a malformed request.
func statusCode(err error) ua.StatusCode {
	if s, ok := err.(ua.StatusCode); ok {
		return s
	}
	return ua.StatusBadDecodingError
}

func (c *conn) service(ctx context.Context, ses *session, typeID uint32, hdr *ua.RequestHeader, body []byte, request uint32) (ua.Response, error) {
	switch typeID {
	case id.ReadRequest_Encoding_DefaultBinary:
		return ses.read(hdr, body)
	case id.WriteRequest_Encoding_DefaultBinary:
		return ses.write(ctx, hdr, body)
	case id.HistoryReadRequest_Encoding_DefaultBinary:
		return ses.historyRead(ctx, hdr, body)
	case id.BrowseRequest_Encoding_DefaultBinary:
		return ses.browse(hdr, body)
	case id.BrowseNextRequest_Encoding_DefaultBinary:
		return ses.browseNext(hdr, body)
	case id.TranslateBrowsePathsToNodeIDsRequest_Encoding_DefaultBinary:
		return ses.translate(hdr, body)
	case id.RegisterNodesRequest_Encoding_DefaultBinary:
		return ses.registerNodes(hdr, body)
	case id.UnregisterNodesRequest_Encoding_DefaultBinary:
		return &ua.UnregisterNodesResponse{ResponseHeader: header(hdr, ua.StatusOK)}, nil
	case id.CreateSubscriptionRequest_Encoding_DefaultBinary:
		return ses.createSubscription(hdr, body)
	case id.ModifySubscriptionRequest_Encoding_DefaultBinary:
		return ses.modifySubscription(hdr, body)
	case id.SetPublishingModeRequest_Encoding_DefaultBinary:
		return ses.setPublishingMode(hdr, body)
	case id.DeleteSubscriptionsRequest_Encoding_DefaultBinary:
		return ses.deleteSubscriptions(hdr, body)
	case id.TransferSubscriptionsRequest_Encoding_DefaultBinary:
		return ses.transferSubscriptions(hdr, body)
	case id.PublishRequest_Encoding_DefaultBinary:
		return ses.publish(hdr, body, request)
	case id.RepublishRequest_Encoding_DefaultBinary:
		return ses.republish(hdr, body)
	case id.CreateMonitoredItemsRequest_Encoding_DefaultBinary:
		return ses.createItems(hdr, body)
	case id.ModifyMonitoredItemsRequest_Encoding_DefaultBinary:
		return ses.modifyItems(hdr, body)
	case id.SetMonitoringModeRequest_Encoding_DefaultBinary:
		return ses.setMonitoringMode(hdr, body)
	case id.DeleteMonitoredItemsRequest_Encoding_DefaultBinary:
		return ses.deleteItems(hdr, body)
	}
	return nil, ua.StatusBadServiceUnsupported
}
