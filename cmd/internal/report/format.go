package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"quartier/schemas/units"
)

const (
	nbsp  = "\u00a0" // before a unit
	thin  = "\u202f" // between thousands, and before % and : in French
	minus = "\u2212"
)

// writer writes numbers and dates of one language.
type writer struct {
	french bool
	zone   *time.Location
}

// number writes v with the given decimals: 1 234,5 or 1,234.5.
func (w writer) number(v float64, decimals int) string {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "–"
	}
	text := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, frac, _ := strings.Cut(text, ".")
	point, group := ".", ","
	if w.french {
		point, group = ",", thin
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if frac != "" {
		whole += point + frac
	}
	if v < 0 && strings.Trim(text, "0.") != "" {
		return minus + whole
	}
	return whole
}

// kwh writes an energy: one decimal below 100 kWh, whole numbers up to 10 MWh, MWh with one decimal above.
func (w writer) kwh(e units.WattHours) string { return w.kwhOf(e.KWh()) }

func (w writer) kwhOf(v float64) string {
	switch a := math.Abs(v); {
	case a < 99.95:
		return w.number(v, 1) + nbsp + "kWh"
	case a < 9999.5:
		return w.number(v, 0) + nbsp + "kWh"
	}
	return w.number(v/1000, 1) + nbsp + "MWh"
}

// signed writes a whole number with its sign.
func (w writer) signed(v float64) string {
	text := w.number(v, 0)
	if v > 0 && text != "0" {
		return "+" + text
	}
	return text
}

// eur writes an amount to the cent: 2,23 € or €2.23.
func (w writer) eur(v float64) string {
	text := w.number(v, 2)
	if w.french {
		return text + nbsp + "€"
	}
	if rest, ok := strings.CutPrefix(text, minus); ok {
		return minus + "€" + rest
	}
	return "€" + text
}

// signedEUR writes an amount with its sign.
func (w writer) signedEUR(v float64) string {
	if math.Round(100*v) > 0 {
		return "+" + w.eur(v)
	}
	return w.eur(v)
}

// price writes EUR/kWh with four decimals.
func (w writer) price(v float64) string {
	if w.french {
		return w.number(v, 4) + nbsp + "€/kWh"
	}
	return "€" + w.number(v, 4) + "/kWh"
}

// percent writes a share.
func (w writer) percent(share float64) string {
	if w.french {
		return w.number(100*share, 0) + thin + "%"
	}
	return w.number(100*share, 0) + "%"
}

// kg writes a mass with one decimal, whole numbers from 100 kg.
func (w writer) kg(v float64) string {
	decimals := 1
	if math.Abs(v) >= 99.95 {
		decimals = 0
	}
	return w.number(v, decimals) + nbsp + "kg"
}

var months = map[bool][12]string{
	true:  {"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"},
	false: {"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"},
}

// month writes "janvier 2026".
func (w writer) month(t time.Time) string {
	l := t.In(w.zone)
	return fmt.Sprintf("%s %d", months[w.french][l.Month()-1], l.Year())
}

// date writes "1er février 2026" or "1 February 2026".
func (w writer) date(t time.Time) string {
	l := t.In(w.zone)
	day := strconv.Itoa(l.Day())
	if w.french && l.Day() == 1 {
		day = "1er"
	}
	return fmt.Sprintf("%s%s%s %d", day, nbsp, months[w.french][l.Month()-1], l.Year())
}

// hours writes "De 12 à 15 h" or "From 12:00 to 15:00".
func (w writer) hours(from, to int) string {
	if w.french {
		return fmt.Sprintf("De %d à %d%sh", from, to, nbsp)
	}
	return fmt.Sprintf("From %d:00 to %d:00", from, to)
}

// dayOf is a date within the report's year.
func (w writer) dayOf(t time.Time) string {
	return strings.TrimSuffix(w.date(t), " "+t.In(w.zone).Format("2006"))
}
