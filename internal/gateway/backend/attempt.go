package backend

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"sync/atomic"

	"github.com/portico-dev/portico/internal/gateway/pipeline"
	"github.com/portico-dev/portico/internal/gateway/socket"
)

// maxStale bounds how many dead connections one request may meet.
const maxStale = 8

var errStale = errors.New("the backend has closed the connection")

// An attempt watches one request on its way through the transport: it passes informational answers on, and it looks
// at a kept connection before a request is written that the transport would not send a second time. When the backend
// has closed that connection, nothing is written, the body stays unread, and the request can go over another one.
type attempt struct {
	send  func(int, pipeline.Header) // of 1xx answers; may be nil
	guard bool                       // look at kept connections
	stale atomic.Bool
	read  atomic.Bool // the body has been touched

	mu   sync.Mutex // guards over and orders calls of send
	over bool
}

// once reports whether the transport never sends a request of that method twice.
func once(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return false
	}
	return true
}

func (a *attempt) watch(req *http.Request) *http.Request {
	if a.guard && req.Body != nil && req.Body != http.NoBody {
		req.Body = &heldBack{ReadCloser: req.Body, attempt: a}
	}
	if a.send == nil && !a.guard {
		return req
	}
	trace := &httptrace.ClientTrace{}
	if a.send != nil {
		trace.Got1xxResponse = a.informational
	}
	if a.guard {
		trace.GotConn = a.look
	}
	return req.WithContext(httptrace.WithClientTrace(req.Context(), trace))
}

func (a *attempt) informational(code int, h textproto.MIMEHeader) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over && code != http.StatusContinue && code != http.StatusSwitchingProtocols {
		a.send(code, Header(http.Header(h)))
	}
	return nil
}

// stop drops informational answers that come too late.
func (a *attempt) stop() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
}

// look closes a kept connection that the backend has closed.
func (a *attempt) look(info httptrace.GotConnInfo) {
	a.stale.Store(false)
	if info.Reused && dead(info.Conn) {
		a.stale.Store(true)
		_ = info.Conn.Close()
	}
}

// again reports whether a failed request met a dead connection and can be sent once more.
func (a *attempt) again() bool { return a.stale.Load() && !a.read.Load() }

// dead reports whether an unused HTTP/1.1 connection has ended: the stream, or TLS by its last alert. Whatever else a
// plain connection has to say unasked means the same.
func dead(c net.Conn) bool {
	t, secure := c.(*tls.Conn)
	if !secure {
		_, waiting := socket.Peek(socket.Raw(c), make([]byte, 1))
		return waiting
	}
	if t.ConnectionState().NegotiatedProtocol == "h2" {
		return false
	}
	var head [5]byte // of a TLS record
	n, waiting := socket.Peek(socket.Raw(t.NetConn()), head[:])
	const alert, data, sealedAlert = 0x15, 0x17, 2 + 1 + 16
	return waiting && (n == 0 || head[0] == alert ||
		n == len(head) && head[0] == data && head[3] == 0 && head[4] == sealedAlert)
}

// heldBack is a request body that is not touched for a dead connection.
type heldBack struct {
	io.ReadCloser
	attempt *attempt
}

func (b *heldBack) Read(p []byte) (int, error) {
	if b.attempt.stale.Load() {
		return 0, errStale
	}
	b.attempt.read.Store(true)
	return b.ReadCloser.Read(p)
}

// Close keeps an untouched body open for the next connection; the engine closes it in the end.
func (b *heldBack) Close() error {
	if b.attempt.stale.Load() && !b.attempt.read.Load() {
		return nil
	}
	return b.ReadCloser.Close()
}

// roundTrip sends a request, over another connection where a kept one turns out to be dead.
func roundTrip(tr http.RoundTripper, req *http.Request, early func(int, pipeline.Header)) (*http.Response, error) {
	for try := 0; ; try++ {
		a := &attempt{send: early, guard: once(req.Method)}
		res, err := tr.RoundTrip(a.watch(shallow(req)))
		a.stop()
		if err == nil || try == maxStale || !a.again() || context.Cause(req.Context()) != nil {
			return res, err
		}
	}
}

// shallow copies a request, so that what one attempt puts into it does not stay.
func shallow(req *http.Request) *http.Request {
	c := *req
	return &c
}
