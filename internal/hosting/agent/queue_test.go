package agent_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/platform"
)

// A worker that cannot wake keeps nobody waiting for longer than the bound, and serves again when it can.
func TestQueue_IsRefusedWhenNobodyTakesIt(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.QueueTime = 100 * time.Millisecond })
	s := setOf("pool", platform.Serving, 1)
	s.Platform, s.Sleep, s.Machines[0].Gateway = platform.MTv1, 30*time.Millisecond, "crash"
	mended := mender(t, h, s)
	mended(true)
	apply(t, h, s)
	name(t, h, "pool", "shop.example")
	waitPhase(t, h, s, platform.Asleep)

	mended(false)
	for range 3 { // the first waits for as long as it may
		refused(t, h.Info.Edge.HTTP, request)
	}
	refusedTLS(t, h.Info.Edge.HTTPS)
	mended(true)
	servesAgain(t, h.Info.Edge.HTTP)
}

const request = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"

// mender has the machines of a set that crash start, or crash again.
func mender(t testing.TB, h *agenttest.Host, s platform.Set) func(bool) {
	t.Helper()
	path := filepath.Join(filepath.Dir(h.Layout.MachineCache(s.Machines[0].ID)), "mended")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	return func(mended bool) {
		t.Helper()
		err := os.WriteFile(path, nil, 0o600)
		if !mended {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func refused(t testing.TB, addr, request string) {
	t.Helper()
	const want = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 73\r\nRetry-After: 1\r\n" +
		"Connection: close\r\n\r\n" + `{ "statusCode": 503, "message": "The service is busy. Try again later." }`
	if got := exchange(t, addr, request); got != want {
		t.Errorf("%q is answered with %q, want %q", request, got, want)
	}
}

func refusedTLS(t testing.TB, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()                                                                                    //nolint:errcheck // only a test's connection
	err = tls.Client(c, &tls.Config{ServerName: "shop.example", InsecureSkipVerify: true}).Handshake() //nolint:gosec // nothing is shown
	if want := "remote error: tls: internal error"; err == nil || err.Error() != want {
		t.Errorf("over TLS: %v, want %s", err, want)
	}
}

func servesAgain(t testing.TB, addr string) {
	t.Helper()
	agenttest.Eventually(t, "a machine serves again on "+addr, func() bool {
		return strings.HasPrefix(exchange(t, addr, request), "HTTP/1.1 200 ")
	})
}

// unserved is a service with one machine, which crashes until it is mended, and the two addresses at which it is called.
func unserved(t testing.TB, h *agenttest.Host) (s platform.Set, v platform.VIP, mended func(bool), addrs []string) {
	t.Helper()
	s = setOf("set", platform.Serving, 1)
	s.Machines[0].Gateway = "crash"
	mended = mender(t, h, s)
	apply(t, h, s)
	v = reserve(t, h, "vip")
	v.Sets = []string{s.ID}
	if err := h.Route(t.Context(), lease, v); err != nil {
		t.Fatal(err)
	}
	name(t, h, s.ID, "shop.example")
	return s, v, mended, []string{plainAddr(h, v), h.Info.Edge.HTTP}
}

// A service with machines of its own of which none takes connections keeps nobody waiting for longer than its bound, on
// its address and at the edge; also when the edge is started again. Where a machine takes them they wait no more.
func TestGap_IsBounded(t *testing.T) {
	t.Parallel()
	h := agenttest.Start(t, func(o *agent.Options) { o.QueueTime, o.GapTime = time.Hour, 100*time.Millisecond })
	s, v, mended, addrs := unserved(t, h)
	for _, addr := range addrs { // the first waits for as long as it may
		refused(t, addr, request)
		refused(t, addr, request)
	}
	refused(t, addrs[0], "GET / HTTP/1.0\r\n\r\n") // whatever the host: the address is the service's
	for _, addr := range []string{net.JoinHostPort(v.Address, h.Info.VIPs.HTTPS), h.Info.Edge.HTTPS} {
		refusedTLS(t, addr)
	}
	pid := pidsOf(t, h.Layout)["edge"]
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		agenttest.Eventually(t, "another edge answers on "+addr, func() bool { return answered503(addr) })
	}

	mended(true)
	for _, addr := range addrs {
		servesAgain(t, addr)
	}
	mended(false)
	if err := h.Kill(t.Context(), s.Machines[0].ID); err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs {
		agenttest.Eventually(t, "requests are refused again on "+addr, func() bool { return answered503(addr) })
	}
}

// answered503 is false for a request that is lost with a process that has just been killed.
func answered503(addr string) bool {
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(&http.Request{URL: &url.URL{Scheme: "http", Host: addr}, Host: "shop.example"})
	if err != nil {
		return false
	}
	_ = res.Body.Close()
	return res.StatusCode == http.StatusServiceUnavailable
}
