package alarm

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func lost(detail string) Condition {
	return Condition{Key: "device-lost", Object: "fontaine/ecole/pv", Severity: "error", Detail: detail, Since: noon}
}

func newBook() *Book { return NewBook(Settings{RaiseAfter: 10 * time.Second, ClearAfter: time.Minute}) }

// TestLife: a condition becomes an alarm after its time, keeps the newest detail, is acknowledged, and is over a while after the condition.
func TestLife(t *testing.T) {
	b := newBook()
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	steps := []struct {
		second int
		here   bool
		want   What
		active int
	}{{0, true, "", 0}, {9, true, "", 0}, {10, true, Raised, 1}, {11, true, "", 1}, {20, false, "", 1}, {70, false, "", 1}, {75, true, "", 1}, {80, false, "", 1}, {139, false, "", 1}, {140, false, Cleared, 0}, {150, false, "", 0}}
	for _, s := range steps {
		var present []Condition
		if s.here {
			present = []Condition{lost("timeout")}
		}
		got := b.Look(at(s.second), present)
		if s.want == "" && len(got) > 0 || s.want != "" && (len(got) != 1 || got[0].What != s.want || !got[0].At.Equal(at(s.second))) {
			t.Fatalf("after %d s: %+v, want %q", s.second, got, s.want)
		}
		if n := len(b.Alarms()); n != s.active {
			t.Fatalf("after %d s %d alarms, want %d", s.second, n, s.active)
		}
		if s.second == 11 {
			if _, err := b.Acknowledge("device-lost", "fontaine/ecole/pv", "olga", "on my way", at(12)); err != nil {
				t.Fatal(err)
			}
			if _, err := b.Acknowledge("device-lost", "fontaine", "olga", "", at(12)); !errors.Is(err, ErrNone) {
				t.Errorf("error %v", err)
			}
		}
		if s.second == 75 {
			if a := b.Alarms()[0]; a.Acknowledged.By != "olga" || !a.Raised.Equal(at(10)) {
				t.Errorf("the alarm that never was over is %+v", a)
			}
		}
	}
}

// TestShortConditions raise nothing, and neither does one that flickers for ever below its time.
func TestShortConditions(t *testing.T) {
	b := newBook()
	for s := range 3600 {
		var present []Condition
		if s%10 != 9 {
			present = []Condition{lost("")}
		}
		if got := b.Look(noon.Add(time.Duration(s)*time.Second), present); len(got) > 0 {
			t.Fatalf("after %d s: %+v", s, got)
		}
	}
}

// TestWorse: an acknowledged warning that becomes an error is told again.
func TestWorse(t *testing.T) {
	b := NewBook(Settings{})
	c := lost("")
	c.Severity = "warning"
	b.Look(noon, []Condition{c})
	if _, err := b.Acknowledge(c.Key, c.Object, "olga", "", noon); err != nil {
		t.Fatal(err)
	}
	got := b.Look(noon.Add(time.Second), []Condition{lost("worse")})
	if len(got) != 1 || got[0].What != Worse || got[0].Detail != "worse" || !b.Alarms()[0].Acknowledged.At.IsZero() {
		t.Errorf("%+v, %+v", got, b.Alarms())
	}
}

// TestRestart: alarms of before are not raised anew, and those that are over are cleared.
func TestRestart(t *testing.T) {
	b := newBook()
	other := lost("")
	other.Object = "fontaine/tour/meter"
	b.Restore([]Alarm{{Condition: lost(""), Raised: noon.Add(-time.Hour), Acknowledged: Acknowledgement{By: "olga", At: noon}}, {Condition: other, Raised: noon.Add(-time.Hour)}})
	if got := b.Look(noon, []Condition{lost("")}); len(got) > 0 {
		t.Errorf("%+v", got)
	}
	got := b.Look(noon.Add(time.Minute), []Condition{lost("")})
	if len(got) != 1 || got[0].What != Cleared || got[0].Object != other.Object || b.Alarms()[0].Acknowledged.By != "olga" {
		t.Errorf("%+v, %+v", got, b.Alarms())
	}
}

// TestNoFlapping: whatever a condition does, raising and clearing take turns, nobody is told more than a few times an hour, and an alarm says what was so for long.
func TestNoFlapping(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBook()
		now, on := noon, false
		var raised []time.Time
		held, gone := time.Duration(0), 2*time.Hour
		for range rapid.IntRange(1, 60).Draw(t, "phases") {
			here := rapid.Bool().Draw(t, "here")
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				now = now.Add(5 * time.Second)
				var present []Condition
				if here {
					present = []Condition{lost("")}
					held, gone = held+5*time.Second, 0
				} else {
					held, gone = 0, gone+5*time.Second
				}
				for _, c := range b.Look(now, present) {
					if (c.What == Raised) == on {
						t.Fatalf("%s while it was so", c.What)
					}
					if on = !on; on {
						raised = append(raised, now)
					}
				}
				if held > 15*time.Second && !on {
					t.Fatal("no alarm of what has held for long")
				}
				if gone > 31*time.Minute && on {
					t.Fatal("an alarm of what is over for long")
				}
			}
		}
		for i := range raised {
			if i+4 < len(raised) && raised[i+4].Sub(raised[i]) < time.Hour-time.Minute {
				t.Fatalf("raised five times from %v to %v", raised[i], raised[i+4])
			}
		}
	})
}
