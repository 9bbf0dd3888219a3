package storetest

import (
	"math/rand/v2"
	"testing"
	"time"

	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// DamagedDays checks that sums of days which were damaged on the disk are seen to be, and made again from the slots: damage breaks what is kept of every day, and kept counts the days that are on the list.
func DamagedDays(t *testing.T, s store.Store, damage func(), kept func() int) {
	zones := []*time.Location{paris(t)}
	sp := span(t0, 72*time.Hour)
	rows, others := someRows(rand.New(rand.NewPCG(4, 4)), "fontaine", sp)
	must(t, s.SaveBalances(t.Context(), rows))
	must(t, s.SaveCarriers(t.Context(), others))
	for range 2 {
		must(t, s.SumBalances(t.Context(), "fontaine", zones[0], sp.End))
		if n := kept(); n != 3 {
			t.Fatalf("%d days are kept, want 3", n)
		}
		damage()
		asSlots(t, s, "fontaine", timegrid.Span{Start: sp.Start.Add(-time.Hour), End: sp.End.Add(time.Hour)}, zones)
		if n := kept(); n != 0 {
			t.Errorf("%d days are kept whose sums are damaged", n)
		}
	}
}
