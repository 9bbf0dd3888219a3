package storetest

import (
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// ForgottenDays: of a record that keeps all days, days of an observation and of a boundary that nobody asks for any more go when they are a week behind, with their places on the list; those that another program still asks for stay, and so do
// those of every site. scopes returns how many rows of each scope of district fontaine are on the list and among the sums together.
func ForgottenDays(t *testing.T, s store.Store, scopes func() map[string]int) {
	zone := paris(t)
	first := time.Date(2026, 3, 20, 23, 0, 0, 0, time.UTC) // a midnight in Paris
	var summed atomic.Int64
	was, is, others := watching("was", zone, &summed, tank), watching("is", zone, &summed, pv), watching("others", zone, &summed, pv)
	old := balance.Together("mairie", "_")
	saved := first
	measure := func(days int) (now time.Time) {
		now = timegrid.Day(first.AddDate(0, 0, days), zone).Start.Add(time.Hour)
		var rows []balance.Row
		for at := saved; at.Before(now); at = at.Add(12 * time.Hour) {
			for _, site := range []string{"_", "ecole", "mairie"} {
				rows = append(rows, balance.Row{District: "fontaine", Site: site, Start: at, Step: time.Hour, ImportWh: 5})
			}
			saved = at.Add(12 * time.Hour)
		}
		must(t, s.SaveBalances(t.Context(), rows))
		must(t, s.Refresh(t.Context(), now))
		return now
	}
	keep := func(now time.Time, boundaries []string, list ...store.Observation) {
		t.Helper()
		must(t, s.SumBalances(t.Context(), "fontaine", zone, now, boundaries...))
		for _, o := range list {
			must(t, s.SumObserved(t.Context(), o, zone, now))
		}
	}
	check := func(what string, now time.Time, there, gone []string) {
		t.Helper()
		got := scopes()
		for _, scope := range there {
			if got[scope] == 0 {
				t.Errorf("%s: the days of %.40q are gone", what, scope)
			}
		}
		for _, scope := range gone {
			if got[scope] != 0 {
				t.Errorf("%s: %d rows of the days of %.40q stay", what, got[scope], scope)
			}
		}
		asSlots(t, s, "fontaine", timegrid.Span{Start: first.Add(-time.Hour), End: now}, []*time.Location{zone})
	}
	now := measure(5)
	keep(now, []string{bothSites, old}, was, others)
	check("at first", now, []string{"", bothSites, old, "observed/was", "observed/others"}, nil)
	now = measure(9)
	keep(now, []string{bothSites}, is)
	check("after some days", now, []string{"", bothSites, old, "observed/was", "observed/others", "observed/is"}, nil)
	now = measure(14)
	keep(now, []string{bothSites}, others, is)
	check("after more than a week", now, []string{"", bothSites, "observed/others", "observed/is"}, []string{old, "observed/was"})
	summed.Store(0)
	days, err := s.ObservedDays(t.Context(), was, timegrid.Span{Start: first, End: first.AddDate(0, 0, 3)}, zone)
	must(t, err)
	if len(days) != 3 || summed.Load() != 3 {
		t.Errorf("%d days of what was forgotten, of which %d are summed again", len(days), summed.Load())
	}
	keep(now, []string{bothSites, old}, was)
	check("asked for again", now, []string{old, "observed/was", "observed/others"}, nil)
}
