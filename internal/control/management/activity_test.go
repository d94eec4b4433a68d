package management_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/arm"
	"github.com/portico-dev/portico/internal/control/activity"
	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/resource"
	"github.com/portico-dev/portico/internal/store"
)

// withActivity keeps an activity log in a folder.
func withActivity(t *testing.T) func(*management.Options) {
	t.Helper()
	log, err := activity.Open(t.TempDir(), activity.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	return func(o *management.Options) { o.Activity = log }
}

// follow runs what goes on in the background until the function that it returns is called.
func (w *world) follow() (stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.handler.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

const activityPath = "/subscriptions/" + subscriptionID + "/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-01"

const since2020 = "eventTimestamp ge '2020-01-01T00:00:00Z'"

func (w *world) events(filter string) (all []resource.Object) {
	w.t.Helper()
	a := w.want(200, "GET", activityPath+"&$filter="+url.QueryEscape(filter), "")
	for _, item := range a.Body.List("value") {
		o, _ := item.(map[string]any)
		all = append(all, o)
	}
	return all
}

// actions are the events of a filter, oldest first: what, how it ended, and why.
func (w *world) actions(filter string) (all []string) {
	w.t.Helper()
	for _, e := range w.events(filter) {
		s := e.Text("operationName.localizedValue") + " " + e.Text("status.value")
		if code := e.Text("properties.statusCode"); code != "" {
			s += " " + code
		}
		all = append([]string{s}, all...)
	}
	return all
}

func TestActivity_TellsWhoDidWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withActivity(t))
	stop := w.follow()
	w.withService()
	w.want(200, "GET", servicePath, "")
	w.want(400, "PUT", servicePath+"/apis/echo", `{"properties":{}}`)
	w.want(201, "PUT", servicePath+"/apis/echo", `{"properties":{"displayName":"Echo","path":"echo"}}`)
	w.want(200, "POST", servicePath+"/subscriptions/master/listSecrets", "")
	w.want(401, "PUT", servicePath+"/apis/echo", `{}`, "Authorization", "Bearer bad")
	a := w.want(202, "POST", servicePath+"/providers/Portico.Hosting/upgrade", `{"gateway":"2.0"}`, "x-ms-correlation-request-id", "33333333-3333-3333-3333-333333333333")
	w.settle()
	w.want(202, "DELETE", servicePath, "")
	w.settle()
	const service = "Microsoft.ApiManagement/service/"
	want := []string{
		service + "write Accepted", service + "write Succeeded",
		service + "apis/write Failed ValidationError", service + "apis/write Succeeded", service + "subscriptions/listSecrets/action Succeeded",
		"Portico.Hosting/upgrade/action Accepted", "Scheduled maintenance Started", "Scheduled maintenance Succeeded",
		service + "delete Accepted", service + "delete Succeeded",
	}
	about := since2020 + " and resourceUri eq '" + servicePath + "'"
	eventually(t, func() bool { return len(w.events(about)) == len(want) })
	sorted := func(lines []string) map[string]int { // events of one moment have no order
		n := map[string]int{}
		for _, l := range lines {
			n[l]++
		}
		return n
	}
	if d := cmp.Diff(sorted(want), sorted(w.actions(about))); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
	if a.Status != 202 || len(w.events(since2020+" and correlationId eq '33333333-3333-3333-3333-333333333333'")) != 3 {
		t.Error("the events of one request have no correlation in common")
	}
	stop()
	// What ends while nobody looks is found later, once.
	w.want(202, "DELETE", "/subscriptions/"+subscriptionID+"/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/apimService1", "")
	for range 2 {
		stop = w.follow()
		purged := since2020 + " and status eq 'Succeeded' and resourceUri eq '/subscriptions/" + subscriptionID + "/providers/Microsoft.ApiManagement/locations/westeurope/deletedservices/apimService1'"
		eventually(t, func() bool { return len(w.events(purged)) == 1 })
		stop()
		if d := cmp.Diff(sorted(want), sorted(w.actions(about))); d != "" {
			t.Errorf("events after a restart (-want +got):\n%s", d)
		}
	}
}

func TestActivity_Shape(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withActivity(t)).withService()
	e := w.events(since2020 + " and eventTimestamp le '2099-01-01T00:00:00Z' and resourceGroupName eq 'RG1' and status eq 'accepted'")
	if len(e) != 1 {
		t.Fatalf("%d events, want the creation of the service", len(e))
	}
	for path, want := range map[string]string{
		"authorization.action": "Microsoft.ApiManagement/service/write", "authorization.scope": servicePath,
		"caller": "22222222-2222-2222-2222-222222222222", "category.value": "Administrative", "eventName.value": "BeginRequest", "level": "Informational",
		"httpRequest.method": "PUT", "httpRequest.clientIpAddress": "127.0.0.1", "resourceId": servicePath, "resourceGroupName": "rg1",
		"resourceType.value": "Microsoft.ApiManagement/service", "resourceProviderName.value": "Microsoft.ApiManagement",
		"subStatus.value": "Created", "subStatus.localizedValue": "Created (HTTP Status Code: 201)", "subscriptionId": subscriptionID,
	} {
		if got := e[0].Text(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	a := w.want(200, "GET", activityPath+"&$select=eventName,caller&$top=1&$filter="+url.QueryEscape(since2020), "")
	first, _ := a.Body.List("value")[0].(map[string]any)
	if len(first) != 2 || first["caller"] == nil || a.text("nextLink") == "" {
		t.Errorf("a page of two fields: %s", a.Raw)
	}
	for _, filter := range []string{"", "resourceUri eq '/x'", "eventTimestamp ge 'noon'", since2020 + " or " + since2020, since2020 + " and colour eq 'red'"} {
		if got := w.want(400, "GET", activityPath+"&$filter="+url.QueryEscape(filter), "").code(); got != "BadRequest" {
			t.Errorf("$filter=%s: %s", filter, got)
		}
	}
	w.want(405, "POST", activityPath, "")
	w.want(400, "GET", "/subscriptions/"+subscriptionID+"/providers/Microsoft.Insights/eventtypes/management/values?api-version=2015-04-02", "")
}

func TestActivity_OfAnOperationThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withActivity(t)).withGroup()
	w.want(201, "PUT", servicePath, developerBody)
	if _, err := w.store.Update(t.Context(), func(tx store.Tx) error {
		running, err := lro.Running(tx)
		if err != nil {
			return err
		}
		return lro.Finish(tx, running[0], lro.Failed, &arm.Error{Code: "ActivationFailed", Message: "No address is free."}, time.Now())
	}); err != nil {
		t.Fatal(err)
	}
	defer w.follow()()
	failed := since2020 + " and status eq 'Failed'"
	eventually(t, func() bool { return len(w.events(failed)) == 1 })
	e := w.events(failed)[0]
	if d := cmp.Diff([]string{"ActivationFailed", "Error", "22222222-2222-2222-2222-222222222222"}, []string{e.Text("properties.statusCode"), e.Text("level"), e.Text("caller")}); d != "" {
		t.Error(d)
	}
}
