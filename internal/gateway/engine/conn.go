package engine

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/gateway/socket"
)

// A wire is a client's connection as the kernel has it: below TLS, where there is TLS. It can end an idle connection
// without cutting a request that is arriving: Nudge wakes the goroutine that waits for the next request, and that
// goroutine, the only one that reads, looks whether anything has come and otherwise ends the connection.
type wire struct {
	net.Conn
	srv   *Server
	from  *source
	raw   syscall.RawConn // nil when the connection is no socket
	phase phase           // changes only while nobody reads

	received uint64       // bytes so far; of the reading goroutine
	lastRead atomic.Int64 // unix nano of the last read (HTTP/2 only)
	idle     atomic.Int64 // unix nano since when no request is in progress; 0 while one is

	reason string // phrase for the next status line; of the goroutine that answers

	mu         sync.Mutex // guards below
	deadline   time.Time
	nudged     bool
	awaited    time.Time // when await last set the deadline; zero while somebody else's is in force
	allowed    time.Time // the same of allow
	fixedWrite bool      // the deadline for writing is somebody else's

	linger atomic.Bool // end by half-closing and waiting for the client
	closed atomic.Bool
}

var longAgo = time.Unix(1, 0)

func (w *wire) setIdle(idle bool) {
	if !idle {
		w.idle.Store(0)
		return
	}
	w.idle.Store(time.Now().UnixNano())
}

// nudge wakes the reader of an idle connection.
func (w *wire) nudge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle.Load() == 0 || w.nudged {
		return
	}
	w.nudged = true
	w.setDeadline(longAgo)
}

// calm takes a nudge back and reports whether there was one.
func (w *wire) calm() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.nudged {
		return false
	}
	w.nudged = false
	w.setDeadline(w.deadline)
	return true
}

// setDeadline fails only on a closed connection, of which the next read tells.
func (w *wire) setDeadline(t time.Time) { _ = w.Conn.SetReadDeadline(t) }

// SetReadDeadline keeps a nudge in force.
func (w *wire) SetReadDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deadline, w.awaited = t, time.Time{}
	if w.nudged {
		return nil
	}
	return w.Conn.SetReadDeadline(t)
}

// SetWriteDeadline puts a deadline in the place of the one that each Write gets; zero takes it back.
func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed, w.fixedWrite = time.Time{}, !t.IsZero()
	return w.Conn.SetWriteDeadline(t)
}

// SetDeadline sets both deadlines.
func (w *wire) SetDeadline(t time.Time) error {
	return errors.Join(w.SetReadDeadline(t), w.SetWriteDeadline(t))
}

func (w *wire) Read(p []byte) (int, error) {
	for {
		n, err := w.Conn.Read(p)
		w.received += uint64(n) //nolint:gosec // never negative
		switch {
		case w.phase == http1: // the guard above decides
			return n, err
		case n > 0:
			if w.phase == greeting {
				w.setIdle(false)
			} else {
				w.lastRead.Store(time.Now().UnixNano())
			}
			w.calm()
			return n, err
		case !timedOut(err) || !w.calm():
			return n, err
		case w.idle.Load() != 0 && w.quiet() && !w.pending():
			w.linger.Store(true)
			return 0, io.EOF
		}
	}
}

// quiet reports that nothing of a greeting has come yet, or nothing on an HTTP/2 connection for a while: what comes
// there between requests, such as window updates, does not end in a request by itself.
func (w *wire) quiet() bool {
	if w.phase == greeting {
		return w.received == 0
	}
	return time.Since(time.Unix(0, w.lastRead.Load())) >= w.srv.opt.DrainIdle
}

// phase is what a connection carries.
type phase uint8

const (
	http1 phase = iota
	greeting
	http2
)

// pending reports that bytes, or the end of the stream, wait in the receive buffer.
func (w *wire) pending() bool {
	var b [1]byte
	_, waiting := socket.Peek(w.raw, b[:])
	return waiting
}

// Close ends the connection. Where the client may still be sending, the sending side is closed first and what comes
// is read for a moment, since closing a socket with unread bytes resets it and may destroy an answer on its way.
func (w *wire) Close() error {
	if w.closed.Swap(true) {
		return nil
	}
	half, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok || !w.linger.Load() && !w.pending() || half.CloseWrite() != nil {
		return w.release()
	}
	lingers := w.srv.spawn(func() {
		if err := w.Conn.SetReadDeadline(time.Now().Add(w.srv.opt.Linger)); err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(w.Conn, lingerBytes)) // whatever comes is not wanted
		}
		_ = w.release()
	})
	if !lingers {
		return w.release()
	}
	return nil
}

// lingerBytes bounds what is read from a client after the last answer.
const lingerBytes = 1 << 20

func (w *wire) release() error {
	err := w.Conn.Close()
	w.srv.remove(w)
	return err
}

// A guard is what the HTTP/1.1 server reads from: strict framing over a wire or the TLS above it.
type guard struct {
	net.Conn // the wire, or its TLS connection
	wire     *wire
	tls      *tls.Conn // nil on plain HTTP
	frame    framing
	broken   error
	mark     uint64 // wire.received when the last byte was passed on
}

// ConnectionState lets net/http know about TLS.
func (g *tlsGuard) ConnectionState() tls.ConnectionState { return g.tls.ConnectionState() }

// tlsGuard is a guard over TLS.
type tlsGuard struct{ *guard }

func (g *guard) Read(p []byte) (int, error) {
	if g.broken != nil {
		return 0, g.broken
	}
	for {
		if g.frame.inContent() {
			g.wire.await(g.wire.srv.opt.BodyTimeout)
		}
		n, err := g.Conn.Read(p)
		if n > 0 {
			g.mark = g.wire.received
			g.wire.calm()
			ok, bad := g.frame.feed(p[:n])
			if !g.frame.inContent() {
				g.wire.arrived()
			}
			if bad != nil {
				g.broken = bad
				g.wire.linger.Store(true)
				if ok == 0 {
					return 0, bad
				}
				return ok, nil
			}
			return n, err
		}
		if !timedOut(err) {
			return n, err
		}
		again, err := g.expired(err)
		if !again {
			if g.frame.inContent() {
				g.broken = err // whoever reads on does not wait once more
			}
			return 0, err
		}
	}
}

// expired decides what a read that ran out of time means: the end of an idle connection, or another try.
func (g *guard) expired(err error) (again bool, _ error) {
	w := g.wire
	nudged := w.calm()
	idle := w.idle.Load() != 0 && g.frame.between() && w.received == g.mark
	switch {
	case idle && !w.pending():
		w.linger.Store(true)
		return false, io.EOF
	case nudged:
		return true, nil
	case idle: // the next request came with the last moment
		if err := w.SetReadDeadline(time.Now().Add(w.srv.opt.HeaderTimeout)); err != nil {
			return false, err
		}
		return true, nil
	}
	return false, err
}

// CloseWrite lets net/http half-close after an answer to an over-long head.
func (g *guard) CloseWrite() error {
	g.wire.linger.Store(true)
	if half, ok := g.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// CloseWrite half-closes below TLS.
func (w *wire) CloseWrite() error {
	if half, ok := w.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func timedOut(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// wireOf finds the wire below a connection of net/http.
func wireOf(c net.Conn) *wire {
	switch c := c.(type) {
	case *guard:
		return c.wire
	case *tlsGuard:
		return c.wire
	case *tls.Conn:
		if w, ok := c.NetConn().(*wire); ok {
			return w
		}
	}
	return nil
}
