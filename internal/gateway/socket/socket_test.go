package socket_test

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/gateway/socket"
)

func TestPeek(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	a, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	raw, p := socket.Raw(b), make([]byte, 8)
	if n, waiting := socket.Peek(raw, p); n != 0 || waiting {
		t.Fatal("empty:", n, waiting)
	}
	if _, err := a.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	for range 2 { // looking takes nothing away
		until(t, func() bool { n, waiting := socket.Peek(raw, p); return n == 3 && waiting && string(p[:3]) == "abc" })
	}
	if got, err := io.ReadAll(io.LimitReader(b, 3)); string(got) != "abc" || err != nil {
		t.Fatal(string(got), err)
	}
	_ = a.Close()
	until(t, func() bool { n, waiting := socket.Peek(raw, p); return n == 0 && waiting })
	_ = b.Close()
	if _, waiting := socket.Peek(raw, p); waiting {
		t.Fatal("a closed socket has something waiting")
	}
	if _, waiting := socket.Peek(nil, p); waiting {
		t.Fatal("no socket has something waiting")
	}
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if ok() {
			return
		}
	}
	t.Fatal("it did not happen")
}
