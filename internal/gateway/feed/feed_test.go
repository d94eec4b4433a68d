package feed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/feed"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// control is a control plane on a unix socket: it answers polls from one bundle per service.
type control struct {
	socket   string
	machines atomic.Int32 // started so far

	mu      sync.Mutex
	seq     int64
	bundles map[string]service.Bundle
	polls   []snapshot.PollRequest
	changed chan struct{}
}

func startControl(t *testing.T) *control {
	t.Helper()
	dir, err := os.MkdirTemp("", "feed") // socket paths must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &control{socket: filepath.Join(dir, "s"), bundles: map[string]service.Bundle{}, changed: make(chan struct{})}
	c.listen(t)
	return c
}

func (c *control) listen(t *testing.T) (stop func()) {
	t.Helper()
	l, err := net.Listen("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+snapshot.PollPath, c.poll)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	done := make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	var once sync.Once
	stop = func() { once.Do(func() { _ = srv.Close(); <-done }) }
	t.Cleanup(stop)
	return stop
}

func (c *control) publish(seq int64, bundles ...service.Bundle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seq = seq
	for _, b := range bundles {
		c.bundles[b.Manifest.Service] = b
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *control) poll(w http.ResponseWriter, r *http.Request) {
	var req snapshot.PollRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.polls = append(c.polls, req)
	c.mu.Unlock()
	for {
		c.mu.Lock()
		resp := snapshot.PollResponse{Seq: c.seq, Parts: map[string][]byte{}}
		held := map[string]bool{}
		for _, d := range req.Parts {
			held[d] = true
		}
		for id, b := range c.bundles {
			if req.Have[id] == b.Manifest.Digest() {
				continue
			}
			m := b.Manifest
			m.Seq = c.seq
			resp.Manifests = append(resp.Manifests, m)
			for p := range m.Parts.All() {
				if !held[p.Digest] {
					resp.Parts[p.Digest], _ = b.Load(p.Digest)
				}
			}
		}
		for id := range req.Have {
			if _, ok := c.bundles[id]; !ok {
				resp.Gone = append(resp.Gone, id)
			}
		}
		changed := c.changed
		c.mu.Unlock()
		if len(resp.Manifests)+len(resp.Gone) > 0 || req.Seq < resp.Seq {
			_ = json.NewEncoder(w).Encode(resp)
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// lastPoll waits for a poll that fits.
func (c *control) waitPoll(t *testing.T, fits func(snapshot.PollRequest) bool) snapshot.PollRequest {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		c.mu.Lock()
		for _, p := range c.polls {
			if fits(p) {
				c.mu.Unlock()
				return p
			}
		}
		c.mu.Unlock()
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no poll fits")
	return snapshot.PollRequest{}
}

type machine struct {
	*feed.Feed
	name   string
	srv    *engine.Server
	cancel context.CancelFunc
	done   chan error
}

func startMachine(t *testing.T, c *control, cache string, serviceID string) *machine {
	t.Helper()
	return startWith(t, c, cache, serviceID, false)
}

// startAsking starts a machine of the test's service that asks first.
func startAsking(t *testing.T, c *control, cache string) *machine {
	t.Helper()
	return startWith(t, c, cache, gatewaytest.ServiceID, true)
}

func startWith(t *testing.T, c *control, cache string, serviceID string, askFirst bool) *machine {
	t.Helper()
	m := &machine{name: fmt.Sprint("m", c.machines.Add(1)), done: make(chan error, 1)}
	opt := feed.Options{
		AskFirst: askFirst, Machine: m.name, Service: serviceID, Location: "westeurope", Socket: c.socket, Cache: cache, Key: make([]byte, 32),
		Apply: func(b service.Bundle) ([]snapshot.Refusal, error) { return m.srv.Apply(b) },
		Drop:  func(id string) { m.srv.Drop(id) },
	}
	f, err := feed.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	m.Feed = f
	eopt := engine.Options{Compiler: gatewaytest.Compiler(t)}
	if serviceID == "" {
		eopt.Catalogue = f
	}
	m.srv = engine.New(eopt)
	ctx, cancel := context.WithCancel(t.Context())
	m.cancel = cancel
	go func() { m.done <- f.Run(ctx) }()
	t.Cleanup(func() { m.stop(t) })
	return m
}

func (m *machine) stop(t *testing.T) {
	t.Helper()
	if m.cancel == nil {
		return
	}
	m.cancel()
	m.cancel = nil
	if err := <-m.done; !errors.Is(err, context.Canceled) {
		t.Errorf("run: %v", err)
	}
	if err := m.srv.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func (m *machine) ready(t *testing.T) {
	t.Helper()
	select {
	case <-m.Ready():
	case <-time.After(10 * time.Second):
		t.Fatalf("not ready: %+v", m.Status())
	}
}

// distinct counts the parts of a manifest; equal ones are kept once.
func distinct(m snapshot.Manifest) int {
	seen := map[string]bool{}
	for p := range m.Parts.All() {
		seen[p.Digest] = true
	}
	return len(seen)
}

func digestOf(m snapshot.Manifest, kind, id string) string {
	ref, _ := m.Parts.Get(snapshot.PartKey{Kind: kind, ID: id})
	return ref.Digest
}

func TestFeed_FollowsAndReports(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	first := shop.Bundle(t)
	c.publish(5, first)
	m := startMachine(t, c, t.TempDir(), gatewaytest.ServiceID)
	m.ready(t)
	c.waitPoll(t, func(p snapshot.PollRequest) bool {
		return p.Seq == 5 && p.Have[gatewaytest.ServiceID] == first.Manifest.Digest() && len(p.Parts) == distinct(first.Manifest)
	})
	if diff := cmp.Diff(feed.Status{Seq: 5, Digest: first.Manifest.Digest(), Services: 1}, m.Status()); diff != "" {
		t.Fatal(diff)
	}

	shop.APIs[0].Policy = &snapshot.Policy{ID: shop.APIs[0].ID + "/policies/policy", XML: "<policies><inbound><no-such/></inbound></policies>"}
	bad := shop.Bundle(t)
	c.publish(6, bad)
	p := c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 6 && len(p.Refused) > 0 })
	if diff := cmp.Diff(shop.APIs[0].ID, p.Refused[0].ID); diff != "" {
		t.Fatal(diff)
	}
	if p.Have[gatewaytest.ServiceID] != bad.Manifest.Digest() {
		t.Fatalf("reports %v", p.Have)
	}

	// A store transaction that concerns other services changes the Seq and nothing else.
	c.publish(9)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 9 })
	if got := m.Status().Seq; got != 9 {
		t.Fatalf("seq %d, want 9", got)
	}
}

func TestFeed_StartsFromTheCacheWithTheControlPlaneDead(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	cache := t.TempDir()
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	good := shop.Bundle(t)
	c.publish(5, good)
	m := startMachine(t, c, cache, gatewaytest.ServiceID)
	m.ready(t)
	shop.APIs[0].Policy = &snapshot.Policy{ID: shop.APIs[0].ID + "/policies/policy", XML: "<policies><inbound><no-such/></inbound></policies>"}
	c.publish(6, shop.Bundle(t))
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 6 })
	m.stop(t)

	// Nothing readable is on disk.
	err := filepath.WalkDir(cache, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && json.Valid(data[1:]) {
			t.Errorf("%s is not sealed", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}

	dead := &control{socket: c.socket + "-nobody"}
	m = startMachine(t, dead, cache, gatewaytest.ServiceID)
	m.ready(t)
	st := m.Status()
	if st.Seq != 6 || len(st.Refused) != 1 {
		t.Fatalf("status %+v", st)
	}
	// The API whose part is refused is served in its last good form.
	var digests []string
	for _, p := range m.srv.Current().Parts() {
		if p.Kind == snapshot.KindAPI {
			digests = append(digests, p.Digest)
		}
	}
	if diff := cmp.Diff([]string{digestOf(good.Manifest, snapshot.KindAPI, shop.APIs[0].ID)}, digests); diff != "" {
		t.Fatal(diff)
	}
}

func TestFeed_OtherKeyCountsAsEmpty(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	cache := t.TempDir()
	b := gatewaytest.Shop("http://127.0.0.1:1").Bundle(t)
	c.publish(5, b)
	m := startMachine(t, c, cache, gatewaytest.ServiceID)
	m.ready(t)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 5 })
	m.stop(t)
	files, err := filepath.Glob(filepath.Join(cache, "*", "*"))
	if err != nil || len(files) != 1+distinct(b.Manifest) {
		t.Fatalf("files %v, %v", files, err)
	}
	for _, f := range files {
		if err := os.WriteFile(f, []byte{1, 2, 3}, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m = startMachine(t, c, cache, gatewaytest.ServiceID)
	m.ready(t)
	if got := m.Status().Digest; got != b.Manifest.Digest() {
		t.Fatalf("digest %s", got)
	}
}

// A part that was damaged on disk is sent again, though the machine has the manifest that it belongs to.
func TestFeed_DamagedPartIsSentAgain(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	cache := t.TempDir()
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	b := shop.Bundle(t)
	c.publish(5, b)
	m := startMachine(t, c, cache, gatewaytest.ServiceID)
	m.ready(t)
	m.stop(t)
	file := filepath.Join(cache, "parts", digestOf(b.Manifest, snapshot.KindAPI, shop.APIs[0].ID))
	if err := os.WriteFile(file, []byte{1, 2, 3}, 0o600); err != nil {
		t.Fatal(err)
	}
	m = startMachine(t, c, cache, gatewaytest.ServiceID)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Have[gatewaytest.ServiceID] == "" && len(p.Refused) == 1 })
	c.waitPoll(t, func(p snapshot.PollRequest) bool {
		return p.Machine == m.name && p.Seq == 5 && p.Have[gatewaytest.ServiceID] == b.Manifest.Digest() && len(p.Refused) == 0
	})
	if n := len(m.srv.Current().Parts()); n != b.Manifest.Parts.Len() {
		t.Errorf("%d parts are served, want %d", n, b.Manifest.Parts.Len())
	}
	if data, err := os.ReadFile(file); err != nil || len(data) < 100 {
		t.Errorf("the file has %d bytes, %v", len(data), err)
	}
}

// What a change replaces leaves the disk, in the journal as well.
func TestFeed_KeepsWhatIsUsed(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	cache := t.TempDir()
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	var last service.Bundle
	m := startMachine(t, c, cache, gatewaytest.ServiceID)
	for i := range 5 {
		shop.APIs[0].DisplayName = strconv.Itoa(i)
		last = shop.Bundle(t)
		c.publish(int64(5+i), last)
		c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == int64(5+i) })
	}
	m.stop(t)
	files, err := filepath.Glob(filepath.Join(cache, "parts", "*"))
	if err != nil || len(files) != distinct(last.Manifest) {
		t.Errorf("%d files, want %d, %v", len(files), distinct(last.Manifest), err)
	}
	m = startMachine(t, &control{socket: c.socket + "-nobody"}, cache, gatewaytest.ServiceID)
	m.ready(t)
	if got := m.Status().Digest; got != last.Manifest.Digest() {
		t.Errorf("digest %s, want %s", got, last.Manifest.Digest())
	}
}

func TestFeed_ReconnectsWhenTheControlPlaneIsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := &control{socket: filepath.Join(dir, "s"), bundles: map[string]service.Bundle{}, changed: make(chan struct{})}
	stop := c.listen(t)
	c.publish(5, gatewaytest.Shop("http://127.0.0.1:1").Bundle(t))
	m := startMachine(t, c, "", gatewaytest.ServiceID)
	m.ready(t)
	stop()
	changed := gatewaytest.Shop("http://127.0.0.1:2").Bundle(t)
	c.publish(7, changed)
	c.listen(t)
	c.waitPoll(t, func(p snapshot.PollRequest) bool {
		return p.Seq == 7 && p.Have[gatewaytest.ServiceID] == changed.Manifest.Digest()
	})
}

func TestFeed_WorkerKeepsServicesOnDiskAndActivatesThem(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	var bundles []service.Bundle
	for _, name := range []string{"a", "b"} {
		s := gatewaytest.Shop("http://127.0.0.1:1")
		s.Service.ID, s.Service.Name = "/services/"+name, name
		s.Service.Hosts = []snapshot.Host{{Name: name + ".apim.localhost"}}
		bundles = append(bundles, s.Bundle(t))
	}
	c.publish(3, bundles...)
	m := startMachine(t, c, t.TempDir(), "")
	m.ready(t)
	id, ok := m.Find("b.apim.localhost")
	if diff := cmp.Diff("/services/b", id); diff != "" || !ok {
		t.Fatal(diff)
	}
	if _, err := m.Load(id); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	delete(c.bundles, "/services/b")
	c.mu.Unlock()
	c.publish(4)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 4 && len(p.Have) == 1 })
	if _, ok := m.Find("b.apim.localhost"); ok {
		t.Fatal("a service that is gone is still found")
	}
}

// What a worker activates while a change is being applied, Apply does not see: it has to find the change in the
// catalogue. A change that cannot be applied is not there afterwards.
func TestFeed_WorkerAnnouncesWhatItApplies(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	first := shop.Bundle(t)
	c.publish(3, first)
	found := make(chan string, 100)
	broken := errors.New("cannot be applied")
	var f *feed.Feed
	f, err := feed.New(feed.Options{
		Machine: "m1", Location: "westeurope", Socket: c.socket, Cache: t.TempDir(), Key: make([]byte, 32),
		Apply: func(b service.Bundle) ([]snapshot.Refusal, error) {
			loaded, err := f.Load(gatewaytest.ServiceID)
			for p := range loaded.Manifest.Parts.All() {
				if _, failed := loaded.Load(p.Digest); failed != nil {
					err = errors.Join(err, failed)
				}
			}
			if err != nil {
				found <- err.Error()
			} else {
				found <- loaded.Manifest.Digest()
			}
			if b.Manifest.Seq == 5 {
				return nil, broken
			}
			return nil, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-found:
			if got != want {
				t.Fatalf("while it is applied the catalogue has %s, want %s", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was applied")
		}
	}
	expect(first.Manifest.Digest())
	shop.APIs[0].Name = "other"
	second := shop.Bundle(t)
	c.publish(4, second)
	expect(second.Manifest.Digest())
	shop.APIs[0].Name = "unusable"
	third := shop.Bundle(t)
	c.publish(5, third)
	expect(third.Manifest.Digest())
	c.waitPoll(t, func(p snapshot.PollRequest) bool {
		return p.Seq == 4 && p.Session == "" && p.Have[gatewaytest.ServiceID] == second.Manifest.Digest()
	})
	// It is tried again and again, and each time in the catalogue for as long as that takes.
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		b, err := f.Load(gatewaytest.ServiceID)
		if err == nil && b.Manifest.Digest() == second.Manifest.Digest() {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("catalogue has %s afterwards (%v), want %s", b.Manifest.Digest(), err, second.Manifest.Digest())
		}
	}
}

// An mtv1 worker finds the service of a name, and of a wildcard that stands for it.
func TestFeed_FindsWildcards(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	shop.Service.Hosts = []snapshot.Host{{Name: "*.contoso.example"}, {Name: "api.fabrikam.example"}}
	c.publish(5, shop.Bundle(t))
	m := startMachine(t, c, t.TempDir(), "")
	m.ready(t)
	for host, want := range map[string]bool{
		"api.contoso.example": true, "contoso.example": false, "a.b.contoso.example": false, "api.fabrikam.example": true, "www.fabrikam.example": false,
	} {
		if _, ok := m.Find(host); ok != want {
			t.Errorf("%s: %v", host, ok)
		}
	}
}

// A machine that asks first serves nothing of its cache before it knows what is new, or that nobody can tell.
func TestFeed_AsksFirst(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	cache := t.TempDir()
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	c.publish(5, shop.Bundle(t))
	m := startMachine(t, c, cache, gatewaytest.ServiceID)
	m.ready(t)
	m.stop(t)

	shop.Service.Hosts = append(shop.Service.Hosts, snapshot.Host{Name: "new.example"})
	changed := shop.Bundle(t)
	c.publish(6, changed)
	m = startAsking(t, c, cache)
	m.ready(t)
	if got := m.Status(); got.Seq != 6 || got.Digest != changed.Manifest.Digest() {
		t.Errorf("ready at seq %d with %s, want 6 with %s", got.Seq, got.Digest, changed.Manifest.Digest())
	}
	m.stop(t)

	m = startAsking(t, &control{socket: c.socket + "-nobody"}, cache)
	m.ready(t)
	if got := m.Status(); got.Seq != 6 {
		t.Errorf("ready at seq %d without a control plane, want 6", got.Seq)
	}
}

// The manifests of a worker are on disk: it follows their changes, starts from them, and sends for what is damaged.
func TestFeed_WorkerFollowsWhatItKeepsOnDisk(t *testing.T) {
	t.Parallel()
	c := startControl(t)
	cache := t.TempDir()
	shop := gatewaytest.Shop("http://127.0.0.1:1")
	first := shop.Bundle(t)
	c.publish(3, first)
	m := startMachine(t, c, cache, "")
	m.ready(t)
	old := digestOf(first.Manifest, snapshot.KindAPI, shop.APIs[0].ID)

	shop.APIs[0].Path = "moved"
	second := shop.Bundle(t)
	c.publish(4, second)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 4 && p.Machine == m.name })
	loaded := func() string {
		t.Helper()
		b, err := m.Load(gatewaytest.ServiceID)
		if err != nil {
			t.Fatal(err)
		}
		return b.Manifest.Digest()
	}
	if got := loaded(); got != second.Manifest.Digest() {
		t.Errorf("after a change the manifest is %s, want %s", got, second.Manifest.Digest())
	}
	if _, err := os.Stat(filepath.Join(cache, "parts", old)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the change replaced is still on disk: %v", err)
	}
	m.stop(t)

	summary := filepath.Join(cache, "summary")
	for _, killed := range []bool{false, true} { // who is killed leaves no summary
		if killed {
			if err := os.Remove(summary); err != nil {
				t.Fatal(err)
			}
		}
		m = startMachine(t, &control{socket: c.socket + "-nobody"}, cache, "")
		m.ready(t)
		if _, err := os.Stat(summary); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the summary of the worker before is still there: %v", err)
		}
		if got := loaded(); got != second.Manifest.Digest() || m.Seq() != 4 {
			t.Errorf("after a start the manifest is %s at %d, want %s at 4", got, m.Seq(), second.Manifest.Digest())
		}
		if id, ok := m.Find(shop.Service.Hosts[0].Name); !ok || !strings.EqualFold(id, gatewaytest.ServiceID) {
			t.Errorf("the host of the service leads to %q", id)
		}
		m.stop(t)
	}

	files, err := filepath.Glob(filepath.Join(cache, "services", "*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	m = startMachine(t, c, cache, "")
	m.ready(t)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 4 && p.Machine == m.name })
	if err := os.WriteFile(files[0], []byte{1, 2, 3}, 0o600); err != nil {
		t.Fatal(err)
	}
	shop.APIs[0].Path = "again"
	third := shop.Bundle(t)
	c.publish(5, third)
	c.waitPoll(t, func(p snapshot.PollRequest) bool { return p.Seq == 5 && p.Machine == m.name })
	if got := loaded(); got != third.Manifest.Digest() {
		t.Errorf("after damage the manifest is %s, want %s", got, third.Manifest.Digest())
	}
}
