package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/hosting/agent"
	"github.com/portico-dev/portico/internal/hosting/agent/agenttest"
	"github.com/portico-dev/portico/internal/hosting/agent/wire"
	"github.com/portico-dev/portico/internal/platform"
)

// An agent that is replaced by another program is the same process with the same sockets and children; no request fails.
func TestAgent_ReplacesItself(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	name(t, h, "set", "shop.example")
	idle := reserve(t, h, "idle")
	before, told, pids, was := observe(t, h), inventory(t, h), pidsOf(t, l), h.Info
	load := startLoads(t, h, v)
	for range 4 {
		if err := agent.Replace(t.Context(), l, os.Args[0]); err != nil {
			t.Fatal(err)
		}
		load.more(t, 30)
	}
	h = agenttest.Connect(t, l)
	if h.Info.Run == was.Run {
		t.Error("the agent was not replaced")
	}
	was.Run = h.Info.Run
	if d := cmp.Diff(was, h.Info); d != "" {
		t.Errorf("who the agent is (-before +after):\n%s", d)
	}
	if d := cmp.Diff(plain(before), plain(observe(t, h))); d != "" {
		t.Errorf("observation (-before +after):\n%s", d)
	}
	if d := cmp.Diff(told, inventory(t, h)); d != "" {
		t.Errorf("inventory (-before +after):\n%s", d)
	}
	if d := cmp.Diff(pids, pidsOf(t, l)); d != "" {
		t.Errorf("processes (-before +after):\n%s", d)
	}
	// Everything goes on as before: a move, a machine that dies, an edge that dies.
	s := setOf("next", platform.Serving, 1)
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	route(t, h, idle, "next")
	if got := ask(t, plainAddr(h, idle), "x").Set; got != "next" {
		t.Errorf("set %s answers, want next", got)
	}
	load.finish(t, 0)
	killAll(t, pids, "set-0", "edge")
	agenttest.Eventually(t, "the machine is back", func() bool {
		m := observe(t, h).Machines["set-0"]
		return m.Phase == platform.Ready && m.PID != pids["set-0"] && m.Restarts == 1
	})
	if got := ask(t, h.Info.Edge.HTTP, "a.example").Set; got != "set" {
		t.Errorf("set %s answers on the edge, want set", got)
	}
}

// What died just before is waited for by the program that comes after: it is the parent.
func TestAgent_ReplacedKnowsHowChildrenEnded(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	s := setOf("set", platform.Serving, 1)
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	if err := agent.Replace(t.Context(), l, os.Args[0]); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pidsOf(t, l)["set-0"], syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	agenttest.Eventually(t, "the machine is back", func() bool { return observe(t, h).Machines["set-0"].Restarts == 1 })
	waitPhase(t, h, s, platform.Ready)
	data, err := os.ReadFile(l.AgentState())
	if err != nil {
		t.Fatal(err)
	}
	if want := `"error": "exited without being asked: signal: killed"`; !strings.Contains(string(data), want) {
		t.Errorf("the list of processes lacks %s:\n%s", want, data)
	}
}

// A program that cannot be run replaces nothing, and no descriptor leaks into what is started after that.
func TestAgent_NotReplacedByWhatCannotRun(t *testing.T) {
	t.Parallel()
	l := agenttest.Layout(t)
	h := startHost(t, l)
	v := servingVIP(t, h)
	pids := pidsOf(t, l)
	dir := t.TempDir()
	noProgram := filepath.Join(dir, "text")
	if err := os.WriteFile(noProgram, []byte("no program"), 0o700); err != nil { //nolint:gosec // it is to look like one
		t.Fatal(err)
	}
	var e *wire.Error
	if err := agent.Replace(t.Context(), l, filepath.Join(dir, "none")); !errors.As(err, &e) || e.Code != wire.CodeInvalid {
		t.Errorf("replace by nothing: %v, want code %s", err, wire.CodeInvalid)
	}
	if err := agent.Replace(t.Context(), l, noProgram); !errors.As(err, &e) || !strings.Contains(err.Error(), "exec format error") {
		t.Errorf("replace by a text: %v, want an exec format error", err)
	}
	if d := cmp.Diff(pids, pidsOf(t, l)); d != "" {
		t.Errorf("processes (-before +after):\n%s", d)
	}
	if got := ask(t, plainAddr(h, v), "x").Set; got != "set" {
		t.Errorf("set %s answers, want set", got)
	}
	s := setOf("later", platform.Parked, 1)
	apply(t, h, s)
	waitPhase(t, h, s, platform.Ready)
	if n := inherited(t, pidsOf(t, l)["later-0"]); n > 0 {
		t.Errorf("a machine that was started later has %d descriptors too many", n)
	}
}

// inherited counts the descriptors above those that a parked machine has of its own: more than 16 mean that it got the
// agent's.
func inherited(t testing.TB, pid int) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	if err != nil {
		t.Fatal(err)
	}
	return max(0, len(fds)-16)
}
