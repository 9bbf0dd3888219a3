package sharing

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// scanner reads JSON from a stream byte by byte, without keeping it: files of an operation's year have tens of millions of numbers.
type scanner struct {
	in      io.Reader
	buf     []byte
	at, end int
	before  int64 // bytes that were read before buf
	err     error // of reading, with io.EOF at the end
	token   []byte
}

// scanBuffer is how much is read at once.
const scanBuffer = 1 << 18

// maxText is the longest name, in bytes.
const maxText = 1000

// maxDepth bounds values that are skipped.
const maxDepth = 100

func newScanner(in io.Reader) *scanner { return &scanner{in: in, buf: make([]byte, scanBuffer)} }

// syntaxError is a document that is no JSON: nothing behind its place can be read.
type syntaxError struct{ text string }

func (e syntaxError) Error() string { return e.text }

func (s *scanner) fail(format string, args ...any) error {
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return s.err
	}
	return syntaxError{fmt.Sprintf("byte %d: ", s.before+int64(s.at)) + fmt.Sprintf(format, args...)}
}

// more reads on; false at the end.
func (s *scanner) more() bool {
	if s.err != nil {
		return false
	}
	s.before += int64(s.end)
	s.at, s.end = 0, 0
	for empty := 0; s.end == 0 && s.err == nil; empty++ {
		if empty == 100 {
			s.err = io.ErrNoProgress
			break
		}
		s.end, s.err = s.in.Read(s.buf)
	}
	return s.end > 0
}

// peek returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	if s.at == s.end && !s.more() {
		return 0
	}
	return s.buf[s.at]
}

// next skips white space and returns the byte behind it without taking it, 0 at the end.
func (s *scanner) next() byte {
	for {
		for s.at < s.end {
			c := s.buf[s.at]
			if c != ' ' && c != '\n' && c != '\r' && c != '\t' {
				return c
			}
			s.at++
		}
		if !s.more() {
			return 0
		}
	}
}

// take takes the next byte behind white space, which must be c.
func (s *scanner) take(c byte) error {
	got := s.next()
	if got != c || s.at == s.end {
		return s.fail("%s, want %q", shown(got), c)
	}
	s.at++
	return nil
}

func shown(c byte) string {
	if c == 0 {
		return "the end"
	}
	return fmt.Sprintf("%q", c)
}

// word takes bytes up to a comma, a bracket, a colon or white space: a number, null, true, false or what is none of these. It is valid until the next one.
func (s *scanner) word() ([]byte, error) {
	s.next()
	start := s.at
	for i := start; i < s.end; i++ { // nearly always within the buffer
		if delimits(s.buf[i]) {
			s.at = i
			return s.buf[start:i], nil
		}
	}
	s.token = s.token[:0]
	for c := s.peek(); s.at < s.end && !delimits(c); c = s.peek() { // a byte 0 is no end
		if len(s.token) == maxNumber {
			return nil, s.fail("a number or word longer than %d bytes", maxNumber)
		}
		s.token = append(s.token, c)
		s.at++
	}
	return s.token, nil
}

func delimits(c byte) bool {
	switch c {
	case ',', ']', '}', '[', '{', ':', '"', ' ', '\n', '\r', '\t':
		return true
	}
	return false
}

// text takes a string.
func (s *scanner) text() (string, error) {
	if err := s.take('"'); err != nil {
		return "", err
	}
	s.token = append(s.token[:0], '"')
	for escaped := false; ; {
		c := s.peek()
		switch {
		case s.at == s.end:
			return "", s.fail("the end within a text")
		case len(s.token) > maxText:
			return "", s.fail("a text longer than %d bytes", maxText)
		}
		s.at++
		s.token = append(s.token, c)
		if escaped {
			escaped = false
		} else if c == '\\' {
			escaped = true
		} else if c == '"' {
			break
		}
	}
	var out string
	if err := json.Unmarshal(s.token, &out); err != nil {
		return "", s.fail("text %.60s: %v", s.token, err)
	}
	return out, nil
}

// object takes an object and calls member for each name, which must take the value.
func (s *scanner) object(member func(name string) error) error {
	if err := s.take('{'); err != nil {
		return err
	}
	if s.next() == '}' {
		s.at++
		return nil
	}
	for {
		name, err := s.text()
		if err != nil {
			return err
		}
		if err := s.take(':'); err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
		if s.next() == '}' {
			s.at++
			return nil
		}
		if err := s.take(','); err != nil {
			return err
		}
	}
}

// array takes an array and calls element for each index, which must take the value.
func (s *scanner) array(element func(k int) error) error {
	if err := s.take('['); err != nil {
		return err
	}
	if s.next() == ']' {
		s.at++
		return nil
	}
	for k := 0; ; k++ {
		if err := element(k); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			return nil
		default:
			return s.take(',')
		}
	}
}

// skip takes a value of any kind.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.fail("values within more than %d others", maxDepth)
	}
	switch s.next() {
	case '{':
		return s.object(func(string) error { return s.skip(depth + 1) })
	case '[':
		return s.array(func(int) error { return s.skip(depth + 1) })
	case '"':
		_, err := s.text()
		return err
	}
	w, err := s.word()
	if err == nil && !json.Valid(w) {
		return s.fail("%.60q is no value", w)
	}
	return err
}

// kind says what stands next.
func (s *scanner) kind() string {
	switch s.next() {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a text"
	}
	return "a value"
}
