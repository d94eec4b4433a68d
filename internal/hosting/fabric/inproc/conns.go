package inproc

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// conns counts the connections of a server that a request may be on. http.Server.Shutdown will not do for draining: it
// closes connections whose request it has just read.
type conns struct {
	mu      sync.Mutex
	busy    map[net.Conn]bool
	changed chan struct{} // gets a value when busy has shrunk
}

func newConns() *conns {
	return &conns{busy: map[net.Conn]bool{}, changed: make(chan struct{}, 1)}
}

// state is the server's ConnState hook.
func (c *conns) state(conn net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateNew, http.StateActive:
		c.busy[conn] = true
	case http.StateIdle, http.StateHijacked, http.StateClosed:
		delete(c.busy, conn)
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// wait returns when no request can be under way, or when ctx ends.
func (c *conns) wait(ctx context.Context) {
	for {
		c.mu.Lock()
		n := len(c.busy)
		c.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-c.changed:
		case <-ctx.Done():
			return
		}
	}
}
