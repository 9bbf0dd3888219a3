package storetest

import (
	"math"
	"reflect"
	"testing"
	"time"

	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

func figure(subject, kind string, month int, version int, value float64) ledger.Figure {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	f := ledger.Figure{District: "fontaine", Subject: subject, Kind: kind, Period: timegrid.Month(time.Date(2026, time.Month(month), 15, 0, 0, 0, 0, paris), paris),
		Value: value, Unit: "kg", Method: "location-based", MethodVersion: "1", Inputs: []ledger.Input{{Name: "carbon réseau", Count: 2976, SHA256: "ab"}, {Name: "a", Count: 1, SHA256: "cd"}},
		CreatedAt: t0.Add(1234567 * time.Nanosecond), Version: version, Supersedes: version - 1}
	if version > 1 {
		f.Reason = "late data, of a meter that was away"
	}
	return f.Sealed()
}

func figures(t *testing.T, s store.Store) {
	year := timegrid.NewSpan(t0.AddDate(0, -1, 0), t0.AddDate(1, 0, 0))
	if got, err := s.Figures(t.Context(), "fontaine", year); err != nil || len(got) != 0 {
		t.Fatalf("an empty store has figures %v, %v", got, err)
	}
	must(t, s.AppendFigures(t.Context(), nil))
	a, b, c := figure("_", "carbon_kg", 1, 1, 0.1+0.2), figure("ecole", "carbon_kg", 1, 1, -1e-300), figure("_", "carbon_kg", 2, 1, 5)
	must(t, s.AppendFigures(t.Context(), []ledger.Figure{c, b, a}))
	must(t, s.AppendFigures(t.Context(), []ledger.Figure{a, b})) // once more
	second := figure("_", "carbon_kg", 1, 2, 0.4)
	must(t, s.AppendFigures(t.Context(), []ledger.Figure{second}))
	want := []ledger.Figure{a, second, c, b}
	got, err := s.Figures(t.Context(), "fontaine", year)
	must(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("figures came back as\n%+v, want\n%+v", got, want)
	}
	for i := range got {
		if !got[i].Intact() {
			t.Errorf("%s does not match its seal", &got[i])
		}
	}
	if got, err = s.Figures(t.Context(), "fontaine", a.Period); err != nil || len(got) != 3 {
		t.Errorf("January has %d figures, %v; want 3", len(got), err)
	}
	if got, err = s.Figures(t.Context(), "fontaine", timegrid.NewSpan(a.Period.Start, a.Period.End.Add(-time.Second))); err != nil || len(got) != 0 {
		t.Errorf("a span that ends before January has %d figures, %v", len(got), err)
	}
	other := figure("ecole", "cost_eur", 1, 1, 3)
	must(t, s.AppendFigures(t.Context(), []ledger.Figure{other}))
	if got, err = s.Figures(t.Context(), "fontaine", year, "cost_eur", "none_kwh"); err != nil || !reflect.DeepEqual(got, []ledger.Figure{other}) {
		t.Errorf("figures of a kind are %+v, %v; want the one", got, err)
	}
	if got, err = s.Figures(t.Context(), "fontaine", year, "carbon_kg"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("figures of the other kind are %+v, %v; want %+v", got, err, want)
	}
	want = append(want, other)
	ledger.Sort(want)
	if got, err = s.Figures(t.Context(), "other", year); err != nil || len(got) != 0 {
		t.Errorf("another district has %d figures, %v", len(got), err)
	}
	// nothing is overwritten, and nothing else of that call is written
	wantIs(t, s.AppendFigures(t.Context(), []ledger.Figure{figure("_", "new_kg", 3, 1, 1), figure("_", "carbon_kg", 1, 1, 7)}), store.ErrExists)
	if got, err = s.Figures(t.Context(), "fontaine", year); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("after a refused overwriting: %+v, %v", got, err)
	}
}

func figuresRefused(t *testing.T, s store.Store) {
	good := figure("_", "carbon_kg", 1, 1, 1)
	for name, change := range map[string]func(*ledger.Figure){
		"no district": func(f *ledger.Figure) { f.District = "" }, "no kind": func(f *ledger.Figure) { f.Kind = "" },
		"a value that is no number": func(f *ledger.Figure) { f.Value = math.NaN() }, "version 0": func(f *ledger.Figure) { f.Version = 0 },
		"a control character": func(f *ledger.Figure) { f.Subject = "a\x00" }, "a period of no length": func(f *ledger.Figure) { f.Period.End = f.Period.Start },
		"a version that supersedes itself": func(f *ledger.Figure) { f.Supersedes = 1 }, "a reason with a control character": func(f *ledger.Figure) { f.Reason = "a\x01" },
	} {
		bad := good
		change(&bad)
		if err := s.AppendFigures(t.Context(), []ledger.Figure{good, bad.Sealed()}); err == nil {
			t.Errorf("%s was taken", name)
		} else {
			wantIs(t, err, store.ErrInvalid)
		}
	}
	broken := good
	broken.Value = 2
	wantIs(t, s.AppendFigures(t.Context(), []ledger.Figure{broken}), store.ErrInvalid)
	wantIs(t, s.AppendFigures(t.Context(), []ledger.Figure{good, good}), store.ErrInvalid)
	if got, err := s.Figures(t.Context(), "fontaine", timegrid.NewSpan(t0.AddDate(-1, 0, 0), t0.AddDate(1, 0, 0))); err != nil || len(got) != 0 {
		t.Errorf("refused figures left %d, %v", len(got), err)
	}
}
