package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
)

// The sheet, in mm.
const (
	sheetW, sheetH = 210.0, 297.0
	marginX        = 16.0
	marginY        = 9.0 // below
	innerW         = sheetW - 2*marginX
	gutter         = 6.0
)

var (
	ink   = colour{29, 39, 51}
	grey  = colour{74, 86, 102}
	rule  = colour{211, 217, 223}
	faint = colour{241, 243, 245}
	amber = colour{180, 105, 0}
	cream = colour{255, 248, 232}
)

// RenderPDF writes the report as a PDF of one A4 sheet with embedded fonts, in the member's language. The same data gives the same bytes. The error names the
// faults of the data, says that it does not fit one sheet, or is w's.
func RenderPDF(w io.Writer, d *Data) error {
	v, err := newView(d)
	if err != nil {
		return err
	}
	for _, bill := range []billDetail{billWithSources, billByPeriod, billSum} { // the page has all of it where the sheet has no room
		for _, height := range chartHeights {
			s := &sheet{pdf: v.newPDF(), view: v, chartHeight: height, bill: bill}
			if s.draw() > sheetH-marginY {
				continue
			}
			if err := s.pdf.Output(w); err != nil {
				return fmt.Errorf("report of %s: write PDF: %w", d.Member.ID, err)
			}
			return nil
		}
	}
	return fmt.Errorf("report of %s: the text does not fit one sheet", d.Member.ID)
}

// chartHeights are the heights of the daily chart, mm, that are tried until the sheet holds everything.
var chartHeights = []float64{42, 36, 30, 24, 18, 14}

// newPDF returns a document of one empty sheet with its metadata and fonts.
func (v *view) newPDF() *fpdf.Fpdf {
	d := v.data
	pdf := fpdf.New("P", "mm", "A4", "")
	pdf.SetCatalogSort(true)
	pdf.SetCreationDate(d.MadeAt.UTC())
	pdf.SetModificationDate(d.MadeAt.UTC())
	pdf.SetLang(v.text.Lang)
	pdf.SetTitle(v.Title+" – "+v.For, true)
	pdf.SetAuthor(d.Issuer.Name, true)
	pdf.SetSubject(v.Sentence, true)
	pdf.SetCreator("Quartier", true)
	pdf.SetProducer("Quartier", true)
	pdf.AddUTF8FontFromBytes("go", "", goregular.TTF)
	pdf.AddUTF8FontFromBytes("go", "B", gobold.TTF)
	pdf.SetAutoPageBreak(false, 0)
	pdf.SetMargins(marginX, 0, marginX)
	pdf.SetCellMargin(0)
	pdf.AddPage()
	return pdf
}

// sheet draws a view.
type sheet struct {
	*view
	pdf         *fpdf.Fpdf
	chartHeight float64
	bill        billDetail
}

// billDetail is how much of the bill a sheet says.
type billDetail int

const (
	billSum         billDetail = iota
	billByPeriod               // by tariff period
	billWithSources            // and from which publications its prices are
)

// printable replaces what the fonts do not have: the narrow space by the ordinary unbreakable one.
func printable(text string) string { return strings.ReplaceAll(text, thin, nbsp) }

func (s *sheet) font(style string, points float64, c colour) {
	s.pdf.SetFont("go", style, points)
	s.pdf.SetTextColor(c.r, c.g, c.b)
}

// lines splits a text into lines of the given width in the present font.
func (s *sheet) lines(text string, width float64) []string {
	var out []string
	line := ""
	for _, word := range strings.Split(printable(text), " ") {
		for s.pdf.GetStringWidth(word) > width { // a long address without a space
			r := []rune(word)
			n := len(r) - 1
			for n > 1 && s.pdf.GetStringWidth(string(r[:n])) > width {
				n--
			}
			if line != "" {
				out, line = append(out, line), ""
			}
			out, word = append(out, string(r[:n])), string(r[n:])
		}
		joined := word
		if line != "" {
			joined = line + " " + word
		}
		if line != "" && s.pdf.GetStringWidth(joined) > width {
			out = append(out, line)
			joined = word
		}
		line = joined
	}
	return append(out, line)
}

// block writes a text in lines of the given width and height from y and returns where it ends.
func (s *sheet) block(x, y, width, height float64, text string) float64 {
	for _, l := range s.lines(text, width) {
		s.at(x, y+height*0.76, l)
		y += height
	}
	return y
}

// at writes one line with its base line at y.
func (s *sheet) at(x, y float64, text string) { s.pdf.Text(x, y, printable(text)) }

// right writes one line that ends at x.
func (s *sheet) right(x, y float64, text string) {
	text = printable(text)
	s.pdf.Text(x-s.pdf.GetStringWidth(text), y, text)
}

func (s *sheet) fill(c colour)   { s.pdf.SetFillColor(c.r, c.g, c.b) }
func (s *sheet) stroke(c colour) { s.pdf.SetDrawColor(c.r, c.g, c.b) }

// draw draws the sheet and returns the y at which it ends.
func (s *sheet) draw() float64 {
	d := s.data
	issuer := d.Issuer.Name
	if d.Issuer.Address != "" {
		issuer += ", " + d.Issuer.Address
	}
	s.font("", 8.5, grey)
	s.right(sheetW-marginX, 15, s.Made)
	y := s.block(marginX, 12, innerW-s.pdf.GetStringWidth(printable(s.Made))-gutter, 3.9, issuer) + 1.6
	s.stroke(amber)
	s.pdf.SetLineWidth(0.6)
	s.pdf.Line(marginX, y, sheetW-marginX, y)

	s.font("B", 21, ink)
	s.at(marginX, y+11.5, s.Title)
	s.font("", 9.5, grey)
	y = s.block(marginX, y+14, innerW, 4.6, s.Who) + 3
	s.font("", 13, ink)
	y = s.block(marginX, y, innerW, 6.4, s.Sentence) + 4.5

	y = s.drawChart(y) + 6

	half := (innerW - gutter) / 2
	right := marginX + half + gutter
	y = s.pair(y, func(y float64) float64 { return s.exactBox(marginX, y, half) }, func(y float64) float64 { return s.estimateBox(right, y, half) }, true) + 5
	y = s.pair(y, func(y float64) float64 {
		return s.textBox(marginX, y, half, s.text.Carbon, s.view.Carbon, s.CarbonFoot)
	},
		func(y float64) float64 {
			return s.textBox(right, y, half, s.DistrictTitle(), s.view.District, s.text.DistrictNote)
		}, false) + 5
	if s.Hint != "" {
		y = s.hintBox(y) + 5
	}
	s.font("B", 8, grey)
	s.at(marginX, y+2.6, s.text.How)
	s.font("", 7.6, grey)
	how := strings.Join(s.How, " ")
	if sources := s.BillSources(); s.bill >= billWithSources && sources != "" {
		how += " " + sources
	}
	y = s.block(marginX, y+3.9, innerW, 3.6, how) + 2.5
	s.stroke(rule)
	s.pdf.SetLineWidth(0.2)
	s.pdf.Line(marginX, y, sheetW-marginX, y)
	y += 1.6
	for i, text := range s.Foot {
		s.font("", 7.6, grey)
		if i == 0 {
			s.font("B", 8.2, ink)
		}
		y = s.block(marginX, y, innerW, 3.8, text)
	}
	return y
}

const pad = 4.0 // inside a box, mm

// pair draws two boxes side by side, equally high: each is measured by drawing it, then framed. The right one of an estimate has a dashed frame.
func (s *sheet) pair(y float64, left, right func(float64) float64, dashed bool) float64 {
	end := max(left(y), right(y))
	half := (innerW - gutter) / 2
	s.stroke(rule)
	s.pdf.SetLineWidth(0.25)
	s.pdf.RoundedRect(marginX, y, half, end-y, 2, "1234", "D")
	if dashed {
		s.stroke(grey)
		s.pdf.SetDashPattern([]float64{1.2, 1}, 0)
	}
	s.pdf.RoundedRect(marginX+half+gutter, y, half, end-y, 2, "1234", "D")
	s.pdf.SetDashPattern(nil, 0)
	return end
}

// head writes the heading of a box of width w with its note and returns where its content begins.
func (s *sheet) head(x, y, w float64, title, note string) float64 {
	s.font("B", 10, ink)
	end := s.block(x+pad, y+pad-0.6, w-2*pad, 4.5, title)
	if note != "" {
		after := s.pdf.GetStringWidth(printable(title)) + 2
		s.font("", 8, grey)
		if after+s.pdf.GetStringWidth(printable(note)) > w-2*pad {
			return s.block(x+pad, end, w-2*pad, 3.7, note) + 1.1
		}
		s.at(x+pad+after, y+pad+2.8, note)
	}
	return end + 1.1
}

func (s *sheet) exactBox(x, y, w float64) float64 {
	y = s.head(x, y, w, s.text.Exact, s.text.ExactNote)
	lines := s.Exact
	if i := slices.IndexFunc(lines, func(l line) bool { return l.Label == s.text.Avoided }); s.bill >= billByPeriod && i >= 0 {
		lines = slices.Insert(slices.Clone(lines), i+1, s.billLines()...)
	}
	for _, l := range lines {
		style, indent, size, height := "", 0.0, 9.0, 4.9
		if l.Strong {
			style = "B"
		}
		if l.Indent {
			indent = 3
		}
		if l.Small {
			size, height = 7.8, 3.7
		}
		s.font(style, size, ink)
		parts := s.lines(l.Label, w-2*pad-indent-s.pdf.GetStringWidth(printable(l.Value))-2)
		for i, part := range parts {
			s.at(x+pad+indent, y+0.74*height, part)
			if i == len(parts)-1 {
				s.right(x+w-pad, y+0.74*height, l.Value)
			}
			y += height
		}
	}
	if s.ExactFoot != "" {
		s.font("", 8, grey)
		y = s.block(x+pad, y+0.6, w-2*pad, 3.8, s.ExactFoot)
	}
	return y + pad - 1
}

func (s *sheet) estimateBox(x, y, w float64) float64 {
	y = s.head(x, y, w, s.text.Estimate, s.text.EstimateNote)
	for i, text := range s.Estimate {
		if i == 0 {
			s.font("", 9, ink)
			y = s.block(x+pad, y, w-2*pad, 4.4, text) + 1
			continue
		}
		s.font("", 7.8, grey)
		y = s.block(x+pad, y, w-2*pad, 3.7, text) + 0.6
	}
	return y + pad - 2
}

func (s *sheet) textBox(x, y, w float64, title string, texts []string, foot string) float64 {
	y = s.head(x, y, w, title, "")
	for _, text := range texts {
		s.font("", 9, ink)
		y = s.block(x+pad, y, w-2*pad, 4.3, text) + 0.8
	}
	if foot != "" {
		s.font("", 7.8, grey)
		y = s.block(x+pad, y+0.2, w-2*pad, 3.7, foot)
	}
	return y + pad - 1.5
}

// hintBox draws the hint on its ground.
func (s *sheet) hintBox(y float64) float64 {
	s.font("", 9.2, ink)
	lines := s.lines(s.Hint, innerW-2*pad-2)
	height := pad + 4.6 + 4.5*float64(len(lines)) + pad - 1.5
	s.fill(cream)
	s.pdf.RoundedRect(marginX, y, innerW, height, 1.5, "23", "F")
	s.fill(originColours[originOwn])
	s.pdf.Rect(marginX, y, 1.2, height, "F")
	s.font("B", 10, ink)
	s.at(marginX+pad+1, y+pad+2.6, s.text.Hint)
	s.font("", 9.2, ink)
	s.block(marginX+pad+1, y+pad+4.6, innerW-2*pad-2, 4.5, s.Hint)
	return y + height
}

// drawChart draws the chart from y and returns where its legend ends.
func (s *sheet) drawChart(y float64) float64 {
	title := s.chartTitle()
	if s.chart.daily() {
		title += " (" + s.text.PerDay + ")"
	}
	s.font("B", 10, ink)
	s.at(marginX, y+3, title)
	y += 7
	if s.chart.daily() {
		y = s.dailyBars(y, s.chartHeight)
	} else {
		y = s.monthBar(y, 11)
	}
	x := marginX
	if s.chart.daily() {
		x += axisW
	}
	s.font("", 8.2, ink)
	for _, o := range s.data.origins() {
		s.fill(originColours[o])
		s.pdf.RoundedRect(x, y, 2.8, 2.8, 0.5, "1234", "F")
		name := s.text.originNames()[o]
		s.at(x+4, y+2.4, name)
		x += 4 + s.pdf.GetStringWidth(printable(name)) + 6
	}
	if s.HasGap() {
		s.gap(x, y, 2.8, 2.8)
		s.at(x+4, y+2.4, s.text.NoData)
	}
	return y + 3
}

const (
	axisW    = 9.0 // mm left of the bars
	hairline = 0.2 // mm between the segments of a bar
)

func (s *sheet) gap(x, y, w, h float64) {
	s.fill(faint)
	s.stroke(grey)
	s.pdf.SetLineWidth(0.15)
	s.pdf.SetDashPattern([]float64{0.8, 0.6}, 0)
	s.pdf.Rect(x, y, w, h, "FD")
	s.pdf.SetDashPattern(nil, 0)
}

func (s *sheet) dailyBars(y, height float64) float64 {
	c := s.chart
	at := func(kwh float64) float64 { return y + height*(1-kwh/c.top) }
	s.pdf.SetLineWidth(0.15)
	for t := 0; float64(t)*c.tick <= c.top+1e-9; t++ {
		kwh := float64(t) * c.tick
		s.stroke(rule)
		s.pdf.Line(marginX+axisW, at(kwh), sheetW-marginX, at(kwh))
		s.font("", 7.5, grey)
		s.right(marginX+axisW-1.5, at(kwh)+1, s.axis(kwh))
	}
	step := (innerW - axisW) / float64(len(c.bars))
	for i, bar := range c.bars {
		x, w, from := marginX+axisW+step*(float64(i)+0.14), step*0.72, 0.0
		if bar.gap {
			s.gap(x, y, w, height)
		}
		for o, e := range bar.kwh {
			if e > 0 {
				s.fill(originColours[o])
				s.pdf.Rect(x, at(from+e), w, max(0.1, at(from)-at(from+e)-hairline), "F")
				from += e
			}
		}
		if bar.labelled() {
			s.font("", 7.5, grey)
			label := fmt.Sprint(bar.label)
			s.at(x+w/2-s.pdf.GetStringWidth(label)/2, y+height+3.4, label)
		}
	}
	return y + height + 6
}

func (s *sheet) monthBar(y, height float64) float64 {
	b := s.chart.bars[0]
	x, total := marginX, max(b.total(), 1e-9)
	for o, e := range b.kwh {
		if e > 0 {
			w := innerW * e / total
			s.fill(originColours[o])
			s.pdf.Rect(x, y, max(0.2, w-0.4), height, "F")
			x += w
		}
	}
	return y + height + 3
}
