package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/url"
	"path/filepath"
	"sync"
	"time"
)

// Notifier tells everybody who is to be told. Its methods may be called from several goroutines.
type Notifier struct {
	dir      string
	log      *slog.Logger
	channels []*channel

	mu   sync.Mutex
	news []Notice // that no queue has yet
	wake chan struct{}
}

// NewNotifier returns a notifier whose queues are files of a folder. It tells nobody before Run.
func NewNotifier(dir string, log *slog.Logger) *Notifier {
	return &Notifier{dir: dir, log: log, wake: make(chan struct{}, 1)}
}

// AddMail tells somebody by mail.
func (n *Notifier) AddMail(m Mail) {
	m.Rhythm.Most = mailMost
	n.add("mail", m.To, m.Least, m.Rhythm, m.deliver)
}

// AddWebhook tells a web service.
func (n *Notifier) AddWebhook(w Webhook) {
	if w.Client == nil {
		w.Client = newWebClient()
	}
	w.Rhythm.Most = 1
	to := w.URL
	if u, err := url.Parse(w.URL); err == nil {
		to = u.Scheme + "://" + u.Host // what follows may be a secret
	}
	n.addAs("webhook", w.URL, to, w.Least, w.Rhythm, w.deliver)
}

func (n *Notifier) add(kind, to, least string, r Rhythm, deliver func(context.Context, []Notice, int) outcome) {
	n.addAs(kind, to, to, least, r, deliver)
}

func (n *Notifier) addAs(kind, id, to, least string, r Rhythm, deliver func(context.Context, []Notice, int) outcome) {
	sum := sha256.Sum256([]byte(id))
	file := filepath.Join(n.dir, kind+"-"+hex.EncodeToString(sum[:8])+".json")
	n.channels = append(n.channels, &channel{to: to, least: least, rhythm: r.withDefaults(), queue: openQueue(file, to, n.log), log: n.log, deliver: deliver})
}

// Tell gives notices to everybody who wants them. It waits for nothing, also not for the disk.
func (n *Notifier) Tell(notices []Notice) {
	if len(notices) == 0 || len(n.channels) == 0 {
		return
	}
	n.mu.Lock()
	n.news = append(n.news, notices...)
	n.news = n.news[max(0, len(n.news)-maxWaiting):]
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// sort puts what is new into the queues.
func (n *Notifier) sort() {
	n.mu.Lock()
	news := n.news
	n.news = nil
	n.mu.Unlock()
	now := time.Now().UTC()
	for _, c := range n.channels {
		var wanted []Notice
		for _, one := range news {
			if c.wants(one) {
				wanted = append(wanted, one)
			}
		}
		if len(wanted) > 0 {
			c.queue.push(wanted, now)
		}
	}
}

// Run tells until ctx ends; what is not told by then waits in the files.
func (n *Notifier) Run(ctx context.Context) {
	var all sync.WaitGroup
	for _, c := range n.channels {
		all.Go(func() { c.run(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			n.sort()
			all.Wait()
			return
		case <-n.wake:
			n.sort()
		}
	}
}

// Status returns how telling each recipient goes.
func (n *Notifier) Status() []Status {
	out := make([]Status, 0, len(n.channels))
	for _, c := range n.channels {
		out = append(out, c.queue.state())
	}
	return out
}
