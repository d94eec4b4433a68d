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
	id := h.service(name)
	h.run(http.MethodPut, id+"/apis/bookshop", recent, object{"properties": object{
		"format": "openapi", "value": bookshop.OpenAPI(srv.URL), "path": "shop",
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
	return h.aim(name, keys.PrimaryKey)
}

// aim is where the service is now, as soon as it answers there.
func (h *host) aim(name, key string) load.Target {
	h.t.Helper()
	t := h.address(name, key)
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
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

const (
	migrateRate  = 1500 // requests a second
	migrateLeast = 5000 // requests between the first and the last planner action
	window       = 4 * time.Second
)

func TestMigrate_PreserveIPUnderLoad(t *testing.T) {
	h := start(t, "--coexistence", window.String())
	v := h.create("keep", "Developer", 1, old)
	if v.Properties.PlatformVersion != "stv1" {
		t.Fatalf("created at %s on %s, want stv1", old, v.Properties.PlatformVersion)
	}
	p := press(t, migrateRate, h.shop("keep"))
	p.since()
	h.run(http.MethodPost, h.service("keep")+"/migrateToStv2", latest, object{"mode": "preserveip"})
	h.settled("keep")
	during := p.since()
	after := h.show("keep")
	if after.Properties.PlatformVersion != "stv2" || !slices.Equal(after.Properties.PublicIPs, v.Properties.PublicIPs) {
		t.Errorf("platform %s at %v, want stv2 at %v", after.Properties.PlatformVersion, after.Properties.PublicIPs, v.Properties.PublicIPs)
	}
	p.unharmed(during, migrateLeast)
	_, err := h.client.Do(t.Context(), http.MethodPost, h.service("keep")+"/migrateToStv2", latest, nil)
	if armclient.Status(err) != http.StatusBadRequest {
		t.Errorf("a second migration: %v, want 400", err)
	}
}

func TestMigrate_NewIP(t *testing.T) {
	h := start(t, "--coexistence", window.String())
	v := h.create("move", "Developer", 1, old)
	before := h.shop("move")
	p := press(t, migrateRate, before)
	p.since()
	h.run(http.MethodPost, h.service("move")+"/migrateToStv2", latest, object{"mode": "NewIP"})
	after := h.aim("move", before.Key)
	if after.Addr == before.Addr {
		t.Fatalf("the address is still %s", after.Addr)
	}
	if got := get(before, "/books/1"); got != http.StatusOK {
		t.Errorf("the old address answers %d during the window", got)
	}
	p.c.Aim(before, after)
	both := p.c.Counts().Done
	eventually(t, window, "1,000 requests while both addresses are used", func() bool { return p.c.Counts().Done > both+1000 })
	p.c.Aim(after)
	h.settled("move")
	during := p.since()
	if got := h.show("move"); got.Properties.PlatformVersion != "stv2" || slices.Equal(got.Properties.PublicIPs, v.Properties.PublicIPs) {
		t.Errorf("platform %s at %v", got.Properties.PlatformVersion, got.Properties.PublicIPs)
	}
	if got := get(before, "/books/1"); got != 0 {
		t.Errorf("the old address still answers %d after the window", got)
	}
	p.unharmed(during, migrateLeast)
}

// TestMigrate_AndBackUnderLoad goes to stv2 and back to stv1 within the window, in both modes.
func TestMigrate_AndBackUnderLoad(t *testing.T) {
	h := start(t, "--coexistence", "1h")
	v := h.create("back", "Developer", 1, old)
	target := h.shop("back")
	p := press(t, migrateRate, target)
	p.since()
	var during load.Counts
	for n := 0; during.Done < migrateLeast/2; n++ {
		mode := []string{"PreserveIp", "NewIP"}[n%2]
		h.portico("service", "migrate", "back", "--mode", mode)
		if out := h.portico("service", "migrate", "back", "--back"); !strings.Contains(out, "stv1") {
			t.Errorf("%s and back: the command shows\n%s", mode, out)
		}
		if after := h.show("back"); after.addr() != v.addr() {
			t.Errorf("%s and back: the service is at %s, was at %s", mode, after.addr(), v.addr())
		}
		if got := get(target, "/books/1"); got != http.StatusOK {
			t.Errorf("%s and back: the address answers %d", mode, got)
		}
		during = during.Add(p.since())
	}
	p.unharmed(during, migrateLeast/2)
	if got := h.units("back").Locations[0].Coexistence; got == nil {
		t.Error("what the service came back from is not kept")
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

// TestRetirement_MigratesWhatIsLeft lets the day come from which there is no stv1.
func TestRetirement_MigratesWhatIsLeft(t *testing.T) {
	t.Parallel()
	day := time.Now().Add(24 * time.Hour).UTC()
	h := start(t, "--pace", "manual", "--retire-stv1", day.Format(time.RFC3339))
	body := object{
		"location": "West Europe", "sku": object{"name": "Developer", "capacity": 1},
		"properties": object{"publisherName": "E2E", "publisherEmail": "e2e@example.com"},
	}
	h.do(http.MethodPut, h.group(), "2022-09-01", object{"location": "westeurope"})
	h.do(http.MethodPut, h.service("last"), old, body)
	h.portico("clock", "--advance", "30m")
	eventually(t, 20*time.Second, "the service", func() bool { return h.show("last").Properties.ProvisioningState == "Succeeded" })
	v := h.show("last")
	h.portico("clock", "--advance", "24h")
	eventually(t, 20*time.Second, "the beginning of the migration", func() bool { return h.show("last").Properties.ProvisioningState == "Updating" })
	h.portico("clock", "--advance", "45m")
	eventually(t, 20*time.Second, "the migration", func() bool { return h.show("last").Properties.ProvisioningState == "Succeeded" })
	if after := h.show("last"); after.Properties.PlatformVersion != "stv2" || after.addr() != v.addr() {
		t.Errorf("on %s at %s, want stv2 at %s", after.Properties.PlatformVersion, after.addr(), v.addr())
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
	h := start(t, "--coexistence", "100ms")
	h.portico("service", "create", "cli", "--api-version", old)
	if out := h.portico("service", "migrate", "cli", "--mode", "NewIP"); !strings.Contains(out, "stv2") {
		t.Errorf("the command does not show the new platform:\n%s", out)
	}
}

// TestScale_UnderLoad scales out and in until enough requests have met it.
func TestScale_UnderLoad(t *testing.T) {
	h := start(t)
	h.create("big", "Premium", 1, recent)
	p := press(t, migrateRate, h.shop("big"))
	p.since()
	var during load.Counts
	for during.Done < migrateLeast {
		for _, units := range []int{3, 1} {
			h.run(http.MethodPatch, h.service("big"), recent, object{"sku": object{"name": "Premium", "capacity": units}})
			if got := len(h.machines("big")); got != 2*units {
				t.Fatalf("%d machines for %d units, want %d", got, units, 2*units)
			}
			during = during.Add(p.since())
		}
	}
	p.unharmed(during, migrateLeast)
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
