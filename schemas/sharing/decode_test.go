package sharing

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

const document = `{"step_minutes":30, "key":"full_dynamic", "consumers":{"b":[1,2e0, 30.0],"a":[0,5,6]}, "producers":{"é":[3,4,5], "P":[1,1,1]}, "shares":{},
 "coefficients":{"P":{"a":[0.1,1,0],"b":[0.9,0,0.25]},"é":{"b":[0,1e-1,0],"a":[1,0.3,0]}}}`

func TestDecode(t *testing.T) {
	want := &Operation{StepMinutes: 30, Key: FullDynamic, Consumers: []Participant{{"a", []wh{0, 5, 6}}, {"b", []wh{1, 2, 30}}}, Producers: []Participant{{"P", []wh{1, 1, 1}}, {"é", []wh{3, 4, 5}}},
		Pairs: [][][]Coefficient{{{Whole / 10, Whole, 0}, {9 * (Whole / 10), 0, Whole / 4}}, {{Whole, 3 * (Whole / 10), 0}, {0, Whole / 10, 0}}}}
	for name, in := range map[string]io.Reader{"at once": strings.NewReader(document), "byte by byte": iotest.OneByteReader(strings.NewReader(document)), "with its end": iotest.DataErrReader(strings.NewReader(document))} {
		if o, err := Decode(in); err != nil || !reflect.DeepEqual(o, want) {
			t.Errorf("%s: %+v (%v), want %+v", name, o, err, want)
		}
	}
	broken := errors.New("disk gone")
	if _, err := Decode(io.MultiReader(strings.NewReader(document[:50]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken disk is %v", err)
	}
}

// TestDecodeFaults: one line for each fault, with place and value, and none that only follows from another.
func TestDecodeFaults(t *testing.T) {
	with := func(members string) string { return "{" + members + "}" }
	for _, tt := range []struct {
		text string
		want []string
	}{
		{``, []string{"byte 0: the end, want '{'", "key: is missing", "consumers: is missing", "producers: is missing"}[:1]},
		{`{}`, []string{"key: is missing", "consumers: is missing", "producers: is missing"}},
		{`{"key":"dynamic","consumers":{"a":[1,2]},"producers":{"p":[1,2]}`, []string{"byte 64: the end, want ','"}},
		{`{"key":"dynamic","consumers":{"a":[1 2]},"producers":{"p":[1,2]}}`, []string{"byte 37: '2', want ','"}},
		{document + "x", []string{"byte 232: 'x' behind the document"}},
		{with(`"key":"dynamic","consumers":{"a":[1,-2,null,NaN,"3",4.5,1e13,[1],{},true,007,-0]},"producers":{"p":[0,0,0,0,0,0,0,0,0,0,0,0]}`), []string{
			"consumers.a[1]: -2 Wh is negative", "consumers.a[2]: is missing (null)", `consumers.a[3]: "NaN" is no number`, "consumers.a[4]: is a text, want a number",
			"consumers.a[5]: 4.5 Wh is no whole number of watt-hours", "consumers.a[6]: 1e13 Wh is more than 1000000000000 Wh", "consumers.a[7]: is an array, want a number",
			"consumers.a[8]: is an object, want a number", `consumers.a[9]: "true" is no number`, `consumers.a[10]: "007" is no number`}},
		{with(`"key":"dynamic","consumers":{"a":[1,2],"b":[1],"c":[1,2]},"producers":{"p":[1,2,3]}`), []string{"consumers.b: 1 values, want 2 as in consumers.a", "producers.p: 3 values, want 2 as in consumers.a"}},
		{with(`"key":"dynamic","consumers":{"a":7,"b":[1,2]},"producers":{"p":[1,2],"p":[1]}`), []string{"consumers.a: is a value, want an array of numbers", "producers.p: comes twice"}},
		{with(`"key":"static","shares":{"a":0.6,"b":0.5,"z":0},"consumers":{"a":[1],"b":[1],"c":[1]},"producers":{"p":[1]}`), []string{"shares.c: is missing: every participant needs its share", "shares.z: is no participant",
			"shares: sum to 1.1, more than 1"}},
		{with(`"key":"static","shares":{"a":-0.1,"b":1.5,"c":null,"d":"x"},"consumers":{"a":[1],"b":[1],"c":[1],"d":[1]},"producers":{"p":[1]}`), []string{"shares.a: -0.1 is negative", "shares.b: 1.5 is more than 1",
			"shares.c: is missing (null)", "shares.d: is a text, want a number"}},
		{with(`"key":"static","consumers":{"a":[1]},"producers":{"p":[1]}`), []string{"shares: is missing"}},
		{with(`"key":"half","step_minutes":7,"consumers":{"a":[1]},"producers":{"p":[1]},"comment":{"a":[1,"x"]}`), []string{"comment: is unknown", `key: "half" is unknown`, "step_minutes: 7 min does not divide an hour"}},
		{with(`"key":5,"step_minutes":"15","consumers":[],"producers":{}`), []string{"key: is a value, want one of", "step_minutes: is a text, want a number of minutes", "consumers: is an array, want an object of ids"}},
		{with(`"key":"coefficients","coefficients":{"a":[0.5,0.7],"b":[0.5,0.300001]},"consumers":{"a":[1,1],"b":[1,1]},"producers":{"p":[1,1]}`), []string{"coefficients: sum to 1.000001 in step 1, more than 1"}},
		{with(`"key":"coefficients","coefficients":{"p":{"a":[1]}},"consumers":{"a":[1]},"producers":{"p":[1]}`), []string{"coefficients: are by producer"}},
		{with(`"key":"full_dynamic","coefficients":{"a":[1]},"consumers":{"a":[1]},"producers":{"p":[1]}`), []string{"coefficients: are by consumer"}},
		{with(`"key":"full_dynamic","coefficients":{"p":{"a":[1],"b":[0.25]},"q":{"a":[1]}},"consumers":{"a":[1],"b":[1]},"producers":{"p":[1],"r":[1]}`), []string{"coefficients.r: is missing", "coefficients.q: is no participant",
			"coefficients.p: sum to 1.25 in step 0, more than 1"}},
		{with(`"key":"full_dynamic","coefficients":{"p":{"a":[1]}},"consumers":{"a":[1],"b":[1]},"producers":{"p":[1]}`), []string{"coefficients.p.b: is missing"}},
	} {
		_, err := Decode(strings.NewReader(tt.text))
		var f *Faults
		if !errors.As(err, &f) {
			t.Errorf("%s is %v, want faults", tt.text, err)
			continue
		}
		ok := len(f.List) == len(tt.want)
		for i := 0; ok && i < len(tt.want); i++ {
			ok = strings.HasPrefix(f.List[i].String(), tt.want[i])
		}
		if !ok {
			t.Errorf("%s\nhas the faults\n%v\nwant\n%s", tt.text, err, strings.Join(tt.want, "\n"))
		}
	}
}

// FuzzDecode: what is taken is JSON, has no value out of range and can be shared; the rest is refused with places.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(document))
	f.Add([]byte(`{"key":"static","shares":{"a":0.3333333333333333,"b":0.6666666666666667},"consumers":{"a":[1,2],"b":[0,1e3]},"producers":{"p":[1,2],"q":[3,4]}}`))
	f.Add([]byte(`{"key":"coefficients","coefficients":{"a":[1e-3,0.1]},"consumers":{"a":[1,2]},"producers":{"p":[1,2]}}`))
	f.Add([]byte(`{"key":"dynamic","consumers":{"a":[1,-2,null,"\u00e9"]},"producers":{},"x":[[[1]]]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := Decode(bytes.NewReader(text))
		var faults *Faults
		if errors.As(err, &faults) {
			if len(faults.List) == 0 || strings.Count(err.Error(), "\n") >= len(faults.List)+1 {
				t.Fatalf("refused with %q", err)
			}
			return
		}
		if err != nil || !json.Valid(text) {
			t.Fatalf("%q is read as %+v (%v)", text, o, err)
		}
		a, err := o.Allocate()
		if err != nil {
			t.Fatalf("%q cannot be shared: %v", text, err)
		}
		var out bytes.Buffer
		if err := a.Encode(&out, o); err != nil || !json.Valid(out.Bytes()) {
			t.Fatalf("%q is answered by %q (%v)", text, &out, err)
		}
	})
}

// TestEncode: the answer is read back as the numbers.
func TestEncode(t *testing.T) {
	o := flats(Dynamic)
	o.Consumers[0].ID = `A"<é`
	a, err := o.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := a.Encode(&out, o); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Allocated  map[string][]wh
		ByProducer map[string]map[string][]wh `json:"by_producer"`
		Surplus    map[string][]wh
	}
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", &out, err)
	}
	if !reflect.DeepEqual(got.Allocated[`A"<é`], a.Allocated[0]) || !reflect.DeepEqual(got.ByProducer["P2"]["S"], a.ByProducer[1][2]) || !reflect.DeepEqual(got.Surplus["P1"], a.Surplus[0]) {
		t.Errorf("%s is read as %+v, want %+v", &out, got, a)
	}
	if err := a.Encode(failing{}, o); err == nil {
		t.Error("a full disk is no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("disk full") }
