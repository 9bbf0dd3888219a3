package storetest

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

func outlooks(t *testing.T, s store.Store) {
	row := func(hours int, body string) district.Outlook {
		return district.Outlook{District: "fontaine", At: t0.Add(time.Duration(hours) * time.Hour), Body: []byte(body)}
	}
	get := func(id string, sp timegrid.Span, want ...district.Outlook) {
		t.Helper()
		got, err := s.Outlooks(t.Context(), id, sp)
		must(t, err)
		if len(got) != len(want) {
			t.Fatalf("%d outlooks of %s, want %d", len(got), id, len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("outlook %d is %v, want %v", i, got[i], want[i])
			}
		}
	}
	must(t, s.SaveOutlooks(t.Context(), nil))
	a, b, c := row(0, "a\x00\xff"), row(1, "b"), row(3, "c")
	other := a
	other.District = "verger"
	must(t, s.SaveOutlooks(t.Context(), []district.Outlook{c, other, a, b}))
	get("fontaine", span(t0, 4*time.Hour), a, b, c)
	get("fontaine", span(t0, 3*time.Hour), a, b)
	get("fontaine", span(t0.Add(time.Microsecond), 3*time.Hour), b, c)
	get("verger", span(t0, 4*time.Hour), other)
	get("", span(t0, 4*time.Hour))
	b.Body = []byte("b, corrected")
	must(t, s.SaveOutlooks(t.Context(), []district.Outlook{b}))
	must(t, s.SaveOutlooks(t.Context(), []district.Outlook{b}))
	get("fontaine", span(t0, 4*time.Hour), a, b, c)

	err := s.SaveOutlooks(t.Context(), []district.Outlook{row(5, "kept with the others only"), {District: "", At: t0, Body: []byte("x")}, row(6, "")})
	wantIs(t, err, store.ErrInvalid)
	for _, w := range []string{"outlook 1: the district is empty", "outlook of fontaine at 2026-01-15T05:00:00Z: 0 bytes"} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not name %s", err, w)
		}
	}
	get("fontaine", span(t0, 100*time.Hour), a, b, c)

	// the newest stay, of this district alone; one of a time far ahead, as of a clock that was wrong, takes one place and no more
	many := []district.Outlook{row(20*365*24, "far")}
	for h := range store.KeptOutlooks + 1 {
		many = append(many, row(h, "x"))
	}
	must(t, s.SaveOutlooks(t.Context(), many))
	got, err := s.Outlooks(t.Context(), "fontaine", span(t0, 30*365*24*time.Hour))
	must(t, err)
	if n := len(got); n != store.KeptOutlooks || !got[0].At.Equal(t0.Add(2*time.Hour)) || string(got[n-1].Body) != "far" {
		t.Errorf("%d outlooks are kept from %v on, want %d from %v on", n, got[0].At, store.KeptOutlooks, t0.Add(2*time.Hour))
	}
	get("verger", span(t0, 4*time.Hour), other)
}
