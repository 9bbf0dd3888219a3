package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/feed"
)

// feedsOf puts a feed of a kind into the configuration of the fault campaign; none for an empty kind.
func feedsOf(t *testing.T, dir, text, kind string) []byte {
	t.Helper()
	change := func(from, to string) {
		if !strings.Contains(text, from) {
			t.Fatalf("testdata/faults.yaml has no %q any more", from)
		}
		text = strings.Replace(text, from, to, 1)
	}
	switch kind {
	case config.OpenMeteo:
		change("tariffs:\n", "feeds:\n  - {id: meteo, kind: open_meteo, url: 'http://published.example/weather', every_minutes: 5}\ntariffs:\n")
		change("    tariff: bleu\n", "    tariff: bleu\n    weather: meteo\n")
	case config.Entsoe:
		token := filepath.Join(dir, "token")
		if err := os.WriteFile(token, []byte("c0ffee"), 0o600); err != nil {
			t.Fatal(err)
		}
		change("tariffs:\n", "feeds:\n  - {id: spot, kind: entso_e, url: 'http://published.example/prices', area: 10YFR-RTE------C, key_file: "+token+", every_minutes: 5}\n"+
			"tariffs:\n  - {id: live, kind: dynamic, feed: spot, rows: [{from: 2025-01-01, times: 1, plus_eur_per_kwh: 0.1, vat: 0.2, export_eur_per_kwh: 0.04}]}\n")
		change("    tariff: bleu\n", "    tariff: live\n")
	}
	return []byte(text)
}

// publishYesterday has the source of the stage's feed publish a document that is as old as one may be without anything new, but for six minutes, and that Quartier has on its disk since then.
func (s *stage) publishYesterday() {
	s.t.Helper()
	f := s.cfg.File.Feeds[0]
	issued := s.at.Add(6*time.Minute - newsEvery[f.Kind])
	s.source = &publisher{t: s.t, now: func() time.Time {
		if s.renewed.Load() {
			return time.Now()
		}
		return issued
	}}
	s.source.hours.Store(48)
	src, err := FeedSource(f, &s.cfg.Districts[0])
	if err != nil {
		s.t.Fatal(err)
	}
	one := feed.New(src, feed.Options{Dir: filepath.Join(s.dir, FeedFolder), Client: s.feedClient(), Now: func() time.Time { return issued }})
	if err := one.Fetch(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// publishAnew has the source say something new from now on.
func (s *stage) publishAnew() { s.renewed.Store(true) }

// feedClient asks the stage's source without a network.
func (s *stage) feedClient() *http.Client {
	return &http.Client{Transport: tripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		s.source.ServeHTTP(w, r)
		return w.Result(), nil
	})}
}

type tripper func(r *http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
