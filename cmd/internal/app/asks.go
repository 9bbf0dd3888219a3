package app

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"quartier/cmd/internal/face"
	"quartier/scheduler"
	"quartier/schemas/store"
)

// asks brings what building systems ask for to the schedulers, and each request into the audit log. The log is written beside: a disk that hangs holds up no limit.
type asks struct {
	a     *App
	lasts time.Duration
	lines chan store.Event
	done  sync.WaitGroup
}

var requestKinds = map[string]scheduler.RequestKind{face.ImportLimitRequest: scheduler.RequestImportLimit, face.ExportLimitRequest: scheduler.RequestExportLimit,
	face.ComfortRequest: scheduler.RequestComfort, face.AvailableRequest: scheduler.RequestAvailable,
	face.AbsenceRequest: scheduler.RequestAway, face.LockOutRequest: scheduler.RequestLockOut}

func newAsks(a *App) *asks {
	q := &asks{a: a, lasts: time.Duration(a.cfg.File.Face.RequestTimeout * float64(time.Second)), lines: make(chan store.Event, 1000)}
	q.done.Go(func() {
		for e := range q.lines {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			if err := a.record.AppendEvent(ctx, e); err != nil {
				a.log.Error("a request of a building system is not in the audit log", "actor", e.Actor, "object", e.Object, "detail", e.Detail, "remote", e.Remote, "err", err)
			}
			cancel()
		}
	})
	return q
}

// close waits until every request is recorded; none comes after it.
func (q *asks) close() {
	close(q.lines)
	q.done.Wait()
}

// Ask puts requests in force, all or none.
func (q *asks) Ask(_ context.Context, list []face.Ask) error {
	byDistrict := map[string][]scheduler.Request{}
	var withdrawn []face.Ask
	wall := time.Now()
	for _, k := range list {
		v := k.Variable
		if q.a.schedulers[v.District] == nil || requestKinds[v.Quantity] == "" {
			return fmt.Errorf("app: %s is no request", v.Name)
		}
		// systems that cannot write "not a number" say 0: of an absence too that is that there is none
		if math.IsNaN(k.Value) || k.Value == 0 && v.Quantity == face.AbsenceRequest {
			withdrawn = append(withdrawn, k)
			continue
		}
		byDistrict[v.District] = append(byDistrict[v.District], scheduler.Request{Kind: requestKinds[v.Quantity], Site: v.Site, Device: v.Device, Value: k.Value, Actor: k.Actor, Since: wall, Until: wall.Add(q.lasts)})
	}
	if len(byDistrict) > 1 {
		return errors.New("app: requests of several districts at once")
	}
	before := map[string]float64{}
	for id, rs := range byDistrict {
		values, err := q.a.schedulers[id].Request(rs...)
		if err != nil {
			return err
		}
		for i, r := range rs {
			before[q.name(id, r)] = values[i]
		}
	}
	for _, k := range withdrawn {
		v := k.Variable
		before[v.Name] = q.a.schedulers[v.District].Withdraw(requestKinds[v.Quantity], v.Site, v.Device)
	}
	for _, k := range list {
		q.record(k.Actor, k.Remote, "request", k.Variable.Name, fmt.Sprintf("%s to %s", amount(before[k.Variable.Name], string(k.Variable.Unit)), amount(k.Value, string(k.Variable.Unit))))
	}
	return nil
}

func (q *asks) record(actor, remote, action, object, detail string) {
	e := store.Event{Time: q.a.clock.Now(), Kind: store.AuditEvent, Actor: actor, Action: action, Object: object, Detail: detail, Remote: remote, Severity: "info"}
	select {
	case q.lines <- e:
	default: // the disk has hung for as long as a thousand requests took
		q.a.log.Error("a request of a building system is not in the audit log", "actor", actor, "object", object, "detail", detail, "remote", remote)
	}
}

// lapsed records that a request no longer holds, because nobody repeated it.
func (q *asks) lapsed(districtID string, r scheduler.Request) {
	unit := "kW"
	switch r.Kind {
	case scheduler.RequestComfort, scheduler.RequestAway:
		unit = "K"
	case scheduler.RequestAvailable, scheduler.RequestLockOut:
		unit = "state"
	}
	q.record(r.Actor, "", "request-lapsed", q.name(districtID, r), amount(r.Value, unit)+" to none: not repeated in time")
}

func amount(v float64, unit string) string {
	switch {
	case math.IsNaN(v):
		return "none"
	case unit == "state":
		return fmt.Sprintf("%g", v)
	}
	return fmt.Sprintf("%g %s", v, unit)
}

// name is the face's name of a request.
func (q *asks) name(districtID string, r scheduler.Request) string {
	for quantity, kind := range requestKinds {
		if kind != r.Kind {
			continue
		}
		switch {
		case r.Device != "":
			return face.DeviceKey(districtID, r.Site, r.Device, quantity)
		case r.Site != "":
			return face.SiteKey(districtID, r.Site, quantity)
		}
		return face.Key(districtID, quantity)
	}
	return ""
}

// InForce gives what holds now, by the face's names.
func (q *asks) InForce() map[string]float64 {
	out := map[string]float64{}
	for id, s := range q.a.schedulers {
		for _, r := range s.Requests() {
			out[q.name(id, r)] = r.Value
		}
	}
	return out
}
