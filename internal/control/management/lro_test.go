package management_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/store"
)

// local cuts the host off a monitor's URL.
func local(t *testing.T, monitor string) string {
	t.Helper()
	i := strings.Index(monitor, "/subscriptions/")
	if i < 0 {
		t.Fatalf("no monitor: %q", monitor)
	}
	return monitor[i:]
}

func TestMonitors_Create(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	a := w.want(201, "PUT", servicePath, developerBody)
	status, result := local(t, a.Header.Get("Azure-AsyncOperation")), local(t, a.Header.Get("Location"))
	if want := result + "&asyncResponse"; status != want {
		t.Errorf("Azure-AsyncOperation %q, want %q", status, want)
	}
	running := w.want(200, "GET", status, "")
	if got := running.text("status"); got != "InProgress" {
		t.Errorf("status = %q", got)
	}
	if running.Header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q", running.Header.Get("Retry-After"))
	}
	pending := w.want(202, "GET", result, "")
	if pending.Raw != "" || pending.Header.Get("Content-Length") != "0" || local(t, pending.Header.Get("Location")) != result {
		t.Errorf("pending result: %q, headers %v", pending.Raw, pending.Header)
	}
	w.settle()
	if got := w.want(200, "GET", status, "").text("status"); got != "Succeeded" {
		t.Errorf("status = %q", got)
	}
	if got := w.want(200, "GET", result, "").text("properties.provisioningState"); got != "Succeeded" {
		t.Errorf("provisioningState of the result = %q", got)
	}
	name, _, _ := strings.Cut(result[strings.LastIndexByte(result, '/')+1:], "?")
	for _, form := range []string{
		servicePath + "/operationStatuses/" + name,
		"/subscriptions/" + subscriptionID + "/providers/Microsoft.ApiManagement/locations/westeurope/operationStatuses/" + name,
	} {
		if got := w.want(200, "GET", form, "").text("status"); got != "Succeeded" {
			t.Errorf("%s: status = %q", form, got)
		}
	}
	w.want(200, "GET", "/subscriptions/"+subscriptionID+"/providers/Microsoft.ApiManagement/locations/westeurope/operationResults/"+name, "")
	w.want(404, "GET", servicePath+"/operationresults/none", "")
}

// One poller repeats the monitor of a deletion with its path only, and takes a 204 for a failure.
func TestMonitors_Delete(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	path, _, _ := strings.Cut(local(t, w.want(202, "DELETE", servicePath, "").Header.Get("Location")), "?")
	w.want(202, "GET", path, "")
	w.settle()
	if a := w.want(200, "GET", path, ""); a.Raw != "" || a.Header.Get("Content-Length") != "0" {
		t.Errorf("end of the deletion: %q, %v", a.Raw, a.Header)
	}
}

func TestMonitors_Failure(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withGroup()
	a := w.want(201, "PUT", servicePath, developerBody)
	_, err := w.store.Update(t.Context(), func(tx store.Tx) error {
		running, err := lro.Running(tx)
		if err != nil {
			return err
		}
		return lro.Finish(tx, running[0], lro.Failed, &arm.Error{Code: "ActivationFailed", Message: "No address is free."}, time.Now())
	})
	if err != nil {
		t.Fatal(err)
	}
	got := w.want(200, "GET", local(t, a.Header.Get("Azure-AsyncOperation")), "")
	if d := cmp.Diff([]string{"Failed", "ActivationFailed", "No address is free."}, []string{got.text("status"), got.text("error.code"), got.text("error.message")}); d != "" {
		t.Error(d)
	}
	if got := w.want(400, "GET", local(t, a.Header.Get("Location")), "").code(); got != "ActivationFailed" {
		t.Errorf("code = %q", got)
	}
}

// TestDeleteGroup lets the engine run the deletion of a group with a service and an address in it.
func TestDeleteGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	address := groupPath + "/providers/Microsoft.Network/publicIPAddresses/ip?api-version=2024-03-01"
	w.want(201, "PUT", address, `{"location":"westeurope","sku":{"name":"Standard"}}`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- lro.NewEngine(w.store, slog.New(slog.DiscardHandler), w.handler.Handlers(), pace.New(pace.Instant())).Run(ctx)
	}()
	defer func() { cancel(); <-done }()
	monitor := local(t, w.want(202, "DELETE", groupPath+"?api-version=2021-04-01", "").Header.Get("Location"))
	if again := local(t, w.want(202, "DELETE", groupPath+"?api-version=2021-04-01", "").Header.Get("Location")); again != monitor {
		t.Errorf("a second DELETE started %s beside %s", again, monitor)
	}
	eventually(t, func() bool { w.settle(); return w.do("GET", monitor, "").Status == 200 })
	w.want(404, "GET", groupPath+"?api-version=2021-04-01", "")
	deleted := w.want(200, "GET", "/subscriptions/"+subscriptionID+"/providers/Microsoft.ApiManagement/deletedservices", "")
	if n := len(deleted.Body.List("value")); n != 1 {
		t.Errorf("%d soft-deleted services, want 1: %s", n, deleted.Raw)
	}
	if err := w.handler.PurgeExpired(t.Context(), time.Now().Add(47*time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.want(200, "GET", "/subscriptions/"+subscriptionID+"/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/apimService1", "")
	if err := w.handler.PurgeExpired(t.Context(), time.Now().Add(49*time.Hour)); err != nil {
		t.Fatal(err)
	}
	err := w.store.View(t.Context(), func(r store.Reader) error {
		docs, err := r.List(store.Query{Prefix: "/subscriptions"})
		for _, d := range docs {
			t.Errorf("left behind: %s", d.ID)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// eventually polls until ok or the test's patience ends.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatal("did not happen in time")
		}
		time.Sleep(10 * time.Millisecond)
	}
}
