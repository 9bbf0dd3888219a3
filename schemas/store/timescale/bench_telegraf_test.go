package timescale

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store/storetest"
)

const telegrafVersion = "v1.37.2"

// telegraf builds Telegraf from its own module, with the versions that it asks for: it is no dependency of ours.
func telegraf(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	run := func(args ...string) []byte {
		cmd := exec.CommandContext(b.Context(), "go", args...)
		cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off"), b.Output()
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("go %s: %v", args[0], err)
		}
		return out
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(run("mod", "download", "-json", "github.com/influxdata/telegraf@"+telegrafVersion), &module); err != nil {
		b.Fatal(err)
	}
	program := filepath.Join(dir, "telegraf")
	run("build", "-C", module.Dir, "-tags", "custom,inputs.file,parsers.influx,outputs.postgresql", "-o", program, "./cmd/telegraf")
	return program
}

// BenchmarkTelegraf is the rate at which Telegraf's PostgreSQL output writes the samples of a file, against appends of the same in batches of the same size: into the table that it makes
// by itself, which has no key, and into a hypertable with the unique key that a repetition needs. Telegraf reads a file of line protocol once and ends when all is written; the time that it takes for
// a file of one sample is taken off.
//
//	go test ./schemas/store/timescale -run '^$' -bench Telegraf -benchtime 1x
func BenchmarkTelegraf(b *testing.B) {
	const rows, size = 200_000, 20_000
	program := telegraf(b)
	in := device(rows, 0)
	dir := b.TempDir()
	all, one := filepath.Join(dir, "all"), filepath.Join(dir, "one")
	var text strings.Builder
	for i := range in {
		fmt.Fprintf(&text, "sample,series=%s value=%v,quality=0i,source=0i %d\n", in[i].Series, in[i].Value, in[i].Time.UnixNano())
		if i == 0 {
			must(b, os.WriteFile(one, []byte(text.String()), 0o600))
		}
	}
	must(b, os.WriteFile(all, []byte(text.String()), 0o600))
	// once lets Telegraf write a file into a schema of its own, and returns how long that took
	once := func(file string, templates ...string) time.Duration {
		database := storetest.Database(b)
		u, err := url.Parse(database)
		must(b, err)
		schema, _, _ := strings.Cut(u.Query().Get("search_path"), ",")
		conf := filepath.Join(dir, "telegraf.conf")
		list := ""
		for _, t := range templates {
			list += fmt.Sprintf("%q, ", t)
		}
		if list != "" {
			list = "  create_templates = [" + list + "]\n"
		}
		must(b, os.WriteFile(conf, fmt.Appendf(nil, `[agent]
  omit_hostname = true
  metric_batch_size = %d
  metric_buffer_limit = %d
[[inputs.file]]
  files = [%q]
  data_format = "influx"
[[outputs.postgresql]]
  connection = %q
  schema = %q
%s`, size, 2*rows, file, database, schema, list), 0o600))
		cmd := exec.CommandContext(b.Context(), program, "--once", "--quiet", "--config", conf)
		began := time.Now()
		out, err := cmd.CombinedOutput()
		took := time.Since(began)
		if err != nil {
			b.Fatalf("telegraf: %v: %s", err, out)
		}
		c, err := pgx.Connect(b.Context(), database)
		must(b, err)
		defer c.Close(context.Background())
		var n int
		must(b, c.QueryRow(b.Context(), "select count(*) from sample where series is not null").Scan(&n))
		if want := strings.Count(text.String(), "\n"); file == all && n != want {
			b.Fatalf("telegraf wrote %d rows, want %d: %s", n, want, out)
		}
		return took
	}
	keyed := []string{"create table {{ .table }} ({{ .columns }})",
		"select create_hypertable({{ .table|quoteLiteral }}, by_range('time', interval '1 day'), create_default_indexes=>false)",
		"create unique index on {{ .table }} (series, time)"}
	start := once(one)
	var ours, plain, unique time.Duration
	for b.Loop() {
		s := openAt(b, storetest.Database(b))
		must(b, s.Append(b.Context(), device(300, -1)))
		began := time.Now()
		for i := 0; i < rows; i += size {
			must(b, s.Append(b.Context(), in[i:i+size]))
		}
		ours += time.Since(began)
		plain += once(all) - start
		unique += once(all, keyed...) - start
	}
	rate := func(d time.Duration) float64 { return float64(rows*b.N) / d.Seconds() }
	b.ReportMetric(rate(ours), "append-rows/s")
	b.ReportMetric(rate(plain), "telegraf-rows/s")
	b.ReportMetric(rate(unique), "telegraf-keyed-rows/s")
	b.ReportMetric(rate(ours)/rate(plain), "of-telegraf")
	b.ReportMetric(rate(ours)/rate(unique), "of-telegraf-keyed")
	b.ReportMetric(0, "ns/op")
}
