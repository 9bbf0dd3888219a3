package opcua_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// soaking is a minute in make soak, and short otherwise.
func soaking(short time.Duration) time.Duration {
	if os.Getenv("QUARTIER_SOAK") != "" {
		return time.Minute
	}
	return short
}

// TestSoakSubscription: a thousand nodes of open62541 change ten times a second, for a minute in make soak; every node goes on to be told, in order, and nothing is dropped anywhere.
func TestSoakSubscription(t *testing.T) {
	const n = 1000
	o := newOther(t, nil, n)
	cfg := quick(t)
	cfg.Timeout, cfg.Heartbeat = 20*time.Second, 5*time.Second
	d, err := opcua.Open(district.Device{ID: "many", Address: o.address()}, many(t, n), opcua.Access{NoHistory: true}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var mu sync.Mutex
	newest := map[string]drivers.Reading{}
	values, back, earlier := 0, 0, 0
	subscribe(t, d, func(rs []drivers.Reading) {
		mu.Lock()
		defer mu.Unlock()
		values += len(rs)
		for _, r := range rs {
			if old, ok := newest[r.Point]; ok {
				if r.Value < old.Value {
					back++
				}
				if r.Time.Before(old.Time) {
					earlier++
				}
			}
			newest[r.Point] = r
		}
	})
	o.process.Send("run 100")
	span := soaking(3 * time.Second)
	time.Sleep(span)
	mu.Lock()
	reached, first := 0.0, values
	for _, r := range newest {
		reached = max(reached, r.Value)
	}
	mu.Unlock()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) { // nobody stays behind
		mu.Lock()
		beyond := 0
		for _, r := range newest {
			if r.Value > reached {
				beyond++
			}
		}
		mu.Unlock()
		if beyond == n {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d nodes go on", beyond, n)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if st := d.Stats(); back > 0 || earlier > 0 || st.Losses > 0 || st.Dropped > 0 || st.Overflows > 0 {
		t.Errorf("%d values and %d times out of order, stats %+v", back, earlier, st)
	}
	t.Logf("%.0f values/s for %v", float64(first)/span.Seconds(), span)
}

// TestSoakBlackHole: a line swallows everything, for a minute in make soak, with the heartbeat that devices have by default; what is known is doubted meanwhile, and the value of the time is
// there soon afterwards.
func TestSoakBlackHole(t *testing.T) {
	t.Parallel()
	p := profile.MustLoad("quartier-substation-opcua")
	s, addr, _ := station(t, p, serve.Config{})
	line := drivertest.NewProxy(t, addr)
	d, err := opcua.Open(district.Device{ID: "under-test", Address: "opc.tcp://" + line.Addr()}, p, opcua.Access{}, opcua.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	line.Set(drivertest.Silent)
	began := time.Now()
	for end := began.Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if all := in.all("power_kw"); all[len(all)-1].Quality == district.Uncertain {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the silence is not noticed")
		}
	}
	t.Logf("noticed after %v", time.Since(began).Round(time.Millisecond))
	set(t, s, "s=Power.Active", 77)
	time.Sleep(max(0, soaking(0)-time.Since(began)))
	line.Set(drivertest.Through)
	back := time.Now()
	for end := back.Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if all := in.all("power_kw"); is(77)(all[len(all)-1]) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the value of the time without a line does not come")
		}
	}
	t.Logf("there again after %v", time.Since(back).Round(time.Millisecond))
}
