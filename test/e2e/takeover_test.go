package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
)

// An armLoad changes and reads what is below a service, over kept and over new connections, until it is stopped.
type armLoad struct {
	done   chan struct{}
	end    sync.Once
	wg     sync.WaitGroup
	count  atomic.Int64
	mu     sync.Mutex // guards below
	failed []error
}

func (h *host) armLoad(service string) *armLoad {
	h.t.Helper()
	l := &armLoad{done: make(chan struct{})}
	for i := range 6 {
		c, err := armclient.Open(h.dir) // with a connection of its own
		if err != nil {
			h.t.Fatal(err)
		}
		l.wg.Go(func() { l.work(c, fmt.Sprintf("%s/namedValues/load%d", h.service(service), i), i%3 == 2) })
	}
	h.t.Cleanup(func() { l.stop() })
	eventually(h.t, time.Minute, "load on ARM", func() bool { return l.count.Load() > 20 })
	return l
}

// work writes a value and reads it back.
func (l *armLoad) work(c *armclient.Client, path string, fresh bool) {
	for n := 0; ; n++ {
		select {
		case <-l.done:
			return
		case <-time.After(3 * time.Millisecond): // the pace of the client
		}
		var header []string
		if fresh {
			header = []string{"Connection", "close"}
		}
		want := fmt.Sprint(n)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		_, err := c.Do(ctx, http.MethodPut, path, latest, object{"properties": object{"displayName": lastOf(path), "value": want}}, header...)
		var got struct{ Properties struct{ Value string } }
		if err == nil {
			var res *armclient.Response
			if res, err = c.Do(ctx, http.MethodGet, path, latest, nil, header...); err == nil {
				err = res.Decode(&got)
			}
		}
		cancel()
		if err == nil && got.Properties.Value != want {
			err = fmt.Errorf("%s is %q, want %q: an acknowledged write is lost", path, got.Properties.Value, want)
		}
		l.count.Add(2)
		if err != nil {
			l.mu.Lock()
			l.failed = append(l.failed, err)
			l.mu.Unlock()
		}
	}
}

func lastOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func (l *armLoad) stop() (count int64, failed []error) {
	l.end.Do(func() { close(l.done) })
	l.wg.Wait()
	return l.count.Load(), l.failed
}

// unharmed stops the load and checks that every request was answered.
func (l *armLoad) unharmed(t testing.TB) {
	t.Helper()
	count, failed := l.stop()
	t.Logf("%d requests to ARM", count)
	if len(failed) > 0 || count < 60 {
		t.Errorf("%d of %d requests to ARM failed: %v", len(failed), count, failed)
	}
}

// TestControlPlane_UpgradeUnderLoad has another build take over while ARM and gateways are busy and an operation runs.
func TestControlPlane_UpgradeUnderLoad(t *testing.T) {
	h := start(t)
	h.create("single", "Developer", 1, latest)
	h.create("wide", "Standard", 1, latest)
	p := press(t, 200, h.shop("single"), h.shop("wide"))
	p.since()
	l := h.armLoad("single")
	res := h.do(http.MethodPatch, h.service("wide"), latest, object{"sku": object{"name": "Standard", "capacity": 3}})
	out := h.portico("upgrade", next(t), "--watch", "1s")
	if want := "the control plane runs " + nextVersion + ", before it ran e2e\n"; out != want {
		t.Errorf("upgrade says %q, want %q", out, want)
	}
	if h.cmd.Process.Signal(syscall.Signal(0)) != nil {
		t.Error("the process is another one")
	}
	eventually(t, time.Minute, "the operation that ran", func() bool {
		return h.show("wide").Properties.ProvisioningState == "Succeeded" && len(h.machines("wide")) == 6
	})
	if res.Status != http.StatusAccepted {
		t.Errorf("the change was answered with %d", res.Status)
	}
	runs := h.gatewayFile(nextVersion)
	eventually(t, time.Minute, "agent and edge of the new build", func() bool { return h.programOf("host") == runs && h.programOf("edge") == runs })
	eventually(t, time.Minute, "the end of the probation", func() bool { return h.portico("upgrade", "--status") == "the control plane runs "+nextVersion+"\n" })
	if got := h.machines("single")[0].Gateway; got != "e2e" {
		t.Errorf("the upgrade moved a service to gateway %s", got)
	}
	if out := h.portico("upgrade", next(t)); out != "the control plane runs "+nextVersion+" already\n" {
		t.Errorf("once more: %s", out)
	}
	l.unharmed(t)
	p.unharmed(p.since(), 200)
}

// TestControlPlane_ABrokenProgramIsRolledBack offers programs that cannot take over: what is refused changes nothing, what
// does not get ready is undone.
func TestControlPlane_ABrokenProgramIsRolledBack(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("single", "Developer", 1, latest)
	l := h.armLoad("single")
	offer := func(version, check, up string) string {
		return gatewayScript(t, version, fmt.Sprintf(`case "$*" in *--check) %s;; *) %s;; esac`, check, up))
	}
	for _, tt := range []struct{ file, within, want string }{
		{offer("older", "echo 'portico: open store: the file has format 2 and this program knows formats up to 1' >&2; exit 1", "exit 0"), "1m", "older cannot take over: open store: the file has format 2 and this program knows formats up to 1"},
		{offer("dies", "exit 0", "echo cannot work >&2; exit 3"), "1m", "dies: cannot work (e2e runs on)"},
		{offer("hangs", "exit 0", "exec sleep 1000"), "1s", "hangs: it was not ready within 1s (e2e runs on)"},
		{filepath.Join(h.dir, "none"), "1m", "no such file"},
	} {
		out, err := exec.Command(h.program, "upgrade", tt.file, "--within", tt.within, "--data", h.dir).CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("upgrade to %s: %v, %s; want %q", tt.file, err, out, tt.want)
		}
		if err := h.cmd.Process.Signal(syscall.Signal(0)); err != nil {
			t.Fatalf("the control plane is gone: %v", err)
		}
	}
	h.create("after", "Developer", 1, latest)
	l.unharmed(t)
}

// TestControlPlane_ACrashOnProbationIsUndone has another build take over that dies later: the program that was there takes
// its own place again, as the same process and with the same sockets. One that somebody is content with stays.
func TestControlPlane_ACrashOnProbationIsUndone(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("single", "Developer", 1, latest)
	dies := filepath.Join(t.TempDir(), "dies")
	file := gatewayScript(t, nextVersion, fmt.Sprintf(`PORTICO_FAILPOINT=@%s exec %s "$@"`, dies, next(t)))
	status := func(want string) {
		t.Helper()
		eventually(t, time.Minute, want, func() bool {
			out, err := exec.Command(h.program, "upgrade", "--status", "--data", h.dir).Output() // nobody is ready now and then
			return err == nil && strings.HasPrefix(string(out), want)
		})
	}
	h.portico("upgrade", file)
	status("the control plane runs " + nextVersion + ", on probation until ")
	h.create("second", "Developer", 1, latest)
	out, err := exec.Command(h.program, "upgrade", h.program, "--data", h.dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "The control plane runs "+nextVersion+" on probation until ") {
		t.Errorf("an upgrade on probation: %s", out)
	}
	if err := os.WriteFile(dies, []byte("store.commit.before:1"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = h.client.Do(t.Context(), http.MethodPut, h.service("single")+"/namedValues/last", latest, object{"properties": object{"displayName": "last", "value": "1"}}) // it dies of that
	status("the control plane runs e2e, after an upgrade was undone: " + nextVersion + ": it ended ")
	if err := h.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the process is gone: %v", err)
	}
	if s := h.show("second"); s.Properties.ProvisioningState != "Succeeded" {
		t.Errorf("what was made on probation is %+v", s)
	}
	eventually(t, time.Minute, "agent and edge of the build before", func() bool {
		return h.programOf("host") == h.program && h.programOf("edge") == h.program || h.programOf("host") == h.gatewayFile("e2e")
	})

	h.portico("upgrade", next(t))
	status("the control plane runs " + nextVersion + ", on probation until ")
	h.portico("restart")
	if out := h.portico("upgrade", "--status"); out != "the control plane runs "+nextVersion+"\n" {
		t.Errorf("after a restart on probation: %s", out)
	}
}
