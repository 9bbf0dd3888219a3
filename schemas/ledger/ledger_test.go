package ledger

import (
	"strings"
	"testing"
	"time"

	"quartier/schemas/timegrid"
)

var (
	start = time.Date(2026, 1, 31, 23, 0, 0, 0, time.UTC)
	month = timegrid.NewSpan(start, start.AddDate(0, 0, 28))
)

func input(name string, values ...float64) Input {
	h := NewHasher(name)
	h.Values(values...)
	return h.Input()
}

func figure(kind string, value float64, inputs ...Input) Figure {
	return Figure{District: "fontaine", Subject: "_", Kind: kind, Period: month, Value: value, Unit: "Wh", Method: "balance", MethodVersion: "1", Inputs: inputs,
		CreatedAt: month.End.Add(36 * time.Hour), Version: 1}.Sealed()
}

// TestAuditNamesWhatChanged: every way in which a closed month can come out differently has its own reason.
func TestAuditNamesWhatChanged(t *testing.T) {
	samples, tariff, carbon := input("samples fontaine/a/grid/import_kwh", 1, 2, 3), input("tariff bleu", 0.19), input("carbon rte", 22)
	was := figure("cost_eur", 10, samples, tariff, carbon)
	tampered := was
	tampered.Value = 9
	for _, tt := range []struct {
		name    string
		stored  Figure
		now     Figure
		verdict Verdict
		reason  string // "" : none at all
	}{
		{"nothing", was, figure("cost_eur", 10, carbon, tariff, samples), Same, ""},
		{"a rounding of another processor", was, figure("cost_eur", 10+1e-12, samples, tariff, carbon), Same, ""},
		{"a tampered row", tampered, was, Differs, "seal"},
		{"a late sample", was, figure("cost_eur", 11, input(samples.Name, 1, 2, 3, 4), tariff, carbon), Differs, "late data, 1 more"},
		{"a late sample that changes nothing", was, figure("cost_eur", 10, input(samples.Name, 1, 2, 3, 4), tariff, carbon), Same, "late data, 1 more"},
		{"samples gone", was, figure("cost_eur", 11, input(samples.Name, 1), tariff, carbon), Differs, "2 of 3 are not in the record"},
		{"a sample overwritten", was, figure("cost_eur", 11, input(samples.Name, 1, 2, 4), tariff, carbon), Differs, "import_kwh: changed after the closing"},
		{"the tariff", was, figure("cost_eur", 11, samples, input(tariff.Name, 0.2), carbon), Differs, "tariff bleu: changed"},
		{"the factor", was, figure("cost_eur", 11, samples, tariff, input(carbon.Name, 60)), Differs, "carbon rte: changed"},
		{"another source of factors", was, figure("cost_eur", 11, samples, tariff, input("carbon ademe", 60)), Differs, "carbon ademe: was no input then"},
		{"the program", was, figure("cost_eur", 11, samples, tariff, carbon), Differs, "the program computes it differently"},
	} {
		got := Audit([]Figure{tt.stored}, []Figure{tt.now})
		if len(got) != 1 || got[0].Verdict != tt.verdict || !strings.Contains(strings.Join(got[0].Reasons, "; "), tt.reason) || tt.reason == "" && len(got[0].Reasons) > 0 {
			t.Errorf("%s: %+v, want %s for %q", tt.name, got, tt.verdict, tt.reason)
		}
	}
	other := was
	other.MethodVersion = "2"
	if got := Audit([]Figure{was}, []Figure{other.Sealed()}); got[0].Verdict != Same || len(got[0].Reasons) != 1 || !strings.Contains(got[0].Reasons[0], "balance/2 now") {
		t.Errorf("another version of the method: %+v", got)
	}
}

// TestCorrectionsAreNewVersions: what differs becomes a version of its own that names the old one, and the next audit is clean.
func TestCorrectionsAreNewVersions(t *testing.T) {
	stored := []Figure{figure("cost_eur", 10, input("tariff bleu", 1)), figure("import_wh", 5)}
	now := []Figure{figure("cost_eur", 11, input("tariff bleu", 2)), figure("import_wh", 5), figure("export_wh", 7)}
	fixes := Corrections(Audit(stored, now))
	if len(fixes) != 2 {
		t.Fatalf("%d corrections, want 2: %+v", len(fixes), fixes)
	}
	for _, f := range fixes {
		want := map[string][2]int{"cost_eur": {2, 1}, "export_wh": {1, 0}}[f.Kind]
		if f.Version != want[0] || f.Supersedes != want[1] || !f.Intact() || (f.Version > 1) != (f.Reason != "") {
			t.Errorf("correction %+v, want version %d of %d", f, want[0], want[1])
		}
	}
	for _, x := range Audit(append(stored, fixes...), now) {
		if x.Verdict != Same {
			t.Errorf("after the corrections: %+v", x)
		}
	}
	if gone := Audit(stored, now[:1]); gone[1].Verdict != Unfounded {
		t.Errorf("a figure without data: %+v", gone[1])
	}
}

func TestSealCoversEverything(t *testing.T) {
	was := figure("cost_eur", 10, input("tariff bleu", 1))
	if !was.Intact() || was.Sealed().Seal != was.Seal {
		t.Fatal("a sealed figure is not intact")
	}
	for name, change := range map[string]func(*Figure){
		"district": func(f *Figure) { f.District = "x" }, "subject": func(f *Figure) { f.Subject = "x" }, "kind": func(f *Figure) { f.Kind = "x" },
		"start": func(f *Figure) { f.Period.Start = start.Add(1) }, "value": func(f *Figure) { f.Value += 1e-9 }, "unit": func(f *Figure) { f.Unit = "kWh" },
		"method": func(f *Figure) { f.Method = "x" }, "version": func(f *Figure) { f.Version = 2 }, "inputs": func(f *Figure) { f.Inputs = nil },
		"created": func(f *Figure) { f.CreatedAt = start }, "reason": func(f *Figure) { f.Reason = "x" }, "supersedes": func(f *Figure) { f.Supersedes = 1 },
	} {
		f := was
		change(&f)
		if f.Intact() {
			t.Errorf("a changed %s goes unseen", name)
		}
	}
}

func TestTogetherDoesNotDependOnOrder(t *testing.T) {
	a, b := input("a", 1, 2), input("b", 3)
	if x, y := Together("all", []Input{a, b}), Together("all", []Input{b, a}); x != y || x.Count != 3 {
		t.Errorf("%+v and %+v", x, y)
	}
	if x, y := Together("all", []Input{a, b}), Together("all", []Input{a, input("b", 4)}); x.SHA256 == y.SHA256 {
		t.Error("another value has the same hash")
	}
}
