package sharing

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// sameDecoding fails unless a document is read alike whether its arrays are read apart or not, and as encoding/json reads it.
func sameDecoding(t interface{ Fatalf(string, ...any) }, text []byte) {
	want, wantErr := decode(bytes.NewReader(text), 0)
	for name, in := range map[string]io.Reader{"at once": bytes.NewReader(text), "in halves": iotest.HalfReader(bytes.NewReader(text)), "byte by byte": iotest.OneByteReader(bytes.NewReader(text))} {
		got, err := decode(in, 1)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q\nread apart, %s:\n%v\n%v\nin one:\n%v\n%v", text, name, got, err, want, wantErr)
		}
	}
	if wantErr != nil {
		return
	}
	var foreign struct {
		Consumers, Producers map[string][]json.Number
		Coefficients         json.RawMessage
	}
	if err := json.Unmarshal(text, &foreign); err != nil {
		t.Fatalf("%q is taken, and encoding/json says %v", text, err)
	}
	for side, list := range map[string][]Participant{"consumers": want.Consumers, "producers": want.Producers} {
		theirs := foreign.Consumers
		if side == "producers" {
			theirs = foreign.Producers
		}
		if len(list) != len(theirs) {
			t.Fatalf("%q has %d %s, by encoding/json %d", text, len(list), side, len(theirs))
		}
		for _, p := range list {
			if len(p.Wh) != len(theirs[p.ID]) {
				t.Fatalf("%q: %d values of %s, by encoding/json %d", text, len(p.Wh), p.ID, len(theirs[p.ID]))
			}
			for k, wh := range p.Wh {
				if r, ok := new(big.Rat).SetString(theirs[p.ID][k].String()); !ok || !r.IsInt() || r.Num().Int64() != int64(wh) {
					t.Fatalf("%q: %s[%d] is %d Wh, by encoding/json %s", text, p.ID, k, wh, theirs[p.ID][k])
				}
			}
		}
	}
	if want.Key != Coefficients {
		return
	}
	var flat map[string][]json.Number
	if err := json.Unmarshal(foreign.Coefficients, &flat); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for i, list := range want.Coefficients {
		for k, c := range list {
			exact, ok := new(big.Rat).SetString(flat[want.Consumers[i].ID][k].String())
			off := new(big.Rat).Sub(exact, big.NewRat(int64(c), int64(Whole)))
			if !ok || off.Abs(off).Cmp(big.NewRat(1, 2*int64(Whole))) > 0 {
				t.Fatalf("%q: coefficient %d of %s is %s, by encoding/json %s", text, k, want.Consumers[i].ID, c, exact.FloatString(20))
			}
		}
	}
}

// FuzzDecodeApart: arrays that are read beside the document give the same values, the same faults in the same order and the same first byte that is no JSON, and what is taken is what encoding/json reads.
func FuzzDecodeApart(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte(`{"key":"coefficients","coefficients":{"a":[1e-3, 0.1],"b":[0.5 , 0.25]},"consumers":{"a":[1,2],"b":[10, 20]},"producers":{"p":[1,2]}}`))
	f.Add([]byte(`{"key":"dynamic","consumers":{"a":[1,-2,null,true],"b":["]",2],"a":[1],"c":[1 2]},"producers":{"p":[1,`))
	f.Add([]byte("{\"\":\x00 "))
	f.Add([]byte(`{"key":"dynamic","x":[1,[2]],"consumers":{"a":[1,2,],"b":[]},"producers":{"p":[007:3]}}`))
	f.Fuzz(func(t *testing.T, text []byte) { sameDecoding(t, text) })
}

// TestDecodeApart: documents with faults anywhere, more of them than are listed, and arrays longer than the buffer.
func TestDecodeApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.SampledFrom([]string{"1", "0", "12345", "1e3", " 7", "8 ", "-1", "null", "x", "1 2", "2.5", `"3"`, "[4]", "", "1e13", "0.5", "]"})
		if rapid.Bool().Draw(t, "plain") {
			number = rapid.SampledFrom([]string{"1", "0", "12345", " 7", "8 ", "1e1"})
		}
		series := func(label string) string {
			return "[" + strings.Join(rapid.SliceOfN(number, 3, 3).Draw(t, label), ",") + "]"
		}
		text := `{"key":"dynamic","consumers":{"a":` + series("a") + `,"b":` + series("b") + `,"` + rapid.SampledFrom([]string{"c", "a"}).Draw(t, "id") + `":` + series("c") + `},"producers":{"p":` + series("p") + `}` +
			rapid.SampledFrom([]string{"}", "", `,"z":1}`, "}}"}).Draw(t, "end")
		sameDecoding(t, []byte(text))
	})
	many := `{"key":"dynamic","consumers":{"a":[` + strings.Repeat("-1,", 700) + `1],"b":7,"c":[` + strings.Repeat("-2,", 700) + `1],"c":[1]},"producers":{"p":[` + strings.Repeat("1,", 700) + `1]}}`
	sameDecoding(t, []byte(many))
	long := `{"key":"dynamic","consumers":{"a":[` + strings.Repeat("123456, ", 100_000) + `1],"b":[` + strings.Repeat("7,\n", 100_000) + `1]},"producers":{"p":[` + strings.Repeat("1,", 100_000) + `1]}}`
	sameDecoding(t, []byte(long))
	sameDecoding(t, []byte(strings.Replace(long, "7,\n7", "7 7", 1)))
	broken := errors.New("disk gone")
	if _, err := decode(io.MultiReader(strings.NewReader(long[:500_000]), iotest.ErrReader(broken)), 1); !errors.Is(err, broken) {
		t.Errorf("a broken disk is %v", err)
	}
}
