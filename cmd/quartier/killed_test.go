package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
	"quartier/schemas/logtest"
)

const limitedDistrict = `
data_dir: %s
console: {listen: "127.0.0.1:0"}
control: {dispatch_seconds: 1}
tariffs: [{id: base, kind: base, rows: [{from: 2026-02-01, base_eur_per_kwh: 0.1940, source: invented}]}]
carbon: [{id: france, kind: constant, g_per_kwh: 21.7, source: invented}]
districts:
  - id: cour
    name: La Cour
    latitude_deg: 47.32
    longitude_deg: %g
    time_zone: Europe/Paris
    tariff: base
    carbon: france
    sites:
      - id: maison
        name: Maison commune
        export_limit_kw: 2
        devices:
          - {id: meter, kind: grid_meter, profile: eastron-sdm630, address: %q, unit_id: 1, poll_seconds: 1}
          - {id: sun, kind: pv, profile: sunspec-inverter, address: %q, unit_id: 2, poll_seconds: 1, control: true, pv: {peak_kw: 10, curtailable: true}}
`

// midnight returns the longitude at which it is midnight by the sun: no plan expects any there, so that what the inverter is told follows from what is measured alone.
func midnight(now time.Time) float64 {
	hours := now.UTC().Sub(now.UTC().Truncate(24 * time.Hour)).Hours()
	return math.Round(15*(math.Mod(36-hours, 24)-12)*100) / 100
}

// TestKilledProgram: a program that is killed while it holds an inverter back leaves what stood there before on the disk; the next one goes on from there, and as it stops in order
// the inverter has the limit of its owner again.
func TestKilledProgram(t *testing.T) {
	srv, err := serve.Listen("127.0.0.1:0", serve.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer srv.Close()
	bank := func(unit uint8, name string, values map[string]float64) *serve.Device {
		d, err := serve.NewDevice(profile.MustLoad(name), nil)
		if err == nil {
			err = d.SetAll(values)
		}
		if err != nil {
			t.Fatal(err)
		}
		srv.Handle(unit, d)
		return d
	}
	owners := map[string]float64{"limit_reversion": 0, "limit_share": 0.9, "limit_enable": 1}
	bank(1, "eastron-sdm630", map[string]float64{district.PowerKW: -7, district.ImportKWh: 1, district.ExportKWh: 1000, district.VoltageV: 231, district.FrequencyHz: 50})
	inverter := bank(2, "sunspec-inverter", map[string]float64{district.PowerKW: -9, district.ExportKWh: 1000, district.VoltageV: 231, district.FrequencyHz: 50, "rated_kw": 10})
	if err := inverter.SetAll(owners); err != nil {
		t.Fatal(err)
	}
	at := func(point string) float64 {
		v, err := inverter.Value(point)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "district.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, limitedDistrict, filepath.Join(dir, "var"), midnight(time.Now()), srv.URL(), srv.URL()), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func() (*exec.Cmd, *logtest.Buffer) {
		cmd := exec.Command("quartier", "run", "-c", file)
		told := &logtest.Buffer{}
		cmd.Stderr = told
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		return cmd, told
	}
	const held = 0.4 // at most: 7 kW fed of 9 kW made leave 4 kW within the limit of 2 kW, and who acts before the inverter was read leaves less
	kept := filepath.Join(dir, "var", "before.json")
	commanded := func(said *logtest.Buffer) {
		t.Helper()
		for end := time.Now().Add(time.Minute); at("limit_share") > held+1e-6 || at("limit_enable") != 1 || at("limit_reversion") != 900; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the inverter is at %g, want %g at most\n%s", at("limit_share"), held, said)
			}
		}
	}
	first, said := run()
	commanded(said)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	if data, err := os.ReadFile(kept); err != nil || !strings.Contains(string(data), `"limit_share": 0.9`) {
		t.Errorf("kept on the disk: %s, %v", data, err)
	}
	if err := inverter.Set("limit_reversion", 899); err != nil { // to see that the next program arms it again
		t.Fatal(err)
	}
	second, said := run()
	commanded(said)
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	for point, want := range owners {
		if got := at(point); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s is %g after the end, its owner's was %g\n%s", point, got, want, said)
		}
	}
	if data, err := os.ReadFile(kept); err != nil || strings.TrimSpace(string(data)) != "{}" {
		t.Errorf("still kept on the disk: %s, %v", data, err)
	}
}
