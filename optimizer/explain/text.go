package explain

import (
	"fmt"
	"io"
	"math"
	"strings"

	"quartier/optimizer/problem"
)

// does says in words what a power means.
func does(kind problem.Kind, kw float64, on bool) string {
	switch kind {
	case problem.KindPV:
		return fmt.Sprintf("makes %.2f kW", max(0, -kw))
	case problem.KindBattery, problem.KindEV:
		switch {
		case kw > still:
			return fmt.Sprintf("charges at %.2f kW", kw)
		case kw < -still:
			return fmt.Sprintf("gives %.2f kW", -kw)
		}
		return "rests"
	}
	switch {
	case kw > still:
		return fmt.Sprintf("is on at %.2f kW", kw)
	case on:
		return "is on without power"
	}
	return "is off"
}

// String writes the price with its parts.
func (p Price) String() string {
	text := fmt.Sprintf("%.4f EUR/kWh", p.EUR)
	for k, part := range p.Parts {
		sign := " = "
		if k > 0 {
			sign = " + "
		}
		v := part.EUR
		if v < 0 {
			sign, v = strings.Replace(sign, "+", "-", 1), -v
			if k == 0 {
				sign, v = " = ", part.EUR
			}
		}
		if math.Abs(v) < 5e-5 {
			continue
		}
		text += fmt.Sprintf("%s%.4f %s", sign, v, part.Name)
	}
	return text
}

// limitName says a limit of the document in words.
func limitName(name string) string {
	switch name {
	case "charge_kw":
		return "highest charging power"
	case "discharge_kw":
		return "highest discharging power"
	case "max_kw":
		return "highest power"
	case "min_kw":
		return "lowest power when on"
	case "capacity_kwh":
		return "capacity"
	case "min_kwh":
		return "lowest energy"
	case "final_min_kwh":
		return "energy asked for at the end"
	case "import_limit_kw":
		return "import limit"
	case "export_limit_kw":
		return "export limit"
	case "grid.import_limit_kw":
		return "district's import limit"
	case "grid.export_limit_kw":
		return "district's export limit"
	case "grid.peak_so_far_kw":
		return "district's peak so far"
	}
	return name
}

// WriteTo writes the explanation in a few lines.
func (e *Step) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, e.String())
	return int64(n), err
}

// String returns the explanation in a few lines, each with its line feed.
func (e *Step) String() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, "  "+format+"\n", args...) }
	fmt.Fprintf(&b, "%s/%s, step %d (%s to %s): %s.\n", e.Site, e.Device, e.Step, e.From.Format("2 Jan 15:04"), e.To.Format("15:04"), does(e.Kind, e.PowerKW, e.On))
	of := "Price at the site"
	if !e.Price.Own {
		of = "Tariff at the site (the plan has no prices of its own)"
	}
	line("%s: %v.", of, e.Price)
	switch e.State {
	case "energy":
		line("It holds %.2f kWh before the step and %.2f kWh after it.", e.Before, e.After)
	case "temperature":
		line("Its zone is at %.2f °C before the step and %.2f °C after it.", e.Before, e.After)
	}
	unit := strings.TrimPrefix(e.Unit, "°C")
	if unit == "" {
		unit = "K"
	}
	more, less := e.MoreSaves, e.LessCosts
	switch what := map[bool]string{true: "energy", false: "warmth"}[unit == "kWh"]; {
	case !math.IsNaN(more) && !math.IsNaN(less) && math.Abs(more-less) < 5e-4*max(1, math.Abs(more)):
		line("A little more or less %s after the step is worth %s later.", what, rate(more, unit))
	case !math.IsNaN(more) && !math.IsNaN(less):
		line("A little more %s after the step would save %s later, a little less would cost %s.", what, rate(more, unit), rate(less, unit))
	case !math.IsNaN(more):
		line("A little more %s after the step would save %s later; it cannot be less.", what, rate(more, unit))
	case !math.IsNaN(less):
		line("A little less %s after the step would cost %s later; it cannot be more.", what, rate(less, unit))
	}
	for _, c := range e.Choices {
		name := strings.ToUpper(c.Name[:1]) + c.Name[1:]
		switch {
		case math.IsInf(c.EUR, 1):
			line("%s instead is not possible within its limits.", name)
		case math.Abs(c.EUR) < 5e-5:
			line("%s instead would cost the same.", name)
		case c.EUR > 0:
			line("%s instead would cost %.4f EUR more by the end of the horizon.", name, c.EUR)
		default:
			line("%s instead would cost this device alone %.4f EUR less: on/off decisions elsewhere, or the plan's gap, stand against it.", name, -c.EUR)
		}
	}
	for _, l := range e.Limits {
		whose := "It"
		if l.Site {
			whose = "The site"
		}
		text := fmt.Sprintf("%s stands at its %s (%.2f %s)", whose, limitName(l.Name), l.At, l.Unit)
		if l.Worth > 0 {
			text += fmt.Sprintf("; one %s more in this step would save %.4f EUR", l.Unit, l.Worth)
		}
		line("%s.", text)
	}
	for _, n := range e.Notes {
		line("%s", n)
	}
	return b.String()
}

func rate(v float64, unit string) string {
	if math.IsInf(v, 1) {
		return "a limit"
	}
	if math.Abs(v) < 5e-5 {
		return "nothing"
	}
	return fmt.Sprintf("%.4f EUR/%s", v, unit)
}
