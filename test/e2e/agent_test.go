package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// statusPath is answered by every gateway itself.
const statusPath = "/status-0123456789abcdef"

// agentPID finds the agent of the host's folder.
func (h *host) agentPID() int {
	h.t.Helper()
	for _, line := range processes(h.t, h.dir) {
		number, command, _ := strings.Cut(line, " ")
		if pid, err := strconv.Atoi(number); err == nil && strings.Contains(command, " host --data ") {
			return pid
		}
	}
	return 0
}

// An agent that is killed while the control plane runs is succeeded by another, which takes edge and machines over: no
// request fails, and nothing but the agent is another process.
func TestAgent_KilledIsSucceeded(t *testing.T) {
	t.Parallel()
	h := start(t)
	single := h.create("single", "Developer", 1, latest)
	h.create("pooled", "Consumption", 0, latest)
	edge := strings.TrimPrefix(h.client.Endpoints.Edge, "http://")
	eventually(t, time.Minute, "both services before the kill", func() bool {
		return ask(single.addr(), statusPath) == nil && askHost(edge, "pooled.apim.localhost", statusPath) == nil
	})
	onVIP, onEdge := poll(single.addr(), statusPath), pollHost(edge, "pooled.apim.localhost", statusPath)
	others := func() (pids []string) {
		for _, line := range processes(t, h.dir) {
			if !strings.Contains(line, " host --data ") {
				pids = append(pids, line)
			}
		}
		slices.Sort(pids)
		return pids
	}
	before := others()
	for range 3 {
		killed := h.agentPID()
		if err := syscall.Kill(killed, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, time.Minute, "a new agent", func() bool { now := h.agentPID(); return now != 0 && now != killed })
		eventually(t, time.Minute, "the new agent answers", func() bool { return len(h.machines("single")) == 1 })
	}
	if d := cmp.Diff(before, others()); d != "" {
		t.Errorf("edge and machines (-before +after):\n%s", d)
	}
	after := h.create("after", "Developer", 1, latest)
	eventually(t, time.Minute, "a service made after the kill", func() bool { return ask(after.addr(), statusPath) == nil })
	h.run(http.MethodDelete, h.service("after"), latest, nil)
	for name, p := range map[string]*poller{"VIP": onVIP, "edge": onEdge} {
		p.stop()
		if p.count == 0 || len(p.failures) > 0 {
			t.Errorf("%s: %d of %d requests failed: %v", name, len(p.failures), p.count, p.failures)
		}
	}
	if now := h.show("single"); now.Properties.GatewayURL != single.Properties.GatewayURL {
		t.Errorf("the address moved from %s to %s", single.Properties.GatewayURL, now.Properties.GatewayURL)
	}
}

// programOf is what a process of the host's folder runs.
func (h *host) programOf(kind string) string {
	h.t.Helper()
	for _, line := range processes(h.t, h.dir) {
		if f := strings.Fields(line); f[2] == kind {
			if exe, err := os.Readlink("/proc/" + f[0] + "/exe"); err == nil {
				return exe
			}
		}
	}
	return ""
}

// A control plane of another build makes the agent run its own program, and has an edge of its own started; so does a
// command. No request fails, and machines stay what they are.
func TestUp_AnotherBuildReplacesTheAgent(t *testing.T) {
	t.Parallel()
	h := start(t)
	single := h.create("single", "Developer", 1, latest)
	h.create("pooled", "Consumption", 0, latest)
	edge := strings.TrimPrefix(h.client.Endpoints.Edge, "http://")
	eventually(t, time.Minute, "both services", func() bool {
		return ask(single.addr(), statusPath) == nil && askHost(edge, "pooled.apim.localhost", statusPath) == nil
	})
	onVIP, onEdge := poll(single.addr(), statusPath), pollHost(edge, "pooled.apim.localhost", statusPath)
	pid, machine := h.agentPID(), h.machines("single")[0]
	h.kill()
	h.program = next(t)
	h.up(nil)
	runs := func(what string) {
		t.Helper()
		eventually(t, time.Minute, "agent and edge run "+what, func() bool { return h.programOf("host") == what && h.programOf("edge") == what })
		if now := h.agentPID(); now != pid {
			t.Errorf("the agent is process %d, was %d", now, pid)
		}
	}
	runs(h.program)
	h.portico("restart", "--agent") // the command is of the first build
	runs(program)
	if now := h.machines("single")[0]; now.PID != machine.PID {
		t.Errorf("the machine is process %d, was %d", now.PID, machine.PID)
	}
	for name, p := range map[string]*poller{"VIP": onVIP, "edge": onEdge} {
		p.stop()
		if p.count == 0 || len(p.failures) > 0 {
			t.Errorf("%s: %d of %d requests failed: %v", name, len(p.failures), p.count, p.failures)
		}
	}
}

func TestUp_OtherSettingsThanTheRunningAgentAreRefused(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.kill()
	for flag, want := range map[string]string{
		"--vip-http=9999":          "--vip-http is 9080, not 9999",
		"--edge=127.0.0.1:1":       "--edge is 127.0.0.1:0, not 127.0.0.1:1",
		"--vip-pool=127.99.0.0/24": "--vip-pool is unset, not 127.99.0.0/24",
		"--idle=1s":                "--idle is 20m0s, not 1s",
	} {
		if err := h.tryUp(nil, flag); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "portico down --data "+h.dir) {
			t.Errorf("%s: got %v, want %q and how to stop what runs", flag, err, want)
		}
	}
	h.up(nil) // the agent was left alone
}

func TestUp_RefusedLeavesNoAgent(t *testing.T) {
	t.Parallel()
	h := start(t)
	dir := filepath.Join(h.dir, "other")
	arm := strings.TrimPrefix(h.client.Endpoints.ARM, "http://")
	args := append([]string{"up", "--data", dir}, zeroPorts...)
	out, err := exec.Command(program, append(args, "--arm", arm)...).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--arm: listen tcp "+arm) {
		t.Errorf("got %v: %s; want the address in use", err, out)
	}
	if left := processes(t, dir); len(left) != 0 {
		t.Errorf("left running: %v", left)
	}
	if _, err := os.Stat(filepath.Join(dir, "run", "agent.json")); err == nil {
		t.Error("the list of processes is still there")
	}
}
