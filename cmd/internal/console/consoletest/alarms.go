package consoletest

import (
	"fmt"
	"sync"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/alarm"
)

// keeper keeps who knows of which alarm; every alarm may be acknowledged.
type keeper struct {
	mu    sync.Mutex
	known map[string]alarm.Acknowledgement
}

// Acknowledged implements console.Alarms.
func (k *keeper) Acknowledged() map[string]alarm.Acknowledgement {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := map[string]alarm.Acknowledgement{}
	for id, a := range k.known {
		out[id] = a
	}
	return out
}

// Acknowledge implements console.Alarms.
func (k *keeper) Acknowledge(key, object, by, note string, at time.Time) (alarm.Alarm, error) {
	if key == "no-such" {
		return alarm.Alarm{}, fmt.Errorf("alarm %s: %w", key, alarm.ErrNone)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	a := alarm.Alarm{Condition: alarm.Condition{Key: key, Object: object, Severity: "warning"}, Acknowledged: alarm.Acknowledgement{By: by, Note: note, At: at}}
	if k.known == nil {
		k.known = map[string]alarm.Acknowledgement{}
	}
	k.known[a.ID()] = a.Acknowledged
	return a, nil
}

// feeds are one source that answers and one that is silent.
func (w *World) feeds() []console.Feed {
	at := func(d time.Duration) *time.Time { t := w.Now().Add(d).UTC(); return &t }
	return []console.Feed{
		{ID: "meteo", Kind: "open_meteo", Districts: []string{"Fontaine Nord"}, State: "sound", Answered: at(-12 * time.Minute), Published: at(60 * time.Hour), Next: at(18 * time.Minute), Beyond: "similar-days"},
		{ID: "spot", Kind: "entso_e", Districts: []string{"Fontaine Nord"}, State: "silent", Answered: at(-9 * time.Hour), Published: at(3 * time.Hour), Next: at(40 * time.Minute), Failures: 11,
			Error: "status 503 Service Unavailable", Beyond: "similar-days"},
	}
}

// told is a mailbox that is told and a web service that is away.
func (w *World) told() []console.Told {
	at := w.Now().Add(-3 * time.Hour).UTC()
	return []console.Told{{To: "astreinte@example.org", Last: &at}, {To: "https://gmao.example.org", Waiting: 4, Failures: 7, Error: "gmao.example.org: status 502 Bad Gateway"}}
}
