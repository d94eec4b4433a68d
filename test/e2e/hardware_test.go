package e2e

import (
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// processors counts machines of a service by how many threads of each may run at a time; empty: as many as the host lets.
func (h *host) processors(name string) map[string]int {
	h.t.Helper()
	n := map[string]int{}
	for _, m := range h.machines(name) {
		env, err := os.ReadFile("/proc/" + strconv.Itoa(m.PID) + "/environ")
		if err != nil {
			continue // has ended
		}
		bound := ""
		for v := range strings.SplitSeq(string(env), "\x00") {
			if p, found := strings.CutPrefix(v, "GOMAXPROCS="); found {
				bound = p
			}
		}
		n[bound]++
	}
	return n
}

// runsOn waits until all machines of a service may use so many processors, where that can be seen.
func (h *host) runsOn(name string, want map[string]int) {
	h.t.Helper()
	if runtime.GOOS == "linux" {
		eventually(h.t, time.Minute, name+" on its hardware", func() bool { return cmp.Equal(want, h.processors(name)) })
	}
}

// platformAt is the platform version that an api-version shows of a service.
func (h *host) platformAt(name, apiVersion string) string {
	h.t.Helper()
	var v view
	if err := h.do(http.MethodGet, h.service(name), apiVersion, nil).Decode(&v); err != nil {
		h.t.Fatal(err)
	}
	return v.Properties.PlatformVersion
}

// TestHardware_MovesUnderLoad brings newer hardware to a host, moves a service there under load, takes the hardware off the
// command line again, and lets a machine die.
func TestHardware_MovesUnderLoad(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("wide", "Premium", 1, recent)
	h.runsOn("wide", map[string]int{"": 2}) // nobody has named their cores: they may use the host
	h.complains("portico: upgrade wide: ValueNotSupported: This host has no newer hardware.", "service", "upgrade", "wide", "--hardware", "stv2.1")
	p := press(t, 200, h.shop("wide"))
	before := h.show("wide")

	h.kill()
	h.up(nil, "--newer-cores", "3", "--newer-memory", "512MiB")
	if got := h.platformAt("wide", latest); got != "stv2" {
		t.Errorf("on newer hardware before it is moved: %s", got)
	}
	h.says([]string{"wide in westeurope: stv2 to stv2\\.1; downtime: none"}, "service", "forecast", "wide", "upgrade", "--hardware", "stv2.1")
	p.since()
	out := h.portico("service", "upgrade", "wide", "--hardware", "stv2.1")
	p.unharmed(p.since(), 50)
	if !regexp.MustCompile(`(?m)^wide +Succeeded +stv2\.1 `).MatchString(out) {
		t.Errorf("the upgrade says\n%s", out)
	}
	if got := [2]string{h.platformAt("wide", recent), h.platformAt("wide", latest)}; got != [2]string{"stv2", "stv2.1"} {
		t.Errorf("platform versions by api-version: %v", got)
	}
	if after := h.show("wide"); !cmp.Equal(after.Properties.PublicIPs, before.Properties.PublicIPs) {
		t.Errorf("addresses %v, were %v", after.Properties.PublicIPs, before.Properties.PublicIPs)
	}
	h.runsOn("wide", map[string]int{"3": 2})
	h.says([]string{"wide in westeurope: stv2\\.1, Premium with 1 unit, Succeeded"}, "units", "wide")
	h.says([]string{".*  platform version stv2\\.1  .*"}, "service", "timeline", "wide")
	h.create("fresh", "Developer", 1, recent)
	h.runsOn("fresh", map[string]int{"3": 1})

	h.kill()
	h.up(nil)
	if err := syscall.Kill(h.machines("wide")[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	h.runsOn("wide", map[string]int{"3": 2})
	if got := h.platformAt("wide", latest); got != "stv2.1" {
		t.Errorf("without newer hardware: %s", got)
	}
}
