package report

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// poppler runs a program of poppler-utils on a PDF and returns what it prints.
func poppler(t *testing.T, pdf []byte, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s of poppler-utils is missing: run `make setup` (%v)", program, err)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(pdf)
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", program, err, faults.String())
	}
	if faults.Len() > 0 {
		t.Errorf("%s complains: %s", program, faults.String())
	}
	return out.String()
}

// squeezed is a text without any space, so that line breaks do not matter.
func squeezed(text string) string { return strings.Join(strings.Fields(plain(text)), "") }

// TestPDFText: another program reads from the sheet every text that the page has, in the order of the page's parts, on one page with its metadata.
func TestPDFText(t *testing.T) {
	all := cases(t)
	all["long-names"] = longNames(t)
	for name, d := range all {
		t.Run(name, func(t *testing.T) {
			v := words(t, d)
			_, pdf := render(t, d)
			got := squeezed(poppler(t, pdf, "pdftotext", "-raw", "-enc", "UTF-8", "-", "-"))
			at := 0
			next := func(text string) {
				t.Helper()
				i := strings.Index(got[at:], squeezed(text))
				if i < 0 {
					t.Errorf("after %d of %d letters the sheet lacks %q", at, len(got), text)
					return
				}
				at += i
			}
			next(v.Made)
			for _, text := range []string{v.Title, v.Sentence, v.chartTitle(), v.text.Exact, v.text.Estimate, v.text.Carbon} {
				next(text)
			}
			for _, texts := range [][]string{v.Estimate, v.Carbon, v.District, v.How, v.Foot, {v.Who, v.Hint, v.CarbonFoot, v.text.DistrictNote, v.DistrictTitle(), d.Issuer.Name}} {
				for _, text := range texts {
					if !strings.Contains(got, squeezed(text)) {
						t.Errorf("the sheet lacks %q", text)
					}
				}
			}
			for _, l := range v.Exact {
				if !strings.Contains(got, squeezed(l.Label+l.Value)) {
					t.Errorf("the sheet lacks %q beside %q", l.Value, l.Label)
				}
			}
			info := plain(poppler(t, pdf, "pdfinfo", "-"))
			for _, want := range []string{plain(v.Title), d.Issuer.Name, "A4", "Pages:           1"} {
				if !strings.Contains(info, want) {
					t.Errorf("metadata lack %q:\n%s", want, info)
				}
			}
		})
	}
}

// TestPDFStaysOnTheSheet: no letter lies outside the margins, however long the names are.
func TestPDFStaysOnTheSheet(t *testing.T) {
	const point = 25.4 / 72 // mm
	all := cases(t)
	all["long-names"] = longNames(t)
	for name, d := range all {
		_, pdf := render(t, d)
		boxes := poppler(t, pdf, "pdftotext", "-bbox", "-", "-")
		n := 0
		for line := range strings.Lines(boxes) {
			line = strings.TrimSpace(line)
			if !strings.HasPrefix(line, "<word ") {
				continue
			}
			n++
			var box [4]float64
			for i, side := range []string{"xMin", "yMin", "xMax", "yMax"} {
				_, rest, _ := strings.Cut(line, side+`="`)
				text, _, _ := strings.Cut(rest, `"`)
				v, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Fatal(err)
				}
				box[i] = v * point
			}
			if box[0] < marginX-0.5 || box[2] > sheetW-marginX+0.5 || box[1] < 5 || box[3] > sheetH-marginY+1 {
				t.Errorf("%s: %s lies outside the margins: %.1f to %.1f mm, %.1f to %.1f mm", name, line, box[0], box[2], box[1], box[3])
			}
		}
		if n < 100 {
			t.Errorf("%s: %d words, want a whole sheet", name, n)
		}
	}
}
