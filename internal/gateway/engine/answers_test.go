package engine_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/gateway/engine"
	"github.com/portico-dev/portico/internal/gateway/gatewaytest"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/snapshot"
)

// What callers get is told apart: what went well or was their own mistake, what a backend failed, and what the gateway did.
func TestStats_TellWhoFailed(t *testing.T) {
	t.Parallel()
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(up.Close)
	down := httptest.NewServer(nil)
	down.Close()
	policy := func(text string) *snapshot.Policy {
		return &snapshot.Policy{ID: gatewaytest.ServiceID + "/apis/shop/policies/policy", XML: "<policies><inbound><base/>" + text + "</inbound><backend><base/></backend><outbound><base/></outbound><on-error><base/></on-error></policies>"}
	}
	for name, tt := range map[string]struct {
		backend, policy, path string
		status                int
		want                  platform.Answers
	}{
		"well":                     {up.URL, "", "/shop/orders/7", 200, platform.Answers{All: 1}},
		"a page of the machine":    {up.URL, "", engine.StatusPath, 200, platform.Answers{}},
		"a mistake of the caller":  {up.URL, "", "/nowhere", 404, platform.Answers{All: 1}},
		"the backend's answer":     {up.URL, "", "/shop/broken", 502, platform.Answers{All: 1, Failed: 1}},
		"no backend":               {down.URL, "", "/shop/orders/7", 500, platform.Answers{All: 1, Failed: 1}},
		"what the policy asks for": {up.URL, `<return-response><set-status code="503"/></return-response>`, "/shop/orders/7", 503, platform.Answers{All: 1, Failed: 1}},
		"an expression":            {up.URL, `<set-variable name="x" value="@(int.Parse(context.Request.Method))"/>`, "/shop/orders/7", 500, platform.Answers{All: 1, Failed: 1, Own: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			snap := gatewaytest.Shop(tt.backend)
			if tt.policy != "" {
				snap.APIs[0].Policy = policy(tt.policy)
			}
			srv, addr := gatewaytest.Start(t, engine.Options{}, snap)
			res, err := http.Get("http://" + addr + tt.path)
			if err != nil {
				t.Fatal(err)
			}
			if err := res.Body.Close(); err != nil || res.StatusCode != tt.status {
				t.Errorf("%v, status %d, want %d", err, res.StatusCode, tt.status)
			}
			waitFor(t, func() bool { return srv.Stats().Requests == 1 })
			if d := cmp.Diff(tt.want, srv.Stats().Answers); d != "" {
				t.Errorf("counted (-want +got):\n%s", d)
			}
		})
	}
}
