package app

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quartier/cmd/internal/config"
	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// TestOwnCertificates: certificates that Quartier shows, to OPC UA servers and Modbus devices, are warned of 30 days before they end, in the log, and told to Prometheus.
func TestOwnCertificates(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	if _, err := pki.OpenIdentity(filepath.Join(dir, "pki"), pki.Application{URI: "urn:test", Hosts: []string{"localhost"}, Validity: 100 * 24 * time.Hour}, now); err != nil {
		t.Fatal(err)
	}
	modbus, err := pki.NewIdentity(pki.Application{URI: "urn:modbus", Hosts: []string{"localhost"}, Validity: 200 * 24 * time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "modbus.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: modbus.Certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := &config.Config{File: config.File{DataDir: dir}, Districts: []district.District{{ID: "campus", Sites: []district.Site{{ID: "ecole", Devices: []district.Device{
		{ID: "meter", TLS: &district.TLSFiles{CertFile: file}}, {ID: "other", TLS: &district.TLSFiles{CertFile: file}}}}}}}}
	cfg.File.Face.ModbusCert = filepath.Join(dir, "nothing.pem")
	var log bytes.Buffer
	watch := &certificates{cfg: cfg, log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, tt := range []struct {
		days int
		want []string // a part of each warning
	}{
		{69, nil}, {71, []string{"our certificate for opc ua, "}}, {171, []string{"expired on 2027-03-07", "our certificate for device campus/ecole/meter, " + file + ", expires in 29 days, on 2027-06-15"}},
		{201, []string{"expired on 2027-03-07", "expired on 2027-06-15"}},
	} {
		log.Reset()
		got := watch.look(now.Add(time.Duration(tt.days) * 24 * time.Hour))
		if len(got) != len(tt.want) || strings.Count(log.String(), "own certificate ends") != len(tt.want) {
			t.Errorf("after %d days: %q, log %s, want %q", tt.days, got, log.String(), tt.want)
			continue
		}
		for i, w := range tt.want {
			if !strings.Contains(got[i], w) {
				t.Errorf("after %d days: %q, want %q", tt.days, got[i], w)
			}
		}
		if !strings.Contains(log.String(), "nothing.pem") {
			t.Errorf("a certificate that cannot be read is not told: %s", log.String())
		}
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(watch)
	all, err := reg.Gather()
	if err != nil || len(all) != 1 || len(all[0].Metric) != 2 {
		t.Fatalf("metrics %v, %v", all, err)
	}
	if got := int64(all[0].Metric[0].GetGauge().GetValue()) + int64(all[0].Metric[1].GetGauge().GetValue()); got != now.Add(100*24*time.Hour).Unix()+modbus.Leaf.NotAfter.Unix() {
		t.Errorf("the ends of the certificates sum up to %d", got)
	}
	if ends([]*x509.Certificate{{NotAfter: now.Add(time.Hour)}, {NotAfter: now}}) != now {
		t.Error("a chain ends with its last certificate")
	}
}
