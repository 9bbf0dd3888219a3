package opcua_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/foreign"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// other is a server of open62541.
type other struct {
	port     int
	identity *pki.Identity // nil: without security
	process  *foreign.Process
}

func newOther(t testing.TB, id *pki.Identity, variables int) *other {
	t.Helper()
	o := &other{port: freePort(t), identity: id}
	o.start(t, variables)
	return o
}

func (o *other) start(t testing.TB, variables int) {
	t.Helper()
	cert, key := "", ""
	if o.identity != nil {
		dir := t.TempDir()
		cert, key = filepath.Join(dir, "cert.der"), filepath.Join(dir, "key.pem")
		if err := o.identity.Save(cert, key); err != nil {
			t.Fatal(err)
		}
	}
	o.process = foreign.StartOpen62541(t, strconv.Itoa(o.port), writableURI, goodUser, goodPassword, cert, key, plantURI, strconv.Itoa(variables))
	o.process.Await("listening", time.Minute, nil)
}

func (o *other) address() string { return fmt.Sprintf("opc.tcp://127.0.0.1:%d", o.port) }

// TestOpen62541Matrix drives open62541 with every policy and mode as anonymous and as the right and the wrong user.
func TestOpen62541Matrix(t *testing.T) {
	t.Parallel()
	o := newOther(t, identity(t, plantURI, time.Now(), 0), 0)
	for _, policy := range []string{"None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"} {
		for _, mode := range []string{"", "Sign", "SignAndEncrypt"} {
			if (policy == "None") != (mode == "") {
				continue
			}
			for _, who := range []struct {
				name   string
				access opcua.Access
				want   ua.StatusCode
			}{
				{"anonymous", opcua.Access{}, ua.StatusOK},
				{"user", opcua.Access{User: goodUser, Password: goodPassword}, ua.StatusOK},
				{"wrong password", opcua.Access{User: goodUser, Password: "wrong"}, ua.StatusBadUserAccessDenied},
			} {
				t.Run(strings.Join([]string{policy, mode, who.name}, "/"), func(t *testing.T) {
					who.access.Policy, who.access.Mode = policy, mode
					d := enter(t, o.address(), who.access, secured(t, o.identity))
					got, err := d.Read(within(t), "power_kw")
					if who.want != ua.StatusOK {
						if !errors.Is(err, who.want) || len(got) != 0 {
							t.Errorf("Read = %v, %v, want %v", got, err, who.want)
						}
						return
					}
					if err != nil || got[0].Value != -1.5 {
						t.Errorf("Read = %+v, %v", got, err)
					}
					for point, v := range map[string]float64{"demand_kw": -1.25, "mode_state": 7, "step_a": 16} {
						if r, err := d.Write(within(t), point, v); err != nil || r.Value != v {
							t.Errorf("Write(%s, %g) = %+v, %v", point, v, r, err)
						}
					}
					d.Close()
				})
			}
		}
	}
	d := enter(t, o.address(), opcua.Access{Policy: "Aes128_Sha256_RsaOaep"}, secured(t))
	if _, err := d.Read(within(t), "power_kw"); !errors.Is(err, ua.StatusBadCertificateUntrusted) {
		t.Errorf("Read of a stranger = %v", err)
	}
}

// TestOpen62541Outages: resets, silence and a kill with another certificate's keys: the subscription goes on each time, the gap is marked, the
// server's history fills it, and no value comes twice with the same time.
func TestOpen62541Outages(t *testing.T) {
	t.Parallel()
	o := newOther(t, identity(t, plantURI, time.Now(), 0), 0)
	line := drivertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", o.port))
	d := enter(t, "opc.tcp://"+line.Addr(), opcua.Access{Policy: "Basic256Sha256"}, secured(t, o.identity))
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(-1.5))
	set := func(w int) {
		t.Helper()
		line := fmt.Sprintf("set Power %d", w)
		o.process.Send(line)
		o.process.Await("done", 10*time.Second, func(e foreign.Event) bool { return e.Line == line })
	}
	for i := range 3 {
		set(2000 + 100*i)
		in.await(t, "value before", "power_kw", is(-2-float64(i)/10))
		mode := drivertest.Cut
		if i == 1 {
			mode = drivertest.Silent
		}
		line.Set(mode)
		for k := 1; k <= 5; k++ { // during the outage
			time.Sleep(20 * time.Millisecond)
			set(2000 + 100*i + k)
		}
		in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
		set(2000 + 100*i + 6)
		line.Set(drivertest.Through)
		in.await(t, "value after", "power_kw", is(-2-float64(i)/10-0.006))
		for k := 1; k <= 6; k++ {
			found := 0
			for _, r := range in.all("power_kw") {
				if math.Abs(r.Value+2+float64(i)/10+float64(k)/1000) < 1e-9 && r.Quality == district.Good {
					found++
				}
			}
			if found == 0 {
				t.Errorf("outage %d: value %d of it did not come from the history", i, k)
			}
		}
	}
	seen := map[string]bool{}
	var last time.Time
	for _, r := range in.all("power_kw") {
		if r.Quality != district.Good {
			continue
		}
		k := fmt.Sprint(r.Value, r.Time)
		if seen[k] {
			t.Errorf("%s came twice", k)
		}
		seen[k] = true
		if r.Time.Before(last.Add(-30 * time.Second)) {
			t.Errorf("%v after %v", r.Time, last)
		}
		last = r.Time
	}
	o.process.Kill()
	in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
	o.start(t, 0)
	in.await(t, "value of the new server", "power_kw", is(-1.5))
	set(7000)
	in.await(t, "change on the new server", "power_kw", is(-7))
}

// TestDeadBand: a change below the dead band is not told, one above is; a node for which the server has no dead band tells all.
func TestDeadBand(t *testing.T) {
	t.Parallel()
	o := newOther(t, nil, 0)
	p := parse(t, "{name: power_kw, node: s=Power, namespace: "+writableURI+", type: f64, unit: W, dead_band: 100}",
		"{name: voltage_v, node: s=SOC, namespace: "+writableURI+", type: f32, unit: V}")
	d, err := opcua.Open(district.Device{ID: "x", Address: o.address()}, p, opcua.Access{}, quick(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(1.5))
	o.process.Send("set Power 1550")
	time.Sleep(time.Second)
	o.process.Send("set Power 1700")
	in.await(t, "change beyond the dead band", "power_kw", is(1.7))
	for _, r := range in.all("power_kw") {
		if r.Value == 1.55 {
			t.Errorf("a change of 50 W within a dead band of 100 W was told: %+v", r)
		}
	}
}
