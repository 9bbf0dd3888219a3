package opcua

import (
	"bytes"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// publishAnswer encodes an answer with the library.
func publishAnswer(t testing.TB, status ua.StatusCode, data ...any) []byte {
	t.Helper()
	resp := &ua.PublishResponse{
		ResponseHeader: &ua.ResponseHeader{Timestamp: time.Now(), RequestHandle: 7, ServiceResult: status, ServiceDiagnostics: &ua.DiagnosticInfo{}, StringTable: []string{}, AdditionalHeader: ua.NewExtensionObject(nil)},
		SubscriptionID: 3, AvailableSequenceNumbers: []uint32{8, 9}, Results: []ua.StatusCode{0, ua.StatusBad}, DiagnosticInfos: []*ua.DiagnosticInfo{},
		NotificationMessage: &ua.NotificationMessage{SequenceNumber: 9, PublishTime: time.Now(), NotificationData: []*ua.ExtensionObject{}},
	}
	for _, d := range data {
		resp.NotificationMessage.NotificationData = append(resp.NotificationMessage.NotificationData, ua.NewExtensionObject(d))
	}
	buf := ua.NewBuffer(nil)
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(resp)))
	buf.WriteStruct(resp)
	if buf.Error() != nil {
		t.Fatal(buf.Error())
	}
	return buf.Bytes()
}

// scalars is a notification of a value of each scalar type, with every status and time that there may be.
func scalars() *ua.DataChangeNotification {
	at := time.Date(2026, 11, 26, 1, 2, 3, 400, time.UTC)
	n := &ua.DataChangeNotification{DiagnosticInfos: []*ua.DiagnosticInfo{}}
	for i, x := range []any{1.5, math.NaN(), float32(-2.25), true, false, int8(-3), uint8(200), int16(-300), uint16(60000), int32(-70000), uint32(4e9), int64(-1 << 60), uint64(1<<63 + 1), "running", "", at} {
		mask := byte(ua.DataValueValue)
		if i%2 == 0 {
			mask |= ua.DataValueStatusCode | ua.DataValueSourceTimestamp | ua.DataValueServerTimestamp
		}
		if i%3 == 0 {
			mask |= ua.DataValueSourcePicoseconds | ua.DataValueServerPicoseconds
		}
		n.MonitoredItems = append(n.MonitoredItems, &ua.MonitoredItemNotification{ClientHandle: uint32(i), Value: &ua.DataValue{EncodingMask: mask, Value: ua.MustVariant(x), Status: ua.StatusUncertain, SourceTimestamp: at, ServerTimestamp: at}})
	}
	n.MonitoredItems = append(n.MonitoredItems, &ua.MonitoredItemNotification{ClientHandle: 99, Value: &ua.DataValue{EncodingMask: ua.DataValueStatusCode, Status: ua.StatusBad}})
	return n
}

func samePublication(a, b publication) bool {
	return a.subscription == b.subscription && a.sequence == b.sequence && a.tells == b.tells && a.over == b.over && a.status == b.status && slices.EqualFunc(a.changes, b.changes, func(x, y change) bool {
		if math.IsNaN(x.datum.number) && math.IsNaN(y.datum.number) {
			x.datum.number, y.datum.number = 0, 0
		}
		return x.handle == y.handle && x.datum.source.Equal(y.datum.source) && func() bool {
			x.datum.source, y.datum.source = time.Time{}, time.Time{}
			return x.datum == y.datum
		}()
	})
}

// oracle is what the library makes of a message.
func oracle(b []byte) (publication, bool) {
	resp, err := decodeAnswer(bytes.Clone(b)) // it may change the message
	if err != nil {
		return publication{}, false
	}
	r, ok := resp.(*ua.PublishResponse)
	if !ok {
		return publication{}, false
	}
	return publicationOf(r), true
}

// TestPublication: usual answers are decoded without the library, to what it makes of them, and unusual ones are left to it.
func TestPublication(t *testing.T) {
	array := &ua.DataChangeNotification{MonitoredItems: []*ua.MonitoredItemNotification{{ClientHandle: 1, Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant([]float64{1, 2})}}}}
	for _, c := range []struct {
		name  string
		b     []byte
		usual bool
	}{
		{"scalars", publishAnswer(t, ua.StatusOK, scalars()), true},
		{"two notifications", publishAnswer(t, ua.StatusOK, scalars(), scalars()), true},
		{"keep-alive", publishAnswer(t, ua.StatusOK), true},
		{"a failed service", publishAnswer(t, ua.StatusBadNoSubscription), false},
		{"an array", publishAnswer(t, ua.StatusOK, array), false},
		{"the end of the subscription", publishAnswer(t, ua.StatusOK, &ua.StatusChangeNotification{Status: ua.StatusBadTimeout, DiagnosticInfo: &ua.DiagnosticInfo{}}), false},
		{"another service", []byte{1, 0, 0x79, 2}, false},
		{"nothing", nil, false},
	} {
		got, usual := decodePublication(c.b)
		if usual != c.usual {
			t.Errorf("%s: decoded without the library %v, want %v", c.name, usual, c.usual)
		}
		if want, ok := oracle(c.b); usual && (!ok || !samePublication(got, want)) {
			t.Errorf("%s: %+v, the library %+v, %v", c.name, got, want, ok)
		}
		if !usual {
			continue
		}
		for n := range c.b { // no message that is cut short passes for a whole one
			if _, ok := decodePublication(c.b[:n]); ok {
				t.Fatalf("%s: the first %d of %d bytes are a message", c.name, n, len(c.b))
			}
		}
	}
	if p, ok := oracle(publishAnswer(t, ua.StatusOK, &ua.StatusChangeNotification{Status: ua.StatusBadTimeout, DiagnosticInfo: &ua.DiagnosticInfo{}})); !ok || !p.over || p.status != ua.StatusBadTimeout || !p.tells {
		t.Errorf("the end of a subscription: %+v, %v", p, ok)
	}
}

// FuzzPublication: what is decoded without the library is what the library makes of it; what it refuses is refused.
func FuzzPublication(f *testing.F) {
	f.Add(publishAnswer(f, ua.StatusOK, scalars()))
	f.Add(publishAnswer(f, ua.StatusOK))
	f.Add(publishAnswer(f, ua.StatusUncertain, scalars(), scalars()))
	f.Add(publishAnswer(f, ua.StatusOK, &ua.StatusChangeNotification{DiagnosticInfo: &ua.DiagnosticInfo{}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		got, ok := decodePublication(b)
		if !ok {
			return // the library sees it
		}
		if want, ok := oracle(b); !ok || !samePublication(got, want) {
			t.Fatalf("%+v, the library %+v, %v", got, want, ok)
		}
	})
}
