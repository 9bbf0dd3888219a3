package backtest

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Funcs(template.FuncMap{"say": languages["en"].say}).Parse(pageSource))

// Languages are those of the page.
func Languages() []string { return slices.Sorted(maps.Keys(languages)) }

// WritePage writes the result as one HTML page that needs nothing else, in one of the [Languages].
func (r *Result) WritePage(w io.Writer, language string) error {
	words := languages[language]
	if words == nil {
		return fmt.Errorf("backtest: a page in %q: want one of %s", language, strings.Join(Languages(), ", "))
	}
	var table strings.Builder
	if err := r.write(&table, words); err != nil {
		return err
	}
	captured := words.say("nothing could be saved")
	if r.Captured != nil {
		captured = words.number(100**r.Captured, 1) + " %"
	}
	p := plotter{r, words}
	day, from := r.dearestDay()
	first := r.c.at(r.set.FromStep)
	data := struct {
		Lang, Title, About, Days      string
		Table                         string
		Costs, Months, Powers, Stored template.HTML
		Comfort                       template.HTML
		Flexible                      []plot
		Settings                      [][2]string
	}{Lang: words.lang, Title: fmt.Sprintf(words.say("Backtest of %s"), r.c.Name),
		About: fmt.Sprintf(words.say("%s to %s. Quartier's control made %s of the saving that perfect foresight makes."), first.Format(words.time), first.Add(time.Duration(r.set.Steps)*r.c.Step).Format(words.time), captured),
		Days:  fmt.Sprintf(words.say("The two days from %s, the day with most to gain"), day.Format(words.date)), Table: table.String(),
		Costs: p.costPlot(), Months: p.monthPlot(), Powers: p.powerPlot(from), Stored: p.storedPlot(from), Comfort: p.comfortPlot(), Flexible: p.flexiblePlots(from)}
	for _, k := range slices.Sorted(maps.Keys(r.Settings)) {
		if k == "notes" {
			continue
		}
		data.Settings = append(data.Settings, [2]string{words.say(k), words.value(r.Settings[k])})
	}
	t, err := page.Clone()
	if err != nil {
		return err
	}
	return t.Funcs(template.FuncMap{"say": words.say}).Execute(w, data)
}

// plotter draws a result in a language.
type plotter struct {
	*Result
	words *words
}

// dearestDay is the day on which no control cost most more than perfect foresight: the day with most to gain.
func (r *Result) dearestDay() (time.Time, int) {
	perDay := int(24 * time.Hour / r.c.Step)
	first := r.c.Start.Add(time.Duration(r.set.FromStep) * r.c.Step)
	skip := 0
	if rest := first.Sub(first.Truncate(24 * time.Hour)); rest > 0 {
		skip = perDay - int(rest/r.c.Step)
	}
	best, at := math.Inf(-1), 0
	none, perfect := r.Runs["none"], r.Runs["perfect"]
	for from := skip; from+perDay <= len(none.net); from += perDay {
		gain := 0.0
		for t := from; t < from+perDay; t++ {
			price := r.c.ImportPrice[r.set.FromStep+t]
			gain += price * (math.Max(0, none.net[t]) - math.Max(0, perfect.net[t]))
		}
		if gain > best {
			best, at = gain, from
		}
	}
	return first.Add(time.Duration(at) * r.c.Step), at
}

// The colours of the runs, apart also for eyes that see no red or green.
var colours = map[string]string{"none": "#8a8f98", "rules": "#e69f00", "quartier": "#0072b2", "perfect": "#009e73"}

func (r plotter) costPlot() template.HTML {
	return r.bars("Cost of each run", 0, func(x *Run) float64 { return x.Cost })
}

// bars draws a figure of each run.
func (r plotter) bars(title string, digits int, of func(*Run) float64) template.HTML {
	most := 0.0
	for _, n := range Names {
		most = math.Max(most, of(r.Runs[n]))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 720 180" role="img" aria-label="%s">`, r.words.say(title))
	for i, n := range Names {
		v := of(r.Runs[n])
		y, w := 10+40*i, 520*math.Max(0, v)/math.Max(most, 1e-9)
		fmt.Fprintf(&b, `<text x="90" y="%d" text-anchor="end">%s</text><rect x="100" y="%d" width="%.1f" height="26" fill="%s"/><text x="%.1f" y="%d">%s</text>`, y+18, r.words.say(n), y, w, colours[n], 106+w, y+18, r.words.number(v, digits))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// monthPlot shows what rules and Quartier captured in each month.
func (r plotter) monthPlot() template.HTML {
	months := r.Runs["none"].Monthly
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 720 220" role="img" aria-label="%s">`, r.words.say("Share of the attainable saving captured in each month"))
	width := 620 / float64(max(1, len(months)))
	for _, share := range []int{0, 50, 100} {
		y := 180 - 1.6*float64(share)
		fmt.Fprintf(&b, `<line x1="60" x2="700" y1="%.1f" y2="%.1f" stroke="#d0d4da"/><text x="54" y="%.1f" text-anchor="end">%d %%</text>`, y, y, y+4, share)
	}
	for i, m := range months {
		all := m.whole() - r.Runs["perfect"].Monthly[i].whole()
		for k, n := range []string{"rules", "quartier"} {
			if all <= 0 {
				continue
			}
			share := math.Max(0, math.Min(1.1, (m.whole()-r.Runs[n].Monthly[i].whole())/all))
			fmt.Fprintf(&b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"><title>%s %s %s %%</title></rect>`, 66+width*(float64(i)+0.42*float64(k)), 180-160*share, 0.38*width, 160*share, colours[n], r.words.say(n), m.Month, r.words.number(100*share, 1))
		}
		fmt.Fprintf(&b, `<text x="%.1f" y="200" text-anchor="middle">%s</text>`, 66+width*(float64(i)+0.4), m.Month[2:])
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// plot is a plot with its title.
type plot struct {
	Title string
	SVG   template.HTML
}

// flexiblePlots show what flexible devices did, by kind; none where there are none.
func (r plotter) flexiblePlots(from int) (out []plot) {
	if r.Runs["none"].Comfort == nil {
		return nil
	}
	f := r.c.fleet(r.set.FromStep, r.set.FromStep+r.set.Steps)
	for _, p := range []struct {
		n           int
		title, unit string
		pick        func(devicePowers) float64
	}{
		{len(f.tanks), "Power of hot-water tanks", "kW", func(d devicePowers) float64 { return d.tanksKW }},
		{len(f.tanks), "Hot water above its lowest temperature", "kWh", func(d devicePowers) float64 { return d.tankKWh }},
		{len(f.rooms), "Power of heat pumps", "kW", func(d devicePowers) float64 { return d.roomsKW }},
		{len(f.rooms), "Mean temperature of rooms", "°C", func(d devicePowers) float64 { return d.roomC }},
		{len(f.chargers), "Power of cars", "kW", func(d devicePowers) float64 { return d.carsKW }},
	} {
		if p.n == 0 {
			continue
		}
		series := map[*Run][]float64{}
		for _, n := range Names {
			run := r.Runs[n]
			for _, d := range run.flexible {
				series[run] = append(series[run], p.pick(d))
			}
		}
		out = append(out, plot{r.words.say(p.title), r.lines(from, p.unit, p.title, func(x *Run) []float64 { return series[x] })})
	}
	return out
}

// comfortPlot shows the discomfort of each run; nothing where it is not known.
func (r plotter) comfortPlot() template.HTML {
	if r.Runs["none"].Comfort == nil {
		return ""
	}
	return r.bars("Discomfort of each run, K h", 1, func(x *Run) float64 { return x.DiscomfortKH })
}

func (r plotter) powerPlot(from int) template.HTML {
	return r.lines(from, "kW", "Net power behind the meter", func(x *Run) []float64 { return x.net })
}

func (r plotter) storedPlot(from int) template.HTML {
	return r.lines(from, "kWh", "Energy stored", func(x *Run) []float64 { return x.stored })
}

// lines draws a series of all runs over two days.
func (r plotter) lines(from int, unit, title string, pick func(*Run) []float64) template.HTML {
	to := min(from+2*int(24*time.Hour/r.c.Step), len(r.Runs["none"].net))
	low, high := 0.0, 1e-9
	if unit == "°C" {
		low, high = math.Inf(1), math.Inf(-1)
	}
	for _, n := range Names {
		for _, v := range pick(r.Runs[n])[from:to] {
			low, high = math.Min(low, v), math.Max(high, v)
		}
	}
	x := func(i int) float64 { return 60 + 640*float64(i)/float64(max(1, to-from)) }
	y := func(v float64) float64 { return 180 - 165*(v-low)/(high-low) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 720 210" role="img" aria-label="%s">`, r.words.say(title))
	if high-low < 1e-9 {
		high = low + 1
	}
	for _, v := range []float64{low, math.Max(low, 0), high} {
		fmt.Fprintf(&b, `<line x1="60" x2="700" y1="%.1f" y2="%.1f" stroke="#d0d4da"/><text x="54" y="%.1f" text-anchor="end">%.0f %s</text>`, y(v), y(v), y(v)+4, v, unit)
	}
	start := r.c.Start.Add(time.Duration(r.set.FromStep+from) * r.c.Step)
	for i := 0; i < to-from; i += max(1, int(6*time.Hour/r.c.Step)) {
		fmt.Fprintf(&b, `<text x="%.1f" y="200" text-anchor="middle">%s</text>`, x(i), start.Add(time.Duration(i)*r.c.Step).Format("15:04"))
	}
	for _, n := range Names {
		fmt.Fprintf(&b, `<path fill="none" stroke="%s" stroke-width="2" d="`, colours[n])
		for i, v := range pick(r.Runs[n])[from:to] {
			c := "V"
			if i == 0 {
				fmt.Fprintf(&b, "M%.1f %.1f", x(0), y(v))
			} else {
				fmt.Fprintf(&b, "%s%.1f", c, y(v))
			}
			fmt.Fprintf(&b, "H%.1f", x(i+1))
		}
		fmt.Fprintf(&b, `"><title>%s</title></path>`, r.words.say(n))
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}
