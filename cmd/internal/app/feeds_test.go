package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// publisher serves the three kinds of documents for the days around a time, with the token that it wants.
type publisher struct {
	t      *testing.T
	now    func() time.Time
	silent atomic.Bool
	hours  atomic.Int32 // of tomorrow for which there are prices
}

// priceAt is the published price of an hour, EUR/MWh.
func priceAt(at time.Time) float64 { return 50 + float64(at.Unix()/3600%48) }

func (p *publisher) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if p.silent.Load() {
		http.Error(w, "token "+q.Get("securityToken")+" at rest", http.StatusServiceUnavailable)
		return
	}
	now := p.now()
	switch r.URL.Path {
	case "/weather":
		if q.Get("latitude") != "47.3200" || q.Get("timezone") != "GMT" {
			p.t.Errorf("asked for the weather with %v", q)
		}
		var times, temp, sun []string
		for at := now.Truncate(24 * time.Hour); at.Before(now.Add(72 * time.Hour)); at = at.Add(time.Hour) {
			times, temp, sun = append(times, at.Format(`"2006-01-02T15:04"`)), append(temp, fmt.Sprint(at.Hour())), append(sun, "200")
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		fmt.Fprintf(w, `{"utc_offset_seconds":0,"hourly":{"time":[%s],"temperature_2m":[%s],"shortwave_radiation":[%s]}}`, strings.Join(times, ","), strings.Join(temp, ","), strings.Join(sun, ","))
	case "/prices":
		if q.Get("securityToken") != "c0ffee" || q.Get("in_Domain") != "10YFR-RTE------C" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		start, err := time.Parse("200601021504", q.Get("periodStart"))
		if err != nil || !start.Equal(timegrid.Day(start, marketZone).Start) {
			p.t.Errorf("period begins %q", q.Get("periodStart"))
		}
		end := timegrid.Day(now, marketZone).End.Add(time.Duration(p.hours.Load()) * time.Hour)
		var points strings.Builder
		for i, at := 1, start; at.Before(end); i, at = i+1, at.Add(time.Hour) {
			fmt.Fprintf(&points, "<Point><position>%d</position><price.amount>%g</price.amount></Point>", i, priceAt(at))
		}
		w.Header().Set("Content-Type", "text/xml")
		fmt.Fprintf(w, `<Publication_MarketDocument><TimeSeries><curveType>A03</curveType><Period><timeInterval><start>%s</start><end>%s</end></timeInterval><resolution>PT60M</resolution>%s</Period></TimeSeries></Publication_MarketDocument>`,
			start.Format("2006-01-02T15:04Z"), end.Format("2006-01-02T15:04Z"), points.String())
	case "/carbon":
		var rows []string
		for at := now.Truncate(15 * time.Minute).Add(-12 * time.Hour); at.Before(now.Add(-30 * time.Minute)); at = at.Add(15 * time.Minute) {
			rows = append(rows, fmt.Sprintf(`{"date_heure":%q,"taux_co2":33}`, at.Format(time.RFC3339)))
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"results":[%s,{"date_heure":%q,"taux_co2":null}]}`, strings.Join(rows, ","), now.Truncate(15*time.Minute).Format(time.RFC3339))
	}
}

// fedHouse is the small demonstration with feeds at an address, and changes of its text beside.
func fedHouse(t *testing.T, dir, address string, changes ...[2]string) *config.Config {
	t.Helper()
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("QUARTIER_TEST_ENTSOE", "c0ffee")
	body := string(text)
	for _, change := range append([][2]string{
		{"tariffs:\n", "data_dir: " + dir + "\nfeeds:\n  - {id: meteo, kind: open_meteo, url: " + address + "/weather}\n  - {id: spot, kind: entso_e, url: " + address + "/prices, area: 10YFR-RTE------C, key_env: QUARTIER_TEST_ENTSOE}\n  - {id: co2, kind: eco2mix, url: " + address +
			"/carbon}\ntariffs:\n  - {id: live, kind: dynamic, feed: spot, rows: [{from: 2025-01-01, times: 1, plus_eur_per_kwh: 0.1, vat: 0.2, export_eur_per_kwh: 0.04}]}\n"},
		{"{id: france-2024, kind: constant, g_per_kwh: 21.7,", "{id: france-2024, kind: series, feed: co2, g_per_kwh: 21.7,"},
		{"    tariff: bleu-hp-hc\n", "    tariff: live\n    weather: meteo\n"},
	}, changes...) {
		if !strings.Contains(body, change[0]) {
			t.Fatalf("the small demonstration has no %q any more", change[0])
		}
		body = strings.Replace(body, change[0], change[1], 1)
	}
	cfg, err := config.Parse("small.yaml", []byte(body), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// TestFeedsInPlans: what three sources publish is in the record, the plan and the balance; when they fall silent the plan rests on what was published and on similar days beyond, says so, and an alarm tells
// which source is silent, without its token; all of it goes on after a restart without a source.
func TestFeedsInPlans(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC)
	clock := NewClock(start, 1)
	p := &publisher{t: t, now: func() time.Time { return start }}
	srv := httptest.NewServer(p)
	defer srv.Close()
	dir := t.TempDir()
	cfg := fedHouse(t, dir, srv.URL)
	open := func() *App {
		t.Helper()
		a, err := New(t.Context(), cfg, Options{Clock: clock, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := open()
	record := func(want bool) {
		t.Helper()
		for _, s := range a.feeds {
			if err := s.Fetch(t.Context()); (err == nil) != want {
				t.Errorf("feed %s: %v", s.id, err)
			}
			for range 2 { // the second time there is nothing new
				if err := a.recordFeed(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if len(a.feeds) != 3 {
		t.Fatalf("%d feeds", len(a.feeds))
	}
	record(true)

	slot := func(at time.Time) timegrid.Span { return timegrid.NewSpan(at, at.Add(15*time.Minute)) }
	plan, err := a.schedulers["rue-verte"].Replan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	full := func(mwh float64) float64 { return (mwh/1000 + 0.1) * 1.2 }
	day := timegrid.Day(start, marketZone)
	for i, got := range plan.ImportPrice {
		at := plan.Start.Add(time.Duration(i) * 15 * time.Minute)
		if at.Before(day.End) && math.Abs(got-full(priceAt(at))) > 1e-9 {
			t.Fatalf("price at %v is %v, want %v as published", at, got, full(priceAt(at)))
		}
		if !at.Before(day.End) && math.Abs(got-full(priceAt(at.Add(-24*time.Hour)))) > 0.06 {
			t.Fatalf("price at %v is %v, far from that of the days before", at, got)
		}
	}
	if got := plan.CarbonGPerKWh[0]; math.Abs(got-33) > 1 {
		t.Errorf("carbon %v, want about the 33 of the feed", got)
	}
	weather := a.weatherOf(&cfg.Districts[0])
	if v, ok := weather(district.OutdoorC, slot(start.Truncate(time.Hour).Add(26*time.Hour))); !ok || v != 12.5 {
		t.Errorf("%v °C published for tomorrow's noon, %v", v, ok)
	}
	basis := map[string]district.Basis{}
	for _, b := range plan.Basis {
		basis[b.Input] = b
	}
	if b := basis["prices"]; !b.Published.Equal(day.End) || b.Beyond != "similar-days" || b.Source != "spot" || b.Silent {
		t.Errorf("prices rest on %+v", b)
	}
	if b := basis["weather"]; b.Beyond != "" || !b.Published.After(start.Add(48*time.Hour)) {
		t.Errorf("weather rests on %+v", b)
	}
	if b := basis["carbon"]; b.Beyond != "similar-days" {
		t.Errorf("carbon rests on %+v", b)
	}
	have := map[string]int{}
	ids, err := a.record.Series(t.Context(), "rue-verte/_/")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.record.Read(t.Context(), ids, timegrid.NewSpan(start.Add(-72*time.Hour), start.Add(72*time.Hour)), func(s district.Sample) error {
		if s.Time.After(start.Add(time.Minute)) {
			t.Errorf("%s has a value of the time to come, %v", s.Series, s.Time)
		}
		have[strings.TrimPrefix(string(s.Series), "rue-verte/_/")]++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if have["carbon/carbon_g_per_kwh"] < 40 || have["spot/day_ahead_eur_per_kwh"] < 4*34 || have["meteo/outdoor_c"] != 11 || have["spot/age_h"] != 1 || have["meteo/age_h"] != 1 {
		t.Errorf("the record has %v", have)
	}
	if al := a.feedAlarms("rue-verte"); len(al) != 0 {
		t.Errorf("alarms %+v", al)
	}

	// tomorrow's prices come late, and then they are there
	clock.Set(start.Add(5 * time.Hour))
	if al := a.feedAlarms("rue-verte"); len(al) != 1 || al[0].Key != PricesLate {
		t.Errorf("at 16:05 of Paris the alarms are %+v", al)
	}
	p.hours.Store(24)
	record(true)
	if al := a.feedAlarms("rue-verte"); len(al) != 0 {
		t.Errorf("alarms %+v", al)
	}

	// silence
	p.silent.Store(true)
	clock.Set(start.Add(12 * time.Hour))
	record(false)
	al := a.feedAlarms("rue-verte")
	if len(al) != 3 {
		t.Fatalf("%d feeds are silent: %+v", len(al), al)
	}
	for _, x := range al {
		if x.Key != FeedSilent || strings.Contains(x.Detail, "c0ffee") || !strings.Contains(x.Detail, "status 503") || x.Since.After(clock.Now()) {
			t.Errorf("%+v", x)
		}
	}
	if plan, err = a.schedulers["rue-verte"].Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, b := range plan.Basis {
		if !b.Silent {
			t.Errorf("the plan does not say that %s is silent: %+v", b.Source, b)
		}
	}
	if err := a.close(); err != nil {
		t.Fatal(err)
	}

	a = open()
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	at := start.Add(20 * time.Hour)
	if v, err := cfg.Tariffs["live"].ImportAt(at); err != nil || math.Abs(v-full(priceAt(at))) > 1e-9 {
		t.Errorf("after a restart the price of %v is %v (%v), want %v as published", at, v, err, full(priceAt(at)))
	}
	if v, err := cfg.Tariffs["live"].ImportAt(start.Add(-3 * time.Hour)); err != nil || math.Abs(v-full(priceAt(start.Add(-3*time.Hour)))) > 1e-9 {
		t.Errorf("of the record: %v, %v", v, err)
	}
}

// TestMarket: a price is the one that was published; else the mean of the same time of similar days, Saturday after Saturday and Sunday, across a change of the clock; else what is assumed. Bills know
// published prices alone.
func TestMarket(t *testing.T) {
	cfg := fedHouse(t, t.TempDir(), "http://127.0.0.1:1")
	st, err := sqlite.Open(t.Context(), t.TempDir()+"/quartier.db", sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	now := time.Date(2026, 10, 26, 12, 0, 0, 0, time.UTC) // the Monday after the clock change
	m := openMarkets(cfg, st, func() time.Time { return now }, nil)["spot"]
	if v, ok := m.foreseen(now); !ok || v != 0.08 {
		t.Errorf("of nothing %v is foreseen", v)
	}
	if m.known() {
		t.Error("a price is known")
	}
	var samples []district.Sample
	for at := now.Add(-21 * 24 * time.Hour); at.Before(now); at = at.Add(15 * time.Minute) {
		v := float64(at.In(m.zone).Hour()) / 100
		if wd := at.In(m.zone).Weekday(); wd == time.Saturday || wd == time.Sunday {
			v = -v
		}
		samples = append(samples, district.Sample{Series: priceSeries("rue-verte", "spot"), Time: at, Value: v, Source: district.FromSignal})
	}
	if err := st.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	m = openMarkets(cfg, st, func() time.Time { return now }, nil)["spot"]
	for _, c := range []struct {
		at   time.Time
		want float64
	}{
		{now.Add(-24 * time.Hour), -0.13}, // published, Sunday
		{now, 0.13},                       // Monday at 13:00 of Paris, of the days before in summer time
		{now.Add(5 * 24 * time.Hour), -0.13},
		{now.Add(9*time.Hour + 15*time.Minute), 0.22},
	} {
		if v, ok := m.foreseen(c.at); !ok || math.Abs(v-c.want) > 1e-12 {
			t.Errorf("at %v: %v, want %v", c.at, v, c.want)
		}
	}
	if v, ok := m.repeated(now.Add(9*time.Hour + 15*time.Minute)); !ok || v != 0.22 {
		t.Errorf("the calendar says %v, %v", v, ok)
	}
	for i := range samples { // no two days alike
		m.keep(district.Sample{Time: samples[i].Time, Value: samples[i].Value + 1e-6*float64(i)})
	}
	now = now.Add(15 * time.Minute)
	if v, ok := m.repeated(now); ok {
		t.Errorf("of prices without a calendar one says %v", v)
	}
	now = now.Add(-15 * time.Minute)
	for _, s := range samples {
		m.keep(s)
	}
	for _, c := range []struct {
		at   time.Time
		want scheduler.PriceBasis
	}{{now.Add(-20 * 24 * time.Hour), scheduler.PriceSettled}, {now.Add(-22 * 24 * time.Hour), scheduler.PriceEstimated}, {now.Add(-15 * time.Minute), scheduler.PriceSettled}, {now, scheduler.PriceRepeated}, {now.Add(36 * time.Hour), scheduler.PriceRepeated}} {
		if got := m.basis(timegrid.NewSpan(c.at, c.at.Add(15*time.Minute))); got != c.want {
			t.Errorf("the price at %v is known by %v, want %v", c.at, got, c.want)
		}
	}
	tomorrow := now.Add(24 * time.Hour)
	m.keep(district.Sample{Time: tomorrow, Value: 0.3}) // published beyond a gap
	if got := m.basis(timegrid.NewSpan(tomorrow, tomorrow.Add(15*time.Minute))); got != scheduler.PriceSettled {
		t.Errorf("a published price after a gap is known by %v", got)
	}
	if got := m.basis(timegrid.NewSpan(tomorrow, tomorrow.Add(time.Hour))); got == scheduler.PriceSettled {
		t.Error("an hour of which a quarter is published is settled")
	}
	if got, want := m.last(now), tomorrow.Add(15*time.Minute); !got.Equal(want) || !m.until(now).IsZero() {
		t.Errorf("the last price is published until %v, want %v, and without a gap until %v, want none", got, want, m.until(now))
	}
	tar := cfg.Tariffs["live"]
	if _, err := tar.ImportAt(now); err == nil {
		t.Error("a bill has a price that nobody published")
	}
	if v, err := tar.Estimated().ImportAt(now); err != nil || math.Abs(v-(0.13+0.1)*1.2) > 1e-12 {
		t.Errorf("planned with %v, %v", v, err)
	}
}

// TestBoundaryTariff: plans rest on the market of the tariff at the boundary alone: where that is fixed, its prices are settled as far as it goes, whatever feeds the sites' own tariffs have; and where it is fed, its own feed counts.
func TestBoundaryTariff(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC)
	const fixed, live = "    tariff: bleu-hp-hc\n    weather", "    tariff: live\n    weather"
	other := [2]string{"  - {id: co2,", "  - {id: other, kind: entso_e, url: http://127.0.0.1:1/prices, area: 10YFR-RTE------C, key_env: QUARTIER_TEST_ENTSOE}\n  - {id: co2,"}
	otherTariff := [2]string{"  - {id: live,", "  - {id: else, kind: dynamic, feed: other, rows: [{from: 2025-01-01, times: 2, plus_eur_per_kwh: 0, vat: 0, export_eur_per_kwh: 0}]}\n  - {id: live,"}
	for name, c := range map[string]struct {
		changes [][2]string
		source  string // of the basis of prices
	}{
		"fixed, a site has a market": {[][2]string{{live, fixed}, {"        name: Our house\n", "        name: Our house\n        tariff: live\n"}}, ""},
		"fed, a site has another":    {[][2]string{other, otherTariff, {"        name: Our house\n", "        name: Our house\n        tariff: else\n"}}, "spot"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &publisher{t: t, now: func() time.Time { return start }}
			srv := httptest.NewServer(p)
			defer srv.Close()
			cfg := fedHouse(t, t.TempDir(), srv.URL, c.changes...)
			var basis func(timegrid.Span) scheduler.PriceBasis
			a, err := New(t.Context(), cfg, Options{Clock: NewClock(start, 1), Listen: "127.0.0.1:0", adjust: func(s *scheduler.Config) { basis = s.PriceBasis }})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := a.close(); err != nil {
					t.Error(err)
				}
			}()
			for _, s := range a.feeds {
				if err := s.Fetch(t.Context()); (err == nil) != (s.id != "other") {
					t.Fatalf("feed %s: %v", s.id, err)
				}
			}
			plan, err := a.schedulers["rue-verte"].Replan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var sources []string
			for _, b := range plan.Basis {
				if b.Input == "prices" {
					sources = append(sources, b.Source)
				}
			}
			if got := strings.Join(sources, " "); got != c.source {
				t.Errorf("prices rest on %q, want %q", got, c.source)
			}
			want, err := cfg.Tariffs[cfg.Districts[0].Tariff].Estimated().Import(timegrid.NewSpan(plan.Start, plan.Start.Add(time.Duration(plan.Steps)*15*time.Minute)), 15*time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range plan.ImportPrice {
				if math.Abs(v-want[i]) > 1e-9 {
					t.Fatalf("slot %d: %v is planned with, the tariff says %v", i, v, want[i])
				}
			}
			now, beyond := timegrid.NewSpan(start, start.Add(15*time.Minute)), timegrid.NewSpan(start.Add(30*time.Hour), start.Add(30*time.Hour+15*time.Minute))
			if c.source == "" {
				if basis != nil {
					t.Error("a fixed tariff is taken for a market's")
				}
			} else if basis(now) != scheduler.PriceSettled || basis(beyond) == scheduler.PriceSettled {
				t.Errorf("the price of now is known by %v, of tomorrow evening by %v", basis(now), basis(beyond))
			}
		})
	}
}

// TestFeedAddress: the days of the market are those of Paris, also where they have 23 and 25 hours.
func TestFeedAddress(t *testing.T) {
	cfg := fedHouse(t, t.TempDir(), "http://feed.example")
	src, err := FeedSource(cfg.Feeds["spot"], &cfg.Districts[0])
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]string{
		"2026-03-28T23:30:00Z": "periodEnd=202603302200&periodStart=202603272300", // the day of 23 hours
		"2026-10-25T12:00:00Z": "periodEnd=202610262300&periodStart=202610232200",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := src.URL(now); !strings.Contains(got, want) || !strings.Contains(got, "securityToken=c0ffee") {
			t.Errorf("at %s: %s, want %s", at, got, want)
		}
	}
	if strings.Contains(src.Place, "c0ffee") {
		t.Error("the token is in the place")
	}
}

// TestAlarmsAreKept: a condition that holds is an alarm in the record and told once; who knows of it is known after a restart, which raises nothing anew; what is over by then is cleared.
func TestAlarmsAreKept(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC)
	clock := NewClock(start, 1)
	p := &publisher{t: t, now: clock.Now}
	srv := httptest.NewServer(p)
	defer srv.Close()
	p.hours.Store(24)
	var mu sync.Mutex
	var posts []string
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b struct {
			Event, Key, Object string
			ObjectName         string `json:"object_name"`
		}
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.ObjectName == "" {
			t.Errorf("post %+v, %v", b, err)
		}
		mu.Lock()
		posts = append(posts, b.Event+" "+b.Key+" "+b.Object)
		mu.Unlock()
	}))
	defer hook.Close()
	told := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(posts) >= n
		}
	}
	cfg := fedHouse(t, t.TempDir(), srv.URL)
	cfg.File.Alarms = config.Alarms{Raise: 5, Clear: 5, Webhooks: []config.Webhook{{URL: hook.URL}}}
	open := func() (*App, func()) {
		t.Helper()
		a, err := New(t.Context(), cfg, Options{Clock: clock, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); a.notifier.Run(ctx) }()
		a.restoreAlarms(t.Context())
		return a, func() {
			t.Helper()
			cancel()
			<-done
			if err := a.close(); err != nil {
				t.Error(err)
			}
		}
	}
	silence := func(a *App) {
		t.Helper()
		for _, s := range a.feeds {
			if err := s.Fetch(t.Context()); err == nil {
				t.Fatal("no error")
			}
		}
	}
	look := func(a *App) {
		clock.Set(clock.Now().Add(6 * time.Second))
		a.compare(t.Context())
		a.write(t.Context())
	}
	const spot = "rue-verte/_/spot"
	a, end := open()
	p.silent.Store(true)
	silence(a)
	clock.Set(start.Add(7 * time.Hour))
	look(a)
	look(a)
	look(a)
	until(t, "three sources are told to be silent", told(3))
	if _, err := a.watch.Acknowledge(FeedSilent, spot, "olga", "asked the provider", clock.Now()); err != nil {
		t.Fatal(err)
	}
	if err := a.record.AppendEvent(t.Context(), store.Event{Time: clock.Now(), Kind: store.AuditEvent, Actor: "olga", Action: console.AcknowledgeAction, Object: spot, Detail: FeedSilent + ": asked the provider", Severity: "info"}); err != nil {
		t.Fatal(err)
	}
	end()

	a, end = open()
	defer end()
	if known := a.watch.Acknowledged()[FeedSilent+" "+spot]; known.By != "olga" || known.Note != "asked the provider" {
		t.Errorf("after a restart %+v knows of it", known)
	}
	p.silent.Store(false)
	for _, s := range a.feeds {
		if err := s.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look(a)
	look(a)
	until(t, "they are told to be well", told(6))
	events, err := a.record.Events(t.Context(), []store.EventKind{store.AlarmEvent}, timegrid.NewSpan(start, start.Add(24*time.Hour)), 0)
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, e := range events {
		if e.Action == FeedSilent && e.Actor == console.WatchActor {
			count[e.Severity]++
		}
	}
	if count["warning"] != 3 || count["info"] != 3 {
		t.Errorf("the record has %v, want three raised and cleared", count)
	}
	mu.Lock()
	defer mu.Unlock()
	if posts[0] != "raised feed-silent rue-verte/_/co2" || len(posts) != 6 || !strings.HasPrefix(posts[5], "cleared ") {
		t.Errorf("told %v", posts)
	}
}

// TestSourcesThatSayNothingNew are told, each after the time of its kind, however well they answer; and what rests on old weather is doubted.
func TestSourcesThatSayNothingNew(t *testing.T) {
	start := time.Date(2026, 11, 20, 10, 5, 0, 0, time.UTC)
	clock := NewClock(start, 1)
	stuckAt := start
	p := &publisher{t: t, now: func() time.Time { return stuckAt }}
	srv := httptest.NewServer(p)
	defer srv.Close()
	p.hours.Store(24)
	a, err := New(t.Context(), fedHouse(t, t.TempDir(), srv.URL), Options{Clock: clock, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}()
	stuck := func(after time.Duration) (out []string) {
		t.Helper()
		clock.Set(start.Add(after))
		for _, s := range a.feeds {
			if err := s.Fetch(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for _, x := range a.feedAlarms("rue-verte") {
			switch x.Key {
			case FeedStuck:
				out = append(out, x.Object)
			case FeedSilent:
				t.Errorf("%s answers and is called silent", x.Object)
			}
		}
		slices.Sort(out)
		return out
	}
	age := a.weatherAge(&a.cfg.Districts[0])
	for _, c := range []struct {
		after time.Duration
		want  []string
	}{
		{0, nil},
		{7 * time.Hour, []string{"rue-verte/_/co2"}},
		{30 * time.Hour, []string{"rue-verte/_/co2", "rue-verte/_/meteo"}},
		{40 * time.Hour, []string{"rue-verte/_/co2", "rue-verte/_/meteo", "rue-verte/_/spot"}},
	} {
		if got := stuck(c.after); !slices.Equal(got, c.want) {
			t.Errorf("after %v %v are stuck, want %v", c.after, got, c.want)
		}
		if got := age(); got < c.after || got > c.after+time.Minute {
			t.Errorf("after %v the weather is %v old", c.after, got)
		}
	}
	for _, f := range a.feedStatus() {
		if f.State != "stuck" {
			t.Errorf("%s is %s", f.ID, f.State)
		}
	}
	stuckAt = start.Add(41 * time.Hour)
	if got := stuck(41 * time.Hour); len(got) > 0 {
		t.Errorf("%v say something new and are stuck", got)
	}
}
