package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

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

func TestAgent_KilledIsReplacedAndServesAgain(t *testing.T) {
	t.Parallel()
	h := start(t)
	single := h.create("single", "Developer", 1, latest)
	pooled := h.create("pooled", "Consumption", 0, latest)
	serves := func(v view, hostName string) bool {
		req, err := http.NewRequest(http.MethodGet, v.Properties.GatewayURL+"/status-0123456789abcdef", nil)
		if err != nil {
			t.Fatal(err)
		}
		if hostName != "" {
			req.URL.Host, req.Host = strings.TrimPrefix(h.client.Endpoints.Edge, "http://"), hostName
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
		res, err := client.Do(req)
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	}
	all := func() bool { return serves(single, "") && serves(pooled, "pooled.apim.localhost") }
	eventually(t, time.Minute, "both services before the kill", all)
	before := h.agentPID()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "a new agent", func() bool { now := h.agentPID(); return now != 0 && now != before })
	eventually(t, time.Minute, "both services where they were", all)
	if now := h.show("single"); now.Properties.GatewayURL != single.Properties.GatewayURL {
		t.Errorf("the address moved from %s to %s", single.Properties.GatewayURL, now.Properties.GatewayURL)
	}
	after := h.create("after", "Developer", 1, latest)
	eventually(t, time.Minute, "a service made after the kill", func() bool { return serves(after, "") })
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
