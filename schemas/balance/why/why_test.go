package why

import (
	"slices"
	"testing"
	"time"
)

// TestWords: every code has words in both languages, which are about the same values, and no two codes say the same.
func TestWords(t *testing.T) {
	said := map[string]Code{}
	for code, w := range Codes() {
		en, fr := placeholder.FindAllString(w.EN, -1), placeholder.FindAllString(w.FR, -1)
		slices.Sort(en)
		slices.Sort(fr)
		if w.EN == "" || w.FR == "" || w.EN == w.FR || !slices.Equal(en, fr) {
			t.Errorf("%s says %q and %q", code, w.EN, w.FR)
		}
		for _, text := range []string{w.EN, w.FR} {
			if other, twice := said[text]; twice {
				t.Errorf("%s and %s both say %q", code, other, text)
			}
			said[text] = code
		}
	}
	for language, names := range carriers {
		if len(names) != len(carriers["en"]) {
			t.Errorf("%d carriers have names in %s", len(names), language)
		}
	}
}

// TestIn: values are written as the language does; what is missing stays to be seen.
func TestIn(t *testing.T) {
	day := Day(time.Date(2026, 1, 31, 5, 0, 0, 0, time.UTC))
	for _, tt := range []struct {
		r      Reason
		en, fr string
	}{
		{Reason{LowCoverage, map[string]any{"coverage": Share(0.9), "least": Share(0.955)}}, "coverage 90.0 % is below the profile's 95.5 %", "la couverture de 90,0\u202f% est inférieure aux 95,5\u202f% du profil"},
		{Reason{FewDays, map[string]any{"days": 31, "needed": 56}}, "31 days were measured in this year and the last, 56 are needed", "31 jours ont été mesurés cette année et l’année passée, il en faut 56"},
		{Reason{NoFactor, map[string]any{"profile": "a v1", "carrier": Carrier("hot_water"), "day": day}}, "profile a v1 has no factor for hot water on 2026-01-31", "le profil a v1 n’a pas de facteur pour l’eau chaude le 31/01/2026"},
		{Reason{NoCarrierFactor, map[string]any{"profile": "a v1", "carrier": Carrier("steam")}}, "profile a v1 has no factor for steam, which the district meters, and does not leave it out", "le profil a v1 n’a pas de facteur pour steam, que le quartier mesure, et ne l’exclut pas"},
		{Of(DayMissing), "{day} was not measured", "le {day} n’a pas été mesuré"},
		{Of("new_one"), "new_one", "new_one"},
		{Reason{}, "", ""},
	} {
		if en, fr := tt.r.In("en"), tt.r.In("fr"); en != tt.en || fr != tt.fr {
			t.Errorf("%s says %q and %q, want %q and %q", tt.r.Code, en, fr, tt.en, tt.fr)
		}
	}
	if err := error(&Error{Of(NoRows)}); err.Error() != "nothing was measured" {
		t.Errorf("as an error %q", err)
	}
}
