package app

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
)

// counting counts the reads of a record.
type counting struct {
	store.Store
	reads int
}

func (c *counting) Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	c.reads++
	return c.Store.Read(ctx, series, sp, yield)
}

// TestReadAhead: whatever is asked for, in whatever order, comes as the record itself has it; a month day by day needs few reads of it, and a read of one series in between does not spoil that.
func TestReadAhead(t *testing.T) {
	file, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	ids := []district.SeriesID{"d/a/grid/import_kwh", "d/a/grid/export_kwh", "d/b/grid/import_kwh", "d/b/none/import_kwh"}
	var samples []district.Sample
	for at := march; at.Before(march.AddDate(0, 0, 40)); at = at.Add(37 * time.Minute) {
		for i, id := range ids[:3] {
			samples = append(samples, district.Sample{Series: id, Time: at, Value: at.Sub(march).Hours() + float64(i)})
		}
	}
	if err := file.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	st := &counting{Store: file}
	a := &ahead{Store: st}
	same := func(series []district.SeriesID, sp timegrid.Span) {
		t.Helper()
		var got, want []district.Sample
		for from, into := range map[interface {
			Read(context.Context, []district.SeriesID, timegrid.Span, func(district.Sample) error) error
		}]*[]district.Sample{a: &got, file: &want} {
			if err := from.Read(t.Context(), series, sp, func(s district.Sample) error { *into = append(*into, s); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v in %v: %d samples, the record has %d", series, sp, len(got), len(want))
		}
	}
	for day := range 30 {
		sp := timegrid.NewSpan(march.AddDate(0, 0, day).Add(-margin), march.AddDate(0, 0, day+1).Add(margin))
		same(ids, sp)
		same(ids[1:2], timegrid.NewSpan(sp.Start.Add(-24*time.Hour), sp.End))
	}
	if st.reads > 20 {
		t.Errorf("30 days took %d reads of the record", st.reads)
	}
	for range 300 {
		from := march.Add(time.Duration(rand.Int64N(int64(45 * 24 * time.Hour))))
		some := slices.Clone(ids)
		rand.Shuffle(len(some), func(i, k int) { some[i], some[k] = some[k], some[i] })
		same(some[:1+rand.IntN(len(some))], timegrid.NewSpan(from, from.Add(time.Duration(rand.Int64N(int64(12*24*time.Hour))))))
	}
}
