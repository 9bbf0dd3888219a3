package batch

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"sync"
)

// maxSqueezed is how many bytes of text one squeezed body may hold: some times what twenty plans of a large district take.
const maxSqueezed = 128 << 20

var squeezers = sync.Pool{New: func() any {
	w, _ := zlib.NewWriterLevel(nil, zlib.DefaultCompression) // the level is valid
	return w
}}

// Squeeze appends text, compressed by zlib (RFC 1950), which has a checksum of its own.
func Squeeze(out, text []byte) []byte {
	b := bytes.NewBuffer(out)
	z := squeezers.Get().(*zlib.Writer)
	defer squeezers.Put(z)
	z.Reset(b)
	_, _ = z.Write(text) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// Squeezed reports whether body is what [Squeeze] writes, and not JSON, which never begins so.
func Squeezed(body []byte) bool {
	return len(body) > 0 && body[0] == 0x78
}

// Text returns the text of a body: itself, or what was squeezed.
func Text(body []byte) ([]byte, error) {
	if !Squeezed(body) {
		return body, nil
	}
	z, err := zlib.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("expand %d bytes: %w", len(body), err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxSqueezed+1))
	if err != nil {
		return nil, fmt.Errorf("expand %d bytes: %w", len(body), err)
	}
	if len(text) > maxSqueezed {
		return nil, fmt.Errorf("expand %d bytes: they hold more than %d", len(body), maxSqueezed)
	}
	return text, nil
}
