package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Fault is one thing that is wrong in a configuration.
type Fault struct {
	File         string
	Line, Column int    // from 1
	Path         string // "districts[0].sites[2].import_limit_kw"; empty for the file as a whole
	Message      string // with the value and its unit
}

// Error returns file:line:column: path: message.
func (f Fault) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path != "" {
		at += f.Path + ": "
	}
	return at + f.Message
}

// Faults is every fault of a configuration, by position; as an error it is never empty.
type Faults []Fault

// Error returns one line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// sorted returns the faults by position, each once.
func (f Faults) sorted() Faults {
	slices.SortStableFunc(f, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path))
	})
	return slices.Compact(f)
}

// join appends a key to a path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keyUnits are the endings of keys and the units that they stand for, longer endings first.
var keyUnits = [][2]string{
	{"eur_per_kwh", "EUR/kWh"}, {"eur_per_tonne", "EUR/t"}, {"eur_per_month", "EUR/month"}, {"kwh_per_k", "kWh/K"}, {"k_per_kw", "K/kW"}, {"g_per_kwh", "gCO2e/kWh"}, {"kwh_per_m3", "kWh/m3"},
	{"_kwh", "kWh"}, {"_kw", "kW"}, {"_minutes", "min"}, {"_seconds", "s"}, {"_hours", "h"}, {"_days", "days"}, {"_deg", "°"}, {"_c", "°C"}, {"volume_l", "l"},
}

// unitOf returns " kW" for a key that ends in _kw, and so on; empty for one without a unit.
func unitOf(path string) string {
	for _, u := range keyUnits {
		if strings.HasSuffix(path, u[0]) {
			return " " + u[1]
		}
	}
	return ""
}

// suggestion names the known key that was probably meant, in words; empty when none is near.
func suggestion(key string, names []string) string {
	best, least := "", 4
	for _, name := range names {
		if d := distance(key, name); d < least && d*2 <= len(name) {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
