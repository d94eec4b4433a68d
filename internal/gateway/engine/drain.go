package engine

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// tick is how often a draining engine looks for connections whose time is over.
const tick = 20 * time.Millisecond

// Drain ends a machine without failing a request: it closes the listeners, goes on serving, and ends each connection
// with its next answer. An idle connection has DrainIdle for its next request, then it ends unless one is arriving.
// Drain returns when no connection is left, or when ctx ends, with an error that says what is left.
//
// With other machines on the same kernel queue nothing is lost when a listener closes. Whoever holds the last one
// loses the connections that were not accepted yet; fabrics keep a copy of it.
func (s *Server) Drain(ctx context.Context) error {
	s.draining.Store(true)
	s.mu.Lock()
	sources := make([]*source, 0, len(s.sources))
	for _, src := range s.sources {
		sources = append(sources, src)
	}
	s.noteEmpty()
	s.mu.Unlock()
	for _, src := range sources {
		if err := src.close(); err != nil {
			s.log.WarnContext(ctx, "close listener", slog.Any("error", err))
		}
	}
	began := time.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-s.empty:
			return nil
		case <-ctx.Done():
			st := s.Stats()
			return fmt.Errorf("drain: %d connections and %d requests are left: %w", st.Conns, st.Active, ctx.Err())
		case now := <-ticker.C:
			s.endIdle(now, began)
		}
	}
}

// endIdle nudges connections that have been idle for long enough since the drain began.
func (s *Server) endIdle(now, began time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.conns {
		since := w.idle.Load()
		if since != 0 && now.Sub(later(time.Unix(0, since), began)) >= s.opt.DrainIdle {
			w.nudge()
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Close ends everything at once: listeners, connections, requests in progress.
func (s *Server) Close() error {
	s.draining.Store(true)
	s.mu.Lock()
	s.closed = true
	for _, src := range s.sources {
		_ = src.close()
	}
	s.noteEmpty()
	s.mu.Unlock()
	s.stopOnce.Do(func() { close(s.stopped) })
	err := s.http.Close()
	s.mu.Lock()
	for w := range s.conns {
		_ = w.Conn.Close() // also those in their greeting or lingering, of which net/http does not know
	}
	s.mu.Unlock()
	s.background.Wait()
	if s.tenants != nil {
		s.tenants.close()
	}
	return err
}

func (s *Server) addSource(l net.Listener, src *source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining.Load() {
		return false
	}
	s.sources[l] = src
	return true
}

func (s *Server) removeSource(l net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sources, l)
	s.noteEmpty()
}

func (s *Server) add(w *wire) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns[w] = struct{}{}
	select {
	case <-s.stopped:
		return false
	default:
		return true
	}
}

func (s *Server) remove(w *wire) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.conns[w]; !ok {
		return
	}
	delete(s.conns, w)
	<-s.slots
	s.noteEmpty()
}

// noteEmpty is called with mu held.
func (s *Server) noteEmpty() {
	if !s.draining.Load() || len(s.conns) > 0 || len(s.sources) > 0 {
		return
	}
	select {
	case <-s.empty:
	default:
		close(s.empty)
	}
}

// ending reports whether a connection's next answer should be its last.
func (s *Server) ending(w *wire) bool {
	return s.draining.Load() || w != nil && w.from.closing.Load()
}

// connState keeps the idle marks of connections.
func (s *Server) connState(c net.Conn, state http.ConnState) {
	w := wireOf(c)
	if w == nil {
		return
	}
	switch state {
	case http.StateActive:
		w.setIdle(false)
	case http.StateIdle:
		w.setIdle(true)
	case http.StateNew, http.StateHijacked, http.StateClosed:
	}
}

type wireKey struct{}

func connContext(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, wireKey{}, wireOf(c))
}
