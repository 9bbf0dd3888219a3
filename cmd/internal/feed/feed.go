package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"quartier/schemas/timegrid"
)

// adoptEvery is how often the disk is asked for a document that somebody brought.
const adoptEvery = 5 * time.Second

// keepPast is how long values are kept after their time.
const keepPast = 48 * time.Hour

// Source is where a document is and how it is read.
type Source struct {
	Name   string                         // of the file that keeps the last document
	Place  string                         // what the documents are about, without a secret
	URL    func(now time.Time) string     // the address of the document that is wanted at an instant, with its token
	Secret string                         // the token, which is told to nobody else
	Types  []string                       // media types of documents
	Read   func([]byte) (Bulletin, error) // as [ReadOpenMeteo]
}

// Options of a feed. Zero values stand for their defaults.
type Options struct {
	Dir       string        // folder of the last documents; empty: none is kept
	Every     time.Duration // between two documents; default 30 min
	Timeout   time.Duration // of one document, from asking to its last byte; default 20 s
	RetryFrom time.Duration // wait after the first failure, doubled with each that follows; default 30 s
	RetryUpTo time.Duration // longest wait after a failure; default 1 h
	MaxBytes  int64         // of a document, unpacked; default 4 MiB
	Silent    time.Duration // age of the last answer from which the source counts as silent; default 6 h
	Stuck     time.Duration // age of the last news from which it counts as stuck, however well it answers; default 36 h
	Client    *http.Client  // nil: [NewClient]
	Now       func() time.Time
	Log       *slog.Logger
	// Published is called with each new document, also the one from the disk; nil: nobody is told.
	Published func(Bulletin)
}

// Feed fetches the documents of a source. Its methods may be called from several goroutines.
type Feed struct {
	src Source
	opt Options

	mu       sync.Mutex
	last     cached
	series   map[string]timegrid.Series
	status   Status
	failures int
	looked   time.Time // modification of the file that was looked at last
	unkept   bool      // the disk does not take documents
}

// Status is how a source is doing.
type Status struct {
	Tried    time.Time // last time that it was asked
	Answered time.Time // last time that it answered as it should, also before a restart
	Issued   time.Time // of the last document, as it says itself; zero: it does not say
	Renewed  time.Time // last time that a document said more or something else than those before, also before a restart
	Until    time.Time // end of what is published
	Next     time.Time // when it is asked again
	Failing  time.Time // first of the failures in a row; zero: the last answer was sound
	Failures int       // in a row
	Err      string    // of the last failure, without secrets; empty after a success
	Refused  int       // pieces of the last document that could not be taken
	Silent   bool      // for longer than it may
	Stuck    bool      // it answers, and has said nothing new for longer than it may
}

// New returns a feed that has the document of the disk, if there is one, and asks nobody before Run.
func New(src Source, opt Options) *Feed {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&opt.Every, 30*time.Minute)
	def(&opt.Timeout, 20*time.Second)
	def(&opt.RetryFrom, 30*time.Second)
	def(&opt.RetryUpTo, time.Hour)
	def(&opt.Silent, 6*time.Hour)
	def(&opt.Stuck, 36*time.Hour)
	if opt.MaxBytes <= 0 {
		opt.MaxBytes = 4 << 20
	}
	if opt.Client == nil {
		opt.Client = NewClient()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	f := &Feed{src: src, opt: opt, series: map[string]timegrid.Series{}}
	f.adopt()
	return f
}

// MaxBrought is how many bytes a document may have that somebody brought: more than one that is fetched, since a file may be of years.
const MaxBrought = 32 << 20

// Put leaves a document in a feed's folder as if it had been fetched at an instant: a file that somebody brought, of [MaxBrought] bytes at most. A running feed takes it up within seconds.
func Put(dir string, src Source, data []byte, now time.Time) error {
	if len(data) > MaxBrought {
		return fmt.Errorf("feed: a document of %d bytes for %s, want %d at most", len(data), src.Name, MaxBrought)
	}
	return cached{Place: src.Place, Fetched: now.UTC(), Body: data}.save(filepath.Join(dir, src.Name+".json"))
}

// adopt takes the document of the disk when it is newer than the one that is known.
func (f *Feed) adopt() (taken bool) {
	opt, src := f.opt, f.src
	if opt.Dir == "" {
		return false
	}
	info, err := os.Stat(f.file())
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && info.ModTime().Equal(f.looked) {
		return false
	}
	if err == nil {
		f.looked = info.ModTime()
	}
	c, err := load(f.file(), src.Place, max(opt.MaxBytes, MaxBrought))
	if err != nil {
		opt.Log.Warn("the kept document is left aside", "feed", src.Name, "err", err)
		return false
	}
	if len(c.Body) == 0 || !c.Fetched.After(f.last.Fetched) || c.Fetched.After(opt.Now().Add(time.Minute)) {
		return false
	}
	b, err := src.Read(c.Body)
	if err != nil {
		opt.Log.Warn("the kept document is left aside", "feed", src.Name, "err", src.hide(err.Error()))
		return false
	}
	f.last = c
	if f.take(b) {
		f.status.Renewed = c.Fetched
		if !c.Renewed.IsZero() && c.Renewed.Before(c.Fetched) {
			f.status.Renewed = c.Renewed
		}
		f.last.Renewed = f.status.Renewed
	}
	f.status.Answered = c.Fetched
	return true
}

func (f *Feed) file() string { return filepath.Join(f.opt.Dir, f.src.Name+".json") }

// Name returns the name of the source.
func (f *Feed) Name() string { return f.src.Name }

// Run asks the source until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	if b, ok := f.Latest(); ok && f.opt.Published != nil {
		f.opt.Published(b)
	}
	wait := time.Duration(0)
	if age := f.opt.Now().Sub(f.Status(f.opt.Now()).Answered); age >= 0 && age < f.opt.Every {
		wait = f.opt.Every - age
	}
	for {
		f.mu.Lock()
		f.status.Next = f.opt.Now().Add(wait)
		f.mu.Unlock()
		for until := time.Now().Add(wait); ; {
			t := time.NewTimer(min(adoptEvery, time.Until(until)))
			select {
			case <-ctx.Done():
				t.Stop()
				return
			case <-t.C:
			}
			if !time.Now().Before(until) {
				break
			}
			if f.adopt() && f.opt.Published != nil {
				if b, ok := f.Latest(); ok {
					f.opt.Published(b)
				}
			}
		}
		err := f.Fetch(ctx)
		if ctx.Err() != nil {
			return
		}
		wait = f.pause(err)
	}
}

// Latest returns everything that is known as one document; false when that is nothing.
func (f *Feed) Latest() (Bulletin, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	b := Bulletin{Issued: f.status.Issued, Series: map[string]timegrid.Series{}}
	for q, s := range f.series {
		b.Series[q] = s
	}
	return b, len(b.Series) > 0
}

// pause returns how long to wait after an attempt.
func (f *Feed) pause(err error) time.Duration {
	if err == nil {
		return spread(f.opt.Every, 0.9, 1.1)
	}
	f.mu.Lock()
	n := f.failures
	f.mu.Unlock()
	wait := f.opt.RetryUpTo
	var status *ErrStatus
	if !errors.As(err, &status) || !status.final() {
		wait = min(wait, f.opt.RetryFrom<<min(n-1, 20))
	}
	wait = spread(wait, 0.5, 1)
	if status != nil && status.RetryAfter > wait {
		wait = spread(status.RetryAfter, 1, 1.1)
	}
	return wait
}

// spread returns a time between two shares of d, so that not everybody asks at once.
func spread(d time.Duration, from, to float64) time.Duration {
	return time.Duration((from + (to-from)*rand.Float64()) * float64(d))
}

// Fetch asks the source once.
func (f *Feed) Fetch(ctx context.Context) error {
	now := f.opt.Now()
	address := f.src.URL(now)
	f.mu.Lock()
	f.status.Tried = now
	before := f.last
	f.mu.Unlock()
	if before.Address != digest(address) {
		before.ETag, before.Modified, before.Body = "", "", nil
	}
	ask, cancel := context.WithTimeoutCause(ctx, f.opt.Timeout, fmt.Errorf("no whole answer within %v", f.opt.Timeout))
	defer cancel()
	a, err := f.src.get(ask, f.opt.Client, address, before, f.opt.MaxBytes)
	if err != nil && ask.Err() != nil && ctx.Err() == nil {
		err = context.Cause(ask)
	}
	var b Bulletin
	if err == nil && !a.unchanged {
		b, err = f.src.Read(a.body)
		if err != nil {
			err = plain{f.src.hide(err.Error()), err}
		}
	}
	if errors.Is(err, ErrNothingPublished) {
		a, b, err = answer{unchanged: true}, Bulletin{}, nil // it answered
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f.mu.Lock()
	if err != nil {
		defer f.mu.Unlock()
		if f.failures++; f.failures == 1 {
			f.status.Failing = now
			f.opt.Log.Warn("feed does not answer as it should", "feed", f.src.Name, "err", err)
		}
		f.status.Err, f.status.Failures = err.Error(), f.failures
		return err
	}
	if f.failures > 0 {
		f.opt.Log.Info("feed answers again", "feed", f.src.Name, "failures", f.failures)
	}
	f.failures, f.status.Failures, f.status.Err, f.status.Failing, f.status.Answered = 0, 0, "", time.Time{}, now
	f.last.Fetched = now
	if !a.unchanged {
		f.last = cached{Place: f.src.Place, Address: digest(address), Fetched: now, ETag: a.etag, Modified: a.modified, Body: a.body}
		if f.take(b) {
			f.status.Renewed = now
		}
	}
	f.last.Renewed = f.status.Renewed
	keep := f.last
	f.mu.Unlock()
	for i, r := range b.Refused {
		if i == 3 {
			f.opt.Log.Warn("more of the document could not be taken", "feed", f.src.Name, "count", len(b.Refused)-i)
			break
		}
		f.opt.Log.Warn("a piece of the document could not be taken", "feed", f.src.Name, "row", r.Row, "err", f.src.hide(r.Reason.Error()))
	}
	f.keep(keep)
	if !a.unchanged && f.opt.Published != nil {
		f.opt.Published(b)
	}
	return nil
}

// keep writes the last document to the disk.
func (f *Feed) keep(c cached) {
	if f.opt.Dir == "" || len(c.Body) == 0 {
		return
	}
	err := c.save(f.file())
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil && !f.unkept {
		f.opt.Log.Warn("the document is not kept", "feed", f.src.Name, "err", err)
	}
	f.unkept = err != nil
}

// take puts the values of a document over those that are known and reports whether any is news; it is called under mu.
func (f *Feed) take(b Bulletin) (news bool) {
	cutoff := f.opt.Now().Add(-keepPast)
	for q, s := range b.Series {
		news = news || says(f.series[q], s, cutoff)
		f.series[q] = over(f.series[q], s, cutoff)
	}
	f.status.Issued, f.status.Refused, f.status.Until = b.Issued, len(b.Refused), time.Time{}
	for _, s := range f.series {
		if end := s.Span().End; len(s.Values) > 0 && end.After(f.status.Until) {
			f.status.Until = end
		}
	}
	return news
}

// says reports whether a series goes on for longer than one that is known, or says otherwise, of what ends after cutoff.
func says(known, s timegrid.Series, cutoff time.Time) bool {
	for i, v := range s.Values {
		slot := timegrid.Span{Start: s.Start.Add(time.Duration(i) * s.Step), End: s.Start.Add(time.Duration(i+1) * s.Step)}
		if math.IsNaN(v) || !slot.End.After(cutoff) || slot.Start.Before(known.Start) && len(known.Values) > 0 {
			continue
		}
		if was, ok := mean(known, slot); !ok || math.Abs(was-v) > 1e-9*math.Max(1, math.Abs(v)) {
			return true
		}
	}
	return false
}

// over puts a series over another, on the finer of their steps, and drops what is before cutoff.
func over(below, above timegrid.Series, cutoff time.Time) timegrid.Series {
	var blocks []block
	step := above.Step
	for _, s := range []timegrid.Series{below, above} {
		if len(s.Values) == 0 {
			continue
		}
		step = min(step, s.Step)
		for i, v := range s.Values {
			at := s.Start.Add(time.Duration(i) * s.Step)
			if end := at.Add(s.Step); !math.IsNaN(v) && end.After(cutoff) {
				blocks = append(blocks, block{timegrid.Span{Start: at, End: end}, v, 0})
			}
		}
	}
	return lay(blocks, step)
}

// Value returns the mean of what is published of a quantity in a slot; false where it is not published throughout.
func (f *Feed) Value(quantity string, slot timegrid.Span) (float64, bool) {
	f.mu.Lock()
	s := f.series[quantity]
	f.mu.Unlock()
	return mean(s, slot)
}

// Status returns how the source is doing at an instant.
func (f *Feed) Status(now time.Time) Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.status
	since := s.Answered
	if since.IsZero() {
		since = s.Failing
	}
	s.Silent = !since.IsZero() && now.Sub(since) > f.opt.Silent
	s.Stuck = !s.Silent && !s.Renewed.IsZero() && now.Sub(s.Renewed) > f.opt.Stuck
	return s
}
