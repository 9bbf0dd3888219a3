package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/balances"
	"quartier/cmd/internal/config"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

func balanceCommand() *command {
	return &command{name: "balance", does: "Show the energy balance, the indicators and the positive-energy balance of a district.",
		usage: `balance -c district.yaml --district ID --from WHEN --to WHEN [--step STEP] [--profile ID,…] [--format table|csv|json]

WHEN is a local day of the district, such as 2026-01-31, or an instant, such as 2026-01-31T12:00:00Z; --to
is exclusive. STEP is 15m (or another number of minutes that the metering step divides), hour, day, month or
year in the district's zone. --profile names the calculation profiles, side by side: those of the
configuration when not given. CSV has the rows alone, in Wh; JSON has rows, indicators and balances.
A balance is called positive only by a profile's name, of twelve full months that were measured.
With --close the rows are computed again from the measurements first.`,
		run: runBalance}
}

func runBalance(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	id := c.flags.String("district", "", "`id` of the district: the only one when not given")
	site := c.flags.String("site", "", "`id` of a site: the whole district when not given")
	from := c.flags.String("from", "", "first `day` or instant")
	to := c.flags.String("to", "", "`day` or instant before which to stop")
	step := c.flags.String("step", "", "`step` of the rows: by the length of the span when not given")
	profiles := c.flags.String("profile", "", "`ids` of calculation profiles, separated by commas")
	format := c.flags.String("format", "table", "`format`: table, csv or json")
	out := c.flags.String("out", "-", "`file` to write, whole or not at all")
	data := c.flags.String("data", "", "`folder` of the record in place of the configuration's")
	again := c.flags.Bool("close", false, "compute the rows again from the measurements first")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("from", "to"); err != nil {
		return err
	}
	write := map[string]func(io.Writer, *balances.Statement) error{"table": balanceTable, "csv": balanceCSV, "json": balanceJSON}[*format]
	if write == nil {
		return badInput{fmt.Errorf("quartier balance: --format %q is neither table, csv nor json", *format)}
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	if *data != "" {
		cfg.File.DataDir = *data
	}
	q, err := balanceQuery(cfg, *id, *site, *from, *to, *step, *profiles)
	if err != nil {
		return badInput{err}
	}
	st, err := openRecord(ctx, c, cfg, true)
	if err != nil {
		return err
	}
	if *again {
		err = app.CloseAccounts(ctx, cfg, st, q.District, q.Span)
	}
	var s *balances.Statement
	if err == nil {
		s, err = balances.Make(ctx, st, q)
	}
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	if len(s.Rows) == 0 {
		have := "the record has no balance of it yet"
		if s.First != nil {
			have = fmt.Sprintf("its balance reaches from %s to %s", s.First.In(q.District.Zone).Format(time.RFC3339), s.Last.In(q.District.Zone).Format(time.RFC3339))
		}
		return fmt.Errorf("no row of %s from %s to %s: %s; --close computes rows from measurements", q.District.ID, *from, *to, have)
	}
	return writeOutput(c, *out, func(w io.Writer) error { return write(w, s) })
}

// balanceQuery reads what a statement is asked for; every fault of it is told.
func balanceQuery(cfg *config.Config, id, site, from, to, step, profiles string) (balances.Query, error) {
	q := balances.Query{Site: district.DistrictSite, Now: time.Now()}
	var faults []error
	fault := func(text string, args ...any) {
		faults = append(faults, fmt.Errorf("quartier balance: "+text, args...))
	}
	var ids []string
	for i := range cfg.Districts {
		ids = append(ids, cfg.Districts[i].ID)
		if cfg.Districts[i].ID == id || id == "" && len(cfg.Districts) == 1 {
			q.District = &cfg.Districts[i]
		}
	}
	if q.District == nil {
		if id == "" {
			return q, fmt.Errorf("quartier balance: --district is required: %s", strings.Join(ids, ", "))
		}
		return q, fmt.Errorf("quartier balance: no district %q, want %s", id, strings.Join(ids, ", "))
	}
	d := q.District
	if site != "" {
		if q.Site = site; site != district.DistrictSite && d.Site(site) == nil {
			fault("district %s has no site %q", d.ID, site)
		}
	}
	a, err1 := dayOrInstant("balance", "from", from, d.Zone)
	b, err2 := dayOrInstant("balance", "to", to, d.Zone)
	switch {
	case err1 != nil || err2 != nil:
		faults = append(faults, err1, err2)
	case !b.After(a):
		fault("--to %s is not after --from %s", to, from)
	case timegrid.Floor(a, d.Step) != a || timegrid.Floor(b, d.Step) != b:
		fault("--from %s and --to %s must lie on the metering step of %g min", from, to, d.Step.Minutes())
	default:
		q.Span = timegrid.NewSpan(a, b)
	}
	var err error
	if q.Step = balances.DefaultStep(q.Span); step != "" {
		if q.Step, err = balances.ParseStep(step, d.Step); err != nil {
			fault("--step %v", err)
		}
	}
	q.Profiles = cfg.PEDProfiles(d.ID)
	if profiles != "" {
		q.Profiles = nil
		for _, name := range strings.Split(profiles, ",") {
			p, err := profileOf(cfg, d, strings.TrimSpace(name))
			if err != nil {
				fault("--profile %v", err)
				continue
			}
			q.Profiles = append(q.Profiles, p)
		}
	}
	return q, errors.Join(faults...)
}

// profileOf returns a calculation profile that fits a district.
func profileOf(cfg *config.Config, d *district.District, id string) (*ped.Profile, error) {
	p := cfg.PED[id]
	if p == nil {
		return nil, fmt.Errorf("%q is no calculation profile, want one of %s", id, strings.Join(slices.Sorted(maps.Keys(cfg.PED)), ", "))
	}
	for _, s := range p.Sites {
		if d.Site(s) == nil {
			return nil, fmt.Errorf("%s has site %q inside its boundary, which %s has not", p, s, d.ID)
		}
	}
	return p, nil
}

func balanceJSON(w io.Writer, s *balances.Statement) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(s)
}

var balanceColumns = []string{"start", "end", "carrier", "delivered_wh", "exported_wh", "generated_wh", "converted_wh", "charge_wh", "discharge_wh", "consumed_wh", "residual_wh", "cost_eur", "carbon_kg", "coverage",
	"slots", "substituted", "methods"}

func balanceCSV(w io.Writer, s *balances.Statement) error {
	out := csv.NewWriter(w)
	if err := out.Write(balanceColumns); err != nil {
		return err
	}
	optional := func(v *float64) string {
		if v == nil {
			return ""
		}
		return number(math.Round(*v*1e6) / 1e6) // a millionth of a euro, a milligram
	}
	for i := range s.Rows {
		l := &s.Rows[i]
		rec := []string{l.Start.UTC().Format(time.RFC3339), l.End.UTC().Format(time.RFC3339), l.Carrier}
		for _, wh := range []int64{l.DeliveredWh, l.ExportedWh, l.GeneratedWh, l.ConvertedWh, l.ChargeWh, l.DischargeWh, l.ConsumedWh, l.ResidualWh} {
			rec = append(rec, strconv.FormatInt(wh, 10))
		}
		rec = append(rec, optional(l.CostEUR), optional(l.CarbonKg), number(math.Round(l.Coverage*1e6)/1e6), strconv.Itoa(l.Slots), strconv.Itoa(l.Substituted), l.Methods)
		if err := out.Write(rec); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// balanceTable writes the statement for people: energies in kWh, then the indicators, then the positive-energy balance by each profile.
func balanceTable(w io.Writer, s *balances.Statement) error {
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		return err
	}
	layout := "2006-01-02 15:04"
	switch s.Step {
	case "day":
		layout = time.DateOnly
	case "month":
		layout = "2006-01"
	case "year":
		layout = "2006"
	}
	what := s.District
	if s.Site != district.DistrictSite {
		what += "/" + s.Site
	}
	fmt.Fprintf(w, "Energy balance of %s from %s to %s by %s, %s, kWh\n\n", what, s.From.In(zone).Format("2006-01-02 15:04"), s.To.In(zone).Format("2006-01-02 15:04"), s.Step, s.Zone)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "START\tCARRIER\tDELIVERED\tEXPORTED\tGENERATED\tCONVERTED\tCHARGE\tDISCHARGE\tCONSUMED\tRESIDUAL\tCOVERAGE\tESTIMATED\t")
	line := func(start string, l *balances.Line) {
		fmt.Fprintf(t, "%s\t%s", start, l.Carrier)
		for _, wh := range []int64{l.DeliveredWh, l.ExportedWh, l.GeneratedWh, l.ConvertedWh, l.ChargeWh, l.DischargeWh, l.ConsumedWh, l.ResidualWh} {
			fmt.Fprintf(t, "\t%.3f", float64(wh)/1000)
		}
		fmt.Fprintf(t, "\t%s\t%d/%d\t\n", percent(l.Coverage), l.Substituted, l.Slots)
	}
	for i := range s.Rows {
		line(s.Rows[i].Start.In(zone).Format(layout), &s.Rows[i])
	}
	for i := range s.Total {
		line("total", &s.Total[i])
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "\nINDICATOR\tVERSION\tVALUE\tUNIT\tCOVERAGE\tFORMULA")
	for _, k := range s.KPIs {
		value := "none: " + k.Reason
		if k.Value != nil {
			value = strconv.FormatFloat(*k.Value, 'g', 4, 64)
		}
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\n", k.ID, k.Version, value, k.Unit, percent(k.Coverage), k.Formula)
	}
	for i := range s.PED {
		positiveTable(t, &s.PED[i], zone)
	}
	return t.Flush()
}

// positiveTable writes the balance by one profile.
func positiveTable(t io.Writer, p *balances.PED, zone *time.Location) {
	x := &p.Profile
	fmt.Fprintf(t, "\nPOSITIVE-ENERGY BALANCE by %s v%d: %s\n", x.ID, x.Version, x.NameEN)
	fmt.Fprintf(t, "choices\t%s boundary%s%s, %s factors, netted by the %s, k_exp %g, %s, %s calorific value\n", x.Boundary, inside(x.Sites), excluding(x.Excluded), x.FactorKind, strings.Replace(x.Netting, "step", "metering step", 1), x.KExp, x.Basis, x.Calorific)
	for _, f := range x.Factors {
		dates := ""
		if f.From != "" {
			dates += " from " + f.From
		}
		if f.Until != "" {
			dates += " until " + f.Until
		}
		fmt.Fprintf(t, "factor\t%s %g delivered, %g exported%s: %s\n", f.Carrier, f.Delivered, f.Exported, dates, f.Source)
	}
	if p.Error != "" {
		fmt.Fprintf(t, "no balance\t%s\n", p.Error)
		return
	}
	fmt.Fprintln(t, "PERIOD\tFROM\tTO\tPEI kWh\tPEE kWh\tBALANCE kWh\tRATIO\tUNWEIGHTED kWh\tCOVERAGE\tVERDICT")
	for i := range p.Balances {
		r := &p.Balances[i]
		ratio := "-"
		if r.Ratio != nil {
			ratio = strconv.FormatFloat(*r.Ratio, 'f', 3, 64)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", strings.ReplaceAll(r.Period, "_", " "), moment(r.Start, zone), moment(r.End, zone), amount(r.PEIKWh, ""), amount(r.PEEKWh, ""), amount(r.BalanceKWh, "+"), ratio,
			amount(r.FinalBalanceKWh, "+"), percent(r.Coverage), verdict(x, r))
	}
	if j := p.Projection; j != nil {
		fmt.Fprintf(t, "projection\tto %s: %s kWh, nine in ten between %s and %s kWh, from %d days; %s, version %d\n", moment(j.End, zone), amount(j.BalanceKWh, "+"), amount(j.LowKWh, "+"), amount(j.HighKWh, "+"), j.Days, j.Method, j.Version)
	} else {
		fmt.Fprintf(t, "projection\tnone: %s\n", p.NoProject)
	}
}

// verdict says what may be said of a balance, never without the profile's name.
func verdict(p *balances.Profile, r *balances.Result) string {
	switch r.Verdict {
	case string(ped.Positive):
		return fmt.Sprintf("positive by %s v%d", p.ID, p.Version)
	case string(ped.NotPositive):
		return fmt.Sprintf("not positive by %s v%d", p.ID, p.Version)
	}
	return "open: " + r.Reason
}

// moment is a day, with the time where it is no midnight.
func moment(t time.Time, zone *time.Location) string {
	if l := t.In(zone); l.Hour() != 0 || l.Minute() != 0 {
		return l.Format("2006-01-02 15:04")
	}
	return t.In(zone).Format(time.DateOnly)
}

// amount is a number of kWh, with decimals where it is small.
func amount(v float64, sign string) string {
	if math.Abs(v) < 1000 {
		return fmt.Sprintf("%"+sign+".2f", v)
	}
	return fmt.Sprintf("%"+sign+".0f", v)
}

func inside(sites []string) string {
	if len(sites) == 0 {
		return ""
	}
	return " around " + strings.Join(sites, ", ")
}

func excluding(uses []string) string {
	if len(uses) == 0 {
		return ""
	}
	return " without " + strings.Join(uses, ", ")
}

func percent(share float64) string {
	if share > 0.999 && share < 1-1e-9 { // of a long sum the last digits are noise
		share = 0.999 // not whole is never shown as whole
	}
	return fmt.Sprintf("%.1f %%", math.Min(100, 100*share))
}
