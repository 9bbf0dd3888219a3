package opcua

import (
	"bytes"
	"context"
	"encoding/binary"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/secure"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

func fuzzProfile(t testing.TB) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("f.yaml", []byte(`
name: fuzz
title: Fuzz
kinds: [substation]
protocol: opcua
state: generic
source: {document: test}
namespace: urn:x
points:
  - {name: power_kw, node: i=1, type: f64, unit: W, scale: 0.1, invert: true}
  - {name: status, node: i=2, type: f64, unit: state, states: [{code: 3, is: 1, text: running}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzValue: whatever a server gives as a value becomes a finite number of some quality but bad, or NaN of quality bad.
func FuzzValue(f *testing.F) {
	p := fuzzProfile(f)
	at := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	for _, v := range []any{1500.0, math.NaN(), math.Inf(1), float32(3), true, int8(-1), uint64(math.MaxUint64), "running", "x", []float64{1}, at, ua.NewLocalizedText("x")} {
		for _, status := range []ua.StatusCode{ua.StatusOK, ua.StatusUncertain, ua.StatusBad, ua.StatusBadNodeIDUnknown, 0x480} {
			dv := &ua.DataValue{EncodingMask: ua.DataValueValue | ua.DataValueStatusCode | ua.DataValueSourceTimestamp, Value: ua.MustVariant(v), Status: status, SourceTimestamp: at}
			b, err := dv.Encode()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		w := &walker{b: b}
		if w.dataValue(); w.bad { // which decodeAnswer sees first
			return
		}
		dv := new(ua.DataValue)
		if n, err := dv.Decode(b); err != nil || n != w.pos {
			t.Fatalf("what was found sound to byte %d decodes to byte %d, %v", w.pos, n, err)
		}
		for i := range p.Points {
			datum := datumOf(dv)
			v := datum.decode(p.Points[i], at)
			switch finite := !math.IsNaN(v.v) && !math.IsInf(v.v, 0); {
			case !v.known:
				t.Fatal("a value is not known")
			case v.bad() && !math.IsNaN(v.v), !v.bad() && !finite:
				t.Fatalf("%v with quality %v", v.v, v.quality)
			case severity(dv.Status) == severityBad && v.quality != district.Bad:
				t.Fatalf("status %v became quality %v", dv.Status, v.quality)
			}
		}
		if dv.Value != nil {
			valueText(dv.Value.Value())
		}
	})
}

// FuzzAnswer: no message makes decoding panic, and a service that failed is no answer.
func FuzzAnswer(f *testing.F) {
	header := &ua.ResponseHeader{ServiceDiagnostics: &ua.DiagnosticInfo{}, StringTable: []string{}, AdditionalHeader: ua.NewExtensionObject(nil)}
	change := &ua.DataChangeNotification{MonitoredItems: []*ua.MonitoredItemNotification{{ClientHandle: 1, Value: &ua.DataValue{EncodingMask: 1, Value: ua.MustVariant(1.5)}}}}
	for _, resp := range []ua.Response{
		&ua.ReadResponse{ResponseHeader: header, Results: []*ua.DataValue{{EncodingMask: 1, Value: ua.MustVariant([]string{"urn:a"})}}},
		&ua.PublishResponse{ResponseHeader: header, NotificationMessage: &ua.NotificationMessage{NotificationData: []*ua.ExtensionObject{ua.NewExtensionObject(change)}}},
		&ua.GetEndpointsResponse{ResponseHeader: header, Endpoints: []*ua.EndpointDescription{{Server: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("x")}}}},
		&ua.HistoryReadResponse{ResponseHeader: header, Results: []*ua.HistoryReadResult{{HistoryData: ua.NewExtensionObject(&ua.HistoryData{})}}},
		&ua.BrowseResponse{ResponseHeader: header},
		&ua.ServiceFault{ResponseHeader: header},
	} {
		buf := ua.NewBuffer(nil)
		buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(resp)))
		buf.WriteStruct(resp)
		if buf.Error() != nil {
			f.Fatal(buf.Error())
		}
		f.Add(buf.Bytes())
	}
	feed := newFeed(&Device{link: &Link{config: Config{}.withDefaults()}}, nil, fuzzProfile(f).Points)
	feed.seeded = true
	s := &session{link: feed.device.link}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		resp, err := decodeAnswer(b)
		if err != nil {
			return
		}
		if severity(resp.Header().ServiceResult) == severityBad {
			t.Fatal("a failed service is an answer")
		}
		switch r := resp.(type) {
		case *ua.PublishResponse:
			p := publicationOf(r)
			feed.notified(s, &p)
		case *ua.GetEndpointsResponse:
			if e, err := (Access{}).choose(r.Endpoints, true); err == nil {
				(Access{User: "x"}).token(e)
			}
		}
	})
}

// FuzzChunk: no chunk of a server makes the channel panic, keep more than its bounds, or answer a request that was not made.
func FuzzChunk(f *testing.F) {
	message := func(kind string, sequence, request uint32, body ...byte) []byte {
		b := append([]byte(kind), 0, 0, 0, 0)
		b = append(append(b, u32(7, 1, sequence, request)...), body...)
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		return b
	}
	f.Add(message("MSGF", 2, 5, 1, 2, 3))
	f.Add(append(message("MSGC", 2, 5, 1, 2), message("MSGF", 3, 5, 3)...))
	f.Add(message("MSGA", 2, 5, 0, 0, 0x80, 0x80))
	f.Add([]byte("OPNF\x20\x00\x00\x00\x07\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, all []byte) {
		c := &channel{safety: safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, limit: 4096, calls: map[uint32]*call{}, in: map[uint32]*secure.Keys{1: nil}, id: 7, token: 1, received: 1, started: true}
		c.ctx, c.kill = context.WithCancelCause(t.Context())
		w := &call{answered: make(chan []byte, 1), failed: make(chan error, 1)}
		c.calls[5] = w
		for len(all) >= 12 {
			size := int(binary.LittleEndian.Uint32(all[4:]))
			if size < 12 || size > len(all) {
				return
			}
			if c.take(bytes.Clone(all[:size])) != nil {
				return
			}
			if len(w.parts) > c.limit || c.partial() > 4*c.limit {
				t.Fatalf("%d bytes are kept, %d counted", len(w.parts), c.partial())
			}
			all = all[size:]
		}
	})
}

// TestEncodeRead: a Read request is the same, byte for byte, as the library writes it.
func TestEncodeRead(t *testing.T) {
	r := &ua.ReadRequest{RequestHeader: &ua.RequestHeader{AuthenticationToken: ua.NewStringNodeID(3, "token"), Timestamp: time.Now(), RequestHandle: 9, TimeoutHint: 8},
		MaxAge: 2.5, TimestampsToReturn: ua.TimestampsToReturnBoth}
	for _, text := range []string{"i=85", "ns=2;i=7", "ns=300;i=70000", "ns=1;s=Power.Active", "ns=1;s=", "ns=4;g=5eac051c-c313-43d7-b790-24aa2c3cfd37", "ns=1;b=YWJj"} {
		id, err := ua.ParseNodeID(text)
		if err != nil {
			t.Fatal(err)
		}
		r.NodesToRead = append(r.NodesToRead, &ua.ReadValueID{NodeID: id, AttributeID: ua.AttributeIDValue, IndexRange: "1:2", DataEncoding: &ua.QualifiedName{NamespaceIndex: 1, Name: "x"}},
			&ua.ReadValueID{NodeID: id, AttributeID: ua.AttributeIDDataType, DataEncoding: &ua.QualifiedName{}})
	}
	want, err := ua.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	buf := ua.NewBuffer(nil)
	encodeRead(buf, r)
	if buf.Error() != nil || !bytes.Equal(buf.Bytes(), want) {
		t.Errorf("encodeRead = %x, %v\nwant %x", buf.Bytes(), buf.Error(), want)
	}
	back := new(ua.ReadRequest)
	if _, err := ua.Decode(buf.Bytes(), back); err != nil || !reflect.DeepEqual(back.NodesToRead[0], r.NodesToRead[0]) {
		t.Errorf("decoded %+v, %v", back.NodesToRead[0], err)
	}
}
