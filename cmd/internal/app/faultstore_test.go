package app

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/store/spool"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
)

// hangingDisk is the record on a disk whose writes may not return, whatever their context says; what is read comes from the machine's memory.
type hangingDisk struct {
	store.Store
	mu   sync.Mutex
	hung chan struct{} // nil: it works
}

func (d *hangingDisk) hang() {
	d.mu.Lock()
	d.hung = make(chan struct{})
	d.mu.Unlock()
}

func (d *hangingDisk) work() {
	d.mu.Lock()
	close(d.hung)
	d.hung = nil
	d.mu.Unlock()
}

func (d *hangingDisk) wait() {
	d.mu.Lock()
	hung := d.hung
	d.mu.Unlock()
	if hung != nil {
		<-hung
	}
}

func (d *hangingDisk) Append(ctx context.Context, samples []district.Sample) error {
	d.wait()
	return d.Store.Append(ctx, samples)
}

func (d *hangingDisk) AppendSetpoints(ctx context.Context, sps []district.Setpoint) error {
	d.wait()
	return d.Store.AppendSetpoints(ctx, sps)
}

func (d *hangingDisk) SavePlan(ctx context.Context, p *district.Plan) (int64, error) {
	d.wait()
	return d.Store.SavePlan(ctx, p)
}

func (d *hangingDisk) SaveBalances(ctx context.Context, rows []balance.Row) error {
	d.wait()
	return d.Store.SaveBalances(ctx, rows)
}

func (d *hangingDisk) SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error {
	d.wait()
	return d.Store.SaveForecastErrors(ctx, rows)
}

func (d *hangingDisk) SaveOutlooks(ctx context.Context, rows []district.Outlook) error {
	d.wait()
	return d.Store.SaveOutlooks(ctx, rows)
}

func (d *hangingDisk) AppendEvent(ctx context.Context, e store.Event) error {
	d.wait()
	return d.Store.AppendEvent(ctx, e)
}

func (d *hangingDisk) SaveOrders(ctx context.Context, orders []order.Order) error {
	d.wait()
	return d.Store.SaveOrders(ctx, orders)
}

func (d *hangingDisk) Close() error {
	d.wait()
	return d.Store.Close()
}

func (d *hangingDisk) Refresh(ctx context.Context, now time.Time) error {
	d.wait()
	return d.Store.Refresh(ctx, now)
}

// restart ends the process in order and begins the next one with a database at a URL, or without one.
func (s *stage) restart(databaseURL string) {
	if err := s.end(); err != nil {
		s.t.Errorf("Quartier ended with %v", err)
	}
	s.cfg.File.Database.URLFile = ""
	if databaseURL != "" {
		s.cfg.File.Database.URLFile = filepath.Join(s.dir, "database.url")
		if err := os.WriteFile(s.cfg.File.Database.URLFile, []byte(databaseURL), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	s.start()
}

// kill ends the process as a power cut does: nothing more reaches a device, and the next one finds the disk as it was at that instant.
func (s *stage) kill() {
	gates := []string{gridGate, roofGate, garageGate, cellarGate}
	for _, g := range gates {
		s.net.at(g, weather{refused: true})
	}
	synctest.Wait() // no write is half done
	image := s.dir + "-killed"
	if err := os.CopyFS(image, os.DirFS(s.dir)); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { os.RemoveAll(image) })
	_ = s.end() // whatever it makes of that
	s.dir, s.cfg.File.DataDir = image, image
	for _, g := range gates {
		s.net.at(g, weather{})
	}
}

// authority signs certificates of a device behind TLS.
type authority struct {
	s    *stage
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string

	mu    sync.Mutex
	shown *tls.Certificate
}

func newAuthority(s *stage) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Lotissement"}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &key.PublicKey, key)
	if err != nil {
		s.t.Fatal(err)
	}
	a := &authority{s: s, cert: about, key: key, file: filepath.Join(s.dir, "ca.pem")}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// show gives the server of a host a certificate that ends at an instant.
func (a *authority) show(host string, until time.Time) {
	about := &x509.Certificate{SerialNumber: big.NewInt(until.Unix()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host}, NotBefore: a.cert.NotBefore, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	der, err := x509.CreateCertificate(rand.Reader, about, a.cert, &a.key.PublicKey, a.key)
	if err != nil {
		a.s.t.Fatal(err)
	}
	a.mu.Lock()
	a.shown = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: a.key}
	a.mu.Unlock()
}

func (a *authority) config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.shown, nil
	}}
}

// recordRows are faults of what keeps the record, and of the process itself.
func recordRows() (out []fault) {
	add := func(f fault, inject, end func(*stage)) { out = append(out, row(f, inject, end)) }
	tables := []string{"samples", "staged", "packs", "joint_packs", "setpoints", "plans", "balances"}
	add(fault{group: "store", name: "disk full", alarm: "disk-refuses", says: "no space left"}, func(s *stage) {
		db := s.file()
		defer db.Close()
		for _, table := range tables {
			s.exec(db, "create trigger if not exists full_"+table+" before insert on "+table+" begin select raise(abort, 'no space left'); end")
		}
	}, func(s *stage) {
		db := s.file()
		defer db.Close()
		for _, table := range tables {
			s.exec(db, "drop trigger full_"+table)
		}
	})
	add(fault{group: "store", name: "disk hangs", alarm: "disk-refuses", says: "does not answer"}, func(s *stage) { s.disk.hang() }, func(s *stage) {
		s.setClock(5 * time.Second) // whoever looks after the clock and at what is wrong waits for no disk
		s.run(10 * time.Second)
		if off := s.app.clock.Now().Sub(s.machine()); off.Abs() > time.Second {
			s.t.Errorf("the districts' clock is %v off the machine's on a disk that hangs", off)
		}
		s.setClock(0)
		s.run(10 * time.Second)
		s.disk.work()
	})
	add(fault{group: "store", name: "database away", alarm: "database-down"}, func(s *stage) { s.restart("postgres://quartier@127.0.0.1:1/quartier?sslmode=disable") }, func(s *stage) { s.restart("") })
	add(fault{group: "process", name: "killed and started anew", lasts: 90 * time.Second}, (*stage).kill, (*stage).start)
	return out
}

// openFile is the record beside Quartier.
func openFile(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(20000)")
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

// TestFileLocked: while another program holds the record's file locked, nobody waits for it, and what was measured and decided is in the file once it is free again. It is no row of the campaign: the
// library waits for a lock in the machine's time.
func TestFileLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), recordFile)
	local, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	st := spool.New(local, spool.Options{Wait: 50 * time.Millisecond, Retry: 50 * time.Millisecond})
	defer st.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() { st.Run(ctx) })
	defer loop.Wait()
	defer cancel()
	other, err := openFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Exec("begin immediate"); err != nil {
		t.Fatal(err)
	}
	series := district.NewSeriesID("d", "s", "meter", district.PowerKW)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	begin := time.Now()
	for k := range 5 {
		now := at.Add(time.Duration(k) * time.Second)
		if err := st.Append(t.Context(), []district.Sample{{Series: series, Time: now, Value: float64(k)}}); err != nil {
			t.Fatalf("sample %d on a locked file: %v", k, err)
		}
		if err := st.AppendSetpoints(t.Context(), []district.Setpoint{{Time: now, District: "d", Site: "s", Device: "bat", Command: "0 kW", Outcome: district.Applied, Reason: "idle"}}); err != nil {
			t.Fatalf("set-point %d on a locked file: %v", k, err)
		}
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("control waited %v for a locked file", took)
	}
	if held := st.State(); held.Held < 8 || held.Dropped != 0 || held.Since.IsZero() || held.Err == nil { // a write may be under way
		t.Errorf("held in memory: %+v, want what was written since", held)
	}
	if _, err := other.Exec("rollback"); err != nil {
		t.Fatal(err)
	}
	sp := timegrid.NewSpan(at, at.Add(time.Minute))
	until(t, "all of it is in the file", func() bool {
		n := 0
		if err := local.Read(t.Context(), []district.SeriesID{series}, sp, func(district.Sample) error { n++; return nil }); err != nil {
			t.Fatal(err)
		}
		lines, err := local.Setpoints(t.Context(), "d", "", "", sp, 100)
		if err != nil {
			t.Fatal(err)
		}
		return n == 5 && len(lines) >= 5 && st.State().Held == 0
	})
}
