package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// form is a form of text: a pattern, which the JSON Schema has too, and a check of what a pattern cannot say.
type form struct {
	re    *regexp.Regexp
	want  string             // in words
	check func(string) error // nil: none
}

// forms are the forms of texts, by the name in a pattern tag.
var forms = map[string]form{
	"id":      {regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`), `an id: small letters, digits, "-", "_" and ".", beginning with a letter or digit`, nil},
	"carrier": {regexp.MustCompile(`^[a-z][a-z0-9_]{0,30}$`), `a carrier: small letters, digits and "_", such as heat`, nil},
	"date":    {regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`), "a day such as 2026-01-31", calendar},
	"clock":   {regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`), "a time such as 07:30", nil},
	"prm":     {regexp.MustCompile(`^\d{14}$`), "a delivery point of 14 digits", nil},
	"address": {regexp.MustCompile(`^(tcp|modbus\+tls|udp|rtuovertcp|rtu|opc\.tcp)://[^\s]+$`), "tcp://host:port, modbus+tls://host:port, udp://host:port, rtuovertcp://host:port, rtu:///dev/ttyUSB0?baud=9600&parity=even or opc.tcp://host:port", deviceAddress},
	"listen":  {regexp.MustCompile(`^[^\s/]*:\d{1,5}$`), "host:port", listenAddress},
	"network": {regexp.MustCompile(`^[0-9A-Fa-f.:]+(/\d{1,3})?$`), "an IP address or a network such as 10.20.0.0/24", func(s string) error { _, err := Network(s); return err }},
	"mail":    {regexp.MustCompile(`^[^\s@]+@[^\s@]+$`), "a mail address such as plant@example.org", mailAddress},
	"url":     {regexp.MustCompile(`^https?://[^\s]+$`), "an address such as https://service.example/path", httpAddress},
	"eic":     {regexp.MustCompile(`^[0-9]{2}[A-Z][0-9A-Z-]{13}$`), "an EIC code of 16 signs, such as 10YFR-RTE------C", eic},
	"env":     {regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`), "the name of an environment variable", nil},
}

// calendar refuses a day that no calendar has.
func calendar(s string) error {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return fmt.Errorf("%q is no day of the calendar", s)
	}
	if t.Year() < 1900 || t.Year() > 2200 {
		return fmt.Errorf("%q lies outside 1900 to 2200", s)
	}
	return nil
}

// deviceAddress refuses addresses without a host or a port that can be; what may follow the "?" its driver knows.
func deviceAddress(s string) error {
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is no address", s)
	}
	if u.User != nil {
		return fmt.Errorf("the address holds a user name or password: secrets are never written here")
	}
	if u.Scheme == "rtu" {
		if u.Host != "" || len(u.Path) < 2 || u.Fragment != "" {
			return fmt.Errorf("%q is no rtu:// with the absolute path of a serial device, such as rtu:///dev/ttyUSB0", s)
		}
		return nil
	}
	if u.Hostname() == "" || u.Port() == "" {
		return fmt.Errorf("%q has no host or no port", s)
	}
	if u.Scheme != "opc.tcp" && u.Path != "" && u.Path != "/" || u.Scheme == "opc.tcp" && u.RawQuery != "" || u.Fragment != "" {
		return fmt.Errorf("%q has more than a host and a port", s)
	}
	return port(u.Port())
}

// listenAddress refuses a port that cannot be.
func listenAddress(s string) error {
	_, p, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("%q is not host:port", s)
	}
	if p == "0" {
		return nil // any free port
	}
	return port(p)
}

func port(p string) error {
	if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("port %s lies outside 1 to 65535", p)
	}
	return nil
}

// loopback reports whether an address to listen on is reached from this machine alone.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Network reads an address, or a network in CIDR notation, as a network.
func Network(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is no IP address and no network such as 10.20.0.0/24", s)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%q has host bits set, the network is %s", s, p.Masked())
	}
	return p, nil
}
