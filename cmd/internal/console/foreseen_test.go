package console_test

import (
	"cmp"
	"math"
	"net/url"
	"slices"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/district"
)

// TestForeseen: a plan page's list names every series with its unit and its band now, in six hours and in a day; a series is shown on the slots of the day, measured until now and expected by both plans.
func TestForeseen(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	v := get[console.PlanView](b, "/api/districts/fontaine/plan?detail=all")
	if len(v.Foreseen) != len(v.Plan.Foreseen) || v.Foreseen[0].Site != "_" || v.Foreseen[0].SiteName != "Fontaine Nord" || v.Foreseen[0].Quantity != "net" {
		t.Fatalf("%d of %d series, the first %+v", len(v.Foreseen), len(v.Plan.Foreseen), v.Foreseen[0])
	}
	of := func(site, device, quantity string) console.ForeseenInfo {
		i := slices.IndexFunc(v.Foreseen, func(i console.ForeseenInfo) bool {
			return i.Site == site && i.Device == device && i.Quantity == quantity
		})
		if i < 0 {
			t.Fatalf("nothing of %s %s %s", site, device, quantity)
		}
		return v.Foreseen[i]
	}
	raw := v.Plan.Foreseen[slices.IndexFunc(v.Plan.Foreseen, func(f district.Foreseen) bool { return f.Site == "ecole" && f.Quantity == "load" })]
	i, _ := v.Plan.Index(noon)
	school := of("ecole", "", "load")
	if !school.SteppedBack || school.Unit != "kW" || school.Now.Mean != raw.Mean[i] || *school.In6h.Low != raw.Low[i+24] || *school.In24h.High != raw.High[i+96] {
		t.Errorf("%+v, want %v now", school, raw.Mean[i])
	}
	if car := of("parking", "ev_charger-2", "car"); car.DeviceName != "Borne 2" || car.SiteName != "Parking Nord" {
		t.Errorf("%+v", car)
	}
	if park := of("parking", "", "load"); park.Now == nil || park.Now.Low != nil {
		t.Errorf("a series without band: %+v", park.Now)
	}
	if unit := of("_", "", "outdoor").Unit; unit != "degC" {
		t.Errorf("outdoor in %q", unit)
	}

	for _, tt := range []struct {
		query    string
		measured bool
	}{
		{"quantity=net", true}, {"quantity=price", true}, {"quantity=carbon", true}, {"site=ecole&quantity=sun", true},
		{"site=parking&device=ev_charger-1&quantity=car", true}, {"site=ecole&device=heat_pump-1&quantity=heat", false},
	} {
		one := get[console.ForeseenView](b, "/api/districts/fontaine/foreseen?"+tt.query)
		now := int(noon.Sub(one.Start) / (15 * time.Minute))
		known := func(values []*float64) (first, last int) {
			first, last = -1, -1
			for k, x := range values {
				if x != nil {
					if first < 0 {
						first = k
					}
					last = k
				}
			}
			return first, last
		}
		if q, _ := url.ParseQuery(tt.query); one.Info.Quantity != q.Get("quantity") || one.Info.Device != q.Get("device") || one.Info.Site != cmp.Or(q.Get("site"), "_") {
			t.Errorf("%s: %+v", tt.query, one.Info)
		}
		if len(one.Measured) != one.Slots || len(one.Latest.Mean) != one.Slots || one.First == nil {
			t.Fatalf("%s: %d slots, %d measured, first %v", tt.query, one.Slots, len(one.Measured), one.First)
		}
		if _, last := known(one.Measured); one.IsMeasured != tt.measured || tt.measured && last != now-1 || !tt.measured && last >= 0 {
			t.Errorf("%s: measured until slot %d, now is slot %d", tt.query, last, now)
		}
		if first, last := known(one.Latest.Low); first < now-1 || last != one.Slots-1 {
			t.Errorf("%s: a band from slot %d to %d of %d, now is slot %d", tt.query, first, last, one.Slots, now)
		}
		if first, _ := known(one.First.High); first != 0 {
			t.Errorf("%s: the day's first plan begins in slot %d", tt.query, first)
		}
	}
	silent := get[console.ForeseenView](b, "/api/districts/fontaine/foreseen?site=parking&device=ev_charger-2&quantity=car")
	if silent.Info.DeviceName != "Borne 2" || !silent.IsMeasured || slices.ContainsFunc(silent.Measured, func(x *float64) bool { return x != nil }) {
		t.Errorf("a charger that says nothing: %+v, measured %v", silent.Info, silent.IsMeasured)
	}
	net, load, sun := get[console.ForeseenView](b, "/api/districts/fontaine/foreseen?quantity=net"), get[console.ForeseenView](b, "/api/districts/fontaine/foreseen?quantity=load"),
		get[console.ForeseenView](b, "/api/districts/fontaine/foreseen?quantity=sun")
	if got, want := *net.Measured[40], *load.Measured[40]-*sun.Measured[40]; math.Abs(got-want) > 1e-9 {
		t.Errorf("net %v, load less sun %v", got, want)
	}
	day := get[console.DayView](b, "/api/districts/fontaine/day?ahead_hours=18")
	if n := len(day.Latest.Foreseen); n != 6 || len(day.Latest.Foreseen[0].Low) != day.Slots {
		t.Errorf("%d series of the district in the day", n)
	}
	for path, want := range map[string]int{"quantity=heat": 404, "quantity=noise": 422, "site=nowhere&quantity=load": 404} {
		if status, _ := b.do("GET", "/api/districts/fontaine/foreseen?"+path, nil); status != want {
			t.Errorf("%s answered %d, want %d", path, status, want)
		}
	}
}

// TestForeseenSettled: a series that is settled in all steps has its mean for a band wherever it is shown, and one of which nothing is known has none.
func TestForeseenSettled(t *testing.T) {
	f := start(t)
	p, err := f.world.Store.LatestPlan(t.Context(), "fontaine", noon)
	if err != nil {
		t.Fatal(err)
	}
	plan, price := *p, slices.Repeat([]float64{0.2516}, p.Steps)
	plan.CreatedAt = noon
	plan.Foreseen = []district.Foreseen{{Site: "_", Quantity: district.ForecastPrice, Mean: price, Settled: true}, {Site: "_", Quantity: district.ForecastCarbon, Mean: price}}
	if _, err := f.world.Store.SavePlan(t.Context(), &plan); err != nil {
		t.Fatal(err)
	}
	b := f.signedIn("viewer")
	infos := get[console.PlanView](b, "/api/districts/fontaine/plan").Foreseen
	for i, settled := range []bool{true, false} {
		view := get[console.ForeseenView](b, "/api/districts/fontaine/foreseen?quantity="+infos[i].Quantity)
		series := get[console.DayView](b, "/api/districts/fontaine/day?ahead_hours=18").Latest.Foreseen[i]
		at := slices.IndexFunc(view.Latest.Mean, func(x *float64) bool { return x != nil })
		for where, band := range map[string][2]*float64{"list": {infos[i].Now.Low, infos[i].In24h.High}, "series": {view.Latest.Low[at], view.Latest.High[view.Slots-1]}, "day": {series.Low[60], series.High[60]}} {
			for _, v := range band {
				if settled != (v != nil) || settled && *v != 0.2516 {
					t.Errorf("%s in the %s: a band of %v", infos[i].Quantity, where, v)
				}
			}
		}
		if before := view.Latest.Low[0]; before != nil && view.Latest.Mean[0] == nil {
			t.Errorf("a band before the plan begins: %v", *before)
		}
	}
}

// TestPlanDetail: a plan's page needs its words alone, a schedule comes without the bands of all series unless they are asked for, and the plan that others read stays whole.
func TestPlanDetail(t *testing.T) {
	b := start(t).signedIn("viewer")
	size := map[string]int{}
	for _, c := range []struct {
		query          string
		plan, foreseen bool
	}{{"", true, false}, {"?detail=schedule", true, false}, {"?detail=words", false, false}, {"?detail=all", true, true}} {
		v := get[console.PlanView](b, "/api/districts/fontaine/plan"+c.query)
		if (v.Plan != nil) != c.plan || c.plan && (len(v.Plan.Sites) == 0 || (len(v.Plan.Foreseen) > 0) != c.foreseen) {
			t.Errorf("%q answers a plan: %v, what it foresees: %v; want %v and %v", c.query, v.Plan != nil, v.Plan != nil && len(v.Plan.Foreseen) > 0, c.plan, c.foreseen)
		}
		if len(v.Foreseen) == 0 || len(v.Decisions) == 0 || v.Summary.ID == 0 {
			t.Errorf("%q answers %d series and %d decisions of plan %d", c.query, len(v.Foreseen), len(v.Decisions), v.Summary.ID)
		}
		_, body := b.do("GET", "/api/districts/fontaine/plan"+c.query, nil)
		size[c.query] = len(body)
	}
	if !(size["?detail=words"] < size[""] && size[""] < size["?detail=all"]) {
		t.Errorf("bytes by detail: %v", size)
	}
	if status, _ := b.do("GET", "/api/districts/fontaine/plan?detail=much", nil); status != 422 {
		t.Errorf("an unknown detail answered %d", status)
	}
}

// TestForeseenOfOldPlans: a plan without bands has an empty list, and nothing else of the console is missing.
func TestForeseenOfOldPlans(t *testing.T) {
	f := start(t)
	p, err := f.world.Store.LatestPlan(t.Context(), "fontaine", noon)
	if err != nil {
		t.Fatal(err)
	}
	old := *p
	old.CreatedAt, old.Foreseen = noon, nil
	if _, err := f.world.Store.SavePlan(t.Context(), &old); err != nil {
		t.Fatal(err)
	}
	b := f.signedIn("viewer")
	if v := get[console.PlanView](b, "/api/districts/fontaine/plan"); len(v.Foreseen) != 0 || len(v.Decisions) == 0 {
		t.Errorf("%d series, %d decisions", len(v.Foreseen), len(v.Decisions))
	}
	if day := get[console.DayView](b, "/api/districts/fontaine/day"); day.Latest == nil || len(day.Latest.Foreseen) != 0 {
		t.Errorf("%+v", day.Latest)
	}
	if status, _ := b.do("GET", "/api/districts/fontaine/foreseen?quantity=net", nil); status != 404 {
		t.Errorf("net answered %d", status)
	}
}
