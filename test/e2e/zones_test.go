package e2e

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
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

func TestZones_DownAndUpUnderLoad(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("spread", "Premium", 3, recent)
	listed := h.create("listed", "Premium", 3, recent, object{"zones": []string{"1", "2", "3"}})
	p := press(t, 300, h.shop("spread"), h.shop("listed"))
	p.since()

	h.portico("zone", "down", "2")
	out := h.portico("zone", "list")
	if !strings.Contains(out, "2     down ") || strings.Count(out, " up ") != 2 {
		t.Errorf("zones after one was switched off:\n%s", out)
	}
	eventually(t, time.Minute, "machines out of zone 2", func() bool {
		return fmt.Sprint(h.running("spread")) == "map[1:3 3:3]"
	})
	if got := fmt.Sprint(h.running("listed")); got != "map[1:2 3:2]" {
		t.Errorf("machines of a service that lists its zones: %s, want those of zone 2 to be missing", got)
	}
	if out := h.portico("units", "listed"); !strings.Contains(out, "    zone 2          │ × ×  switched off\n") || !strings.Contains(out, "zone 2 is down") {
		t.Errorf("units:\n%s", out)
	}

	h.portico("zone", "up", "2")
	eventually(t, time.Minute, "two machines in each zone", func() bool {
		return fmt.Sprint(h.running("spread")) == "map[1:2 2:2 3:2]" && fmt.Sprint(h.running("listed")) == "map[1:2 2:2 3:2]"
	})
	total := p.c.Stop()
	t.Logf("over both: %+v", total)
	if total.Failed > 0 {
		t.Errorf("%d requests failed on connections that no killed machine held:\n%s", total.Failed, strings.Join(p.c.Failures(), "\n"))
	}
	if v := h.show("listed"); v.Properties.GatewayURL != listed.Properties.GatewayURL {
		t.Errorf("the address changed from %s to %s", listed.Properties.GatewayURL, v.Properties.GatewayURL)
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
	res, err := h.client.Do(t.Context(), http.MethodPost, "/portico/zones", "", object{"zone": "4", "state": "down"})
	if err == nil || !strings.Contains(err.Error(), "'zone' must be one of 1, 2, 3, and 'state' one of up, down.") {
		t.Errorf("a zone that is none: %v %v", res, err)
	}
}
