package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The headers of a post.
const (
	// SignatureHeader holds "t=SECONDS,v1=HEX": the HMAC-SHA256 by the secret of the seconds since the epoch, a dot and the body. A receiver refuses old times, and so a post that somebody recorded.
	SignatureHeader = "Quartier-Signature"
	// IdempotencyHeader holds the id of the notice: a post that comes again, because its answer was lost, has the same.
	IdempotencyHeader = "Idempotency-Key"
)

// Webhook is a web service that is told of alarms.
type Webhook struct {
	URL    string
	Secret string // empty: posts are not signed
	Least  string
	Rhythm Rhythm
	Client *http.Client // nil: one that follows no redirect and takes 15 s
}

// post is the body of a post.
type post struct {
	Version int `json:"version"`
	Notice
}

// sign returns the value of [SignatureHeader].
func sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// deliver posts one notice.
func (w Webhook) deliver(ctx context.Context, notices []Notice, _ int) outcome {
	body, err := json.Marshal(post{1, notices[0]})
	if err != nil {
		return outcome{err: err, final: true}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return outcome{err: errors.New("its address is none"), final: true}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Quartier")
	req.Header.Set(IdempotencyHeader, notices[0].ID)
	if w.Secret != "" {
		req.Header.Set(SignatureHeader, sign(w.Secret, time.Now(), body))
	}
	res, err := w.Client.Do(req)
	if err != nil {
		var bad *url.Error // which names the whole address
		if errors.As(err, &bad) {
			err = bad.Err
		}
		return outcome{err: fmt.Errorf("%s: %w", req.URL.Host, err)}
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection serves again
	switch s := res.StatusCode; {
	case s >= 200 && s < 300:
		return outcome{}
	case s == http.StatusRequestTimeout || s == http.StatusTooManyRequests || s >= 500:
		wait := time.Duration(0)
		if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && n > 0 {
			wait = time.Duration(min(n, 3600)) * time.Second
		}
		return outcome{err: fmt.Errorf("%s: status %s", req.URL.Host, res.Status), wait: wait}
	case s >= 300 && s < 400:
		return outcome{err: fmt.Errorf("%s: status %s: a post is not led elsewhere", req.URL.Host, res.Status)}
	default:
		return outcome{err: fmt.Errorf("%s: status %s", req.URL.Host, res.Status), final: s != http.StatusUnauthorized && s != http.StatusForbidden && s != http.StatusNotFound}
	}
}

// newWebClient returns the client of web hooks, through the proxy of the environment.
func newWebClient() *http.Client {
	return &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
