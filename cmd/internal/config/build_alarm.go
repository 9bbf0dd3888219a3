package config

import (
	"fmt"
	"net"
	"net/mail"
)

// alarms checks who is told of alarms.
func (b *builder) alarms(a *Alarms) {
	if m := a.Email; m != nil {
		const path = "alarms.email"
		given := m.PasswordFile != "" || m.PasswordEnv != ""
		host, _, _ := net.SplitHostPort(m.Server)
		switch {
		case m.PasswordFile != "" && m.PasswordEnv != "":
			b.say(path+".password_env", "password_file is given too: one of them")
		case m.User != "" && !given:
			b.say(path, "password_file or password_env is missing: user signs in with one")
		case m.User == "" && given:
			b.say(path, "user is missing: a password is of somebody")
		}
		if m.TLS == "none" && m.Server != "" && !loopback(m.Server) {
			b.say(path+".tls", "%s is reached beyond this machine: none is for a server on this machine alone", m.Server)
		}
		if m.Server != "" && host == "" {
			b.say(path+".server", "%q has no host", m.Server)
		}
		seen := map[string]bool{}
		for i, to := range m.To {
			p := fmt.Sprintf("%s.to[%d]", path, i)
			if err := mailAddress(to); err != nil {
				b.say(p, "%v", err)
			}
			if seen[to] {
				b.say(p, "%q is there twice", to)
			}
			seen[to] = true
		}
	}
	for i, w := range a.Webhooks {
		if w.SecretFile != "" && w.SecretEnv != "" {
			b.say(fmt.Sprintf("alarms.webhooks[%d].secret_env", i), "secret_file is given too: one of them")
		}
	}
}

// mailAddress refuses what is no plain mail address.
func mailAddress(s string) error {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s {
		return fmt.Errorf("%q is no mail address such as plant@example.org", s)
	}
	return nil
}

// Password returns the password for the mail server from where the file says it is; empty when it says nowhere.
func (m *Email) Password() (string, error) {
	return secret("alarms.email.password", m.PasswordFile, m.PasswordEnv)
}

// Secret returns the secret by which posts are signed from where the file says it is; empty when it says nowhere.
func (w *Webhook) Secret() (string, error) {
	return secret("alarms.webhooks.secret", w.SecretFile, w.SecretEnv)
}
