package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// MaxRejected bounds how many certificates that were turned away are kept.
const MaxRejected = 100

// How fast strangers may fill rejected/certs: so many at once, and one more each rejectedEvery. What comes faster is not kept.
const (
	rejectedBurst = 10
	rejectedEvery = 10 * time.Second
)

// lookAgainAfter is how long the lists in memory stand for the folder.
const lookAgainAfter = time.Second

// List is one of the lists of a store.
type List string

// The lists by the name of their folder.
const (
	Trusted  List = "trusted"
	Issuers  List = "issuers"
	Rejected List = "rejected"
)

var lists = []List{Trusted, Issuers, Rejected}

var (
	// ErrUnknown is returned for a thumbprint that no certificate of the list has.
	ErrUnknown = errors.New("no certificate has this thumbprint")
	// ErrAmbiguous is returned for the begin of a thumbprint that several certificates have.
	ErrAmbiguous = errors.New("several certificates have this thumbprint; give more of it")
)

// Entry is one certificate of a list.
type Entry struct {
	List        List
	Thumbprint  string
	Certificate *x509.Certificate
	File        string    // path
	Since       time.Time // modification of the file
}

// Store is the trust list of an application on disk. Its methods may be called from several goroutines, and other processes may change the
// folder meanwhile.
type Store struct {
	root string

	mu       sync.Mutex
	looked   time.Time // by the monotonic clock; zero: look again
	seen     map[string]stamp
	version  uint64
	anchors  map[string]bool // DER of trusted certificates
	trusted  []*x509.Certificate
	issuers  []*x509.Certificate
	crls     []*x509.RevocationList
	faults   []error // files that could not be read
	bucket   float64 // certificates that may be kept now
	refilled time.Time
}

type stamp struct {
	size int64
	at   time.Time
}

// Open returns the store under a folder, which is made when it is not there.
func Open(root string) (*Store, error) {
	s := &Store{root: root, bucket: rejectedBurst}
	for _, d := range []string{"trusted/certs", "trusted/crl", "issuers/certs", "issuers/crl", "rejected/certs"} {
		if err := os.MkdirAll(filepath.Join(root, filepath.FromSlash(d)), 0o755); err != nil {
			return nil, fmt.Errorf("pki: %w", err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.look()
}

// Root is the folder of the store.
func (s *Store) Root() string { return s.root }

// Version changes when the lists do. A connection that is already there is checked again when it changed.
func (s *Store) Version() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	return s.version
}

// Faults are the files of the store that are no certificate or revocation list, and are passed over.
func (s *Store) Faults() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.look()
	return slices.Clone(s.faults)
}

func (s *Store) certs(l List) string { return filepath.Join(s.root, string(l), "certs") }

// look reads the folder again when it changed. mu is held. An error leaves the lists as they were.
func (s *Store) look() error {
	if !s.looked.IsZero() && time.Since(s.looked) < lookAgainAfter {
		return nil
	}
	seen := map[string]stamp{}
	for _, d := range []string{"trusted/certs", "trusted/crl", "issuers/certs", "issuers/crl"} {
		entries, err := os.ReadDir(filepath.Join(s.root, filepath.FromSlash(d)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("pki: %w", err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
				seen[d+"/"+e.Name()] = stamp{info.Size(), info.ModTime()}
			}
		}
	}
	s.looked = time.Now()
	if s.seen != nil && mapsEqual(s.seen, seen) {
		return nil
	}
	s.seen = seen
	s.version++
	s.anchors, s.trusted, s.issuers, s.crls, s.faults = map[string]bool{}, nil, nil, nil, nil
	for name := range seen {
		file := filepath.Join(s.root, filepath.FromSlash(name))
		if strings.Contains(name, "/crl/") {
			raw, err := readSmall(file)
			if err == nil {
				var crl *x509.RevocationList
				if crl, err = parseCRL(raw); err == nil {
					s.crls = append(s.crls, crl)
				}
			}
			if err != nil {
				s.faults = append(s.faults, fmt.Errorf("%s: %w", file, err))
			}
			continue
		}
		der, err := readCertificates(file)
		var certs []*x509.Certificate
		if err == nil {
			certs, err = x509.ParseCertificates(der)
		}
		if err != nil {
			s.faults = append(s.faults, fmt.Errorf("%s: %w", file, err))
			continue
		}
		for _, c := range certs {
			if strings.HasPrefix(name, string(Trusted)) {
				s.anchors[string(c.Raw)] = true
				s.trusted = append(s.trusted, c)
			} else {
				s.issuers = append(s.issuers, c)
			}
		}
	}
	return nil
}

func mapsEqual(a, b map[string]stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		w, ok := b[k]
		if !ok || v.size != w.size || !v.at.Equal(w.at) {
			return false
		}
	}
	return true
}

// List returns the certificates of the named lists, of all when none is named, each list by the time of its files.
func (s *Store) List(of ...List) ([]Entry, error) {
	if len(of) == 0 {
		of = lists
	}
	var out []Entry
	for _, l := range of {
		files, err := listFiles(s.certs(l), certificateExt)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("pki: %w", err)
		}
		first := len(out)
		for _, name := range files {
			file := filepath.Join(s.certs(l), name)
			info, err := os.Stat(file)
			if err != nil {
				continue // gone meanwhile
			}
			der, err := readCertificates(file)
			if err != nil {
				continue
			}
			certs, err := x509.ParseCertificates(der)
			if err != nil {
				continue // told by Faults
			}
			for _, c := range certs {
				out = append(out, Entry{List: l, Thumbprint: Thumbprint(c), Certificate: c, File: file, Since: info.ModTime()})
			}
		}
		slices.SortStableFunc(out[first:], func(a, b Entry) int { return a.Since.Compare(b.Since) })
	}
	return out, nil
}

// Trust takes a certificate into the trusted ones, out of the rejected ones.
func (s *Store) Trust(c *x509.Certificate) error { return s.put(Trusted, c) }

// TrustIssuer takes an authority in that completes chains and is not trusted by itself.
func (s *Store) TrustIssuer(c *x509.Certificate) error { return s.put(Issuers, c) }

// Revoke takes a certificate out of the trusted ones and the issuers, and keeps it among the rejected ones.
func (s *Store) Revoke(c *x509.Certificate) error { return s.put(Rejected, c) }

// put moves a certificate to a list.
func (s *Store) put(to List, c *x509.Certificate) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked = time.Time{}
	if err := writeFile(filepath.Join(s.certs(to), fileName(c)+".der"), c.Raw, 0o644); err != nil {
		return err
	}
	for _, l := range lists {
		if l == to || to == Issuers && l == Trusted {
			continue
		}
		if err := s.remove(l, c); err != nil {
			return err
		}
	}
	if to == Rejected {
		return s.trim()
	}
	return nil
}

// remove deletes the files of a list that hold the certificate and nothing else, and rewrites those that hold others too. mu is held.
func (s *Store) remove(l List, c *x509.Certificate) error {
	entries, err := s.List(l)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Certificate.Equal(c) {
			continue
		}
		var rest []byte
		for _, o := range entries {
			if o.File == e.File && !o.Certificate.Equal(c) {
				rest = append(rest, o.Certificate.Raw...)
			}
		}
		if rest == nil {
			err = os.Remove(e.File)
		} else {
			err = writeFile(e.File, rest, 0o644)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pki: %w", err)
		}
	}
	return nil
}

// Find returns the certificate of the named lists, of all when none is named, whose thumbprint begins with the given digits. ErrUnknown or
// ErrAmbiguous tell that there is none, or more than one.
func (s *Store) Find(thumbprint string, of ...List) (*x509.Certificate, error) {
	want := strings.ToUpper(strings.NewReplacer(":", "", " ", "").Replace(thumbprint))
	if want == "" {
		return nil, fmt.Errorf("pki: thumbprint %q: %w", thumbprint, ErrUnknown)
	}
	entries, err := s.List(of...)
	if err != nil {
		return nil, err
	}
	var found *x509.Certificate
	for _, e := range entries {
		if !strings.HasPrefix(e.Thumbprint, want) {
			continue
		}
		if found != nil && !found.Equal(e.Certificate) {
			return nil, fmt.Errorf("pki: thumbprint %q: %w", thumbprint, ErrAmbiguous)
		}
		found = e.Certificate
	}
	if found == nil {
		return nil, fmt.Errorf("pki: thumbprint %q: %w", thumbprint, ErrUnknown)
	}
	return found, nil
}

// reject keeps a certificate that was turned away, as far as strangers may fill the disk. mu is held.
func (s *Store) reject(c *x509.Certificate) {
	file := filepath.Join(s.certs(Rejected), fileName(c)+".der")
	if _, err := os.Stat(file); err == nil {
		return
	}
	now := time.Now()
	if !s.refilled.IsZero() {
		s.bucket = min(rejectedBurst, s.bucket+float64(now.Sub(s.refilled))/float64(rejectedEvery))
	}
	s.refilled = now
	if s.bucket < 1 {
		return
	}
	s.bucket--
	if writeFile(file, c.Raw, 0o644) == nil {
		s.trim()
	}
}

// trim drops the oldest rejected certificates beyond MaxRejected. mu is held.
func (s *Store) trim() error {
	entries, err := s.List(Rejected)
	if err != nil {
		return err
	}
	for _, e := range entries[:max(0, len(entries)-MaxRejected)] {
		if err := os.Remove(e.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("pki: %w", err)
		}
	}
	return nil
}
