package engine_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/portico-dev/portico/internal/gateway/engine"
)

// A machine that has all the connections it takes still says that it is there.
func TestCheck_IsAnsweredWhenAllConnectionsAreTaken(t *testing.T) {
	t.Parallel()
	srv := engine.New(engine.Options{Machine: "m1", Gateway: "1.2.3", Platform: "stv2", MaxConns: 1})
	t.Cleanup(func() { _ = srv.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(l) //nolint:errcheck // ends with the server
	taken, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	const request = "GET /status-0123456789abcdef HTTP/1.1\r\nHost: x\r\n\r\n"
	read := func(c net.Conn) string {
		t.Helper()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(body)
	}
	want := `{"machine":"m1","gateway":"1.2.3","platform":"stv2","seq":0}`
	if got := read(taken); got != want {
		t.Fatalf("client got %s, want %s", got, want)
	}
	ours, theirs := net.Pipe()
	defer ours.Close()
	srv.Check(theirs)
	if got := read(ours); got != want {
		t.Errorf("check got %s, want %s", got, want)
	}
}
