package balances

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// TestStatementsFromDays: a statement of any span and step, with the positive-energy balance by profiles that net at any step, is the same from sums of days as from slots: energies, indicators and balances.
func TestStatementsFromDays(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	st := years(date(2025, 12, 1), date(2026, 11, 21), 30*time.Minute)
	for i := range st.rows {
		r := &st.rows[i]
		r.ProductionWh += units.WattHours(rng.IntN(3000))
		r.ExportWh += units.WattHours(rng.IntN(900))
		r.CarsWh = units.WattHours(rng.IntN(2500))
		r.ResidualWh = -r.Unexplained() + r.ResidualWh
		r.CostEUR, r.Coverage, r.Substituted = rng.NormFloat64(), rng.Float64(), rng.IntN(9) == 0
	}
	d := &district.District{ID: "d", Zone: paris, Step: 30 * time.Minute, ImportLimitKW: 10, Sites: []district.Site{{ID: "flat"}, {ID: "roof"}}}
	kept := &record{rows: st.rows, carriers: st.carriers}
	for _, site := range []string{"_", "flat", "roof", "flat+roof"} {
		days, err := daily.FromRows(t.Context(), st, "d", site, timegrid.NewSpan(date(2025, 12, 1), date(2026, 11, 21)), paris)
		if err != nil {
			t.Fatal(err)
		}
		kept.days = append(kept.days, days...)
	}
	var profiles []*ped.Profile
	for _, n := range []ped.Netting{ped.NetStep, ped.NetHour, ped.NetDay, ped.NetMonth} {
		for _, sites := range [][]string{nil, {"roof"}, {"roof", "flat"}} {
			p := profile(fmt.Sprintf("%v-by-%s", sites, n), 2, sites...)
			bare := *p
			bare.ID += "-without-cars"
			bare.Excluded = []ped.Use{ped.Mobility}
			for _, x := range []*ped.Profile{p, &bare} {
				x.Netting = n
				profiles = append(profiles, x)
			}
		}
	}
	for _, sp := range []timegrid.Span{
		timegrid.NewSpan(date(2026, 1, 1), date(2027, 1, 1)),
		timegrid.NewSpan(date(2026, 3, 28), date(2026, 3, 31)),
		timegrid.NewSpan(date(2026, 3, 27).Add(5*time.Hour), date(2026, 4, 2).Add(90*time.Minute)),
		timegrid.NewSpan(date(2026, 10, 25).Add(90*time.Minute), date(2026, 10, 25).Add(20*time.Hour)),
		timegrid.NewSpan(date(2026, 11, 20), date(2026, 11, 22).Add(time.Hour)),
	} {
		for _, name := range []string{"hour", "month"} {
			step, err := ParseStep(name, d.Step)
			if err != nil {
				t.Fatal(err)
			}
			var texts [2]string
			for i, from := range []*record{st, kept} {
				q := Query{District: d, Site: "_", Span: sp, Step: step}
				if name == "month" {
					q.Profiles = profiles
				}
				out, err := Make(t.Context(), from, q)
				if err != nil {
					t.Fatal(err)
				}
				text, err := json.Marshal(out)
				if err != nil {
					t.Fatal(err)
				}
				texts[i] = string(text)
				if i == 1 && name == "month" {
					sameAsRows(t, st, d, out, sp, profiles)
				}
			}
			if texts[0] != texts[1] {
				t.Errorf("%v by %s: from days\n%s\nfrom slots\n%s", sp, name, texts[1], texts[0])
			}
		}
	}
}

// sameAsRows checks totals and balances of a statement against sums of the rows themselves.
func sameAsRows(t *testing.T, st *record, d *district.District, s *Statement, sp timegrid.Span, profiles []*ped.Profile) {
	t.Helper()
	rows, _ := st.Balances(t.Context(), "d", "_", sp)
	sum := balance.Sum(rows)
	if e := s.Total[0]; e.DeliveredWh != int64(sum.ImportWh) || e.ExportedWh != int64(sum.ExportWh) || e.GeneratedWh != int64(sum.ProductionWh) || e.ConsumedWh != int64(sum.ConsumptionWh()) ||
		e.ResidualWh != int64(sum.ResidualWh) || e.Slots != sum.Slots || e.Substituted != sum.Estimated {
		t.Errorf("%v: total %+v, want that of the rows, %+v", sp, e, sum)
	}
	frame := ped.Frame{Zone: d.Zone, Step: d.Step}
	for i, p := range profiles {
		var all []balance.CarrierRow
		sites := p.Sites
		if len(sites) == 0 {
			sites = []string{"_"}
		}
		for _, site := range sites {
			rows, _ := st.Balances(t.Context(), "d", site, sp)
			others, _ := st.Carriers(t.Context(), "d", site, "", sp)
			for i := range rows {
				if len(p.Excluded) > 0 {
					all = append(all, rows[i].WithoutCars())
				} else {
					all = append(all, rows[i].Electric())
				}
			}
			all = append(all, others...)
		}
		want, err := p.Of(ped.Gather(all, p.Netting, frame, sp.Start, sp.End), sp, frame)
		if err != nil {
			t.Fatal(err)
		}
		got := s.PED[i].Balances[0]
		for k, c := range want.Carriers {
			if len(p.Sites) > 1 && c.Carrier == balance.Electricity {
				c.Coverage /= 2 // both sites meter it
			}
			if g := got.Carriers[k]; math.Abs(g.Coverage-c.Coverage) > 1e-9 {
				t.Errorf("%v, %s: coverage of %s is %v, want %v", sp, p.ID, c.Carrier, g.Coverage, c.Coverage)
			}
			if g := got.Carriers[k]; g.DeliveredWh != int64(c.DeliveredWh) || g.ExportedWh != int64(c.ExportedWh) {
				t.Errorf("%v, %s: %s passed %d and %d Wh, want %d and %d", sp, p.ID, c.Carrier, g.DeliveredWh, g.ExportedWh, c.DeliveredWh, c.ExportedWh)
			}
		}
		if fmt.Sprintf("%.6f", got.BalanceKWh) != fmt.Sprintf("%.6f", want.BalanceKWh) {
			t.Errorf("%v, %s: balance %v kWh, want %v", sp, p.ID, got.BalanceKWh, want.BalanceKWh)
		}
	}
}

// TestDaysAreRead: of whole days that a record keeps no slot is read, whatever the sites and the uses of a profile, but of the day on which the record ends.
func TestDaysAreRead(t *testing.T) {
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour, Sites: []district.Site{{ID: "flat"}, {ID: "roof"}}}
	st := &counting{record: years(date(2025, 1, 1), date(2026, 11, 21), time.Hour)}
	profiles := []*ped.Profile{profile("a", 2.3), profile("both", 1.9, "flat", "roof"), profile("roof", 1, "roof"), profile("same", 2, "roof", "flat")}
	profiles[1].Excluded = []ped.Use{ped.Mobility}
	if got := Boundaries(profiles); len(got) != 1 || got[0] != "flat+roof" {
		t.Errorf("boundaries of several sites: %v", got)
	}
	for _, sp := range []timegrid.Span{timegrid.NewSpan(date(2025, 1, 1), date(2026, 1, 1)), timegrid.NewSpan(date(2026, 3, 1), date(2026, 4, 1)), timegrid.NewSpan(date(2026, 11, 1), date(2026, 12, 1))} {
		st.rows = 0
		if s, err := Make(t.Context(), st, Query{District: d, Site: "_", Span: sp, Step: DefaultStep(timegrid.NewSpan(sp.Start, sp.Start.AddDate(1, 0, 0))), Profiles: profiles}); err != nil || len(s.PED) != 4 || s.PED[1].Error != "" {
			t.Fatalf("%v: %v", sp, err)
		}
		if st.rows > 0 {
			t.Errorf("%v: %d slots were read", sp, st.rows)
		}
	}
}

// counting counts the slots that are read beside its days.
type counting struct {
	*record
	rows int
}

func (c *counting) Balances(ctx context.Context, d, site string, sp timegrid.Span) ([]balance.Row, error) {
	out, err := c.record.Balances(ctx, d, site, sp)
	c.rows += len(out)
	return out, err
}
