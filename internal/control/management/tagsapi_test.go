package management_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/portico-dev/portico/internal/control/management"
	"github.com/portico-dev/portico/internal/platform"
)

func tagsPath(scope string) string {
	return scope + "/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
}

func TestTags_OfResources(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	address := groupPath + "/providers/Microsoft.Network/publicIPAddresses/ip"
	w.want(201, "PUT", address+"?api-version=2024-03-01", `{"location":"westeurope","sku":{"name":"Standard"}}`)
	for scope, version := range map[string]string{servicePath: newest, address: "2024-03-01", groupPath: "2021-04-01"} {
		check := func(a answer, want map[string]any) {
			t.Helper()
			got, _ := a.Body.Get("properties.tags").(map[string]any)
			if d := cmp.Diff(want, got); d != "" || a.text("id") != scope+"/providers/Microsoft.Resources/tags/default" || a.text("type") != "Microsoft.Resources/tags" {
				t.Errorf("%s (-want +got):\n%s%s", scope, d, a.Raw)
			}
			shown, _ := w.want(200, "GET", scope+"?api-version="+version, "").Body.Get("tags").(map[string]any)
			if d := cmp.Diff(want, shown); d != "" && len(want)+len(shown) > 0 {
				t.Errorf("tags of %s itself (-want +got):\n%s", scope, d)
			}
		}
		at := tagsPath(scope)
		check(w.want(200, "GET", at, ""), map[string]any{})
		check(w.want(200, "PUT", at, `{"properties":{"tags":{"Team":"a","env":"test"}}}`), map[string]any{"Team": "a", "env": "test"})
		check(w.want(200, "PATCH", at, `{"operation":"Merge","properties":{"tags":{"TEAM":"b","cost":"1"}}}`), map[string]any{"TEAM": "b", "env": "test", "cost": "1"})
		check(w.want(200, "PATCH", at, `{"operation":"Delete","properties":{"tags":{"ENV":""}}}`), map[string]any{"TEAM": "b", "cost": "1"})
		check(w.want(200, "PATCH", at, `{"operation":"Replace","properties":{"tags":{"one":"1"}}}`), map[string]any{"one": "1"})
		w.want(400, "PATCH", at, `{"operation":"Swap","properties":{"tags":{}}}`)
		w.want(400, "PUT", at, `{"properties":{"tags":{"a/b":"1"}}}`)
		w.want(200, "DELETE", at, "")
		check(w.want(200, "GET", at, ""), map[string]any{})
	}
	w.want(404, "GET", tagsPath(servicePath+"x"), "")
	w.want(404, "GET", tagsPath(servicePath+"/apis/echo"), "")
}

func TestTags_AreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *management.Options) { o.Limits = platform.Era2024 }).withService()
	many := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"t%02d":"x"`, i))
		}
		return `{` + strings.Join(all, ",") + `}`
	}
	body := func(n int) string { return `{"properties":{"tags":` + many(n) + `}}` }
	w.want(200, "PUT", tagsPath(servicePath), body(15))
	w.want(200, "PUT", tagsPath(groupPath), body(50))
	if got := w.want(400, "PUT", tagsPath(servicePath), body(16)).text("error.message"); got != "Invalid parameter: Tags count out of bound. Maximum count value is 15." {
		t.Errorf("message %s", got)
	}
	found, _ := w.want(400, "PUT", tagsPath(groupPath), body(51)).Body.List("error.details")[0].(map[string]any)
	if found["message"] != "A resource may have at most 50 tags." {
		t.Errorf("message %v", found["message"])
	}
	w.want(400, "PATCH", servicePath, `{"tags":`+many(16)+`}`)
	w.want(200, "PATCH", servicePath, `{"tags":`+many(14)+`}`)
}

func TestIdentity_OfAService(t *testing.T) {
	t.Parallel()
	w := newWorld(t).withService()
	if a := w.want(200, "GET", servicePath, ""); a.Body.Get("identity") != nil {
		t.Errorf("a service without an identity shows %v", a.Body.Get("identity"))
	}
	a := w.want(200, "PATCH", servicePath, `{"identity":{"type":"SystemAssigned"}}`)
	id := a.text("identity.principalId")
	if len(id) != 36 || a.text("identity.tenantId") != "11111111-1111-1111-1111-111111111111" || a.text("identity.type") != "SystemAssigned" {
		t.Errorf("identity %v", a.Body.Get("identity"))
	}
	w.want(200, "PATCH", servicePath, `{"tags":{"a":"b"},"identity":{"type":"SystemAssigned","principalId":"`+servicePath+`"}}`)
	if got := w.want(200, "GET", servicePath+"?api-version=2020-12-01", "").text("identity.principalId"); got != id {
		t.Errorf("principalId %s, was %s", got, id)
	}
	for _, body := range []string{`{"identity":{"type":"UserAssigned","userAssignedIdentities":{"/x":{}}}}`, `{"identity":{"type":"SystemAssigned, UserAssigned","userAssignedIdentities":{"/x":{}}}}`} {
		found, _ := w.want(400, "PATCH", servicePath, body).Body.List("error.details")[0].(map[string]any)
		if found["message"] != "The user-assigned identity '/x' was not found." {
			t.Errorf("%s: %v", body, found)
		}
	}
	if a := w.want(200, "PATCH", servicePath, `{"identity":{"type":"None"}}`); a.Body.Get("identity") != nil {
		t.Errorf("an identity that was removed is shown: %v", a.Body.Get("identity"))
	}
}
