package feed

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestStuckSource: a service that goes on answering with the rates of the morning does not make them new.
func TestStuckSource(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"results":[{"date_heure":"2026-03-29T01:00:00+00:00","taux_co2":51},{"date_heure":"2026-03-29T01:15:00+00:00","taux_co2":52},{"date_heure":"2026-03-29T01:30:00+00:00","taux_co2":null}]}`)
	}))
	defer srv.Close()
	opt, _ := options(t, t.TempDir())
	src := Source{Name: "carbon", Place: "carbon", Types: []string{"application/json"}, URL: func(time.Time) string { return srv.URL },
		Read: func(data []byte) (Bulletin, error) { return ReadEco2mix(data, time.UTC) }}
	now := noon
	opt.Now = func() time.Time { return now }
	for _, later := range []time.Duration{0, 60 * time.Hour} { // the second time after a restart
		f := New(src, opt)
		if err := f.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got, want := f.Status(noon).Issued, time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC); !got.Equal(want) {
			t.Errorf("issued %v, want %v: the end of the newest rate", got, want)
		}
		now = noon.Add(later)
		if err := f.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if st := f.Status(now); st.Stuck != (later > 0) || st.Silent || !st.Renewed.Equal(noon) {
			t.Errorf("%v later stuck %v, silent %v, new at %v", later, st.Stuck, st.Silent, st.Renewed)
		}
	}
}
