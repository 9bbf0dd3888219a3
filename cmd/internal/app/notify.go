package app

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/notify"
	"quartier/schemas/alarm"
	"quartier/schemas/district"
)

// notifyFolder is where what waits to be told is, in data_dir.
const notifyFolder = "notify"

// openNotifier builds what tells of alarms.
func openNotifier(cfg *config.Config, log *slog.Logger) (*notify.Notifier, error) {
	n := notify.NewNotifier(filepath.Join(cfg.File.DataDir, notifyFolder), log)
	if m := cfg.File.Alarms.Email; m != nil {
		password, err := m.Password()
		if err != nil {
			return nil, err
		}
		var secure *tls.Config
		if m.CAFile != "" {
			pem, err := os.ReadFile(m.CAFile)
			if err != nil {
				return nil, fmt.Errorf("app: alarms.email.ca_file: %w", err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("app: alarms.email.ca_file: %s holds no certificate", m.CAFile)
			}
			secure = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
		zone := func(id string) *time.Location {
			if d := districtOf(cfg, id); d != nil {
				return d.Zone
			}
			return nil
		}
		for _, to := range m.To {
			n.AddMail(notify.Mail{Server: m.Server, Mode: m.TLS, TLS: secure, User: m.User, Password: password, From: m.From, To: to, Language: m.Language, Least: m.Least, Words: console.AlarmWords, Zone: zone,
				Rhythm: notify.Rhythm{Gather: time.Duration(m.Gather * float64(time.Second)), Between: time.Duration(m.Between * float64(time.Minute))}})
		}
	}
	for i := range cfg.File.Alarms.Webhooks {
		w := &cfg.File.Alarms.Webhooks[i]
		secret, err := w.Secret()
		if err != nil {
			return nil, err
		}
		n.AddWebhook(notify.Webhook{URL: w.URL, Secret: secret, Least: w.Least})
	}
	return n, nil
}

// districtOf returns the district of an id, or nil.
func districtOf(cfg *config.Config, id string) *district.District {
	for i := range cfg.Districts {
		if cfg.Districts[i].ID == id {
			return &cfg.Districts[i]
		}
	}
	return nil
}

// notify tells of changes of alarms.
func (a *App) notify(changes []alarm.Change) {
	var out []notify.Notice
	for _, c := range changes {
		id, _, _ := strings.Cut(c.Object, "/")
		name, object := id, c.Object
		if d := districtOf(a.cfg, id); d != nil {
			name, object = d.Name, console.ObjectName(d, c.Object)
		}
		out = append(out, notify.New(c, id, name, object))
	}
	a.notifier.Tell(out)
}

// told tells the console how telling goes.
func (a *App) told() []console.Told {
	var out []console.Told
	for _, s := range a.notifier.Status() {
		t := console.Told{To: s.To, Waiting: s.Waiting, Dropped: s.Dropped, Failures: s.Failures, Error: s.Err}
		if !s.Told.IsZero() {
			at := s.Told.UTC()
			t.Last = &at
		}
		out = append(out, t)
	}
	return out
}
