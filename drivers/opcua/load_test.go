package opcua_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	raw "github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/foreign"
	"quartier/drivers/opcua"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// many is a profile of n variables of the server of open62541.
func many(t testing.TB, n int) *profile.Profile {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name: many\ntitle: Many\nkinds: [substation]\nprotocol: opcua\nstate: generic\nsource: {document: test}\nnamespace: %s\npoints:\n", writableURI)
	for i := range n {
		fmt.Fprintf(&b, "  - {name: v%d, node: s=V%d, type: f64, unit: W}\n", i, i)
	}
	p, err := profile.Parse("many.yaml", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTenThousand: ten thousand nodes are read in calls of a thousand, and subscribed; every node's changes come, and none is lost on the way.
func TestTenThousand(t *testing.T) {
	t.Parallel()
	const n = 10_000
	o := newOther(t, nil, n)
	cfg := quick(t)
	cfg.Timeout, cfg.Heartbeat = 20*time.Second, 5*time.Second
	d, err := opcua.Open(district.Device{ID: "many", Address: o.address()}, many(t, n), opcua.Access{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := d.Read(ctx, "v0"); err != nil {
		t.Fatal(err)
	}
	before := d.Stats().Requests
	got, err := d.Read(ctx)
	if err != nil || len(got) != n {
		t.Fatalf("Read = %d values, %v", len(got), err)
	}
	if asked := d.Stats().Requests - before; asked < 10 || asked > 15 { // and heartbeats
		t.Errorf("%d requests for %d nodes, want calls of 1,000", asked, n)
	}
	var mu sync.Mutex
	newest := map[string]float64{}
	steps := 0
	subscribe(t, d, func(rs []drivers.Reading) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range rs {
			if old, ok := newest[r.Point]; ok && r.Value > old+0.0011 {
				steps++
			}
			newest[r.Point] = r.Value
		}
	})
	await := func(what string, least float64) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			mu.Lock()
			have := 0
			for _, v := range newest {
				if v >= least {
					have++
				}
			}
			mu.Unlock()
			if have == n {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%s: %d of %d points", what, have, n)
			}
		}
	}
	await("first values", 0)
	o.process.Send("run 1000")
	await("five changes", 0.005)
	mu.Lock()
	defer mu.Unlock()
	if st := d.Stats(); steps > 0 || st.Losses > 0 || st.Dropped > 0 || st.Overflows > 0 {
		t.Errorf("%d changes were left out, stats %+v", steps, st)
	}
}

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// rawClient is a client of the library itself.
func rawClient(b *testing.B, o *other, policy string) *raw.Client {
	b.Helper()
	options := []raw.Option{raw.AutoReconnect(false), raw.RequestTimeout(time.Minute)}
	if policy == "None" {
		options = append(options, raw.SecurityPolicy(ua.SecurityPolicyURINone), raw.SecurityMode(ua.MessageSecurityModeNone))
	} else {
		endpoints, err := raw.GetEndpoints(b.Context(), o.address())
		if err != nil {
			b.Fatal(err)
		}
		e, err := raw.SelectEndpoint(endpoints, policy, ua.MessageSecurityModeSignAndEncrypt)
		if err != nil {
			b.Fatal(err)
		}
		own := clientIdentity(b)
		options = append(options, raw.Certificate(own.Certificate), raw.PrivateKey(own.Key), raw.SecurityFromEndpoint(e, ua.UserTokenTypeAnonymous))
	}
	c, err := raw.NewClient(o.address(), options...)
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Connect(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close(context.Background()) })
	return c
}

// perValue reports what was measured for a number of values.
func perValue(b *testing.B, values int, took, used time.Duration) {
	b.ReportMetric(float64(values)/took.Seconds(), "values/s")
	b.ReportMetric(float64(used.Nanoseconds())/float64(values), "cpu-ns/value")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkRead reads ten thousand nodes of open62541 in calls of a thousand: the driver, with units, quality and times, and the library alone.
//
//	go test ./drivers/opcua -run '^$' -bench Read -count 5
func BenchmarkRead(b *testing.B) {
	const n = 10_000
	id := identity(b, plantURI, time.Now(), 0)
	o := newOther(b, id, n)
	p := many(b, n)
	for _, policy := range []string{"None", "Basic256Sha256"} {
		b.Run("policy="+policy+"/client=driver", func(b *testing.B) {
			cfg := secured(b, id)
			cfg.Log = nil
			d, err := opcua.Open(district.Device{ID: "many", Address: o.address()}, p, opcua.Access{Policy: policy}, cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			if _, err := d.Read(b.Context()); err != nil {
				b.Fatal(err)
			}
			began, used := time.Now(), cpu()
			for b.Loop() {
				if got, err := d.Read(b.Context()); err != nil || len(got) != n {
					b.Fatal(len(got), err)
				}
			}
			perValue(b, n*b.N, time.Since(began), cpu()-used)
		})
		b.Run("policy="+policy+"/client=library", func(b *testing.B) {
			c := rawClient(b, o, policy)
			ns, err := c.FindNamespace(b.Context(), writableURI)
			if err != nil {
				b.Fatal(err)
			}
			var calls []*ua.ReadRequest
			for from := 0; from < n; from += 1000 {
				r := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth}
				for i := from; i < from+1000; i++ {
					r.NodesToRead = append(r.NodesToRead, &ua.ReadValueID{NodeID: ua.NewStringNodeID(ns, fmt.Sprintf("V%d", i))})
				}
				calls = append(calls, r)
			}
			began, used := time.Now(), cpu()
			for b.Loop() {
				for _, r := range calls {
					if resp, err := c.Read(b.Context(), r); err != nil || len(resp.Results) != 1000 {
						b.Fatal(err)
					}
				}
			}
			perValue(b, n*b.N, time.Since(began), cpu()-used)
		})
	}
}

// BenchmarkSubscribe takes the changes of a thousand nodes of open62541, all of them ten times a second: the driver, with units, quality, times
// and without duplicates, and the library alone. One operation is a second.
//
//	go test ./drivers/opcua -run '^$' -bench Subscribe -benchtime 10x -count 5
func BenchmarkSubscribe(b *testing.B) {
	const n = 1000
	id := identity(b, plantURI, time.Now(), 0)
	o := newOther(b, id, n)
	p := many(b, n)
	o.process.Send("run 100")
	o.process.Await("done", time.Minute, func(e foreign.Event) bool { return e.Line == "run 100" })
	measure := func(b *testing.B, values *atomic.Int64) {
		for end := time.Now().Add(time.Minute); values.Load() < 2*n; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				b.Fatal("no values")
			}
		}
		first, began, used := values.Load(), time.Now(), cpu()
		for b.Loop() {
			time.Sleep(time.Second)
		}
		perValue(b, int(values.Load()-first), time.Since(began), cpu()-used)
	}
	for _, policy := range []string{"None", "Basic256Sha256"} {
		b.Run("policy="+policy+"/client=driver", func(b *testing.B) {
			cfg := secured(b, id)
			cfg.Log = nil
			d, err := opcua.Open(district.Device{ID: "many", Address: o.address()}, p, opcua.Access{Policy: policy, NoHistory: true}, cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			var values atomic.Int64
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan struct{})
			go func() {
				defer close(done)
				d.Subscribe(ctx, 100*time.Millisecond, func(rs []drivers.Reading) { values.Add(int64(len(rs))) })
			}()
			measure(b, &values)
			cancel()
			<-done
		})
		b.Run("policy="+policy+"/client=library", func(b *testing.B) {
			c := rawClient(b, o, policy)
			ns, err := c.FindNamespace(b.Context(), writableURI)
			if err != nil {
				b.Fatal(err)
			}
			notes := make(chan *raw.PublishNotificationData, 100)
			sub, err := c.Subscribe(b.Context(), &raw.SubscriptionParameters{Interval: 100 * time.Millisecond}, notes)
			if err != nil {
				b.Fatal(err)
			}
			var values atomic.Int64
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			go func() {
				for {
					select {
					case <-ctx.Done():
						return
					case note := <-notes:
						if change, ok := note.Value.(*ua.DataChangeNotification); ok {
							values.Add(int64(len(change.MonitoredItems)))
						}
					}
				}
			}()
			var items []*ua.MonitoredItemCreateRequest
			for i := range n {
				item := raw.NewMonitoredItemCreateRequestWithDefaults(ua.NewStringNodeID(ns, fmt.Sprintf("V%d", i)), ua.AttributeIDValue, uint32(i))
				item.RequestedParameters.QueueSize = 100
				item.RequestedParameters.SamplingInterval = -1
				items = append(items, item)
			}
			if _, err := sub.Monitor(b.Context(), ua.TimestampsToReturnBoth, items...); err != nil {
				b.Fatal(err)
			}
			measure(b, &values)
			sub.Cancel(context.Background())
		})
	}
}
