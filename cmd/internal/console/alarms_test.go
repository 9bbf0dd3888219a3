package console_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/alarm"
	"quartier/schemas/store"
)

// keeper keeps alarms as the service does.
type keeper struct {
	mu   sync.Mutex
	book *alarm.Book
}

func (k *keeper) Acknowledged() map[string]alarm.Acknowledgement {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]alarm.Acknowledgement{}
	for _, a := range k.book.Alarms() {
		out[a.ID()] = a.Acknowledged
	}
	return out
}

func (k *keeper) Acknowledge(key, object, by, note string, at time.Time) (alarm.Alarm, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.book.Acknowledge(key, object, by, note, at)
}

// TestAlarmIsAcknowledged: an operator says that he knows of an alarm, everybody who may look sees who and when, and it is in the audit log; nobody else may, and not of what is no alarm.
func TestAlarmIsAcknowledged(t *testing.T) {
	k := &keeper{book: alarm.NewBook(alarm.Settings{})}
	f := start(t, func(d *console.Deps) { d.Alarms = k })
	const path = "/api/districts/fontaine/alarms"
	viewer := f.signedIn("viewer")
	list := get[[]console.Alarm](viewer, path)
	if len(list) == 0 || list[0].AcknowledgedBy != "" || list[0].AcknowledgedAt != nil {
		t.Fatalf("alarms %+v", list)
	}
	var present []alarm.Condition
	for _, a := range list {
		present = append(present, alarm.Condition{Key: a.Key, Object: a.Object, Severity: a.Severity})
	}
	k.book.Look(noon, present)
	know := map[string]any{"key": list[0].Key, "object": list[0].Object, "note": "on my way"}
	for _, who := range []string{"viewer", "resident"} {
		if status, _ := f.signedIn(who).do("POST", path+"/acknowledge", know); status != 403 {
			t.Errorf("a %s's word answered %d, want 403", who, status)
		}
	}
	operator := f.signedIn("operator")
	if status, body := operator.do("POST", path+"/acknowledge", know); status != 200 || !strings.Contains(string(body), "operator") {
		t.Fatalf("answered %d %s", status, body)
	}
	for _, bad := range []map[string]any{{"key": "no-such", "object": list[0].Object}, {"key": list[0].Key, "object": "fontaine/nowhere"}, {"key": list[0].Key, "object": "valmy"}} {
		if status, _ := operator.do("POST", path+"/acknowledge", bad); status != 404 {
			t.Errorf("%v answered %d, want 404", bad, status)
		}
	}
	got := get[[]console.Alarm](viewer, path)[0]
	if got.AcknowledgedBy != "operator" || got.AcknowledgedAt == nil || got.Note != "on my way" {
		t.Errorf("the alarm is %+v", got)
	}
	found := false
	for _, e := range get[[]store.Event](f.signedIn("admin"), "/api/audit") {
		found = found || e.Action == console.AcknowledgeAction && e.Actor == "operator" && e.Object == got.Object && e.Detail == got.Key+": on my way"
	}
	if !found {
		t.Error("the audit log does not say who knows of the alarm")
	}
	if status, _ := start(t, func(d *console.Deps) { d.Alarms = nil }).signedIn("operator").do("POST", path+"/acknowledge", know); status != 409 {
		t.Errorf("without alarms that are kept: %d, want 409", status)
	}
}
