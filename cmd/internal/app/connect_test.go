package app

import (
	"io/fs"
	"strings"
	"testing"

	"quartier/cmd/internal/config"
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
		{"load_meter", "abb-b23", "udp://192.0.2.1:502", "is not tcp://host:port, rtuovertcp://host:port or opc.tcp://host:port"},
		{"load_meter", "abb-b23", "rtu:///dev/ttyUSB0", "is not tcp://host:port"},
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
		c, err := connect(cfg, Options{Reach: func(a string) string { return a }}, nil)
		if err != nil {
			t.Errorf("%s is accepted and not connected: %v", tt.address, err)
			continue
		}
		if err := c.close(); err != nil {
			t.Error(err)
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
