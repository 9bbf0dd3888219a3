package sqlite

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

// widePlan is a plan of a district of some sites for a day and a half, as many digits in it as the record keeps.
func widePlan(at time.Time, sites int) *district.Plan {
	p := &district.Plan{District: "fontaine", CreatedAt: at, Start: at, StepMinutes: 15, Steps: 144}
	series := func(i int, scale float64) (out []float64) {
		for k := range p.Steps {
			v := scale * (1 + math.Sin(float64(k)/9+float64(i)) + 0.1*math.Sin(float64(k*k*(i+3))))
			out = append(out, math.Round(v*1e4)/1e4)
		}
		return out
	}
	for i := range sites {
		id := fmt.Sprintf("site-%d", i)
		p.Sites = append(p.Sites, district.SitePlan{ID: id, LoadKW: series(i, 3), NetKW: series(i+1, 5), Devices: []district.DevicePlan{{ID: "bess", Kind: district.Battery, PowerKW: series(i+2, 4)}}})
		p.Foreseen = append(p.Foreseen, district.Foreseen{Site: id, Quantity: district.ForecastLoad, Mean: series(i, 3), Low: series(i, 2), High: series(i, 4)})
	}
	return p
}

// TestPlansOfBefore: plans that an earlier version wrote as text are read beside those that are compressed: one by one, in spans and into an outbox that is switched on; and the newer take less than half of the room.
func TestPlansOfBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	s := openAt(t, path, Options{})
	old := widePlan(t0, 10)
	text, err := json.Marshal(old)
	must(t, err)
	_, err = s.conn.ExecContext(t.Context(), "insert into plans(id, district, created_us, body) values(7, 'fontaine', ?, ?)", store.Micro(t0), string(text))
	must(t, err)
	newer := widePlan(t0.Add(time.Minute), 10)
	id, err := s.SavePlan(t.Context(), newer)
	must(t, err)
	old.ID, newer.ID = 7, id
	want := []*district.Plan{old, newer}

	for _, p := range want {
		got, err := s.Plan(t.Context(), p.ID)
		must(t, err)
		if !reflect.DeepEqual(got, p) {
			t.Errorf("plan %d came back as %+v", p.ID, got)
		}
	}
	list, err := s.PlansBetween(t.Context(), "fontaine", timegrid.NewSpan(t0, t0.Add(time.Hour)))
	must(t, err)
	if !reflect.DeepEqual(list, want) {
		t.Errorf("%d plans of the hour", len(list))
	}
	for at, p := range map[time.Time]*district.Plan{t0: old, t0.Add(time.Hour): newer} {
		if got, err := s.LatestPlan(t.Context(), "fontaine", at); err != nil || got.ID != p.ID {
			t.Errorf("the latest plan at %v is %+v, %v", at, got, err)
		}
	}
	var kind string
	var size int
	must(t, s.conn.QueryRowContext(t.Context(), "select typeof(body), length(body) from plans where id=?", id).Scan(&kind, &size))
	if kind != "blob" || 2*size > len(text) {
		t.Errorf("a plan of %d bytes of JSON takes %d of %s", len(text), size, kind)
	}
	must(t, s.Close())

	s = openAt(t, path, Options{Outbox: true})
	ws, err := s.Waiting(t.Context(), 100)
	must(t, err)
	var waiting []*district.Plan
	for _, w := range ws {
		must(t, w.Damage)
		waiting = append(waiting, w.Batch.Plans...)
	}
	if !reflect.DeepEqual(waiting, want) {
		t.Errorf("%d plans wait in the outbox, want 2", len(waiting))
	}
}

// TestDamagedPlan: a plan whose bytes were damaged is an error that names it, and the others are read.
func TestDamagedPlan(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	id, err := s.SavePlan(t.Context(), widePlan(t0, 1))
	must(t, err)
	_, err = s.SavePlan(t.Context(), widePlan(t0.Add(time.Hour), 1))
	must(t, err)
	var body []byte
	must(t, s.conn.QueryRowContext(t.Context(), "select body from plans where id=?", id).Scan(&body))
	if !batch.Squeezed(body) {
		t.Fatalf("the plan begins with %x", body[:2])
	}
	body[len(body)/2] ^= 0x10
	_, err = s.conn.ExecContext(t.Context(), "update plans set body=? where id=?", body, id)
	must(t, err)
	if p, err := s.Plan(t.Context(), id); err == nil {
		t.Errorf("a damaged plan is read as %+v", p)
	} else if want := fmt.Sprintf("plan %d", id); !strings.Contains(err.Error(), want) {
		t.Errorf("error %q does not name %s", err, want)
	}
	if p, err := s.LatestPlan(t.Context(), "fontaine", t0.Add(2*time.Hour)); err != nil || p.Steps != 144 {
		t.Errorf("the plan beside it: %v", err)
	}
}
