package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/demo/load"
)

// TestUp_MachineBounds: what a machine is measured by decides about its load.
func TestUp_MachineBounds(t *testing.T) {
	t.Parallel()
	h := start(t, "--machine-cores", "0.01", "--machine-memory", "64MiB")
	h.create("small", "Developer", 1, recent)
	press(t, 100, h.shop("small"))
	load := func() (cpu, memory int) {
		var u struct {
			Locations []struct {
				Sets []struct {
					Machines []struct {
						Capacity int
						Load     struct{ CPU, Memory int }
					}
				}
			}
		}
		h.decode(&u, "units", "small", "-o", "json")
		m := u.Locations[0].Sets[0].Machines[0]
		if m.Capacity < max(m.Load.CPU, m.Load.Memory) {
			t.Errorf("the capacity is less than what makes it up: %+v", m)
		}
		return m.Load.CPU, m.Load.Memory
	}
	eventually(t, 30*time.Second, "a load that is measured by small bounds", func() bool {
		cpu, memory := load()
		return cpu > 50 && memory > 10
	})
	if out := h.portico("units", "small"); !strings.Contains(out, " % (cpu ") || !strings.Contains(out, "  load ") {
		t.Errorf("units are shown as\n%s", out)
	}
}

// autoscaling is what Portico.Hosting/autoscale says of a service.
type autoscaling struct {
	Setting string
	Enabled bool
	Units   int
	Why     string
	Busy    bool
	Last    *struct{ From, To int }
}

// TestAutoscale_OutAndBackIn: a service whose gateways work hard gets another unit, and gives it back when they rest. A
// machine is measured by a fiftieth of a processor here, so that little work is hard. Not one request fails.
func TestAutoscale_OutAndBackIn(t *testing.T) {
	t.Parallel()
	h := start(t, "--pace", "x1200", "--machine-cores", "0.02")
	h.create("fit", "Basic", 1, recent)
	target := h.shop("fit")
	told := make(chan string, 10)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var n struct{ Operation string }
		_ = json.NewDecoder(r.Body).Decode(&n)
		told <- n.Operation
	}))
	t.Cleanup(hook.Close)
	out := h.portico("autoscale", "set", "fit", "--min", "1", "--max", "2", "--default", "1", "--step", "1", "--out", "60", "--in", "25",
		"--window", "5m", "--cool-down-out", "5m", "--cool-down-in", "5m", "--webhook", hook.URL, "--disabled")
	if !strings.Contains(out, "fit in westeurope: 1 unit of 1 to 2, by profile default, not enabled\n") || !strings.Contains(out, "Capacity (Average) of PT5M > 60") {
		t.Errorf("the setting is shown as\n%s", out)
	}
	show := func() (s autoscaling) {
		h.decode(&s, "autoscale", "show", "fit", "-o", "json")
		return s
	}
	file := filepath.Join(t.TempDir(), "setting.json")
	properties := h.properties(show().Setting)
	properties["enabled"] = true
	if err := os.WriteFile(file, []byte(asJSON(t, properties)), 0o600); err != nil {
		t.Fatal(err)
	}
	h.portico("autoscale", "set", "fit", "--file", file)
	reached := func(units int) func() bool {
		return func() bool {
			s := show()
			return s.Enabled && s.Units == units && !s.Busy && len(h.serving("fit")) == 2*units
		}
	}
	hard := press(t, 400, target)
	eventually(t, 2*time.Minute, "a second unit", reached(2))
	hard.unharmed(hard.since(), 50)
	light := load.Start(load.Options{Workers: 4, Rate: 20, Slow: 1}, target)
	t.Cleanup(func() { light.Stop() })
	eventually(t, 2*time.Minute, "one unit again", reached(1))
	if total := light.Stop(); total.Failed+total.Cut > 0 || total.Done == 0 {
		t.Errorf("while it was scaled in: %+v\n%s", total, strings.Join(light.Failures(), "\n"))
	}
	if s := show(); s.Last == nil || s.Last.From != 2 || s.Last.To != 1 {
		t.Errorf("the setting says %+v, want 2 to 1 last", s)
	}
	if first, second := <-told, <-told; first != "Scale Out" || second != "Scale In" {
		t.Errorf("the webhook was told %q, then %q", first, second)
	}
	if out := h.portico("activity", "--caller", show().Setting); strings.Count(out, "service/write") != 4 {
		t.Errorf("the activity log has\n%s", out)
	}
	if out := h.portico("service", "capacity", "fit"); !strings.Contains(out, "Capacity  westeurope  ") {
		t.Errorf("the capacity is shown as\n%s", out)
	}
	if out := h.portico("autoscale", "list"); !strings.Contains(out, "fit      fit      true     default  1 to 2\n") {
		t.Errorf("the settings are shown as\n%s", out)
	}
	if out, want := h.portico("autoscale", "delete", "fit"), "fit is scaled by hand\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
}

// properties are those of a resource of Microsoft.Insights.
func (h *host) properties(id string) (properties object) {
	h.t.Helper()
	var r struct{ Properties json.RawMessage }
	if err := h.do("GET", id, "2022-10-01", nil).Decode(&r); err != nil {
		h.t.Fatal(err)
	}
	if err := json.Unmarshal(r.Properties, &properties); err != nil {
		h.t.Fatal(err)
	}
	return properties
}

// serving lists the machines of a service that take connections.
func (h *host) serving(name string) (all []string) {
	h.t.Helper()
	for _, m := range h.machines(name) {
		if m.Phase == "ready" && m.Mode == "serving" {
			all = append(all, m.ID)
		}
	}
	return all
}
