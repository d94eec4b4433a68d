package e2e

import (
	"net/http"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/demo/load"
)

// A metered service answers by itself with the name of its machine. It has three products with a key each: one has a
// rate limit of 60 calls in 5 minutes, one a quota of 60 calls that never renews, and one is free.
type metered struct {
	h                 *host
	name              string
	rate, quota, free load.Target
}

func (h *host) metered(name, tier string, units int) *metered {
	h.t.Helper()
	h.create(name, tier, units, latest)
	id := h.service(name)
	policy := func(of, inbound string) {
		h.do(http.MethodPut, id+of+"/policies/policy", recent, object{"properties": object{
			"format": "rawxml", "value": "<policies><inbound><base />" + inbound + "</inbound></policies>",
		}})
	}
	h.run(http.MethodPut, id+"/apis/echo", recent, object{"properties": object{
		"displayName": "Echo", "path": "shop", "protocols": []string{"http"}, "serviceUrl": "http://127.0.0.1:1",
	}})
	h.do(http.MethodPut, id+"/apis/echo/operations/any", recent, object{"properties": object{
		"displayName": "Any", "method": "GET", "urlTemplate": "/*",
	}})
	policy("/apis/echo", `<return-response><set-header name="X-Machine"><value>@(context.Deployment.Gateway.InstanceId)</value></set-header></return-response>`)
	product := func(product, limit string) load.Target {
		h.do(http.MethodPut, id+"/products/"+product, recent, object{"properties": object{"displayName": product, "state": "published"}})
		policy("/products/"+product, limit)
		h.do(http.MethodPut, id+"/products/"+product+"/apis/echo", recent, nil)
		h.do(http.MethodPut, id+"/subscriptions/"+product, recent, object{"properties": object{
			"displayName": product, "scope": id + "/products/" + product, "state": "active",
		}})
		var keys struct {
			PrimaryKey string `json:"primaryKey"`
		}
		if err := h.do(http.MethodPost, id+"/subscriptions/"+product+"/listSecrets", recent, nil).Decode(&keys); err != nil {
			h.t.Fatal(err)
		}
		return h.address(name, keys.PrimaryKey)
	}
	m := &metered{h: h, name: name}
	m.rate = product("gold", `<rate-limit calls="60" renewal-period="300" />`)
	m.quota = product("paid", `<quota calls="60" renewal-period="0" />`)
	m.free = product("free", "")
	m.ready()
	return m
}

// ready waits until all machines serve what was published last.
func (m *metered) ready() {
	m.h.t.Helper()
	seen := map[string]bool{}
	eventually(m.h.t, 20*time.Second, "all machines of "+m.name, func() bool {
		serving := m.h.units(m.name).serving()
		if _, by := m.call(m.free); by != "" {
			seen[by] = true
		}
		return len(serving) > 0 && !slices.ContainsFunc(serving, func(id string) bool { return !seen[id] })
	})
}

// call sends one request and returns its status, 0 without an answer, and the machine.
func (m *metered) call(to load.Target) (status int, by string) {
	req, err := http.NewRequest(http.MethodGet, "http://"+to.Addr+to.Path, nil)
	if err != nil {
		return 0, ""
	}
	req.Close, req.Host = true, to.Host // each connection may be another machine's
	req.Header.Set("Ocp-Apim-Subscription-Key", to.Key)
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, ""
	}
	res.Body.Close()
	return res.StatusCode, res.Header.Get("X-Machine")
}

// spend sends requests from many clients at once and counts the answers by status.
func (m *metered) spend(to load.Target, requests int) map[int]int {
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	const clients = 10
	for range clients {
		wg.Go(func() {
			for range requests / clients {
				status, _ := m.call(to)
				mu.Lock()
				statuses[status]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return statuses
}

func TestRateLimit_IsExactOverMachines(t *testing.T) {
	t.Parallel()
	h := start(t)
	for _, m := range []*metered{h.metered("solo", "Standard", 1), h.metered("shared", "Consumption", 0)} {
		if diff := cmp.Diff(map[int]int{200: 60, 429: 240}, m.spend(m.rate, 300)); diff != "" {
			t.Errorf("%s: answers by status:\n%s", m.name, diff)
		}
	}
}

// TestQuota_SurvivesRestarts kills the machines, then ends and starts everything; the quota goes on where it was.
func TestQuota_SurvivesRestarts(t *testing.T) {
	t.Parallel()
	h := start(t)
	m := h.metered("solo", "Standard", 1)
	spend := func(want map[int]int, requests int) {
		t.Helper()
		if diff := cmp.Diff(want, m.spend(m.quota, requests)); diff != "" {
			t.Errorf("answers by status:\n%s", diff)
		}
	}
	spend(map[int]int{200: 20}, 20)
	for _, machine := range h.machines("solo") {
		if err := syscall.Kill(machine.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	m.ready()
	spend(map[int]int{200: 20}, 20)
	h.portico("down")
	_ = h.exited(20 * time.Second)
	h.up(nil)
	m.ready()
	spend(map[int]int{200: 20, 403: 80}, 100)
}

// TestCache_HoldsWhatItMay: a value that takes more than an eighth of the cache is not kept.
func TestCache_HoldsWhatItMay(t *testing.T) {
	t.Parallel()
	h := start(t, "--cache", "16KiB")
	m := h.metered("solo", "Developer", 1)
	h.do(http.MethodPut, h.service("solo")+"/apis/echo/policies/policy", recent, object{"properties": object{
		"format": "rawxml", "value": `<policies><inbound><base />
<cache-store-value key="small" value="@(new string('x', 1500))" duration="60" /><cache-store-value key="large" value="@(new string('x', 2500))" duration="60" />
<cache-lookup-value key="small" variable-name="small" /><cache-lookup-value key="large" variable-name="large" />
<return-response><set-header name="X-Machine"><value>@(context.Variables.ContainsKey("small") + " " + context.Variables.ContainsKey("large"))</value></set-header></return-response>
</inbound></policies>`,
	}})
	eventually(t, 20*time.Second, "one value kept and one not", func() bool {
		_, got := m.call(m.free)
		return got == "True False"
	})
}
