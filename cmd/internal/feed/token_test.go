package feed

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestTokenIsNotCut: a server that repeats the token has none of it told, wherever an error text is cut.
func TestTokenIsNotCut(t *testing.T) {
	const key = "zqjxkvwy-4b5a-6978-8796-a5b4c3d2e1f0"
	for name, serve := range map[string]func(w http.ResponseWriter, pad string){
		"status": func(w http.ResponseWriter, pad string) { http.Error(w, pad+key, http.StatusUnauthorized) },
		"type":   func(w http.ResponseWriter, pad string) { io.WriteString(w, "<!doctype html>"+pad+key) },
		"acknowledgement": func(w http.ResponseWriter, pad string) {
			xmlType(w)
			fmt.Fprintf(w, "<Acknowledgement_MarketDocument><Reason><code>999</code><text>%s%s</text></Reason></Acknowledgement_MarketDocument>", pad, key)
		},
		"acknowledgement with a status": func(w http.ResponseWriter, pad string) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, "<Acknowledgement_MarketDocument><Reason><code>999</code><text>%s%s</text></Reason></Acknowledgement_MarketDocument>", pad, key)
		},
	} {
		pad := ""
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { serve(w, pad) }))
		opt, log := options(t, t.TempDir())
		src := source(srv.URL)
		src.Secret = key
		for n := 100; n < 320; n += 7 {
			pad = strings.Repeat("x", n)
			f := New(src, opt)
			err := f.Fetch(t.Context())
			if err == nil {
				t.Fatalf("%s: no error", name)
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), key[:4]) {
					t.Fatalf("%s, after %d signs: %v", name, n, e)
				}
			}
			if strings.Contains(f.Status(noon).Err, key[:4]) {
				t.Fatalf("%s, after %d signs: %s", name, n, f.Status(noon).Err)
			}
		}
		if strings.Contains(log.String(), key[:4]) {
			t.Errorf("%s: %s", name, log)
		}
		srv.Close()
	}
}
