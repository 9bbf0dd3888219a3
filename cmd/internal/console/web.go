package console

import (
	"io/fs"
	"net/http"
	"path"
	"strings"
)

// webHandler serves the web application: its files, and for every other path the page itself, which knows its own routes.
func webHandler() http.Handler {
	files, ok := webFiles()
	if !ok {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/" {
				http.NotFound(w, r)
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(unbuiltPage))
		})
	}
	server := http.FileServerFS(files)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			writeProblem(w, http.StatusMethodNotAllowed, "only reading is possible here")
			return
		}
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		info, err := fs.Stat(files, name)
		switch {
		case err == nil && !info.IsDir() && name != "index.html":
			if strings.HasPrefix(name, "assets/") { // their names hold a hash of their content
				w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			} else {
				w.Header().Set("Cache-Control", "public, max-age=3600")
			}
			server.ServeHTTP(w, r)
		case path.Ext(name) != "" && name != "index.html":
			http.NotFound(w, r)
		default:
			page, err := fs.ReadFile(files, "index.html")
			if err != nil {
				writeProblem(w, http.StatusInternalServerError, "the web application has no page; make build again")
				return
			}
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(page)
		}
	})
}

const unbuiltPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Quartier</title><meta name="viewport" content="width=device-width"></head>
<body><h1>The console is not in this binary</h1>
<p>Run <code>make build</code> and start <code>bin/quartier</code>: it builds the web application with Node and puts it in.
The API works without it: <a href="/api/openapi.json">/api/openapi.json</a>.</p></body></html>
`
