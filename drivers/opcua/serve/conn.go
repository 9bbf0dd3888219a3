package serve

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/secure"
)

// conn is one TCP connection with its secure channel. Its own goroutine reads and answers; publishing goroutines write as well.
type conn struct {
	srv *Server
	nc  net.Conn
	r   *bufio.Reader

	// of the reading goroutine
	channel  uint32   // 0 before it is open
	security security // of the channel
	tokens   []*token // those that messages may carry: the present one last, the one before it until the client has used the present one
	reopens  int
	received uint32 // sequence number of the last chunk of a secured channel
	message  []byte // chunks of the unfinished request
	request  uint32 // its id
	chunks   int

	// what the client said in Hello
	sendChunk, sendMessage, sendChunks uint32

	wmu      sync.Mutex
	sequence uint32
	sending  *token // what responses carry

	active    atomic.Int32 // activated sessions
	since     time.Time    // accepted
	idleSince atomic.Int64 // Unix nanoseconds of accept or of the end of the last session
	once      sync.Once
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{srv: s, nc: nc, since: time.Now(), sendChunk: 8192}
	c.idleSince.Store(c.since.UnixNano())
	return c
}

// idle reports whether the connection has no active session.
func (c *conn) idle() bool { return c.active.Load() <= 0 }

func (c *conn) close() { c.once.Do(func() { c.nc.Close() }) }

// protocolError ends the connection with an error message of the transport.
type protocolError struct {
	status ua.StatusCode
	reason string
}

func (e *protocolError) Error() string { return fmt.Sprintf("%s: %s", e.status.Error(), e.reason) }

func refuse(status ua.StatusCode, format string, args ...any) error {
	return &protocolError{status, fmt.Sprintf(format, args...)}
}

func (c *conn) serve(ctx context.Context) {
	defer c.srv.forget(c)
	defer c.srv.detach(c)
	defer c.close()
	defer func() { c.srv.pending.Add(-int64(len(c.message))) }()
	defer func() {
		if p := recover(); p != nil {
			c.srv.log.Error("opc ua connection ended by a panic", "remote", c.nc.RemoteAddr().String(), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	err := c.hello()
	for err == nil {
		err = c.next(ctx)
	}
	var pe *protocolError
	if errors.As(err, &pe) {
		c.sendError(pe)
		c.srv.log.Info("opc ua connection refused", "remote", c.nc.RemoteAddr().String(), "err", err)
	}
}

// header reads the eight bytes that open every chunk.
func (c *conn) header() (h [8]byte, size uint32, err error) {
	if _, err = io.ReadFull(c.r, h[:1]); err != nil {
		return
	}
	c.nc.SetReadDeadline(time.Now().Add(chunkTimeout))
	if _, err = io.ReadFull(c.r, h[1:]); err != nil {
		return
	}
	size = binary.LittleEndian.Uint32(h[4:])
	if size < 8 || size > maxChunk {
		err = refuse(ua.StatusBadTCPMessageTooLarge, "chunk of %d bytes, want 8 to %d", size, maxChunk)
	}
	return
}

func (c *conn) hello() error {
	if t, ok := c.nc.(*net.TCPConn); ok {
		t.SetNoDelay(true)
	}
	c.r = bufio.NewReaderSize(c.nc, 4096)
	deadline := c.since.Add(helloTimeout)
	c.nc.SetReadDeadline(deadline)
	kind, size, err := c.header()
	if err != nil {
		return err
	}
	c.nc.SetReadDeadline(deadline)
	if string(kind[:4]) != "HELF" {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "%q before Hello", kind[:4])
	}
	if size < 32 || size > 32+4096 {
		return refuse(ua.StatusBadTCPMessageTooLarge, "Hello of %d bytes", size)
	}
	b := make([]byte, size-8)
	if _, err := io.ReadFull(c.r, b); err != nil {
		return err
	}
	receive := binary.LittleEndian.Uint32(b[4:])
	if receive < 8192 || binary.LittleEndian.Uint32(b[8:]) < 8192 {
		return refuse(ua.StatusBadTCPInternalError, "buffers below 8192 bytes")
	}
	c.sendChunk = min(receive, maxChunk)
	c.sendMessage = binary.LittleEndian.Uint32(b[12:])
	c.sendChunks = binary.LittleEndian.Uint32(b[16:])

	ack := make([]byte, 28)
	copy(ack, "ACKF")
	for i, v := range []uint32{28, 0, maxChunk, c.sendChunk, maxMessage, maxChunks} {
		binary.LittleEndian.PutUint32(ack[4+4*i:], v)
	}
	return c.write(ack)
}

// next reads one chunk and, when it completes a message, answers it.
func (c *conn) next(ctx context.Context) error {
	// Sessions and idle connections are timed by watch; a connection in the middle of a message must go on.
	deadline := time.Time{}
	if c.message != nil {
		deadline = time.Now().Add(chunkTimeout)
	}
	c.nc.SetReadDeadline(deadline)
	h, size, err := c.header()
	if err != nil {
		return err
	}
	if size < 12 {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "chunk of %d bytes", size)
	}
	b := make([]byte, size)
	copy(b, h[:])
	if _, err := io.ReadFull(c.r, b[8:]); err != nil {
		return err
	}
	channel := binary.LittleEndian.Uint32(b[8:])
	switch typ, final := string(b[:3]), b[3]; typ {
	case "OPN":
		if final != 'F' {
			return refuse(ua.StatusBadTCPMessageTypeInvalid, "OPN in chunks")
		}
		if err := c.srv.working.Acquire(ctx, 1); err != nil { // private keys cost time
			return err
		}
		defer c.srv.working.Release(1)
		return c.open(channel, b)
	case "CLO":
		return io.EOF
	case "MSG":
		if c.channel == 0 || channel != c.channel {
			return refuse(ua.StatusBadTCPSecureChannelUnknown, "channel %d", channel)
		}
		if len(b) < messageHeader+8 {
			return refuse(ua.StatusBadTCPMessageTypeInvalid, "message chunk of %d bytes", size)
		}
		plain, err := c.unseal(b)
		if err != nil {
			return err
		}
		return c.chunk(ctx, final, binary.LittleEndian.Uint32(plain[4:]), plain[8:])
	default:
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "message type %q", typ)
	}
}

// chunk adds a chunk to the request under way. A client sends the chunks of one request together (Part 6, 6.7.2).
func (c *conn) chunk(ctx context.Context, final byte, request uint32, b []byte) error {
	if c.message != nil && request != c.request {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "chunks of requests %d and %d are mixed", c.request, request)
	}
	if final == 'A' {
		c.drop()
		return nil
	}
	if final != 'C' && final != 'F' {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "chunk type %q", final)
	}
	c.chunks++
	if c.chunks > maxChunks || len(c.message)+len(b) > maxMessage {
		return refuse(ua.StatusBadTCPMessageTooLarge, "request beyond %d bytes or %d chunks", maxMessage, maxChunks)
	}
	if final == 'F' && c.message == nil {
		c.chunks = 0
		return c.handle(ctx, request, b)
	}
	if c.srv.pending.Add(int64(len(b))) > maxPending {
		c.srv.pending.Add(-int64(len(b)))
		return refuse(ua.StatusBadTCPNotEnoughResources, "%d bytes of unfinished requests", maxPending)
	}
	if c.message == nil {
		c.message = make([]byte, 0, len(b))
	}
	c.message, c.request = append(c.message, b...), request
	if final == 'C' {
		return nil
	}
	whole := c.message
	defer c.srv.pending.Add(-int64(len(whole)))
	c.message, c.chunks = nil, 0
	return c.handle(ctx, request, whole)
}

func (c *conn) drop() {
	c.srv.pending.Add(-int64(len(c.message)))
	c.message, c.chunks = nil, 0
}

// handle decodes and answers one request. An error ends the connection.
func (c *conn) handle(ctx context.Context, request uint32, b []byte) error {
	if err := c.srv.working.Acquire(ctx, 1); err != nil {
		return err
	}
	resp, err := c.answer(ctx, request, b)
	if err != nil || resp == nil { // Publish answers later
		return err
	}
	return c.send(request, resp)
}

func (c *conn) answer(ctx context.Context, request uint32, b []byte) (ua.Response, error) {
	defer c.srv.working.Release(1)
	typeID, hdr, body, err := splitRequest(b)
	if err != nil {
		return nil, refuse(ua.StatusBadTCPMessageTypeInvalid, "request header: %v", err)
	}
	return c.dispatch(ctx, typeID, hdr, body, request), nil
}

// messageHeader is the length of what stands before the sequence header of a message: its header, the channel and the token.
const messageHeader = 16

// send writes a response in as many chunks as the client's buffer needs.
func (c *conn) send(request uint32, resp ua.Response) error {
	body, err := encodeResponse(resp)
	if err != nil {
		c.srv.log.Error("opc ua response does not encode", "type", fmt.Sprintf("%T", resp), "err", err)
		if body, err = encodeResponse(fault(&ua.RequestHeader{RequestHandle: resp.Header().RequestHandle}, ua.StatusBadEncodingError)); err != nil {
			return err
		}
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	room := c.sending.keys.Room(int(c.sendChunk), messageHeader)
	if n := (len(body) + room - 1) / room; c.sendMessage > 0 && len(body) > int(c.sendMessage) || c.sendChunks > 0 && n > int(c.sendChunks) {
		if body, err = encodeResponse(fault(&ua.RequestHeader{RequestHandle: resp.Header().RequestHandle}, ua.StatusBadResponseTooLarge)); err != nil {
			return err
		}
	}
	id := binary.LittleEndian.AppendUint32(nil, c.sending.id)
	for len(body) > room {
		if err := c.writeChunk("MSGC", id, c.sending.keys, request, body[:room]); err != nil {
			return err
		}
		body = body[room:]
	}
	return c.writeChunk("MSGF", id, c.sending.keys, request, body)
}

// writeChunk writes one chunk; wmu is held.
func (c *conn) writeChunk(kind string, header []byte, keys *secure.Keys, request uint32, body []byte) error {
	if c.sequence++; c.sequence > 1<<32-1024 {
		c.sequence = 1
	}
	b := make([]byte, 0, 20+len(header)+len(body)+512)
	b = append(b, kind...)
	b = binary.LittleEndian.AppendUint32(b, 0) // the size, which Seal knows
	b = binary.LittleEndian.AppendUint32(b, c.channel)
	b = append(b, header...)
	n := len(b)
	b = binary.LittleEndian.AppendUint32(b, c.sequence)
	b = binary.LittleEndian.AppendUint32(b, request)
	b, err := keys.Seal(append(b, body...), n)
	if err != nil {
		return err
	}
	return c.write(b)
}

func (c *conn) write(b []byte) error {
	c.nc.SetWriteDeadline(time.Now().Add(writeTimeout))
	if _, err := c.nc.Write(b); err != nil {
		c.close()
		return err
	}
	return nil
}

// sendError tells the client why the connection ends, as far as it listens.
func (c *conn) sendError(e *protocolError) {
	b := []byte("ERRF")
	b = binary.LittleEndian.AppendUint32(b, uint32(16+len(e.reason)))
	b = binary.LittleEndian.AppendUint32(b, uint32(e.status))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(e.reason)))
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.nc.SetWriteDeadline(time.Now().Add(time.Second))
	c.nc.Write(append(b, e.reason...))
}
