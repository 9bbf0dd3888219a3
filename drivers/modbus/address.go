package modbus

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	mb "github.com/simonvetter/modbus"
)

// The transports, by the scheme of an address.
const (
	overTCP    = "tcp"        // Modbus TCP
	overUDP    = "udp"        // the same frames in datagrams
	overTLS    = "modbus+tls" // Modbus/TCP Security
	rtuOverTCP = "rtuovertcp" // RTU frames through a plain serial gateway
	rtuSerial  = "rtu"        // RTU frames on a serial line of this machine
)

// addressForms says in words what an address may be.
const addressForms = "tcp://host:port, modbus+tls://host:port, udp://host:port, rtuovertcp://host:port or rtu:///dev/ttyUSB0?baud=9600&parity=even"

// endpoint is an address taken apart.
type endpoint struct {
	scheme string
	target string // host:port, or the device file of a serial line

	baud, dataBits, stopBits, parity uint // of a serial line; parity as the library names it

	anyUnit        bool // answers may carry another unit id than the request
	anyTransaction bool // answers may carry another transaction id
}

// options are the keys that may follow the "?" of an address, by scheme.
var options = map[string][]string{
	overTCP:    {"answer_unit", "answer_transaction"},
	overTLS:    {"answer_unit", "answer_transaction"},
	rtuSerial:  {"baud", "parity", "data_bits", "stop_bits"},
	overUDP:    nil,
	rtuOverTCP: nil,
}

// CheckAddress returns an error for an address that no Modbus device can have. There are five forms:
//
//	tcp://host:port                             Modbus TCP
//	modbus+tls://host:port                      Modbus/TCP Security, port 802 by convention
//	udp://host:port                             Modbus TCP frames in datagrams
//	rtuovertcp://host:port                      RTU frames through a plain serial gateway
//	rtu:///dev/ttyUSB0?baud=9600&parity=even    RTU frames on a serial line of this machine
//
// A serial line has 19200 baud, even parity, 8 data bits and 1 stop bit (2 without parity) unless the address says otherwise, as the Modbus serial line
// specification 1.02 has it. For devices that break the protocol, ?answer_unit=any accepts answers in the name of any unit, and ?answer_transaction=any those
// with any transaction id; both are for tcp and modbus+tls.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return err
}

func parseAddress(address string) (endpoint, error) {
	e, err := splitAddress(address)
	if err != nil {
		return endpoint{}, fmt.Errorf("modbus: address %q: %w", address, err)
	}
	return e, nil
}

func splitAddress(address string) (endpoint, error) {
	u, err := url.Parse(address)
	if err != nil {
		return endpoint{}, fmt.Errorf("want %s", addressForms)
	}
	e := endpoint{scheme: u.Scheme, target: u.Host}
	known, ok := options[u.Scheme]
	if !ok {
		return e, fmt.Errorf("want %s", addressForms)
	}
	if u.User != nil || u.Fragment != "" {
		return e, fmt.Errorf("user name and fragment have no meaning here, want %s", addressForms)
	}
	if u.Scheme == rtuSerial {
		if u.Host != "" || len(u.Path) < 2 {
			return e, fmt.Errorf("want rtu:// and the absolute path of a serial device, such as rtu:///dev/ttyUSB0")
		}
		e.target = u.Path
	} else if port, err := strconv.Atoi(u.Port()); u.Hostname() == "" || err != nil || port < 1 || port > 65535 || strings.Trim(u.Path, "/") != "" {
		return e, fmt.Errorf("want %s", addressForms)
	} else {
		e.target = net.JoinHostPort(u.Hostname(), u.Port())
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return e, fmt.Errorf("options %q: %w", u.RawQuery, err)
	}
	for key, values := range query {
		switch {
		case !slices.Contains(known, key) && len(known) == 0:
			return e, fmt.Errorf("option %s: %s takes none", key, u.Scheme)
		case !slices.Contains(known, key):
			return e, fmt.Errorf("option %s: %s takes %s", key, u.Scheme, strings.Join(known, ", "))
		case len(values) != 1:
			return e, fmt.Errorf("option %s stands %d times", key, len(values))
		}
	}
	return e, e.options(query)
}

// options reads what follows the "?".
func (e *endpoint) options(query url.Values) error {
	choose := func(key, otherwise string, allowed ...string) (string, error) {
		v := query.Get(key)
		if !query.Has(key) {
			v = otherwise
		}
		if !slices.Contains(allowed, v) {
			return "", fmt.Errorf("option %s is %q, want %s", key, v, strings.Join(allowed, ", "))
		}
		return v, nil
	}
	if e.scheme != rtuSerial {
		unit, err := choose("answer_unit", "same", "same", "any")
		if err != nil {
			return err
		}
		transaction, err := choose("answer_transaction", "same", "same", "any")
		e.anyUnit, e.anyTransaction = unit == "any", transaction == "any"
		return err
	}
	parity, err := choose("parity", "even", "none", "even", "odd")
	if err != nil {
		return err
	}
	e.parity = map[string]uint{"none": mb.PARITY_NONE, "even": mb.PARITY_EVEN, "odd": mb.PARITY_ODD}[parity]
	stop := "1"
	if parity == "none" {
		stop = "2"
	}
	for _, o := range []struct {
		key, otherwise string
		allowed        []string
		to             *uint
	}{
		{"baud", "19200", []string{"1200", "2400", "4800", "9600", "19200", "38400", "57600", "115200", "230400"}, &e.baud},
		{"data_bits", "8", []string{"8"}, &e.dataBits},
		{"stop_bits", stop, []string{"1", "2"}, &e.stopBits},
	} {
		text, err := choose(o.key, o.otherwise, o.allowed...)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			return fmt.Errorf("option %s: %w", o.key, err)
		}
		*o.to = uint(n)
	}
	return nil
}

// rtu reports whether frames carry no transaction id: a late answer can then be told from another only by the time that it comes.
func (e endpoint) rtu() bool { return e.scheme == rtuSerial || e.scheme == rtuOverTCP }
