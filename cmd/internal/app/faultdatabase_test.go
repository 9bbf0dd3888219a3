package app

import (
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/district"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
)

// TestDatabaseGoesAndComes: while the database is away, which is killed in the middle of what it is told, the house of the fault campaign is measured and held to its limits as before, an alarm names the
// database and why, and everything is in it once it is back, with nobody's help. It is no row of the campaign, since a real server does not run in the time of a bubble.
func TestDatabaseGoesAndComes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds of the machine's time")
	}
	t.Parallel()
	direct := storetest.Database(t)
	proxy, through := storetest.DatabaseProxy(t, direct)
	db, err := timescale.Open(t.Context(), direct, timescale.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	begin := time.Now()
	s := newStage(t, t.TempDir(), setting{at: begin})
	defer func() {
		if t.Failed() {
			t.Logf("log:\n%s", s.log)
		}
	}()
	s.run(2 * time.Second)
	s.restart(through)
	grid := s.cfg.Districts[0].Device(faultSite, "grid").Series(faultDistrict, faultSite, district.PowerKW)
	times := func() (at []time.Time) {
		if err := db.Read(t.Context(), []district.SeriesID{grid}, timegrid.NewSpan(begin.Add(-time.Minute), begin.Add(time.Hour)), func(x district.Sample) error { at = append(at, x.Time); return nil }); err != nil {
			t.Fatal(err)
		}
		return at
	}
	down := func() (detail string) {
		for _, a := range s.alarms() {
			if a.Key == "database-down" {
				detail = a.Object + ": " + a.Detail
			}
		}
		return detail
	}
	within := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(2 * time.Minute); !ok(); s.run(time.Second) {
			if time.Now().After(end) {
				t.Fatalf("not within two minutes: %s; alarms %v", what, s.alarms())
			}
		}
	}
	within("measurements are in the database", func() bool { return len(times()) >= 2 })
	if d := down(); d != "" {
		t.Errorf("alarm before the database is away: %s", d)
	}
	s.run(2 * time.Second)
	s.watchFrom = len(s.truth)
	proxy.Cut()
	cut := time.Now()
	within("an alarm", func() bool { return down() != "" })
	if d := down(); !strings.HasPrefix(d, faultDistrict+": ") || !strings.Contains(d, "connect") && !strings.Contains(d, "reset") && !strings.Contains(d, "EOF") {
		t.Errorf("the alarm says %q", d)
	}
	s.run(3 * time.Second)
	if other := slices.DeleteFunc(s.alarms(), func(a console.Alarm) bool { return a.Key == "database-down" }); len(other) > 0 {
		t.Errorf("other alarms while the database is away: %v", distinct(other))
	}
	proxy.Mend(t)
	mended := time.Now()
	within("the alarm is over", func() bool { return down() == "" })
	within("what was measured since is in the database", func() bool {
		at := times()
		return len(at) > 0 && at[len(at)-1].After(mended)
	})
	if long, most := s.excess(); long > cycle {
		t.Errorf("the limit was passed for %v at a stretch, by %.2f kW", long, most)
	}
	s.close()
	last := cut.Add(-10 * time.Second)
	for _, at := range times() {
		if at.After(cut.Add(-10*time.Second)) && at.Before(mended) {
			if gap := at.Sub(last); gap > 20*time.Second {
				t.Errorf("no measurement of the connection for %v before %v is in the database, which was away from %v to %v", gap, at, cut, mended)
			}
			last = at
		}
	}
	if mended.Sub(last) > 20*time.Second {
		t.Errorf("the last measurement of the time without the database is of %v, it came back at %v", last, mended)
	}
}
