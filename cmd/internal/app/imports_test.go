package app

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rules say which packages of Quartier a package may import (tests apart), by the most specific pattern that fits its path without the module's name. A trailing "/…"
// stands for the package and everything below it, which may import each other. The reason is what the next engineer should know before changing a line.
var rules = []struct {
	pkg     string
	allowed []string
	reason  string
}{
	{"schemas/units", nil, "quantities know nothing"},
	{"schemas/timegrid", nil, "time knows nothing"},
	{"schemas/district", []string{"schemas/units", "schemas/timegrid"}, "the vocabulary has no I/O"},
	{"schemas/balance", []string{"schemas/units", "schemas/timegrid", "schemas/district"}, "accounts are pure functions"},
	{"schemas/balance/ped", []string{"schemas/units", "schemas/timegrid", "schemas/balance", "schemas/balance/why"}, "a profile is data, and its balance a pure function"},
	{"schemas/balance/why", nil, "reasons are vocabulary"},
	{"schemas/balance/kpi", []string{"schemas/units", "schemas/timegrid", "schemas/balance", "schemas/balance/why"}, "indicators are pure functions"},
	{"schemas/sharing", []string{"schemas/units", "schemas/balance"}, "accounts are pure functions"},
	{"schemas/sharing/bill", []string{"schemas/units", "schemas/timegrid", "schemas/tariff"}, "accounts are pure functions"},
	{"schemas/savings", []string{"schemas/units", "schemas/timegrid", "schemas/balance"}, "accounts are pure functions"},
	{"schemas/savings/baseline", []string{"schemas/timegrid"}, "a regression knows no meter"},
	{"schemas/alarm", nil, "an alarm is vocabulary"},
	{"schemas/carbon", []string{"schemas/units", "schemas/timegrid", "schemas/savings/baseline"}, "accounts are pure functions"},
	{"schemas/ledger", []string{"schemas/timegrid"}, "accounts are pure functions"},
	{"schemas/lighting", []string{"schemas/district"}, "a schedule is a pure function of place and time"},
	{"schemas/logtest", nil, "a helper of tests knows nothing"},
	{"schemas/order", []string{"schemas/units", "schemas/district"}, "an order is vocabulary"},
	{"schemas/tariff", []string{"schemas/timegrid"}, "tariffs are data"},
	{"schemas/store/…", []string{"schemas/…"}, "the record keeps the vocabulary and knows no device"},
	{"drivers", []string{"schemas/units", "schemas/timegrid", "schemas/district"}, "a driver knows the vocabulary alone"},
	{"drivers/sim/…", []string{"drivers/…", "schemas/units", "schemas/timegrid", "schemas/district", "schemas/tariff"}, "physics of its own: it shares no equation with optimizer"},
	{"drivers/sim/simtest", []string{"drivers/…", "schemas/…", "testdata"}, "examples for tests"},
	{"drivers/poll", []string{"drivers", "schemas/units", "schemas/timegrid", "schemas/district"}, "polling knows no protocol"},
	{"drivers/…", []string{"drivers/…", "schemas/units", "schemas/timegrid", "schemas/district"}, "a protocol knows the vocabulary and its profiles"},
	{"optimizer/problem/…", nil, "the document stands alone"},
	{"optimizer/certify/…", []string{"optimizer/problem", "optimizer/exact"}, "the check shares no code with the solver; the exact values of devices are a part of it that the search asks too"},
	{"optimizer/exact/…", []string{"optimizer/problem"}, "a device alone knows no district"},
	{"optimizer/milp/…", []string{"optimizer/problem"}, "the general program shares no code with the solver"},
	{"optimizer/ipm/…", nil, "the solver knows its own structured program alone"},
	{"optimizer/explain/…", []string{"optimizer/problem", "optimizer/certify", "optimizer/exact"}, "explanations read the documents, whoever made the plan"},
	{"optimizer/storage", nil, "the value of what is stored is a matter of numbers alone"},
	{"optimizer/forecast", []string{"schemas/units", "schemas/timegrid"}, "a forecast is a pure function of the past"},
	{"optimizer/…", []string{"optimizer/…"}, "planning touches no I/O, clock or store"},
	{"scheduler/dispatch", []string{"drivers", "schemas/units", "schemas/timegrid", "schemas/district"}, "dispatch knows no plan and no protocol"},
	{"scheduler/answer", []string{"optimizer/storage"}, "what stores do is a matter of numbers alone"},
	{"scheduler/devices", []string{"optimizer/problem", "schemas/district"}, "what a device is to a plan is a matter of its parameters and present state"},
	{"scheduler/hotwater", []string{"optimizer/forecast", "scheduler/devices", "schemas/timegrid", "schemas/district"}, "what is learned of a tank comes from its measurements alone"},
	{"scheduler/building", []string{"optimizer/forecast", "scheduler/devices", "schemas/timegrid", "schemas/district"}, "what is learned of rooms comes from their measurements alone"},
	{"scheduler/backtest", []string{"optimizer/…", "scheduler/answer", "scheduler/devices", "scheduler/hotwater", "schemas/district"}, "the control over recorded data knows no driver and no store"},
	{"scheduler/foresee", []string{"optimizer/forecast", "schemas/timegrid", "schemas/district"}, "forecasts learn from series alone"},
	{"scheduler/observe", []string{"schemas/units", "schemas/timegrid", "schemas/district"}, "observation reads samples alone"},
	{"scheduler", []string{"scheduler/answer", "scheduler/building", "scheduler/devices", "scheduler/dispatch", "scheduler/foresee", "scheduler/hotwater", "scheduler/observe", "drivers", "optimizer/problem", "optimizer/forecast", "optimizer/storage", "schemas/units", "schemas/timegrid", "schemas/district", "schemas/order", "schemas/lighting", "schemas/balance", "schemas/store/rollup"}, "the scheduler declares the store, driver and planner that it uses"},
	{"testdata", nil, "data"},
	{"cmd/internal/app/…", []string{"…"}, "the only wiring"},
	{"cmd/quartier", []string{"…"}, "thin commands over the wiring"},
	{"cmd/internal/live", []string{"schemas/district"}, "the present, in memory"},
	{"cmd/internal/config/…", []string{"schemas/…"}, "configuration makes vocabulary"},
	{"cmd/internal/balances", []string{"schemas/…"}, "statements are made from the record"},
	{"cmd/internal/console/…", []string{"schemas/…", "cmd/internal/balances"}, "the console declares what it uses of the rest"},
	{"cmd/internal/report/…", []string{"schemas/…"}, "a report is a function of its data"},
	{"cmd/internal/enedis", []string{"schemas/district"}, "a reader of foreign files knows the vocabulary alone"},
	{"cmd/internal/notify", []string{"schemas/alarm"}, "who tells knows alarms alone"},
	{"cmd/internal/feed", []string{"schemas/timegrid", "schemas/district", "schemas/carbon"}, "a feed reads what others publish and knows nobody who uses it"},
	{"cmd/internal/face/…", []string{"schemas/…", "drivers/…"}, "the face serves values over the protocols"},
}

// TestImportsPointAtTheVocabulary holds the direction of every import.
func TestImportsPointAtTheVocabulary(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "quartier/...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	n := 0
	for {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		n++
		path := strings.TrimPrefix(p.ImportPath, "quartier/")
		best := -1
		for i, r := range rules {
			if matches(r.pkg, path) && (best < 0 || specific(r.pkg) > specific(rules[best].pkg)) {
				best = i
			}
		}
		if best < 0 {
			t.Errorf("%s has no rule: say where it stands", path)
			continue
		}
		r := rules[best]
		for _, imp := range p.Imports {
			to, ours := strings.CutPrefix(imp, "quartier/")
			if !ours || to == path || strings.HasSuffix(r.pkg, "/…") && matches(r.pkg, to) {
				continue
			}
			if !slices.ContainsFunc(r.allowed, func(a string) bool { return matches(a, to) }) {
				t.Errorf("%s imports %s: %s", path, to, r.reason)
			}
		}
	}
	if n < 20 {
		t.Errorf("go list found %d packages, want the whole of Quartier", n)
	}
}

// matches reports whether a path is meant by a pattern.
func matches(pattern, path string) bool {
	if pattern == "…" || pattern == path {
		return true
	}
	base, below := strings.CutSuffix(pattern, "/…")
	return below && (path == base || strings.HasPrefix(path, base+"/"))
}

// specific orders patterns: the longer base first, and a package itself before the tree below it.
func specific(pattern string) int {
	base, below := strings.CutSuffix(pattern, "/…")
	if below {
		return 2 * len(base)
	}
	return 2*len(base) + 1
}
