package store

import (
	"fmt"

	"quartier/schemas/ledger"
)

// CheckFigures returns the faults of figures, or nil. A figure is kept as it is or not at all, since a mended one would not match its seal.
func CheckFigures(figures []ledger.Figure) error {
	var f Faults
	seen := map[string]bool{}
	for i := range figures {
		x := &figures[i]
		object := "figure " + x.String()
		for _, name := range []struct{ what, text string }{{"district", x.District}, {"subject", x.Subject}, {"kind", x.Kind}, {"unit", x.Unit}, {"method", x.Method}, {"method version", x.MethodVersion}, {"seal", x.Seal}} {
			if name.text == "" {
				f.Addf("%.200q: %s is empty", object, name.what)
			}
			f.CheckName(name.what, name.text)
		}
		for _, in := range x.Inputs {
			f.CheckName("input", in.Name)
		}
		if x.Reason != CleanText(x.Reason) {
			f.Addf("%.200q: the reason holds control characters", object)
		}
		f.CheckTime(object, x.Period.Start)
		f.CheckTime(object, x.Period.End)
		f.CheckTime(object, x.CreatedAt)
		f.CheckNumber(object, "value", x.Value)
		switch {
		case x.Version < 1 || x.Supersedes < 0 || x.Supersedes >= x.Version:
			f.Addf("%.200q: version %d supersedes %d", object, x.Version, x.Supersedes)
		case !x.Period.End.After(x.Period.Start):
			f.Addf("%.200q: its period ends at %v", object, x.Period.End)
		case !x.Intact():
			f.Addf("%.200q: its seal does not match", object)
		}
		key := fmt.Sprintf("%v %d", x.Key(), x.Version)
		if seen[key] {
			f.Addf("%.200q: given twice", object)
		}
		seen[key] = true
	}
	return f.Err()
}
