package management_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/platform"
	"github.com/portico-dev/portico/internal/resource"
)

// operate runs the operations that are the control plane's own, until the test ends.
func (w *world) operate() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- lro.NewEngine(w.store, slog.New(slog.DiscardHandler), w.handler.Handlers(), pace.New(pace.Instant())).Run(ctx)
	}()
	w.t.Cleanup(func() { cancel(); <-done })
}

// ended waits for the end of an operation and returns its result.
func (w *world) ended(started answer) answer {
	w.t.Helper()
	monitor := local(w.t, started.Header.Get("Location"))
	var a answer
	eventually(w.t, func() bool { a = w.do("GET", monitor, ""); return a.Status != 202 })
	return a
}

func TestNetworkStatus(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	w := newWorld(t, canNetwork, func(o *management.Options) {
		o.Dependencies = func(_ context.Context, _, location string) []management.Dependency {
			return []management.Dependency{{Name: location, Type: "Configuration", Since: since}, {Name: "mail", Type: "Email", Optional: true, Since: since, Trouble: "no route"}}
		}
	}).withNetwork()
	w.want(201, "PUT", servicePath, injectedBody("External", "apim", "ip1"))
	w.settle()
	a := w.want(200, "GET", servicePath+"/locations/West%20Europe/networkstatus", "")
	list := a.Body.List("connectivityStatus")
	for _, item := range list {
		resource.Object(item.(map[string]any)).Remove("lastUpdated")
	}
	want := []any{
		map[string]any{"name": "westeurope", "status": "success", "error": "", "lastStatusChange": "2026-03-04T05:06:07.0000000Z", "resourceType": "Configuration", "isOptional": false},
		map[string]any{"name": "mail", "status": "failure", "error": "no route", "lastStatusChange": "2026-03-04T05:06:07.0000000Z", "resourceType": "Email", "isOptional": true},
	}
	if d := cmp.Diff(want, list); d != "" {
		t.Errorf("status (-want +got):\n%s", d)
	}
	if a := w.want(200, "GET", servicePath+"/networkstatus", ""); !strings.HasPrefix(a.Raw, `[{"location":"West Europe","networkStatus":{`) {
		t.Errorf("status of all locations: %s", a.Raw)
	}
	w.want(404, "GET", servicePath+"/locations/eastus/networkstatus", "")
	if a := w.want(200, "GET", servicePath+"/outboundNetworkDependenciesEndpoints", ""); a.Raw != `{"value":[]}` {
		t.Errorf("dependencies: %s", a.Raw)
	}
	links := w.want(200, "GET", servicePath+"/privateLinkResources", "").Body.List("value")
	one := w.want(200, "GET", servicePath+"/privateLinkResources/gateway", "").Body
	if d := cmp.Diff(links, []any{map[string]any(one)}); d != "" || one.Text("properties.groupId") != "Gateway" {
		t.Errorf("private link resources %v, %v", links, one)
	}
	w.want(404, "GET", servicePath+"/privateLinkResources/portal", "")
}

func TestConnectivityCheck(t *testing.T) {
	t.Parallel()
	var asked platform.Probe
	w := newWorld(t, func(o *management.Options) {
		o.Probe = func(_ context.Context, _, _ string, p platform.Probe) (platform.Reach, error) {
			asked = p
			return platform.Reach{Sent: 3, Failed: 1, Min: 1, Avg: 2, Max: 3, From: "10.0.1.4", To: "192.0.2.1", Trouble: "Unknown"}, nil
		}
	}).withService()
	w.operate()
	a := w.ended(w.want(202, "POST", servicePath+"/connectivityCheck", `{"source":{"region":"West Europe"},"destination":{"address":"192.0.2.1","port":53}}`))
	if d := cmp.Diff(platform.Probe{Address: "192.0.2.1", Port: 53, Protocol: "TCP"}, asked, cmp.Transformer("", func(h map[string]string) int { return len(h) })); d != "" {
		t.Errorf("probe (-want +got):\n%s", d)
	}
	got := []any{a.text("connectionStatus"), a.Body.Get("probesSent"), a.Body.Get("probesFailed"), len(a.Body.List("hops"))}
	if a.Status != 200 || got[0] != "Degraded" || got[3] != 2 {
		t.Errorf("answered %d %s", a.Status, a.Raw)
	}
	bad := w.want(400, "POST", servicePath+"/connectivityCheck", `{"source":{"region":"eastus","instance":1},"destination":{"address":"","port":0},"protocol":"UDP",
		"preferredIPVersion":"IPv6","protocolConfiguration":{"HTTPConfiguration":{"method":"PUT"}}}`)
	if d := cmp.Diff([]string{
		"destination.address", "destination.port", "protocol", "source.instance", "preferredIPVersion", "protocolConfiguration.HTTPConfiguration.method", "source.region",
	}, bad.targets()); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

// targets lists what the details of an error are about.
func (a answer) targets() (all []string) {
	for _, d := range a.Body.List("error.details") {
		all = append(all, resource.Object(d.(map[string]any)).Text("target"))
	}
	return all
}

func TestApplyNetworkConfigurationUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t, canNetwork).withNetwork()
	w.want(201, "PUT", servicePath, injectedBody("External", "apim", "ip1"))
	w.settle()
	w.operate()
	if a := w.ended(w.want(202, "POST", servicePath+"/applynetworkconfigurationupdates", `{"location":"west europe"}`)); a.Status != 200 || a.text("name") != "apimService1" {
		t.Errorf("answered %d %s", a.Status, a.Raw)
	}
	w.want(202, "POST", servicePath+"/applynetworkconfigurationupdates", "")
	if a := w.want(400, "POST", servicePath+"/applynetworkconfigurationupdates", `{"location":"west us"}`); !slices.Equal(a.targets(), []string{"location"}) {
		t.Errorf("answered %s", a.Raw)
	}
	w.want(400, "POST", servicePath+"/applynetworkconfigurationupdates", `{"location":1}`)
}
