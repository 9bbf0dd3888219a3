package opcua

import (
	"bufio"
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// Bounds of what a server may send; of one that nobody has checked yet less.
const (
	maxChunk     = 65535
	maxMessage   = 4 << 20
	maxUnchecked = 512 << 10
	maxChunks    = 512
)

// safety is how a channel is protected.
type safety struct {
	policy string // URI
	mode   ua.MessageSecurityMode
	own    *pki.Identity     // nil with policy None
	peer   *x509.Certificate // of the server, checked; nil with policy None and no secret to send
}

func (s safety) none() bool { return s.policy == ua.SecurityPolicyURINone }

// channel is one TCP connection with its secure channel. It renews its token by itself, and ends with the first thing that is wrong.
type channel struct {
	nc      net.Conn
	r       *bufio.Reader
	safety  safety
	opening *secure.Keys // of OpenSecureChannel
	limit   int          // bytes of a message
	ctx     context.Context
	kill    context.CancelCauseFunc

	mu      sync.Mutex
	calls   map[uint32]*call
	request uint32 // id of the last one

	wmu        sync.Mutex
	id, token  uint32
	keys       *secure.Keys
	sequence   uint32
	sendChunk  int // what the server takes
	sendTotal  int // 0: no bound
	sendChunks int // 0: no bound

	// of the reading goroutine
	received uint32 // sequence number
	started  bool
	in       map[uint32]*secure.Keys // by token: the present one and the one before
}

// call is a request under way.
type call struct {
	answered chan []byte // the message; of size 1
	failed   chan error  // of size 1
	nonce    []byte      // of an OpenSecureChannel
	parts    []byte
	chunks   int
}

// dial opens a channel to the server at host:port that takes messages up to limit bytes. It lives until life ends.
func dial(life, ctx context.Context, host, endpoint string, s safety, limit int, lifetime time.Duration) (*channel, error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	c := &channel{nc: nc, r: bufio.NewReaderSize(nc, 16<<10), safety: s, limit: limit, calls: make(map[uint32]*call), in: make(map[uint32]*secure.Keys)}
	c.ctx, c.kill = context.WithCancelCause(life)
	context.AfterFunc(c.ctx, func() { nc.Close() })
	stop := context.AfterFunc(ctx, func() { c.kill(context.Cause(ctx)) })
	err = c.start(ctx, endpoint, lifetime)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if cause := context.Cause(c.ctx); cause != nil {
			err = cause
		}
		c.kill(err)
		return nil, err
	}
	return c, nil
}

func (c *channel) start(ctx context.Context, endpoint string, lifetime time.Duration) error {
	if !c.safety.none() {
		key, ok := c.safety.peer.PublicKey.(*rsa.PublicKey)
		if !ok {
			return fmt.Errorf("the server's certificate has no RSA key: %w", ua.StatusBadCertificateInvalid)
		}
		var err error
		if c.opening, err = secure.Asymmetric(c.safety.policy, c.safety.own.Key, key); err != nil {
			return err
		}
	}
	if err := c.hello(ctx, endpoint); err != nil {
		return err
	}
	go c.read()
	revised, err := c.open(ctx, ua.SecurityTokenRequestTypeIssue, lifetime)
	if err != nil {
		return err
	}
	go c.renew(revised, lifetime)
	return nil
}

// hello agrees on the sizes of chunks and messages.
func (c *channel) hello(ctx context.Context, endpoint string) error {
	if t, ok := ctx.Deadline(); ok {
		c.nc.SetDeadline(t)
		defer c.nc.SetDeadline(time.Time{})
	}
	b := append([]byte("HELF"), make([]byte, 4)...)
	for _, v := range []uint32{0, maxChunk, maxChunk, uint32(c.limit), maxChunks, uint32(len(endpoint))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	b = append(b, endpoint...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	if _, err := c.nc.Write(b); err != nil {
		return err
	}
	b, err := c.chunk()
	if err != nil {
		return err
	}
	if string(b[:4]) != "ACKF" || len(b) < 28 {
		return fmt.Errorf("%w: %.4q in answer to Hello", drivers.ErrGarbage, b[:4])
	}
	take, total, chunks := binary.LittleEndian.Uint32(b[12:]), binary.LittleEndian.Uint32(b[20:]), binary.LittleEndian.Uint32(b[24:])
	if take < 8192 {
		return fmt.Errorf("%w: the server takes chunks of %d bytes, less than the least of 8192", drivers.ErrGarbage, take)
	}
	c.sendChunk, c.sendTotal, c.sendChunks = int(min(take, maxChunk)), int(min(total, 1<<30)), int(min(chunks, 1<<20))
	return nil
}

// chunk reads one chunk, or the server's reason for ending the connection as an error.
func (c *channel) chunk() ([]byte, error) {
	var h [8]byte
	if _, err := io.ReadFull(c.r, h[:]); err != nil {
		return nil, err
	}
	size := binary.LittleEndian.Uint32(h[4:])
	if size < 12 || size > maxChunk {
		return nil, fmt.Errorf("%w: a chunk of %d bytes, want 12 to %d", drivers.ErrGarbage, size, maxChunk)
	}
	b := make([]byte, size)
	copy(b, h[:])
	if _, err := io.ReadFull(c.r, b[8:]); err != nil {
		return nil, err
	}
	if string(h[:3]) == "ERR" {
		status := ua.StatusCode(binary.LittleEndian.Uint32(b[8:]))
		buf := ua.NewBuffer(b[12:])
		if reason := buf.ReadString(); buf.Error() == nil && reason != "" {
			return nil, fmt.Errorf("the server ended the connection, %.200q: %w", reason, status)
		}
		return nil, fmt.Errorf("the server ended the connection: %w", status)
	}
	return b, nil
}

// read takes chunks until the channel ends.
func (c *channel) read() {
	for {
		b, err := c.chunk()
		if err == nil {
			err = c.take(b)
		}
		if err != nil {
			c.kill(err)
			return
		}
	}
}

// take checks one chunk and, when it completes a message, hands that to whoever asked. An error ends the channel.
func (c *channel) take(b []byte) error {
	channel := binary.LittleEndian.Uint32(b[8:])
	var plain []byte
	var err error
	opening := false
	switch string(b[:3]) {
	case "OPN":
		opening = true
		if plain, err = c.takeOpen(b); err != nil {
			return err
		}
	case "MSG":
		c.wmu.Lock()
		id := c.id
		c.wmu.Unlock()
		if id == 0 || channel != id || len(b) < 16 {
			return fmt.Errorf("%w: a message of channel %d on channel %d", drivers.ErrGarbage, channel, id)
		}
		token := binary.LittleEndian.Uint32(b[12:])
		keys, known := c.in[token]
		if !known {
			return fmt.Errorf("a message under token %d: %w", token, ua.StatusBadSecureChannelTokenUnknown)
		}
		if plain, err = keys.Open(b, 16); err != nil {
			return err
		}
	case "CLO":
		return io.EOF
	default:
		return fmt.Errorf("%w: a chunk of type %.4q", drivers.ErrGarbage, b[:4])
	}
	sequence, request := binary.LittleEndian.Uint32(plain), binary.LittleEndian.Uint32(plain[4:])
	if c.started && sequence != c.received+1 && !(c.received >= 1<<32-1024 && sequence < 1024) {
		return fmt.Errorf("chunk %d after chunk %d: %w", sequence, c.received, ua.StatusBadSequenceNumberInvalid)
	}
	c.received, c.started = sequence, true
	return c.assemble(request, b[3], plain[8:], opening)
}

// assemble adds a chunk to its message and hands over what is complete.
func (c *channel) assemble(request uint32, kind byte, body []byte, opening bool) error {
	c.mu.Lock()
	w := c.calls[request]
	if kind != 'C' {
		delete(c.calls, request)
	}
	c.mu.Unlock()
	if w == nil { // nobody waits any more
		return nil
	}
	if opening != (w.nonce != nil) {
		return fmt.Errorf("%w: a chunk of another type than its request", drivers.ErrGarbage)
	}
	whole := body
	switch kind {
	case 'A':
		var status ua.StatusCode = ua.StatusBadUnexpectedError
		if len(body) >= 4 {
			status = ua.StatusCode(binary.LittleEndian.Uint32(body))
		}
		w.failed <- fmt.Errorf("the server broke its answer off: %w", status)
		return nil
	case 'C', 'F':
		if kind == 'C' || w.chunks > 0 {
			w.chunks++
			if len(w.parts)+len(body) > c.limit || w.chunks > maxChunks || kind == 'C' && c.partial()+len(body) > 4*c.limit {
				return fmt.Errorf("%w: a message of more than %d bytes", drivers.ErrGarbage, c.limit)
			}
			w.parts = append(w.parts, body...)
			whole = w.parts
		}
	default:
		return fmt.Errorf("%w: a chunk of kind %q", drivers.ErrGarbage, kind)
	}
	if kind == 'C' {
		return nil
	}
	if opening {
		return c.opened(w, whole)
	}
	w.answered <- whole
	return nil
}

// partial is how many bytes are kept of messages that are not complete, for those who still wait; of the reading goroutine.
func (c *channel) partial() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.calls {
		n += len(w.parts)
	}
	return n
}

// exchange sends a request and returns the message that answers it.
func (c *channel) exchange(ctx context.Context, req ua.Request, session *ua.NodeID, nonce []byte) ([]byte, error) {
	w, id, err := c.send(ctx, req, session, nonce)
	if err != nil {
		return nil, err
	}
	return c.await(ctx, w, id)
}

// send sends a request.
func (c *channel) send(ctx context.Context, req ua.Request, session *ua.NodeID, nonce []byte) (*call, uint32, error) {
	w := &call{answered: make(chan []byte, 1), failed: make(chan error, 1), nonce: nonce}
	c.mu.Lock()
	c.request++
	id := c.request
	c.calls[id] = w
	c.mu.Unlock()
	body, err := encodeRequest(ctx, req, id, session)
	if err == nil {
		err = c.write(body, id, nonce != nil)
	}
	if err != nil {
		c.forget(id)
		return nil, 0, err
	}
	return w, id, nil
}

func (c *channel) forget(id uint32) {
	c.mu.Lock()
	delete(c.calls, id)
	c.mu.Unlock()
}

// await returns the answer to a request that was sent.
func (c *channel) await(ctx context.Context, w *call, id uint32) ([]byte, error) {
	select {
	case b := <-w.answered:
		return b, nil
	case err := <-w.failed:
		return nil, err
	case <-ctx.Done():
		c.forget(id)
		return nil, context.Cause(ctx)
	case <-c.ctx.Done():
		return nil, context.Cause(c.ctx)
	}
}

// write sends a message in as many chunks as it takes.
func (c *channel) write(body []byte, request uint32, opening bool) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	header := append([]byte("MSGF"), make([]byte, 12)...)
	keys := c.keys
	if opening {
		buf := ua.NewBuffer(nil)
		buf.WriteString(c.safety.policy)
		if c.safety.none() {
			buf.WriteByteString(nil)
			buf.WriteByteString(nil)
		} else {
			peer := sha1.Sum(c.safety.peer.Raw)
			buf.WriteByteString(c.safety.own.Certificate)
			buf.WriteByteString(peer[:])
		}
		if err := buf.Error(); err != nil {
			return err
		}
		header = append(append([]byte("OPNF"), make([]byte, 8)...), buf.Bytes()...)
		keys = c.opening
	} else {
		binary.LittleEndian.PutUint32(header[12:], c.token)
	}
	binary.LittleEndian.PutUint32(header[8:], c.id)
	room := keys.Room(c.sendChunk, len(header))
	if room <= 0 {
		return fmt.Errorf("the server's chunks of %d bytes hold no message", c.sendChunk)
	}
	if n := (len(body) + room - 1) / room; c.sendTotal > 0 && len(body) > c.sendTotal || c.sendChunks > 0 && n > c.sendChunks || opening && n > 1 {
		return fmt.Errorf("%d bytes: %w", len(body), ua.StatusBadRequestTooLarge)
	}
	c.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	for {
		part := body[:min(len(body), room)]
		body = body[len(part):]
		if c.sequence++; c.sequence > 1<<32-1024 {
			c.sequence = 1
		}
		b := make([]byte, 0, len(header)+8+len(part)+64)
		b = append(b, header...)
		if len(body) > 0 {
			b[3] = 'C'
		}
		b = binary.LittleEndian.AppendUint32(b, c.sequence)
		b = binary.LittleEndian.AppendUint32(b, request)
		b, err := keys.Seal(append(b, part...), len(header))
		if err == nil {
			_, err = c.nc.Write(b)
		}
		if err != nil { // half a message may be out
			c.kill(err)
			return err
		}
		if len(body) == 0 {
			return nil
		}
	}
}

// close takes leave of the server and ends the channel.
func (c *channel) close() {
	if c.ctx.Err() == nil {
		if body, err := encodeRequest(context.Background(), &ua.CloseSecureChannelRequest{}, 0, nil); err == nil {
			c.wmu.Lock()
			header := append([]byte("CLOF"), make([]byte, 12)...)
			binary.LittleEndian.PutUint32(header[8:], c.id)
			binary.LittleEndian.PutUint32(header[12:], c.token)
			c.sequence++
			b := binary.LittleEndian.AppendUint32(header, c.sequence)
			b = append(binary.LittleEndian.AppendUint32(b, 0), body...)
			if b, err = c.keys.Seal(b, 16); err == nil {
				c.nc.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
				c.nc.Write(b)
			}
			c.wmu.Unlock()
		}
	}
	c.kill(errors.New("closed"))
}
