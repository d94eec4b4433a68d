package agent_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/portico-dev/portico/internal/config"
	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/platform"
)

// pidsOf reads the processes of a folder: "agent" and the names of others.
func pidsOf(t testing.TB, l config.Layout) map[string]int {
	t.Helper()
	data, err := os.ReadFile(l.AgentState())
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Agent     struct{ PID int }
		Processes []struct {
			Name string
			PID  int
		}
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{"agent": list.Agent.PID}
	for _, p := range list.Processes {
		pids[p.Name] = p.PID
	}
	return pids
}

// running reports whether a process runs. One that has ended and was not waited for by its parent does not.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err == nil {
		// Of a process whose first thread has ended others may still be on their way out, with its sockets.
		threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		return len(threads) > 1 || !strings.Contains(string(stat), ") Z ")
	}
	return !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// startHost starts an agent as a process of its own.
func startHost(t testing.TB, l config.Layout) *agenttest.Host {
	t.Helper()
	return startHostWith(t, l)
}

// startHostWith is startHost with settings, each "name=value".
func startHostWith(t testing.TB, l config.Layout, settings ...string) *agenttest.Host {
	t.Helper()
	f, err := agent.Ensure(t.Context(), l, agent.Detached(l, agenttest.HostCommand(l, settings...)...))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	return agenttest.Connect(t, l)
}

func servingVIP(t testing.TB, h *agenttest.Host) platform.VIP {
	t.Helper()
	s := setOf("set", platform.Serving, 2)
	apply(t, h, s)
	v := reserve(t, h, "vip")
	waitPhase(t, h, s, platform.Ready)
	route(t, h, v, "set")
	name(t, h, "set", "a.example")
	return v
}

func TestEnsure_FindsTheRunningAgent(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	h.Close() // the control plane goes away
	again, err := agent.Ensure(t.Context(), l, func() (<-chan error, error) {
		return nil, errors.New("an agent runs already")
	})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	info, err := again.Ping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(h.Info, info); diff != "" {
		t.Errorf("info (-before +after):\n%s", diff)
	}
	if got := ask(t, plainAddr(h, v), "x").Set; got != "set" {
		t.Errorf("set %q answers, want set", got)
	}
}

func TestEnsure_TellsWhyTheAgentEnded(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	_, err := agent.Ensure(t.Context(), l, agent.Detached(l, "/bin/sh", "-c", "exit 4"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 {
		t.Errorf("ensure: %v, want exit status 4", err)
	}
}

func TestStopAll_LeavesNothing(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	servingVIP(t, h)
	pids := pidsOf(t, l)
	if len(pids) != 4 {
		t.Fatalf("processes %v, want agent, edge and two machines", pids)
	}
	for range 2 { // the second time there is nothing to stop
		if err := agent.StopAll(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	checkNothingLeft(t, l, pids)
}

func checkNothingLeft(t testing.TB, l config.Layout, pids map[string]int) {
	t.Helper()
	for name, pid := range pids {
		agenttest.Eventually(t, name+" is gone", func() bool { return !running(pid) })
	}
	dir, err := l.SocketDir()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "agent.lock" {
			t.Errorf("%s is left in the run folder", e.Name())
		}
	}
}

func TestStopAll_StopsWhatAKilledAgentLeft(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	servingVIP(t, startHost(t, l))
	pids := pidsOf(t, l)
	if err := syscall.Kill(pids["agent"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := agent.StopAll(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	checkNothingLeft(t, l, pids)
}

// A process that has the number of a listed one, and is not it, is left alone.
func TestStopAll_SparesAnotherProcessOfTheSameNumber(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	servingVIP(t, h)
	pids := pidsOf(t, l)
	for _, n := range []string{"agent", "edge", "set-0", "set-1"} {
		if err := syscall.Kill(pids[n], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	other := startOther(t, l, pids)
	if err := agent.StopAll(t.Context(), l); err != nil {
		t.Fatal(err)
	}
	if !running(other) {
		t.Errorf("process %d was ended", other)
	}
}

// startOther starts a process that has nothing to do with the folder, and makes the list of processes name its number
// for all of them.
func startOther(t testing.TB, l config.Layout, pids map[string]int) int {
	t.Helper()
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = other.Wait() }()
	t.Cleanup(func() { _ = other.Process.Kill(); <-ended })
	data, err := os.ReadFile(l.AgentState())
	if err != nil {
		t.Fatal(err)
	}
	for name, pid := range pids {
		if name != "agent" {
			data = bytes.ReplaceAll(data, fmt.Appendf(nil, `"pid": %d,`, pid), fmt.Appendf(nil, `"pid": %d,`, other.Process.Pid))
		}
	}
	if err := os.WriteFile(l.AgentState(), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return other.Process.Pid
}

// secretOf finds the secret of a process in a list.
func secretOf(t testing.TB, data []byte, name string) string {
	t.Helper()
	var list struct {
		Processes []struct{ Name, Secret string }
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Processes {
		if p.Name == name && p.Secret != "" {
			return p.Secret
		}
	}
	t.Fatalf("%s has no secret in %s", name, data)
	return ""
}

// startingAgent stands in for an agent that has the folder and does not answer yet. answer lets it answer; it gives the
// folder up when it is told to stop.
func startingAgent(t *testing.T, l config.Layout) (answer func(), stopped chan struct{}) {
	t.Helper()
	f, err := os.OpenFile(l.AgentLock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // closed before, if it was stopped
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	socket, err := l.Socket(wire.AgentSocket)
	if err != nil {
		t.Fatal(err)
	}
	stopped = make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathStop {
			close(stopped)
			_ = f.Close()
		}
		_, _ = w.Write([]byte(`{"info":{}}`))
	})}
	t.Cleanup(func() { _ = srv.Close() })
	return func() {
		ln, err := net.Listen("unix", socket)
		if err != nil {
			t.Error(err)
			return
		}
		go srv.Serve(ln)
	}, stopped
}

func TestEnsure_WaitsForAnAgentThatIsStarting(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	answer, _ := startingAgent(t, l)
	f, err := agent.Ensure(t.Context(), l, func() (<-chan error, error) {
		exited := make(chan error)
		go func() {
			exited <- agent.ErrRunning
			answer()
		}()
		return exited, nil
	})
	if err != nil {
		t.Fatalf("ensure while another agent starts: %v", err)
	}
	f.Close()
}

func TestStopAll_WaitsForAnAgentThatIsStarting(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	answer, stopped := startingAgent(t, l)
	done := make(chan error, 1)
	go func() { done <- agent.StopAll(t.Context(), l) }()
	answer()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	select {
	case <-stopped:
	default:
		t.Error("StopAll returned, and the agent that was starting was not stopped")
	}
}
