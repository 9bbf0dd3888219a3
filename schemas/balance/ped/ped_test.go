package ped

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var paris = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return loc
}()

var hourly = Frame{Zone: paris, Step: time.Hour}

// worked is a year of the worked example, hour by hour: 2200 MWh of sun of which 700 are used, 300 MWh drawn, 1500 fed, and 2400 MWh of a heat network.
func worked(year timegrid.Span) []balance.CarrierRow {
	var night, noon, every []units.WattHours
	for h := range year.Slots(time.Hour) {
		day := h.Start.In(paris).Hour() >= 9 && h.Start.In(paris).Hour() < 18
		night, noon, every = append(night, weight(!day)), append(noon, weight(day)), append(every, 1)
	}
	const mwh = units.WattHours(1_000_000)
	imp, exp, used, heat := units.Split(300*mwh, night), units.Split(1500*mwh, noon), units.Split(700*mwh, noon), units.Split(2400*mwh, every)
	var rows []balance.CarrierRow
	i := 0
	for h := range year.Slots(time.Hour) {
		rows = append(rows, balance.CarrierRow{Carrier: balance.Electricity, Start: h.Start, Step: time.Hour, Coverage: 1, DeliveredWh: imp[i], ExportedWh: exp[i], GeneratedWh: exp[i] + used[i], ConsumedWh: imp[i] + used[i]},
			balance.CarrierRow{Carrier: balance.Heat, Start: h.Start, Step: time.Hour, Coverage: 1, DeliveredWh: heat[i], ConsumedWh: heat[i]})
		i++
	}
	return rows
}

func weight(on bool) units.WattHours {
	if on {
		return 1
	}
	return 0
}

func profile(kind Kind, kexp, elec, export, heat float64) *Profile {
	one := func(c balance.Carrier, d, e float64) Carrier {
		return Carrier{Carrier: c, Factors: []Factor{{Delivered: d, Exported: e, Source: "worked example"}}}
	}
	return &Profile{ID: "example", Version: 1, Boundary: "geographical", Kind: kind, Netting: NetStep, KExp: kexp, MinCoverage: 0.95,
		Carriers: []Carrier{one(balance.Electricity, elec, export), one(balance.Heat, heat, heat)}}
}

// TestWorkedExample: one district and one year, by seven profiles. The sign depends on the declared factors: from 2.3 to 1.9 it flips.
func TestWorkedExample(t *testing.T) {
	year := timegrid.Year(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), paris)
	rows := worked(year)
	for _, tt := range []struct {
		name               string
		p                  *Profile
		pei, pee, b, ratio float64 // MWh
		verdict            Verdict
	}{
		{"final energy", profile(Final, 1, 1, 1, 1), 2700, 1500, -1200, 0.556, NotPositive},
		{"tot, electricity 2.3", profile(Total, 1, 2.3, 2.3, 1), 3090, 3450, 360, 1.117, Positive},
		{"tot, electricity 1.9", profile(Total, 1, 1.9, 1.9, 1), 2970, 2850, -120, 0.960, NotPositive},
		{"nren, electricity 2.3, heat 0.36", profile(NonRenewable, 1, 2.3, 2.3, 0.36), 1554, 3450, 1896, 2.220, Positive},
		{"nren, electricity 1.9, heat 0.36", profile(NonRenewable, 1, 1.9, 1.9, 0.36), 1434, 2850, 1416, 1.987, Positive},
		{"delivered 2.3, exported 1", profile(Total, 1, 2.3, 1, 1), 3090, 1500, -1590, 0.485, NotPositive},
		{"k_exp 0", profile(Total, 0, 2.3, 2.3, 1), 3090, 0, -3090, 0, NotPositive},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := tt.p.Compute(rows, year, hourly)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "PEI", r.PEIKWh/1000, tt.pei, 1e-6)
			near(t, "PEE", r.PEEKWh/1000, tt.pee, 1e-6)
			near(t, "balance", r.BalanceKWh/1000, tt.b, 1e-6)
			near(t, "ratio", *r.Ratio, tt.ratio, 5e-4)
			near(t, "final energy balance", r.FinalKWh/1000, -1200, 1e-6)
			near(t, "on-site ratio of all carriers", *r.OnSiteRatio, 0.647, 5e-4)
			near(t, "on-site ratio of electricity", float64(r.Carriers[0].GeneratedWh)/float64(r.Carriers[0].ConsumedWh), 2.2, 1e-9)
			if r.Verdict != tt.verdict || math.Abs(r.Coverage-1) > 1e-9 {
				t.Errorf("verdict %s (%s) with coverage %v, want %s with 1", r.Verdict, r.Reason, r.Coverage, tt.verdict)
			}
		})
	}
}

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if math.Abs(got-want) > within {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// TestPositiveNeedsTwelveMonths: nothing but twelve full months with coverage is called positive.
func TestPositiveNeedsTwelveMonths(t *testing.T) {
	year := timegrid.Year(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), paris)
	rows := worked(year)
	p := profile(Total, 1, 2.3, 2.3, 1)
	ask := func(rows []balance.CarrierRow, sp timegrid.Span) *Result {
		t.Helper()
		r, err := p.Compute(rows, sp, hourly)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	summer := timegrid.NewSpan(time.Date(2025, 5, 1, 0, 0, 0, 0, paris), time.Date(2025, 9, 1, 0, 0, 0, 0, paris))
	if r := ask(rows, summer); r.Verdict != Open || r.Reason.Code != why.NotTwelveMonths || r.BalanceKWh <= 0 {
		t.Errorf("a summer of %v kWh is %s: %s", r.BalanceKWh, r.Verdict, r.Reason)
	}
	if r := ask(rows[:len(rows)*9/10], year); r.Verdict != Open || !strings.Contains(r.Reason.In("en"), "coverage 90.0 %") {
		t.Errorf("a year with a tenth missing is %s: %s", r.Verdict, r.Reason)
	}
	if r := ask(nil, year); r.Verdict != Open || r.Ratio != nil || len(r.Unmetered) != 2 {
		t.Errorf("a year without rows: %+v", r)
	}
	shifted := timegrid.NewSpan(year.Start.Add(24*time.Hour), year.End.Add(24*time.Hour))
	if r := ask(rows, shifted); r.Verdict != Open {
		t.Errorf("365 days that are no months are %s", r.Verdict)
	}
	rolling := Rolling(time.Date(2025, 11, 20, 0, 0, 0, 0, time.UTC), paris)
	if Months(rolling, paris) != 12 || rolling.End.In(paris).Format(time.DateOnly) != "2025-11-01" {
		t.Errorf("rolling twelve months are %v", rolling)
	}
}

// TestFactorsByDate: a change of factor counts from its day on; what has no factor is an error that names carrier and day; a carrier that is left out is told.
func TestFactorsByDate(t *testing.T) {
	p := profile(Total, 1, 2.3, 2.3, 1)
	change := time.Date(2026, 1, 1, 0, 0, 0, 0, paris)
	p.Carriers[0].Factors = []Factor{{Until: change, Delivered: 2.3, Exported: 2.3}, {From: change, Until: change.AddDate(1, 0, 0), Delivered: 1.9, Exported: 1.9}}
	row := func(at time.Time, c balance.Carrier) balance.CarrierRow {
		return balance.CarrierRow{Carrier: c, Start: at.UTC(), Step: time.Hour, Coverage: 1, DeliveredWh: 1000}
	}
	two := timegrid.NewSpan(change.Add(-time.Hour), change.Add(time.Hour))
	r, err := p.Compute([]balance.CarrierRow{row(two.Start, balance.Electricity), row(change, balance.Electricity)}, two, hourly)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "PEI over the change", r.PEIKWh, 4.2, 1e-12)
	late := timegrid.NewSpan(change.AddDate(1, 0, 0), change.AddDate(1, 0, 1))
	if _, err := p.Compute([]balance.CarrierRow{row(late.Start, balance.Electricity)}, late, hourly); err == nil || !strings.Contains(err.Error(), "example v1 has no factor for electricity on 2027-01-01") {
		t.Errorf("error %v", err)
	}
	if _, err := p.Compute([]balance.CarrierRow{row(change, balance.Gas)}, two, hourly); err == nil || !strings.Contains(err.Error(), "no factor for gas") {
		t.Errorf("error %v", err)
	}
	p.LeftOut = []balance.Carrier{balance.Gas}
	if r, err := p.Compute([]balance.CarrierRow{row(change, balance.Gas)}, two, hourly); err != nil || len(r.NotIn) != 1 {
		t.Errorf("left out: %+v, %v", r, err)
	}
	p.Netting = NetYear
	if _, err := p.Compute([]balance.CarrierRow{row(two.Start, balance.Electricity)}, two, hourly); err == nil || !strings.Contains(err.Error(), "changes inside one on 2026-01-01") {
		t.Errorf("error %v", err)
	}
}

// TestNettingStep: with constant symmetric factors the balance is the same whatever the netting step, and with export worth less it never gets worse by netting more coarsely.
func TestNettingStep(t *testing.T) {
	year := timegrid.Year(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), paris)
	rapid.Check(t, func(t *rapid.T) {
		var rows []balance.CarrierRow
		for range rapid.IntRange(1, 60).Draw(t, "rows") {
			at := year.Start.Add(time.Duration(rapid.IntRange(0, 8759).Draw(t, "hour")) * time.Hour)
			rows = append(rows, balance.CarrierRow{Carrier: balance.Electricity, Start: at, Step: time.Hour, Coverage: 1, DeliveredWh: units.WattHours(rapid.IntRange(0, 5000).Draw(t, "in")),
				ExportedWh: units.WattHours(rapid.IntRange(0, 5000).Draw(t, "out"))})
		}
		var before *Result
		for _, n := range []Netting{NetStep, NetDay, NetMonth, NetYear} {
			p, q := profile(Total, 1, 2.3, 2.3, 1), profile(Total, 1, 2.3, 1, 1)
			p.Netting, q.Netting = n, n
			a, err := p.Compute(rows, year, hourly)
			if err != nil {
				t.Fatal(err)
			}
			b, err := q.Compute(rows, year, hourly)
			if err != nil {
				t.Fatal(err)
			}
			if before != nil && (a.FinalKWh != b.FinalKWh || b.BalanceKWh < before.BalanceKWh-1e-6) {
				t.Fatalf("netting by the %s gives %v kWh, by a finer step %v kWh", n, b.BalanceKWh, before.BalanceKWh)
			}
			if math.Abs(a.BalanceKWh-2.3*a.FinalKWh) > 1e-6 {
				t.Fatalf("netting by the %s gives %v kWh, want 2.3 × %v kWh", n, a.BalanceKWh, a.FinalKWh)
			}
			before = b
		}
	})
}

// TestProjection: a year that repeats the last but for a tenth more import and a fifth more export, with noise, is projected to what it becomes, inside the interval; without
// enough days there is none.
func TestProjection(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	p := profile(Total, 1, 2.3, 2.3, 1)
	p.Carriers = p.Carriers[:1]
	start := time.Date(2024, 12, 20, 0, 0, 0, 0, paris)
	end := time.Date(2027, 1, 1, 0, 0, 0, 0, paris)
	var rows []balance.CarrierRow
	truth := 0.0
	for d := range timegrid.NewSpan(start, end).Days(paris) {
		at := d.Start.Add(12 * time.Hour).In(paris)
		season := math.Cos(2 * math.Pi * float64(at.YearDay()) / 365)
		imp, exp := 3e6+2e6*season, 3.2e6-2.5e6*season
		if at.Year() == 2026 {
			imp, exp = 1.1*imp, 1.2*exp
		}
		imp *= 1 + 0.1*rng.NormFloat64()
		exp *= 1 + 0.1*rng.NormFloat64()
		for h := range d.Slots(time.Hour) {
			r := balance.CarrierRow{Carrier: balance.Electricity, Start: h.Start, Step: time.Hour, Coverage: 1}
			if hour := h.Start.In(paris).Hour(); hour == 13 {
				r.ExportedWh = units.WattHours(exp)
			} else if hour == 19 {
				r.DeliveredWh = units.WattHours(imp)
			}
			rows = append(rows, r)
			if at.Year() == 2026 {
				truth += 2.3 * (r.ExportedWh - r.DeliveredWh).KWh()
			}
		}
	}
	now := time.Date(2026, 8, 1, 9, 0, 0, 0, paris)
	known := func(now time.Time) []balance.CarrierRow {
		var out []balance.CarrierRow
		for _, r := range rows {
			if r.Start.Before(now) {
				out = append(out, r)
			}
		}
		return out
	}
	got, reason, err := p.Project(known(now), now, hourly)
	if err != nil || got == nil {
		t.Fatalf("no projection: %s %v", reason, err)
	}
	near(t, "import's scale", got.ImportScale, 1.1, 0.03)
	near(t, "export's scale", got.ExportScale, 1.2, 0.03)
	if truth < got.LowKWh || truth > got.HighKWh || got.LowKWh >= got.BalanceKWh || got.HighKWh <= got.BalanceKWh {
		t.Errorf("projected %v kWh in [%v, %v] kWh, it became %v kWh", got.BalanceKWh, got.LowKWh, got.HighKWh, truth)
	}
	again, _, _ := p.Project(known(now), now, hourly)
	if *again != *got {
		t.Errorf("the same days give %+v and %+v", *got, *again)
	}
	later, _, err := p.Project(known(now.AddDate(0, 4, 0)), now.AddDate(0, 4, 0), hourly)
	if err != nil || later.HighKWh-later.LowKWh >= got.HighKWh-got.LowKWh {
		t.Errorf("four months later the interval is %+v (%v), no narrower than %+v", later, err, got)
	}
	early := time.Date(2026, 2, 1, 0, 0, 0, 0, paris)
	if got, reason, err := p.Project(known(early), early, hourly); got != nil || err != nil || !strings.Contains(reason.In("en"), "31 days were measured") {
		t.Errorf("after a month: %+v, %q, %v", got, reason, err)
	}
	if got, reason, err := p.Project(known(now)[24*200:], now, hourly); got != nil || err != nil || reason.Code == "" {
		t.Errorf("without most of last year: %+v, %q, %v", got, reason, err)
	}
	p.Netting = NetYear
	if got, reason, _ := p.Project(known(now), now, hourly); got != nil || reason.Code != why.NetsByYear {
		t.Errorf("netting by the year: %+v, %q", got, reason)
	}
}

// TestPiecesOfDays: what days know of their slots gives the pieces that the slots give, at every step of netting and in every zone.
func TestPiecesOfDays(t *testing.T) {
	for _, name := range []string{"Europe/Paris", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(3, 4))
		var rows []balance.Row
		var others, all []balance.CarrierRow
		for s := range timegrid.NewSpan(time.Date(2026, 3, 26, 22, 0, 0, 0, time.UTC), time.Date(2026, 4, 2, 5, 0, 0, 0, time.UTC)).Slots(15 * time.Minute) {
			wh := func() units.WattHours { return units.WattHours(rng.IntN(4000)) }
			r := balance.Row{District: "d", Site: "_", Start: s.Start, Step: 15 * time.Minute, ImportWh: wh(), ExportWh: wh(), ProductionWh: wh(), OtherWh: wh(), Coverage: rng.Float64(), Substituted: rng.IntN(5) == 0}
			if rng.IntN(8) > 0 {
				rows, all = append(rows, r), append(all, r.Electric())
			}
			for _, c := range []balance.Carrier{balance.Heat, "steam"} {
				x := balance.CarrierRow{District: "d", Site: "_", Carrier: c, Start: s.Start, Step: 15 * time.Minute, DeliveredWh: wh(), ExportedWh: wh(), ConsumedWh: wh(), Coverage: rng.Float64(), Method: balance.Method(rng.IntN(3))}
				if rng.IntN(3) > 0 {
					others, all = append(others, x), append(all, x)
				}
			}
		}
		days := balance.Days(rows, others, zone)
		for _, n := range []Netting{NetStep, NetHour, NetDay, NetMonth, NetYear} {
			if got, want := PiecesOf(days, n), Gather(all, n, Frame{Zone: zone, Step: 15 * time.Minute}); !slices.EqualFunc(got, want, func(a, b Piece) bool {
				same := a.Start.Equal(b.Start)
				a.Start = b.Start
				return same && a == b
			}) {
				t.Errorf("%s, netted by %s: pieces\n%+v\nwant\n%+v", name, n, got, want)
			}
		}
	}
}

// TestPiecesOfJointDays: what the days of several sites together know gives what their slots, netted with each other, do, at every step of netting, in every zone, with cars and without.
func TestPiecesOfJointDays(t *testing.T) {
	for _, name := range []string{"Europe/Paris", "America/St_Johns"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(5, 6))
		wh := func() units.WattHours { return units.WattHours(rng.IntN(4000)) }
		var rows []balance.Row
		var others, with, bare []balance.CarrierRow
		for s := range timegrid.NewSpan(time.Date(2026, 10, 23, 22, 0, 0, 0, time.UTC), time.Date(2026, 10, 28, 5, 0, 0, 0, time.UTC)).Slots(15 * time.Minute) {
			for _, site := range []string{"a", "b", "c"} {
				if rng.IntN(9) > 0 {
					r := balance.Row{District: "d", Site: site, Start: s.Start, Step: 15 * time.Minute, ImportWh: wh(), ExportWh: wh(), ProductionWh: wh(), CarsWh: wh(), OtherWh: wh(), Coverage: 1, Substituted: rng.IntN(5) == 0}
					rows, with, bare = append(rows, r), append(with, r.Electric()), append(bare, r.WithoutCars())
				}
				if site != "b" {
					x := balance.CarrierRow{District: "d", Site: site, Carrier: balance.Heat, Start: s.Start, Step: 15 * time.Minute, DeliveredWh: wh(), ExportedWh: wh(), ConsumedWh: wh(), Coverage: 1}
					others, with, bare = append(others, x), append(with, x), append(bare, x)
				}
			}
		}
		days := balance.JointDays("a+b+c", rows, others, zone)
		for i := range days {
			if d := &days[i]; d.Unexplained() != sumOf(rows, others, d) || d.Site != "a+b+c" || d.Sites != map[balance.Carrier]int{balance.Electricity: 3, balance.Heat: 2}[d.Carrier] {
				t.Errorf("%s: day %+v", name, d)
			}
		}
		for _, n := range []Netting{NetStep, NetHour, NetDay, NetMonth, NetYear} {
			for k, all := range [][]balance.CarrierRow{with, bare} {
				got, want := PiecesOf(days, n, [][]Use{nil, {Mobility}}[k]...), Gather(all, n, Frame{Zone: zone, Step: 15 * time.Minute})
				if !slices.EqualFunc(got, want, func(a, b Piece) bool {
					return a.Start.Equal(b.Start) && a.Carrier == b.Carrier && a.DeliveredWh == b.DeliveredWh && a.ExportedWh == b.ExportedWh && a.GeneratedWh == b.GeneratedWh && a.ConsumedWh == b.ConsumedWh
				}) {
					t.Errorf("%s, netted by %s: pieces\n%+v\nwant\n%+v", name, n, got, want)
				}
			}
		}
	}
}

// sumOf returns what the rows of a day and carrier leave unexplained.
func sumOf(rows []balance.Row, others []balance.CarrierRow, d *balance.Day) (wh units.WattHours) {
	in := timegrid.Span{Start: d.Start, End: d.End()}
	for i := range rows {
		if d.Carrier == balance.Electricity && in.Contains(rows[i].Start) {
			wh += rows[i].Unexplained()
		}
	}
	for i := range others {
		if d.Carrier == others[i].Carrier && in.Contains(others[i].Start) {
			wh += others[i].Unexplained()
		}
	}
	return wh
}
