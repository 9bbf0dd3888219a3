package opcua

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
)

func encoded(t testing.TB, resp ua.Response) []byte {
	t.Helper()
	resp.SetHeader(&ua.ResponseHeader{Timestamp: time.Now(), ServiceDiagnostics: &ua.DiagnosticInfo{}, StringTable: []string{"x"}, AdditionalHeader: ua.NewExtensionObject(nil)})
	buf := ua.NewBuffer(nil)
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(resp)))
	buf.WriteStruct(resp)
	if err := buf.Error(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestVet: sound answers are stepped over to their last byte, and what would take the process down is found before it is decoded.
func TestVet(t *testing.T) {
	value := func(v any) *ua.DataValue {
		return &ua.DataValue{EncodingMask: ua.DataValueValue | ua.DataValueSourceTimestamp, Value: ua.MustVariant(v), SourceTimestamp: time.Now()}
	}
	sound := []ua.Response{
		&ua.ReadResponse{Results: []*ua.DataValue{value(1.5), value([]string{"urn:a", ""}), value(true), value(time.Now()), value(ua.NewLocalizedText("x")), value(ua.NewStringNodeID(1, "x")),
			value([]*ua.LocalizedText{ua.NewLocalizedText("x")}), value([][]int32{{1, 2}, {3, 4}}), value(&ua.QualifiedName{Name: "x"}), value(ua.NewExtensionObject(&ua.EUInformation{DisplayName: ua.NewLocalizedText("kW"), Description: ua.NewLocalizedText("x")})),
			value(ua.StatusBad), {EncodingMask: ua.DataValueStatusCode, Status: ua.StatusBad}}},
		&ua.PublishResponse{NotificationMessage: &ua.NotificationMessage{NotificationData: []*ua.ExtensionObject{
			ua.NewExtensionObject(&ua.DataChangeNotification{MonitoredItems: []*ua.MonitoredItemNotification{{ClientHandle: 1, Value: value(2.5)}}}),
			ua.NewExtensionObject(&ua.StatusChangeNotification{DiagnosticInfo: &ua.DiagnosticInfo{EncodingMask: 0x41, SymbolicID: 1, InnerDiagnosticInfo: &ua.DiagnosticInfo{}}})}}},
		&ua.HistoryReadResponse{Results: []*ua.HistoryReadResult{{HistoryData: ua.NewExtensionObject(&ua.HistoryData{DataValues: []*ua.DataValue{value(1.0)}})}}},
		&ua.BrowseResponse{Results: []*ua.BrowseResult{{References: []*ua.ReferenceDescription{{ReferenceTypeID: ua.NewTwoByteNodeID(1), NodeID: ua.NewExpandedNodeID(ua.NewStringNodeID(1, "x"), "urn:x", 2), BrowseName: &ua.QualifiedName{}, DisplayName: ua.NewLocalizedText("x"), TypeDefinition: ua.NewTwoByteExpandedNodeID(1)}}}}},
	}
	for _, resp := range sound {
		b := encoded(t, resp)
		w := &walker{b: b}
		id, _ := w.nodeID(true)
		if w.value(answers[id]); w.bad || w.pos != len(b) {
			t.Errorf("%T: stepped over %d of %d bytes, bad: %v", resp, w.pos, len(b), w.bad)
		}
		if _, err := decodeAnswer(bytes.Clone(b)); err != nil {
			t.Errorf("%T: %v", resp, err)
		}
		for i := range b {
			if _, err := decodeAnswer(bytes.Clone(b[:i])); err == nil {
				t.Errorf("%T: its first %d bytes are an answer", resp, i)
			}
		}
	}

	head := encoded(t, &ua.ReadResponse{})
	head = head[:len(head)-8] // without its two arrays
	body := func(b ...byte) []byte { return append(bytes.Clone(head), append(u32(1), b...)...) }
	deep := func(unit []byte) []byte { return body(append([]byte{1}, bytes.Repeat(unit, 100_000)...)...) }
	for name, b := range map[string][]byte{
		"a negative array":                 body(append([]byte{1, 0x8B}, u32(0xFFFFFFFE)...)...),
		"an array of two thousand million": body(append([]byte{1, 0x81}, u32(0x7FFFFFFF)...)...),
		"dimensions without end":           body(append([]byte{1, 0xC1}, u32(0, 0x7FFFFFFF)...)...),
		"dimensions whose product is none": body(append([]byte{1, 0xC1}, u32(0, 3, 1<<16, 1<<16, 1)...)...),
		"other dimensions than elements":   body(append(append([]byte{1, 0xC1}, u32(2)...), append([]byte{0, 0}, u32(2, 2, 2)...)...)...),
		"variants within variants":         deep([]byte{0x18}),
		"arrays of variants within arrays": deep([]byte{0x98, 1, 0, 0, 0}),
		"values within values":             deep([]byte{0x17, 1}),
		"diagnostics within diagnostics":   append(bytes.Clone(head[:4+8+4+4]), bytes.Repeat([]byte{0x40}, 100_000)...),
		"a type that there is not":         body(1, 0x3F),
		"an answer that was not asked for": encoded(t, &ua.QueryFirstResponse{ParsingResults: []*ua.ParsingResult{}, FilterResult: &ua.ContentFilterResult{}}),
		"a node id of a kind that is none": body(1, 0x11, 0x0F),
		"a string longer than the message": body(append([]byte{1, 0x0C}, u32(1000)...)...),
	} {
		if _, err := decodeAnswer(b); !errors.Is(err, drivers.ErrGarbage) {
			t.Errorf("%s: %v, want ErrGarbage", name, err)
		}
	}

	// a structure of a type that is not needed is passed over, whatever is in it
	known := encoded(t, &ua.ReadResponse{Results: []*ua.DataValue{value(ua.NewExtensionObject(&ua.Argument{DataType: ua.NewTwoByteNodeID(1), Description: ua.NewLocalizedText("x")})), value(2.5)}})
	resp, err := decodeAnswer(known)
	if err != nil {
		t.Fatal(err)
	}
	results := resp.(*ua.ReadResponse).Results
	if eo, ok := results[0].Value.Value().(*ua.ExtensionObject); !ok || eo.Value != nil || results[1].Value.Value() != 2.5 {
		t.Errorf("an Argument came as %+v, and what follows it as %v", results[0].Value.Value(), results[1].Value.Value())
	}
}
