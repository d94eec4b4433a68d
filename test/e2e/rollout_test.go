package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/demo/load"
	"github.com/portico-dev/portico/internal/hosting"
	"github.com/portico-dev/portico/internal/hosting/rollout"
	"github.com/portico-dev/portico/internal/platform"
)

// rollout runs a command about rollouts.
func (h *host) rollout(args ...string) (v rollout.View) {
	h.t.Helper()
	out := h.portico(append([]string{"gateway", "rollout", "-o", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		h.t.Fatalf("%v: %s", err, out)
	}
	return v
}

// newestRollout asks for the newest rollout without a command, as often as a test likes.
func (h *host) newestRollout() rollout.View {
	h.t.Helper()
	v, err := h.lastRollout()
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// lastRollout is the rollout that was begun last; zero when there was none.
func (h *host) lastRollout() (v rollout.View, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var list struct{ Value []rollout.View }
	res, err := h.client.Do(ctx, http.MethodGet, "/portico/rollouts", "", nil)
	if err == nil {
		err = res.Decode(&list)
	}
	if err != nil || len(list.Value) == 0 {
		return v, err
	}
	return list.Value[0], nil
}

func (h *host) rolloutIs(want rollout.State) rollout.View {
	h.t.Helper()
	var v rollout.View
	eventually(h.t, 2*time.Minute, "the rollout "+string(want), func() bool { v = h.newestRollout(); return v.State == want })
	return v
}

// seat is how far a service is in a rollout.
func seat(v rollout.View, name string) rollout.Seat {
	i := slices.IndexFunc(v.Services, func(s rollout.Seat) bool { return strings.HasSuffix(s.Service, "/"+name) })
	if i < 0 {
		return rollout.Seat{}
	}
	return v.Services[i]
}

// drive advances the clock of a host, by less than a window is long, again and again until stop is called.
func (h *host) drive() (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond): // the pace of the clock
			}
			// The control plane is killed now and then.
			_, _ = h.client.Do(h.t.Context(), http.MethodPost, "/portico/clock", "", object{"advance": "PT45M"})
		}
	})
	return sync.OnceFunc(func() { close(done); wg.Wait() })
}

// TestRollout_ByChannelInWindowsUnderLoad rolls a version out over all channels, with a clock that is advanced and a
// control plane that is killed in the middle: each service is upgraded in its turn and in its window, new services get what
// their channel has, and no request fails.
func TestRollout_ByChannelInWindowsUnderLoad(t *testing.T) {
	h := start(t, "--pace", "manual")
	stop := h.drive()
	defer stop()
	h.create("early", "Developer", 1, recent)
	h.create("plain", "Standard", 1, recent)
	h.create("late", "Basic", 1, old)
	h.create("thin", "Consumption", 0, recent)
	h.portico("service", "update", "late", "--release-channel", "Stable")
	if out := h.portico("service", "maintenance-window", "plain", "--start", "01:30", "--day", "sunday=09:00"); !strings.Contains(out, "Sunday 09:00") {
		t.Errorf("window:\n%s", out)
	}
	h.portico("service", "maintenance-window", "late", "--start", "03:00")
	h.portico("service", "maintenance-window", "late", "--reset")
	h.portico("gateway", "install", next(t))
	p := press(t, 200, h.shop("early"), h.shop("plain"), h.shop("late"), h.shop("thin"))
	p.since()

	foreseen := h.rollout("start", nextVersion, "--group", "50:2h", "--group", "50:1h", "--forecast")
	if foreseen.Number != 0 || len(foreseen.Stages) != 6 || seat(foreseen, "late").Earliest.Before(seat(foreseen, "plain").Earliest) {
		t.Errorf("forecast %+v", foreseen)
	}
	h.rollout("start", nextVersion, "--group", "50:2h", "--group", "50:1h", "--parallel", "2")
	eventually(t, time.Minute, "the first service upgraded", func() bool { return seat(h.newestRollout(), "early").Place == rollout.Upgraded })
	stop()
	h.kill()
	h.up(nil, "--pace", "manual")
	stop = h.drive()
	defer stop()
	eventually(t, time.Minute, "the second channel", func() bool { return h.newestRollout().Gateways[platform.PreviewChannel] == nextVersion })
	h.create("newEarly", "Developer", 1, recent)
	if got := h.machines("newEarly")[0].Gateway; got != nextVersion {
		t.Errorf("a new early service has gateway %s", got)
	}
	done := h.rolloutIs(rollout.Succeeded)
	during := p.since()
	stop()
	before := seat(done, "early")
	for _, name := range []string{"thin", "plain", "late"} {
		now := seat(done, name)
		if now.Place != rollout.Upgraded || now.Gateway != nextVersion || name != "plain" && now.At.Before(before.At) {
			t.Errorf("%s: %+v, before it %+v", name, now, before)
		}
		if name != "thin" {
			before = now
		}
	}
	if s := seat(done, "newEarly"); s.Place != "" || done.Percent != 100 {
		t.Errorf("%d %%; the new service %+v", done.Percent, s)
	}
	for _, name := range []string{"early", "plain", "late"} {
		h.movedInWindow(name)
	}
	if n := len(h.planned("early")) + len(h.planned("plain")) + len(h.planned("late")); n == 0 {
		t.Error("the activity log has nothing that was planned")
	}
	p.unharmed(during, 100)
}

// movedInWindow checks that the rollout began to upgrade a service in its maintenance window.
func (h *host) movedInWindow(name string) {
	h.t.Helper()
	var line hosting.Timeline
	if err := h.do(http.MethodGet, h.service(name)+"/providers/Portico.Hosting/timeline", latest, nil).Decode(&line); err != nil {
		h.t.Fatal(err)
	}
	var m platform.Maintenance
	if err := h.do(http.MethodGet, h.service(name)+"/providers/Portico.Hosting/maintenanceWindow", latest, nil).Decode(&m); err != nil {
		h.t.Fatal(err)
	}
	n := 0
	for _, s := range line.Value {
		if !strings.HasPrefix(s.Step, "scheduled maintenance: gateway "+nextVersion) {
			continue
		}
		n++
		if from, to := m.Window(platform.Zone("westeurope"), s.Time); from.After(s.Time) {
			h.t.Errorf("%s was upgraded at %v, its window is from %v to %v", name, s.Time, from, to)
		}
	}
	if n != 1 {
		h.t.Errorf("%s was upgraded %d times: %+v", name, n, line.Value)
	}
}

// planned are the events of the activity log about what is planned with a service.
func (h *host) planned(name string) (found []string) {
	h.t.Helper()
	filter := "eventTimestamp%20ge%20'2020-01-01T00:00:00Z'%20and%20status%20eq%20'Planned'%20and%20resourceUri%20eq%20'" + h.service(name) + "'"
	var list struct {
		Value []struct{ Description string }
	}
	if err := h.do(http.MethodGet, h.client.Subscription()+"/providers/Microsoft.Insights/eventtypes/management/values?$filter="+filter, "2015-04-01", nil).Decode(&list); err != nil {
		h.t.Fatal(err)
	}
	for _, e := range list.Value {
		found = append(found, e.Description)
	}
	return found
}

// TestRollout_ARegressionIsRolledBack lets a version turn bad after it was good: the rollout notices, halts, and brings
// everything back, while requests go on.
func TestRollout_ARegressionIsRolledBack(t *testing.T) {
	h := start(t, "--health-deadline", "5s")
	h.create("one", "Developer", 1, recent)
	h.create("two", "Developer", 1, recent)
	h.create("three", "Standard", 1, recent)
	bad := filepath.Join(t.TempDir(), "bad")
	h.portico("gateway", "install", gatewayScript(t, nextVersion, fmt.Sprintf(`if [ -e %s ]; then exit 7; fi; exec %s "$@"`, bad, next(t))))
	p := press(t, 200, h.shop("two"), h.shop("three"))
	p.since()
	h.rollout("start", nextVersion, "--group", "100:10m", "--ignore-windows")
	eventually(t, time.Minute, "the first channel upgraded", func() bool {
		v := h.newestRollout()
		return seat(v, "one").Place == rollout.Upgraded && seat(v, "two").Place == rollout.Upgraded
	})
	if h.rollout("pause").State != rollout.Paused || h.rollout("resume").State != rollout.Running {
		t.Error("pause and resume do nothing")
	}
	if err := os.WriteFile(bad, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(h.machines("one")[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	done := h.rolloutIs(rollout.RolledBack)
	if !strings.HasSuffix(done.Service, "/one") || !strings.Contains(done.Reason, "of gateway "+nextVersion+" ends again and again") {
		t.Errorf("halted by %s: %s", done.Service, done.Reason)
	}
	for name, want := range map[string]rollout.Place{"one": rollout.Back, "two": rollout.Back, "three": ""} {
		if s := seat(done, name); s.Place != want || s.Gateway != "e2e" {
			t.Errorf("%s: %+v", name, s)
		}
		for _, m := range h.machines(name) {
			if m.Gateway != "e2e" && m.Mode == "serving" {
				t.Errorf("%s: machine %+v", name, m)
			}
		}
	}

	// What fails at once halts at once, with nothing to bring back; told to, it leaves the rest to people.
	h.portico("gateway", "install", gatewayScript(t, "crash-1", "exit 7"))
	h.rollout("start", "crash-1", "--ignore-windows", "--halt", "--parallel", "1")
	halted := h.rolloutIs(rollout.Halted)
	if !strings.Contains(halted.Reason, "of gateway crash-1 ends again and again") || len(halted.Services) != 3 || seat(halted, "three").Place != "" {
		t.Errorf("halted %+v", halted)
	}
	if v := h.rollout("rollback"); v.State != rollout.RollingBack && v.State != rollout.RolledBack {
		t.Errorf("rollback: %s", v.State)
	}
	h.rolloutIs(rollout.RolledBack)
	h.rollout("start", "crash-1", "--group", "100")
	if v := h.rollout("cancel"); v.State != rollout.Canceled {
		t.Errorf("cancel: %s", v.State)
	}
	if out := h.portico("gateway", "rollout", "list"); strings.Count(out, "\n") != 4 {
		t.Errorf("list:\n%s", out)
	}
	if out := h.portico("gateway", "rollout", "show"); !strings.HasPrefix(out, "rollout 3 of gateway crash-1: Canceled") {
		t.Errorf("show:\n%s", out)
	}
	p.unharmed(p.since(), 100)
}

// answered is how many requests the machines of a service have answered.
func (h *host) answered(name string) (n int64) {
	h.t.Helper()
	var u hosting.Units
	if err := h.do(http.MethodGet, h.service(name)+"/providers/Portico.Hosting/units", latest, nil).Decode(&u); err != nil {
		h.t.Fatal(err)
	}
	for _, s := range u.Locations[0].Sets {
		for _, m := range s.Machines {
			n += m.Answers.All
		}
	}
	return n
}

// TestRollout_ErrorsOfCallersBringItBack rolls out a version that is up and well and fails requests of its own accord: what
// callers see halts the rollout and brings the service back, while a backend that is down does not.
func TestRollout_ErrorsOfCallersBringItBack(t *testing.T) {
	h := start(t)
	h.create("one", "Developer", 1, recent)
	h.create("down", "Developer", 1, recent)
	target, down := h.shop("one"), h.address("down", h.stock("down", "http://127.0.0.1:1"))
	eventually(t, time.Minute, "the service without a backend", func() bool { return get(down, "/books") == 500 })
	ask := func(target load.Target, want int) {
		t.Helper()
		for range 5 {
			if got := get(target, "/books"); got != want && want > 0 {
				t.Fatalf("status %d, want %d", got, want)
			}
		}
	}
	for range 10 {
		ask(target, 200)
		ask(down, 500)
	}
	for _, name := range []string{"one", "down"} {
		eventually(t, time.Minute, "all of them counted", func() bool { return h.answered(name) >= 50 })
	}
	fails := filepath.Join(t.TempDir(), "fails")
	h.portico("gateway", "install", gatewayScript(t, nextVersion, fmt.Sprintf(`PORTICO_FAILPOINT_REQUEST=%s exec %s "$@"`, fails, next(t))))
	h.rollout("start", nextVersion, "--group", "100:10m", "--ignore-windows")
	eventually(t, time.Minute, "the first channel upgraded", func() bool {
		v := h.newestRollout()
		return seat(v, "one").Place == rollout.Upgraded && seat(v, "down").Place == rollout.Upgraded
	})
	for range 10 { // the same as before
		ask(target, 200)
		ask(down, 500)
	}
	if v := h.newestRollout(); v.State != rollout.Running {
		t.Fatalf("%s because of %s: %s", v.State, v.Service, v.Reason)
	}
	if err := os.WriteFile(fails, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var done rollout.View
	eventually(t, 2*time.Minute, "the rollout to be rolled back", func() bool {
		ask(target, 0)
		done = h.newestRollout()
		return done.State == rollout.RolledBack
	})
	if !strings.HasSuffix(done.Service, "/one") || !strings.HasPrefix(done.Reason, "Gateway "+nextVersion+" failed ") ||
		!strings.Contains(done.Reason, " of requests by itself; e2e 0.00 % (0 of ") {
		t.Errorf("halted by %s: %s", done.Service, done.Reason)
	}
	ask(target, 200)
	if out := h.portico("gateway", "rollout", "show"); !strings.Contains(out, done.Reason) || !strings.Contains(out, "ERRORS (5XX)") {
		t.Errorf("show:\n%s", out)
	}
	h.rollout("start", nextVersion, "--group", "100:0s", "--ignore-windows", "--ignore-errors")
	h.rolloutIs(rollout.Succeeded)
}
