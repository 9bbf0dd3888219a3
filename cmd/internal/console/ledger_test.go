package console_test

import (
	"bytes"
	"encoding/csv"
	"testing"

	"quartier/schemas/district"
)

// TestLedgerIsFilteredAndTakenAway: lines of one outcome are found beyond those of others, and the CSV has each line of its span and filter once, the oldest first.
func TestLedgerIsFilteredAndTakenAway(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	const path = "/api/districts/fontaine/setpoints"
	all := get[[]district.Setpoint](b, path+"?hours=48&limit=2000")
	want := map[district.Outcome]int{}
	for i, l := range all {
		want[l.Outcome]++
		if i > 0 && l.Time.After(all[i-1].Time) {
			t.Errorf("line %d of %v comes after one of %v", i, l.Time, all[i-1].Time)
		}
	}
	if len(all) != 40 || len(want) != 3 {
		t.Fatalf("%d lines of %d outcomes, want 40 of 3", len(all), len(want))
	}
	if few := get[[]district.Setpoint](b, path+"?hours=48&limit=7"); len(few) != 7 || few[6].Time != all[6].Time {
		t.Errorf("the newest 7 lines are %+v", few)
	}
	for outcome, n := range want {
		list := get[[]district.Setpoint](b, path+"?hours=48&outcome="+string(outcome))
		for _, l := range list {
			if l.Outcome != outcome {
				t.Errorf("among the %s ones is %+v", outcome, l)
			}
		}
		if len(list) != n {
			t.Errorf("%d lines are %s, want %d", len(list), outcome, n)
		}
	}
	if two := get[[]district.Setpoint](b, path+"?hours=48&outcome=clipped&limit=2"); len(two) != 2 || two[0].Outcome != district.Clipped || two[1].Outcome != district.Clipped {
		t.Errorf("two clipped lines are %+v", two)
	}
	if none := get[[]district.Setpoint](b, path+"?hours=48&device=meter"); len(none) != 0 {
		t.Errorf("the meter was sent %+v", none)
	}
	if status, body := b.do("GET", path+"?outcome=lucky", nil); status != 422 {
		t.Errorf("an unknown outcome answered %d %s", status, body)
	}

	span := "?start=2026-01-12T00:00:00Z&end=2026-01-15T00:00:00Z"
	for filter, n := range map[string]int{"": 40, "&outcome=held": want[district.Held], "&site=ecole&device=battery-1": 40, "&site=parking": 0} {
		status, body := b.do("GET", path+".csv"+span+filter, nil)
		rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if status != 200 || err != nil || len(rows) != n+1 {
			t.Fatalf("the CSV of %q answered %d, %v, %d lines, want %d", filter, status, err, len(rows)-1, n)
		}
		for i := 2; i < len(rows); i++ {
			if rows[i][0] <= rows[i-1][0] {
				t.Errorf("line %d of the CSV, of %s, does not come after %s", i, rows[i][0], rows[i-1][0])
			}
		}
	}
	if status, body := b.do("GET", path+".csv?start=2026-01-15T00:00:00Z&end=2026-01-12T00:00:00Z", nil); status != 422 {
		t.Errorf("a span that ends before it starts answered %d %s", status, body)
	}
	if status, _ := f.signedIn("resident").do("GET", path+".csv"+span, nil); status != 403 {
		t.Errorf("a resident's look answered %d, want 403", status)
	}
}
