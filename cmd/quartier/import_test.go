package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
)

// sink takes samples as a store does: all of a call or, when one cannot be kept, none.
type sink struct {
	got   []district.Sample
	fail  error
	after int // calls that succeed before fail
}

func (s *sink) Append(_ context.Context, v []district.Sample) error {
	if s.fail != nil && s.after == 0 {
		return s.fail
	}
	s.after--
	var f store.Faults
	for i := range v {
		f.CheckSeries(v[i].Series)
		f.CheckSample(&v[i])
	}
	if err := f.Err(); err != nil {
		return err
	}
	s.got = append(s.got, v...)
	return nil
}

type refusal struct {
	line int
	text string
}

// importText imports text and returns what was refused.
func importText(t *testing.T, text string) (*importer, *sink, []refusal, error) {
	t.Helper()
	s := &sink{}
	var refused []refusal
	im := &importer{store: s, progress: func() {}, refuse: func(line int, reason error) { refused = append(refused, refusal{line, reason.Error()}) }}
	err := im.run(t.Context(), strings.NewReader(text))
	return im, s, refused, err
}

// TestImportRefusesLinesAlone: each bad line is named with its number and reason, on one line, and costs no other.
func TestImportRefusesLinesAlone(t *testing.T) {
	good := func(minute int) string {
		return fmt.Sprintf("d/s/m/power_kw,2026-01-01T00:%02d:00Z,1.5,good\n", minute)
	}
	for _, tt := range []struct{ name, bad, reason string }{
		{"stray quote", `"d/s/m/power_kw,2026-01-01T00:00:00Z,1`, `quote`},
		{"quote inside", `d/s/m"/power_kw,2026-01-01T00:00:00Z,1`, `quote`},
		{"too few columns", `d/s/m/power_kw,1`, "2 columns"},
		{"too many columns", `d/s/m/power_kw,2026-01-01T00:00:00Z,1,good,x`, "5 columns"},
		{"semicolons", `d/s/m/power_kw;2026-01-01T00:00:00Z;1;good`, "1 columns"},
		{"series of three parts", `d/s/power_kw,2026-01-01T00:00:00Z,1`, "district/site/device/quantity"},
		{"control character", "d/s/m\x01/power_kw,2026-01-01T00:00:00Z,1", "control character"},
		{"not UTF-8", "d/s/m\xff/power_kw,2026-01-01T00:00:00Z,1", "UTF-8"},
		{"long name", "d/s/m/" + strings.Repeat("x", 600) + ",2026-01-01T00:00:00Z,1", "more than 500"},
		{"long line", strings.Repeat("x", 3*maxImportCSV), "longer than 65536 bytes"},
		{"no time", `d/s/m/power_kw,yesterday,1`, `time "yesterday"`},
		{"time without zone", `d/s/m/power_kw,2026-01-01T00:00:00,1`, "RFC 3339"},
		{"time before year 1", `d/s/m/power_kw,0000-01-01T00:00:00Z,1`, "year 1"},
		{"NaN", `d/s/m/power_kw,2026-01-01T00:00:00Z,NaN`, `value "NaN"`},
		{"infinite", `d/s/m/power_kw,2026-01-01T00:00:00Z,1e400`, `value "1e400"`},
		{"decimal comma", `d/s/m/power_kw,2026-01-01T00:00:00Z,"1,5"`, `value "1,5"`},
		{"unknown quality", `d/s/m/power_kw,2026-01-01T00:00:00Z,1,fine`, `quality "fine"`},
		{"three faults at once", `d/power_kw,noon,x`, "; value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			im, s, refused, err := importText(t, "series,time,value,quality\n"+good(1)+tt.bad+"\n"+good(2)+good(3))
			if err != nil {
				t.Fatalf("import: %v", err)
			}
			if im.taken != 3 || len(s.got) != 3 || im.refused != 1 || len(refused) != 1 {
				t.Fatalf("took %d and refused %v, want 3 and one", im.taken, refused)
			}
			if r := refused[0]; r.line != 3 || !strings.Contains(r.text, tt.reason) || strings.Contains(r.text, "\n") {
				t.Errorf("refused line %d for %q, want line 3 for %q on one line", r.line, r.text, tt.reason)
			}
		})
	}
}

// TestImportForms: what spreadsheets and other systems write is read as well.
func TestImportForms(t *testing.T) {
	want := []district.Sample{{Series: "d/s/m/power_kw", Time: time.Date(2026, 1, 1, 11, 0, 0, 0, time.UTC), Value: -1.5, Source: district.FromImport}}
	for name, text := range map[string]string{
		"plain":          "series,time,value,quality\nd/s/m/power_kw,2026-01-01T11:00:00Z,-1.5,good\n",
		"no header":      "d/s/m/power_kw,2026-01-01T11:00:00Z,-1.5,good\n",
		"no line end":    "d/s/m/power_kw,2026-01-01T11:00:00Z,-1.5",
		"three columns":  "series,time,value\nd/s/m/power_kw,2026-01-01T11:00:00Z,-1.5\n",
		"byte order":     "\ufeffseries,time,value,quality\r\nd/s/m/power_kw,2026-01-01T11:00:00Z,-1.5,good\r\n",
		"quoted, offset": "\"series\",\"time\",\"value\"\n\"d/s/m/power_kw\",\"2026-01-01T12:00:00+01:00\",\"-1.5\"\n\n\n",
	} {
		im, s, refused, err := importText(t, text)
		if err != nil || len(refused) > 0 || im.taken != 1 || !reflect.DeepEqual(s.got, want) {
			t.Errorf("%s: took %+v, refused %v, error %v; want %+v", name, s.got, refused, err, want)
		}
	}
}

// TestImportHeaderInAnotherOrder: nothing is taken of a file whose columns stand otherwise, in place of one refusal for every line.
func TestImportHeaderInAnotherOrder(t *testing.T) {
	im, s, refused, err := importText(t, "time,series,value\n2026-01-01T11:00:00Z,d/s/m/power_kw,1\n")
	var bad badInput
	if !errors.As(err, &bad) || im.taken != 0 || len(s.got)+len(refused) != 0 {
		t.Errorf("took %d, refused %v, error %v; want bad input alone", im.taken, refused, err)
	}
}

// TestImportCountsWhatIsDurable: when the store or the file fails midway, taken is exactly what the store has.
func TestImportCountsWhatIsDurable(t *testing.T) {
	var text strings.Builder
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range importBatch + 5 {
		fmt.Fprintf(&text, "d/s/m/power_kw,%s,%d\n", start.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i)
	}
	broken := errors.New("disk full")
	s := &sink{fail: broken, after: 1}
	im := &importer{store: s, progress: func() {}, refuse: func(line int, reason error) { t.Errorf("line %d: %v", line, reason) }}
	if err := im.run(t.Context(), strings.NewReader(text.String())); !errors.Is(err, broken) || im.taken != importBatch || len(s.got) != importBatch {
		t.Errorf("error %v, taken %d, stored %d; want the store's and %d", err, im.taken, len(s.got), importBatch)
	}
	s = &sink{}
	im = &importer{store: s, progress: func() {}, refuse: func(int, error) {}}
	lost := errors.New("network gone")
	if err := im.run(t.Context(), io.MultiReader(strings.NewReader(text.String()), failing{lost})); !errors.Is(err, lost) || im.taken != importBatch || len(s.got) != importBatch {
		t.Errorf("error %v, taken %d, stored %d; want the reader's and %d", err, im.taken, len(s.got), importBatch)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestImportEndsWithItsContext: a pipe on which nothing comes does not hold the command.
func TestImportEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer pw.Close()
	r := withContext(ctx, pr)
	defer r.Close()
	time.AfterFunc(20*time.Millisecond, cancel)
	im := &importer{store: &sink{}, progress: func() {}, refuse: func(int, error) {}}
	if err := im.run(ctx, r); !errors.Is(err, context.Canceled) {
		t.Errorf("import ends with %v, want %v", err, context.Canceled)
	}
}

// FuzzImport: whatever the bytes, every line is taken or refused with a reason, and what is taken is fit for every store.
func FuzzImport(f *testing.F) {
	f.Add("series,time,value,quality\nd/s/m/power_kw,2026-01-01T00:00:00Z,1.5,good\n")
	f.Add("d/s/m/power_kw,2026-01-01T00:00:00+01:00,NaN,\nx,,,,\n\"")
	f.Add("\ufeff\n\"d/s/m/q\",9999-12-31T23:59:59.9-23:59,0x1p-2\r\nd/s/\x00/q,0001-01-01T00:00:00Z,1")
	f.Fuzz(func(t *testing.T, text string) {
		s := &sink{}
		refused, last := 0, 0
		im := &importer{store: s, progress: func() {}, refuse: func(line int, reason error) {
			if reason == nil || reason.Error() == "" || strings.Contains(reason.Error(), "\n") || line <= last {
				t.Fatalf("line %d after %d refused for %v", line, last, reason)
			}
			refused, last = refused+1, line
		}}
		err := im.run(t.Context(), strings.NewReader(text))
		var header badInput
		if err != nil && !errors.As(err, &header) {
			t.Fatalf("import: %v", err)
		}
		if im.taken != len(s.got) || im.refused != refused {
			t.Fatalf("taken %d, stored %d; refused %d, told %d", im.taken, len(s.got), im.refused, refused)
		}
		lines := 0
		for line := range strings.SplitSeq(text, "\n") {
			if strings.TrimSpace(line) != "" {
				lines++
			}
		}
		if n := im.taken + im.refused; err == nil && (n > lines || n < lines-1) { // the header is neither
			t.Fatalf("%d lines, %d taken and %d refused", lines, im.taken, im.refused)
		}
		for _, v := range s.got {
			if math.IsNaN(v.Value) || v.Source != district.FromImport {
				t.Fatalf("took %+v", v)
			}
		}
	})
}
