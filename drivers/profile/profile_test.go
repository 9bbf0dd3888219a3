package profile

import (
	"errors"
	"math"
	"testing"

	"quartier/drivers"
)

// TestEmbeddedProfiles: every embedded document is without fault, names its source, and its commands survive the way through its registers.
func TestEmbeddedProfiles(t *testing.T) {
	if len(Names()) < 50 {
		t.Fatalf("%d profiles embedded, want at least 50", len(Names()))
	}
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			p, err := Load(name)
			if err != nil {
				t.Fatal(err)
			}
			if p.Source.Document == "" || p.State == "" || p.Title == "" || len(p.Kinds) == 0 {
				t.Errorf("source %+v, state %q, title %q, kinds %v: want all of them", p.Source, p.State, p.Title, p.Kinds)
			}
			if p.Source.Project != "" && (p.Source.File == "" || p.Source.Commit == "") {
				t.Errorf("source %+v: a project without file and commit cannot be looked up", p.Source)
			}
			if p.State == Confirmed {
				t.Error("confirmed on hardware: none of ours was, say so in the README first")
			}
			if (p.Control == nil) != p.ReadOnly {
				t.Error("neither a control nor control: none: say how the device is commanded")
			}
			if p.Control == nil {
				return
			}
			c := p.Control
			commands := []float64{c.Min, c.Max, c.Safe, c.Min + (c.Max-c.Min)/4, c.Min + 3*(c.Max-c.Min)/4}
			if c.discrete() {
				commands = []float64{c.Safe}
				for v := c.Min; v <= c.Max; v++ {
					commands = append(commands, v)
				}
			}
			if c.Pause != nil {
				commands = append(commands, *c.Pause)
			}
			for _, want := range commands {
				seq, err := p.Sequence(want)
				if err != nil {
					t.Fatal(err)
				}
				regs := map[string]float64{}
				for _, w := range seq {
					regs[w.Point] = w.Value
				}
				got, ok := p.Command(func(point string) (float64, bool) { v, ok := regs[point]; return v, ok })
				if !ok || math.Abs(got-want) > 1e-3 {
					t.Errorf("command %g became %v, which stand for %g (%v)", want, seq, got, ok)
				}
			}
			if _, err := p.Sequence(c.highest() + 1); !errors.As(err, new(*drivers.LimitError)) {
				t.Errorf("Sequence(%g) = %v, want a *LimitError", c.highest()+1, err)
			}
		})
	}
}
