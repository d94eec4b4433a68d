package main

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/gateway/socket"
)

// Times of a farewell.
const (
	// leaveTime is how long clients are told to use another connection for what comes next, and how long a connection is
	// idle before it is closed: whoever sends more often than that never meets one that closes.
	leaveTime = 250 * time.Millisecond
	// partTime bounds all of it, but for requests that are being answered.
	partTime = 5 * time.Second
)

// A farewell has servers part from their clients without a failed request, which http.Server.Shutdown does not: it closes
// connections whose request is on its way in.
type farewell struct {
	begun atomic.Bool

	mu        sync.Mutex // guards below
	listeners []net.Listener
	conns     map[*gentleConn]bool
	accepting int // listeners that may still bring a connection, closed ones too
}

// handler tells clients, once it has begun, to use another connection for what comes next.
func (f *farewell) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.begun.Load() {
			w.Header().Set("Connection", "close") // with HTTP/2 the server makes a GOAWAY of it
		}
		h.ServeHTTP(w, r)
	})
}

// listener accepts the connections that the farewell is about.
func (f *farewell) listener(l net.Listener) net.Listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.listeners = append(f.listeners, l)
	f.accepting++
	return &gentle{Listener: l, farewell: f}
}

// state is the ConnState of the servers.
func (f *farewell) state(c net.Conn, s http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if g, ok := c.(*gentleConn); ok && s == http.StateIdle {
		g.rested()
	}
}

// part tells clients for a while, accepts no more, and returns when all requests are answered and all connections are
// closed, or ctx ends.
func (f *farewell) part(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, partTime)
	defer cancel()
	f.begun.Store(true)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; {
		if time.Since(begin) > leaveTime {
			f.close()
		}
		if time.Since(begin) > leaveTime && f.closeIdle() == 0 {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// close ends the listeners of this process. What clients begin from now on waits in the queue of the socket.
func (f *farewell) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, l := range f.listeners {
		_ = l.Close()
	}
	f.listeners = nil
}

// closeIdle closes connections that have been idle for a while, and says how many there still are, with one for each
// listener that may be about to bring another.
func (f *farewell) closeIdle() int {
	f.mu.Lock()
	var idle []*gentleConn
	for c := range f.conns {
		if c.idle(time.Now()) {
			idle = append(idle, c)
		}
	}
	left := len(f.conns) - len(idle) + f.accepting
	f.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
	return left
}

// accepted says that a listener brings no further connection.
func (f *farewell) accepted() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepting--
}

type gentle struct {
	net.Listener
	farewell *farewell
	over     sync.Once
}

func (g *gentle) Accept() (net.Conn, error) {
	c, err := g.Listener.Accept()
	if err != nil {
		if errors.Is(err, net.ErrClosed) {
			g.over.Do(g.farewell.accepted)
		}
		return nil, err
	}
	out := &gentleConn{Conn: c, farewell: g.farewell}
	if s, ok := c.(syscall.Conn); ok {
		out.raw, _ = s.SyscallConn() // without, nothing is known to wait
	}
	out.rested()
	f := g.farewell
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conns == nil {
		f.conns = map[*gentleConn]bool{}
	}
	f.conns[out] = true
	return out, nil
}

// A gentleConn knows whether it owes an answer.
type gentleConn struct {
	net.Conn
	farewell *farewell
	raw      syscall.RawConn
	owes     atomic.Bool  // something was read and is not answered
	since    atomic.Int64 // Unix nanoseconds: when it last owed nothing
}

func (c *gentleConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.owes.Store(true)
	}
	return n, err
}

// rested says that the connection owes nothing.
func (c *gentleConn) rested() {
	c.since.Store(time.Now().UnixNano())
	c.owes.Store(false)
}

// idle says whether the connection owes nothing for a while, and nothing is on its way in.
func (c *gentleConn) idle(now time.Time) bool {
	var b [1]byte
	if c.owes.Load() || now.Sub(time.Unix(0, c.since.Load())) < leaveTime {
		return false
	}
	n, waiting := socket.Peek(c.raw, b[:])
	return !waiting || n == 0
}

func (c *gentleConn) Close() error {
	c.farewell.mu.Lock()
	delete(c.farewell.conns, c)
	c.farewell.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite lets the server end what it sends before it closes.
func (c *gentleConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
