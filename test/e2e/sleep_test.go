package e2e

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/demo/load"
)

// worker is the one machine of the pool that a service lives in.
func (h *host) worker(name string) machine {
	h.t.Helper()
	all := h.machines(name)
	if len(all) != 1 {
		h.t.Fatalf("%s lives on %d machines, want one", name, len(all))
	}
	return all[0]
}

func (h *host) asleep(name string) {
	h.t.Helper()
	eventually(h.t, 30*time.Second, "the worker asleep", func() bool {
		w := h.worker(name)
		return w.Phase == "asleep" && w.PID == 0
	})
}

// answerWith has a service answer every request with a text.
func (h *host) answerWith(name, text string) {
	h.t.Helper()
	id := h.service(name) + "/apis/plain"
	h.do(http.MethodPut, id, recent, object{"properties": object{"displayName": "Plain", "path": "p", "protocols": []string{"http"}, "serviceUrl": "http://127.0.0.1:9", "subscriptionRequired": false}})
	h.do(http.MethodPut, id+"/operations/get", recent, object{"properties": object{"displayName": "Get", "method": "GET", "urlTemplate": "/it"}})
	h.do(http.MethodPut, id+"/policies/policy", recent, object{"properties": object{
		"format": "xml", "value": "<policies><inbound><return-response><set-body>" + text + "</set-body></return-response></inbound></policies>",
	}})
}

// says is the answer to a request on a connection of its own.
func says(t load.Target) string {
	req, err := http.NewRequest(http.MethodGet, "http://"+t.Addr+"/p/it", nil)
	if err != nil {
		return err.Error()
	}
	req.Close, req.Host = true, t.Host
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		return res.Status
	}
	return string(body)
}

// The worker of a pool ends its process when nobody comes, and every first request after that is answered: by what the
// service became meanwhile, by a service that is new, by one whose worker was killed while it woke.
func TestConsumption_SleepsAndWakes(t *testing.T) {
	t.Parallel()
	h := start(t, "--sleep", "200ms")
	h.create("thin", "Consumption", 0, recent)
	h.answerWith("thin", "one")
	h.asleep("thin")
	if out := h.portico("units", "thin"); !strings.Contains(out, "z asleep") || !strings.Contains(out, "asleep") {
		t.Errorf("portico units does not show the sleep:\n%s", out)
	}
	target := h.address("thin", "")
	for range 2 {
		var clients sync.WaitGroup
		for range 16 {
			clients.Go(func() {
				if got := says(target); got != "one" {
					t.Errorf("waking: %s", got)
				}
			})
		}
		clients.Wait()
		h.asleep("thin")
	}

	h.answerWith("thin", "two")
	h.create("late", "Consumption", 0, recent) // joins a pool that sleeps
	h.answerWith("late", "three")
	h.asleep("thin")
	if got := says(h.address("late", "")); got != "three" {
		t.Errorf("a service that came while the worker slept: %s", got)
	}
	h.asleep("thin")
	h.answerWith("thin", "four")
	if got := says(target); got != "four" {
		t.Errorf("changed while the worker slept: %s", got)
	}

	h.asleep("thin")
	answer := make(chan string)
	go func() { answer <- says(target) }()
	eventually(t, 30*time.Second, "the worker started", func() bool {
		w := h.worker("thin")
		return w.PID != 0 && (w.Phase != "starting" || syscall.Kill(w.PID, syscall.SIGKILL) == nil)
	})
	if got := <-answer; got != "four" && !strings.Contains(got, "EOF") && !strings.Contains(got, "reset") { // it may have been taken already
		t.Errorf("killed while it woke: %s", got)
	}
	if got := says(target); got != "four" {
		t.Errorf("after that: %s", got)
	}
	h.asleep("thin")
}
