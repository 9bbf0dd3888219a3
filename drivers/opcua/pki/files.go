package pki

import (
	"crypto/sha1"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFile bounds what is read from a file of certificates.
const maxFile = 1 << 20

// Thumbprint is the SHA-1 of a certificate in hexadecimal, as OPC UA names certificates. It names them only: trust compares whole certificates.
func Thumbprint(c *x509.Certificate) string {
	sum := sha1.Sum(c.Raw)
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// fileName is "common name [thumbprint]", with nothing in it that a file name should not have: the name is the peer's.
func fileName(c *x509.Certificate) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == ' ' {
			return r
		}
		return '_'
	}, c.Subject.CommonName)
	name = strings.TrimSpace(name[:min(len(name), 40)])
	if name == "" {
		name = "certificate"
	}
	return name + " [" + Thumbprint(c) + "]"
}

// listFiles returns the names of a folder's files with one of the extensions, sorted; a folder that is not there is an error.
func listFiles(folder string, exts []string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") && slices.Contains(exts, strings.ToLower(filepath.Ext(e.Name()))) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

func readSmall(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("pki: %s is larger than %d bytes", file, maxFile)
	}
	return raw, nil
}

// writeFile writes a file that appears whole or not at all, with its folder.
func writeFile(file string, data []byte, mode os.FileMode) error {
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	f, err := os.CreateTemp(dir, ".new-") // of mode 0600
	if err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	_, err = f.Write(data)
	for _, step := range []func() error{func() error { return f.Chmod(mode) }, f.Sync, f.Close, func() error { return os.Rename(f.Name(), file) }} {
		if err == nil {
			err = step()
		}
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return fmt.Errorf("pki: %w", err)
	}
	return nil
}

// LoadCertificates reads the certificates of a file, DER or PEM.
func LoadCertificates(file string) ([]*x509.Certificate, error) {
	der, err := readCertificates(file)
	if err != nil {
		return nil, err
	}
	certs, err := x509.ParseCertificates(der)
	if err != nil || len(certs) == 0 {
		return nil, fmt.Errorf("pki: %s holds no certificate", file)
	}
	return certs, nil
}

// Describe names a certificate, of a chain the leaf, on one line: its thumbprint, its name and until when it is valid.
func Describe(der []byte) string {
	if len(der) == 0 {
		return "none"
	}
	chain, err := x509.ParseCertificates(der)
	if err != nil || len(chain) == 0 {
		return "unreadable"
	}
	return fmt.Sprintf("%s %q until %s", Thumbprint(chain[0]), chain[0].Subject.CommonName, chain[0].NotAfter.UTC().Format("2006-01-02"))
}
