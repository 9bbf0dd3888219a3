package sqlite

import (
	"context"
	"errors"
	"fmt"
)

// groupRows is how many rows one shared transaction writes at most, so that those who wait for it wait for a few hundredths of a second. A larger
// write has a transaction to itself.
const groupRows = 5000

// alone is the size of a write that shares its transaction with no other.
const alone = groupRows

// job is one write that waits for a transaction, or is in one.
type job struct {
	ctx  context.Context
	op   string
	rows int // at least 1
	f    func(ctx context.Context) (committed func(), err error)

	overtaken bool // smaller writes went before it once: it is next

	committed func()
	err       error
	panicked  any
	done      chan struct{} // closed when the fields above stay as they are
}

var errClosed = errors.New("the store is closed")

// write runs f in a transaction and makes what it wrote durable. It waits for its turn, but not beyond ctx; once f has begun, only f itself watches ctx, and
// it is undone when ctx has ended with it. What f must do after the commit it returns.
//
// While a transaction is under way, calls queue. When it ends, one of those who wait commits the first of them together, up to [groupRows] rows as the
// callers estimate theirs, each behind a savepoint: a call that fails is undone alone. What devices measured waits for one large write of those that queue
// (packs, accounts, history) and not for all of them: small writes go before large ones, each of which is overtaken once. When the transaction itself fails, each is tried in one of its own, so f
// may run twice, and never in two places at once. Who finds nobody waits for nobody.
func (s *Store) write(ctx context.Context, op string, rows int, f func(ctx context.Context) (committed func(), err error)) error {
	if err := ctx.Err(); err != nil {
		return s.fail(op, err)
	}
	if s.closed.Load() {
		return s.fail(op, errClosed)
	}
	j := &job{ctx: ctx, op: op, rows: max(rows, 1), f: f, done: make(chan struct{})}
	s.queueMu.Lock()
	s.queue = append(s.queue, j)
	s.queueMu.Unlock()
	for {
		var ended error
		select {
		case <-j.done:
			return j.result(s)
		case <-s.writing:
			s.lead()
			continue // j was among them, or waits for more
		case <-ctx.Done():
			ended = ctx.Err()
		case <-s.ended:
			ended = errClosed
		}
		if s.leave(j) {
			return s.fail(op, ended)
		}
		<-j.done // it is being written: its end is near
		return j.result(s)
	}
}

// result returns the error of a job that is done, on the goroutine of its caller, where a panic of it belongs as well.
func (j *job) result(s *Store) error {
	if j.panicked != nil {
		panic(j.panicked)
	}
	return s.fail(j.op, j.err)
}

// lead commits the first of those who wait and hands the right to write on.
func (s *Store) lead() {
	defer func() { s.writing <- struct{}{} }()
	s.commit(s.next())
}

// next takes the writes of the next transaction from the queue: at least one when any waits.
func (s *Store) next() []*job {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if len(s.queue) == 0 {
		return nil
	}
	var out []*job
	rest := s.queue[:0:0]
	rows, full := 0, s.queue[0].overtaken
	for _, j := range s.queue {
		full = full || j.rows < alone && rows+j.rows > groupRows
		if full || j.rows >= alone {
			rest = append(rest, j)
			continue
		}
		rows += j.rows
		out = append(out, j)
	}
	if len(out) == 0 { // large ones alone wait, or the first was overtaken
		out, rest = s.queue[:1:1], s.queue[1:]
	} else if len(rest) > 0 && rest[0].rows >= alone {
		rest[0].overtaken = true
	}
	s.queue = append([]*job(nil), rest...) // what is done is not held
	return out
}

// leave takes a write out of the queue; false when it is there no more.
func (s *Store) leave(j *job) bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	for i, q := range s.queue {
		if q == j {
			s.queue = append(s.queue[:i], s.queue[i+1:]...)
			return true
		}
	}
	return false
}

// commit writes jobs in one transaction, or one after the other when that fails, and ends all of them. The caller has the right to write.
func (s *Store) commit(jobs []*job) {
	err := s.transaction(jobs)
	for i, j := range jobs {
		switch {
		case err == nil:
		case len(jobs) == 1 || errors.Is(err, errNotBegun): // then nobody else may write either: who waits for a file that is held, waits once
			j.err = err
		default:
			one := s.transaction(jobs[i : i+1])
			if j.err = one; errors.Is(one, errNotBegun) {
				err = one
			}
		}
		if j.err == nil && j.committed != nil {
			j.committed()
		}
		close(j.done)
	}
}

// errNotBegun is matched by the error of a transaction that did not begin.
var errNotBegun = errors.New("no transaction")

// notBegun is the cause why a transaction did not begin, in the words of the cause alone.
type notBegun struct{ error }

func (e notBegun) Unwrap() error        { return e.error }
func (e notBegun) Is(target error) bool { return target == errNotBegun }

// transaction writes jobs and commits those that had no error of their own, which is in the job. Its error is that of all: nothing was written. Of several
// jobs, one that fails takes none of the others with it; the error of a single one is the transaction's.
func (s *Store) transaction(jobs []*job) (err error) {
	if len(jobs) == 0 {
		return nil
	}
	// a statement is never interrupted half-way: SQLite would end the whole transaction, and the next statement would write alone
	whole := context.Background()
	if _, err := s.begin.exec(); err != nil {
		return notBegun{err}
	}
	defer func() {
		if err != nil {
			_, _ = s.rollback.exec() // an error means that SQLite has done it already
		}
	}()
	if s.stale {
		if _, err := s.conn.ExecContext(whole, "delete from meta where key='outbox'"); err != nil {
			return err
		}
	}
	for _, j := range jobs {
		j.committed, j.err, j.panicked = nil, nil, nil
		if len(jobs) == 1 {
			if j.run(); j.err != nil {
				return j.err
			}
			continue
		}
		if _, err := s.savepoint.exec(); err != nil {
			return err
		}
		if j.run(); j.err != nil {
			// where the disk refuses, SQLite may have ended the transaction, and this fails
			if _, err := s.undo.exec(); err != nil {
				return err
			}
		}
		if _, err := s.releases.exec(); err != nil {
			return err
		}
	}
	if _, err := s.commits.exec(); err != nil {
		return err
	}
	s.stale = false
	return nil
}

// run runs the write unless its context has ended; when it ends meanwhile, that is its error.
func (j *job) run() {
	defer func() {
		if p := recover(); p != nil {
			j.panicked, j.err = p, fmt.Errorf("panic: %v", p)
		}
	}()
	if j.err = j.ctx.Err(); j.err != nil {
		return
	}
	if j.committed, j.err = j.f(context.WithoutCancel(j.ctx)); j.err == nil {
		j.err = j.ctx.Err()
	}
}
