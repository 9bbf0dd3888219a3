package opcua_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"quartier/drivers/opcua"
	"quartier/drivers/opcua/serve"
	"quartier/schemas/district"
)

// TestSkewedClock: when the server's clock is far off, times of arrival are used.
func TestSkewedClock(t *testing.T) {
	t.Parallel()
	p := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}")
	s, addr, _ := station(t, p, serve.Config{})
	cfg := quick(t)
	ahead := 26 * time.Hour
	cfg.Now = func() time.Time { return time.Now().Add(ahead) }
	d, err := opcua.Open(district.Device{ID: "x", Address: "opc.tcp://" + addr}, p, opcua.Access{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	set(t, s, "s=P", 11)
	if r := in.await(t, "change", "power_kw", is(11)); cfg.Now().Sub(r.Time).Abs() > time.Minute {
		t.Errorf("time %v with a clock at %v", r.Time, cfg.Now())
	}
}

// TestSlowClock: changes that a server whose clock is a little slow stamps before the time of the first value are all told, in order, and none bears an earlier time than the one before.
func TestSlowClock(t *testing.T) {
	t.Parallel()
	p := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}")
	s, addr, _ := station(t, p, serve.Config{})
	slow := func(v float64, by time.Duration) {
		t.Helper()
		if err := s.Set("s=P", v, district.Good, time.Now().Add(-by)); err != nil {
			t.Fatal(err)
		}
	}
	slow(10, time.Minute)
	d := openDevice(t, addr, p)
	var in inbox
	began := time.Now()
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	const n = 5
	for i := range n {
		slow(float64(11+i), 3*time.Second)
		in.await(t, "change", "power_kw", is(float64(11+i)))
	}
	all := in.all("power_kw")
	if len(all) != 1+n {
		t.Errorf("%d readings, want %d", len(all), 1+n)
	}
	for i, r := range all {
		if r.Value != float64(10+i) || r.Time.Before(began) || i > 0 && !r.Time.After(all[i-1].Time) {
			t.Fatalf("reading %d is %+v after %+v", i, r, all[max(0, i-1)])
		}
	}
}

// TestSlowAnswer: the time that an answer takes is no difference of clocks. Both clocks run so fast that every answer takes long.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	p := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}")
	begin := time.Now()
	fast := func() time.Time { return begin.Add(time.Since(begin) * 100_000) }
	_, addr, _ := station(t, p, serve.Config{Now: fast})
	cfg := quick(t)
	cfg.Now = fast
	var log bytes.Buffer
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	d, err := opcua.Open(district.Device{ID: "x", Address: "opc.tcp://" + addr}, p, opcua.Access{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Read(within(t)); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "clock differs") {
		t.Error(log.String())
	}
}
