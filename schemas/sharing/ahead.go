package sharing

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"
)

// Nearly all of a file's time goes into the numbers of long arrays. An array in which no text, array or object begins ends at its first bracket, wherever its faults are; so its bytes can be handed to another
// goroutine, which reads them just as the document's own would, while that goes on behind them. What it found is put in its place when the document is over: values, faults in the order of the document, and the
// first byte that is no JSON, behind which nothing counts.

const (
	leastAhead = 1 << 12 // an array of fewer bytes is read at once
	mostAhead  = 1 << 24 // an array of more bytes is read as it comes, so that memory is bounded
)

// ahead are the arrays that are read beside the document.
type ahead struct {
	least int                // bytes from which on an array is; 0: none is
	slots chan struct{}      // goroutines at once
	spare chan *bytes.Buffer // for their bytes
	wg    sync.WaitGroup
	jobs  []*job
}

// job is one array.
type job struct {
	sub    *decoder // that reads it, with its faults
	before int      // faults of the document before it
	err    error
	settle func()
}

func newAhead(least int) *ahead {
	n := runtime.GOMAXPROCS(0)
	return &ahead{least: least, slots: make(chan struct{}, 2*n), spare: make(chan *bytes.Buffer, 2*n)}
}

// plainArray returns the bytes of the array that begins at the next one, where it can be read apart.
func (s *scanner) plainArray() ([]byte, bool) {
	for searched, empty := 0, 0; ; {
		if i := bytes.IndexByte(s.buf[s.at+searched:s.end], ']'); i >= 0 {
			text := s.buf[s.at : s.at+searched+i+1]
			inside := text[1:]
			return text, bytes.IndexByte(inside, '"') < 0 && bytes.IndexByte(inside, '[') < 0 && bytes.IndexByte(inside, '{') < 0
		}
		searched = s.end - s.at
		if s.err != nil || searched > mostAhead {
			return nil, false
		}
		if s.at > 0 {
			copy(s.buf, s.buf[s.at:s.end])
			s.before += int64(s.at)
			s.at, s.end = 0, searched
		}
		if s.end == len(s.buf) {
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
		n, err := s.in.Read(s.buf[s.end:])
		s.end, s.err = s.end+n, err
		if empty++; n > 0 {
			empty = 0
		} else if empty == 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
}

// apart has the array that comes next read by another goroutine, by read, and settle called when the document is over. It reports whether it does.
func (d *decoder) apart(read func(sub *decoder) error, settle func()) bool {
	a := d.ahead
	if a == nil || a.least == 0 || d.next() != '[' {
		return false
	}
	text, ok := d.plainArray()
	if !ok || len(text) < a.least {
		return false
	}
	var kept *bytes.Buffer
	select {
	case kept = <-a.spare:
		kept.Reset()
	default:
		kept = &bytes.Buffer{}
	}
	kept.Write(text)
	sub := &decoder{scanner: &scanner{in: bytes.NewReader(nil), buf: kept.Bytes(), end: kept.Len(), before: d.before + int64(d.at), err: io.EOF}, length: bytes.Count(text, []byte{','}) + 1}
	j := &job{sub: sub, before: len(d.faults.List) + d.faults.More, settle: settle}
	a.jobs = append(a.jobs, j)
	d.at += len(text)
	a.slots <- struct{}{}
	a.wg.Go(func() {
		j.err = read(sub)
		sub.buf = nil
		select {
		case a.spare <- kept:
		default:
		}
		<-a.slots
	})
	return true
}

// together waits for the arrays that were read apart and puts what they hold and their faults where they belong; err is that of the document. It returns the first error of all.
func (d *decoder) together(err error) error {
	a := d.ahead
	if a == nil || len(a.jobs) == 0 {
		return err
	}
	a.wg.Wait()
	own, taken := d.faults, 0
	d.faults = Faults{}
	take := func(until int) {
		for ; taken < min(until, len(own.List)); taken++ {
			d.faults.add(own.List[taken].Place, "%s", own.List[taken].Reason)
		}
		for ; taken < until; taken++ {
			d.faults.More++
		}
	}
	for _, j := range a.jobs {
		take(j.before)
		for _, f := range j.sub.faults.List {
			d.faults.add(f.Place, "%s", f.Reason)
		}
		d.faults.More += j.sub.faults.More
		j.settle()
		d.length = max(d.length, j.sub.read)
		var bad syntaxError
		if errors.As(j.err, &bad) {
			return j.err // the document ended there
		}
	}
	take(len(own.List) + own.More)
	return err
}
