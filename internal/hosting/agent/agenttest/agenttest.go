// Package agenttest runs a real agent, with real processes, for tests. The processes are the test binary itself:
// TestMain calls Main, which becomes an edge, a machine or an agent when the command line says so.
package agenttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/hosting/edge"
	"github.com/portico-dev/portico/internal/hosting/fabric/local"
	"github.com/portico-dev/portico/internal/hosting/guest"
)

// First arguments that make the test binary one of the processes.
const (
	argMachine = "portico-test-machine"
	argEdge    = "portico-test-edge"
	argHost    = "portico-test-host"
)

// Version is the gateway version of test machines.
const Version = "test-1"

// Main is the body of TestMain. Machines answer every request with an Answer.
func Main(m *testing.M) { MainWith(m, answer) }

// A NewHandler makes what a machine does with requests.
type NewHandler func(*guest.Guest) http.Handler

// MainWith is Main for machines that do something else.
func MainWith(m *testing.M, handler NewHandler) {
	if len(os.Args) < 2 {
		os.Exit(m.Run())
	}
	var run func(context.Context, *slog.Logger) error
	switch os.Args[1] {
	case argMachine:
		run = func(ctx context.Context, log *slog.Logger) error { return runMachine(ctx, log, handler) }
	case argEdge:
		run = func(ctx context.Context, log *slog.Logger) error {
			return edge.Run(ctx, edge.Options{Version: Version, Log: log})
		}
	case argHost:
		run = runHost
	default:
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:gocritic // the process ends here
	}
	os.Exit(0)
}

func runMachine(ctx context.Context, log *slog.Logger, handler NewHandler) error {
	g, err := guest.Attach(log)
	if err != nil {
		return err
	}
	h, err := newGateway(g, handler(g))
	if err != nil {
		return err
	}
	if g.Config().Machine.Gateway == "hang" {
		<-make(chan struct{}) // listens to nobody until it is killed
	}
	g.Runs(runs(g))
	if crashes(g) {
		os.Exit(3)
	}
	if g.Config().Machine.Gateway == "picky" {
		g.Refused("/apis/a: too new")
	}
	g.Ready(7, "digest-7")
	return g.Run(ctx, h)
}

// runs is the version that a machine says it runs: the one it is asked for, or Version when that is left open.
func runs(g *guest.Guest) string { return cmp.Or(g.Config().Machine.Gateway, Version) }

// crashes makes a machine with the gateway version "crash" end before it is ready, until there is a file "mended" in
// its cache folder's parent.
func crashes(g *guest.Guest) bool {
	if g.Config().Machine.Gateway != "crash" {
		return false
	}
	_, err := os.Stat(g.Config().Cache + "/../mended")
	return err != nil
}

func runHost(ctx context.Context, log *slog.Logger) error {
	l, err := config.OpenLayout(os.Args[2])
	if err != nil {
		return err
	}
	opt := options(l, log)
	for _, s := range os.Args[3:] {
		name, value, _ := strings.Cut(s, "=")
		switch name {
		case "version":
			opt.Version = value
		case "gap":
			var err error
			if opt.GapTime, err = time.ParseDuration(value); err != nil {
				return err
			}
		default:
			opt.Settings = map[string]string{name: value}
		}
	}
	return agent.Run(ctx, opt)
}

func options(l config.Layout, log *slog.Logger) agent.Options {
	return agent.Options{
		Layout: l, Publish: "publish.sock", Key: []byte("key"), Version: Version, QueueTime: time.Minute, // a busy host takes its time to start a process
		DrainTimeout: 10 * time.Second, Command: Command, Log: log,
	}
}

// Command is the command line of a kind of process. The version "missing" is not there.
func Command(kind, version string) ([]string, error) {
	switch {
	case kind == agent.KindEdge:
		return []string{os.Args[0], argEdge}, nil
	case version == "missing":
		return nil, errors.New("gateway missing is not installed")
	}
	return []string{os.Args[0], argMachine}, nil
}

// HostCommand is the command line of an agent process for a folder, with settings: "name=value". The
// one named version is of its program, the one named gap its GapTime.
func HostCommand(l config.Layout, settings ...string) []string {
	return append([]string{os.Args[0], argHost, l.Dir}, settings...)
}

// Layout makes a data folder that is gone, with all its processes, when the test ends.
func Layout(t testing.TB) config.Layout {
	t.Helper()
	l, err := config.OpenLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := agent.StopAll(ctx, l); err != nil {
			t.Errorf("stop all: %v", err)
		}
		removeSockets(t, l)
		if t.Failed() {
			printLogs(t, l)
		}
	})
	return l
}

// removeSockets removes the folder of sockets, where that is not in the data folder.
func removeSockets(t testing.TB, l config.Layout) {
	t.Helper()
	dir, err := l.SocketDir()
	if err == nil && dir != l.Run() {
		err = os.Remove(dir)
	}
	if err != nil {
		t.Errorf("sockets are left: %v", err)
	}
}

func printLogs(t testing.TB, l config.Layout) {
	t.Helper()
	entries, err := os.ReadDir(l.Logs())
	if err != nil {
		t.Log(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(l.Logs() + "/" + e.Name())
		if err != nil {
			t.Log(err)
		}
		t.Logf("%s:\n%s", e.Name(), data)
	}
}

// A Host is a running agent in this process, with its edge and machines in others.
type Host struct {
	*local.Fabric
	Layout config.Layout
	Info   local.Info
}

// Start runs an agent until the test ends. Change, which may be nil, adapts its options.
func Start(t testing.TB, change func(*agent.Options)) *Host {
	t.Helper()
	l := Layout(t)
	opt := options(l, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if change != nil {
		change(&opt)
	}
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(context.Background(), opt) }()
	h := Connect(t, l)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.Stop(ctx); err != nil {
			t.Errorf("stop agent: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	return h
}

// Connect waits for the agent of a folder.
func Connect(t testing.TB, l config.Layout) *Host {
	t.Helper()
	socket, err := l.Socket(wire.AgentSocket)
	if err != nil {
		t.Fatal(err)
	}
	h := &Host{Fabric: local.New(socket), Layout: l}
	t.Cleanup(h.Close)
	Eventually(t, "the agent answers", func() bool {
		h.Info, err = h.Ping(t.Context())
		return err == nil
	})
	return h
}

// Eventually asks again and again until ok, and fails the test when that takes too long.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}
