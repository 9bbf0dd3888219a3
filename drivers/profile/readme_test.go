package profile_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestReadme: the whole profile that the page shows is one without fault or hint, its control as well, every quantity and every kind is listed, and so is how many profiles there are.
func TestReadme(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(data), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d blocks of YAML, want a profile, a device and a control", len(blocks))
	}
	p, err := profile.Parse("README.md", []byte(blocks[0][1]))
	if err != nil {
		t.Fatal(err)
	}
	if faults, hints := p.Check(); len(faults)+len(hints) > 0 {
		t.Errorf("the example has faults %v and hints %q", faults, hints)
	}
	commanded := strings.Replace(blocks[0][1], "control: none\n", `  - {name: mode, address: 1, type: u16, unit: state, access: read_write, write: {function: 6, min: 0, max: 3}}
  - {name: charge_kw, address: 2, type: u16, unit: W, access: read_write, write: {function: 6, min: 0, max: 5000}}
  - {name: discharge_kw, address: 3, type: u16, unit: W, access: read_write, write: {function: 6, min: 0, max: 5000}}
`+blocks[2][1], 1)
	p, err = profile.Parse("README.md", []byte(commanded))
	if err != nil {
		t.Fatal(err)
	}
	if faults, _ := p.Check(); len(faults) > 0 {
		t.Errorf("the control has faults %v", faults)
	}
	for _, k := range district.Kinds() {
		if !strings.Contains(string(data), "`"+string(k)+"`") {
			t.Errorf("the kind %s is not listed", k)
		}
	}
	for _, name := range []string{district.PowerKW, district.ImportKWh, district.ExportKWh, district.SOC, district.SGReady, district.HeatKW, district.LimitA, district.LimitShare, district.SetpointKW} {
		if !strings.Contains(string(data), "`"+name+"`") {
			t.Errorf("the quantity %s is not listed", name)
		}
	}
	if want := fmt.Sprintf("carries %d of them", len(profile.Names())); !strings.Contains(string(data), want) {
		t.Errorf("the page does not say that it %s", want)
	}
}
