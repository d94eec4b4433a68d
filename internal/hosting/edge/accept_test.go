package edge

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
)

// taken is a listener that has taken connections already.
type taken struct {
	net.Listener
	conns []net.Conn
}

func (l *taken) Accept() (net.Conn, error) {
	if len(l.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := l.conns[0]
	l.conns = l.conns[1:]
	return c, nil
}

// What the edge has taken when it stops is routed like anything else, also when all slots are in use: nobody else has it.
func TestAccept_ServesWhatItHasTaken(t *testing.T) {
	t.Parallel()
	real, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer real.Close() //nolint:errcheck // only a test's listener
	const n = 50
	l := &taken{Listener: real}
	for range n {
		c, err := net.Dial("tcp", real.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // only a test's connection
		got, err := real.Accept()
		if err != nil {
			t.Fatal(err)
		}
		l.conns = append(l.conns, got)
	}
	s := newServer(Options{}.withDefaults())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var served atomic.Int32
	s.accept(ctx, l, make(chan struct{}, 2), func(*net.TCPConn) { served.Add(1) })
	s.conns.Wait()
	if served.Load() != n {
		t.Errorf("%d of %d connections were served", served.Load(), n)
	}
}
