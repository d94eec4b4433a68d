package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestUp_MachineBounds: what a machine is measured by decides about its load.
func TestUp_MachineBounds(t *testing.T) {
	t.Parallel()
	h := start(t, "--machine-cores", "0.01", "--machine-memory", "64MiB")
	h.create("small", "Developer", 1, recent)
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
