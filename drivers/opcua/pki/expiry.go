package pki

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"time"
)

// ExpiryNotice is how long before its end a certificate is warned of.
const ExpiryNotice = 30 * 24 * time.Hour

// ExpiresSoon says in words that a certificate ends within [ExpiryNotice], or has ended; "" while neither is so.
func ExpiresSoon(until, now time.Time) string {
	switch left := until.Sub(now); {
	case left < 0:
		return "expired on " + until.UTC().Format(time.DateOnly)
	case left < ExpiryNotice:
		return fmt.Sprintf("expires in %d days, on %s", int(left.Hours()/24), until.UTC().Format(time.DateOnly))
	}
	return ""
}

// LoadOwn returns the application's certificate under root/own and its file. The error is fs.ErrNotExist when none was made yet.
func LoadOwn(root string) (leaf *x509.Certificate, file string, err error) {
	if file, err = only(filepath.Join(root, "own", "certs"), certificateExt); err != nil {
		return nil, "", err
	}
	chain, err := LoadCertificates(file)
	if err != nil {
		return nil, file, err
	}
	return chain[0], file, nil
}
