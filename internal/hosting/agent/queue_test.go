package agent_test

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
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
	mended := filepath.Join(filepath.Dir(h.Layout.MachineCache(s.Machines[0].ID)), "mended")
	if err := os.MkdirAll(filepath.Dir(mended), 0o700); err != nil {
		t.Fatal(err)
	}
	mend := func() {
		t.Helper()
		if err := os.WriteFile(mended, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mend()
	apply(t, h, s)
	name(t, h, "pool", "shop.example")
	waitPhase(t, h, s, platform.Asleep)

	if err := os.Remove(mended); err != nil {
		t.Fatal(err)
	}
	const request = "GET / HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
	for range 3 { // the first waits for as long as it may
		got := exchange(t, h.Info.Edge.HTTP, request)
		if !strings.HasPrefix(got, "HTTP/1.1 503 ") || !strings.Contains(got, "\r\nRetry-After: 1\r\n") {
			t.Errorf("answer %q, want 503 with Retry-After", got)
		}
	}
	c, err := net.Dial("tcp", h.Info.Edge.HTTPS)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()                                                                                    //nolint:errcheck // only a test's connection
	err = tls.Client(c, &tls.Config{ServerName: "shop.example", InsecureSkipVerify: true}).Handshake() //nolint:gosec // nothing is shown
	if want := "remote error: tls: internal error"; err == nil || err.Error() != want {
		t.Errorf("over TLS: %v, want %s", err, want)
	}
	mend()
	agenttest.Eventually(t, "the machine serves again", func() bool {
		return strings.HasPrefix(exchange(t, h.Info.Edge.HTTP, request), "HTTP/1.1 200 ")
	})
}
