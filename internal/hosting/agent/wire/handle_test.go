package wire

import (
	"errors"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func open(fd int) bool {
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil
}

func TestHandle_IsOpenWhileItIsUsed(t *testing.T) {
	t.Parallel()
	a, b, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close() //nolint:errcheck // only a test's channel
	err = a.Use(func(fd int) error {
		if err := a.Close(); err != nil {
			t.Errorf("close while it is used: %v", err)
		}
		if !open(fd) {
			t.Error("the descriptor was closed while it was used")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for name, err := range map[string]error{"use": a.Use(func(int) error { return nil }), "close": a.Close()} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s after close: %v, want os.ErrClosed", name, err)
		}
	}
	if _, err := a.Dup(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("duplicate after close: %v, want os.ErrClosed", err)
	}
	if f := a.File(); f != nil {
		t.Error("a closed handle became a file")
	}
}

// A listener that is opened has a descriptor of its own, so that the handle can be passed on while it accepts.
func TestHandle_ListenerLeavesTheHandle(t *testing.T) {
	t.Parallel()
	first, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h, err := Take(first.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close() //nolint:errcheck // only a test's listener
	_ = first.Close()
	for range 2 {
		l, err := h.Listener()
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = got.Close(), c.Close(), l.Close()
	}
}
