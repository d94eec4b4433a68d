package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
	"github.com/portico-dev/portico/internal/demo/bookshop"
	"github.com/portico-dev/portico/internal/demo/load"
)

// shop puts the bookshop in front of a service, closed by a key, and returns where to send requests.
func (h *host) shop(name string) load.Target {
	h.t.Helper()
	srv := httptest.NewServer(bookshop.New())
	h.t.Cleanup(srv.Close)
	return h.sell(name, srv.URL)
}

// sell puts a bookshop that runs in front of a service.
func (h *host) sell(name, backend string) load.Target {
	h.t.Helper()
	return h.aim(name, h.stock(name, backend))
}

// stock is sell where the service is not to be reached from here; it returns the key.
func (h *host) stock(name, backend string) (key string) {
	h.t.Helper()
	id := h.service(name)
	h.run(http.MethodPut, id+"/apis/bookshop", recent, object{"properties": object{
		"format": "openapi", "value": bookshop.OpenAPI(backend), "path": "shop",
	}})
	h.do(http.MethodPut, id+"/subscriptions/e2e", recent, object{"properties": object{
		"displayName": "E2E", "scope": id + "/apis/bookshop", "state": "active",
	}})
	var keys struct {
		PrimaryKey string `json:"primaryKey"`
	}
	if err := h.do(http.MethodPost, id+"/subscriptions/e2e/listSecrets", recent, nil).Decode(&keys); err != nil {
		h.t.Fatal(err)
	}
	return keys.PrimaryKey
}

// aim is where the service is now, as soon as it answers there.
func (h *host) aim(name, key string) load.Target {
	h.t.Helper()
	t := h.address(name, key)
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if err := load.Reach(ctx, t, h.units(name).serving()); err != nil {
		h.t.Fatal(err)
	}
	return t
}

// address is where the service is now.
func (h *host) address(name, key string) load.Target {
	h.t.Helper()
	v := h.show(name)
	t := load.Target{Addr: v.addr(), Host: v.addr(), Path: "/shop", Key: key}
	if !strings.Contains(t.Addr, ":") { // in a virtual network
		t.Addr += ":80"
	}
	if strings.Contains(t.Addr, ".apim.localhost:") { // resolved by browsers and curl, not by every resolver
		t.Addr = strings.TrimPrefix(h.client.Endpoints.Edge, "http://")
	}
	return t
}

// get returns the status of a request on a connection of its own, 0 when there is none.
func get(t load.Target, path string) int {
	req, err := http.NewRequest(http.MethodGet, "http://"+t.Addr+t.Path+path, nil)
	if err != nil {
		return 0
	}
	req.Close, req.Host = true, t.Host
	if t.Key != "" {
		req.Header.Set("Ocp-Apim-Subscription-Key", t.Key)
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// A pressure is load whose every request must be answered.
type pressure struct {
	t     testing.TB
	c     *load.Client
	begin load.Counts
}

func press(t testing.TB, rate float64, targets ...load.Target) *pressure {
	c := load.Start(load.Options{Workers: 24, Rate: rate, Slow: 4}, targets...)
	t.Cleanup(func() { c.Stop() })
	eventually(t, 10*time.Second, "load", func() bool { return c.Counts().Done > 50 })
	c.TakeWaits()
	return &pressure{t: t, c: c, begin: c.Counts()}
}

// since is what happened since the last call.
func (p *pressure) since() load.Counts {
	now := p.c.Counts()
	d := now.Sub(p.begin)
	p.begin = now
	return d
}

// unharmed ends the load and checks that every request was answered, and that it was a mixed load.
func (p *pressure) unharmed(during load.Counts, least int64) {
	p.t.Helper()
	total := p.c.Stop()
	p.t.Logf("during the change: %+v, longest wait %v; in all %+v", during, p.c.TakeWaits().Longest, total)
	if total.Failed+total.Cut > 0 {
		p.t.Errorf("%d failed, %d cut:\n%s", total.Failed, total.Cut, strings.Join(p.c.Failures(), "\n"))
	}
	if during.Done < least {
		p.t.Errorf("%d requests during the change, want at least %d", during.Done, least)
	}
	if during.Fresh*10 < during.Done*3 {
		p.t.Errorf("%d of %d on new connections, want at least 30 %%", during.Fresh, during.Done)
	}
	if during.Posts == 0 || during.Slow == 0 {
		p.t.Errorf("%d posts and %d slow answers, want some of each", during.Posts, during.Slow)
	}
}

// TestForecast_ByCommand foresees changes, and looks at one that then happens.
func TestForecast_ByCommand(t *testing.T) {
	t.Parallel()
	h := start(t, "--coexistence", "100ms")
	v := h.create("soon", "Premium", 1, old)
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"update", "--units", "3", "--zones", "1,2"}, []string{"refused with 400 InvalidParameters", "must be a multiple of the number of 'zones'"}},
		{[]string{"update", "--units", "3", "--zones", "1,2,3"}, []string{"stv1 to stv2 (other zones); downtime: none", "then a new one", v.addr()[:9]}},
		{[]string{"update", "--units", "1", "--api-version", old}, []string{"would be changed at once"}},
		{[]string{"update", "--tier", "Developer", "--api-version", old}, []string{"service.update", "stv1 to stv1"}},
		{[]string{"back"}, []string{"NothingToRollBack"}},
		{[]string{"upgrade", "--to", "none"}, []string{"The gateway 'none' is not installed."}},
		{[]string{"delete"}, []string{"service.delete", "downtime: ends"}},
		{[]string{"migrate", "--mode", "PreserveIp"}, []string{"service.migrate", "at the pace instant: as long as the work takes", "stv1 to stv2 (no network, the address stays); downtime: none", "park the old set"}},
	} {
		out := h.portico(append([]string{"service", "forecast", "soon"}, tt.args...)...)
		for _, want := range tt.want {
			if !strings.Contains(out, want) {
				t.Errorf("forecast of %v does not show %q:\n%s", tt.args, want, out)
			}
		}
	}
	h.portico("service", "migrate", "soon")
	if after := h.show("soon"); after.Properties.PlatformVersion != "stv2" || after.addr() != v.addr() {
		t.Errorf("on %s at %s, foreseen was stv2 at %s", after.Properties.PlatformVersion, after.addr(), v.addr())
	}
}

func TestMigrate_ByUpdateAtANewerAPIVersion(t *testing.T) {
	t.Parallel()
	h := start(t, "--coexistence", "100ms")
	h.create("lift", "Developer", 1, old)
	h.run(http.MethodPatch, h.service("lift"), old, object{"tags": object{"a": "b"}})
	if got := h.show("lift").Properties.PlatformVersion; got != "stv1" {
		t.Fatalf("an update at %s moved the service to %s", old, got)
	}
	h.run(http.MethodPatch, h.service("lift"), recent, object{"tags": object{"a": "c"}})
	if got := h.show("lift").Properties.PlatformVersion; got != "stv2" {
		t.Errorf("an update at %s left the service on %s", recent, got)
	}
}

func TestMigrate_ByCommand(t *testing.T) {
	t.Parallel()
	h := start(t, "--coexistence", "1h")
	h.portico("service", "create", "cli", "--api-version", old)
	if out := h.portico("service", "migrate", "cli", "--mode", "NewIP"); !strings.Contains(out, "stv2") {
		t.Errorf("the command does not show the new platform:\n%s", out)
	}
	if out := h.portico("service", "migrate", "cli", "--back"); !strings.Contains(out, "stv1") {
		t.Errorf("the command does not show the old platform:\n%s", out)
	}
}

func TestZones_SpreadMachines(t *testing.T) {
	t.Parallel()
	h := start(t)
	v := h.create("zoned", "Premium", 3, recent, object{"zones": []string{"1", "2", "3"}})
	if v.Properties.PlatformVersion != "stv2" || !slices.Equal(v.Zones, []string{"1", "2", "3"}) {
		t.Errorf("platform %s, zones %v", v.Properties.PlatformVersion, v.Zones)
	}
	n := map[string]int{}
	for _, m := range h.machines("zoned") {
		n[m.Zone]++
	}
	if n["1"] != 2 || n["2"] != 2 || n["3"] != 2 {
		t.Errorf("machines by zone: %v, want 2 in each of 1, 2, 3", n)
	}
}

func TestSTv1_HasDomainsAndNoZones(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("classic", "Premium", 3, old)
	domains := map[int]bool{}
	for _, m := range h.machines("classic") {
		if m.Zone != "" {
			t.Errorf("machine %s is in zone %s", m.ID, m.Zone)
		}
		domains[m.UpdateDomain] = true
	}
	if len(domains) != 5 {
		t.Errorf("6 machines are in %d update domains, want 5", len(domains))
	}
}

func TestConsumption_ActivatesAndUnloads(t *testing.T) {
	t.Parallel()
	h := start(t, "--idle", "300ms")
	v := h.create("thin", "Consumption", 0, recent)
	if v.Properties.PlatformVersion != "mtv1" || len(v.Properties.PublicIPs) != 0 {
		t.Errorf("platform %s with addresses %v", v.Properties.PlatformVersion, v.Properties.PublicIPs)
	}
	target := h.shop("thin")
	if want := "thin.apim.localhost:"; !strings.HasPrefix(target.Host, want) {
		t.Errorf("the service is at %s, want %s…", target.Host, want)
	}
	active := func() int {
		s := statusOf(t, target.Addr, target.Host)
		if s.Platform != "mtv1" || s.ActiveServices == nil {
			t.Fatalf("the worker says %+v", s)
		}
		return *s.ActiveServices
	}
	for range 3 {
		if got := get(target, "/books/1"); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		if got := active(); got != 1 {
			t.Errorf("%d services are active after a request, want 1", got)
		}
		eventually(t, 20*time.Second, "the service unloaded", func() bool { return active() == 0 })
	}
	eventually(t, 20*time.Second, "three calls counted", func() bool {
		var m struct {
			Value []struct {
				Month string
				Calls int
			}
		}
		if err := h.do(http.MethodGet, h.service("thin")+"/providers/Portico.Hosting/metering", recent, nil).Decode(&m); err != nil {
			t.Fatal(err)
		}
		calls := 0
		for _, month := range m.Value { // the month may end meanwhile
			calls += month.Calls
		}
		return calls >= 3 // and those that looked whether the service is there
	})
}

func TestSoftDelete_RestoreAndPurge(t *testing.T) {
	t.Parallel()
	h := start(t)
	h.create("undo", "Developer", 1, recent)
	target := h.shop("undo")
	h.run(http.MethodDelete, h.service("undo"), recent, nil)
	if got := get(target, "/books/1"); got != 0 {
		t.Errorf("the deleted service answers %d", got)
	}
	_, err := h.client.Do(t.Context(), http.MethodPut, h.service("undo"), recent, object{
		"location": "West Europe", "sku": object{"name": "Developer", "capacity": 1},
		"properties": object{"publisherName": "a", "publisherEmail": "a@example.com"},
	})
	if armclient.Status(err) != http.StatusConflict || !strings.Contains(err.Error(), "ServiceAlreadyExistsInSoftDeletedState") {
		t.Errorf("creating it again: %v", err)
	}
	h.run(http.MethodPut, h.service("undo"), recent, object{
		"location": "West Europe", "sku": object{"name": "Developer", "capacity": 1},
		"properties": object{"publisherName": "a", "publisherEmail": "a@example.com", "restore": true},
	})
	h.aim("undo", target.Key) // with its API and its key
	h.run(http.MethodDelete, h.service("undo"), recent, nil)
	deleted := h.client.Subscription() + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/undo"
	h.do(http.MethodGet, deleted, recent, nil)
	h.run(http.MethodDelete, deleted, recent, nil)
	if _, err := h.client.Do(t.Context(), http.MethodGet, deleted, recent, nil); armclient.Status(err) != http.StatusNotFound {
		t.Errorf("after purge: %v", err)
	}
	h.create("undo", "Developer", 1, recent)
}

func TestSoftDelete_IsPurgedAfterItsWindow(t *testing.T) {
	t.Parallel()
	h := start(t, "--soft-delete", "200ms")
	h.create("brief", "Developer", 1, recent)
	h.run(http.MethodDelete, h.service("brief"), recent, nil)
	deleted := h.client.Subscription() + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/brief"
	eventually(t, 20*time.Second, "the purge", func() bool {
		_, err := h.client.Do(t.Context(), http.MethodGet, deleted, recent, nil)
		return armclient.Status(err) == http.StatusNotFound
	})
}

// TestImport_LargeDocument imports a generated document in both spellings and calls each of its API operations.
func TestImport_LargeDocument(t *testing.T) {
	t.Parallel()
	const n = 300
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Method, " ", r.URL.Path)
	}))
	defer backend.Close()
	h := start(t)
	addr := h.create("large", "Developer", 1, recent).addr()
	for format, document := range map[string]string{"openapi": largeYAML(backend.URL, n), "openapi+json": largeJSON(t, backend.URL, n)} {
		path := strings.ReplaceAll(format, "+", "-")
		h.run(http.MethodPut, h.service("large")+"/apis/"+path, recent, object{"properties": object{
			"format": format, "value": document, "path": path, "subscriptionRequired": false,
		}})
		ops, err := h.client.List(t.Context(), h.service("large")+"/apis/"+path+"/operations", recent)
		if err != nil {
			t.Fatal(err)
		}
		if len(ops) != n {
			t.Errorf("%s: %d API operations, want %d", format, len(ops), n)
		}
		eventually(t, 10*time.Second, "the API", func() bool {
			return get(load.Target{Addr: addr, Host: addr, Path: "/" + path}, "/things/0/7") == http.StatusOK
		})
		for i := range n {
			url := fmt.Sprintf("http://%s/%s/things/%d/7", addr, path, i)
			res, err := http.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			var method, got string
			_, _ = fmt.Fscan(res.Body, &method, &got)
			res.Body.Close()
			if want := fmt.Sprintf("/things/%d/7", i); res.StatusCode != http.StatusOK || got != want {
				t.Fatalf("%s: %d, the backend saw %q, want %q", url, res.StatusCode, got, want)
			}
		}
	}
}

func largeYAML(server string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "openapi: 3.0.3\ninfo: {title: Large, version: '1'}\nservers: [{url: '%s'}]\npaths:\n", server)
	for i := range n {
		fmt.Fprintf(&b, "  /things/%d/{id}:\n    get:\n      operationId: get%d\n      parameters:\n      - {name: id, in: path, required: true, schema: {type: string}}\n      responses: {'200': {description: ok}}\n", i, i)
	}
	return b.String()
}

func largeJSON(t testing.TB, server string, n int) string {
	paths := object{}
	for i := range n {
		paths[fmt.Sprintf("/things/%d/{id}", i)] = object{"get": object{
			"operationId": fmt.Sprintf("get%d", i),
			"parameters":  []object{{"name": "id", "in": "path", "required": true, "schema": object{"type": "string"}}},
			"responses":   object{"200": object{"description": "ok"}},
		}}
	}
	return asJSON(t, object{"openapi": "3.0.3", "info": object{"title": "Large", "version": "1"}, "servers": []object{{"url": server}}, "paths": paths})
}
