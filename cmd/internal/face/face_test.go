package face

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	uaclient "github.com/gopcua/opcua"

	"quartier/drivers/modbus"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestMain lets the test binary be the child process.
func TestMain(m *testing.M) {
	switch os.Getenv("FACE_CHILD") {
	case "serve":
		if err := RunChild(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case "hang":
		fmt.Println(`{"addr":"127.0.0.1:1"}`)
		time.Sleep(time.Hour)
	}
	os.Exit(m.Run())
}

func testDistricts() []district.District {
	inf := math.Inf(1)
	return []district.District{
		{ID: "fontaine", Name: "Fontaine d'Ouche", ImportLimitKW: 900, ExportLimitKW: inf, Step: 15 * time.Minute,
			Devices: []district.Device{{ID: "substation", Kind: district.Substation}},
			Sites: []district.Site{
				{ID: "ecole", Name: "École Buffon", ImportLimitKW: 120, ExportLimitKW: 60, Devices: []district.Device{
					{ID: "meter", Kind: district.GridMeter}, {ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 100}},
					{ID: "bat", Kind: district.Battery, Battery: &district.BatteryParams{CapacityKWh: 100}}}},
				{ID: "tour", Name: "Tour", ImportLimitKW: 250, ExportLimitKW: inf, Devices: []district.Device{{ID: "meter", Kind: district.GridMeter}}},
			}},
		{ID: "grésilles", Name: "Grésilles", ImportLimitKW: inf, ExportLimitKW: inf, Sites: []district.Site{{ID: "a", Name: "A", ImportLimitKW: inf, ExportLimitKW: inf,
			Devices: []district.Device{{ID: "meter", Kind: district.GridMeter}}}}},
	}
}

func startFace(t *testing.T, mode string, change func(*Config)) (*Face, error) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{ModbusListen: "127.0.0.1:0", OPCUA: OPCUA{Listen: "127.0.0.1:0"}, Districts: testDistricts(), Exe: exe, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		child: childConfig{env: []string{"FACE_CHILD=" + mode}, minBackoff: 20 * time.Millisecond}}
	if change != nil {
		change(&cfg)
	}
	f, err := Start(context.Background(), cfg)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	}
	return f, err
}

// TestRegistersAreStable: no two lines of the documentation share a register, none leaves its block, and what is added to the districts, wherever it stands, moves nothing.
func TestRegistersAreStable(t *testing.T) {
	ds := testDistricts()
	ds[0].Sites[0].Devices[2].Control = true
	slots := &Slots{Version: slotsVersion}
	before := NewModel(ds, slots).Points()
	used := map[[2]int]string{}
	for _, p := range before {
		first, last := int(p.Register), int(p.Register)+int(p.Registers)-1
		for r := first; r <= last; r++ {
			k := [2]int{int(p.UnitID), r}
			if used[k] != "" {
				t.Errorf("register %d of unit %d is %s and %s", r, p.UnitID, used[k], p.Name)
			}
			used[k] = p.Name
		}
		within := func(lo, hi int) bool { return lo <= first && last < hi }
		ok := map[string]bool{"heading": true, "district": within(valuesAt, hoursAt), "plan": within(hoursAt, sitesAt), "site": within(sitesAt, devicesAt), "device": within(devicesAt, 65536)}[p.Block]
		if !ok || p.Block == "site" && (first-sitesAt)/siteStride != (last-sitesAt)/siteStride || p.Block == "device" && (first-devicesAt)/deviceStride != (last-devicesAt)/deviceStride {
			t.Errorf("%s, %s, registers %d to %d leaves its block", p.Name, p.Block, first, last)
		}
	}
	path := filepath.Join(t.TempDir(), SlotsFile)
	if err := slots.Save(path); err != nil {
		t.Fatal(err)
	}
	if slots, _ = LoadSlots(path); slots == nil {
		t.Fatal("the places are not read back")
	}
	sum := slots.Districts[0].checksum()
	// a district, a site and a device come first in the file, another goes
	ds[0].Sites = append([]district.Site{{ID: "new", Name: "New", Devices: []district.Device{{ID: "meter", Kind: district.GridMeter}}}}, ds[0].Sites...)
	ds[0].Sites[1].Devices = append([]district.Device{{ID: "car", Kind: district.EVCharger}}, ds[0].Sites[1].Devices[1:]...)
	ds = append([]district.District{{ID: "third"}}, ds...)
	now := map[string]Point{}
	for _, p := range NewModel(ds, slots).Points() {
		now[fmt.Sprint(p.UnitID, p.Name)] = p
	}
	gone := 0
	for _, p := range before {
		switch p2, ok := now[fmt.Sprint(p.UnitID, p.Name)]; {
		case strings.Contains(p.Name, "ecole/meter/"):
			gone++
			if ok {
				t.Errorf("%s is still there", p.Name)
			}
		case p2 != p:
			t.Errorf("%+v became %+v", p, p2)
		}
	}
	if gone == 0 || slots.Districts[0].checksum() == sum {
		t.Errorf("%d points are gone, the checksum is %x and was %x", gone, slots.Districts[0].checksum(), sum)
	}
	if slots.Assign(ds) {
		t.Error("a second assignment gave places")
	}
	for name, bad := range map[string]string{"no JSON": "{", "version": `{"version":1}`, "twice": `{"version":2,"districts":[{"id":"a","sites":["x","x"]}]}`} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadSlots(path); err == nil {
			t.Errorf("%s: the file was read", name)
		}
	}
}

// TestBeyondTheMap: what the Modbus map has no room for is on OPC UA alone, and said to be so.
func TestBeyondTheMap(t *testing.T) {
	d := district.District{ID: "big"}
	for i := range maxSites + 1 {
		d.Sites = append(d.Sites, district.Site{ID: fmt.Sprint("s", i), Devices: []district.Device{{ID: "a", Kind: district.GridMeter}, {ID: "b", Kind: district.PV}, {ID: "c", Kind: district.Weather}, {ID: "d", Kind: district.Weather}}})
	}
	m := NewModel([]district.District{d}, nil)
	if m.Beyond() == 0 || m.Variable("big/s200/power_kw").UnitID != 0 || m.Variable("big/s199/power_kw").UnitID != 1 || m.Variable("big/s199/d/outdoor_c").UnitID != 0 {
		t.Errorf("%d variables beyond the map", m.Beyond())
	}
	for _, p := range m.Points() {
		if p.UnitID > 0 && int(p.Register)+int(p.Registers) > 65536 {
			t.Errorf("%+v is beyond the last register", p)
		}
	}
	many := make([]district.District, maxDistricts+1)
	for i := range many {
		many[i].ID = fmt.Sprint("d", i)
	}
	if v := NewModel(many, nil).Variable("d247/power_kw"); v.UnitID != 0 {
		t.Errorf("the 248th district is unit %d", v.UnitID)
	}
}

func testPlan(start time.Time) *district.Plan {
	p := &district.Plan{District: "fontaine", CreatedAt: start, Start: start, StepMinutes: 15, Steps: 144}
	bat := make([]float64, 144)
	net := make([]float64, 144)
	for i := range 144 {
		p.ImportKW = append(p.ImportKW, float64(i))
		p.ExportKW = append(p.ExportKW, 0)
		p.ImportPrice = append(p.ImportPrice, 0.2)
		p.ExportPrice = append(p.ExportPrice, 0.1)
		p.CarbonGPerKWh = append(p.CarbonGPerKWh, 30)
		bat[i], net[i] = -float64(i), 2
	}
	p.Sites = []district.SitePlan{{ID: "ecole", NetKW: net, Devices: []district.DevicePlan{{ID: "bat", Kind: district.Battery, PowerKW: bat}}}}
	return p
}

// TestSnapshot: sums, signs, shares and hourly means are what the samples and the plan say; what is missing or old is not available.
func TestSnapshot(t *testing.T) {
	d := testDistricts()[0]
	now := time.Date(2026, 6, 1, 10, 20, 0, 0, time.UTC)
	samples := map[district.SeriesID]district.Sample{}
	put := func(site, dev, q string, v float64, quality district.Quality, age time.Duration) {
		samples[district.NewSeriesID("fontaine", site, dev, q)] = district.Sample{Value: v, Quality: quality, Time: now.Add(-age)}
	}
	put("_", "substation", "power_kw", -40, district.Good, time.Second)
	put("_", "substation", "import_kwh", 123456.789, district.Good, time.Second)
	put("ecole", "meter", "power_kw", -60, district.Good, time.Second)
	put("ecole", "pv", "power_kw", -90, district.Good, time.Second)
	put("ecole", "bat", "power_kw", 20, district.Uncertain, time.Second)
	put("ecole", "bat", "soc", 0.5, district.Good, time.Second)
	put("tour", "meter", "power_kw", 20, district.Good, 3*time.Minute) // old
	latest := func(id district.SeriesID) (district.Sample, bool) { s, ok := samples[id]; return s, ok }
	got := Snapshot(now, &d, latest, testPlan(now.Truncate(15*time.Minute)), &Day{ImportKWh: 10, ExportKWh: 30, ProductionKWh: 100, ConsumptionKWh: 80, SelfConsumption: new(0.7), SelfSufficiency: new(0.875)})
	for name, want := range map[string]float64{
		"fontaine/power_kw": -40, "fontaine/import_kw": 0, "fontaine/export_kw": 40, "fontaine/production_kw": 90, "fontaine/storage_kw": 20, "fontaine/consumption_kw": 30,
		"fontaine/soc": 0.5, "fontaine/stored_kwh": 50, "fontaine/import_kwh": 123456.789, "fontaine/self_consumption": 0.7, "fontaine/self_sufficiency": 0.875,
		"fontaine/plan_valid": 1, "fontaine/plan_age_min": 5, "fontaine/plan_import_kw": 0, "fontaine/plan_storage_kw": 0, "fontaine/import_limit_kw": 900,
		"fontaine/plan_import_kw/h00": 1, "fontaine/plan_import_kw/h01": 4.5, "fontaine/plan_storage_kw/h02": -8.5, "fontaine/carbon_g_per_kwh/h24": 30,
		"fontaine/ecole/power_kw": -60, "fontaine/ecole/production_kw": 90, "fontaine/ecole/consumption_kw": 10, "fontaine/ecole/soc": 0.5, "fontaine/ecole/plan_net_kw": 2,
		"fontaine/tour/production_kw": 0, "fontaine/tour/import_limit_kw": 250,
	} {
		if v, ok := got[name]; !ok || !v.ok() || math.Abs(v.V-want) > 1e-9 {
			t.Errorf("%s = %+v, want %g", name, got[name], want)
		}
	}
	for _, name := range []string{"fontaine/tour/power_kw", "fontaine/tour/consumption_kw", "fontaine/tour/soc", "fontaine/export_kwh", "fontaine/export_limit_kw", "fontaine/tour/plan_net_kw"} {
		if v, ok := got[name]; ok && v.ok() {
			t.Errorf("%s = %+v, want not available", name, v)
		}
	}
	if q := got["fontaine/storage_kw"].Quality; q != district.Uncertain {
		t.Errorf("a sum with an uncertain part is %s", q)
	}
	m := NewModel([]district.District{d}, nil)
	known := map[string]bool{}
	for _, v := range m.Variables {
		known[v.Name] = true
	}
	for name := range got {
		if !known[name] {
			t.Errorf("%s is no variable of the model", name)
		}
	}
	if v := SnapshotWithin(5*time.Minute, now, &d, latest, nil, nil)["fontaine/tour/power_kw"]; !v.ok() || v.V != 20 {
		t.Errorf("a sample 3 min old within 5 min: %+v", v)
	}
	without := Snapshot(now, &d, latest, nil, nil)
	if v := without["fontaine/plan_valid"]; !v.ok() || v.V != 0 {
		t.Errorf("plan_valid without a plan: %+v", v)
	}
}

func float(regs []uint16) float64 {
	return float64(math.Float32frombits(uint32(regs[0])<<16 | uint32(regs[1])))
}

// TestModbusFace: the header describes the map, values stand where the documentation says, NaN is not available, and writes are refused.
func TestModbusFace(t *testing.T) {
	f, err := startFace(t, "", func(c *Config) { c.OPCUA.Listen = "" })
	if err != nil {
		t.Fatal(err)
	}
	link, err := modbus.NewLink(f.Addresses().Modbus, modbus.Config{Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer link.Close()
	read := func(unit uint8, table profile.Table, at, n uint16) []uint16 {
		t.Helper()
		regs, err := link.Read(t.Context(), unit, table, at, n)
		if err != nil {
			t.Fatalf("read unit %d %s %d+%d: %v", unit, table, at, n, err)
		}
		return regs
	}
	head := read(1, profile.Holding, 0, 64)
	if head[0] != 0x5155 || head[1] != 0x4152 || head[2] != 3 || head[3] != 2 || head[4] != 100 || head[6] != 400 || head[7] != 25 || head[9] != 1000 || head[10] != 100 || head[11] != 0 {
		t.Errorf("header %v", head[:16])
	}
	if got := chars(head[32:64]); got != "Fontaine d'Ouche" {
		t.Errorf("district name %q", got)
	}
	if got := chars(read(1, profile.Input, 1000, 48)[16:]); got != "École Buffon" {
		t.Errorf("site name %q", got)
	}
	if got := chars(read(2, profile.Holding, 16, 16)); got != "grésilles" {
		t.Errorf("district id %q", got)
	}
	if v := float(read(1, profile.Holding, 100, 2)); !math.IsNaN(v) {
		t.Errorf("power before the first update is %v, want NaN", v)
	}
	now := time.Now()
	values := map[string]Value{}
	for i, v := range f.Model().Variables {
		values[v.Name] = Value{V: float64(i) + 0.25, Time: now}
	}
	values["fontaine/power_kw"] = Value{V: 5, Quality: district.Bad, Time: now}
	values["fontaine/import_kw"] = Value{V: math.NaN(), Time: now}
	delete(values, "fontaine/export_kw")
	f.Update(values)
	for i, p := range f.Model().Points() {
		if p.Block == "heading" || p.Access != "R" {
			continue
		}
		table, n := profile.Holding, uint16(2)
		if i%2 == 0 {
			table = profile.Input
		}
		if p.Type == "float64" {
			n = 4
		}
		regs := read(p.UnitID, table, p.Register, n)
		got := float(regs)
		if n == 4 {
			got = math.Float64frombits(uint64(regs[0])<<48 | uint64(regs[1])<<32 | uint64(regs[2])<<16 | uint64(regs[3]))
		}
		if want := number(values, p.Name); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s at unit %d register %d is %v, want %v", p.Name, p.UnitID, p.Register, got, want)
		}
	}
	head = read(1, profile.Holding, 11, 3)
	if at := int64(head[1])<<16 | int64(head[2]); head[0] != 1 || at < now.Unix()-1 || at > now.Unix()+10 {
		t.Errorf("update %d at %d, want 1 at %d", head[0], at, now.Unix())
	}
	for _, function := range []uint8{6, 16} {
		if err := link.Write(t.Context(), 1, function, 100, []uint16{1}); err == nil || !strings.Contains(err.Error(), "illegal function") {
			t.Errorf("write with function %d: %v, want exception 1", function, err)
		}
	}
	if _, err := link.Read(t.Context(), 1, profile.Holding, 300, 2); err == nil {
		t.Error("a register outside the map was read")
	}
}

func chars(regs []uint16) string {
	var b []byte
	for _, r := range regs {
		b = append(b, byte(r>>8), byte(r))
	}
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

// TestText: a name that is too long is cut at a character's border and still ends.
func TestText(t *testing.T) {
	for _, s := range []string{"", "a", "abcdefg", "abcdefgh", "ééééééé", "日本語日本語"} {
		got := chars(text(s, 4))
		if !strings.HasPrefix(s, got) || len(got) > 7 || len(s) <= 7 && got != s || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("text(%q) = %q", s, got)
		}
	}
}

// readUA reads variables of the OPC UA face.
func readUA(t *testing.T, url string, names ...string) ([]*ua.DataValue, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	c, err := uaclient.NewClient(url, uaclient.AutoReconnect(false))
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		return nil, err
	}
	defer c.Close(ctx)
	ns, err := c.FindNamespace(ctx, NamespaceURI)
	if err != nil {
		return nil, err
	}
	req := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth}
	for _, n := range names {
		req.NodesToRead = append(req.NodesToRead, &ua.ReadValueID{NodeID: ua.NewStringNodeID(ns, n)})
	}
	resp, err := c.Read(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.Results, nil
}

func awaitUA(t *testing.T, url, name string, want float64) {
	t.Helper()
	var last any
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got, err := readUA(t, url, name)
		if err != nil {
			last = err
			continue
		}
		last = fmt.Sprint(got[0].Value.Value(), got[0].Status)
		if got[0].Status == ua.StatusOK && got[0].Value.Value() == want {
			return
		}
	}
	t.Fatalf("%s did not become %g: %v", name, want, last)
}

// TestChildIsKilled: the OPC UA process serves values with time and quality; killed, it is back on the same address with the same values, and
// the Modbus face does not notice. Close ends it.
func TestChildIsKilled(t *testing.T) {
	f, err := startFace(t, "serve", nil)
	if err != nil {
		t.Fatal(err)
	}
	url := f.Addresses().OPCUA
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	f.Update(map[string]Value{"fontaine/power_kw": {V: 12.5, Time: at}, "fontaine/ecole/soc": {V: 0.5, Quality: district.Uncertain, Time: at}})
	awaitUA(t, url, "fontaine/power_kw", 12.5)
	got, err := readUA(t, url, "fontaine/power_kw", "fontaine/ecole/soc", "fontaine/export_kw", "fontaine/none")
	if err != nil {
		t.Fatal(err)
	}
	if !got[0].SourceTimestamp.Equal(at) || got[1].Status != ua.StatusUncertain || got[2].Status != ua.StatusBad || got[3].Status != ua.StatusBadNodeIDUnknown {
		t.Errorf("values %+v %+v %+v %+v", got[0], got[1], got[2], got[3])
	}
	for i := range 3 {
		pid := f.child.PID()
		environ, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "environ"))
		if err != nil {
			t.Fatal(err)
		}
		for _, kv := range strings.Split(strings.Trim(string(environ), "\x00"), "\x00") {
			if !strings.HasPrefix(kv, "GOMEMLIMIT=") && !strings.HasPrefix(kv, "FACE_CHILD=") {
				t.Errorf("the child got %q of our environment", kv)
			}
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(20 * time.Second); f.child.PID() == pid && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		f.Update(map[string]Value{"fontaine/power_kw": {V: float64(i), Time: at}})
		awaitUA(t, url, "fontaine/power_kw", float64(i))
	}
	if f.Restarts() != 3 || f.Addresses().OPCUA != url {
		t.Errorf("%d restarts, address %s, want 3 and %s", f.Restarts(), f.Addresses().OPCUA, url)
	}
	pid := f.child.PID()
	began := time.Now()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("Close took %v", took)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d after Close: %v", pid, err)
	}
}

// TestChildHangs: a process that does not answer is killed and started again.
func TestChildHangs(t *testing.T) {
	f, err := startFace(t, "hang", func(c *Config) { c.ModbusListen = ""; c.child.hangTimeout = 2 * time.Second })
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); f.Restarts() < 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d restarts of a process that hangs", f.Restarts())
		}
	}
}

// TestStartSaysWhy: a taken port, an address beyond loopback and a missing executable are errors of Start, which leaves nothing running.
func TestStartSaysWhy(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"port taken, opc ua":      {func(c *Config) { c.OPCUA.Listen = l.Addr().String() }, "address already in use"},
		"port taken, modbus":      {func(c *Config) { c.ModbusListen = l.Addr().String() }, "address already in use"},
		"beyond loopback":         {func(c *Config) { c.ModbusListen, c.OPCUA.Listen = "0.0.0.0:0", ":4840" }, "0.0.0.0:0"},
		"no executable":           {func(c *Config) { c.Exe = filepath.Join(t.TempDir(), "nothing") }, "no such file"},
		"no certificate":          {func(c *Config) { c.ModbusTLS.Listen = "127.0.0.1:0" }, "modbus certificate"},
		"executable that ends":    {func(c *Config) { c.Exe = "/bin/true" }, "opc ua process"},
		"executable that babbles": {func(c *Config) { c.Exe, c.child.args = "/bin/echo", []string{"hello"} }, "opc ua process"},
	} {
		if _, err := startFace(t, "serve", tt.change); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// TestChildRefusesNonsense: what is no description or no update ends the child with an error.
func TestChildRefusesNonsense(t *testing.T) {
	for name, in := range map[string]string{
		"nothing": "", "no JSON": "hello\n", "bad address": `{"listen":"0.0.0.0:0"}` + "\n", "bad variable": `{"listen":"127.0.0.1:0","variables":[{"node_id":"x"}]}` + "\n",
		"unknown index": `{"listen":"127.0.0.1:0"}` + "\n" + `{"n":1,"values":[{"i":3}]}` + "\n", "bad update": `{"listen":"127.0.0.1:0"}` + "\n{\n",
	} {
		var out strings.Builder
		if err := RunChild(t.Context(), strings.NewReader(in), &out); err == nil {
			t.Errorf("%s: no error, output %s", name, out.String())
		}
	}
	var out strings.Builder
	if err := RunChild(t.Context(), strings.NewReader(`{"listen":"127.0.0.1:0"}`+"\n"), &out); err != nil || !strings.Contains(out.String(), `"addr":"127.0.0.1:`) {
		t.Errorf("end of input after hello: %v, output %q", err, out.String())
	}
}
