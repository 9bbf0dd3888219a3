package timescale

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/archive"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// TestDump: pg_dump and pg_restore, as the README describes them, bring every row back, rows and packs and rollups alike, and the record goes on there.
func TestDump(t *testing.T) {
	url, other := storetest.OwnDatabase(t), storetest.OwnDatabase(t)
	s := openAt(t, url)
	var in []district.Sample
	for i := range 4 * 1440 {
		at := t0.Add(time.Duration(i) * time.Minute)
		in = append(in, district.Sample{Series: pv, Time: at, Value: float64(i) / 7}, district.Sample{Series: "fontaine/ecole/meter/import_kwh", Time: at, Value: float64(i) / 100, Quality: district.Uncertain})
	}
	must(t, s.Append(t.Context(), in))
	must(t, s.SaveBalances(t.Context(), []balance.Row{{District: "fontaine", Site: "_", Start: t0, Step: 15 * time.Minute, ImportWh: 7}}))
	_, err := s.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0})
	must(t, err)
	must(t, s.AppendEvent(t.Context(), store.Event{Time: t0, Kind: store.AuditEvent, Action: "test"}))
	must(t, s.Refresh(t.Context(), t0.Add(72*time.Hour)))
	must(t, s.Pack(t.Context(), t0.Add(50*time.Hour)))

	var dump bytes.Buffer
	run := func(cmd *exec.Cmd) {
		t.Helper()
		var said bytes.Buffer
		cmd.Stderr = &said
		if err := cmd.Run(); err != nil {
			t.Fatalf("%v: %v: %s", cmd.Args, err, said.String())
		}
	}
	cmd := storetest.Program(t, "pg_dump", "-Fc", "-d", url)
	cmd.Stdout = &dump
	run(cmd)
	must(t, storetest.Exec(t.Context(), other, "select timescaledb_pre_restore()"))
	cmd = storetest.Program(t, "pg_restore", "-d", other)
	cmd.Stdin = &dump
	var said bytes.Buffer
	cmd.Stderr = &said
	_ = cmd.Run() // warns of the extension, which is there already; what is missing shows below
	must(t, storetest.Exec(t.Context(), other, "select timescaledb_post_restore()"))
	back := openAt(t, other)

	everything := func(s *Store) string {
		t.Helper()
		var out bytes.Buffer
		_, err := archive.Write(t.Context(), &out, s, []string{"fontaine"})
		must(t, err)
		must(t, s.Rollup(t.Context(), []district.SeriesID{pv}, timegrid.Span{Start: t0, End: t0.Add(100 * time.Hour)}, rollup.Quarter, time.UTC, func(r rollup.Row) error {
			_, err := fmt.Fprintf(&out, "%+v\n", r)
			return err
		}))
		for _, table := range []string{"sample", "pack", "rollups", "dirty", "record_state"} {
			var n int
			must(t, s.pool.QueryRow(context.Background(), "select count(*) from "+table).Scan(&n))
			fmt.Fprintf(&out, "%d rows of %s\n", n, table)
		}
		return out.String()
	}
	if everything(back) != everything(s) {
		t.Errorf("the restored record is another one; pg_restore said %s", said.String())
	}
	if !back.hyper {
		t.Error("samples are no hypertable after the restoration")
	}
	must(t, back.Append(t.Context(), in[:10]))
	must(t, back.Pack(t.Context(), t0.Add(500*time.Hour)))
	if n := count(t, back); n != 1440 {
		t.Errorf("%d samples of the first day after the restored record was written to, want 1440", n)
	}
}
