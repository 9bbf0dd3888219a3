// Package storetest is the meaning of the contract in package store: [Run] exercises an implementation and fails where it differs.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// Run exercises every method. open returns an empty store, which the suite closes; it is called from several goroutines, since the parts mostly wait for a disk or a
// database and run side by side.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, tt := range []struct {
		name string
		f    func(*testing.T, store.Store)
	}{
		{"samples come back as written, by series then time", samplesRoundTrip},
		{"a span holds its start and not its end", samplesHalfOpen},
		{"late, duplicate and corrected samples", samplesCorrected},
		{"random writes against a map", samplesModel},
		{"one bad sample refuses the whole append by name", samplesRefused},
		{"days of 23 and 25 hours", samplesClockChange},
		{"latest", samplesLatest},
		{"series by prefix", seriesByPrefix},
		{"names in every script", samplesUnicode},
		{"times to the microsecond", samplesMicrosecond},
		{"50,000 samples in one append", samplesMany},
		{"an error of the reader stops the read", readStops},
		{"a reader may write and read", readReenters},
		{"concurrent use", concurrent},
		{"one faulty write among many", faultyAmongMany},
		{"a cancelled context writes nothing", cancelled},
		{"rollups are what the samples say", rollups},
		{"rollups of the days of the clock change", rollupsClockChange},
		{"rollups after late samples and repetitions", rollupsLate},
		{"an error of the reader stops the rollup", rollupStops},
		{"balances", balances},
		{"bad balances are refused", balancesRefused},
		{"carriers", carriers},
		{"balances by day", balanceDays},
		{"balances by day while rows are saved", balanceDaysTogether},
		{"what was observed by day", observedDays},
		{"errors of forecasts", forecasts},
		{"outlooks", outlooks},
		{"plans", plans},
		{"bad plans are refused", plansRefused},
		{"set-points", setpoints},
		{"events", events},
		{"figures", figures},
		{"bad figures are refused", figuresRefused},
		{"orders", orders},
		{"bad orders are refused", ordersRefused},
		{"users", users},
		{"sessions", sessions},
		{"ping, stats and close", pingStatsClose},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			tt.f(t, s)
		})
	}
}

// t0 is a midnight in Paris in winter.
var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

const (
	pv    = district.SeriesID("fontaine/ecole/pv/power_kw")
	meter = district.SeriesID("fontaine/ecole/meter/import_kwh")
	tank  = district.SeriesID("fontaine/mairie/tank/tank_c")
)

func sample(s district.SeriesID, t time.Time, v float64) district.Sample {
	return district.Sample{Series: s, Time: t, Value: v}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func span(from time.Time, d time.Duration) timegrid.Span {
	return timegrid.Span{Start: from, End: from.Add(d)}
}

func read(t *testing.T, s store.Samples, sp timegrid.Span, series ...district.SeriesID) []district.Sample {
	t.Helper()
	var out []district.Sample
	if err := s.Read(t.Context(), series, sp, func(x district.Sample) error {
		out = append(out, x)
		return nil
	}); err != nil {
		t.Fatalf("read %v: %v", series, err)
	}
	return out
}

func equalSamples(t *testing.T, got, want []district.Sample) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d samples, want %d:\n%s", len(got), len(want), list(got))
	}
	for i := range got {
		if !equalSample(got[i], want[i]) {
			t.Fatalf("sample %d is %s, want %s", i, show(got[i]), show(want[i]))
		}
		if got[i].Time.Location() != time.UTC {
			t.Fatalf("sample %d has its time in %v, want UTC", i, got[i].Time.Location())
		}
	}
}

func equalSample(a, b district.Sample) bool {
	return a.Series == b.Series && a.Time.Equal(b.Time) && a.Value == b.Value && a.Quality == b.Quality && a.Source == b.Source
}

func show(s district.Sample) string {
	return fmt.Sprintf("%s %s %v %v source %d", s.Series, s.Time.Format(time.RFC3339Nano), s.Value, s.Quality, s.Source)
}

func list(samples []district.Sample) (out string) {
	for i, s := range samples {
		if i == 10 {
			return out + "…"
		}
		out += show(s) + "\n"
	}
	return out
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("error %v, want one that matches %q", err, target)
	}
}

func pingStatsClose(t *testing.T, s store.Store) {
	must(t, s.Ping(t.Context()))
	st, err := s.Stats(t.Context())
	must(t, err)
	if st.Kind == "" || st.Version == "" {
		t.Errorf("stats %+v name no kind or version", st)
	}
	if st.Samples != 0 {
		t.Errorf("an empty store says that it has %d samples", st.Samples)
	}
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0, -1), sample(pv, t0.Add(time.Second), -2)}))
	if st, err = s.Stats(t.Context()); err != nil || st.Bytes <= 0 {
		t.Errorf("stats after a write: %+v, %v; want bytes on disk", st, err)
	}
	must(t, s.Close())
	must(t, s.Close()) // closing again is no error
	if err := s.Append(t.Context(), []district.Sample{sample(pv, t0, 1)}); err == nil {
		t.Error("a closed store took a sample")
	}
	if err := s.Ping(t.Context()); err == nil {
		t.Error("a closed store says that it can take a write")
	}
	if err := s.Read(t.Context(), []district.SeriesID{pv}, span(t0, time.Hour), func(district.Sample) error { return nil }); err == nil {
		t.Error("a closed store was read")
	}
}

func cancelled(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0, -1)}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantIs(t, s.Append(ctx, []district.Sample{sample(meter, t0, 1)}), context.Canceled)
	wantIs(t, s.Read(ctx, []district.SeriesID{pv}, span(t0, time.Hour), func(district.Sample) error { return nil }), context.Canceled)
	_, err := s.Latest(ctx, []district.SeriesID{pv}, t0)
	wantIs(t, err, context.Canceled)
	_, err = s.Series(ctx, "")
	wantIs(t, err, context.Canceled)
	_, err = s.SavePlan(ctx, &district.Plan{District: "fontaine", CreatedAt: t0})
	wantIs(t, err, context.Canceled)
	_, err = s.LatestPlan(ctx, "fontaine", t0)
	wantIs(t, err, context.Canceled)
	wantIs(t, s.AppendEvent(ctx, store.Event{Kind: store.AuditEvent, Time: t0}), context.Canceled)
	wantIs(t, s.AppendSetpoints(ctx, []district.Setpoint{{District: "fontaine", Time: t0}}), context.Canceled)
	wantIs(t, s.CreateUser(ctx, store.User{Name: "zoe"}), context.Canceled)
	wantIs(t, s.Ping(ctx), context.Canceled)
	if got := read(t, s, span(t0, time.Hour), meter); len(got) != 0 {
		t.Errorf("a cancelled append wrote %s", list(got))
	}
	if _, err := s.User(t.Context(), "zoe"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a cancelled creation left a user: %v", err)
	}
	// cancelled somewhere in the middle: all of it is there, or nothing
	big := make([]district.Sample, 10000)
	for i := range big {
		big[i] = sample(tank, t0.Add(time.Duration(i)*time.Second), float64(i))
	}
	for _, after := range []time.Duration{time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		err := s.Append(ctx, big)
		cancel()
		n := len(read(t, s, span(t0, 24*time.Hour), tank))
		if err == nil && n != len(big) || n != 0 && n != len(big) {
			t.Fatalf("append with %v to do it returned %v and left %d of %d samples", after, err, n, len(big))
		}
		if n != 0 {
			break
		}
	}
	must(t, s.Append(t.Context(), big))
	if n := len(read(t, s, span(t0, 24*time.Hour), tank)); n != len(big) {
		t.Fatalf("after the appends that were cancelled, %d of %d samples", n, len(big))
	}
}
