//go:build web

package console

import (
	"embed"
	"io/fs"
)

//go:embed all:web/dist
var dist embed.FS

// webFiles returns the built web application.
func webFiles() (fs.FS, bool) {
	sub, err := fs.Sub(dist, "web/dist")
	return sub, err == nil
}
