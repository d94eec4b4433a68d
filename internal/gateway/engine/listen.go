package engine

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/portico-dev/portico/internal/gateway/socket"
)

// A source is a listener from which connections come.
type source struct {
	listener net.Listener
	closing  atomic.Bool // its connections end with their next answer
}

func (s *source) close() error {
	if s.closing.Swap(true) {
		return nil
	}
	return s.listener.Close()
}

// Serve accepts plain HTTP connections until the listener is closed by StopListener, Drain or Close; then it returns
// nil. Any number of listeners can be served at once.
func (s *Server) Serve(l net.Listener) error { return s.accept(l, false) }

// ServeTLS is Serve with TLS; certificates come from the snapshot by the name the client asks for.
func (s *Server) ServeTLS(l net.Listener) error { return s.accept(l, true) }

// StopListener closes one listener. Connections that came through it are answered with Connection: close from now on
// and otherwise left alone; the others do not notice.
func (s *Server) StopListener(l net.Listener) error {
	s.mu.Lock()
	src := s.sources[l]
	s.mu.Unlock()
	if src == nil {
		return l.Close()
	}
	return src.close()
}

func (s *Server) accept(l net.Listener, secure bool) error {
	src := &source{listener: l}
	if !s.addSource(l, src) {
		return errors.Join(net.ErrClosed, l.Close())
	}
	defer s.removeSource(l)
	for wait := time.Duration(0); ; {
		s.slots <- struct{}{}
		c, err := l.Accept()
		if err == nil {
			wait = 0
			s.begin(c, src, secure)
			continue
		}
		<-s.slots
		if src.closing.Load() {
			return nil
		}
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) && !errors.Is(err, syscall.ECONNABORTED) {
			return err
		}
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.log.Warn("accept", slog.Any("error", err))
		time.Sleep(wait)
	}
}

// begin registers a connection and hands it to net/http, after the TLS greeting where there is one.
func (s *Server) begin(c net.Conn, src *source, secure bool) {
	w := &wire{Conn: c, srv: s, from: src, raw: socket.Raw(c)}
	w.setIdle(true)
	if !s.add(w) {
		_ = w.release()
		return
	}
	if !secure {
		s.hand(&guard{Conn: w, wire: w, frame: framing{max: s.opt.HeadBytes + headSlop}})
		return
	}
	w.phase = greeting
	if !s.spawn(func() { s.greet(w) }) {
		_ = w.release()
	}
}

// spawn runs f in the background, for which Close waits. It returns false when the server has been closed.
func (s *Server) spawn(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.background.Go(f)
	}
	return !s.closed
}

// headSlop is what net/http reads beyond its limit of a head.
const headSlop = 8 << 10

// greet does the TLS handshake. Until the first byte the connection is as idle as any; then the handshake has its
// time, and what follows it is idle again.
func (s *Server) greet(w *wire) {
	t := tls.Server(w, s.tls)
	if err := w.SetDeadline(time.Now().Add(s.opt.HandshakeTimeout)); err != nil {
		_ = w.Close()
		return
	}
	if err := t.Handshake(); err != nil {
		s.log.Debug("tls handshake", slog.Any("error", err))
		_ = w.Close()
		return
	}
	if err := w.SetDeadline(time.Time{}); err != nil {
		_ = w.Close()
		return
	}
	w.setIdle(true)
	if t.ConnectionState().NegotiatedProtocol == "h2" {
		w.lastRead.Store(time.Now().UnixNano())
		w.phase = http2
		s.hand(t)
		return
	}
	w.phase = http1
	g := &guard{Conn: t, wire: w, tls: t, frame: framing{max: s.opt.HeadBytes + headSlop}, mark: w.received}
	s.hand(&tlsGuard{g})
}

func (s *Server) hand(c net.Conn) {
	select {
	case s.accepted <- c:
	case <-s.stopped:
		_ = c.Close()
	}
}

// Check serves a connection that is no client's: it needs none of the slots of connections, and no drain waits for it.
func (s *Server) Check(c net.Conn) { s.hand(c) }

// handover is the listener that net/http sees.
type handover struct {
	conns <-chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.done:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.done) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.TCPAddr{} }
