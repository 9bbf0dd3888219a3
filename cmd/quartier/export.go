package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/archive"
	"quartier/schemas/timegrid"
)

// exportPiece is how much of the balances is held in memory at a time.
const exportPiece = 7 * 24 * time.Hour

func exportCommand() *command {
	return &command{name: "export", does: "Write measurements, balances or carriers of the record as CSV.",
		usage: `export -c district.yaml --from WHEN --to WHEN [--what samples|balances|carriers] [--series PREFIX] [--out FILE]
       quartier export -c district.yaml --all --out FILE

WHEN is a local day of the first district, such as 2026-01-31, or an instant, such as
2026-01-31T12:00:00Z; --to is exclusive. Samples come as 'quartier import' takes them, balances as
one row per site and metering step, "_" being the district itself, and carriers other than electricity
as one row more each. Times are UTC. With --all the whole record goes into one archive, accounts with their password hashes included, that
'quartier import' puts into any other record; it may be made while Quartier runs.`,
		run: runExport}
}

func runExport(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	from := c.flags.String("from", "", "first `day` or instant")
	to := c.flags.String("to", "", "`day` or instant before which to stop")
	what := c.flags.String("what", "samples", "`kind`: samples, balances or carriers")
	prefix := c.flags.String("series", "", "`begin` of the names, such as fontaine/ecole/: all when not given")
	out := c.flags.String("out", "-", "`file` to write, whole or not at all")
	all := c.flags.Bool("all", false, "the whole record, as an archive")
	if err := c.parse(0); err != nil {
		return err
	}
	if *all {
		return exportAll(ctx, c, *file, *out)
	}
	if err := c.need("from", "to"); err != nil {
		return err
	}
	if *what != "samples" && *what != "balances" && *what != "carriers" {
		return badInput{fmt.Errorf("quartier export: --what %q is neither samples nor balances nor carriers", *what)}
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	zone := cfg.Districts[0].Zone
	a, err1 := dayOrInstant("export", "from", *from, zone)
	b, err2 := dayOrInstant("export", "to", *to, zone)
	if err := errors.Join(err1, err2); err != nil {
		return badInput{err}
	}
	if !b.After(a) {
		return badInput{fmt.Errorf("quartier export: --to %s is not after --from %s", *to, *from)}
	}
	st, err := openRecord(ctx, c, cfg, true)
	if err != nil {
		return err
	}
	ex := &exporter{prefix: *prefix, sp: timegrid.NewSpan(a, b)}
	next := time.Now().Add(2 * time.Second)
	ex.progress = func(at time.Time) {
		if now := time.Now(); now.After(next) {
			next = now.Add(2 * time.Second)
			fmt.Fprintf(c.stderr, "%d rows, at %s\n", ex.rows, at.UTC().Format(time.RFC3339))
		}
	}
	err = writeOutput(c, *out, func(w io.Writer) error {
		ex.w = csv.NewWriter(w)
		var err error
		if *what == "samples" {
			err = ex.samples(ctx, st)
		} else {
			var ids []string
			for i := range cfg.Districts {
				ids = append(ids, cfg.Districts[i].ID)
			}
			err = ex.balances(ctx, st, ids, *what == "carriers")
		}
		ex.w.Flush()
		return errors.Join(err, ex.w.Error())
	})
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%d rows\n", ex.rows)
	if ex.rows == 0 && *prefix != "" {
		fmt.Fprintf(c.stderr, "note: nothing that begins with %q is in the record from %s to %s\n", *prefix, *from, *to)
	}
	return nil
}

// exportAll writes the whole record as an archive.
func exportAll(ctx context.Context, c *call, file, out string) error {
	cfg, err := loadConfig(c, file)
	if err != nil {
		return err
	}
	st, err := openRecord(ctx, c, cfg, true)
	if err != nil {
		return err
	}
	src, ok := st.Store.(archive.Source)
	if !ok {
		return errors.Join(fmt.Errorf("quartier export: the record cannot be archived"), st.Close())
	}
	var ids []string
	for i := range cfg.Districts {
		ids = append(ids, cfg.Districts[i].ID)
	}
	var counts archive.Counts
	err = writeOutput(c, out, func(w io.Writer) error {
		counts, err = archive.Write(ctx, w, src, ids)
		return err
	})
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	tellCounts(c.stderr, counts)
	return nil
}

// tellCounts names how many rows of each kind there are.
func tellCounts(w io.Writer, counts archive.Counts) {
	for _, kind := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "%d %s\n", counts[kind], kind)
	}
}

// dayOrInstant reads the begin of a local day, or an instant.
func dayOrInstant(command, name, text string, zone *time.Location) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UTC(), nil
	}
	day, err := timegrid.ParseDay(text, zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("quartier %s: --%s %q is neither a day such as 2026-01-31 nor an instant such as 2026-01-31T12:00:00Z", command, name, text)
	}
	return day.Start, nil
}

// exporter writes rows of the record as CSV.
type exporter struct {
	w        *csv.Writer
	prefix   string
	sp       timegrid.Span
	progress func(at time.Time)
	rows     int
}

// samples writes the samples of every series that begins with the prefix, series by series.
func (ex *exporter) samples(ctx context.Context, st store.Samples) error {
	if err := ex.w.Write(csvHeader); err != nil {
		return err
	}
	ids, err := st.Series(ctx, ex.prefix)
	if err != nil {
		return err
	}
	return st.Read(ctx, ids, ex.sp, func(s district.Sample) error {
		if ex.rows++; ex.rows%10_000 == 0 {
			ex.progress(s.Time)
		}
		return ex.w.Write([]string{string(s.Series), s.Time.UTC().Format(time.RFC3339Nano), number(s.Value), s.Quality.String()})
	})
}

// carrierHeader is the first line of a file of carriers.
var carrierHeader = []string{"district", "site", "carrier", "start", "step_minutes", "delivered_wh", "exported_wh", "generated_wh", "converted_wh", "charge_wh", "discharge_wh", "consumed_wh", "residual_wh", "coverage", "methods"}

// balances writes the balance rows, or those of the other carriers, of the districts whose district/site begins with the prefix: by district, then start, then site.
func (ex *exporter) balances(ctx context.Context, st store.Balances, districts []string, carriers bool) error {
	header, piece := balanceHeader, ex.balancePiece
	if carriers {
		header, piece = carrierHeader, ex.carrierPiece
	}
	if err := ex.w.Write(header); err != nil {
		return err
	}
	for _, id := range districts {
		if err := ex.district(ctx, st, id, piece); err != nil {
			return err
		}
	}
	return nil
}

// balanceHeader is the first line of a file of balances.
var balanceHeader = []string{"district", "site", "start", "step_minutes", "import_wh", "export_wh", "production_wh", "charge_wh", "discharge_wh", "heat_wh", "cars_wh", "other_wh",
	"residual_wh", "shared_wh", "station_residual_wh", "cost_eur", "carbon_kg", "baseline_cost_eur", "baseline_carbon_kg", "coverage", "substituted", "methods"}

// district writes the rows of one district, piece by piece.
func (ex *exporter) district(ctx context.Context, st store.Balances, id string, piece func(context.Context, store.Balances, string, timegrid.Span) error) error {
	if !strings.HasPrefix(id+"/", ex.prefix) && !strings.HasPrefix(ex.prefix, id+"/") {
		return nil
	}
	have, err := st.BalanceSpan(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	} else if err != nil {
		return err
	}
	end := ex.sp.End
	if have.End.Before(end) {
		end = have.End
	}
	at := ex.sp.Start
	if have.Start.After(at) {
		at = have.Start
	}
	for at.Before(end) {
		stop := at.Add(exportPiece)
		if stop.After(end) {
			stop = end
		}
		if err := piece(ctx, st, id, timegrid.NewSpan(at, stop)); err != nil {
			return err
		}
		ex.progress(stop)
		at = stop
	}
	return nil
}

func (ex *exporter) carrierPiece(ctx context.Context, st store.Balances, districtID string, sp timegrid.Span) error {
	rows, err := st.Carriers(ctx, districtID, "", "", sp)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !strings.HasPrefix(r.District+"/"+r.Site+"/", ex.prefix) {
			continue
		}
		rec := []string{r.District, r.Site, string(r.Carrier), r.Start.UTC().Format(time.RFC3339), number(r.Step.Minutes())}
		for _, wh := range []int64{int64(r.DeliveredWh), int64(r.ExportedWh), int64(r.GeneratedWh), int64(r.ConvertedWh), int64(r.ChargeWh), int64(r.DischargeWh), int64(r.ConsumedWh), int64(r.ResidualWh)} {
			rec = append(rec, strconv.FormatInt(wh, 10))
		}
		if err := ex.w.Write(append(rec, number(r.Coverage), r.Method.String())); err != nil {
			return err
		}
		ex.rows++
	}
	return nil
}

func (ex *exporter) balancePiece(ctx context.Context, st store.Balances, districtID string, sp timegrid.Span) error {
	rows, err := st.Balances(ctx, districtID, "", sp)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if !strings.HasPrefix(r.District+"/"+r.Site+"/", ex.prefix) {
			continue
		}
		rec := []string{r.District, r.Site, r.Start.UTC().Format(time.RFC3339), number(r.Step.Minutes())}
		for _, wh := range []int64{int64(r.ImportWh), int64(r.ExportWh), int64(r.ProductionWh), int64(r.ChargeWh), int64(r.DischargeWh), int64(r.HeatWh), int64(r.CarsWh), int64(r.OtherWh),
			int64(r.ResidualWh), int64(r.SharedWh), int64(r.StationResidualWh)} {
			rec = append(rec, strconv.FormatInt(wh, 10))
		}
		rec = append(rec, number(r.CostEUR), number(r.CarbonKg), number(r.BaselineCostEUR), number(r.BaselineCarbonKg), number(r.Coverage), strconv.FormatBool(r.Substituted), r.Method.String())
		if err := ex.w.Write(rec); err != nil {
			return err
		}
		ex.rows++
	}
	return nil
}

// number writes a value such that reading it gives the same again.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
