package district

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestSeriesNamesAreInverse: joining and splitting a name is identity, and a name of any other shape is not taken apart.
func TestSeriesNamesAreInverse(t *testing.T) {
	word := rapid.StringMatching(`[a-z0-9_-]{1,20}`)
	rapid.Check(t, func(t *rapid.T) {
		d, s, v, q := word.Draw(t, "district"), word.Draw(t, "site"), word.Draw(t, "device"), word.Draw(t, "quantity")
		gd, gs, gv, gq, ok := NewSeriesID(d, s, v, q).Parts()
		if !ok || gd != d || gs != s || gv != v || gq != q {
			t.Fatalf("%s/%s/%s/%s came back as %s/%s/%s/%s (%v)", d, s, v, q, gd, gs, gv, gq, ok)
		}
	})
	for _, bad := range []SeriesID{"", "a", "a/b/c", "a/b/c/d/e", "a//c/d", "/b/c/d", "a/b/c/"} {
		if _, _, _, _, ok := bad.Parts(); ok {
			t.Errorf("%q was taken apart, want refused", bad)
		}
	}
}

func TestQualitiesAreInverse(t *testing.T) {
	for q := Good; q <= Substituted; q++ {
		if got, err := ParseQuality(q.String()); err != nil || got != q {
			t.Errorf("ParseQuality(%q) = %v (%v), want %v", q.String(), got, err, q)
		}
	}
	if _, err := ParseQuality("fair"); err == nil {
		t.Error("quality fair accepted")
	}
}

// TestQuantitiesNameTheirUnit: a known quantity has one entry, a unit, and is found by its name.
func TestQuantitiesNameTheirUnit(t *testing.T) {
	seen := map[string]bool{}
	for _, q := range Quantities() {
		if seen[q.Name] || q.Unit == "" {
			t.Errorf("%s: twice or without unit", q.Name)
		}
		seen[q.Name] = true
		if got, ok := LookupQuantity(q.Name); !ok || got != q {
			t.Errorf("%s is not found by its name", q.Name)
		}
		if strings.HasSuffix(q.Name, "_kwh") && !strings.HasSuffix(q.Name, "_per_kwh") && q.Unit != "kWh" || strings.HasSuffix(q.Name, "_kw") && q.Unit != "kW" || strings.HasSuffix(q.Name, "_c") && q.Unit != "degC" {
			t.Errorf("%s has the unit %s", q.Name, q.Unit)
		}
	}
}

// TestFind: devices are found by site and id, the district's own under "_", and the walk may be stopped.
func TestFind(t *testing.T) {
	d := &District{ID: "d", Devices: []Device{{ID: "substation", Kind: Substation}}, Sites: []Site{{ID: "s", Devices: []Device{{ID: "grid", Kind: GridMeter}, {ID: "pv", Kind: PV}}}}, Members: []Member{{ID: "m", Site: "s"}}}
	n := 0
	for site, dev := range d.AllDevices {
		n++
		if got := d.Device(site, dev.ID); got != dev {
			t.Errorf("%s/%s is not found", site, dev.ID)
		}
	}
	if n != 3 || d.Device("s", "substation") != nil || d.Site("x") != nil || d.Member("m") == nil {
		t.Errorf("%d devices; site x %v, member m %v", n, d.Site("x"), d.Member("m"))
	}
	for range d.AllDevices {
		break
	}
	for _, k := range Kinds() {
		if !k.Valid() {
			t.Errorf("%s is not valid", k)
		}
	}
	if Kind("windmill").Valid() {
		t.Error("windmill is a kind")
	}
}

// TestPlanIndex: a step holds from its first instant to before the next.
func TestPlanIndex(t *testing.T) {
	start := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)
	p := &Plan{Start: start, StepMinutes: 15, Steps: 4, Sites: []SitePlan{{ID: "s", Devices: []DevicePlan{{ID: "b"}}}}}
	for _, tt := range []struct {
		after time.Duration
		want  int
		ok    bool
	}{{-time.Nanosecond, 0, false}, {0, 0, true}, {15*time.Minute - 1, 0, true}, {15 * time.Minute, 1, true}, {59 * time.Minute, 3, true}, {time.Hour, 4, false}} {
		if got, ok := p.Index(start.Add(tt.after)); ok != tt.ok || ok && got != tt.want {
			t.Errorf("Index(start+%v) = %d %v, want %d %v", tt.after, got, ok, tt.want, tt.ok)
		}
	}
	if p.Site("s").Device("b") == nil || p.Site("s").Device("c") != nil || p.Site("x") != nil {
		t.Error("site or device of the plan not found as it should")
	}
}
