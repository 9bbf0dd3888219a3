package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/scheduler"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// lived gives the record some days of the house before now: balances with a load and a sun of the hour, and a tank that is drawn from each morning.
func (s *stage) lived(days int) {
	s.t.Helper()
	st, err := OpenStore(s.t.Context(), s.cfg, nil, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer st.Close()
	d := &s.cfg.Districts[0]
	tank := d.Device(faultSite, "tank")
	end := timegrid.Floor(time.Now().UTC(), d.Step)
	begin, c := end.AddDate(0, 0, -days), 55.0
	var samples []district.Sample
	var rows []balance.Row
	for at := begin; at.Before(end); at = at.Add(d.Step) {
		heat, draw := 0.0, 0.0
		switch minute := at.Hour()*60 + at.Minute(); {
		case minute >= 4*60 && minute < 7*60 && c < 61:
			heat = 2.2
		case minute >= 7*60 && minute < 7*60+15:
			draw = 14
		}
		c += d.Step.Hours() / 0.233 * (heat - draw - 0.006*0.233*(c-12))
		samples = append(samples, district.Sample{Series: tank.Series(d.ID, faultSite, district.TankC), Time: at, Value: c},
			district.Sample{Series: tank.Series(d.ID, faultSite, district.PowerKW), Time: at, Value: heat})
		load := units.WattHours(80 + 40*math.Sin(float64(at.Hour())/4))
		sun := units.WattHours(math.Max(0, 400*math.Sin(float64(at.Hour()-6)/12*math.Pi)))
		for _, site := range []string{faultSite, district.DistrictSite} {
			rows = append(rows, balance.Row{District: d.ID, Site: site, Start: at, Step: d.Step, OtherWh: load, ImportWh: load, ProductionWh: sun, ExportWh: sun, Coverage: 1})
		}
	}
	if err := st.Append(s.t.Context(), samples); err != nil {
		s.t.Fatal(err)
	}
	if err := st.SaveBalances(s.t.Context(), rows); err != nil {
		s.t.Fatal(err)
	}
}

// until lets time pass until something is so.
func (s *stage) until(what string, is func() bool) {
	s.t.Helper()
	for end := time.Now().Add(4 * time.Minute); !is(); s.run(time.Second) {
		if time.Now().After(end) {
			s.t.Fatalf("not within four minutes: %s\n%s", what, s.log)
		}
	}
}

// hasPlan reports whether a plan is in force.
func (s *stage) hasPlan() bool {
	plan, _ := s.scheduler().Plan()
	return plan != nil
}

func (s *stage) scheduler() *scheduler.Scheduler { return s.app.schedulers[faultDistrict] }

// learnedFile is what forecasts have learned, as it is kept; empty before.
func (s *stage) learnedFile() string {
	text, err := os.ReadFile(filepath.Join(s.dir, learnedFolder, faultDistrict))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return string(text)
}

// memory is what a process is to know again after a restart.
type memory struct {
	plan    *district.Plan
	orders  []order.Order
	tanks   []scheduler.Tank
	errors  []district.ForecastError
	alarms  []console.Alarm
	learned string
	before  []byte // what stood in devices before they were commanded
}

func (s *stage) remembers() memory {
	s.t.Helper()
	m := memory{orders: s.scheduler().Orders(), tanks: s.scheduler().Tanks(), alarms: s.alarms(), learned: s.learnedFile()}
	for i := range m.orders { // what they cost is reckoned anew, and the record keeps microseconds
		o := &m.orders[i]
		o.Cost, o.Created, o.Start = nil, store.Instant(o.Created), store.Instant(o.Start)
	}
	slices.SortFunc(m.orders, func(a, b order.Order) int { return strings.Compare(a.ID, b.ID) })
	var err error
	if m.plan, err = s.app.record.LatestPlan(s.t.Context(), faultDistrict, time.Now().Add(time.Minute)); err != nil {
		s.t.Fatal(err)
	}
	now := time.Now().UTC()
	if m.errors, err = s.app.record.ForecastErrors(s.t.Context(), faultDistrict, timegrid.NewSpan(now.AddDate(0, 0, -30), now.AddDate(0, 0, 2))); err != nil {
		s.t.Fatal(err)
	}
	if m.before, err = os.ReadFile(filepath.Join(s.dir, beforeFile)); err != nil && !os.IsNotExist(err) {
		s.t.Fatal(err)
	}
	return m
}

// acknowledge has the campaign's operator know of an alarm.
func (s *stage) acknowledge(a console.Alarm) {
	s.t.Helper()
	body := fmt.Sprintf(`{"key": %q, "object": %q, "note": "the electrician comes"}`, a.Key, a.Object)
	r := httptest.NewRequest(http.MethodPost, "/api/districts/"+faultDistrict+"/alarms/acknowledge", strings.NewReader(body))
	r.AddCookie(&http.Cookie{Name: "quartier_session", Value: s.token})
	r.Header.Set("X-CSRF-Token", "x")
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if s.app.console.Handler().ServeHTTP(w, r); w.Code != http.StatusOK {
		s.t.Fatalf("acknowledging: %d %s", w.Code, w.Body)
	}
}

// goesOn has the house run, stop by what end does, and run again, and compares what it knows.
func goesOn(t *testing.T, s *stage, alarmed, killed bool, end func()) {
	ctx := t.Context()
	s.until("planned, with tanks and forecasts learned", func() bool {
		tanks := s.scheduler().Tanks()
		return len(tanks) == 1 && tanks[0].Known > 0 && tanks[0].Nights > 0 && s.learnedFile() != "" && s.hasPlan()
	})
	give := func(o order.Order) order.Order {
		t.Helper()
		o.Author, o.Reason = "olga", "because"
		o, err := s.scheduler().Order(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	now := time.Now().UTC().Truncate(time.Second)
	give(order.Order{Site: faultSite, Device: "tank", Kind: order.LockOut})
	give(order.Order{Site: faultSite, Device: "heatpump", Kind: order.OwnControl, End: now.Add(3 * time.Hour)})
	give(order.Order{Site: faultSite, Kind: order.Comfort, Value: 1, Start: now, End: now.Add(5 * time.Hour)})
	give(order.Order{Site: faultSite, Device: "charger", Kind: order.Quiet, Value: 2, From: "02:00", To: "03:00"})
	ended := give(order.Order{Site: faultSite, Device: "battery", Kind: order.Power, Value: 1, End: now.Add(4 * time.Hour)})
	if _, err := s.scheduler().EndOrder(ctx, ended.ID, "adam", "no more wanted"); err != nil {
		t.Fatal(err)
	}
	if alarmed {
		s.run(time.Minute) // the car is within the limit
		s.net.at(gridGate, weather{refused: true})
		s.until("the meter is missed", func() bool { return len(s.alarms()) > 0 })
		s.run(30 * time.Second) // it is raised
		if before := s.alarms(); len(before) != 1 || before[0].Key != "device-lost" {
			t.Errorf("alarms are %+v", before)
		}
		s.acknowledge(s.alarms()[0])
	}
	s.run(12 * time.Second) // two rounds, and orders are saved
	before := s.remembers()
	if before.learned == "" || before.plan == nil || len(before.orders) < 4 || len(before.errors) == 0 {
		t.Fatalf("before the stop there are %d bytes of what was learned, the plan %v, %d orders, %d errors of forecasts", len(before.learned), before.plan, len(before.orders), len(before.errors))
	}
	end()
	stopped := time.Now()
	left, _ := os.ReadFile(filepath.Join(s.dir, beforeFile))
	tank, pump := s.net.writes(cellarGate, 2), s.net.writes(cellarGate, 1)
	s.log = &logtest.Buffer{}
	if alarmed {
		s.net.at(gridGate, weather{refused: true})
	}
	s.start()

	// at once
	after := s.remembers()
	if !reflect.DeepEqual(after.plan, before.plan) {
		t.Errorf("the last plan is\n%+v, was\n%+v", after.plan, before.plan)
	}
	want := before.before
	if !killed { // all were given back
		want = left
	}
	if !bytes.Equal(after.before, want) || killed != bytes.Contains(want, []byte("sunspec-inverter")) {
		t.Errorf("what stood in devices before they were commanded is\n%s, was\n%s", after.before, want)
	}
	if after.learned != before.learned {
		t.Error("what forecasts have learned is another file")
	}
	if alarmed {
		s.until("who knows of the alarm is known", func() bool {
			return slices.ContainsFunc(s.alarms(), func(x console.Alarm) bool {
				was := before.alarms[0]
				return x.Key == was.Key && x.Object == was.Object && x.AcknowledgedBy == "campaign" && x.Note == "the electrician comes" && x.AcknowledgedAt.Equal(*was.AcknowledgedAt)
			})
		})
		s.net.at(gridGate, weather{})
	}
	// soon
	s.until("planned again", func() bool {
		return s.hasPlan() && len(s.scheduler().Tanks()) == 1
	})
	after = s.remembers()
	if !reflect.DeepEqual(after.orders, before.orders) {
		t.Errorf("orders are\n%+v, were\n%+v", after.orders, before.orders)
	}
	all, err := s.app.record.Orders(ctx, faultDistrict, timegrid.NewSpan(now.Add(-time.Minute), now.Add(time.Hour)))
	if i := slices.IndexFunc(all, func(o order.Order) bool { return o.ID == ended.ID }); err != nil || i < 0 || all[i].Outcome != order.EndedBy || all[i].EndedWho != "adam" || all[i].EndedWhy != "no more wanted" || all[i].EndedAt.IsZero() {
		t.Errorf("the record has the orders %+v, %v; want that %s was ended by adam, who wanted no more of it", all, err, ended.ID)
	}
	a, b := after.tanks[0], before.tanks[0]
	if a.Site != b.Site || a.Device != b.Device || math.Abs(a.LossPerHour-b.LossPerHour) > 0.02*b.LossPerHour || a.Nights != b.Nights || math.Abs(a.Known-b.Known) > 0.01 {
		t.Errorf("of the tank is known: a loss of %g by %d nights, a share of %g; was %g, %d, %g", a.LossPerHour, a.Nights, a.Known, b.LossPerHour, b.Nights, b.Known)
	}
	known := map[string]int64{}
	name := func(e district.ForecastError) string {
		return fmt.Sprintf("%s/%s/%s of %s, %d min ahead, replayed %v", e.Site, e.Device, e.Quantity, e.Day.Format(time.RFC3339), e.LeadMinutes, e.Replayed)
	}
	for _, e := range after.errors {
		if _, twice := known[name(e)]; twice {
			t.Errorf("two rows of %s", name(e))
		}
		known[name(e)] = e.Count
	}
	for _, e := range before.errors {
		if known[name(e)] < e.Count {
			t.Errorf("of forecasts of %s %d were judged, were %d", name(e), known[name(e)], e.Count)
			break
		}
	}
	if l := s.log.String(); strings.Contains(l, "learn anew") || strings.Contains(l, "not known") {
		t.Errorf("the log says\n%s", l)
	}
	// two rounds later: nothing is written to who is worked on, nor to who has its own control already
	s.run(15 * time.Second)
	if n := s.net.writes(cellarGate, 2) - tank; n != 0 {
		t.Errorf("%d times something was written to a device that is worked on", n)
	}
	if n := s.net.writes(cellarGate, 1) - pump; n != 0 {
		t.Errorf("%d times something was written to a heat pump that had its own control and keeps it", n)
	}
	lines, err := s.app.record.Setpoints(ctx, faultDistrict, faultSite, "tank", timegrid.NewSpan(stopped, time.Now().Add(time.Minute)), 0)
	if err != nil || len(lines) > 0 {
		t.Errorf("the ledger has of it %+v, %v", lines, err)
	}
	s.close()
}

// TestGoesOnAfterARestart: a process that was stopped, or lost its power, knows in the next one what it had learned, what was ordered and until when, who knows of which alarm, its last plan, and what stood in devices before;
// and it writes nothing to a device that needs nothing.
func TestGoesOnAfterARestart(t *testing.T) {
	for name, end := range map[string]func(s *stage){"stopped": func(s *stage) {
		if err := s.end(); err != nil {
			s.t.Errorf("it ended with %v", err)
		}
	}, "killed": (*stage).kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := fastDir(t)
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, dir, setting{fed: config.OpenMeteo})
				s.run(2 * time.Second)
				if err := s.end(); err != nil {
					t.Error(err)
				}
				s.lived(9)
				s.start()
				goesOn(t, s, true, name == "killed", func() { end(s) })
			})
		})
	}
}

// TestGoesOnAfterARestartWithADatabase: the same where the record is in a database.
func TestGoesOnAfterARestartWithADatabase(t *testing.T) {
	t.Parallel()
	url := storetest.Database(t)
	s := newStage(t, t.TempDir(), setting{at: time.Now(), fed: config.OpenMeteo})
	s.run(2 * time.Second)
	s.restart(url)
	s.run(2 * time.Second)
	if err := s.end(); err != nil {
		t.Error(err)
	}
	s.lived(9)
	s.start()
	goesOn(t, s, false, false, func() {
		if err := s.end(); err != nil {
			t.Error(err)
		}
	})
}
