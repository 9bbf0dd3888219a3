package profile

import (
	"errors"
	"strings"
	"testing"

	"quartier/drivers"
	"quartier/schemas/district"
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
			if faults, _ := p.Check(); len(faults) > 0 {
				t.Error(errors.Join(faults...))
			}
			if p.Control == nil {
				return
			}
			c := p.Control
			if _, err := p.Sequence(c.highest() + 1); !errors.As(err, new(*drivers.LimitError)) {
				t.Errorf("Sequence(%g) = %v, want a *LimitError", c.highest()+1, err)
			}
		})
	}
}

// TestCheck: what no single line of a document shows is told: a command that its registers cannot give back, and what a profile leaves out.
func TestCheck(t *testing.T) {
	p, err := Parse("check.yaml", []byte(head+`points:
  - {name: level, address: 1, type: u16, unit: "1", scale: 10, access: read_write, write: {min: 0, max: 100}}
control: {point: limit_share, quantity: share, min: 0, max: 1, safe: 1, writes: [{point: level, from: command, factor: 10}, {point: level, from: command}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	faults, hints := p.Check()
	if len(faults) == 0 || !strings.Contains(faults[0].Error(), "reads back from its registers as") {
		t.Errorf("faults %v, want a command that does not come back", faults)
	}
	for _, want := range []string{"no point power_kw", "no counter import_kwh", "level: no not_implemented", "no reversion_s", "no min_hold_s"} {
		if !strings.Contains(strings.Join(hints, "\n"), want) {
			t.Errorf("hints %q, want %q among them", hints, want)
		}
	}
}

// TestControlFor: what the configuration knows of the single device goes into how it is commanded.
func TestControlFor(t *testing.T) {
	battery := district.Device{Battery: &district.BatteryParams{ChargeKW: 4, DischargeKW: 5}}
	if c, ok := MustLoad("fronius-gen24-battery").ControlFor(battery); !ok || c.RatedKW != 5 || c.Min != -1 || c.Max != 1 {
		t.Errorf("a battery commanded by share: %+v, want rated power 5 kW and the range [-1, 1]", c)
	}
	if c, ok := MustLoad("huawei-luna2000").ControlFor(battery); !ok || c.Min != -5 || c.Max != 4 {
		t.Errorf("a battery commanded in kW: %+v, want the range [-5, 4]", c)
	}
	if c, ok := MustLoad("sma-inverter").ControlFor(district.Device{PV: &district.PVParams{PeakKW: 9}}); !ok || c.RatedKW != 9 {
		t.Errorf("an inverter: %+v, want rated power 9 kW", c)
	}
	if _, ok := MustLoad("eastron-sdm630").ControlFor(district.Device{}); ok {
		t.Error("a meter has a control")
	}
}
