package timescale

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

func openAt(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

const pv = district.SeriesID("fontaine/ecole/pv/power_kw")

func seconds(from, to int) []district.Sample {
	var out []district.Sample
	for i := from; i < to; i++ {
		out = append(out, district.Sample{Series: pv, Time: t0.Add(time.Duration(i) * time.Second), Value: float64(i)})
	}
	return out
}

// TestStore: the store keeps its contract.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openAt(t, storetest.Database(t)) })
}

// TestPlainPostgreSQL: it keeps its contract where TimescaleDB may not be used, says so, and turns the plain table into a hypertable, rows and all, when
// it may be used later.
func TestPlainPostgreSQL(t *testing.T) {
	plain := storetest.PlainDatabase(t)
	t.Run("contract", func(t *testing.T) { // whose parts run side by side: all are done before the extension comes
		storetest.Run(t, func(t *testing.T) store.Store {
			s := openAt(t, storetest.Schema(t, plain))
			if s.hyper || !strings.Contains(s.server, "without TimescaleDB") {
				t.Fatalf("server %q, hypertable %v; want a plain table", s.server, s.hyper)
			}
			return s
		})
	})

	own := storetest.Schema(t, plain)
	s := openAt(t, own)
	must(t, s.Append(t.Context(), seconds(0, 1000)))
	must(t, s.Close())
	must(t, storetest.Exec(t.Context(), storetest.Superuser(t, plain), "create extension timescaledb"))
	s = openAt(t, own)
	st, err := s.Stats(t.Context())
	must(t, err)
	if !s.hyper || !strings.Contains(st.Version, "TimescaleDB 2.") {
		t.Errorf("after the extension came: version %q, hypertable %v", st.Version, s.hyper)
	}
	must(t, s.Append(t.Context(), seconds(900, 1100)))
	if got := count(t, s); got != 1100 {
		t.Errorf("%d samples after the change, want 1100", got)
	}
}

func count(t testing.TB, s *Store) (n int) {
	t.Helper()
	must(t, s.Read(t.Context(), []district.SeriesID{pv}, timegrid.Span{Start: t0, End: t0.Add(24 * time.Hour)}, func(district.Sample) error {
		n++
		return nil
	}))
	return n
}

// TestSchema: what people with SQL see is as it is promised; samples are a hypertable with one index and the versions are told.
func TestSchema(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	must(t, s.Append(t.Context(), []district.Sample{{Series: pv, Time: t0, Value: -2.5, Quality: district.Substituted}}))
	var at time.Time
	var series string
	var value float64
	var quality int
	must(t, s.pool.QueryRow(t.Context(), "select time, series, value, quality from samples").Scan(&at, &series, &value, &quality))
	if !at.Equal(t0) || series != string(pv) || value != -2.5 || quality != 3 {
		t.Errorf("the view samples shows %v %s %v %d", at, series, value, quality)
	}
	var indexes int
	must(t, s.pool.QueryRow(t.Context(), "select count(*) from pg_indexes where schemaname=current_schema() and tablename='sample'").Scan(&indexes))
	if indexes != 1 {
		t.Errorf("samples have %d indexes, want the one", indexes)
	}
	st, err := s.Stats(t.Context())
	must(t, err)
	for _, w := range []string{"PostgreSQL ", "TimescaleDB ", "edition"} {
		if !strings.Contains(st.Version, w) {
			t.Errorf("version %q does not name %s", st.Version, w)
		}
	}
	if !s.hyper || !st.DatabaseUp || st.Bytes == 0 {
		t.Errorf("hypertable %v, stats %+v", s.hyper, st)
	}
}

// TestRepeated: a batch that was written, wholly or in part, writes only what differs, and leaves no dead rows for what does not.
func TestRepeated(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	must(t, s.Append(t.Context(), seconds(0, 1000)))
	var before, after int
	must(t, s.pool.QueryRow(t.Context(), "select count(distinct xmin::text) from sample").Scan(&before))
	must(t, s.Append(t.Context(), seconds(0, 1000)))
	must(t, s.pool.QueryRow(t.Context(), "select count(distinct xmin::text) from sample").Scan(&after))
	if before != 1 || after != 1 {
		t.Errorf("rows are of %d and then %d transactions, want 1: a repetition changes nothing", before, after)
	}
	changed := seconds(500, 1500)
	changed[0].Value = -1
	must(t, s.Append(t.Context(), changed))
	if got := count(t, s); got != 1500 {
		t.Errorf("%d samples, want 1500", got)
	}
	must(t, s.pool.QueryRow(t.Context(), "select count(*) from sample where xmin::text = (select xmin::text from sample where value=-1)").Scan(&after))
	if after != 501 {
		t.Errorf("the overlapping batch wrote %d rows, want the 500 new ones and the changed one", after)
	}
}

// TestOpenTogether: several processes that open an empty database at once make one schema.
func TestOpenTogether(t *testing.T) {
	url := storetest.Database(t)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			s, err := Open(t.Context(), url, Options{MaxConns: 2})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Append(t.Context(), seconds(0, 100)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, openAt(t, url)); n != 100 {
		t.Errorf("%d samples, want 100", n)
	}
}

// TestWritersTogether: stores that write the same rows in different orders end one another's transactions in the server; none of them fails.
func TestWritersTogether(t *testing.T) {
	url := storetest.Database(t)
	var wg sync.WaitGroup
	for w := range 4 {
		s := openAt(t, url)
		wg.Go(func() {
			for round := range 15 {
				var in []district.Sample
				for i := range 40 {
					name := district.SeriesID(fmt.Sprintf("fontaine/s%d/meter/power_kw", i%8))
					in = append(in, district.Sample{Series: name, Time: t0.Add(time.Duration(round*5+i/8) * time.Second), Value: float64(w)})
				}
				if w%2 == 1 {
					slices.Reverse(in)
				}
				if err := s.Append(t.Context(), in); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
}

// TestOpenRefuses: what cannot be opened is named with its cause, without a password.
func TestOpenRefuses(t *testing.T) {
	newer := storetest.Database(t)
	s := openAt(t, newer)
	_, err := s.pool.Exec(t.Context(), "insert into schema_version(version, name) values(99, 'of the future')")
	must(t, err)
	u, err := url.Parse(newer)
	must(t, err)
	u.User = url.UserPassword("nobody", "s3cret")
	nobody := u.String()
	u.Host = "127.0.0.1:1"
	for _, tt := range []struct {
		name, url string
		words     []string
	}{
		{"a newer schema", newer, []string{"version 99", "newer"}},
		{"no such role", nobody, []string{"nobody"}},
		{"no server", u.String(), []string{"127.0.0.1:1", "refused"}},
		{"no URL", "postgres://127.0.0.1:port/x", []string{"URL"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(t.Context(), tt.url, Options{})
			if err == nil {
				s.Close()
				t.Fatal("it opened")
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("error %q tells the password", err)
			}
		})
	}
}

// TestRefused: only data at fault is refused for ever; a lost connection or a full disk is not.
func TestRefused(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	_, tooBig := s.pool.Exec(t.Context(), "insert into users values('x','','','','','',now(),false), ('x','','','','','',now(),false)")
	_, notNull := s.pool.Exec(t.Context(), "insert into users(name) values('x')")
	_, badText := s.pool.Exec(t.Context(), "select $1::text", "\x00")
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"missing value": {notNull, true}, "zero byte": {badText, true}, "duplicate": {tooBig, false}, "cancelled": {context.Canceled, false}, "none": {nil, false},
		"other": {errors.New("connection reset"), false},
	} {
		if got := Refused(tt.err); got != tt.want {
			t.Errorf("%s (%v): refused %v, want %v", name, tt.err, got, tt.want)
		}
	}
	if err := s.Apply(t.Context(), &batch.Batch{Kind: 99}); err == nil {
		t.Error("a batch of an unknown kind was applied")
	}
}
