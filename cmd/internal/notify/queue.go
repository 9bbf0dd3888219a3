package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// maxWaiting bounds what waits for one recipient; the oldest go first, and how many is told.
const maxWaiting = 1000

// queue is what waits to be told to somebody, in a file.
type queue struct {
	file string
	log  *slog.Logger
	wake chan struct{}

	mu     sync.Mutex
	kept   kept
	status Status
	unkept bool
}

// kept is the content of the file.
type kept struct {
	Told    time.Time `json:"told"`    // last delivery
	Dropped int       `json:"dropped"` // since the last delivery
	Waiting []waiting `json:"waiting"`
}

type waiting struct {
	Since  time.Time `json:"since"`
	Notice Notice    `json:"notice"`
}

// openQueue reads the file of a queue; one that cannot be read is left aside with a warning, and what waits is lost.
func openQueue(file, to string, log *slog.Logger) *queue {
	q := &queue{file: file, log: log, wake: make(chan struct{}, 1), status: Status{To: to}}
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, &q.kept)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		log.Warn("alarms that waited to be told are lost", "to", to, "err", err)
		q.kept = kept{}
	}
	q.status.Told = q.kept.Told
	return q
}

// push adds notices; one that waits already is not added again.
func (q *queue) push(notices []Notice, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	here := map[string]bool{}
	for _, w := range q.kept.Waiting {
		here[w.Notice.ID] = true
	}
	for _, n := range notices {
		if !here[n.ID] {
			here[n.ID] = true
			q.kept.Waiting = append(q.kept.Waiting, waiting{now, n})
		}
	}
	if over := len(q.kept.Waiting) - maxWaiting; over > 0 {
		q.kept.Waiting = slices.Delete(q.kept.Waiting, 0, over)
		q.kept.Dropped += over
		q.status.Dropped += over
	}
	q.save()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// oldest returns since when the oldest notice waits, zero without one, and when something was told last.
func (q *queue) oldest() (since, told time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.kept.Waiting) > 0 {
		since = q.kept.Waiting[0].Since
	}
	return since, q.kept.Told
}

// peek returns the oldest notices, at most n, and how many were dropped since the last delivery.
func (q *queue) peek(n int) ([]Notice, int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]Notice, 0, min(n, len(q.kept.Waiting)))
	for _, w := range q.kept.Waiting[:min(n, len(q.kept.Waiting))] {
		out = append(out, w.Notice)
	}
	return out, q.kept.Dropped
}

// done removes notices that were told, with the number of those that were dropped.
func (q *queue) done(told []Notice, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.remove(told)
	q.kept.Told, q.kept.Dropped = time.Now().UTC(), max(0, q.kept.Dropped-dropped)
	q.status.Told, q.status.Failures, q.status.Err = q.kept.Told, 0, ""
	q.save()
}

// refused removes notices that will never be taken.
func (q *queue) refused(notices []Notice, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.remove(notices)
	q.kept.Dropped += n
	q.status.Dropped += n
	q.status.Failures, q.status.Err = 1, err.Error()
	q.save()
}

// drop removes what has waited for too long.
func (q *queue) drop(age time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	before := len(q.kept.Waiting)
	q.kept.Waiting = slices.DeleteFunc(q.kept.Waiting, func(w waiting) bool { return time.Since(w.Since) > age })
	if n := before - len(q.kept.Waiting); n > 0 {
		q.kept.Dropped += n
		q.status.Dropped += n
		q.log.Error("alarms were not told in time", "to", q.status.To, "count", n)
		q.save()
	}
}

func (q *queue) failed(failures int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.status.Failures, q.status.Err = failures, err.Error()
}

// remove takes notices away and returns how many were still there; it is called under mu.
func (q *queue) remove(notices []Notice) int {
	gone := map[string]bool{}
	for _, n := range notices {
		gone[n.ID] = true
	}
	before := len(q.kept.Waiting)
	q.kept.Waiting = slices.DeleteFunc(q.kept.Waiting, func(w waiting) bool { return gone[w.Notice.ID] })
	return before - len(q.kept.Waiting)
}

// state returns how telling goes.
func (q *queue) state() Status {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.status
	s.Waiting = len(q.kept.Waiting)
	return s
}

// save writes the file so that after a crash the old or the new one is there; it is called under mu. A disk that takes nothing costs the memory over a restart and nothing else.
func (q *queue) save() {
	err := q.write()
	if err != nil && !q.unkept {
		q.log.Warn("alarms that wait to be told are in memory alone", "to", q.status.To, "err", err)
	}
	q.unkept = err != nil
}

func (q *queue) write() error {
	data, err := json.Marshal(q.kept)
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(q.file), 0o750); err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(q.file), "notify.*.tmp")
	if err != nil {
		return fmt.Errorf("notify: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), q.file)
	}
	if err != nil {
		return fmt.Errorf("notify: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
