package modbus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// errConfiguration marks a connection that cannot come about before somebody changes a certificate or the configuration.
var errConfiguration = drivers.ErrConfiguration

// dialTimeout bounds the making of a connection.
const dialTimeout = 5 * time.Second

// dial connects to an endpoint. A certificate that cannot be used, on either side, is one drivers.ErrConfiguration that says which and what to do.
func dial(ctx context.Context, e endpoint, c Config, timeout time.Duration, now time.Time) (wire, error) {
	if e.scheme == rtuSerial {
		return dialLibrary(e, timeout)
	}
	var config *tls.Config
	if e.scheme == overTLS {
		var err error
		if config, err = clientTLS(e, c.TLS, now); err != nil {
			return nil, fmt.Errorf("%w: %w", errConfiguration, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if e.scheme == overUDP { // which is there as soon as it has an address
		conn, err := (&net.Dialer{}).DialContext(ctx, "udp", e.target)
		if err != nil {
			return nil, err
		}
		return newFramed(conn, e), nil
	}
	open := c.Dial
	if open == nil {
		open = func(ctx context.Context, address string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", address)
		}
	}
	conn, err := open(ctx, e.target)
	if err != nil {
		return nil, err
	}
	if e.scheme == rtuOverTCP {
		return newRTUFramed(conn), nil
	}
	if config == nil {
		return newFramed(conn, e), nil
	}
	secure, err := handshake(ctx, conn, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return newFramed(secure, e), nil
}

// clientTLS reads the certificates. They are read at each connection, so that renewed ones are used without a restart.
func clientTLS(e endpoint, files *district.TLSFiles, now time.Time) (*tls.Config, error) {
	if files == nil {
		files = &district.TLSFiles{}
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: files.ServerName, Time: func() time.Time { return now }}
	if config.ServerName == "" {
		config.ServerName, _, _ = net.SplitHostPort(e.target)
	}
	if files.CAFile != "" {
		data, err := os.ReadFile(files.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("ca_file %s holds no certificate in PEM form", files.CAFile)
		}
	}
	if (files.CertFile == "") != (files.KeyFile == "") {
		return nil, errors.New("cert_file and key_file are needed together")
	}
	if files.CertFile == "" {
		return config, nil
	}
	own, err := tls.LoadX509KeyPair(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cert_file %s and key_file %s: %w", files.CertFile, files.KeyFile, withoutContent(err))
	}
	if leaf := own.Leaf; leaf != nil && now.After(leaf.NotAfter) {
		return nil, fmt.Errorf("our certificate, cert_file %s, expired on %s", files.CertFile, leaf.NotAfter.UTC().Format(time.DateOnly))
	} else if leaf != nil && now.Before(leaf.NotBefore) {
		return nil, fmt.Errorf("our certificate, cert_file %s, is valid from %s only", files.CertFile, leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	config.Certificates = []tls.Certificate{own}
	return config, nil
}

// withoutContent leaves errors about files as they are, and keeps what a parser says of a key short.
func withoutContent(err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return err
	}
	return errors.New(strings.TrimPrefix(err.Error(), "tls: "))
}

// handshake makes the secure stream. In TLS 1.3 a device says only after the handshake that it refuses our certificate: it is given the time to.
func handshake(ctx context.Context, conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	secure := tls.Client(conn, config)
	begin := time.Now()
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, explainTLS(err, config.ServerName)
	}
	if secure.ConnectionState().Version < tls.VersionTLS13 {
		return secure, nil
	}
	wait := min(max(3*time.Since(begin), 20*time.Millisecond), time.Second)
	if err := secure.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return nil, err
	}
	_, err := secure.Read(make([]byte, 1))
	switch {
	case err == nil:
		return nil, fmt.Errorf("%w: the device speaks before it is asked", errGarbage)
	case !os.IsTimeout(err):
		return nil, explainTLS(err, config.ServerName)
	}
	return secure, secure.SetReadDeadline(time.Time{})
}

// explainTLS makes one clear error of what a handshake says about certificates; other errors are those of the connection.
func explainTLS(err error, name string) error {
	verification, refused := errors.AsType[*tls.CertificateVerificationError](err)
	if refused && len(verification.UnverifiedCertificates) > 0 {
		leaf := verification.UnverifiedCertificates[0]
		reason := fmt.Sprintf("its certificate, of %q, cannot be checked: %v", subject(leaf), verification.Err)
		var invalid x509.CertificateInvalidError
		var host x509.HostnameError
		var foreign x509.UnknownAuthorityError
		switch {
		case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
			reason = fmt.Sprintf("its certificate, of %q, is valid from %s to %s", subject(leaf), leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly))
		case errors.As(err, &host):
			reason = fmt.Sprintf("its certificate is for %s and not for %q: set server_name, if that is the device", strings.Join(names(leaf), ", "), name)
		case errors.As(err, &foreign):
			reason = fmt.Sprintf("its certificate, of %q, was signed by %q, which ca_file does not hold", subject(leaf), leaf.Issuer.String())
		}
		return fmt.Errorf("%w: %s", errConfiguration, reason)
	}
	var alert tls.AlertError
	if op, ok := errors.AsType[*net.OpError](err); errors.As(err, &alert) || ok && op.Op == "remote error" {
		return fmt.Errorf("%w: the device refuses our certificate or our way of TLS: %w", errConfiguration, err)
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) {
		return fmt.Errorf("%w: what listens there speaks no TLS", errConfiguration)
	}
	return err
}

func subject(c *x509.Certificate) string { return c.Subject.String() }

// names lists what a certificate is for.
func names(c *x509.Certificate) []string {
	out := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	if len(out) == 0 {
		return []string{"no name at all"}
	}
	return out
}

// CheckTLS returns an error for files from which no connection can be made; it reads them.
func CheckTLS(address string, files *district.TLSFiles, now time.Time) error {
	e, err := parseAddress(address)
	if err != nil {
		return err
	}
	if e.scheme != overTLS {
		if files != nil {
			return fmt.Errorf("modbus: address %q: certificates are for %s://", address, overTLS)
		}
		return nil
	}
	if _, err := clientTLS(e, files, now); err != nil {
		return fmt.Errorf("modbus: address %q: %w", address, err)
	}
	return nil
}
