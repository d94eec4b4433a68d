package management_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/lro"
	"github.com/portico-dev/portico/internal/pace"
	"github.com/portico-dev/portico/internal/resource"
)

const lockVersion = "?api-version=2020-05-01"

func lockBody(level string) string {
	return `{"properties":{"level":"` + level + `","notes":"hands off"}}`
}

func lockPath(scope, name string) string {
	return scope + "/providers/Microsoft.Authorization/locks/" + name + lockVersion
}

// scopeLocked is the message for a request that locks refuse.
func scopeLocked(id, what string, scopes ...string) string {
	return fmt.Sprintf("The scope '%s' cannot perform %s operation because following scope(s) are locked: '%s'. Please remove the lock and try again.", id, what, strings.Join(scopes, ","))
}

func TestLocks_OfAService(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	refused := func(method, path, body, id, what string) {
		t.Helper()
		a := w.want(409, method, path, body, "If-Match", "*")
		if d := cmp.Diff([]string{"ScopeLocked", scopeLocked(id, what, servicePath)}, []string{a.code(), a.text("error.message")}); d != "" {
			t.Errorf("%s %s (-want +got):\n%s", method, path, d)
		}
	}
	at := lockPath(servicePath, "keep")
	a := w.want(201, "PUT", at, lockBody("CanNotDelete"))
	for path, want := range map[string]string{
		"id": servicePath + "/providers/Microsoft.Authorization/locks/keep", "name": "keep", "type": "Microsoft.Authorization/locks",
		"properties.level": "CanNotDelete", "properties.notes": "hands off", "systemData.createdBy": "22222222-2222-2222-2222-222222222222",
	} {
		if got := a.text(path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	api := servicePath + "/apis/echo"
	seq := w.seq()
	refused("DELETE", servicePath, "", servicePath, "delete")
	refused("DELETE", api, "", api, "delete")
	refused("DELETE", groupPath+"?api-version=2021-04-01", "", groupPath, "delete")
	if w.seq() != seq {
		t.Error("refused requests changed something")
	}
	w.want(200, "PATCH", servicePath, `{"tags":{"a":"b"}}`)
	w.want(200, "POST", servicePath+"/subscriptions/master/listSecrets", "")

	w.want(200, "PUT", at, lockBody("ReadOnly"))
	refused("PATCH", servicePath, `{"tags":{"a":"c"}}`, servicePath, "write")
	refused("PUT", api, `{"properties":{"displayName":"Echo","path":"other"}}`, api, "write")
	refused("POST", servicePath+"/subscriptions/master/listSecrets", "", servicePath+"/subscriptions/master", "write")
	refused("POST", servicePath+"/migrateToStv2", "", servicePath, "write")
	refused("POST", servicePath+"/providers/Portico.Hosting/upgrade", `{"gateway":"2.0"}`, servicePath, "write")
	w.want(200, "GET", api, "")
	w.want(201, "PUT", groupPath+"/providers/Microsoft.ApiManagement/service/free", developerBody)

	w.want(200, "DELETE", at, "")
	w.want(204, "DELETE", at, "")
	w.want(202, "DELETE", servicePath, "")
}

func TestLocks_Inherited(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withAPI()
	api, sub := servicePath+"/apis/echo", "/subscriptions/"+subscriptionID
	w.want(201, "PUT", lockPath(groupPath, "of-group"), lockBody("ReadOnly"))
	w.want(201, "PUT", lockPath(sub, "of-all"), lockBody("CanNotDelete"))
	w.want(201, "PUT", lockPath(api, "of-api"), lockBody("CanNotDelete"))
	if got := w.want(409, "DELETE", servicePath, "").text("error.message"); got != scopeLocked(servicePath, "delete", sub, api, groupPath) {
		t.Errorf("message %s", got)
	}
	if got := w.want(409, "PUT", api, `{"properties":{"displayName":"Echo","path":"other"}}`).text("error.message"); got != scopeLocked(api, "write", groupPath) {
		t.Errorf("message %s", got)
	}
	names := func(scope, filter string) (all []string) {
		t.Helper()
		for _, item := range w.want(200, "GET", scope+"/providers/Microsoft.Authorization/locks"+lockVersion+filter, "").Body.List("value") {
			o, _ := item.(map[string]any)
			all = append(all, resource.Object(o).Text("name"))
		}
		return all
	}
	for _, x := range []struct {
		scope, filter string
		want          []string
	}{
		{sub, "", []string{"of-all", "of-api", "of-group"}},
		{sub, "&$filter=atScope()", []string{"of-all"}},
		{servicePath, "", []string{"of-all", "of-api", "of-group"}},
		{servicePath, "&$filter=atScope()", []string{"of-all", "of-group"}},
		{api, "&$filter=atScope()", []string{"of-all", "of-api", "of-group"}},
	} {
		if d := cmp.Diff(x.want, names(x.scope, x.filter)); d != "" {
			t.Errorf("locks of %s %s (-want +got):\n%s", x.scope, x.filter, d)
		}
	}
}

func TestLocks_Refused(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	at := lockPath(servicePath, "keep")
	for body, want := range map[string]string{
		`{}`: "InvalidRequestContent", `{"properties":{}}`: "InvalidLockLevel", lockBody("Sometimes"): "InvalidLockLevel", `[`: "InvalidRequestContent",
		`{"properties":{"level":"ReadOnly","notes":"` + strings.Repeat("x", 513) + `"}}`: "InvalidRequestContent",
	} {
		if got := w.want(400, "PUT", at, body).code(); got != want {
			t.Errorf("PUT %.60s: %s, want %s", body, got, want)
		}
	}
	if got := w.want(404, "GET", at, "").code(); got != "LockNotFound" {
		t.Errorf("code %s", got)
	}
	w.want(404, "PUT", lockPath(servicePath+"x", "keep"), lockBody("ReadOnly"))
	w.want(404, "PUT", lockPath(servicePath+"/apis/none", "keep"), lockBody("ReadOnly"))
	w.want(404, "PUT", lockPath(groupPath+"x", "keep"), lockBody("ReadOnly"))
	w.want(400, "PUT", strings.Replace(at, "2020-05-01", "2020-05-02", 1), lockBody("ReadOnly"))
	w.want(405, "POST", at, "")
	w.want(400, "GET", strings.Replace(at, "/keep", "", 1)+"&$filter=x", "")
}

// TestLocks_StopTheDeletionOfAGroup puts the lock on while the group goes.
func TestLocks_StopTheDeletionOfAGroup(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	monitor := local(t, w.want(202, "DELETE", groupPath+"?api-version=2021-04-01", "").Header.Get("Location"))
	w.want(201, "PUT", lockPath(servicePath, "keep"), lockBody("CanNotDelete"))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- lro.NewEngine(w.store, slog.New(slog.DiscardHandler), w.handler.Handlers(), pace.New(pace.Instant())).Run(ctx)
	}()
	defer func() { cancel(); <-done }()
	var end answer
	eventually(t, func() bool { end = w.do("GET", monitor, ""); return end.Status != 202 })
	if end.Status != 400 || end.code() != "ScopeLocked" {
		t.Errorf("the deletion ends with %d %s", end.Status, end.Raw)
	}
	if got := w.want(200, "GET", servicePath, "").text("properties.provisioningState"); got != "Succeeded" {
		t.Errorf("provisioningState = %s", got)
	}
}
