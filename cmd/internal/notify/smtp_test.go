package notify

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// mailServer is a small server of RFC 5321 on loopback that keeps what it takes.
type mailServer struct {
	t        *testing.T
	addr     string
	tls      *tls.Config
	implicit bool
	starttls bool // whether it is offered
	password string

	mu      sync.Mutex
	mails   []string
	logins  []string
	clear   int                         // sign-ins without encryption
	answer  func(command string) string // in place of the usual answer; empty: the usual one
	hangUps int                         // connections that it ends after the mail, before its answer
}

func newMailServer(t *testing.T, secure *tls.Config, set func(*mailServer)) *mailServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &mailServer{t: t, addr: l.Addr().String(), tls: secure, starttls: secure != nil, password: "s3cret"}
	if set != nil {
		set(s)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.SetDeadline(time.Now().Add(time.Minute))
			all.Go(func() {
				defer c.Close()
				if s.implicit {
					c = tls.Server(c, s.tls)
				}
				s.serve(c, s.implicit)
			})
		}
	})
	t.Cleanup(func() { l.Close(); all.Wait() })
	return s
}

func (s *mailServer) taken() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.mails...)
}

func (s *mailServer) serve(c net.Conn, encrypted bool) {
	r := bufio.NewReader(c)
	say := func(text string) { fmt.Fprintf(c, "%s\r\n", text) }
	read := func() (string, bool) {
		line, err := r.ReadString('\n')
		return strings.TrimRight(line, "\r\n"), err == nil
	}
	say("220 mail.example ESMTP")
	for {
		line, ok := read()
		if !ok {
			return
		}
		verb := strings.ToUpper(strings.Fields(line + " x")[0])
		s.mu.Lock()
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			if text := answer(line); text != "" {
				say(text)
				continue
			}
		}
		switch verb {
		case "EHLO", "HELO":
			lines := []string{"mail.example", "8BITMIME", "SMTPUTF8", "PIPELINING"}
			if s.starttls && !encrypted {
				lines = append(lines, "STARTTLS")
			}
			if encrypted || s.tls == nil {
				lines = append(lines, "AUTH PLAIN LOGIN")
			}
			for i, l := range lines {
				if i < len(lines)-1 {
					say("250-" + l)
				} else {
					say("250 " + l)
				}
			}
		case "STARTTLS":
			say("220 go ahead")
			secure := tls.Server(c, s.tls)
			s.serveAfter(secure)
			return
		case "AUTH":
			fields := strings.Fields(line)
			user, password := "", ""
			if len(fields) == 3 && fields[1] == "PLAIN" {
				raw, _ := base64.StdEncoding.DecodeString(fields[2])
				if p := strings.Split(string(raw), "\x00"); len(p) == 3 {
					user, password = p[1], p[2]
				}
			}
			s.mu.Lock()
			s.logins = append(s.logins, user)
			if !encrypted {
				s.clear++
			}
			s.mu.Unlock()
			if password != s.password {
				say("535 5.7.8 no")
				continue
			}
			say("235 2.7.0 yes")
		case "DATA":
			say("354 go on")
			var b strings.Builder
			for {
				l, ok := read()
				if !ok {
					return
				}
				if l == "." {
					break
				}
				b.WriteString(strings.TrimPrefix(l, ".") + "\r\n")
			}
			s.mu.Lock()
			hang := s.hangUps > 0
			if hang {
				s.hangUps--
			} else {
				s.mails = append(s.mails, b.String())
			}
			s.mu.Unlock()
			if hang {
				return
			}
			say("250 2.0.0 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 2.0.0 ok")
		}
	}
}

// serveAfter goes on under encryption, without a greeting.
func (s *mailServer) serveAfter(c net.Conn) {
	s.serve(silent{Conn: c, skip: new(bool)}, true)
}

// silent swallows the first line that is written: the greeting is not said twice.
type silent struct {
	net.Conn
	skip *bool
}

func (s silent) Write(p []byte) (int, error) {
	if !*s.skip {
		*s.skip = true
		return len(p), nil
	}
	return s.Conn.Write(p)
}
