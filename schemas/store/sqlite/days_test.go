package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/storetest"
)

// TestDamagedDays: a sum that was damaged on the disk is made again from its slots.
func TestDamagedDays(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	storetest.DamagedDays(t, s, func() {
		_, err := s.conn.ExecContext(t.Context(), "update day_sums set body=substr(body, 2)")
		must(t, err)
	}, func() (n int) {
		must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from summed_days where claim is null").Scan(&n))
		return n
	})
}

// TestRetiredDays: the sums of days stay when only samples are removed, since their rows do.
func TestRetiredDays(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10 {
		at := start.AddDate(0, 0, i)
		must(t, s.Append(t.Context(), []district.Sample{{Series: "fontaine/ecole/pv/power_kw", Time: at, Value: 1}}))
		must(t, s.SaveBalances(t.Context(), []balance.Row{{District: "fontaine", Site: "_", Start: at, Step: 15 * time.Minute}}))
	}
	end := start.AddDate(0, 0, 10)
	must(t, s.Refresh(t.Context(), end))
	must(t, s.SumBalances(t.Context(), "fontaine", time.UTC, end))
	done, err := s.Retire(t.Context(), start.AddDate(0, 0, 7))
	must(t, err)
	var kept int
	must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from summed_days where claim is null").Scan(&kept))
	if !done || kept != 10 {
		t.Errorf("retired: %v, %d days are kept, want 10", done, kept)
	}
}

// TestObservedKept: what was observed is kept by day until what it rests on changes.
func TestObservedKept(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	storetest.ObservedKept(t, s, func() {
		_, err := s.conn.ExecContext(t.Context(), "update day_sums set body=substr(body, 2)")
		must(t, err)
	})
}

// TestForgottenDays: what nobody asks for any more goes.
func TestForgottenDays(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	storetest.ForgottenDays(t, s, func() map[string]int {
		out := map[string]int{}
		rows, err := s.readers.QueryContext(t.Context(), "select scope, count(*) from (select scope from summed_days where district='fontaine' union all select scope from day_sums where district='fontaine') group by scope")
		must(t, err)
		defer rows.Close()
		for rows.Next() {
			var scope string
			var n int
			must(t, rows.Scan(&scope, &n))
			out[scope] = n
		}
		must(t, rows.Err())
		return out
	})
}
