package guest

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// short is a listening socket on whose queue few may wait.
func short(t *testing.T, places int) (*wire.Handle, *net.TCPListener) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	raw, err := l.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var h *wire.Handle
	if err := raw.Control(func(fd uintptr) {
		own, err := unix.Dup(int(fd))
		if err != nil {
			t.Error(err)
			return
		}
		h = wire.NewHandle(own)
		if err := unix.Listen(own, places); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h, l
}

func TestQueued_IsTheFullestQueue(t *testing.T) {
	t.Parallel()
	a, la := short(t, 8)
	b, lb := short(t, 4)
	send, recv, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wire.CloseAll([]*wire.Handle{send, recv}) })
	s := &serving{
		vips:   map[string]*accepted{"a": {files: []*wire.Handle{a}}, "b": {files: []*wire.Handle{b}}},
		intake: &accepted{files: []*wire.Handle{recv, send}},
	}
	check := func(what string, want int) {
		t.Helper()
		if got := s.queued(); got != want {
			t.Errorf("%s: %d %% full, want %d", what, got, want)
		}
	}
	check("nobody waits", 0)
	dial := func(l *net.TCPListener) {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	for range 3 {
		dial(la)
	}
	check("three of eight wait", 37)
	for range 2 {
		dial(lb)
	}
	check("two of four wait", 50)
	for range 2 {
		c, err := lb.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	check("two have been accepted", 37)

	uc, err := send.Packets()
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close() //nolint:errcheck // the test is over
	packet := make([]byte, 16<<10)
	for s.queued() <= 50 {
		if _, err := uc.Write(packet); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := wire.NewConn(recv)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close() // with it goes what nobody has read
	s.intake = nil
	check("the intake is given back", 37)
}
