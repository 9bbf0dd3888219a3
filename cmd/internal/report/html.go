package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
)

//go:embed page.html.tmpl
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// RenderHTML writes the report as one self-contained page: no script, no request, readable by a screen reader, printed on one A4 sheet. The error names the
// faults of the data, or is w's.
func RenderHTML(w io.Writer, d *Data) error {
	v, err := newView(d)
	if err != nil {
		return err
	}
	if err := page.Execute(w, map[string]any{"V": v, "T": v.text, "Chart": v.svg(), "Days": v.table(), "Caption": v.chartTitle(), "Issuer": d.Issuer, "Styles": styles()}); err != nil {
		return fmt.Errorf("report of %s: write page: %w", d.Member.ID, err)
	}
	return nil
}

// chartTitle is the heading of the chart.
func (v *view) chartTitle() string {
	if v.chart.daily() {
		return v.text.Chart
	}
	return v.text.ChartMonth
}

// chartText describes the chart for those who do not see it.
func (v *view) chartText() string {
	d := v.data
	return fmt.Sprintf(v.text.ChartDesc, v.w.kwh(d.OwnWh), v.w.kwh(d.SharedWh), v.w.kwh(d.GridWh))
}

// table is the chart in figures: a row per day with its date and its energies by origin.
func (v *view) table() [][]string {
	var rows [][]string
	for _, day := range v.data.Days {
		row := []string{v.w.date(day.Start)}
		for _, o := range v.data.origins() {
			e := [3]float64{originOwn: day.OwnWh.KWh(), originShared: day.SharedWh.KWh(), originGrid: day.GridWh.KWh()}[o]
			if day.Coverage <= 0 {
				row = append(row, v.text.NoData)
				continue
			}
			row = append(row, v.w.number(e, 1))
		}
		rows = append(rows, row)
	}
	return rows
}

// Heads returns the heads of the columns of the table.
func (v *view) Heads() []string {
	heads := []string{v.text.Day}
	names := v.text.originNames()
	for _, o := range v.data.origins() {
		heads = append(heads, names[o]+" (kWh)")
	}
	return heads
}

// Legend returns the origins of the chart with their classes, which give the colours.
func (v *view) Legend() []legend {
	var out []legend
	names := v.text.originNames()
	for _, o := range v.data.origins() {
		out = append(out, legend{names[o], originClass(o)})
	}
	return out
}

type legend struct{ Name, Class string }

// originClass is the class of an origin in the style sheet of the page.
func originClass(o int) string { return fmt.Sprint("o", o) }

// styles are the colours of the origins on paper and light ground; the page brightens them on dark ground.
func styles() template.CSS {
	var b strings.Builder
	for o, c := range originColours {
		fmt.Fprintf(&b, ".%s { fill: %s; background: %s }\n", originClass(o), hex(c), hex(c))
	}
	return template.CSS(b.String())
}

func hex(c colour) string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

// svg draws the chart.
func (v *view) svg() template.HTML {
	const width, height, left, bottom, hairline = 720.0, 190.0, 44.0, 22.0, 0.8
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	esc := template.HTMLEscapeString
	c := v.chart
	if !c.daily() {
		p(`<svg viewBox="0 0 %g 60" role="img" aria-labelledby="chart-title chart-desc"><title id="chart-title">%s</title><desc id="chart-desc">%s</desc>`, width, esc(v.chartTitle()), esc(v.chartText()))
		x, total := 0.0, max(c.bars[0].total(), 1e-9)
		for o, e := range c.bars[0].kwh {
			w := width * e / total
			if w > 0 {
				p(`<rect x="%.1f" y="8" width="%.1f" height="40" class="%s"/>`, x, max(0.5, w-1), originClass(o))
			}
			x += w
		}
		p(`</svg>`)
		return template.HTML(b.String())
	}
	plot := height - bottom - 8
	y := func(kwh float64) float64 { return 8 + plot*(1-kwh/c.top) }
	p(`<svg viewBox="0 0 %g %g" role="img" aria-labelledby="chart-title chart-desc"><title id="chart-title">%s</title><desc id="chart-desc">%s</desc>`, width, height, esc(v.chartTitle()), esc(v.chartText()))
	for t := 0; float64(t)*c.tick <= c.top+1e-9; t++ {
		kwh := float64(t) * c.tick
		p(`<line x1="%g" x2="%g" y1="%.1f" y2="%.1f" class="rule"/><text x="%g" y="%.1f" class="axis end">%s</text>`, left, width, y(kwh), y(kwh), left-6, y(kwh)+4, esc(v.axis(kwh)))
	}
	step := (width - left) / float64(len(c.bars))
	for i, bar := range c.bars {
		x, from := left+float64(i)*step+step*0.14, 0.0
		w := step * 0.72
		if bar.gap {
			p(`<rect x="%.1f" y="8" width="%.1f" height="%.1f" class="gap"/>`, x, w, plot)
		}
		for o, e := range bar.kwh {
			if e > 0 {
				p(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" class="%s"/>`, x, y(from+e), w, max(0.5, y(from)-y(from+e)-hairline), originClass(o))
				from += e
			}
		}
		if bar.labelled() {
			p(`<text x="%.1f" y="%.1f" class="axis mid">%d</text>`, x+w/2, height-6, bar.label)
		}
	}
	p(`</svg>`)
	return template.HTML(b.String())
}

// axis writes a value of the axis.
func (v *view) axis(kwh float64) string {
	if v.chart.tick < 1 {
		return v.w.number(kwh, 1)
	}
	return v.w.number(kwh, 0)
}

// DistrictTitle is the heading of the district's figures.
func (v *view) DistrictTitle() string { return fmt.Sprintf(v.text.District, v.data.District.Name) }

// HasGap reports whether a day of the chart was not measured.
func (v *view) HasGap() bool {
	for _, b := range v.chart.bars {
		if b.gap {
			return true
		}
	}
	return false
}
