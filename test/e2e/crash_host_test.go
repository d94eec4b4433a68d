package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/armclient"
)

// A crashHost is a Portico whose control plane can be killed at a failpoint, with a bystander service that must answer
// whatever happens, and a subject service that operations are tried on.
type crashHost struct {
	*host
	args      []string
	env       []string // of the control plane, besides what aims
	aimFile   string
	hitLog    string
	started   int64 // length of hitLog at the last start
	rounds    int
	bystander *poller
	address   string // of the subject before the round
	again     point  // where the next start is to die, once
	relapsing bool   // the last start was aimed at
	relapses  int    // starts after a crash that died too
	burst     burst
	windows   bool // what services were moved from is kept for long: it rests too
}

// The services of a crashHost. They live in resource groups of their own.
const (
	subject   = "subject"
	bystander = "bystander"
)

func startLane(t *testing.T, l lane) *crashHost {
	t.Helper()
	dir, err := os.MkdirTemp("", "pcrash-")
	if err != nil {
		t.Fatal(err)
	}
	h := &crashHost{host: &host{t: t, dir: dir, program: program}, args: l.args, aimFile: filepath.Join(dir, "crash.aim"), hitLog: filepath.Join(dir, "crash.hits")}
	t.Cleanup(func() { h.close() })
	if err := h.boot(); err != nil {
		t.Fatal(err)
	}
	h.do(http.MethodPut, h.client.Subscription()+"/resourceGroups/calm", "2022-09-01", object{"location": "westeurope"})
	id := h.calm()
	h.run(http.MethodPut, id, recent, serviceBody("Developer", 1))
	h.do(http.MethodPut, id+"/apis/echo", recent, object{"properties": object{"displayName": "Echo", "path": "echo", "protocols": []string{"http"}, "subscriptionRequired": false}})
	h.do(http.MethodPut, id+"/apis/echo/operations/get", recent, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/"}})
	h.do(http.MethodPut, id+"/apis/echo/policies/policy", recent, policyBody("calm"))
	var v view
	if err := h.get(id, &v); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, "the bystander's first answer", func() bool { return ask(v.addr(), "/echo/") == nil })
	h.bystander = poll(v.addr(), "/echo/")
	t.Cleanup(func() { h.bystander.stop() })
	return h
}

// calm is the ID of the bystander.
func (h *crashHost) calm() string {
	return h.client.Subscription() + "/resourceGroups/calm/providers/Microsoft.ApiManagement/service/" + bystander
}

// boot starts the control plane. It returns an error when that dies before it is ready.
func (h *crashHost) boot() error {
	info, err := os.Stat(h.hitLog)
	if err == nil {
		h.started = info.Size()
	}
	return h.tryUp(append([]string{"PORTICO_FAILPOINT=@" + h.aimFile, "PORTICO_FAILPOINT_LOG=" + h.hitLog}, h.env...), h.args...)
}

// aim says where the control plane is to die from now on; without a point, nowhere.
func (h *crashHost) aim(p point) {
	h.t.Helper()
	var err error
	for _, path := range []string{h.aimFile, h.aimFile + ".hit"} {
		if e := os.Remove(path); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err == nil && p.name != "" {
		// The round makes each aim a new one.
		text := fmt.Sprintf("%s\n%d\n", p, h.rounds)
		if err = os.WriteFile(h.aimFile+".new", []byte(text), 0o600); err == nil {
			err = os.Rename(h.aimFile+".new", h.aimFile)
		}
	}
	if err != nil {
		h.t.Fatal(err)
	}
}

// get reads a resource; nothing is fatal.
func (h *crashHost) get(path string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	res, err := h.client.Do(ctx, http.MethodGet, path, recent, nil)
	if err != nil {
		return err
	}
	return res.Decode(into)
}

// hits counts the points that were reached since a place in the log.
func (h *crashHost) hits(since int64) map[string]int {
	h.t.Helper()
	f, err := os.Open(h.hitLog)
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(since, io.SeekStart); err != nil {
		h.t.Fatal(err)
	}
	n := map[string]int{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		n[lines.Text()]++
	}
	if err := lines.Err(); err != nil {
		h.t.Fatal(err)
	}
	return n
}

func (h *crashHost) logged() int64 {
	h.t.Helper()
	info, err := os.Stat(h.hitLog)
	if err != nil {
		h.t.Fatal(err)
	}
	return info.Size()
}

// record runs an operation without a crash and returns which points it reached, and how often: those of the control
// plane, or of the host's other processes.
func (h *crashHost) record(k *crashKind, host bool) map[string]int {
	h.t.Helper()
	since := int64(0)
	h.attempt(k, func() { since = h.logged() })
	reached := func() map[string]int {
		hits := h.hits(since)
		maps.DeleteFunc(hits, func(name string, _ int) bool { return ofHost(name) != host })
		return hits
	}
	// What was seen on the host may be a moment ahead of the log; a transaction that failed has no end in it.
	for deadline := time.Now().Add(500 * time.Millisecond); !balanced(reached()) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // between two looks at a condition
	}
	return reached()
}

// ofHost says whether a point is one of the agent, the edge or a machine. All others are the control plane's.
func ofHost(name string) bool {
	what, _, _ := strings.Cut(name, ".")
	return what == "agent" || what == "edge" || what == "machine"
}

func balanced(hits map[string]int) bool {
	for name, n := range hits {
		if what, ok := strings.CutSuffix(name, ".before"); ok && n != hits[what+".after"] {
			return false
		}
	}
	return true
}

// round tries an operation while aiming at a point.
func (h *crashHost) round(s shot) (r result) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("in round %d: %s, aimed at %s, then %q", h.rounds, s.kind.name, s.point, s.again.name)
		}
	}()
	return h.attempt(s.kind, func() {
		h.aim(s.point)
		h.again = s.again
	})
}

// attempt prepares an operation, takes aim, sends the request and follows it to its end, starting the control plane
// again when it died. What the request was to change must then be as it was before, unless the request was answered,
// or as was asked for.
func (h *crashHost) attempt(k *crashKind, takeAim func()) (r result) {
	h.t.Helper()
	h.rounds++
	h.relapsing = false
	k.prepare(h)
	h.settle()
	h.acknowledge()
	h.remember()
	before := k.look(h)
	want := k.want(h, before)
	var own *poller
	if k.serves {
		own = poll(h.show(subject).addr(), "/status-0123456789abcdef")
	}
	takeAim()
	res, err := k.send(h)
	r.answered = err == nil
	r.killed = h.revive(err)
	for {
		if err = h.follow(res); err == nil {
			h.aim(point{})
			err = h.get(h.calm(), &view{}) // it may have died after the operation had ended
		}
		if !h.revive(err) {
			break
		}
		r.killed = true
	}
	h.settle()
	if own != nil {
		h.answered(own)
	}
	h.acknowledged()
	after := k.look(h)
	r.applied = cmp.Equal(want, after)
	if d := cmp.Diff(want, after); d != "" && (r.answered || !r.killed) {
		h.t.Errorf("%s was answered, but not carried out (-want +got):\n%s", k.name, d)
	} else if u := cmp.Diff(before, after); d != "" && u != "" {
		h.t.Errorf("%s was carried out in part: not as asked for (-want +got):\n%s\nnor as before (-want +got):\n%s", k.name, d, u)
	}
	if h.t.Failed() {
		h.t.FailNow()
	}
	return r
}

// revive starts the control plane again if err says that it died, and tells whether it did. The start may be one that
// is to die too.
func (h *crashHost) revive(err error) (died bool) {
	h.t.Helper()
	for ; err != nil; err = h.boot() {
		if refusal, ok := errors.AsType[*arm.Error](err); ok {
			h.t.Fatalf("refused: %v", refusal)
		}
		if end := h.exited(20 * time.Second); end == nil || end.Error() != "signal: killed" {
			h.t.Fatalf("%v, and the control plane ended with: %v\n%s", err, end, h.log())
		}
		if h.relapsing {
			h.relapses++
		}
		h.relapsing = h.again != point{}
		h.aim(h.again)
		h.again, died = point{}, true
	}
	return died
}

// follow waits for the end of the operation that an answer names, which must be a good one, and then until nothing
// moves any more. It returns an error when the control plane cannot be asked.
func (h *crashHost) follow(res *armclient.Response) error {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 160*time.Millisecond) {
		if h.dead() {
			return errDied
		}
		reason, err := h.ended(res)
		if err == nil && reason == "" {
			reason, err = h.unsettled()
		}
		if err != nil || reason == "" {
			return err
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("not settled: %s", reason)
		}
		time.Sleep(pause) // between two looks at a condition, which cost something
	}
}

// errDied says that the control plane does not run.
var errDied = errors.New("the control plane has died")

func (h *crashHost) dead() bool {
	select {
	case err := <-h.done:
		h.done <- err
		return true
	default:
		return false
	}
}

// ended looks at the monitor of an operation. reason is empty when it has ended.
func (h *crashHost) ended(res *armclient.Response) (reason string, err error) {
	h.t.Helper()
	if res == nil {
		return "", nil
	}
	monitor := res.Header.Get("Azure-AsyncOperation")
	if monitor == "" {
		if monitor = res.Header.Get("Location"); monitor == "" || res.Status != http.StatusAccepted {
			return "", nil
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// The answer is of the process that died; the folder keeps its address.
	got, err := h.client.Do(ctx, http.MethodGet, monitor, "", nil)
	if refusal, ok := errors.AsType[*arm.Error](err); ok {
		h.t.Fatalf("the operation ended with: %v", refusal)
	}
	switch {
	case err != nil:
		return "", err
	case got.Status == http.StatusAccepted || bytes.Contains(got.Body, []byte(`"InProgress"`)):
		return "the operation is in progress", nil
	case res.Header.Get("Azure-AsyncOperation") != "" && !bytes.Contains(got.Body, []byte(`"Succeeded"`)):
		h.t.Fatalf("the operation ended with: %s", got.Body)
	}
	return "", nil
}

// settle waits until nothing moves any more.
func (h *crashHost) settle() {
	h.t.Helper()
	if err := h.follow(nil); err != nil {
		h.t.Fatal(err)
	}
}

// remember notes the subject's address, so that looks can tell whether it has changed.
func (h *crashHost) remember() {
	h.t.Helper()
	h.address = ""
	var v view
	err := h.get(h.service(subject), &v)
	if err != nil && armclient.Status(err) != http.StatusNotFound {
		h.t.Fatal(err)
	}
	h.address = strings.Join(v.Properties.PublicIPs, " ")
}

// acknowledge writes something that has nothing to do with the operation that follows; it must outlive whatever comes.
func (h *crashHost) acknowledge() {
	h.t.Helper()
	h.do(http.MethodPut, h.calm()+"/namedValues/ledger", recent, object{"properties": object{"displayName": "ledger", "value": fmt.Sprint("round ", h.rounds)}})
}

func (h *crashHost) acknowledged() {
	h.t.Helper()
	if got, want := h.text(h.calm()+"/namedValues/ledger", "value"), fmt.Sprint("round ", h.rounds); got != want {
		h.t.Errorf("an acknowledged write is gone: the ledger says %q, want %q", got, want)
	}
}

// answered ends a poller, none of whose requests may have failed.
func (h *crashHost) answered(p *poller) {
	h.t.Helper()
	p.stop()
	if p.count == 0 || len(p.failures) > 0 {
		h.t.Errorf("%s: %d of %d requests failed: %v", p.addr, len(p.failures), p.count, p.failures)
	}
}

// finish checks what rounds could not see: `portico down` after a crash in the middle of an operation leaves nothing,
// and the next start goes on with it.
func (h *crashHost) finish(k *crashKind) {
	h.t.Helper()
	h.answered(h.bystander)
	h.t.Logf("%d rounds, %d crashes of starts after a crash; the bystander answered %d requests, all well", h.rounds, h.relapses, h.bystander.count)
	h.rounds++
	k.prepare(h)
	h.settle()
	h.aim(point{"store.commit.after", 1})
	if _, err := k.send(h); err == nil {
		h.t.Errorf("%s was answered by a control plane that should have died", k.name)
	}
	if end := h.exited(20 * time.Second); end == nil || end.Error() != "signal: killed" {
		h.t.Errorf("the control plane ended with: %v", end)
	}
	h.aim(point{})
	h.downed()
	if err := h.boot(); err != nil {
		h.t.Fatal(err)
	}
	h.settle()
	h.allSucceeded()
	h.downed()
}

func (h *crashHost) downed() {
	h.t.Helper()
	h.portico("down")
	if left := processes(h.t, h.dir); len(left) > 0 {
		h.t.Errorf("still running after portico down: %v", left)
	}
}
