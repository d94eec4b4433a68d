package edge

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent/wire"
)

// startEdge runs an edge until the test ends and returns its addresses.
func startEdge(t *testing.T, opt Options) (plain, secure string) {
	t.Helper()
	ours, theirs, err := wire.Pair()
	if err != nil {
		t.Fatal(err)
	}
	agent, err := wire.NewConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := wire.NewConn(theirs)
	if err != nil {
		t.Fatal(err)
	}
	var files []*wire.Handle
	var addrs []string
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := wire.Take(l.(*net.TCPListener))
		if err != nil {
			t.Fatal(err)
		}
		files, addrs = append(files, f), append(addrs, l.Addr().String())
		_ = l.Close()
	}
	if err := agent.Send(wire.ToEdge{Listen: true}, time.Minute, files...); err != nil {
		t.Fatal(err)
	}
	wire.CloseAll(files)
	if err := agent.Send(wire.ToEdge{Open: true}, time.Minute); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, conn, opt) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("edge: %v", err)
		}
		_ = agent.Close()
	})
	return addrs[0], addrs[1]
}

// say sends bytes and returns what comes back before the edge closes.
func say(t *testing.T, addr, bytes string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, bytes); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read answer to %q: %v", bytes, err)
	}
	return string(got)
}

func TestServe_SlowHeadsAreEnded(t *testing.T) {
	t.Parallel()
	plain, secure := startEdge(t, Options{HeadTime: 50 * time.Millisecond})
	if got := say(t, plain, "GET / HTTP/1.1\r\n"); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("half a head: %q, want 408", got)
	}
	for name, got := range map[string]string{
		"nothing, plain": say(t, plain, ""), "nothing, TLS": say(t, secure, ""), "half a hello": say(t, secure, "\x16\x03\x01"),
	} {
		if got != "" {
			t.Errorf("%s: answer %q, want none", name, got)
		}
	}
}

// With all slots taken, others wait in the kernel queue and are served when one is free.
func TestServe_WaitingHeadsAreBounded(t *testing.T) {
	t.Parallel()
	plain, _ := startEdge(t, Options{Waiting: 1})
	first, err := net.Dial("tcp", plain)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close() //nolint:errcheck // only a test's connection
	if _, err := io.WriteString(first, "GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	second := make(chan string, 1)
	go func() { second <- say(t, plain, "GET / HTTP/1.0\r\n\r\n") }()
	if _, err := io.WriteString(first, "Host: a\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if got := <-second; !strings.HasPrefix(got, "HTTP/1.1 404 ") {
		t.Errorf("second client: %q, want 404", got)
	}
}

// A connection whose set is replaced while it is handed over goes to the one that took its place.
func TestPass_FollowsAReplacedIntake(t *testing.T) {
	t.Parallel()
	s := &server{opt: Options{}.withDefaults(), table: newTable()}
	defer s.table.close()
	var recv *wire.Handle
	replace := func() {
		var files []*wire.Handle
		for range 2 {
			send, r, err := wire.Pair()
			if err != nil {
				t.Fatal(err)
			}
			recv, files = r, append(files, send)
		}
		if err := s.table.change(wire.ToEdge{Set: "set", Hosts: []string{"a"}}, []*wire.Handle{recv, recv, files[0], files[1]}); err != nil {
			t.Fatal(err)
		}
	}
	replace()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only a test's listener
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	tries := 0
	err = s.pass(t.Context(), "a", func(to *set) *intake {
		if tries++; tries == 1 {
			replace()
		}
		return to.secure
	}, c.(*net.TCPConn), []byte("head"))
	if err != nil || tries != 2 {
		t.Fatalf("pass: %v after %d tries, want none after 2", err, tries)
	}
	uc, err := recv.Packets()
	if err != nil {
		t.Fatal(err)
	}
	defer uc.Close() //nolint:errcheck // only a test's channel
	data, files, err := wire.ReadPacket(uc, make([]byte, 64), make([]byte, 64))
	if err != nil || string(data) != "\x01head" || len(files) != 1 {
		t.Errorf("the new intake got %q with %d descriptors, %v", data, len(files), err)
	}
	wire.CloseAll(files)
}
