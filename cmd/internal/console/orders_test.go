package console_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store"
)

// TestOrdersAreGivenListedAndEnded: an operator gives an order, everybody who may look sees it with what it costs, and it ends early; each is in the audit log.
func TestOrdersAreGivenListedAndEnded(t *testing.T) {
	f := start(t)
	b := f.signedIn("operator")
	const path = "/api/districts/fontaine/orders"
	end := noon.Add(2 * time.Hour)
	give := map[string]any{"kind": "power", "site": "ecole", "device": "battery-1", "value": 5, "reason": "capacity test", "end": end}
	status, body := b.do("POST", path, give)
	if status != 201 {
		t.Fatalf("giving answered %d %s", status, body)
	}
	if status, body = b.do("POST", path, map[string]any{"kind": "lock_out", "site": "ecole", "device": "battery-1", "reason": "fan exchange", "start": noon.Add(time.Hour)}); status != 201 {
		t.Fatalf("a lock-out without end answered %d %s", status, body)
	}
	viewer := f.signedIn("viewer")
	list := get[[]console.OrderInfo](viewer, path)
	if len(list) != 2 || list[0].State != order.Running || list[0].Author != "operator" || list[0].Unit != "kW" || list[0].End == nil || !list[0].End.Equal(end) || list[0].Cost == nil ||
		list[0].DeviceName == "battery-1" || list[1].State != order.Planned || list[1].End != nil {
		t.Fatalf("orders are %+v", list)
	}
	if status, _ = viewer.do("POST", path, give); status != 403 {
		t.Errorf("a viewer's order answered %d, want 403", status)
	}
	if status, _ = f.signedIn("resident").do("GET", path, nil); status != 403 {
		t.Errorf("a resident's look answered %d, want 403", status)
	}
	if status, _ = viewer.do("POST", path+"/"+list[0].ID+"/end", map[string]any{"reason": "done"}); status != 403 {
		t.Errorf("a viewer's end answered %d, want 403", status)
	}
	for range 2 {
		want := 200
		if status, body = b.do("POST", path+"/"+list[0].ID+"/end", map[string]any{"reason": "done"}); status != want && status != 404 {
			t.Errorf("ending answered %d %s", status, body)
		}
	}
	if status != 404 {
		t.Errorf("ending twice answered %d, want 404", status)
	}
	list = get[[]console.OrderInfo](viewer, path)
	if len(list) != 2 || list[1].State != order.Ended || list[1].Outcome != order.EndedBy || list[1].EndedWho != "operator" || list[1].EndedWhy != "done" {
		t.Errorf("orders are %+v", list)
	}
	var actions []string
	for _, e := range get[[]store.Event](f.signedIn("admin"), "/api/audit") {
		if strings.HasPrefix(e.Action, "order-") {
			actions = append(actions, e.Action+" "+e.Object)
		}
	}
	if got := strings.Join(actions, ", "); got != "order-ended fontaine/ecole/battery-1, order-given fontaine/ecole/battery-1, order-given fontaine/ecole/battery-1" {
		t.Errorf("audit log, newest first: %s", got)
	}
}

// TestOrdersAreTried: what an order would cost is told to who may give it, a bad one has its faults, and none is kept.
func TestOrdersAreTried(t *testing.T) {
	f := start(t)
	b := f.signedIn("operator")
	const path = "/api/districts/fontaine/orders"
	wish := map[string]any{"kind": "power", "site": "ecole", "device": "battery-1", "value": 5, "end": noon.Add(2 * time.Hour)}
	var got console.OrderTrial
	status, body := b.do("POST", path+"/trial", wish)
	if err := json.Unmarshal(body, &got); status != 200 || err != nil || got.Cost == nil || got.Cost.EUR != 1.2 || got.Unpriced != "" {
		t.Errorf("a trial answered %d %s", status, body)
	}
	wish["start"], wish["end"] = noon.AddDate(0, 0, 3), noon.AddDate(0, 0, 4)
	got = console.OrderTrial{}
	if status, body = b.do("POST", path+"/trial", wish); status != 200 || json.Unmarshal(body, &got) != nil || got.Cost != nil || got.Unpriced != "beyond_plan" {
		t.Errorf("a trial of later answered %d %s", status, body)
	}
	wish["value"] = 5000
	if status, body = b.do("POST", path+"/trial", wish); status != 422 || !strings.Contains(string(body), "body.value") {
		t.Errorf("a bad trial answered %d %s", status, body)
	}
	if status, _ = f.signedIn("viewer").do("POST", path+"/trial", wish); status != 403 {
		t.Errorf("a viewer's trial answered %d, want 403", status)
	}
	if list := get[[]console.OrderInfo](b, path); len(list) != 0 {
		t.Errorf("trials are kept: %+v", list)
	}
}

// TestBadOrdersAreRefused: every fault of an order is told with its field, and none is kept.
func TestBadOrdersAreRefused(t *testing.T) {
	f := start(t)
	b := f.signedIn("operator")
	const path = "/api/districts/fontaine/orders"
	for _, tt := range []struct {
		order map[string]any
		want  []string
	}{
		{map[string]any{"kind": "power", "site": "ecole", "device": "battery-1", "value": 5000, "reason": "test it", "end": noon}, []string{"body.value", "body.end", "5000 kW"}},
		{map[string]any{"kind": "power", "site": "ecole", "device": "meter", "value": 1, "reason": "test it", "end": noon.Add(time.Hour)}, []string{"body.device"}},
		{map[string]any{"kind": "dance", "reason": "test it"}, []string{"body.kind"}},
		{map[string]any{"kind": "import_limit", "value": -1, "reason": "test it", "end": noon.Add(time.Hour)}, []string{"body.value"}},
		{map[string]any{"kind": "import_limit", "value": 10, "end": noon.Add(time.Hour)}, []string{"reason"}},
		{map[string]any{"kind": "import_limit", "reason": "forgotten", "end": noon.Add(time.Hour)}, []string{"body.value", "missing: import_limit is in kW"}},
		{map[string]any{"kind": "away", "site": "ecole", "reason": "forgotten", "end": noon.Add(time.Hour)}, []string{"body.value", "missing: away is in K"}},
	} {
		status, body := b.do("POST", path, tt.order)
		if status != 422 {
			t.Errorf("%v answered %d %s", tt.order, status, body)
		}
		for _, want := range tt.want {
			if !strings.Contains(string(body), want) {
				t.Errorf("%v: %s does not tell %s", tt.order, body, want)
			}
		}
	}
	if list := get[[]console.OrderInfo](b, path); len(list) != 0 {
		t.Errorf("refused orders are listed: %+v", list)
	}
}

// TestStandingQuietHours: what the configuration says is listed with whose it is and on which days, and nobody ends it; people order hours of some days as well.
func TestStandingQuietHours(t *testing.T) {
	f := start(t, func(d *console.Deps) {
		d.Districts[0].Sites[0].Quiet = []district.QuietHours{{From: "22:00", To: "06:00", Days: []time.Weekday{time.Sunday, time.Friday}, AtMostKW: 3, Reason: "bedrooms"}}
	})
	b := f.signedIn("operator")
	const path = "/api/districts/fontaine/orders"
	list := get[[]console.OrderInfo](b, path)
	if len(list) != 1 || list[0].Source != order.FromConfig || list[0].Author != "configuration" || list[0].State != order.Running || list[0].End != nil || list[0].Kind != order.Quiet ||
		list[0].Value != 3 || list[0].From != "22:00" || list[0].To != "06:00" || !slices.Equal(list[0].Days, []string{"fri", "sun"}) || list[0].Reason != "bedrooms" {
		t.Fatalf("orders are %+v", list)
	}
	if status, body := b.do("POST", path+"/"+list[0].ID+"/end", map[string]any{"reason": "done"}); status != 409 || !strings.Contains(string(body), "district.yaml") {
		t.Errorf("ending what is configured answered %d %s", status, body)
	}
	wish := map[string]any{"kind": "quiet_hours", "site": list[0].Site, "device": list[0].Device, "from": "12:00", "to": "14:00", "days": []string{"sat", "mon"}, "reason": "exams"}
	if status, body := b.do("POST", path, wish); status != 201 {
		t.Fatalf("quiet hours on two days answered %d %s", status, body)
	}
	list = get[[]console.OrderInfo](b, path)
	if len(list) != 2 || !slices.ContainsFunc(list, func(o console.OrderInfo) bool {
		return slices.Equal(o.Days, []string{"mon", "sat"}) && o.Source == order.FromConsole
	}) {
		t.Errorf("orders are %+v", list)
	}
	wish["days"] = []string{"saturday"}
	if status, body := b.do("POST", path, wish); status != 422 || !strings.Contains(string(body), "body.days") || !strings.Contains(string(body), `\"saturday\"`) {
		t.Errorf("a day that is none answered %d %s", status, body)
	}
}
