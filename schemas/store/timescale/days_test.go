package timescale

import (
	"testing"

	"quartier/schemas/store/storetest"
)

// TestDamagedDays: a sum that was damaged on the disk is made again from its slots.
func TestDamagedDays(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	storetest.DamagedDays(t, s, func() {
		_, err := s.pool.Exec(t.Context(), "update day_sums set body=substr(body, 2)")
		must(t, err)
	}, func() (n int) {
		must(t, s.pool.QueryRow(t.Context(), "select count(*) from summed_days where claim is null").Scan(&n))
		return n
	})
}

// TestObservedKept: what was observed is kept by day until what it rests on changes.
func TestObservedKept(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	storetest.ObservedKept(t, s, func() {
		_, err := s.pool.Exec(t.Context(), "update day_sums set body=substr(body, 2)")
		must(t, err)
	})
}

// TestForgottenDays: what nobody asks for any more goes.
func TestForgottenDays(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	storetest.ForgottenDays(t, s, func() map[string]int {
		out := map[string]int{}
		rows, err := s.pool.Query(t.Context(), "select scope, count(*) from (select scope from summed_days where district='fontaine' union all select scope from day_sums where district='fontaine') x group by scope")
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
