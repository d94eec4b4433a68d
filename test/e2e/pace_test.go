package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portico-dev/portico/internal/armclient"
)

// clock is what /portico/clock shows.
func (h *host) clock() (v struct {
	Now  time.Time
	Pace string
},
) {
	h.t.Helper()
	if err := json.Unmarshal([]byte(h.portico("clock", "-o", "json")), &v); err != nil {
		h.t.Fatal(err)
	}
	return v
}

// TestPace_Manual walks a service through its life with a clock that stands, and a control plane that dies.
func TestPace_Manual(t *testing.T) {
	t.Parallel()
	h := start(t, "--pace", "manual")
	begin := h.clock()
	h.do(http.MethodPut, h.group(), "2022-09-01", object{"location": "westeurope"})
	body := object{
		"location": "West Europe", "sku": object{"name": "Developer", "capacity": 1},
		"properties": object{"publisherName": "E2E", "publisherEmail": "e2e@example.com"},
	}
	h.do(http.MethodPut, h.service("slow"), old, body)
	state := func() string { return h.show("slow").Properties.ProvisioningState }
	h.portico("clock", "--advance", "29m59s")
	h.kill()
	h.up(nil, "--pace", "manual")
	if now := h.clock(); now.Pace != "manual" || !now.Now.Equal(begin.Now.Add(29*time.Minute+59*time.Second)) {
		t.Errorf("after a restart the clock shows %v at the pace %s, begun at %v", now.Now, now.Pace, begin.Now)
	}
	if got := state(); got != "Created" {
		t.Errorf("a second before its time the service is %s", got)
	}
	h.portico("clock", "--advance", "1s")
	eventually(t, 20*time.Second, "the service", func() bool { return state() == "Succeeded" })
	h.do(http.MethodPost, h.service("slow")+"/migrateToStv2", latest, nil)
	h.portico("clock", "--advance", "45m")
	eventually(t, 20*time.Second, "the migration", func() bool { return state() == "Succeeded" })
	if h.units("slow").Locations[0].Coexistence == nil {
		t.Error("the old compute is not kept")
	}
	h.portico("clock", "--advance", "15m")
	h.settled("slow")
}

// TestPace_Fast creates a service in half an hour, which is half a second.
func TestPace_Fast(t *testing.T) {
	t.Parallel()
	h := start(t, "--pace", "x3600")
	began, clock := time.Now(), h.clock()
	h.create("quick", "Developer", 1, recent)
	if took, by := time.Since(began), h.clock().Now.Sub(clock.Now); took < 500*time.Millisecond || by < 30*time.Minute {
		t.Errorf("half an hour took %v, or %v by the clock", took, by)
	}
	if out := h.portico("clock"); !strings.Contains(out, "at the pace x3600") {
		t.Errorf("the command shows %q", out)
	}
	_, err := h.client.Do(t.Context(), http.MethodPost, "/portico/clock", "", object{"advance": "PT15M"})
	if armclient.Status(err) != http.StatusConflict || !strings.Contains(err.Error(), "ClockGoes") {
		t.Errorf("advancing a clock that goes: %v", err)
	}
}
