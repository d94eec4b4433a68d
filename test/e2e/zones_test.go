package e2e

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// running counts the machines of a service that serve, by zone: {"1": 2}.
func (h *host) running(name string) map[string]int {
	n := map[string]int{}
	for _, m := range h.machines(name) {
		if m.Phase == "ready" && m.Mode == "serving" {
			n[m.Zone]++
		}
	}
	return n
}

// A gateway that neither ends nor answers is found and started again. Who connects meanwhile waits.
func TestMachine_ThatHangs(t *testing.T) {
	t.Parallel()
	h := start(t, "--hang-time", "1500ms")
	h.create("stuck", "Developer", 1, recent)
	before := h.machines("stuck")[0]
	if err := syscall.Kill(before.PID, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, "the process is stopped", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", before.PID))
		return err == nil && strings.Contains(string(stat), ") T ")
	})
	res, err := http.Get(h.show("stuck").Properties.GatewayURL + "/status-0123456789abcdef")
	if err != nil {
		t.Fatalf("a request to a gateway that hangs: %v", err)
	}
	defer res.Body.Close()
	if now := h.machines("stuck")[0]; res.StatusCode != http.StatusOK || now.ID != before.ID || now.PID == before.PID {
		t.Errorf("%s from %+v, was %+v", res.Status, now, before)
	}
}

func TestMachine_Kill(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("one", "Developer", 1, recent)
	before := h.machines("one")[0]
	if out, want := h.portico("machine", "kill", before.ID), "machine "+before.ID+" was killed; the platform starts it again\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	eventually(t, time.Minute, "another process of the machine", func() bool {
		now := h.machines("one")
		return len(now) == 1 && now[0].ID == before.ID && now[0].PID != before.PID && now[0].Phase == "ready"
	})
	text, err := exec.Command(program, "machine", "kill", "nobody", "--data", h.dir).CombinedOutput()
	if want := "portico: MachineNotFound: No process runs of machine 'nobody'. `portico units NAME` lists machines.\n"; err == nil || string(text) != want {
		t.Errorf("got %v %q, want %q", err, text, want)
	}
	if out := h.portico("zone", "down", "3"); !strings.Contains(out, "3     down ") {
		t.Errorf("zone down says:\n%s", out)
	}
	if out := h.portico("zone", "up", "3"); strings.Contains(out, "down") {
		t.Errorf("zone up says:\n%s", out)
	}
	res, err := h.client.Do(t.Context(), http.MethodPost, "/portico/zones", "", object{"zone": "4", "state": "down"})
	if err == nil || !strings.Contains(err.Error(), "'zone' must be one of 1, 2, 3, and 'state' one of up, down.") {
		t.Errorf("a zone that is none: %v %v", res, err)
	}
}
