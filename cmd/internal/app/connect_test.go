package app

import (
	"io/fs"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers"
	"quartier/schemas/district"
	"quartier/testdata"
)

// TestAddresses: a configuration accepts exactly the addresses that the driver of the profile takes, and connecting agrees.
func TestAddresses(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ kind, profile, address, want string }{ // want: part of the fault; empty: accepted
		{"load_meter", "abb-b23", "tcp://192.0.2.1:502", ""},
		{"load_meter", "abb-b23", "tcp://[2001:db8::1]:502/", ""},
		{"load_meter", "abb-b23", "rtuovertcp://192.0.2.1:4001", ""},
		{"load_meter", "abb-b23", "opc.tcp://127.0.0.1:4840", "speaks modbus"},
		{"load_meter", "abb-b23", "udp://192.0.2.1:502", ""},
		{"load_meter", "abb-b23", "modbus+tls://192.0.2.1:802", ""},
		{"load_meter", "abb-b23", "modbus+tls://192.0.2.1:802?answer_unit=any", ""},
		{"load_meter", "abb-b23", "tcp://192.0.2.1:502?answer_unit=some", `option answer_unit is "some", want same, any`},
		{"load_meter", "abb-b23", "udp://192.0.2.1:502?answer_unit=any", "udp takes none"},
		{"load_meter", "abb-b23", "rtu:///dev/ttyUSB0", ""},
		{"load_meter", "abb-b23", "rtu:///dev/ttyUSB0?baud=9600&parity=odd&stop_bits=1", ""},
		{"load_meter", "abb-b23", "rtu:///dev/ttyUSB0?baud=9601", `option baud is "9601", want 1200, `},
		{"load_meter", "abb-b23", "rtu:///dev/ttyUSB0?speed=9600", "option speed: rtu takes baud, parity, data_bits, stop_bits"},
		{"load_meter", "abb-b23", "rtu://ttyUSB0", "absolute path of a serial device"},
		{"load_meter", "abb-b23", "serial:///dev/ttyUSB0", "is not tcp://host:port, modbus+tls://host:port, udp://host:port, rtuovertcp://host:port, rtu:///dev/ttyUSB0?baud=9600&parity=even or opc.tcp://host:port"},
		{"load_meter", "abb-b23", "tcp+tls://192.0.2.1:802", "is not tcp://host:port"},
		{"load_meter", "abb-b23", "rtuovertcp://192.0.2.1", "no port"},
		{"load_meter", "abb-b23", "rtuovertcp://192.0.2.1:4001/path", "more than a host and a port"},
		{"heat_meter", "quartier-heat-opcua", "opc.tcp://127.0.0.1:4840/path", ""},
		{"heat_meter", "quartier-heat-opcua", "opc.tcp://heat.example:4840", ""},
		{"heat_meter", "quartier-heat-opcua", "opc.tcp://192.0.2.1:4840", ""},
		{"heat_meter", "quartier-heat-opcua", "tcp://127.0.0.1:4840", "speaks opcua"},
		{"heat_meter", "quartier-heat-opcua", "rtuovertcp://127.0.0.1:4840", "speaks opcua"},
	} {
		dev := "      - {id: probe, kind: " + tt.kind + ", profile: " + tt.profile + ", address: \"" + tt.address + "\"}\n"
		at := strings.Index(string(text), "    sites:\n")
		_, err := config.Parse("probe.yaml", []byte(string(text)[:at]+"    devices:\n"+dev+string(text)[at:]), ConfigOptions())
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") > 0):
			t.Errorf("%s at %s: %v, want %q", tt.profile, tt.address, err, tt.want)
			continue
		case tt.want != "":
			continue
		}
		if strings.Contains(tt.address, ".example") {
			continue // reached on loopback by the demonstration alone
		}
		cfg := mustParse(t, string(text)[:at]+"    devices:\n"+dev+string(text)[at:])
		cfg.File.DataDir = t.TempDir() // a certificate is made for servers elsewhere
		c, err := connect(cfg, Options{Reach: func(a string) string { return a }}, nil, nil)
		if err != nil {
			t.Errorf("%s is accepted and not connected: %v", tt.address, err)
			continue
		}
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}
}

// resumed is a driver that is told what of it is recorded.
type resumed struct {
	drivers.Driver
	last func(point string) time.Time
}

func (r *resumed) Resume(last func(point string) time.Time) { r.last = last }

// TestResume: drivers that can fill a gap learn when each of their points was recorded last: what is uncertain began to be so a while before.
func TestResume(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "    sites:\n")
	dev := "    devices:\n      - {id: probe, kind: heat_meter, profile: quartier-heat-opcua, address: \"opc.tcp://127.0.0.1:4840\"}\n"
	cfg := mustParse(t, string(text)[:at]+dev+string(text)[at:])
	cfg.File.DataDir = t.TempDir()
	record, err := OpenStore(t.Context(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	c, err := connect(cfg, Options{Reach: func(a string) string { return a }}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	key := [3]string{cfg.Districts[0].ID, district.DistrictSite, "probe"}
	probe := &resumed{Driver: c.drivers[key]}
	c.drivers[key] = probe
	points := probe.Points()
	if len(points) < 3 {
		t.Fatalf("the profile has %d points, want three or more", len(points))
	}
	series := func(i int) district.SeriesID {
		return district.NewSeriesID(key[0], key[1], key[2], points[i].Name)
	}
	now := time.Now().UTC().Truncate(time.Second)
	if err := record.Append(t.Context(), []district.Sample{
		{Series: series(0), Time: now.Add(-time.Hour), Value: 1, Quality: district.Good},
		{Series: series(0), Time: now.Add(-time.Minute), Value: 2, Quality: district.Good},
		{Series: series(1), Time: now.Add(-time.Minute), Value: 3, Quality: district.Uncertain},
	}); err != nil {
		t.Fatal(err)
	}
	if err := c.resume(t.Context(), cfg, record, now); err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Time{now.Add(-time.Minute), now.Add(-time.Minute - doubtful), {}} {
		if got := probe.last(points[i].Name); !got.Equal(want) {
			t.Errorf("%s was recorded last at %v, want %v", points[i].Name, got, want)
		}
	}
}

// TestAddressConflicts: two devices that would read the same registers, and one serial line described in two ways, are faults; parts of one machine are not.
func TestAddressConflicts(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(text), "    sites:\n")
	for _, tt := range []struct{ first, second, want string }{ // of a load_meter of the profile abb-b23, and of another
		{`"tcp://192.0.2.9:502", unit_id: 1`, `"tcp://192.0.2.9:502", unit_id: 2`, ""},
		{`"tcp://192.0.2.9:502", unit_id: 1`, `"tcp://192.0.2.9:502", unit_id: 1`, "unit 1 is the device of line"},
		{`"tcp://meter.example:502", unit_id: 1`, `"tcp://METER.example:502/", unit_id: 1`, "unit 1 is the device of line"},
		{`"tcp://192.0.2.9:502", unit_id: 1`, `"tcp://192.0.2.9:502?answer_unit=any", unit_id: 1`, "unit 1 is the device of line"},
		{`"tcp://192.0.2.9:502", unit_id: 1, shared_unit: true`, `"tcp://192.0.2.9:502", unit_id: 1, shared_unit: true`, "the same registers would count twice"},
		{`"tcp://192.0.2.9:502", unit_id: 1, shared_unit: true`, `"tcp://192.0.2.9:502", unit_id: 1`, "all of them"},
		{`"rtu:///dev/ttyS0?baud=9600", unit_id: 1`, `"rtu:///dev/ttyS0?baud=9600", unit_id: 2`, ""},
		{`"rtu:///dev/ttyS0?baud=9600", unit_id: 1`, `"rtu:///dev/ttyS0", unit_id: 2`, "the same baud rate, parity and stop bits"},
		{`"modbus+tls://192.0.2.9:802", unit_id: 1, tls: {cert_file: a.pem}`, `"rtu:///dev/ttyS0", unit_id: 2`, "cert_file and key_file are needed together"},
		{`"tcp://192.0.2.9:802", unit_id: 1, tls: {ca_file: a.pem}`, `"rtu:///dev/ttyS0", unit_id: 2`, "certificates are for an address modbus+tls://host:port"},
	} {
		devices := "    devices:\n"
		for i, address := range []string{tt.first, tt.second} {
			devices += "      - {id: probe-" + string(rune('1'+i)) + ", kind: load_meter, profile: abb-b23, address: " + address + "}\n"
		}
		_, err := config.Parse("probe.yaml", []byte(string(text)[:at]+devices+string(text)[at:]), ConfigOptions())
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Count(err.Error(), "\n") > 0) {
			t.Errorf("%s and %s: %v, want %q", tt.first, tt.second, err, tt.want)
		}
	}
}

func mustParse(t *testing.T, text string) *config.Config {
	t.Helper()
	cfg, err := config.Parse("probe.yaml", []byte(text), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
