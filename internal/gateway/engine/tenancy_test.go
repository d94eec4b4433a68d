package engine_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/snapshot"
)

// held is a backend that answers when it is let go.
func held(t *testing.T) (url string, asked *atomic.Int64, release func()) {
	asked, hold := new(atomic.Int64), make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if asked.Add(1); strings.HasPrefix(r.URL.Path, "/noisy") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(release)
	return s.URL, asked, release
}

// A service has only so many requests in flight; its neighbours do not notice.
func TestTenant_BoundsRequestsOfEachService(t *testing.T) {
	t.Parallel()
	url, asked, release := held(t)
	var mu sync.Mutex
	calls := map[string]int{}
	_, addr := gatewaytest.Start(t, engine.Options{
		Catalogue: newCatalogue(t, url, "noisy", "quiet"), Tenants: engine.TenantLimits{Requests: 3},
		Meter: func(id string) { mu.Lock(); calls[id]++; mu.Unlock() },
	}, gatewaytest.Snapshot{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { get(t, addr, "noisy.apim.localhost") })
	}
	waitFor(t, func() bool { return asked.Load() == 3 })
	got := exchange(t, addr, "GET /shop/x HTTP/1.1\r\nHost: noisy.apim.localhost\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 429 Too Many Requests\r\n") || !strings.Contains(got, "Retry-After: 1\r\n") {
		t.Errorf("one request more: %q", got)
	}
	if got := get(t, addr, "quiet.apim.localhost"); got != "200" {
		t.Errorf("the neighbour gets %s", got)
	}
	release()
	wg.Wait()
	if got := get(t, addr, "noisy.apim.localhost"); got != "200" {
		t.Errorf("afterwards it gets %s", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if d := cmp.Diff(map[string]int{"noisy.apim.localhost": 4, "quiet.apim.localhost": 1}, calls); d != "" {
		t.Errorf("calls (-want +got):\n%s", d)
	}
}

func TestTenant_BoundsTheTimeOfARequest(t *testing.T) {
	t.Parallel()
	url, _, _ := held(t)
	_, addr := gatewaytest.Start(t, engine.Options{
		Catalogue: newCatalogue(t, url, "noisy"), Tenants: engine.TenantLimits{Duration: 50 * time.Millisecond},
	}, gatewaytest.Snapshot{})
	if got := get(t, addr, "noisy.apim.localhost"); got != "504" {
		t.Errorf("a request that takes too long gets %s", got)
	}
}

func TestTenant_BoundsThePayload(t *testing.T) {
	t.Parallel()
	rec := gatewaytest.Record(t)
	_, addr := gatewaytest.Start(t, engine.Options{Catalogue: newCatalogue(t, rec.URL, "a"), Tenants: engine.TenantLimits{Payload: 4}}, gatewaytest.Snapshot{})
	for body, want := range map[string]string{"1234": "200", "12345": "413"} {
		got := exchange(t, addr, "POST /shop/x HTTP/1.1\r\nHost: a.apim.localhost\r\nConnection: close\r\nContent-Length: "+string(rune('0'+len(body)))+"\r\n\r\n"+body)
		if got[len("HTTP/1.1 "):][:3] != want {
			t.Errorf("%d bytes: %q, want %s", len(body), got, want)
		}
	}
}

// An expression has a small budget in the pool, and the whole one on a machine of its own.
func TestTenant_BoundsExpressions(t *testing.T) {
	t.Parallel()
	const policy = `<policies><inbound><set-variable name="n" value="@{ var n = 0; for (var i = 0; i < 300000; i++) { n += i; } return n; }" />
		<return-response /></inbound></policies>`
	for steps, want := range map[int64]string{0: "200", 1000: "500"} {
		c := newCatalogue(t, "http://127.0.0.1:1", "a")
		s := gatewaytest.Shop("http://127.0.0.1:1")
		s.Service.ID, s.Service.Name, s.Service.Hosts = "a.apim.localhost", "a", []snapshot.Host{{Name: "a.apim.localhost"}}
		s.Service.Policy = &snapshot.Policy{ID: "p", XML: policy}
		c.bundles["a.apim.localhost"] = s.Bundle(t)
		_, addr := gatewaytest.Start(t, engine.Options{Catalogue: c, Tenants: engine.TenantLimits{Steps: steps}}, gatewaytest.Snapshot{})
		if got := get(t, addr, "a.apim.localhost"); got != want {
			t.Errorf("with %d steps: %s, want %s", steps, got, want)
		}
	}
}
