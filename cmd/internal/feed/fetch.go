package feed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	maxRedirects  = 3
	maxRetryAfter = 6 * time.Hour
	maxSaid       = 200 // bytes of an error body that are repeated
)

// NewClient returns the client of feeds: through the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, a few redirects and none of them back to plain HTTP, and no Referer, in which the address before, and a
// token within, would be told to others.
func NewClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
			MaxResponseHeaderBytes: 64 << 10},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			r.Header.Del("Referer")
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("more than %d redirects", maxRedirects)
			case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
				return fmt.Errorf("redirected from https to %s", r.URL.Scheme)
			}
			return nil
		},
	}
}

// ErrStatus is an answer with another status than 200.
type ErrStatus struct {
	Status     int
	Said       string        // by the server, in a line
	RetryAfter time.Duration // it asks to wait as long; 0: it does not say

	cause error // what its document says
}

// Unwrap returns what the document of the answer says, such as [ErrNothingPublished].
func (e *ErrStatus) Unwrap() error { return e.cause }

func (e *ErrStatus) Error() string {
	text := fmt.Sprintf("status %d %s", e.Status, http.StatusText(e.Status))
	if e.Said != "" {
		text += ": " + e.Said
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf("; again in %v", e.RetryAfter)
	}
	return text
}

// final reports whether asking again soon is of no use.
func (e *ErrStatus) final() bool {
	return e.Status >= 400 && e.Status < 500 && e.Status != http.StatusRequestTimeout && e.Status != http.StatusTooManyRequests
}

// answer is a document as it came.
type answer struct {
	body           []byte
	etag, modified string
	unchanged      bool // since the one whose marks were sent
}

// get fetches one document. The error never holds the address's query nor the secret.
func (s *Source) get(ctx context.Context, client *http.Client, address string, before cached, maxBytes int64) (answer, error) {
	a, err := s.fetch(ctx, client, address, before, maxBytes)
	if err != nil {
		var status *ErrStatus
		if !errors.As(err, &status) {
			err = plain{s.hide(err.Error()), err}
		} else {
			status.Said = s.hide(status.Said)
		}
	}
	return a, err
}

// plain is an error with other words. Its cause is known to errors.Is alone.
type plain struct {
	text  string
	cause error
}

func (p plain) Error() string        { return p.text }
func (p plain) Is(target error) bool { return errors.Is(p.cause, target) }

// hide takes the secret out of a text.
func (s *Source) hide(text string) string {
	if s.Secret == "" {
		return text
	}
	for _, form := range []string{s.Secret, url.QueryEscape(s.Secret), url.PathEscape(s.Secret)} {
		text = strings.ReplaceAll(text, form, "…")
	}
	return text
}

func (s *Source) fetch(ctx context.Context, client *http.Client, address string, before cached, maxBytes int64) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, errors.New("its address is none")
	}
	req.Header.Set("Accept", strings.Join(s.Types, ", "))
	req.Header.Set("User-Agent", "Quartier")
	if before.ETag != "" {
		req.Header.Set("If-None-Match", before.ETag)
	}
	if before.Modified != "" {
		req.Header.Set("If-Modified-Since", before.Modified)
	}
	res, err := client.Do(req)
	if err != nil {
		var bad *url.Error // which names the whole address
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return answer{}, fmt.Errorf("%s: %w", req.URL.Host, err)
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified && len(before.Body) > 0 {
		return answer{unchanged: true}, nil
	}
	limit := maxBytes
	if res.StatusCode != http.StatusOK {
		limit = 64 << 10
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	whole := int64(len(body))
	body = []byte(s.hide(string(body))) // before anything is cut out of it: of a token cut in two, no half is known
	if res.StatusCode != http.StatusOK {
		status := &ErrStatus{Status: res.StatusCode, Said: line(body), RetryAfter: retryAfter(res.Header.Get("Retry-After"))}
		if _, err := s.Read(body); errors.Is(err, ErrNothingPublished) || errors.Is(err, errSaid) {
			status.Said, status.cause = err.Error(), err
		}
		return answer{}, status
	}
	if err != nil {
		return answer{}, fmt.Errorf("%s: after %d bytes: %w", req.URL.Host, whole, err)
	}
	if whole > limit {
		return answer{}, fmt.Errorf("%s: the document is longer than %d bytes", req.URL.Host, limit)
	}
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if kind != "" && !slices.Contains(s.Types, kind) {
		return answer{}, fmt.Errorf("%s: the document is %.60s, want %s: %s", req.URL.Host, kind, strings.Join(s.Types, " or "), line(body))
	}
	return answer{body: body, etag: short(res.Header.Get("ETag")), modified: short(res.Header.Get("Last-Modified"))}, nil
}

// short returns a mark to send back, none when it is longer than any sound one.
func short(mark string) string {
	if len(mark) > 256 {
		return ""
	}
	return mark
}

// line returns the begin of a text on one line.
func line(body []byte) string {
	body = bytes.TrimSpace(body[:min(len(body), maxSaid)])
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body), ""))
}

// retryAfter reads the seconds or the date after which a server wants to be asked again.
func retryAfter(text string) time.Duration {
	wait := time.Duration(0)
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		wait = time.Duration(min(n, int(maxRetryAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(text); err == nil {
		wait = time.Until(t)
	}
	return max(0, min(wait, maxRetryAfter))
}
