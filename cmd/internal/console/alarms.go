package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/alarm"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// WatchActor is the actor of the alarm events that enter into the record what begins and ends of [Deps.Conditions], under the key of the alarm, "info" when it ends. What holds now is known from the
// conditions themselves.
const WatchActor = "watch"

// Alarm is a condition that holds now and that somebody should know of.
type Alarm struct {
	Key      string    `json:"key" doc:"what: device-lost, plan-late, plan-infeasible, database-down, disk-refuses, record-unread, one of the conditions that control finds such as sign-wrong, or the action of an alarm event"`
	Severity string    `json:"severity" enum:"warning,error"`
	Since    time.Time `json:"since"`
	Object   string    `json:"object" doc:"what it concerns: fontaine, fontaine/ecole/pv"`
	Name     string    `json:"name" doc:"the object's name for people"`
	Detail   string    `json:"detail"`
	// Of who knows of it.
	AcknowledgedBy string     `json:"acknowledged_by" doc:"who said that he knows of it; empty: nobody"`
	AcknowledgedAt *time.Time `json:"acknowledged_at"`
	Note           string     `json:"note" doc:"what he said to it"`
}

// Alarms is who keeps what is known of alarms.
type Alarms interface {
	// Acknowledged returns who knows of which alarm, by [alarm.Condition.ID].
	Acknowledged() map[string]alarm.Acknowledgement
	// Acknowledge notes that somebody knows of an alarm; the error of one that is not raised wraps [alarm.ErrNone].
	Acknowledge(key, object, by, note string, at time.Time) (alarm.Alarm, error)
}

// AcknowledgeAction is the action of the audit event by which somebody says that he knows of an alarm; its detail is the alarm's key, a colon and a note.
const AcknowledgeAction = "alarm-acknowledged"

type acknowledgeInput struct {
	District string `path:"district"`
	Body     struct {
		Key    string `json:"key" minLength:"1" maxLength:"100"`
		Object string `json:"object" minLength:"1" maxLength:"300" doc:"as the alarm has it"`
		Note   string `json:"note,omitempty" maxLength:"500"`
	}
}

func (s *Server) acknowledgeAlarm(ctx context.Context, in *acknowledgeInput) (*struct{ Body Alarm }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if s.deps.Alarms == nil {
		return nil, huma.Error409Conflict("no alarm is kept by this process")
	}
	key, object := in.Body.Key, in.Body.Object
	if object != d.ID && !strings.HasPrefix(object, d.ID+"/") {
		return nil, huma.Error404NotFound(fmt.Sprintf("district %s has no %s", d.ID, object))
	}
	p := who(ctx)
	a, err := s.deps.Alarms.Acknowledge(key, object, p.user.Name, in.Body.Note, s.deps.Now().UTC())
	if errors.Is(err, alarm.ErrNone) {
		return nil, huma.Error404NotFound(err.Error())
	} else if err != nil {
		return nil, s.broken(ctx, "acknowledging an alarm", err)
	}
	s.audit(ctx, p, AcknowledgeAction, object, key+": "+in.Body.Note, "info")
	s.cache.forget("alarms/" + d.ID)
	out := Alarm{Key: a.Key, Severity: a.Severity, Since: a.Since, Object: a.Object, Name: objectName(d, a.Object), Detail: a.Detail}
	out.acknowledged(a.Acknowledged)
	return &struct{ Body Alarm }{out}, nil
}

func (a *Alarm) acknowledged(by alarm.Acknowledgement) {
	if !by.At.IsZero() {
		at := by.At.UTC()
		a.AcknowledgedBy, a.AcknowledgedAt, a.Note = by.By, &at, by.Note
	}
}

// alarms returns what holds now in a district (id "" for what concerns no district alone), worst first. It joins what the console sees itself (lost
// devices, late plans, the store) with the alarm events of the last day: of an object and action the newest event holds, and severity "info" clears it.
func (s *Server) alarms(ctx context.Context, d *district.District) ([]Alarm, error) {
	return cached(s.cache, "alarms/"+d.ID, time.Second, func() ([]Alarm, error) {
		return s.computeAlarms(context.WithoutCancel(ctx), d)
	})
}

func (s *Server) computeAlarms(ctx context.Context, d *district.District) ([]Alarm, error) {
	now := s.deps.Now().UTC()
	out, watched := s.present(ctx, d)
	unread := func(err error) { out = append(out, recordUnread(d, now, err)) }
	events, err := s.deps.Store.Events(ctx, []store.EventKind{store.AlarmEvent}, timegrid.NewSpan(now.Add(-24*time.Hour), now.Add(time.Minute)), 500)
	if err != nil {
		unread(fmt.Errorf("alarm events: %w", err))
	}
	seen := map[string]bool{}
	for _, e := range events { // newest first
		key := e.Object + "\x00" + alarmFamily(e.Action)
		if seen[key] || e.Object != d.ID && !strings.HasPrefix(e.Object, d.ID+"/") {
			continue
		}
		seen[key] = true
		if e.Severity == "info" || e.Actor == WatchActor || alarmFamily(e.Action) == "device" && watched[e.Object] {
			continue
		}
		severity := "warning"
		if e.Severity == "error" {
			severity = "error"
		}
		out = append(out, Alarm{Key: e.Action, Severity: severity, Since: e.Time, Object: e.Object, Name: objectName(d, e.Object), Detail: e.Detail})
	}
	if s.deps.Alarms != nil {
		known := s.deps.Alarms.Acknowledged()
		for i := range out {
			out[i].acknowledged(known[alarm.Condition{Key: out[i].Key, Object: out[i].Object}.ID()])
		}
	}
	slices.SortStableFunc(out, func(a, b Alarm) int {
		if a.Severity != b.Severity {
			return strings.Compare(a.Severity, b.Severity) // error before warning
		}
		return b.Since.Compare(a.Since)
	})
	return out, nil
}

func recordUnread(d *district.District, now time.Time, err error) Alarm {
	return Alarm{Key: "record-unread", Severity: "error", Since: now, Object: d.ID, Name: d.Name, Detail: err.Error()}
}

// Present returns what is wrong with a district now by what is seen of it, without the alarm events of the record.
func (s *Server) Present(ctx context.Context, d *district.District) []Alarm {
	out, _ := s.present(ctx, d)
	return out
}

// present is [Server.Present], with the devices whose connection is known.
func (s *Server) present(ctx context.Context, d *district.District) ([]Alarm, map[string]bool) {
	now := s.deps.Now().UTC()
	out := []Alarm{}
	lost := map[string]bool{}
	watched := map[string]bool{} // objects whose connection is known from the status itself
	for _, st := range s.deps.DeviceStatus() {
		if st.District != d.ID {
			continue
		}
		object := d.ID + "/" + st.Site + "/" + st.Device
		watched[object] = true
		if !st.Online && !st.Since.IsZero() {
			lost[object] = true
			out = append(out, Alarm{Key: "device-lost", Severity: "error", Since: st.Since, Object: object, Name: objectName(d, object), Detail: st.LastError})
		}
	}
	if s.deps.Conditions != nil {
		for _, c := range s.deps.Conditions(d.ID) {
			if lost[c.Object] && c.Key == "command-failed" {
				continue // because it is lost
			}
			c.Name = objectName(d, c.Object)
			out = append(out, c)
		}
	}
	plan, err := s.latestPlan(ctx, d.ID)
	switch {
	case err == nil && plan.Status == "infeasible":
		out = append(out, Alarm{Key: "plan-infeasible", Severity: "error", Since: plan.CreatedAt, Object: d.ID, Name: d.Name, Detail: strings.Join(plan.Conflict, "; ")})
	case err == nil && now.Sub(plan.CreatedAt) > s.deps.PlanLateAfter:
		out = append(out, Alarm{Key: "plan-late", Severity: "warning", Since: plan.CreatedAt, Object: d.ID, Name: d.Name})
	case err != nil && !errors.Is(err, store.ErrNotFound):
		out = append(out, recordUnread(d, now, fmt.Errorf("latest plan of %s: %w", d.ID, err))) // the other alarms matter all the more
	}
	if st, err := s.stats(ctx); err == nil {
		if st.DatabaseDetail != "" && !st.DatabaseUp {
			out = append(out, Alarm{Key: "database-down", Severity: "warning", Since: st.OutboxSince, Object: d.ID, Name: d.Name, Detail: st.DatabaseDetail})
		}
		if !st.HeldSince.IsZero() {
			out = append(out, Alarm{Key: "disk-refuses", Severity: "error", Since: st.HeldSince, Object: d.ID, Name: d.Name,
				Detail: fmt.Sprintf("%s (%d in memory, %d lost)", st.HeldDetail, st.Held, st.Dropped)})
		}
	}
	return out, watched
}

// alarmFamily joins the actions that raise and clear one condition: device-lost and device-back, plan-late and plan-restored.
func alarmFamily(action string) string {
	family, _, _ := strings.Cut(action, "-")
	return family
}

// objectName returns the name for people of an object such as fontaine/ecole/pv.
func objectName(d *district.District, object string) string {
	parts := strings.Split(object, "/")
	if len(parts) < 2 {
		return d.Name
	}
	site := d.Site(parts[1])
	siteName := d.Name
	if site != nil {
		siteName = site.Name
	}
	if len(parts) < 3 {
		return siteName
	}
	if dev := d.Device(parts[1], parts[2]); dev != nil {
		return siteName + " · " + dev.Name
	}
	return siteName
}

// latestPlan returns the newest plan of a district; it is read from the store once in two seconds at most.
func (s *Server) latestPlan(ctx context.Context, districtID string) (*district.Plan, error) {
	return cached(s.cache, "plan/"+districtID, 2*time.Second, func() (*district.Plan, error) {
		return s.deps.Store.LatestPlan(context.WithoutCancel(ctx), districtID, s.deps.Now())
	})
}

func (s *Server) stats(ctx context.Context) (store.Stats, error) {
	return cached(s.cache, "stats", 5*time.Second, func() (store.Stats, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return s.deps.Store.Stats(ctx)
	})
}
