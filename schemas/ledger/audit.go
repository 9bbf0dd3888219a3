package ledger

import (
	"fmt"
	"math"
	"sort"
	"strings"
)

// Verdict is how a stored figure stands against its recomputation.
type Verdict string

// The verdicts.
const (
	Same      Verdict = "same"
	Differs   Verdict = "differs"
	Unstored  Verdict = "not stored"     // recomputed, and never published
	Unfounded Verdict = "not recomputed" // published, and nothing in the record gives it now
)

// Finding is one figure of an audit.
type Finding struct {
	Stored, Recomputed *Figure // nil where there is none
	Verdict            Verdict
	Reasons            []string // why it differs, or, of a figure that is the same, which inputs changed all the same
}

// tolerance is how far, as a share, the same sum may lie apart on another processor.
const tolerance = 1e-9

// Latest returns the newest version of each figure, in order.
func Latest(all []Figure) []Figure {
	newest := map[Key]Figure{}
	for _, f := range all {
		if have, ok := newest[f.Key()]; !ok || f.Version > have.Version {
			newest[f.Key()] = f
		}
	}
	out := make([]Figure, 0, len(newest))
	for _, f := range newest {
		out = append(out, f)
	}
	Sort(out)
	return out
}

// Sort orders figures by district, subject, kind, period and version; the district itself stands before its sites.
func Sort(figures []Figure) {
	sort.Slice(figures, func(i, j int) bool { return less(&figures[i], &figures[j]) })
}

func less(a, b *Figure) bool {
	x, y := a.Key(), b.Key()
	if x.District != y.District {
		return x.District < y.District
	}
	if x.Subject != y.Subject {
		return x.Subject == "_" || y.Subject != "_" && x.Subject < y.Subject
	}
	if x.Kind != y.Kind {
		return x.Kind < y.Kind
	}
	if !a.Period.Start.Equal(b.Period.Start) {
		return a.Period.Start.Before(b.Period.Start)
	}
	if !a.Period.End.Equal(b.Period.End) {
		return a.Period.End.Before(b.Period.End)
	}
	return a.Version < b.Version
}

// Audit compares the newest stored version of each figure with the recomputed ones.
func Audit(stored, recomputed []Figure) []Finding {
	again := map[Key]*Figure{}
	for i := range recomputed {
		again[recomputed[i].Key()] = &recomputed[i]
	}
	var out []Finding
	for _, s := range Latest(stored) {
		now := again[s.Key()]
		delete(again, s.Key())
		out = append(out, compare(&s, now))
	}
	for i := range recomputed {
		if f := again[recomputed[i].Key()]; f != nil {
			out = append(out, Finding{Recomputed: f, Verdict: Unstored, Reasons: []string{"it was not published when the month was closed"}})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return less(out[i].figure(), out[j].figure()) })
	return out
}

func (f *Finding) figure() *Figure {
	if f.Stored != nil {
		return f.Stored
	}
	return f.Recomputed
}

func compare(stored, now *Figure) Finding {
	f := Finding{Stored: stored, Recomputed: now, Verdict: Same}
	if now == nil {
		f.Verdict = Unfounded
		f.Reasons = append(f.Reasons, "nothing in the record gives this figure now")
	} else if !equal(stored.Value, now.Value) {
		f.Verdict = Differs
	}
	if !stored.Intact() {
		f.Verdict = Differs
		f.Reasons = append(f.Reasons, "the stored figure is not as it was published: its seal does not match")
	}
	if now == nil {
		return f
	}
	if stored.Method != now.Method || stored.MethodVersion != now.MethodVersion {
		f.Reasons = append(f.Reasons, fmt.Sprintf("method %s/%s then, %s/%s now", stored.Method, stored.MethodVersion, now.Method, now.MethodVersion))
	}
	f.Reasons = append(f.Reasons, changes(stored.Inputs, now.Inputs)...)
	if f.Verdict == Differs && len(f.Reasons) == 0 {
		f.Reasons = append(f.Reasons, "method and inputs are the same: the program computes it differently")
	}
	return f
}

func equal(a, b float64) bool {
	return a == b || math.Abs(a-b) <= tolerance*math.Max(math.Abs(a), math.Abs(b))
}

// changes says in words how inputs differ.
func changes(then, now []Input) (out []string) {
	have := map[string]Input{}
	for _, x := range now {
		have[x.Name] = x
	}
	for _, x := range then {
		y, ok := have[x.Name]
		delete(have, x.Name)
		samples := strings.HasPrefix(x.Name, "samples ")
		switch {
		case !ok:
			out = append(out, x.Name+": is no input any more")
		case x.SHA256 == y.SHA256:
		case samples && y.Count > x.Count:
			out = append(out, fmt.Sprintf("%s: late data, %d more after the closing", x.Name, y.Count-x.Count))
		case samples && y.Count < x.Count:
			out = append(out, fmt.Sprintf("%s: %d of %d are not in the record any more", x.Name, x.Count-y.Count, x.Count))
		default:
			out = append(out, x.Name+": changed after the closing")
		}
	}
	for _, y := range now {
		if _, ok := have[y.Name]; ok {
			out = append(out, y.Name+": was no input then")
		}
	}
	return out
}

// Corrections returns what an audit leads to: a first version of each figure that was not stored, and a new version, with the reasons, of each that differs.
func Corrections(findings []Finding) []Figure {
	var out []Figure
	for _, x := range findings {
		switch {
		case x.Recomputed == nil || x.Verdict == Same:
			continue
		case x.Stored == nil:
			f := *x.Recomputed
			f.Version, f.Supersedes = 1, 0
			out = append(out, f.Sealed())
		default:
			f := *x.Recomputed
			f.Version, f.Supersedes, f.Reason = x.Stored.Version+1, x.Stored.Version, strings.Join(x.Reasons, "; ")
			out = append(out, f.Sealed())
		}
	}
	return out
}
