package engine_test

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/gateway/service"
	"github.com/portico-dev/portico/internal/snapshot"
)

// catalogue knows services by host; loads may be held up.
type catalogue struct {
	mu      sync.Mutex
	bundles map[string]service.Bundle // by host, which is the service ID too
	broken  bool
	hold    chan struct{}
	loads   atomic.Int64
}

func (c *catalogue) Find(host string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.bundles[host]
	return host, ok
}

func (c *catalogue) Load(id string) (service.Bundle, error) {
	c.loads.Add(1)
	if c.hold != nil {
		<-c.hold
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.broken {
		return service.Bundle{}, errors.New("the disk is gone")
	}
	return c.bundles[id], nil
}

func (c *catalogue) Seq() int64 { return 7 }

func (c *catalogue) Refuse(string, []snapshot.Refusal) {}

func newCatalogue(t testing.TB, backendURL string, names ...string) *catalogue {
	c := &catalogue{bundles: map[string]service.Bundle{}}
	for _, n := range names {
		s := gatewaytest.Shop(backendURL + "/" + n)
		s.Service.ID, s.Service.Name, s.Service.Tier = n+".apim.localhost", n, "Consumption"
		s.Service.Hosts = []snapshot.Host{{Name: n + ".apim.localhost"}}
		c.bundles[s.Service.ID] = s.Bundle(t)
	}
	return c
}

func get(t *testing.T, addr, host string) string {
	t.Helper()
	got := exchange(t, addr, "GET /shop/x HTTP/1.1\r\nHost: "+host+":8080\r\nConnection: close\r\n\r\n")
	return got[len("HTTP/1.1 "):][:3]
}

func TestWorker_ActivatesOnTheFirstRequest(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	c := newCatalogue(t, rec.URL, "a", "b")
	c.hold = make(chan struct{})
	srv, addr := gatewaytest.Start(t, engine.Options{Catalogue: c}, gatewaytest.Snapshot{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := get(t, addr, "a.apim.localhost"); got != "200" {
				t.Errorf("status %s", got)
			}
		})
	}
	waitFor(t, func() bool { return srv.Stats().Active == 20 })
	close(c.hold)
	wg.Wait()
	if n := c.loads.Load(); n != 1 {
		t.Errorf("%d activations for 20 requests at once, want 1", n)
	}
	if diff := cmp.Diff([]string{"200", "421"}, []string{get(t, addr, "b.apim.localhost"), get(t, addr, "c.apim.localhost")}); diff != "" {
		t.Error(diff)
	}
}

func TestWorker_BoundsActivations(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	c := newCatalogue(t, rec.URL, "a")
	c.hold = make(chan struct{})
	srv, addr := gatewaytest.Start(t, engine.Options{Catalogue: c, Activation: engine.ActivationOptions{Waiting: 2}}, gatewaytest.Snapshot{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { get(t, addr, "a.apim.localhost") })
	}
	waitFor(t, func() bool { return srv.Stats().Active == 2 })
	waitFor(t, func() bool { return get(t, addr, "a.apim.localhost") == "503" })
	close(c.hold)
	wg.Wait()
}

func TestWorker_GivesUpInTime(t *testing.T) {
	t.Parallel()
	c := newCatalogue(t, "http://127.0.0.1:1", "a")
	c.hold = make(chan struct{})
	_, addr := gatewaytest.Start(t, engine.Options{Catalogue: c, Activation: engine.ActivationOptions{Timeout: time.Millisecond}}, gatewaytest.Snapshot{})
	t.Cleanup(func() { close(c.hold) })
	got := exchange(t, addr, "GET /shop/x HTTP/1.1\r\nHost: a.apim.localhost\r\nConnection: close\r\n\r\n")
	if want := "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 75\r\nContent-Type: application/json\r\nRetry-After: 1\r\n"; len(got) < len(want) || got[:len(want)] != want {
		t.Fatalf("got %q", got)
	}
}

func TestWorker_TriesAgainAfterAFailure(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	c := newCatalogue(t, rec.URL, "a")
	c.broken = true
	_, addr := gatewaytest.Start(t, engine.Options{Catalogue: c}, gatewaytest.Snapshot{})
	first := get(t, addr, "a.apim.localhost")
	c.mu.Lock()
	c.broken = false
	c.mu.Unlock()
	if diff := cmp.Diff([]string{"503", "200"}, []string{first, get(t, addr, "a.apim.localhost")}); diff != "" {
		t.Error(diff)
	}
}

func TestWorker_UnloadsIdleServicesAndTakesChanges(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	c := newCatalogue(t, rec.URL, "a", "b")
	srv, addr := gatewaytest.Start(t, engine.Options{Catalogue: c, Activation: engine.ActivationOptions{Idle: 20 * time.Millisecond, Active: 1}}, gatewaytest.Snapshot{})
	for _, h := range []string{"a", "b", "a"} { // each makes room for the next
		if got := get(t, addr, h+".apim.localhost"); got != "200" {
			t.Fatal(h, got)
		}
	}
	loads := c.loads.Load()
	waitFor(t, func() bool { // idle for long enough at some point, it is loaded again
		return get(t, addr, "a.apim.localhost") == "200" && c.loads.Load() > loads || sleepy()
	})
	changed := gatewaytest.Shop(rec.URL)
	changed.Seq, changed.APIs[0].Path = 9, "moved"
	changed.Service.ID, changed.Service.Hosts = "b.apim.localhost", []snapshot.Host{{Name: "b.apim.localhost"}}
	get(t, addr, "b.apim.localhost")
	c.mu.Lock()
	c.bundles["b.apim.localhost"] = changed.Bundle(t)
	c.mu.Unlock()
	if _, err := srv.Apply(changed.Bundle(t)); err != nil {
		t.Fatal(err)
	}
	if got := get(t, addr, "b.apim.localhost"); got != "404" {
		t.Fatal("the change has no effect: " + got)
	}
	waitFor(t, func() bool { // it may be idle again by the time of the question
		return get(t, addr, "b.apim.localhost") == "404" && strings.Contains(
			exchange(t, addr, "GET /status-0123456789abcdef HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), `"seq":7,"activeServices":1}`)
	})
}

// sleepy lets a little time without requests pass.
func sleepy() bool { time.Sleep(40 * time.Millisecond); return false }
