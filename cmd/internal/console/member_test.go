package console_test

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"
	"testing"
	"time"

	"quartier/cmd/internal/console"
)

func TestResidentSeesOnlyHisOwn(t *testing.T) {
	f := start(t)
	b := f.signedIn("resident")
	for path, want := range map[string]int{
		"/api/districts/fontaine/members/m-001":                          200,
		"/api/districts/fontaine/members/m-001/report?month=2026-01":     200,
		"/api/districts/fontaine/summary":                                200,
		"/api/districts/fontaine/members/m-002":                          403,
		"/api/districts/fontaine/members/m-002/report?month=2026-01":     403,
		"/api/districts/fontaine/members/m-001%2F..%2Fm-002":             403,
		"/api/districts/lac/members/m-001":                               403,
		"/api/districts/lac/summary":                                     403,
		"/api/districts/nowhere/summary":                                 403, // not even whether it exists
		"/api/districts/fontaine/members/m-001/report?month=2019-01":     404,
		"/api/districts/fontaine/members/m-001?month=2026-13":            422,
		"/api/districts/fontaine/members/m-001/report?month=x&format=pd": 422,
	} {
		if status, body := b.do("GET", path, nil); status != want {
			t.Errorf("GET %s as the resident answered %d, want %d: %s", path, status, want, body)
		}
	}
	if ds := get[[]console.DistrictInfo](b, "/api/districts"); len(ds) != 1 || ds[0].ID != "fontaine" {
		t.Errorf("the resident sees districts %+v, want fontaine alone", ds)
	}
}

func TestMemberMonth(t *testing.T) {
	f := start(t)
	b := f.signedIn("operator")
	v := get[console.MemberView](b, "/api/districts/fontaine/members/m-001")
	if len(v.Days) != 4 {
		t.Errorf("the member who agreed to the load curve has %d days, want 4", len(v.Days))
	}
	sum := v.Total.OwnKWh + v.Total.SharedKWh + v.Total.GridKWh
	if v.Total.ConsumptionKWh <= 0 || sum < v.Total.ConsumptionKWh-1e-9 || sum > v.Total.ConsumptionKWh+1e-9 {
		t.Errorf("own + shared + grid = %v kWh, consumption %v kWh", sum, v.Total.ConsumptionKWh)
	}
	if without := get[console.MemberView](b, "/api/districts/fontaine/members/m-002"); len(without.Days) != 0 || without.Total.ConsumptionKWh <= 0 {
		t.Errorf("the member without consent to the load curve has %d days and %v kWh, want 0 days and the month's sum", len(without.Days), without.Total.ConsumptionKWh)
	}
	if status, _ := b.do("GET", "/api/districts/fontaine/members/m-003/report?month=2026-01", nil); status != 404 {
		t.Errorf("the report of a member who did not agree answered %d, want 404", status)
	}
	if v.Bill != nil {
		t.Errorf("a month that is not over is billed: %+v", v.Bill)
	}
	if v.Avoided != nil {
		t.Errorf("a month that is not over is compared: %+v", v.Avoided)
	}
	if len(v.Months) != 1 || v.Months[0] != "2026-01" {
		t.Errorf("months %v, want [2026-01]", v.Months)
	}
}

// TestMemberBill: a month that is over has its bill by tariff period, whose lines sum to it; a month whose prices are not known has none, and the rest of the page.
func TestMemberBill(t *testing.T) {
	f := start(t)
	f.world.Advance(31 * 24 * time.Hour)
	b := f.signedIn("operator")
	v := get[console.MemberView](b, "/api/districts/fontaine/members/m-001?month=2026-01")
	if v.Bill == nil || len(v.Bill.Lines) != 2 || len(v.Bill.Sources) == 0 {
		t.Fatalf("the bill of a month that is over is %+v", v.Bill)
	}
	var effect, kwh float64
	for _, l := range v.Bill.Lines {
		effect, kwh = effect+l.EffectEUR, kwh+l.SharedKWh
	}
	if math.Abs(effect-v.Bill.EffectEUR) > 1e-9 || kwh != 62 {
		t.Errorf("lines of %v EUR and %v kWh, the bill says %v EUR", effect, kwh, v.Bill.EffectEUR)
	}
	f.world.Advance(60 * 24 * time.Hour)
	b = f.signedIn("operator")
	if v := get[console.MemberView](b, "/api/districts/fontaine/members/m-001?month=2026-02"); v.Bill != nil || v.Member.ID != "m-001" {
		t.Errorf("a month without data is billed: %+v", v)
	}
}

// TestSharing: what all members got adds up, is what each member's own page says, and its table says the same.
func TestSharing(t *testing.T) {
	f := start(t)
	b := f.signedIn("operator")
	v := get[console.SharingView](b, "/api/districts/fontaine/sharing?month=2026-01")
	if len(v.Members) != len(f.world.Districts[0].Members) || v.Month != "2026-01" || v.Complete || len(v.Months) != 1 {
		t.Fatalf("the month is %+v, want every member of the running 2026-01", v)
	}
	near := func(a, b float64) bool { return math.Abs(a-b) < 1e-9 }
	var sum, shares float64
	for _, m := range v.Members {
		e := m.Energy
		own := get[console.MemberView](b, "/api/districts/fontaine/members/"+m.Member.ID+"?month=2026-01")
		if e != own.Total {
			t.Errorf("%s got %+v here and %+v on his page", m.Member.ID, e, own.Total)
		}
		if e.ConsumptionKWh <= 0 || !near(e.OwnKWh+e.SharedKWh+e.GridKWh, e.ConsumptionKWh) || !near(*m.LocalShare*e.ConsumptionKWh, e.OwnKWh+e.SharedKWh) {
			t.Errorf("%s: %+v, local share %v", m.Member.ID, e, *m.LocalShare)
		}
		sum += e.ConsumptionKWh
		shares += *m.Share
	}
	if !near(sum, v.Total.Energy.ConsumptionKWh) || !near(shares, 1) {
		t.Errorf("members consumed %v kWh of %v kWh, shares of %v", sum, v.Total.Energy.ConsumptionKWh, shares)
	}
	_, body := b.do("GET", "/api/districts/fontaine/sharing.csv?month=2026-01", nil)
	rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 1+len(v.Members) {
		t.Fatalf("CSV %q, %v; want a header and %d rows", body, err, len(v.Members))
	}
	for i, m := range v.Members {
		if r := rows[i+1]; r[1] != m.Member.ID || r[5] != strconv.FormatFloat(m.Energy.ConsumptionKWh, 'g', -1, 64) {
			t.Errorf("row %v, want that of %s with %v kWh", r, m.Member.ID, m.Energy.ConsumptionKWh)
		}
	}
	if v.Total.UnusedKWh != nil || v.Members[0].UnusedKWh != nil || rows[1][11] != "" {
		t.Errorf("the default key leaves %v kWh unused, want nothing said", v.Total.UnusedKWh)
	}
	// a key that gives all to the first member: what it does not use is named as its own, and is no more than the others drew
	f.world.Static = make([]float64, len(v.Members))
	f.world.Static[0] = 1
	fixed := get[console.SharingView](b, "/api/districts/fontaine/sharing?month=2026-01")
	unused, drawn := 0.0, 0.0
	for i, m := range fixed.Members {
		unused += *m.UnusedKWh
		if i > 0 {
			drawn += m.Energy.GridKWh
		}
		if (i == 0) != (*m.UnusedKWh > 0) {
			t.Errorf("%s left %v kWh unused of a share of %v", m.Member.ID, *m.UnusedKWh, f.world.Static[i])
		}
	}
	if !near(unused, *fixed.Total.UnusedKWh) || unused > drawn {
		t.Errorf("%v kWh are unused, of all members %v kWh, and others drew %v kWh", unused, *fixed.Total.UnusedKWh, drawn)
	}
	f.world.Static = nil
	empty := get[console.SharingView](b, "/api/districts/fontaine/sharing?month=2019-01")
	if empty.Total.Energy.ConsumptionKWh != 0 || empty.Members[0].Share != nil || empty.Members[0].LocalShare != nil {
		t.Errorf("a month without data is %+v, want no shares of nothing", empty.Members[0])
	}
	for _, role := range []string{"viewer", "resident"} {
		if status, _ := f.signedIn(role).do("GET", "/api/districts/fontaine/sharing", nil); status != 403 {
			t.Errorf("a %s got %d, want 403", role, status)
		}
	}
}
