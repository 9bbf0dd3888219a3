package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Application describes the certificate to make when there is none.
type Application struct {
	Name     string        // for people: the certificate's common name
	URI      string        // urn: of this installation; empty: urn:HOST:quartier with the machine's name
	Hosts    []string      // names and addresses under which it is reached; empty: the machine's name and localhost
	Validity time.Duration // from now; 0: ten years
}

const (
	keyBits         = 2048
	defaultValidity = 10 * 365 * 24 * time.Hour
)

// Identity is a certificate with its key.
type Identity struct {
	Certificate []byte // DER; of a chain the leaf comes first
	Leaf        *x509.Certificate
	Key         *rsa.PrivateKey
	URI         string // of the application; empty for a user's certificate
}

// Thumbprint is the SHA-1 of the certificate in hexadecimal, as OPC UA names certificates.
func (id *Identity) Thumbprint() string { return Thumbprint(id.Leaf) }

// OpenIdentity returns the application's identity under root/own, and makes one, self-signed, when there is no such folder. What an
// administrator put there, for example from an authority of the company, is taken as it is; an error says what does not fit. Two processes may
// call it at the same time: the first makes the identity of both.
func OpenIdentity(root string, app Application, now time.Time) (*Identity, error) {
	own := filepath.Join(root, "own")
	id, err := loadOwn(own)
	if !errors.Is(err, fs.ErrNotExist) {
		return id, err
	}
	id, err = NewIdentity(app, now)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	// both files appear at once, or another process was first
	making, err := os.MkdirTemp(root, ".own-")
	if err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	defer os.RemoveAll(making)
	if err := os.Chmod(making, 0o755); err != nil {
		return nil, fmt.Errorf("pki: %w", err)
	}
	name := fileName(id.Leaf)
	if err := id.Save(filepath.Join(making, "certs", name+".der"), filepath.Join(making, "private", name+".pem")); err != nil {
		return nil, err
	}
	if err := os.Rename(making, own); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, there := os.Stat(own); there != nil {
			return nil, fmt.Errorf("pki: %w", err)
		}
	}
	return loadOwn(own)
}

// loadOwn loads the one pair of a folder.
func loadOwn(own string) (*Identity, error) {
	cert, err := only(filepath.Join(own, "certs"), certificateExt)
	if err != nil {
		return nil, err
	}
	key, err := only(filepath.Join(own, "private"), keyExt)
	if err != nil {
		return nil, err
	}
	id, err := LoadIdentity(cert, key)
	if err == nil && id.URI == "" {
		err = fmt.Errorf("pki: %s: the certificate names no application URI among its alternative names", cert)
	}
	return id, err
}

var (
	certificateExt = []string{".der", ".crt", ".cer", ".pem"}
	keyExt         = []string{".pem", ".key", ".der"}
)

// only returns the one file of a folder with one of the extensions.
func only(folder string, exts []string) (string, error) {
	files, err := listFiles(folder, exts)
	switch {
	case err != nil:
		return "", fmt.Errorf("pki: %w", err)
	case len(files) != 1:
		return "", fmt.Errorf("pki: %s holds %d files of %s, want one", folder, len(files), strings.Join(exts, " "))
	}
	return filepath.Join(folder, files[0]), nil
}

// NewIdentity makes a self-signed application instance certificate for client and server, as OPC UA Part 6, 6.2.2 describes it.
func NewIdentity(app Application, now time.Time) (*Identity, error) {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	if app.Name == "" {
		app.Name = "Quartier"
	}
	if app.URI == "" {
		app.URI = "urn:" + host + ":quartier"
	}
	if len(app.Hosts) == 0 {
		app.Hosts = []string{host, "localhost"}
	}
	if app.Validity <= 0 {
		app.Validity = defaultValidity
	}
	uri, err := url.Parse(app.URI)
	if err != nil || !uri.IsAbs() {
		return nil, fmt.Errorf("pki: application URI %q is no URI such as urn:host:quartier", app.URI)
	}
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("pki: key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("pki: serial number: %w", err)
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: app.Name, Organization: []string{app.Name}}, URIs: []*url.URL{uri},
		NotBefore: now.Add(-time.Hour).UTC(), NotAfter: now.Add(app.Validity).UTC(), // an hour for peers whose clock is behind
		SignatureAlgorithm: x509.SHA256WithRSA, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, h := range app.Hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("pki: certificate: %w", err)
	}
	return newIdentity(der, key)
}

func newIdentity(der []byte, key *rsa.PrivateKey) (*Identity, error) {
	chain, err := x509.ParseCertificates(der)
	if err != nil {
		return nil, fmt.Errorf("pki: certificate: %w", err)
	}
	if len(chain) == 0 {
		return nil, errors.New("pki: certificate: none")
	}
	pub, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("pki: certificate %s has a %s key, want RSA", Thumbprint(chain[0]), chain[0].PublicKeyAlgorithm)
	}
	if !pub.Equal(&key.PublicKey) {
		return nil, fmt.Errorf("pki: certificate %s does not belong to the key", Thumbprint(chain[0]))
	}
	id := &Identity{Certificate: der, Leaf: chain[0], Key: key}
	if len(chain[0].URIs) > 0 {
		id.URI = chain[0].URIs[0].String()
	}
	return id, nil
}

// LoadIdentity reads a certificate, or a chain with the leaf first, and its RSA key, each DER or PEM, without a passphrase.
func LoadIdentity(certFile, keyFile string) (*Identity, error) {
	der, err := readCertificates(certFile)
	if err != nil {
		return nil, err
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, err
	}
	id, err := newIdentity(der, key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", certFile, err)
	}
	return id, nil
}

// Save writes the certificate as DER and the key as PEM, the key readable by its owner alone.
func (id *Identity) Save(certFile, keyFile string) error {
	key, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		return fmt.Errorf("pki: key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(keyFile), 0o700); err != nil {
		return fmt.Errorf("pki: %w", err)
	}
	if err := writeFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600); err != nil {
		return err
	}
	return writeFile(certFile, id.Certificate, 0o644)
}

// readCertificates reads DER or PEM as DER, one certificate after the other.
func readCertificates(file string) ([]byte, error) {
	raw, err := readSmall(file)
	if err != nil {
		return nil, err
	}
	var der []byte
	for rest := raw; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			der = append(der, block.Bytes...)
		}
	}
	if der == nil {
		der = raw
	}
	return der, nil
}

func readKey(file string) (*rsa.PrivateKey, error) {
	raw, err := readSmall(file)
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(raw); block != nil {
		raw = block.Bytes
	}
	if key, err := x509.ParsePKCS1PrivateKey(raw); err == nil {
		return key, nil
	}
	any, err := x509.ParsePKCS8PrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("pki: %s is no private key without a passphrase", file) // the cause could tell of the key
	}
	key, ok := any.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("pki: %s is no RSA key", file)
	}
	return key, nil
}
