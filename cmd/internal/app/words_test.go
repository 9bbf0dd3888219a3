package app

import (
	"os"
	"strings"
	"testing"

	"quartier/cmd/internal/console"
	"quartier/drivers"
	"quartier/scheduler"
	"quartier/scheduler/observe"
)

// TestFaultsHaveWords: every error of a driver that somebody branches on is known to the console, which says it in the reader's language.
func TestFaultsHaveWords(t *testing.T) {
	words, err := os.ReadFile("../console/web/src/lib/i18n/faults.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []error{drivers.ErrUnknownPoint, drivers.ErrReadOnly, drivers.ErrRejected, drivers.ErrGarbage, drivers.ErrReadBack, drivers.ErrStale, drivers.ErrUnreachable} {
		if !strings.Contains(string(words), "['"+e.Error()+"', '") {
			t.Errorf("the console has no words for %q", e)
		}
	}
	if text := (&drivers.LimitError{Point: "charge_kw", Value: 80, Min: -50, Max: 50, Unit: "kW"}).Error(); !strings.Contains(text, " outside [-50, 50]") {
		t.Errorf("a limit is said as %q, which the console does not know", text)
	}
}

// TestAlarmsHaveWords: every condition that control finds has its words in both languages.
func TestAlarmsHaveWords(t *testing.T) {
	keys := []string{observe.ValueAbsurd, observe.ValueMissing, observe.SignWrong, observe.MeterStuck, observe.MeterDiffers, observe.CounterJumped, observe.SunAtNight, observe.ChargeStuck,
		observe.ChargeJumped, observe.ClockDiffers, observe.ComfortLow, scheduler.CommandIgnored, scheduler.CommandFailed, scheduler.CommandRefused, scheduler.CommandConflict,
		scheduler.LimitPassed, scheduler.PlanFailed, scheduler.PriceAbsurd, scheduler.PriceMissing, ClockJump, FeedSilent, PricesLate, SamplesWait, "record-unread"}
	for _, language := range []string{"en", "fr"} {
		for _, key := range keys {
			if console.AlarmWords(language, key) == key {
				t.Errorf("%s has no words for the alarm %s", language, key)
			}
		}
	}
}
