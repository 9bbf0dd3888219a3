package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/units"
)

// twoDistricts is a configuration of two districts, each with the site home.
const twoDistricts = `version: 1
data_dir: data
tariffs:
  - {id: base, kind: base, rows: [{from: 2025-08-01, base_eur_per_kwh: 0.19}]}
carbon:
  - {id: mean, kind: constant, g_per_kwh: 22}
districts:
  - {id: north, name: North, latitude_deg: 47, longitude_deg: 5, time_zone: Europe/Paris, tariff: base, carbon: mean, sites: [{id: home, name: Home, devices: [{id: meter, kind: grid_meter, profile: eastron-sdm630, address: "tcp://127.0.0.1:1"}]}]}
  - {id: south, name: South, latitude_deg: 47, longitude_deg: 5, time_zone: Europe/Paris, tariff: base, carbon: mean, sites: [{id: home, name: Home, devices: [{id: meter, kind: grid_meter, profile: eastron-sdm630, address: "tcp://127.0.0.1:2"}]}]}
`

// TestExportBalances: every row that starts in the span comes once, by district, start and site, however long the span; a prefix narrows it.
func TestExportBalances(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "district.yaml")
	if err := os.WriteFile(file, []byte(twoDistricts), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o750); err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "data", "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Hourly rows of 30 days from the local midnight of 2026-03-15, over the change to summer time and over several pieces.
	start := time.Date(2026, 3, 14, 23, 0, 0, 0, time.UTC)
	var rows []balance.Row
	for _, d := range []string{"north", "south"} {
		for i := range 30 * 24 {
			for _, site := range []string{"_", "home"} {
				rows = append(rows, balance.Row{District: d, Site: site, Start: start.Add(time.Duration(i) * time.Hour), Step: time.Hour, ImportWh: units.WattHours(i), OtherWh: units.WattHours(i),
					CostEUR: float64(i) / 3, Coverage: 1})
			}
		}
	}
	if err := st.SaveBalances(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	const day = 24
	for _, tt := range []struct {
		from, to, prefix string
		rows             int
		first, last      string // district,site,start
	}{
		{"2026-03-15", "2026-04-30", "", 30 * day * 4, "north,_,2026-03-14T23:00:00Z", "south,home,2026-04-13T22:00:00Z"},
		{"2026-03-15", "2026-03-16", "", day * 4, "north,_,2026-03-14T23:00:00Z", "south,home,2026-03-15T22:00:00Z"},
		{"2026-03-29", "2026-03-30", "south/_", 23, "south,_,2026-03-28T23:00:00Z", "south,_,2026-03-29T21:00:00Z"}, // the day of 23 hours
		{"2026-03-20T10:30:00Z", "2026-03-20T13:00:00+01:00", "north/home/", 1, "north,home,2026-03-20T11:00:00Z", "north,home,2026-03-20T11:00:00Z"},
		{"2020-01-01", "2030-01-01", "south", 30 * day * 2, "south,_,2026-03-14T23:00:00Z", "south,home,2026-04-13T22:00:00Z"},
		{"2020-01-01", "2020-02-01", "", 0, "", ""},
		{"2026-03-15", "2026-04-30", "east", 0, "", ""},
	} {
		t.Run(fmt.Sprintf("%s %s %s", tt.from, tt.to, tt.prefix), func(t *testing.T) {
			var out, errs strings.Builder
			args := []string{"export", "-c", file, "--what", "balances", "--from", tt.from, "--to", tt.to, "--series", tt.prefix}
			if code := run(t.Context(), args, strings.NewReader(""), &out, &errs); code != exitDone {
				t.Fatalf("exit code %d: %s", code, errs.String())
			}
			got, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != tt.rows+1 || !strings.Contains(errs.String(), fmt.Sprintf("%d rows\n", tt.rows)) {
				t.Fatalf("%d rows and %q, want %d", len(got)-1, errs.String(), tt.rows)
			}
			seen := map[string]bool{}
			for _, r := range got[1:] {
				key := strings.Join(r[:3], ",")
				if seen[key] {
					t.Errorf("row %s comes twice", key)
				}
				seen[key] = true
			}
			if tt.rows == 0 {
				return
			}
			if first, last := strings.Join(got[1][:3], ","), strings.Join(got[tt.rows][:3], ","); first != tt.first || last != tt.last {
				t.Errorf("from %s to %s, want from %s to %s", first, last, tt.first, tt.last)
			}
		})
	}
}
