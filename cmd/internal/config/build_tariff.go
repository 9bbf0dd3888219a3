package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quartier/schemas/tariff"
	"quartier/schemas/units"
)

// prices returns the prices of a row by period.
func (r *Row) prices() map[tariff.Period]*float64 {
	return map[tariff.Period]*float64{tariff.BasePeriod: r.Base, tariff.HP: r.HP, tariff.HC: r.HC, tariff.BlueHP: r.BlueHP, tariff.BlueHC: r.BlueHC,
		tariff.WhiteHP: r.WhiteHP, tariff.WhiteHC: r.WhiteHC, tariff.RedHP: r.RedHP, tariff.RedHC: r.RedHC}
}

// tariff checks one tariff and builds it.
func (b *builder) tariff(t *Tariff, path string) *tariff.Tariff {
	out := &tariff.Tariff{ID: t.ID, Name: t.Name, Kind: tariff.Kind(t.Kind), Zone: b.zone(t.Zone, path+".time_zone"), TaxesExcluded: t.Taxes == "excluded", Fed: t.Feed != ""}
	if out.Name == "" {
		out.Name = t.ID
	}
	if len(t.Rows) == 0 && t.Kind != "series" && !b.has(path+".rows") {
		b.say(path, "rows is missing: a %s tariff needs prices", orKind(t.Kind))
	}
	for i := range t.Rows {
		b.row(t, i, fmt.Sprintf("%s.rows[%d]", path, i), out)
	}
	b.charges(t, path, out)
	for i, w := range t.OffPeak {
		p := fmt.Sprintf("%s.off_peak[%d]", path, i)
		if (w.FirstMonth == 0) != (w.LastMonth == 0) {
			b.say(p, "first_month and last_month are needed together")
		}
		win := tariff.Window{From: minutes(w.From), To: minutes(w.To), FirstMonth: w.FirstMonth, LastMonth: w.LastMonth,
			ValidFrom: day(w.ValidFrom, out.Zone), ValidUntil: day(w.ValidUntil, out.Zone)}
		if w.From == w.To && w.From != "" {
			b.say(p+".to", "%s is where the window begins: it would hold all day", w.To)
		}
		if !win.ValidUntil.IsZero() && !win.ValidUntil.After(win.ValidFrom) {
			b.say(p+".valid_until", "%s is not after valid_from %s", w.ValidUntil, w.ValidFrom)
		}
		out.OffPeak = append(out.OffPeak, win)
	}
	b.colours(t, path, out)
	b.fedTariff(t, path)
	if t.File != nil {
		out.Prices = b.series(t.File, path+".file", units.EURPerKWh)
	}
	return out
}

func orKind(kind string) string {
	if kind == "" {
		return "dated"
	}
	return kind
}

// row checks one row of a tariff and appends it.
func (b *builder) row(t *Tariff, i int, p string, out *tariff.Tariff) {
	r := &t.Rows[i]
	row := tariff.Row{From: day(r.From, out.Zone), Until: day(r.Until, out.Zone), Import: map[tariff.Period]float64{}, Export: r.Export, NetworkEURPerKWh: r.Network,
		ExciseEURPerKWh: r.Excise, SubscriptionEURPerMonth: r.Subscription, Source: r.Source}
	wanted, dynamic := tariff.Periods(out.Kind), out.Kind == tariff.Dynamic
	known := wanted != nil || dynamic || out.Kind == tariff.Series
	for _, k := range []tariff.Kind{tariff.Base, tariff.HPHC, tariff.Tempo} {
		for _, period := range tariff.Periods(k) {
			key := string(period) + "_eur_per_kwh"
			v := r.prices()[period]
			switch {
			case v != nil && slices.Contains(wanted, period):
				row.Import[period] = *v
			case v != nil && known:
				b.say(p+"."+key, "has no place in a %s tariff", t.Kind)
			case v == nil && slices.Contains(wanted, period) && !b.has(p+"."+key):
				b.say(p, "%s is missing: a %s tariff needs it (EUR/kWh)", key, t.Kind)
			}
		}
	}
	for _, f := range []struct {
		key string
		v   *float64
		to  *float64
	}{{"times", r.Times, &row.Times}, {"plus_eur_per_kwh", r.Plus, &row.Plus}, {"vat", r.VAT, &row.VAT}} {
		switch {
		case f.v != nil && dynamic:
			*f.to = *f.v
		case f.v != nil && known:
			b.say(p+"."+f.key, "has no place in a %s tariff", t.Kind)
		case f.v == nil && dynamic && !b.has(p+"."+f.key):
			b.say(p, "%s is missing: a dynamic tariff needs it%s", f.key, unitWord(f.key))
		}
	}
	if !row.From.IsZero() && !row.Until.IsZero() && !row.Until.After(row.From) {
		b.say(p+".until", "%s is not after from %s", r.Until, r.From)
	}
	if n := len(out.Rows); n > 0 && !row.From.IsZero() {
		before := &out.Rows[n-1]
		switch {
		case !row.From.After(before.From):
			b.say(p+".from", "%s is not after the row before, from %s: rows stand by date, and no two hold at once", r.From, before.From.Format(time.DateOnly))
		case before.Until.After(row.From):
			b.say(p+".from", "%s lies within the row before, which holds until %s: no two hold at once", r.From, before.Until.Format(time.DateOnly))
		}
	}
	out.Rows = append(out.Rows, row)
}

// colours builds the calendar of a Tempo tariff.
func (b *builder) colours(t *Tariff, path string, out *tariff.Tariff) {
	if out.Kind != tariff.Tempo {
		return
	}
	colours, lines := map[string]tariff.Colour{}, map[string]string{}
	for i, d := range t.Days {
		p := fmt.Sprintf("%s.tempo_days[%d].date", path, i)
		if first, twice := lines[d.Date]; twice && d.Date != "" {
			b.say(p, "%s has its colour in line %d", d.Date, b.at(first).line)
		}
		colours[d.Date], lines[d.Date] = tariff.Colour(d.Colour), p
	}
	from, until := "", "9999"
	if k := t.Known; k != nil {
		from, until, out.Unknown = k.From, k.Until, tariff.Colour(k.Others)
		if k.From != "" && k.Until != "" && k.Until <= k.From {
			b.say(path+".tempo_known.until", "%s is not after from %s", k.Until, k.From)
			return
		}
		for i, d := range t.Days {
			if d.Date != "" && from != "" && until != "" && (d.Date < from || d.Date >= until) {
				b.say(fmt.Sprintf("%s.tempo_days[%d].date", path, i), "%s lies outside the known days from %s until %s", d.Date, from, until)
			}
		}
	}
	out.Colour = func(y int, m time.Month, d int) tariff.Colour {
		date := fmt.Sprintf("%04d-%02d-%02d", y, m, d)
		if date < from || date >= until {
			return ""
		}
		if c := colours[date]; c != "" {
			return c
		}
		return tariff.Blue
	}
}

// carbon checks one source of carbon intensity and builds it.
func (b *builder) carbon(s *Carbon, path string) *tariff.Carbon {
	out := &tariff.Carbon{ID: s.ID, Name: s.Name, Kind: tariff.CarbonConstant, GPerKWh: s.GPerKWh, Scope: s.Scope, Basis: s.Basis, Method: s.Method, Source: s.Source}
	if out.Name == "" {
		out.Name = s.ID
	}
	b.fedCarbon(s, path)
	zone := b.zone(s.Zone, path+".time_zone")
	for i, r := range s.Rows {
		p := fmt.Sprintf("%s.rows[%d]", path, i)
		row := tariff.CarbonRow{From: day(r.From, zone), Until: day(r.Until, zone), GPerKWh: r.GPerKWh, Vintage: r.Vintage, Source: r.Source}
		if n := len(out.Rows); n > 0 {
			b.follows(p, r.From, row.From, out.Rows[n-1].From, out.Rows[n-1].Until)
		}
		b.endsAfter(p, r.From, r.Until, row.From, row.Until)
		out.Rows = append(out.Rows, row)
	}
	switch {
	case s.Kind == "dated":
		out.Kind = tariff.CarbonDated
	case s.Kind == "constant" && !b.has(path+".g_per_kwh"):
		b.say(path, "g_per_kwh is missing: a constant source needs it (gCO2e/kWh)")
	case s.Kind == "series" && s.File == nil:
		out.Kind = tariff.CarbonSignal
	case s.Kind == "series":
		out.Kind = tariff.CarbonSeries
		out.Intensity = b.series(s.File, path+".file", units.GramsPerKWh)
	}
	return out
}

// refer notes a reference to an id that does not exist.
func refer[T any](b *builder, id, path, what string, known map[string]T) {
	if _, ok := known[id]; ok || id == "" {
		return
	}
	var names []string
	for name := range known {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	hint := suggestion(id, names)
	if hint == "" && len(names) > 0 && len(names) <= 8 {
		hint = "; there are " + strings.Join(names, ", ")
	}
	b.say(path, "no %s has the id %q%s", what, id, hint)
}
