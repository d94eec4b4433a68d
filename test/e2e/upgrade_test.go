package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/demo/load"
)

// nextVersion is the version of nextProgram.
const nextVersion = "e2e-next"

// nextProgram builds the program once more, as another version.
var nextProgram = sync.OnceValues(func() (string, error) {
	path := program + "-next"
	build := exec.Command("go", "build", "-tags", "failpoint", "-ldflags", "-X main.version="+nextVersion, "-o", path, "../../cmd/portico")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

func next(t testing.TB) string {
	t.Helper()
	path, err := nextProgram()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// A versions poller asks the status endpoint of a target again and again.
type versions struct {
	done chan struct{}
	wg   sync.WaitGroup
	mu   sync.Mutex
	seen map[string]map[string]bool // machines by version of the gateway
	errs []error
}

func watchVersions(t load.Target) *versions {
	v := &versions{done: make(chan struct{}), seen: map[string]map[string]bool{}}
	v.wg.Go(func() {
		for {
			select {
			case <-v.done:
				return
			case <-time.After(2 * time.Millisecond): // the pace of the poller
			}
			s, err := askStatus(t)
			v.note(s, err)
		}
	})
	return v
}

// askStatus asks the status endpoint on a connection of its own, so that any machine may answer.
func askStatus(t load.Target) (s machineStatus, err error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+t.Addr+"/status-0123456789abcdef", nil)
	if err != nil {
		return s, err
	}
	req.Host, req.Close = t.Host, true
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return s, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&s); err != nil || s.Machine == "" {
		return s, fmt.Errorf("status %d of machine %q: %w", res.StatusCode, s.Machine, err)
	}
	return s, nil
}

func (v *versions) note(s machineStatus, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.errs = append(v.errs, err)
		return
	}
	if v.seen[s.Gateway] == nil {
		v.seen[s.Gateway] = map[string]bool{}
	}
	v.seen[s.Gateway][s.Machine] = true
}

// answered is how many machines of each version have answered so far.
func (v *versions) answered() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	n := map[string]int{}
	for version, machines := range v.seen {
		n[version] = len(machines)
	}
	return n
}

// stop ends the polling and returns how many machines of each version have answered; each of them always did.
func (v *versions) stop(t testing.TB) map[string]int {
	t.Helper()
	close(v.done)
	v.wg.Wait()
	for _, err := range v.errs {
		t.Errorf("status endpoint: %v", err)
	}
	return v.answered()
}

// TestUpgrade_Canceled gives an upgrade up in the pause after its first batch: the service goes back at once, and nobody
// notices.
func TestUpgrade_Canceled(t *testing.T) {
	t.Parallel()
	h := start(t, "--batch-pause", "10m")
	h.create("wide", "Premium", 2, recent)
	h.portico("gateway", "install", next(t))
	p := press(t, 200, h.shop("wide"))
	p.since()
	h.do(http.MethodPost, h.service("wide")+"/providers/Portico.Hosting/upgrade", latest, object{"gateway": nextVersion})
	versions := func() map[string]int {
		n := map[string]int{}
		for _, m := range h.machines("wide") {
			n[m.Gateway+" "+m.Mode]++
		}
		return n
	}
	eventually(t, time.Minute, "the pause after the first batch", func() bool {
		return cmp.Equal(map[string]int{"e2e serving": 3, nextVersion + " serving": 1}, versions())
	})
	h.portico("service", "upgrade", "wide", "--cancel")
	eventually(t, time.Minute, "all machines on the version before", func() bool {
		return cmp.Equal(map[string]int{"e2e serving": 4}, versions())
	})
	if total := p.c.Stop(); total.Failed > 0 {
		t.Errorf("%d requests failed:\n%s", total.Failed, strings.Join(p.c.Failures(), "\n"))
	}
	if v := h.show("wide"); v.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("the service is %s", v.Properties.ProvisioningState)
	}
}

// TestUpgrade_UnderLoad moves services of every platform to another version and checks that no request failed, that both
// versions answered, and that the commands tell what is where.
func TestUpgrade_UnderLoad(t *testing.T) {
	h := start(t)
	if v := h.create("classic", "Basic", 1, old); v.Properties.PlatformVersion != "stv1" {
		t.Fatalf("classic is on %s", v.Properties.PlatformVersion)
	}
	h.create("single", "Developer", 1, old)
	h.create("wide", "Premium", 2, recent)
	h.create("thin", "Consumption", 0, recent)
	machines := map[string]int{"classic": 2, "single": 1, "wide": 4, "thin": 1}
	out := h.portico("gateway", "install", next(t))
	if want := "gateway " + nextVersion + " is installed; "; !strings.HasPrefix(out, want) {
		t.Errorf("install says %q, want %q", out, want)
	}
	h.listsGateways(map[string][2]int{"e2e": {4, 8}, nextVersion: {}})

	var targets []load.Target
	seen := map[string]*versions{}
	for _, name := range slices.Sorted(maps.Keys(machines)) {
		target := h.shop(name)
		targets, seen[name] = append(targets, target), watchVersions(target)
	}
	// Which machine accepts a connection is up to the kernel: all have their turn before the change begins.
	allAnswered := func(version string) {
		for name, n := range machines {
			eventually(t, time.Minute, fmt.Sprintf("all %d machines of %s answer as %s", n, name, version), func() bool {
				return seen[name].answered()[version] == n
			})
		}
	}
	allAnswered("e2e")
	p := press(t, 400, targets...)
	p.since()
	out = h.portico("service", "upgrade", "--all", "--to", nextVersion)
	for name := range machines {
		if !regexp.MustCompile(`(?m)^` + name + ` +Succeeded `).MatchString(out) {
			t.Errorf("upgrade says of %s:\n%s", name, out)
		}
	}
	during := p.since()
	eventually(t, time.Minute, "the old machines gone", func() bool {
		left := 0
		for name := range machines {
			for _, m := range h.machines(name) {
				if m.Gateway != nextVersion {
					left++
				}
			}
		}
		return left == 0
	})
	allAnswered(nextVersion)
	p.unharmed(during, 300)
	for name, n := range machines {
		want := map[string]int{"e2e": n, nextVersion: n}
		if d := cmp.Diff(want, seen[name].stop(t)); d != "" {
			t.Errorf("machines of %s that answered, by version (-want +got):\n%s", name, d)
		}
	}
	h.listsGateways(map[string][2]int{"e2e": {}, nextVersion: {4, 8}})
	if out := h.portico("service", "upgrade", "wide", "--to", nextVersion); !regexp.MustCompile(`(?m)^wide +Succeeded `).MatchString(out) {
		t.Errorf("upgrade to what it has says:\n%s", out)
	}
}

// listsGateways waits until `portico gateway list` says how many services and machines there are of each version: what
// was replaced drains after the operation's end.
func (h *host) listsGateways(want map[string][2]int) {
	h.t.Helper()
	eventually(h.t, 30*time.Second, fmt.Sprint("services and machines by version: ", want), func() bool {
		return cmp.Equal(want, h.gatewayUse())
	})
}

func (h *host) gatewayUse() map[string][2]int {
	h.t.Helper()
	var list []struct {
		Version            string
		Services, Machines int
		Size               int64
		Current            bool
	}
	if err := json.Unmarshal([]byte(h.portico("gateway", "list", "-o", "json")), &list); err != nil {
		h.t.Fatal(err)
	}
	use := map[string][2]int{}
	for _, v := range list {
		use[v.Version] = [2]int{v.Services, v.Machines}
		if v.Size == 0 || v.Current != (v.Version == "e2e") {
			h.t.Errorf("gateway %+v", v)
		}
	}
	return use
}

// TestUpgrade_OfTheControlPlaneLeavesGatewaysAlone starts a folder with another version of the program: machines stay
// what they are, also when they are started again, until they are upgraded.
func TestUpgrade_OfTheControlPlaneLeavesGatewaysAlone(t *testing.T) {
	t.Parallel()
	h := start(t)
	addr := h.create("stay", "Developer", 1, recent).addr()
	before := status(t, addr)
	h.kill()
	h.program = next(t)
	h.up(nil)
	hint := "Gateways of 1 service stay on another version until `" + h.program + " service upgrade --all --to " + nextVersion + "`."
	eventually(t, 10*time.Second, hint, func() bool { return strings.Contains(h.log(), hint) })
	machine := h.machines("stay")[0]
	if err := syscall.Kill(machine.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the machine started again", func() bool {
		m := h.machines("stay")[0]
		return m.PID != 0 && m.PID != machine.PID && m.Phase == "ready"
	})
	if after := status(t, addr); after.Machine != before.Machine || after.Gateway != "e2e" {
		t.Errorf("after a restart: %+v, want %s of gateway e2e", after, before.Machine)
	}
	h.portico("service", "upgrade", "stay", "--to", nextVersion)
	if after := status(t, addr); after.Gateway != nextVersion {
		t.Errorf("after the upgrade: %+v", after)
	}
	if h.create("new", "Developer", 1, recent); h.machines("new")[0].Gateway != nextVersion {
		t.Errorf("a new service has %+v", h.machines("new"))
	}
	h.kill()
	h.up(nil)
	if _, err := os.Stat(filepath.Join(h.dir, "gateways", "e2e")); err == nil {
		t.Error("the old version is still there, though nothing uses it")
	}
}
