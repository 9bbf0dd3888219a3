//go:build !web

package console

import "io/fs"

// webFiles returns no web application: this binary was built without the tag web, which needs Node. See make build.
func webFiles() (fs.FS, bool) { return nil, false }
