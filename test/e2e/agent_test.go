package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
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
