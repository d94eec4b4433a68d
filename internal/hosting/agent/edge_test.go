package agent_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/platform"
)

func name(t testing.TB, h *agenttest.Host, set string, hosts ...string) {
	t.Helper()
	var sets []string
	if set != "" {
		sets = strings.Split(set, " ")
	}
	if err := h.Name(t.Context(), lease, fabric.Names{Hosts: hosts, Sets: sets}); err != nil {
		t.Fatal(err)
	}
}

// exchange sends bytes to the edge and returns everything that comes back.
func exchange(t testing.TB, addr, request string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // only a test's connection
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("read answer to %q: %v", request, err)
	}
	return string(got)
}

func TestEdge_HandsOverByHostAndServerName(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	for _, id := range []string{"a", "b"} {
		s := setOf(id, platform.Serving, 2)
		apply(t, h, s)
		waitPhase(t, h, s, platform.Ready)
		name(t, h, id, id+".example")
	}
	for host, set := range map[string]string{"a.example": "a", "B.Example:8080": "b", "a.example.": "a"} {
		got := ask(t, h.Info.Edge.HTTP, host)
		if got.Set != set || got.Host != host || got.TLS {
			t.Errorf("host %s: %+v, want set %s", host, got, set)
		}
	}
	for _, id := range []string{"a", "b"} {
		raw, err := net.Dial("tcp", h.Info.Edge.HTTPS)
		if err != nil {
			t.Fatal(err)
		}
		c := tls.Client(raw, &tls.Config{ServerName: id + ".example", InsecureSkipVerify: true}) //nolint:gosec // a test's own certificate
		got := askOn(t, c, id+".example")
		if got.Set != id || !got.TLS {
			t.Errorf("server name %s.example: %+v, want set %s over TLS", id, got, id)
		}
		if want := raw.LocalAddr().String(); got.Client != want {
			t.Errorf("client's address %s, want %s", got.Client, want)
		}
		_ = c.Close()
	}
	// The name moves, and goes.
	name(t, h, "b", "a.example")
	if got := ask(t, h.Info.Edge.HTTP, "a.example").Set; got != "b" {
		t.Errorf("set %s answers a moved name, want b", got)
	}
	name(t, h, "", "a.example")
	if got := exchange(t, h.Info.Edge.HTTP, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 404 ") {
		t.Errorf("a name that is gone: %q, want 404", got)
	}
}

func zeros(n int) string { return strings.Repeat("\x00", n) }

func TestEdge_AnswersItself(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	name(t, h, "none", "x.example") // makes the edge known to run
	body := `{ "statusCode": 404, "message": "Resource not found" }`
	notFound := fmt.Sprintf("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	for request, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: who.example\r\n\r\n": notFound,
		"GET / HTTP/1.0\r\n\r\n":                      notFound,
		"GET / HTTP/1.1\r\n\r\n":                      "HTTP/1.1 400 Bad Request\r\n",
		"GET / HTTP/1.1\r\nHost : x.example\r\n\r\n":  "HTTP/1.1 400 Bad Request\r\n",
		"GET /" + strings.Repeat("a", 17<<10):         "HTTP/1.1 431 Request Header Fields Too Large\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":            "\x00\x00\x00\x04" + zeros(5) + "\x00\x00\x08\x07" + zeros(5+4+3) + "\x0d",
	} {
		if got := exchange(t, h.Info.Edge.HTTP, request); !strings.HasPrefix(got, want) {
			t.Errorf("%.60q: answer %q, want %q", request, got, want)
		}
	}
	c, err := net.Dial("tcp", h.Info.Edge.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()                                                                                   //nolint:errcheck // only a test's connection
	err = tls.Client(c, &tls.Config{ServerName: "who.example", InsecureSkipVerify: true}).Handshake() //nolint:gosec // nothing is shown
	if want := "remote error: tls: unrecognized name"; err == nil || err.Error() != want {
		t.Errorf("handshake for an unknown name: %v, want %s", err, want)
	}
	if got := exchange(t, h.Info.Edge.HTTPS, "GET / HTTP/1.1\r\nHost: x.example\r\n\r\n"); got != "\x15\x03\x03\x00\x02\x02\x32" {
		t.Errorf("plain HTTP on the TLS address: %q, want the alert decode_error", got)
	}
}

// A host of several sets leads to the first of them with a machine that takes connections; those that wait for a set
// that takes none any more are taken back.
func TestEdge_FailsOverToTheNextSet(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	a, b := setOf("a", platform.Parked, 1), setOf("b", platform.Serving, 1)
	name(t, h, "a b", "all.example")
	name(t, h, "a", "a.example")
	waitsAt := func(host string) net.Conn {
		c, err := net.Dial("tcp", h.Info.Edge.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return c
	}
	all, own := waitsAt("all.example"), waitsAt("a.example") // nobody serves: both wait for a
	apply(t, h, a)
	waitPhase(t, h, a, platform.Ready)
	apply(t, h, b)
	if got := answerOn(t, all).Set; got != "b" {
		t.Errorf("a connection that waited for all sets was answered by %s, want b", got)
	}
	if got := ask(t, h.Info.Edge.HTTP, "all.example").Set; got != "b" {
		t.Errorf("a new connection was answered by %s, want b", got)
	}
	a = setOf("a", platform.Serving, 1)
	apply(t, h, a)
	waitMode(t, h, a, platform.Serving)
	if got := answerOn(t, own).Set; got != "a" {
		t.Errorf("a connection that waited for a was answered by %s", got)
	}
	agenttest.Eventually(t, "the preferred set takes over again", func() bool { return ask(t, h.Info.Edge.HTTP, "all.example").Set == "a" })
	if err := h.Delete(t.Context(), lease, "a"); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the other set takes over", func() bool { return ask(t, h.Info.Edge.HTTP, "all.example").Set == "b" })
	inv, err := h.Inventory(t.Context())
	if d := cmp.Diff(map[string][]string{"all.example": {"b"}}, inv.Hosts); d != "" || err != nil {
		t.Errorf("hosts differ, %v (-want +got):\n%s", err, d)
	}
}

// What the edge has handed over waits in the set's queue while there is no machine, and when one dies.
func TestEdge_QueueOutlivesMachines(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	name(t, h, "set", "a.example")
	conns := make([]net.Conn, 20)
	for i := range conns {
		c, err := net.Dial("tcp", h.Info.Edge.HTTP)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // only a test's connection
		conns[i] = c
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"); err != nil {
			t.Fatal(err)
		}
	}
	s := setOf("set", platform.Parked, 1)
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	pid := observe(t, h).Machines["set-0"].PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	apply(t, h, setOf("set", platform.Serving, 1))
	for i, c := range conns {
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, "\r\n"); err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(c)
		if err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
			t.Errorf("connection %d: %q, %v, want 200", i, got, err)
		}
	}
}

// A full queue is answered by 503 after a bounded wait; there is room again when machines take from it.
func TestEdge_FullQueueIsBusy(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	name(t, h, "set", "a.example")
	request := "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n"
	request += "Pad: " + strings.Repeat("p", 15<<10) + "\r\n\r\n"
	answers := make(chan string)
	const clients = 64
	for range clients {
		go func() { answers <- exchange(t, h.Info.Edge.HTTP, request) }()
	}
	busy := <-answers
	if !strings.HasPrefix(busy, "HTTP/1.1 503 ") || !strings.Contains(busy, "\r\nRetry-After: 1\r\n") {
		t.Errorf("answer of a full queue: %q, want 503 with Retry-After", busy)
	}
	apply(t, h, setOf("set", platform.Serving, 1))
	served := 0
	for range clients - 1 {
		if a := <-answers; strings.HasPrefix(a, "HTTP/1.1 200 ") {
			served++
		}
	}
	if served == 0 {
		t.Error("none of those that waited were served")
	}
}

// The edge is restarted when it dies, and told everything again.
func TestEdge_IsRestarted(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, nil)
	s := setOf("set", platform.Serving, 1)
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	hosts := []string{"a.example"}
	for i := range 450 {
		hosts = append(hosts, fmt.Sprintf("host-%d.example", i))
	}
	name(t, h, "set", hosts...)
	pids := pidsOf(t, h.Layout)
	edge := pids["edge"]
	if err := syscall.Kill(edge, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "another edge runs", func() bool {
		p := pidsOf(t, h.Layout)["edge"]
		return p != 0 && p != edge
	})
	name(t, h, "set", "b.example") // returns when the new edge knows everything
	for _, host := range []string{"a.example", "host-449.example", "b.example"} {
		if got := ask(t, h.Info.Edge.HTTP, host).Set; got != "set" {
			t.Errorf("host %s: set %q, want set", host, got)
		}
	}
	inv, err := h.Inventory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(hosts), "b.example")
	slices.Sort(want)
	got := make([]string, 0, len(inv.Hosts))
	for host := range inv.Hosts {
		got = append(got, host)
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
}
