package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/cmd/internal/enedis"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/archive"
	"quartier/schemas/timegrid"
)

// csvHeader is the first line of a file of samples.
var csvHeader = []string{"series", "time", "value", "quality"}

const (
	importBatch  = 20_000  // samples that become durable together
	maxImportCSV = 1 << 16 // bytes of the longest line that is read
)

func importCommand() *command {
	return &command{name: "import", does: "Take measurements from a CSV file into the record.",
		usage: `import -c district.yaml FILE [--carbon|--prices|--weather DISTRICT] [--device DISTRICT/SITE/DEVICE] [--stamp begin|end]

The file has the columns series,time,value,quality: a name such as fontaine/ecole/grid/import_kwh,
an RFC 3339 instant, a number in the series' unit, and good, uncertain, bad or substituted (good
when left out). Each sample is one line; a line that cannot be taken is named with its reason and
the rest is taken (exit 2). A file may be imported again: a sample that is there changes nothing.
The balances of the time that the file covers are closed again.
"-" is standard input. An archive of 'quartier export --all' is taken whole.

Load curves of Enedis are taken as they are published: the CSV of a customer's account, the flat CSV of
SGE (R63), and the XML flows R50 and R4x; steps of 5 to 60 minutes, in local time or with offsets. They
become the power of the grid meter at the site of the member with that delivery point; --device names
another. In a CSV a time is the beginning of a step below 15 minutes and the end of others, as the
meters stamp them; --stamp says otherwise.

With --carbon the file is one of éco2mix (the data sets' CSV, RTE's table, the API's JSON) and goes
into the district's carbon intensity; times without a value are named and stay gaps. With --prices it is
a Publication_MarketDocument of ENTSO-E (XML), with --weather a document of Open-Meteo (JSON), of the
feed that the district uses: what has come goes into the record, and a running service plans with the
rest as if it had fetched it. Each piece that cannot be taken is named with its line, or its number in
its list. A file of samples and an archive may be of any length; a document of weather or prices has up to
32 MiB and a file of carbon intensity up to 256 MiB, and a longer one is refused before anything is taken.`,
		run: runImport}
}

func runImport(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	device := c.flags.String("device", "", "`district/site/device` whose load curve a file of Enedis is")
	stamp := c.flags.String("stamp", "", "what the `times` of a load curve in CSV stand for: begin or end of the step")
	carbonOf := c.flags.String("carbon", "", "`district` whose carbon intensity the file holds")
	weatherOf := c.flags.String("weather", "", "`district` whose weather forecast the file holds")
	pricesOf := c.flags.String("prices", "", "`district` whose day-ahead prices the file holds")
	if err := c.parse(1); err != nil {
		return err
	}
	if s := enedis.Stamp(*stamp); s != enedis.ByStep && s != enedis.Begin && s != enedis.End {
		return badInput{fmt.Errorf("quartier import: --stamp %s is neither begin nor end", *stamp)}
	}
	if err := checkDevice(*device); err != nil {
		return err
	}
	if len(c.args) != 1 {
		return badInput{errors.New("quartier import: name one file\nRun 'quartier import -h' for its options")}
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	document, err := feedOf(cfg, *weatherOf, *pricesOf, *carbonOf)
	if err != nil {
		return err
	}
	var intensity *district.District
	if *carbonOf != "" {
		if intensity, err = carbonDistrict(cfg, *carbonOf); err != nil {
			return err
		}
	}
	in, size := c.stdin, int64(0)
	if c.args[0] != "-" {
		f, err := os.Open(c.args[0])
		if err != nil {
			return badInput{fmt.Errorf("quartier import: %w", err)}
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return fmt.Errorf("%s: %w", c.args[0], err)
		}
		if info.IsDir() {
			return badInput{fmt.Errorf("quartier import: %s is a folder, want a CSV file", c.args[0])}
		}
		in, size = f, info.Size()
	}
	st, err := app.OpenStore(ctx, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	whole := bufio.NewReader(in)
	if archive.Is(whole) {
		return importArchive(ctx, c, cfg, st, whole)
	}
	in = whole
	record := &touched{Store: st, spans: map[string]timegrid.Span{}}
	im := &importer{store: record, known: knownSeries(cfg), refuse: func(line int, reason error) { fmt.Fprintf(c.stderr, "%s:%d: %v\n", c.args[0], line, reason) }}
	next := time.Now().Add(2 * time.Second)
	im.progress = func() {
		if time.Now().Before(next) {
			return
		}
		next = time.Now().Add(2 * time.Second)
		part := ""
		if size > 0 {
			part = fmt.Sprintf(", %d %% of the file", im.bytes*100/size)
		}
		fmt.Fprintf(c.stderr, "%d samples taken%s\n", im.taken, part)
	}
	r := withContext(ctx, in)
	buffered := bufio.NewReader(r)
	if document != nil {
		err = im.runFeed(ctx, buffered, document, time.Now(), c.stderr)
	} else if intensity != nil {
		err = im.runCarbon(ctx, buffered, intensity, c.stderr)
	} else if head, _ := buffered.Peek(1024); enedis.Is(head) { // an error of reading comes again
		err = im.runEnedis(ctx, buffered, enedis.Stamp(*stamp), curveTargets(cfg), *device)
	} else {
		err = im.run(ctx, buffered)
	}
	r.Close()
	if err != nil && im.taken > 0 {
		err = fmt.Errorf("%w; the %d samples before are in the record, and the file may be imported again", err, im.taken)
	}
	if err == nil && st.Drain != nil {
		if err = st.Drain(ctx); err != nil {
			err = fmt.Errorf("%d samples are safe in %s and wait for the database; 'quartier run' sends them: %w", im.taken, cfg.File.DataDir, err)
		}
	}
	if err == nil {
		record.close(ctx, cfg, c.stderr)
	}
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	im.nameStrangers(c.stderr)
	fmt.Fprintf(c.stdout, "%d samples taken, %d lines refused\n", im.taken, im.refused)
	if im.refused > 0 {
		return exitError{exitBadInput}
	}
	return nil
}

// importArchive puts the whole record of an archive into this one.
func importArchive(ctx context.Context, c *call, cfg *config.Config, st *app.Record, in io.Reader) error {
	dst, ok := st.Store.(archive.Target)
	if !ok {
		return errors.Join(errors.New("quartier import: this record takes no archive"), st.Close())
	}
	counts, err := archive.Read(ctx, in, dst)
	if err != nil {
		err = fmt.Errorf("%w; what stands before is in the record, and the archive may be imported again", err)
	} else if st.Drain != nil {
		if err = st.Drain(ctx); err != nil {
			err = fmt.Errorf("everything is safe in %s and waits for the database; 'quartier run' sends it: %w", cfg.File.DataDir, err)
		}
	}
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	tellCounts(c.stdout, counts)
	return nil
}

// importer takes a CSV of samples into a store, in pieces.
type importer struct {
	store    appender
	known    func(district.SeriesID) bool // whether the configuration has a place for the series; nil: it is not asked
	refuse   func(line int, reason error) // is told of every line that cannot be taken, from 1
	progress func()                       // is called after each piece

	taken, refused int
	bytes          int64 // read so far
	batch          []district.Sample
	strangers      map[district.SeriesID]bool
	seen           map[district.SeriesID]bool
}

// appender is the part of the record that an import needs.
type appender interface {
	Append(ctx context.Context, samples []district.Sample) error
}

// run reads to the end of in. Its error is one of reading or of the store, or a header that says the columns stand in another order.
func (im *importer) run(ctx context.Context, in io.Reader) error {
	r := bufio.NewReaderSize(in, maxImportCSV)
	im.seen, im.strangers = map[district.SeriesID]bool{}, map[district.SeriesID]bool{}
	for line := 1; ; line++ {
		text, long, err := im.line(r)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line %d: %w", line, err)
		}
		end := err != nil
		if line == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		switch {
		case long:
			im.drop(line, fmt.Errorf("the line is longer than %d bytes", maxImportCSV))
		case strings.TrimSpace(text) == "":
		default:
			if err := im.take(line, text); err != nil {
				return err
			}
		}
		if end || len(im.batch) == importBatch {
			if err := im.flush(ctx); err != nil {
				return err
			}
		}
		if end {
			return nil
		}
	}
}

// line reads one line without its end. Of a line that is too long it returns long and skips the rest.
func (im *importer) line(r *bufio.Reader) (text string, long bool, err error) {
	b, err := r.ReadSlice('\n')
	im.bytes += int64(len(b))
	for errors.Is(err, bufio.ErrBufferFull) {
		long = true
		b, err = r.ReadSlice('\n')
		im.bytes += int64(len(b))
	}
	if long {
		return "", true, err
	}
	return strings.TrimRight(string(b), "\r\n"), false, err
}

// take adds the sample of a line to the batch, or refuses the line. Its error is a header in another order.
func (im *importer) take(line int, text string) error {
	rec, err := splitCSV(text)
	if err == nil && line == 1 && slices.Contains(rec, csvHeader[0]) {
		if len(rec) < 3 || len(rec) > 4 || !slices.Equal(rec, csvHeader[:len(rec)]) {
			return badInput{fmt.Errorf("quartier import: the columns are %q, want %s", text, strings.Join(csvHeader, ","))}
		}
		return nil
	}
	var s district.Sample
	if err == nil {
		s, err = parseSample(rec)
	}
	if err != nil {
		im.drop(line, err)
		return nil
	}
	im.meet(s.Series)
	im.batch = append(im.batch, s)
	return nil
}

// meet notes a series that is taken.
func (im *importer) meet(s district.SeriesID) {
	if im.known != nil && !im.seen[s] {
		im.seen[s] = true
		if !im.known(s) {
			im.strangers[s] = true
		}
	}
}

func (im *importer) drop(line int, reason error) {
	im.refused++
	im.refuse(line, reason)
}

func (im *importer) flush(ctx context.Context) error {
	if len(im.batch) > 0 {
		if err := im.store.Append(ctx, im.batch); err != nil {
			return err
		}
		im.taken += len(im.batch)
		im.batch = im.batch[:0]
	}
	im.progress()
	return nil
}

// nameStrangers tells of the series that were taken and that nothing of the configuration reads: usually a slip of the pen.
func (im *importer) nameStrangers(w io.Writer) {
	names := slices.Sorted(maps.Keys(im.strangers))
	for i, s := range names {
		if i == 10 {
			fmt.Fprintf(w, "note: and %d series more\n", len(names)-i)
			break
		}
		fmt.Fprintf(w, "note: %s was taken, but the configuration has no such device\n", s)
	}
}

// splitCSV splits one line into its fields. A quoted field ends on its line, so that a stray quote costs one line and no more.
func splitCSV(text string) ([]string, error) {
	if !strings.Contains(text, `"`) {
		return strings.Split(text, ","), nil
	}
	rec, err := csv.NewReader(strings.NewReader(text)).Read()
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return nil, fmt.Errorf("column %d: %w", bad.Column, bad.Err)
	}
	return rec, err
}

// parseSample makes a sample of the fields of one line. What it returns is fit for every store.
func parseSample(rec []string) (district.Sample, error) {
	var s district.Sample
	if len(rec) < 3 || len(rec) > 4 {
		return s, fmt.Errorf("%d columns, want %s", len(rec), strings.Join(csvHeader, ","))
	}
	s.Series, s.Source = district.SeriesID(strings.TrimSpace(rec[0])), district.FromImport
	var faults store.Faults
	faults.CheckSeries(s.Series)
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(rec[1]))
	if err != nil {
		faults.Addf("time %.60q is no RFC 3339 instant such as 2026-01-31T12:00:00Z", rec[1])
	} else {
		s.Time = t.UTC()
		faults.CheckTime("sample", s.Time)
	}
	if s.Value, err = strconv.ParseFloat(strings.TrimSpace(rec[2]), 64); err != nil || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		faults.Addf("value %.60q is no finite number", rec[2])
	}
	if len(rec) == 4 {
		if q := strings.TrimSpace(rec[3]); q != "" {
			if s.Quality, err = district.ParseQuality(q); err != nil {
				faults.Addf("%w", err)
			}
		}
	}
	if err := faults.Err(); err != nil {
		return s, oneLine{err}
	}
	return s, nil
}

// oneLine writes an error of several faults on one line.
type oneLine struct{ error }

func (o oneLine) Error() string {
	text := strings.TrimPrefix(o.error.Error(), store.ErrInvalid.Error()+": ")
	return strings.ReplaceAll(text, "\n", "; ")
}

func (o oneLine) Unwrap() error { return o.error }

// knownSeries tells whether a series belongs to a device of the configuration or is a signal of one of its districts.
func knownSeries(cfg *config.Config) func(district.SeriesID) bool {
	devices := map[[3]string]bool{}
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		for _, signal := range []string{"carbon", "tariff", "weather"} {
			devices[[3]string{d.ID, district.DistrictSite, signal}] = true
		}
		for id := range cfg.Feeds {
			devices[[3]string{d.ID, district.DistrictSite, id}] = true
		}
		for site, dev := range d.AllDevices {
			devices[[3]string{d.ID, site, dev.ID}] = true
		}
	}
	return func(s district.SeriesID) bool {
		d, site, dev, _, ok := s.Parts()
		return ok && devices[[3]string{d, site, dev}]
	}
}

// withContext returns a reader whose Read ends with ctx, also while it waits for a terminal or a pipe. Close it when done.
func withContext(ctx context.Context, r io.Reader) io.ReadCloser {
	pr, pw := io.Pipe()
	context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.Copy(pw, r)
		pw.CloseWithError(err)
	}()
	return pr
}
