package main

import (
	"net"
	"testing"
)

// A late listener holds what it has accepted back until it is let go.
type late struct {
	net.Listener
	has, let chan struct{}
}

func (l *late) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		close(l.has)
		<-l.let
	}
	return c, err
}

// A connection that is being accepted while the listener closes is one to part from, not one that nobody knows.
func TestFarewell_KnowsWhatIsBeingAccepted(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &late{inner, make(chan struct{}), make(chan struct{})}
	var f farewell
	served := f.listener(l)
	client, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close() //nolint:errcheck // only a test's connection
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			if _, err := served.Accept(); err != nil {
				return
			}
		}
	}()
	<-l.has
	f.close()
	if n := f.closeIdle(); n != 1 {
		t.Errorf("%d connections while one is being accepted, want 1", n)
	}
	close(l.let)
	<-over
	if n := f.closeIdle(); n != 1 {
		t.Errorf("%d connections after one was accepted, want 1", n)
	}
}
