package opcua_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/serve"
	"quartier/schemas/district"
)

// recorder is what a server recorded of its variables.
type recorder struct {
	mu     sync.Mutex
	values map[string][]serve.HistoryValue
}

func (r *recorder) set(t *testing.T, s *serve.Server, id string, v float64) {
	t.Helper()
	at := time.Now().UTC().Truncate(time.Microsecond)
	r.mu.Lock()
	r.values[id] = append(r.values[id], serve.HistoryValue{Time: at, Value: v, Quality: district.Good})
	r.mu.Unlock()
	if err := s.Set(id, v, district.Good, at); err != nil {
		t.Fatal(err)
	}
}

func (r *recorder) history(_ context.Context, q serve.HistoryQuery) (out []serve.HistoryValue, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, v := range r.values[q.NodeID] {
		if !v.Time.Before(q.From) && v.Time.Before(q.To) && len(out) < q.Limit {
			out = append(out, v)
		}
	}
	return out, nil
}

// TestResume: what a server recorded between two of our processes is told once each, with its own time and before the present value; what was recorded before is not told again, and
// a device of which nothing is recorded has no gap.
func TestResume(t *testing.T) {
	t.Parallel()
	p := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}", "{name: other_kw, node: s=Q, type: f64, unit: kW}", "{name: both_kw, sum: [{point: power_kw, factor: 1}, {point: other_kw, factor: 1}], unit: kW}")
	r := &recorder{values: map[string][]serve.HistoryValue{}}
	s := serve.New(serve.Config{NamespaceURI: p.Namespace, History: r.history})
	for _, id := range []string{"P", "Q"} {
		if err := s.AddVariable(serve.Variable{Path: []string{"Plant", id}, NodeID: "s=" + id, Type: serve.Double, History: true}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.Run(ctx)
	addr, err := s.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	r.set(t, s, "s=P", 1)
	r.set(t, s, "s=Q", 100)
	r.set(t, s, "s=P", 2)

	record := map[string]drivers.Reading{} // the newest of each point
	process := func(until float64, access opcua.Access) []drivers.Reading {
		t.Helper()
		d, err := opcua.Open(district.Device{ID: "x", Address: "opc.tcp://" + addr}, p, access, quick(t))
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		d.Resume(func(point string) time.Time { return record[point].Time })
		var in inbox
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Subscribe(ctx, 100*time.Millisecond, in.deliver) }()
		in.await(t, "present value", "power_kw", is(until))
		in.await(t, "present sum", "both_kw", is(until+100))
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		for _, point := range []string{"power_kw", "other_kw", "both_kw"} {
			for _, got := range in.all(point) {
				if record[point].Time.Before(got.Time) {
					record[point] = got
				}
			}
		}
		return in.all("power_kw")
	}
	if got := process(2, opcua.Access{}); len(got) != 1 {
		t.Errorf("the first process was told %+v, want the present value", got)
	}
	const n = 1500 // two pages
	for i := range n {
		r.set(t, s, "s=P", float64(3+i))
		time.Sleep(5 * time.Microsecond)
	}
	got := process(2+n, opcua.Access{})
	if len(got) != n+1 { // and the last once more, as read
		t.Fatalf("%d readings after the restart, want %d", len(got), n+1)
	}
	r.mu.Lock()
	for i, h := range r.values["s=P"][2:] {
		if got[i].Value != h.Value || !got[i].Time.Equal(h.Time) || got[i].Quality != district.Good {
			t.Fatalf("reading %d is %+v, recorded is %+v", i, got[i], h)
		}
	}
	r.mu.Unlock()
	r.set(t, s, "s=P", -1)
	r.set(t, s, "s=P", -2)
	if got := process(-2, opcua.Access{NoHistory: true}); len(got) != 1 {
		t.Errorf("without history: %+v, want the present value", got)
	}
}
