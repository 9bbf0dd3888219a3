package app

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quartier/cmd/internal/config"
	"quartier/drivers/opcua/pki"
	"quartier/schemas/store"
)

// OwnCertificate is a certificate that Quartier shows to others.
type OwnCertificate struct {
	Use   string // where it is shown, such as "opc ua" or "device campus/ecole/meter"
	File  string
	Until time.Time
}

// Warning says that the certificate ends soon or has ended, or is empty.
func (c OwnCertificate) Warning(now time.Time) string {
	if why := pki.ExpiresSoon(c.Until, now); why != "" {
		return fmt.Sprintf("our certificate for %s, %s, %s", c.Use, c.File, why)
	}
	return ""
}

// OwnCertificates lists the certificates of a configuration by their file, each once, those that end first in front. A file that cannot be read is in the error beside the others.
func OwnCertificates(cfg *config.Config) ([]OwnCertificate, error) {
	var out []OwnCertificate
	var faults []error
	seen := map[string]bool{}
	add := func(use, file string) {
		if file == "" || seen[file] {
			return
		}
		seen[file] = true
		chain, err := pki.LoadCertificates(file)
		if err != nil {
			faults = append(faults, fmt.Errorf("our certificate for %s: %w", use, err))
			return
		}
		out = append(out, OwnCertificate{use, file, ends(chain)})
	}
	switch _, file, err := pki.LoadOwn(cfg.PKIDir()); {
	case err == nil:
		add("opc ua", file)
	case !errors.Is(err, fs.ErrNotExist): // none was needed yet
		faults = append(faults, fmt.Errorf("our certificate for opc ua: %w", err))
	}
	add("the console", cfg.File.Console.TLSCert)
	add("the modbus server", cfg.File.Face.ModbusCert)
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		for site, dev := range d.AllDevices {
			use := "device " + d.ID + "/" + site + "/" + dev.ID
			if dev.TLS != nil {
				add(use, dev.TLS.CertFile)
			}
			if f := cfg.Device(d.ID, site, dev.ID); f != nil && f.OPCUA != nil {
				add(use, f.OPCUA.UserCert)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b OwnCertificate) int { return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Use, b.Use)) })
	return out, errors.Join(faults...)
}

// ends is when the first certificate of a chain ends: with it nobody believes the others.
func ends(chain []*x509.Certificate) time.Time {
	until := chain[0].NotAfter
	for _, c := range chain[1:] {
		if c.NotAfter.Before(until) {
			until = c.NotAfter
		}
	}
	return until
}

// certificates watches our own certificates.
type certificates struct {
	cfg   *config.Config
	log   *slog.Logger
	known atomic.Pointer[[]OwnCertificate]
}

// look reads the certificates and returns the warnings, which it logs.
func (c *certificates) look(now time.Time) (warnings []string) {
	all, err := OwnCertificates(c.cfg)
	if err != nil {
		c.log.Error("own certificates", "err", err)
	}
	c.known.Store(&all)
	for _, one := range all {
		if w := one.Warning(now); w != "" {
			c.log.Warn("own certificate ends", "use", one.Use, "file", one.File, "until", one.Until.UTC().Format(time.DateOnly))
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// certificateLoop looks at our certificates at the start and once a day, by the clock of the machine, and enters those that end into the record.
func (a *App) certificateLoop(ctx context.Context) {
	for {
		for _, w := range a.certificates.look(time.Now()) {
			e := store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "certificate", Detail: w, Severity: "warning"}
			if err := a.record.AppendEvent(ctx, e); err != nil && ctx.Err() == nil {
				a.log.Warn("event not recorded", "err", err)
			}
		}
		if !wait(ctx, 24*time.Hour) {
			return
		}
	}
}

var certificateEnd = prometheus.NewDesc("quartier_certificate_expiry_timestamp_seconds", "When a certificate of ours ends.", []string{"use", "file"}, nil)

// Describe implements prometheus.Collector.
func (c *certificates) Describe(ch chan<- *prometheus.Desc) { ch <- certificateEnd }

// Collect implements prometheus.Collector.
func (c *certificates) Collect(ch chan<- prometheus.Metric) {
	if all := c.known.Load(); all != nil {
		for _, one := range *all {
			ch <- prometheus.MustNewConstMetric(certificateEnd, prometheus.GaugeValue, float64(one.Until.Unix()), one.Use, one.File)
		}
	}
}
