package e2e

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Who connects while no gateway of a service can start waits for as long as `--gap-time` says and is answered 503; when
// one starts again, callers are served. On stv1 the program of the gateway is broken, on stv2 its zone is down.
func TestGap_IsBounded(t *testing.T) {
	t.Parallel()
	h := start(t, "--gap-time", "500ms")
	h.create("classic", "Developer", 1, old)
	h.create("zonal", "Premium", 1, recent, object{"zones": []string{"1"}})
	if out := h.portico("service", "forecast", "classic", "update", "--tier", "Basic", "--api-version", old); !strings.Contains(out, "downtime: waits, a connection for at most PT0.5S\n") {
		t.Errorf("the forecast does not say how long connections wait:\n%s", out)
	}
	t.Run("stv1", func(t *testing.T) {
		h.swap(t, "e2e", gatewayScript(t, "e2e", "exit 7"))
		h.portico("machine", "kill", h.machines("classic")[0].ID)
		h.gap(t, "classic")
	})
	h.heals("classic")
	h.portico("zone", "down", "1")
	h.gap(t, "zonal")
	h.portico("zone", "up", "1")
	h.heals("zonal")
}

// gap expects that a service refuses what has waited, at its address and at the edge.
func (h *host) gap(t *testing.T, name string) {
	t.Helper()
	at := h.show(name).Properties.GatewayURL
	eventually(t, patience, "no gateway of "+name+" is there", func() bool { return len(h.running(name)) == 0 })
	for range 2 { // the second is refused at once
		status, retry, body := probe(t, at)
		if status != http.StatusServiceUnavailable || retry != "1" || body != `{ "statusCode": 503, "message": "The service is busy. Try again later." }` {
			t.Errorf("%s, of which no gateway can start, answers %d, Retry-After %q, %s", name, status, retry, body)
		}
	}
}

func (h *host) heals(name string) {
	h.t.Helper()
	at := h.show(name).Properties.GatewayURL
	eventually(h.t, patience, name+" serves again", func() bool {
		status, _, _ := probe(h.t, at)
		return status == http.StatusOK
	})
}

func probe(t testing.TB, at string) (status int, retryAfter, body string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(at + "/status-0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("Retry-After"), string(text)
}
