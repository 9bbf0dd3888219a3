package app

import (
	"context"
	"slices"
	"testing"

	"quartier/schemas/balance"
	"quartier/schemas/timegrid"
)

// asked tells what rows were asked for.
type asked struct {
	records
	of []string
}

func (a *asked) Balances(_ context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error) {
	a.of = append(a.of, districtID+"/"+site)
	return []balance.Row{{District: districtID, Site: site, Start: sp.Start}}, nil
}

// TestReportsOfManyMembers: the rows of a district are read once for all of its members, those of a site once for its members, and each answer is that of what was asked for.
func TestReportsOfManyMembers(t *testing.T) {
	a := &asked{}
	r := &recalled{records: a}
	months := []timegrid.Span{timegrid.NewSpan(march, march.AddDate(0, 1, 0)), timegrid.NewSpan(march.AddDate(0, 1, 0), march.AddDate(0, 2, 0))}
	for _, districtID := range []string{"d", "e"} {
		for _, site := range []string{"flats", "flats", "flats", "school"} {
			for _, sp := range months {
				for _, of := range []string{site, "_"} {
					rows, err := r.Balances(t.Context(), districtID, of, sp)
					if err != nil || len(rows) != 1 || rows[0].District != districtID || rows[0].Site != of || !rows[0].Start.Equal(sp.Start) {
						t.Fatalf("%s/%s: %+v, %v", districtID, of, rows, err)
					}
				}
			}
		}
	}
	want := []string{"d/flats", "d/_", "d/flats", "d/_", "d/school", "d/school", "e/flats", "e/_", "e/flats", "e/_", "e/school", "e/school"}
	if !slices.Equal(a.of, want) {
		t.Errorf("read %v, want %v", a.of, want)
	}
}
