package modbus

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mb "github.com/simonvetter/modbus"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// secureServer starts a device behind TLS and returns it with the files that a client needs.
func secureServer(t testing.TB) (*modbustest.Server, *district.TLSFiles) {
	t.Helper()
	a := modbustest.NewAuthority(t, "plant")
	device, _, _ := a.Issue("localhost", -time.Hour, time.Hour)
	_, cert, key := a.Issue("quartier", -time.Hour, time.Hour)
	return modbustest.NewTLS(t, a.Server(device)), &district.TLSFiles{CAFile: a.File, CertFile: cert, KeyFile: key}
}

// TestTransports: on each transport every unit and function is served, over one connection.
func TestTransports(t *testing.T) {
	for name, tr := range transports {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, files := tr.start(t)
			l := newLink(t, s.URL()+tr.query, Config{Timeout: 5 * time.Second, TLS: files})
			for i := range uint16(30) {
				if err := check(t, l, uint8(i%3), i*11); err != nil {
					t.Fatal(err)
				}
			}
			got, err := l.Read(t.Context(), 7, profile.Input, 1000, 125)
			if err != nil || len(got) != 125 || got[124] != modbustest.Value(7, 1124) {
				t.Errorf("125 registers: %d, %v", len(got), err)
			}
			for _, table := range []profile.Table{profile.Coil, profile.Discrete} {
				if bits, err := l.Read(t.Context(), 7, table, 3, 21); err != nil || len(bits) != 21 {
					t.Errorf("%s: %v, %v", table, bits, err)
				}
			}
			for function, values := range map[uint8][]uint16{5: {1}, 6: {0xABCD}, 15: {1, 0, 1, 1, 0, 0, 0, 1, 1}, 16: {1, 2, 3}} {
				if err := l.Write(t.Context(), 7, function, 40, values); err != nil {
					t.Errorf("function %d: %v", function, err)
				}
				rs := s.Requests()
				if r := rs[len(rs)-1]; string(r.PDU) != string((exchange{function: function, address: 40, quantity: uint16(len(values)), values: values}).encode(nil)) {
					t.Errorf("function %d was sent as % x", function, r.PDU)
				}
			}
			s.Behave(modbustest.Exception(2))
			if err := check(t, l, 1, 1); !errors.Is(err, drivers.ErrRejected) || !strings.Contains(err.Error(), "illegal data address") {
				t.Errorf("exception 2: %v", err)
			}
			if n := l.Stats().Connects; n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// TestLateAnswerOnRTU: an answer that comes after its time-out, while another request to the same unit could take it for its own, is not taken. Nothing in an RTU
// frame tells it: the line stays quiet for another time-out.
func TestLateAnswerOnRTU(t *testing.T) {
	for name, s := range map[string]*modbustest.Server{"serial line": modbustest.NewSerial(t).Server, "RTU over TCP": modbustest.NewRTU(t)} {
		t.Run(name, func(t *testing.T) {
			l := newLink(t, s.URL(), quick)
			for i := range uint16(10) {
				s.Behave(modbustest.Late(time.Duration(160+12*i) * time.Millisecond))
				if err := check(t, l, 1, 100+i); !errors.Is(err, drivers.ErrUnreachable) {
					t.Errorf("a late answer: %v", err)
				}
				s.Behave(modbustest.Good)
				if err := check(t, l, 1, 200+i); err != nil {
					t.Errorf("the next request: %v", err)
				}
			}
		})
	}
}

// TestSerialAdapterIsPulledOut: the line is unreachable while its adapter is out, and serves again once it is back.
func TestSerialAdapterIsPulledOut(t *testing.T) {
	line := modbustest.NewSerial(t)
	l := newLink(t, line.URL()+"?baud=9600&parity=none&stop_bits=2", quick)
	for range 3 {
		if err := check(t, l, 1, 5); err != nil {
			t.Fatal(err)
		}
		line.Unplug()
		for range 3 {
			if err := check(t, l, 1, 5); !errors.Is(err, drivers.ErrUnreachable) {
				t.Errorf("without a line: %v", err)
			}
		}
		line.Plug()
		recovers(t, l, 1)
	}
}

// TestUnknownUnits: a device that answers in the name of unit 0, 255 or another, or with transaction id 0, is read where its address says that it does so.
func TestUnknownUnits(t *testing.T) {
	for _, tt := range []struct {
		query     string
		behaviour modbustest.Behaviour
	}{
		{"?answer_unit=any", modbustest.WrongUnit(0)},
		{"?answer_unit=any", modbustest.WrongUnit(255)},
		{"?answer_transaction=any", modbustest.NoTransaction},
		{"?answer_unit=any&answer_transaction=any", modbustest.WrongUnit(3)},
	} {
		s := modbustest.New(t)
		s.Behave(tt.behaviour)
		l := newLink(t, s.URL()+tt.query, quick)
		for i := range uint16(50) {
			if err := check(t, l, 1, i); err != nil {
				t.Fatalf("%s: %v", tt.query, err)
			}
		}
		s.Behave(modbustest.Late(220 * time.Millisecond))
		if err := check(t, l, 1, 100); !errors.Is(err, drivers.ErrUnreachable) {
			t.Errorf("%s, a late answer: %v", tt.query, err)
		}
		s.Behave(tt.behaviour)
		recovers(t, l, 1)
		for i := range uint16(20) {
			time.Sleep(5 * time.Millisecond)
			if err := check(t, l, 1, 200+i); err != nil {
				t.Errorf("%s, after it: %v", tt.query, err)
			}
		}
	}
}

// TestGatewayTellsOfSilentUnit: what a gateway says of a unit that does not answer it is that unit's silence on every transport, and costs neither the connection nor another unit. It may say so in its
// own name, another, or to function 0; on a serial line, which the library serves and where there is no gateway, in the name of the unit alone.
func TestGatewayTellsOfSilentUnit(t *testing.T) {
	as := func(unit uint8, pdu ...byte) modbustest.Behaviour {
		return func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
			r.Header[6] = unit
			return modbustest.Raw(s.Frame(r, pdu)...)(s, c, r)
		}
	}
	for name, tr := range transports {
		answers := map[string]modbustest.Behaviour{"its own": modbustest.Exception(11)}
		if name != "serial line" {
			answers["255"], answers["another"], answers["function 0"] = as(255, 0x83, 11), as(3, 0x83, 11), modbustest.PDU(0x80, 11)
		}
		for form, answer := range answers {
			t.Run(name+", "+form, func(t *testing.T) {
				t.Parallel()
				s, files := tr.start(t)
				s.Behave(modbustest.ForUnit(9, answer, modbustest.Good))
				l := newLink(t, s.URL()+tr.query, Config{Timeout: 20 * time.Second, TLS: files, MinBackoff: time.Hour, MaxBackoff: time.Hour})
				for i := range uint16(3) {
					if err := check(t, l, 1, i); err != nil {
						t.Fatalf("the living unit: %v", err)
					}
					err := check(t, l, 9, i)
					if code, is := errors.AsType[exceptionError](err); !errors.Is(err, drivers.ErrUnreachable) || !is || code != noAnswerBehind {
						t.Errorf("the silent unit: %v, want ErrUnreachable by exception 11", err)
					}
				}
				if st := l.Stats(); st.Connects != 1 || st.Timeouts != 1 || st.Refused != 2 || st.Garbage != 0 {
					t.Errorf("stats %+v, want one connection, and the unit asked once", st)
				}
			})
		}
	}
}

// TestConnectionOutlivesTimeouts: behind TLS, where a handshake is dear, a unit that does not answer costs the others no new connection.
func TestConnectionOutlivesTimeouts(t *testing.T) {
	s, files := secureServer(t)
	s.Behave(modbustest.ForUnit(9, modbustest.Late(200*time.Millisecond), modbustest.Good))
	config := quick
	config.TLS = files
	l := newLink(t, s.URL(), config)
	for i := range uint16(10) {
		if err := check(t, l, 9, i); !errors.Is(err, drivers.ErrUnreachable) {
			t.Errorf("a late answer: %v", err)
		}
		for range 5 {
			if err := check(t, l, 1, 100+i); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if n := s.Accepted(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestCertificates: a certificate that cannot be used, the device's or ours, is one clear error of the configuration, with what to do, and no storm of connections.
func TestCertificates(t *testing.T) {
	plant, other := modbustest.NewAuthority(t, "plant"), modbustest.NewAuthority(t, "other")
	good, _, _ := plant.Issue("localhost", -time.Hour, time.Hour)
	expired, _, _ := plant.Issue("localhost", -48*time.Hour, -24*time.Hour)
	early, _, _ := plant.Issue("localhost", 24*time.Hour, 48*time.Hour)
	named, _, _ := plant.Issue("meter.example", -time.Hour, time.Hour)
	foreign, _, _ := other.Issue("localhost", -time.Hour, time.Hour)
	_, cert, key := plant.Issue("quartier", -time.Hour, time.Hour)
	_, oldCert, oldKey := plant.Issue("quartier-old", -48*time.Hour, -24*time.Hour)
	_, foreignCert, foreignKey := other.Issue("quartier", -time.Hour, time.Hour)
	text := filepath.Join(t.TempDir(), "text.pem")
	if err := os.WriteFile(text, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	ours := district.TLSFiles{CAFile: plant.File, CertFile: cert, KeyFile: key}
	with := func(change func(*district.TLSFiles)) district.TLSFiles { f := ours; change(&f); return f }
	for _, tt := range []struct {
		name   string
		device tls.Certificate
		files  district.TLSFiles
		want   string // empty: the device is read
	}{
		{"good", good, ours, ""},
		{"its name is another, and given", named, with(func(f *district.TLSFiles) { f.ServerName = "meter.example" }), ""},
		{"its certificate is expired", expired, ours, "is valid from "},
		{"its certificate is not valid yet", early, ours, "is valid from "},
		{"its certificate is from a foreign authority", foreign, ours, "which ca_file does not hold"},
		{"its name is another", named, ours, `is for meter.example and not for "127.0.0.1": set server_name`},
		{"ours is expired", good, with(func(f *district.TLSFiles) { f.CertFile, f.KeyFile = oldCert, oldKey }), "our certificate, cert_file "},
		{"ours is from a foreign authority", good, with(func(f *district.TLSFiles) { f.CertFile, f.KeyFile = foreignCert, foreignKey }), "the device refuses our certificate"},
		{"we show none", good, with(func(f *district.TLSFiles) { f.CertFile, f.KeyFile = "", "" }), "the device refuses our certificate"},
		{"the file is missing", good, with(func(f *district.TLSFiles) { f.CAFile = "missing.pem" }), "ca_file: open missing.pem"},
		{"the file is no certificate", good, with(func(f *district.TLSFiles) { f.CAFile = text }), "holds no certificate"},
		{"the key is of another certificate", good, with(func(f *district.TLSFiles) { f.KeyFile = foreignKey }), "private key does not match public key"},
		{"the key is missing", good, with(func(f *district.TLSFiles) { f.KeyFile = "" }), "cert_file and key_file are needed together"},
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("%s, %s", tt.name, tls.VersionName(version)), func(t *testing.T) {
				t.Parallel()
				config := plant.Server(tt.device)
				config.MaxVersion = version
				s := modbustest.NewTLS(t, config)
				l := newLink(t, s.URL(), Config{Timeout: 5 * time.Second, TLS: &tt.files})
				var err error
				for range 20 {
					err = check(t, l, 1, 5)
				}
				if tt.want == "" {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, drivers.ErrConfiguration) || !errors.Is(err, drivers.ErrUnreachable) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%v, want one configuration error with %q", err, tt.want)
				}
				if n := s.Accepted(); n > 1 {
					t.Errorf("%d connections for 20 reads", n)
				}
			})
		}
	}
	t.Run("what listens there speaks no TLS", func(t *testing.T) {
		web, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer web.Close()
		go func() {
			for c, err := web.Accept(); err == nil; c, err = web.Accept() {
				fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
				defer c.Close()
			}
		}()
		l := newLink(t, "modbus+tls://"+web.Addr().String(), Config{TLS: &ours})
		if err := check(t, l, 1, 5); !errors.Is(err, drivers.ErrConfiguration) || !strings.Contains(err.Error(), "speaks no TLS") {
			t.Error(err)
		}
	})
}

// TestRenewedCertificate: files that were renewed are used at the next connection, without a restart.
func TestRenewedCertificate(t *testing.T) {
	plant := modbustest.NewAuthority(t, "plant")
	good, _, _ := plant.Issue("localhost", -time.Hour, time.Hour)
	_, oldCert, oldKey := plant.Issue("old", -48*time.Hour, -24*time.Hour)
	_, cert, key := plant.Issue("new", -time.Hour, time.Hour)
	s := modbustest.NewTLS(t, plant.Server(good))
	config := quick
	config.TLS = &district.TLSFiles{CAFile: plant.File, CertFile: oldCert, KeyFile: oldKey}
	l := newLink(t, s.URL(), config)
	if err := check(t, l, 1, 5); !errors.Is(err, drivers.ErrConfiguration) {
		t.Fatal(err)
	}
	for from, to := range map[string]string{cert: oldCert, key: oldKey} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	recovers(t, l, 1)
}

// TestForeignServer: simonvetter/modbus's own server, behind TCP and TLS, is read and written.
func TestForeignServer(t *testing.T) {
	plant := modbustest.NewAuthority(t, "plant")
	device, _, _ := plant.Issue("localhost", -time.Hour, time.Hour)
	_, cert, key := plant.Issue("quartier", -time.Hour, time.Hour)
	for _, scheme := range []string{"tcp", "tcp+tls"} {
		t.Run(scheme, func(t *testing.T) {
			l0, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			at := l0.Addr().String()
			l0.Close()
			h := &foreignHandler{}
			conf := &mb.ServerConfiguration{URL: scheme + "://" + at, Timeout: time.Minute, TLSServerCert: &device, TLSClientCAs: plant.Server(device).ClientCAs}
			server, err := mb.NewServer(conf, h)
			if err != nil {
				t.Fatal(err)
			}
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			l := newLink(t, strings.Replace(scheme, "tcp+tls", "modbus+tls", 1)+"://"+at, Config{Timeout: 5 * time.Second,
				TLS: &district.TLSFiles{CAFile: plant.File, CertFile: cert, KeyFile: key}})
			if err := l.Write(t.Context(), 1, 16, 10, []uint16{1, 0xFFFF, 3}); err != nil {
				t.Fatal(err)
			}
			if err := l.Write(t.Context(), 1, 6, 13, []uint16{4}); err != nil {
				t.Fatal(err)
			}
			got, err := l.Read(t.Context(), 1, profile.Holding, 10, 4)
			if err != nil || fmt.Sprint(got) != "[1 65535 3 4]" {
				t.Errorf("Read = %v, %v", got, err)
			}
			if err := l.Write(t.Context(), 1, 15, 3, []uint16{1, 0, 1}); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Read(t.Context(), 1, profile.Coil, 3, 3); err != nil || fmt.Sprint(got) != "[1 0 1]" {
				t.Errorf("coils %v, %v", got, err)
			}
			if _, err := l.Read(t.Context(), 1, profile.Input, 0, 1); !errors.Is(err, drivers.ErrRejected) {
				t.Errorf("a table that it does not have: %v", err)
			}
		})
	}
}

// foreignHandler is a bank of the library's server.
type foreignHandler struct {
	registers [100]uint16
	coils     [100]bool
}

func (h *foreignHandler) HandleCoils(r *mb.CoilsRequest) ([]bool, error) {
	if r.IsWrite {
		copy(h.coils[r.Addr:], r.Args)
		return nil, nil
	}
	return h.coils[r.Addr : r.Addr+r.Quantity], nil
}

func (h *foreignHandler) HandleDiscreteInputs(*mb.DiscreteInputsRequest) ([]bool, error) {
	return nil, mb.ErrIllegalFunction
}

func (h *foreignHandler) HandleHoldingRegisters(r *mb.HoldingRegistersRequest) ([]uint16, error) {
	if r.IsWrite {
		copy(h.registers[r.Addr:], r.Args)
		return nil, nil
	}
	return h.registers[r.Addr : r.Addr+r.Quantity], nil
}

func (h *foreignHandler) HandleInputRegisters(*mb.InputRegistersRequest) ([]uint16, error) {
	return nil, mb.ErrIllegalFunction
}
