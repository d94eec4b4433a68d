package local_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/fabric"
	"github.com/portico-dev/portico/internal/hosting/fabric/fabrictest"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
	"github.com/portico-dev/portico/internal/hosting/guest"
	"github.com/portico-dev/portico/internal/platform"
)

func TestMain(m *testing.M) {
	agenttest.MainWith(m, func(g *guest.Guest) http.Handler { return fabrictest.Handler(g.Config().Machine.ID) })
}

func TestFabric_PassesTheSuite(t *testing.T) {
	t.Parallel()
	fabrictest.Run(t, func(t *testing.T) fabrictest.Fixture {
		h := agenttest.Start(t, nil)
		return fabrictest.Fixture{
			Fabric: h.Fabric,
			Dial: func(ctx context.Context, address string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(address, h.Info.VIPs.HTTP))
			},
			Kill: func(id string) {
				o, err := h.Observe(t.Context())
				if err == nil {
					err = syscall.Kill(o.Machines[id].PID, syscall.SIGKILL)
				}
				if err != nil {
					t.Errorf("kill machine %s: %v", id, err)
				}
			},
		}
	})
}

func TestFabric_WithoutAnAgent(t *testing.T) {
	t.Parallel()
	f := local.New(filepath.Join(t.TempDir(), "none.sock"))
	if _, err := f.Ping(t.Context()); !errors.Is(err, local.ErrUnavailable) {
		t.Errorf("ping: %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Wait(ctx, 0); !errors.Is(err, context.Canceled) || errors.Is(err, local.ErrUnavailable) {
		t.Errorf("wait with an ended context: %v, want context.Canceled alone", err)
	}
	if _, err := f.Observe(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("observe with an ended context: %v, want context.Canceled", err)
	}
}

// Calls wait for an agent that is about to be there.
func TestFabric_WaitsForTheNextAgent(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	socket, err := l.Socket(wire.AgentSocket)
	if err != nil {
		t.Fatal(err)
	}
	f := local.New(socket)
	defer f.Close()
	asked := make(chan error)
	go func() { _, err := f.Observe(t.Context()); asked <- err }()
	again, err := agent.Ensure(t.Context(), l, agent.Detached(l, agenttest.HostCommand(l)...))
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if err := <-asked; err != nil {
		t.Errorf("observe while the agent starts: %v", err)
	}
}

// A call waits no longer than its context, also on an agent that hangs.
func TestFabric_HonoursContexts(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "a.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // only a test's listener
	f := local.New(l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := f.Apply(ctx, fabric.Lease{}, platform.Set{ID: "s"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("apply: %v, want context.DeadlineExceeded", err)
	}
}

// An answer that is not the agent's is an error, never an empty result.
func TestFabric_StrangeAnswers(t *testing.T) {
	t.Parallel()
	for body, status := range map[string]int{"": 200, "{}": 200, "<html>": 200, "oops": 502, `{"message":"no code"}`: 409} {
		l, err := net.Listen("unix", filepath.Join(t.TempDir(), "a.sock"))
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		})}
		ended := make(chan struct{})
		go func() { defer close(ended); _ = srv.Serve(l) }()
		f := local.New(l.Addr().String())
		if _, err := f.Observe(t.Context()); err == nil {
			t.Errorf("observe of %d %q: no error", status, body)
		}
		if _, err := f.Ping(t.Context()); err == nil {
			t.Errorf("ping of %d %q: no error", status, body)
		}
		f.Close()
		_ = srv.Close()
		<-ended
	}
}
