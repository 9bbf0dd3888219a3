package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const (
	mailTime  = time.Minute // that sending one mail may take
	mailMost  = 500         // notices of one mail
	mailLines = 100         // of them that are written out
)

// Mail is how alarms are mailed to one recipient.
type Mail struct {
	Server         string // host:port
	Mode           string // starttls, implicit or none
	TLS            *tls.Config
	User, Password string
	From, To       string
	Language       string // fr or en
	Least          string
	Rhythm         Rhythm
	Words          func(language, key string) string      // the text of an alarm
	Zone           func(districtID string) *time.Location // of times in the text
	Page           string                                 // address of the console, for a line at the end; empty: none
}

// deliver sends one mail.
func (m Mail) deliver(ctx context.Context, notices []Notice, dropped int) outcome {
	ctx, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	msg, err := m.message(notices, dropped, time.Now())
	if err != nil {
		return outcome{err: err, final: true}
	}
	var line connection
	defer line.close()
	client, err := m.client(&line)
	if err != nil {
		return outcome{err: err}
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if err == nil {
		return outcome{}
	}
	var refused *gomail.SendError
	if errors.As(err, &refused) && msg.IsDelivered() {
		return outcome{} // it was taken, and saying good-bye failed
	}
	text := err.Error()
	if m.Password != "" {
		text = strings.ReplaceAll(text, m.Password, "…")
	}
	return outcome{err: fmt.Errorf("mail to %s by %s: %s", m.To, m.Server, text)}
}

// connection is the connection to a mail server. The library leaves one open that it could not sign in on.
type connection struct {
	mu  sync.Mutex
	raw net.Conn
}

// dial connects, and speaks TLS at once where secure is given.
func (l *connection) dial(ctx context.Context, network, address string, secure *tls.Config) (net.Conn, error) {
	raw, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.raw = raw
	l.mu.Unlock()
	if secure == nil {
		return raw, nil
	}
	c := tls.Client(raw, secure)
	return c, c.HandshakeContext(ctx)
}

func (l *connection) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.raw != nil {
		l.raw.Close()
	}
}

func (m Mail) client(via *connection) (*gomail.Client, error) {
	host, portText, err := net.SplitHostPort(m.Server)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w", m.Server, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("mail server %q: %w", m.Server, err)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if m.TLS != nil {
		secure = m.TLS.Clone()
	}
	secure.ServerName = host
	opts := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(mailTime / 2), gomail.WithTLSConfig(secure)}
	auth := gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin)
	var atOnce *tls.Config
	switch m.Mode {
	case "implicit":
		opts = append(opts, gomail.WithSSL())
		atOnce = secure
	case "none":
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
		auth = gomail.WithSMTPAuth(gomail.SMTPAuthPlainNoEnc)
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	opts = append(opts, gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		return via.dial(ctx, network, address, atOnce)
	}))
	if m.User != "" {
		opts = append(opts, auth, gomail.WithUsername(m.User), gomail.WithPassword(m.Password))
	}
	return gomail.NewClient(host, opts...)
}

// message writes a mail about notices.
func (m Mail) message(notices []Notice, dropped int, now time.Time) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	if err := msg.FromFormat("Quartier", m.From); err != nil {
		return nil, fmt.Errorf("mail from %q: %w", m.From, err)
	}
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("mail to %q: %w", m.To, err)
	}
	subject, text := m.text(notices, dropped)
	msg.Subject(subject)
	msg.SetDateWithValue(now)
	sum := sha256.New()
	for _, n := range notices {
		sum.Write([]byte(n.ID))
	}
	_, domain, _ := strings.Cut(m.From, "@")
	msg.SetMessageIDWithValue(hex.EncodeToString(sum.Sum(nil)[:12]) + "@" + domain) // the same when it is sent again
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetBodyString(gomail.TypeTextPlain, text)
	return msg, nil
}

// text writes the subject and the body: what is wrong first, errors before warnings, then what is over.
func (m Mail) text(notices []Notice, dropped int) (subject, body string) {
	w := mailWords[m.Language]
	if w.over == "" {
		w = mailWords["en"]
	}
	var bad, over []Notice
	names := map[string]bool{}
	var districts []string
	for _, n := range notices {
		if !names[n.Name] {
			names[n.Name] = true
			districts = append(districts, n.Name)
		}
		if n.Event == "cleared" {
			over = append(over, n)
		} else {
			bad = append(bad, n)
		}
	}
	slices.SortStableFunc(bad, func(x, y Notice) int { return strings.Compare(x.Severity, y.Severity) })
	var parts []string
	if len(bad) == 1 {
		parts = append(parts, m.Words(m.Language, bad[0].Key)+" ("+bad[0].ObjectName+")")
	} else if len(bad) > 1 {
		parts = append(parts, fmt.Sprintf(w.alarms, len(bad)))
	}
	if len(over) > 0 {
		if len(over) == 1 && len(bad) == 0 {
			parts = append(parts, w.over+w.colon+m.Words(m.Language, over[0].Key)+" ("+over[0].ObjectName+")")
		} else {
			parts = append(parts, fmt.Sprintf(w.overs, len(over)))
		}
	}
	subject = "[" + strings.Join(districts, ", ") + "] " + strings.Join(parts, ", ")
	var b strings.Builder
	lines := 0
	write := func(title string, list []Notice) {
		if len(list) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s\n\n", title)
		for i, n := range list {
			if lines++; lines > mailLines {
				fmt.Fprintf(&b, w.more+"\n\n", len(list)-i)
				return
			}
			at := n.Time
			if z := m.Zone(n.District); z != nil {
				at = at.In(z)
			}
			severity := w.severity[n.Severity]
			if n.Event == "cleared" {
				severity = w.over
			}
			place := n.Name
			if n.ObjectName != n.Name { // of a whole district
				place += w.at + n.ObjectName
			}
			fmt.Fprintf(&b, "%s  %s%s%s\n    %s\n", at.Format("2006-01-02 15:04 MST"), severity, w.colon, m.Words(m.Language, n.Key), place)
			if n.Detail != "" && n.Event != "cleared" {
				fmt.Fprintf(&b, "    %s\n", line(n.Detail))
			}
			if n.Unsteady {
				fmt.Fprintf(&b, "    %s\n", w.unsteady)
			}
			b.WriteString("\n")
		}
	}
	write(w.now, bad)
	write(w.past, over)
	if dropped > 0 {
		fmt.Fprintf(&b, w.dropped+"\n\n", dropped)
	}
	if m.Page != "" {
		fmt.Fprintf(&b, "%s\n", m.Page)
	}
	return subject, b.String()
}

// line brings a text of others onto one line of bounded length.
func line(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 400 {
		return string(r[:400]) + "…"
	}
	return text
}

// wording is the text of a mail in one language.
type wording struct {
	alarms, overs, now, past, over, at, colon, more, unsteady, dropped string
	severity                                                           map[string]string
}

var mailWords = map[string]wording{
	"en": {alarms: "%d alarms", overs: "%d over", now: "RAISED", past: "OVER", over: "over", at: ", ", colon: ": ", more: "and %d more: see the console", unsteady: "It comes and goes; it counts as over after half an hour without it.",
		dropped: "%d earlier alarms could not be told.", severity: map[string]string{"error": "Error", "warning": "Warning"}},
	"fr": {alarms: "%d alarmes", overs: "alarmes terminées\u00a0: %d", now: "DÉCLENCHÉES", past: "TERMINÉES", over: "terminée", at: ", ", colon: "\u00a0: ", more: "et %d de plus : voir la console", unsteady: "Elle va et vient ; elle est considérée comme terminée après une demi-heure sans elle.",
		dropped: "%d alarmes précédentes n’ont pas pu être annoncées.", severity: map[string]string{"error": "Défaut", "warning": "Avertissement"}},
}
